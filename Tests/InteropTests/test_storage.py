"""`swiftwater storage`: a data folder is given to a cluster and a node before the first start."""

import subprocess

import pytest
from broker import Broker, binary
from librdkafka import admin, read, send, values
from test_configuration import fingerprint


@pytest.fixture
def storage(tmp_path):
    """Runs `swiftwater storage` for a configuration of its own; returns (status, what was said)."""
    properties = tmp_path / "server.properties"
    properties.write_text(f"node.id=1\nlog.dirs={tmp_path / 'broker' / 'data'}\n")
    (tmp_path / "broker").mkdir()

    def run(*arguments):
        done = subprocess.run([binary(), "storage", *arguments], capture_output=True, text=True, timeout=20)
        return done.returncode, (done.stdout + done.stderr).strip()

    run.config = ("-c", str(properties))
    return run


def test_a_formatted_folder_belongs_to_the_cluster_that_was_named(storage, tmp_path, name):
    _, cluster = storage("random-uuid")
    assert storage("format", "-t", cluster, *storage.config, "--standalone")[0] == 0
    assert f"cluster.id={cluster}" in storage("info", *storage.config)[1]
    broker = Broker(tmp_path / "broker").start()
    try:
        assert admin(broker).list_topics(timeout=10).cluster_id == cluster
    finally:
        broker.kill()


def test_a_formatted_folder_is_not_formatted_again(storage, tmp_path):
    assert storage("format", "-t", "mine", *storage.config)[0] == 0
    before = fingerprint(tmp_path / "broker")
    status, said = storage("format", "-t", "mine", *storage.config)
    assert status == 1 and "--ignore-formatted" in said
    assert storage("format", "-t", "mine", "-g", *storage.config)[0] == 0
    status, said = storage("format", "-t", "other", "-g", *storage.config)
    assert status == 1 and "mine" in said and "other" in said
    assert fingerprint(tmp_path / "broker") == before


def test_formatting_what_is_there_leaves_a_clean_stop_clean(storage, tmp_path, name):
    broker = Broker(tmp_path / "broker").start()
    send(broker, name, [b"kept"])
    cluster = admin(broker).list_topics(timeout=10).cluster_id
    assert broker.stop() == 0
    marker = tmp_path / "broker" / "data" / ".kafka_cleanshutdown"
    assert marker.exists()
    assert storage("format", "-t", cluster, "-g", *storage.config)[0] == 0
    assert marker.exists()
    broker.start()
    try:
        assert values(read(broker, name, 1)) == [b"kept"]
    finally:
        broker.kill()


@pytest.mark.parametrize(
    "arguments, named",
    [
        (["frmat"], "frmat"),
        (["format", "-t", "mine"], "-c"),
        (["format", "--cluster", "mine"], "--cluster"),
        (["format", "-t", "mine", "--initial-controllers", "1@localhost:9093:id"], "--initial-controllers"),
        ([], "format"),
    ],
)
def test_what_cannot_be_meant_is_said(storage, arguments, named):
    status, said = storage(*arguments)
    assert status == 2 and named in said
