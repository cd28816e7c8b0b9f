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
    assert "0" in done.stdout.split() or "baseOffset" in done.stdout or done.stdout.strip()
