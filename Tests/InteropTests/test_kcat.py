"""kcat from Debian, with librdkafka 2.0.2: as people try a broker for the first time."""

import json
import subprocess

import pytest


def kcat(broker, *arguments, input=None):
    done = subprocess.run(
        ["kcat", "-b", broker.bootstrap, *arguments], input=input, capture_output=True, text=True, timeout=40
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.relies_on(1, 3, 4, 14)
def test_records_come_back_as_they_went_in(broker, name):
    kcat(broker, "-P", "-t", name, "-K:", input="a:1\nb:2\nc:3\n")
    assert kcat(broker, "-C", "-q", "-e", "-t", name, "-K:").splitlines() == ["a:1", "b:2", "c:3"]


@pytest.mark.relies_on(4, 25)
@pytest.mark.parametrize("codec", ["gzip", "snappy", "lz4", "zstd"])
def test_every_codec_is_really_used_and_read_back(broker, name, codec):
    lines = [f"line {n} " + "x" * 200 for n in range(200)]
    kcat(broker, "-P", "-t", name, "-z", codec, "-X", "linger.ms=100", input="\n".join(lines) + "\n")
    assert kcat(broker, "-C", "-q", "-e", "-t", name).splitlines() == lines
    # librdkafka drops compression without a word when it dislikes the advertised versions.
    (log,) = (broker.data / f"{name}-0").glob("*.log")
    assert log.stat().st_size < sum(map(len, lines)) / 2


@pytest.mark.relies_on(13, 16, 17, 19)
def test_the_metadata_names_the_broker_and_the_partitions(broker, name):
    kcat(broker, "-P", "-t", name, input="x\n")
    listing = json.loads(kcat(broker, "-L", "-J", "-t", name))
    assert [known["name"] for known in listing["brokers"]] == [broker.bootstrap]
    (topic,) = listing["topics"]
    assert [partition["partition"] for partition in topic["partitions"]] == [0]
    assert topic["partitions"][0]["leader"] == listing["brokers"][0]["id"]


def test_headers_and_null_values_survive(broker, name):
    kcat(broker, "-P", "-t", name, "-K:", "-Z", "-H", "colour=blue", input="gone:\n")
    (line,) = kcat(broker, "-C", "-q", "-e", "-t", name, "-J").splitlines()
    message = json.loads(line)
    assert message["key"] == "gone" and message["payload"] is None
    assert message["headers"] == ["colour", "blue"]


def test_reading_the_last_records_only(broker, name):
    kcat(broker, "-P", "-t", name, input="".join(f"{n}\n" for n in range(10)))
    assert kcat(broker, "-C", "-q", "-e", "-t", name, "-o", "-3").splitlines() == ["7", "8", "9"]


@pytest.mark.relies_on(43, 44, 47, 48)
def test_a_group_goes_on_where_it_stopped(broker, name):
    group = ["-q", "-e", "-X", "auto.offset.reset=earliest", "-G", f"{name}-group", name]
    kcat(broker, "-P", "-t", name, input="one\ntwo\n")
    assert kcat(broker, *group).splitlines() == ["one", "two"]
    kcat(broker, "-P", "-t", name, input="three\n")
    assert kcat(broker, *group).splitlines() == ["three"]


@pytest.mark.relies_on(42)
def test_offsets_are_found_by_time(broker, name):
    kcat(broker, "-P", "-t", name, input="x\n")
    assert kcat(broker, "-Q", "-t", f"{name}:0:0").split()[-1] == "0"
    assert kcat(broker, "-Q", "-t", f"{name}:0:-1").split()[-1] == "1"
