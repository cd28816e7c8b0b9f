"""The binary's own subcommands."""

import json

import pytest
from broker import run
from confluent_kafka import TopicPartition
from librdkafka import consumer, create, read, send, values


@pytest.fixture
def cli(broker):
    """Runs a subcommand against the shared broker; it must succeed."""

    def command(*arguments, input=None):
        done = run(*arguments, "--bootstrap-server", broker.bootstrap, input=input)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return command


def test_the_version_and_the_help_need_no_broker():
    assert run("--version").stdout.strip()
    general = run("--help")
    assert general.returncode == 0
    for word in ("broker", "topics", "groups", "configs", "produce", "consume", "log"):
        assert word in general.stdout
        assert run(word, "--help").returncode == 0


@pytest.mark.parametrize("arguments", [["no-such-command"], ["topics", "no-such-verb"], ["topics", "list", "--no-such-option"]])
def test_a_wrong_command_is_named_and_fails(arguments):
    done = run(*arguments)
    assert done.returncode > 0
    assert arguments[-1] in done.stderr


def test_a_broker_that_is_not_there_is_named():
    done = run("topics", "list", "--bootstrap-server", "127.0.0.1:1")
    assert done.returncode > 0 and "127.0.0.1:1" in done.stderr


def test_topics_are_made_listed_described_and_deleted(cli, name):
    cli("topics", "create", name, "--partitions", 3)
    assert name in cli("topics", "list").split()
    described = json.loads(cli("topics", "describe", name, "-o", "json"))
    topic = described[0] if isinstance(described, list) else described
    assert topic["name"] == name and len(topic["partitions"]) == 3
    cli("topics", "delete", name)
    assert name not in cli("topics", "list").split()


def test_a_topic_that_is_there_is_not_made_again(broker, name):
    arguments = ["topics", "create", name, "--bootstrap-server", broker.bootstrap]
    assert run(*arguments).returncode == 0
    done = run(*arguments)
    assert done.returncode > 0 and name in done.stderr


def test_records_go_in_and_come_out(cli, broker, name):
    create(broker, name)
    cli("produce", name, input="one\ntwo\nthree\n")
    assert values(read(broker, name, 3)) == [b"one", b"two", b"three"]
    assert cli("consume", name, "--from-beginning", "--max-messages", 3).splitlines() == ["one", "two", "three"]


@pytest.mark.parametrize("codec", ["none", "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_goes_both_ways(cli, broker, name, codec):
    create(broker, name)
    lines = [f"{codec} {n}" for n in range(100)]
    cli("produce", name, "--compression", codec, "--idempotent", input="\n".join(lines))
    assert values(read(broker, name, 100)) == [line.encode() for line in lines]
    send(broker, name, [line.encode() for line in lines], **{"compression.type": codec})
    assert cli("consume", name, "--from-beginning", "--max-messages", 200).splitlines() == lines * 2


def test_keys_headers_and_places_of_records_are_shown(cli, broker, name):
    create(broker, name)
    cli("produce", name, "--key-separator", "=", "--header", "from=here", input="k=v=w\nplain\n")
    shown = cli("consume", name, "--from-beginning", "--max-messages", 2, "-o", "json").splitlines()
    first, second = map(json.loads, shown)
    assert (first["key"], first["value"], first["offset"]) == ("k", "v=w", 0)
    assert first["headers"] == [{"key": "from", "value": "here"}]
    assert (second["key"], second["value"], second["partition"]) == (None, "plain", 0)
    text = cli("consume", name, "--offset", 1, "--max-messages", 1, "--print", "partition,offset,key")
    assert text == "0\t1\tnull\tplain\n"


def test_a_topic_with_small_batches_gets_small_ones(cli, broker, name):
    create(broker, name, **{"max.message.bytes": 1000})
    lines = [f"value {n}" for n in range(2000)]
    cli("produce", name, "--idempotent", input="\n".join(lines))
    assert cli("consume", name, "--from-beginning", "--max-messages", 2000).splitlines() == lines


def test_reading_ends_when_nothing_comes(cli, broker, name):
    create(broker, name)
    assert cli("consume", name, "--from-beginning", "--timeout", 1) == ""


def test_a_topic_that_is_not_there_is_named(broker, name):
    for command in (["consume", name], ["produce", name], ["topics", "describe", name], ["topics", "delete", name]):
        done = run(*command, "--bootstrap-server", broker.bootstrap, input="x\n")
        assert done.returncode == 1 and name in done.stderr, command


def test_a_group_shares_a_topic_and_goes_on_where_it_was(cli, broker, name):
    create(broker, name, partitions=3)
    cli("produce", name, input="\n".join(f"{n}" for n in range(50)))
    arguments = ["consume", name, "--group", f"{name}-group", "--from-beginning", "--timeout", 5]
    first = cli(*arguments, "--max-messages", 20).split()
    second = cli(*arguments, "--max-messages", 30).split()
    assert sorted(map(int, first + second)) == list(range(50))
    offsets = json.loads(cli("groups", "offsets", f"{name}-group", "-o", "json"))[0]["offsets"]
    assert sum(one["committed"] for one in offsets) == 50 and sum(one["lag"] for one in offsets) == 0


def test_a_group_is_moved_only_when_it_is_asked_to(cli, broker, name):
    send(broker, name, [b"x", b"y", b"z"])
    group = f"{name}-group"

    def committed():
        offsets = json.loads(cli("groups", "offsets", group, "-o", "json"))[0]["offsets"]
        return [one["committed"] for one in offsets]

    move = ["groups", "reset-offsets", group, "--topic", name]
    cli(*move, "--to-latest")
    assert committed() == []
    cli(*move, "--to-latest", "--execute")
    assert committed() == [3]
    cli(*move, "--to-offset", 99, "--execute")
    assert committed() == [3]
    cli(*move, "--to-earliest", "--execute")
    assert committed() == [0]
    cli("groups", "delete", group)
    assert group not in cli("groups", "list")


def test_a_topic_gets_partitions_and_shows_its_offsets(cli, broker, name):
    send(broker, name, [b"x", b"y"])
    cli("topics", "add-partitions", name, "--total", 3)
    offsets = json.loads(cli("topics", "offsets", name, "-o", "json"))
    assert [(one["start"], one["end"]) for one in offsets] == [(0, 2), (0, 0), (0, 0)]
    cli("topics", "create", name, "--if-not-exists")
    cli("topics", "create", f"{name}-never", "--validate-only")
    assert f"{name}-never" not in cli("topics", "list")


def test_groups_are_listed_and_described(cli, broker, name):
    send(broker, name, [b"x", b"y", b"z"])
    reader = consumer(broker, f"{name}-group")
    reader.assign([TopicPartition(name, 0)])
    reader.commit(offsets=[TopicPartition(name, 0, 2)], asynchronous=False)
    reader.close()
    assert f"{name}-group" in cli("groups", "list")
    described = cli("groups", "describe", f"{name}-group")
    assert name in described and "2" in described.split()


def test_settings_of_a_topic_are_set_and_shown(cli, broker, name):
    create(broker, name)
    cli("configs", "set", "topic", name, "retention.ms=98765")
    assert "98765" in cli("configs", "describe", "topic", name)
    cli("configs", "unset", "topic", name, "retention.ms")
    assert "98765" not in cli("configs", "describe", "topic", name)


def test_a_log_on_disk_is_shown(broker, name):
    create(broker, name)
    send(broker, name, [(b"key", b"value %d" % n) for n in range(3)])
    done = run("log", "dump", broker.data / f"{name}-0")
    assert done.returncode == 0, done.stderr
    assert "offsets 0-" in done.stdout and "crc ok" in done.stdout
    done = run("log", "dump", "--records", "-o", "json", broker.data / f"{name}-0")
    shown = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["value"] for one in shown if "value" in one] == ["value 0", "value 1", "value 2"]


def test_the_metadata_log_is_shown_by_what_it_means(broker, name):
    create(broker, name)
    done = run("log", "dump", "--records", "-o", "json", broker.data / "__cluster_metadata-0")
    values = [json.loads(line).get("value") for line in done.stdout.splitlines()]
    topics = [value["topic"]["name"] for value in values if isinstance(value, dict) and "topic" in value]
    assert name in topics
