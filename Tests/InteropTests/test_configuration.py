"""A wrong setting gives one sentence and a non-zero exit, and changes nothing on the disk."""

import hashlib
import socket
import subprocess

import pytest
from broker import Broker, binary
from librdkafka import read, send, values


def refused(broker, within=20):
    """Runs the broker to its end and returns its last sentence. It must fail, and must say why in one line."""
    done = subprocess.run(broker.arguments(), capture_output=True, text=True, timeout=within)
    assert done.returncode not in (0, None) and done.returncode > 0, f"ended with {done.returncode}: {done.stderr}"
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    assert lines, "nothing was said"
    assert "Fatal error" not in done.stderr and "Stack dump" not in done.stderr, done.stderr
    return lines[-1]


def fingerprint(folder):
    """The names and contents of everything in a folder."""
    if not folder.exists():
        return None
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }


@pytest.mark.parametrize(
    "key, value",
    [
        ("num.partitons", "3"),
        ("num.partitions", "many"),
        ("num.partitions", "0"),
        ("num.partitions", "-7"),
        ("log.segment.bytes", "13"),
        ("log.cleanup.policy", "burn"),
        ("auto.create.topics.enable", "perhaps"),
        ("node.id", "-5"),
        ("listeners", "nonsense"),
        ("listeners", "PLAINTEXT://127.0.0.1:99999"),
        ("log.retention.ms", "soon"),
        ("compression.type", "rar"),
    ],
)
def test_a_setting_that_cannot_be_is_named_and_nothing_is_made(tmp_path, key, value):
    broker = Broker(tmp_path / "broker", {key: value})
    said = refused(broker)
    assert key in said
    assert value in said or key == "num.partitons"
    assert fingerprint(broker.data) is None


def test_a_file_of_settings_is_read_and_overrides_win(tmp_path, name):
    broker = Broker(tmp_path / "broker")
    properties = tmp_path / "server.properties"
    properties.write_text(
        "# A comment.\n"
        f"listeners = PLAINTEXT://127.0.0.1:{broker.port}\n"
        f"log.dirs={tmp_path}/somewhere-else\n"
        "num.partitions=2\n\n"
        "group.initial.rebalance.delay.ms: 0\n"
    )
    broker.overrides = {"log.dirs": str(tmp_path / "data")}
    broker.arguments = lambda: [binary(), "broker", str(properties), "--override", f"log.dirs={tmp_path}/data"]
    broker.start()
    try:
        send(broker, name, [b"x"], partition=1)
        assert (tmp_path / "data" / f"{name}-1").is_dir()
        assert not (tmp_path / "somewhere-else").exists()
    finally:
        assert broker.stop() == 0


def test_a_wrong_line_of_a_file_is_named(tmp_path):
    broker = Broker(tmp_path / "broker")
    properties = tmp_path / "server.properties"
    properties.write_text(f"log.dirs={broker.data}\nno.such.key=1\n")
    broker.arguments = lambda: [binary(), "broker", str(properties)]
    assert "no.such.key" in refused(broker)
    assert fingerprint(broker.data) is None


def test_a_file_that_is_not_there_is_named(tmp_path):
    broker = Broker(tmp_path / "broker")
    broker.arguments = lambda: [binary(), "broker", str(tmp_path / "nowhere.properties")]
    assert "nowhere.properties" in refused(broker)


def test_a_port_in_use_is_named(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        broker = Broker(tmp_path / "broker", port=taken.getsockname()[1])
        assert str(broker.port) in refused(broker)


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    broker = Broker(tmp_path / "broker", {"log.dirs": str(tmp_path / "file" / "data")})
    assert str(tmp_path / "file") in refused(broker)


def test_the_data_folder_of_another_node_is_left_alone(private):
    broker = private({"node.id": "1"})
    send(broker, "kept", [b"x"])
    assert broker.stop() == 0
    before = fingerprint(broker.data)
    broker.overrides["node.id"] = "2"
    said = refused(broker)
    assert "1" in said and "2" in said and "node.id" in said
    assert fingerprint(broker.data) == before
    broker.overrides["node.id"] = "1"
    broker.start()
    assert values(read(broker, "kept", 1)) == [b"x"]


@pytest.mark.parametrize("content", ["", "nonsense\n", "version=99\nnode.id=1\ncluster.id=abc\n"])
def test_a_broken_identity_of_the_data_folder_is_refused(private, content):
    broker = private()
    send(broker, "kept", [b"x"])
    assert broker.stop() == 0
    identity = broker.data / "meta.properties"
    whole = identity.read_text()
    identity.write_text(content)
    before = fingerprint(broker.data)
    assert "meta.properties" in refused(broker)
    assert fingerprint(broker.data) == before
    identity.write_text(whole)
    broker.start()
    assert values(read(broker, "kept", 1)) == [b"x"]


def test_two_brokers_do_not_share_a_data_folder(private, tmp_path):
    broker = private()
    intruder = Broker(tmp_path / "intruder", {"log.dirs": str(broker.data)})
    assert str(broker.data) in refused(intruder)
    send(broker, "still-there", [b"x"])
    assert values(read(broker, "still-there", 1)) == [b"x"]


def test_an_ordinary_stop_ends_with_zero(private):
    broker = private()
    assert broker.stop() == 0
