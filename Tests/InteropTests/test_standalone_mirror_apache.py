"""`swiftwater mirror` with a real Apache Kafka on either side, and our command line against it."""

import json
import signal
import subprocess

import apache
import pytest
from broker import binary, run, until
from confluent_kafka import TopicPartition
from mirrors import (  # noqa: F401
    admin, clients_end_with_their_test, commit, committed, make_topic, read, tool, write,
)
from transactions import again, transactional
from transactions import write as write_within

pytestmark = [
    pytest.mark.skipif(bool(apache.obstacle()), reason=apache.obstacle() or ""),
    pytest.mark.timeout(240),
]
WITHIN = 60


@pytest.fixture
def foreign(apache_kafka):
    return apache_kafka


@pytest.fixture
def mirrors(tmp_path):
    made = []

    def begin(source, target, *options):
        log = (tmp_path / f"mirror-{len(made)}.log").open("ab")
        words = [binary(), "mirror", "--source", source.bootstrap, "--target", target.bootstrap, *options]
        made.append(subprocess.Popen(words, stdout=log, stderr=log))
        return made[-1]

    yield begin
    for one in made:
        if one.poll() is None:
            one.kill()
            one.wait()
    for path in sorted(tmp_path.glob("mirror-*.log")):
        print(path.name, path.read_text())


def stop(process):
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0


def plain(broker, topic, partition):
    return [record[1:] for record in read(broker, topic, partition)]


@pytest.mark.parametrize("way", ["from", "to"])
def test_records_and_groups_go_both_ways_and_survive_a_crash_of_the_mirror(foreign, private, mirrors, way):
    own = private()
    source, target = (foreign, own) if way == "from" else (own, foreign)
    topic, remote, group = f"{way}-orders", f"{way}.{way}-orders", f"{way}-readers"
    make_topic(source, topic, 2, retention_ms=77777777)
    for partition, codec in enumerate(("zstd", "snappy")):
        write(source, topic, [f"{partition}-{i}" for i in range(300)], partition, **{"compression.type": codec})
    sender = transactional(source, f"{way}-sender")
    for number, end in enumerate((sender.abort_transaction, sender.commit_transaction)):
        sender.begin_transaction()
        write_within(sender, topic, [f"within-{number}-{i}".encode() for i in range(3)])
        again(end)
    commit(source, group, TopicPartition(topic, 0, 120), TopicPartition(topic, 1, 300))
    options = ("--source-alias", way, "--target-alias", "other", "--topics", topic, "--groups", group)
    running = mirrors(source, target, *options)

    def same(partition):
        there = plain(source, topic, partition)
        return there and there == plain(target, remote, partition)

    # Readers of this side are told of what was taken back as well: it is not in the copy.
    def committed_there():
        return [record for record in plain(source, topic, 0) if not record[1].startswith(b"within-0-")]

    until(lambda: remote in admin(target).list_topics(timeout=10).topics, "it is made", WITHIN, every=0.3)
    until(lambda: same(1), "partition 1 is copied", WITHIN, every=0.3)
    until(lambda: plain(target, remote, 0) == committed_there(), "partition 0 is copied", WITHIN, every=0.3)
    places = [TopicPartition(remote, 0), TopicPartition(remote, 1)]
    until(lambda: committed(target, group, *places) == [120, 300], "the group is carried", WITHIN, every=0.3)
    kept = {f"{way}.checkpoints.internal", f"mm2-offset-syncs.{way}.internal"}
    assert kept <= set(admin(target).list_topics(timeout=10).topics)
    assert read(target, f"{way}.checkpoints.internal")
    running.kill()
    running.wait()
    write(source, topic, [f"after-{i}" for i in range(500)], 1)
    running = mirrors(source, target, *options)
    until(lambda: same(1), "it goes on where it was", WITHIN, every=0.3)
    write(source, topic, ["last"], 1)
    until(lambda: same(1), "what comes is copied", WITHIN, every=0.3)
    stop(running)


def test_our_command_line_works_with_apache_kafka(foreign):
    there = ("--bootstrap-server", foreign.bootstrap)
    tool("topics", "create", "by-hand", "--partitions", "2", *there)
    assert "by-hand" in tool("topics", "list", *there)
    shown = json.loads(tool("topics", "describe", "by-hand", "-o", "json", *there))[0]
    assert len(shown["partitions"]) == 2 and shown["id"]
    done = run("produce", "by-hand", *there, input="one\ntwo\nthree\n")
    assert done.returncode == 0, done.stderr
    consumed = run("consume", "by-hand", "--from-beginning", "--max-messages", "3", "--timeout", "20", *there, within=60)
    # Groups of the newer protocol (KIP-848) are not there before Kafka 4, and the tool says so.
    refused = run("consume", "by-hand", "--group", "newer", "--max-messages", "1", "--timeout", "5", *there, within=60)
    assert refused.returncode != 0 and "ConsumerGroupHeartbeat" in refused.stderr, refused
    assert consumed.returncode == 0 and set(consumed.stdout.split()) >= {"one", "two", "three"}, consumed
    tool("configs", "set", "topic", "by-hand", "retention.ms=123000", *there)
    assert "123000" in tool("configs", "describe", "topic", "by-hand", *there)
    tool("configs", "unset", "topic", "by-hand", "retention.ms", *there)
    assert "123000" not in tool("configs", "describe", "topic", "by-hand", *there)
    commit(foreign, "by-hand-group", TopicPartition("by-hand", 0, 1))
    assert "by-hand-group" in tool("groups", "list", *there)
    assert "by-hand" in tool("groups", "offsets", "by-hand-group", *there)
    tool("groups", "describe", "by-hand-group", *there)
    tool("groups", "reset-offsets", "by-hand-group", "--topic", "by-hand", "--to-earliest", "--execute", *there)
    assert committed(foreign, "by-hand-group", TopicPartition("by-hand", 0)) == [0]
    tool("groups", "delete", "by-hand-group", *there)
    tool("topics", "add-partitions", "by-hand", "--total", "3", *there)
    assert len(json.loads(tool("topics", "describe", "by-hand", "-o", "json", *there))[0]["partitions"]) == 3
    tool("topics", "delete", "by-hand", *there)
    until(lambda: "by-hand" not in tool("topics", "list", *there).split(), "it is gone", 20, every=0.2)
    # Mirrors are a thing of our brokers: what another one says about that is passed on.
    refused = tool("mirrors", "create", "eu", "--source", "127.0.0.1:1", *there, fails=True)
    assert "mirror" in refused
