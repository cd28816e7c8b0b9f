"""Mirrors of a real Apache Kafka: the same bytes at the same offsets, and what cannot be done is said in words.

The tests share one broker of Apache's where they can, each with topics of its own; those that end it have their own."""

import json
import threading
import time

import apache
import pytest
from apache import ApacheKafka
from broker import until
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import ConfigResource, NewPartitions, ResourceType
from librdkafka import consumer as reader_of
from mirrors import (  # noqa: F401
    admin, alter_mirror, await_copy, clients_end_with_their_test, commit, committed, ends, make_again, make_topic,
    mirror, partition_status, read, segments, status, tool, write,
)
from transactions import again, ahead, transactional
from transactions import write as write_within

pytestmark = [
    pytest.mark.skipif(bool(apache.obstacle()), reason=apache.obstacle() or ""),
    pytest.mark.timeout(240),
]
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")
# A machine that is busy with other things gives a virtual machine of Java its turn late.
WITHIN = 60


@pytest.fixture(params=["apache_kafka", "old_apache_kafka"])
def source(request):
    return request.getfixturevalue(request.param)


@pytest.fixture
def own_source(tmp_path):
    broker = ApacheKafka(tmp_path / "apache")
    yield broker.start()
    broker.end()


@pytest.fixture
def target(private, source, request):
    request.node.worlds = [Log(source)]
    return private()


class Log:
    """What is shown of Apache's broker when a test fails."""

    def __init__(self, broker):
        self.broker = broker

    def report(self):
        return self.broker.tail(60)


def copies(source, target, *topics):
    mirror(source, target, "--topics", ",".join(topics), "--groups", ",".join(f"{topic}-*" for topic in topics))


def copied(source, target, topic, partition=0):
    await_copy(source, target, topic, partition, within=WITHIN)
    until(lambda: segments(source, topic, partition) == segments(target, topic, partition), "the bytes are the same", 20)


def topic_configs(broker, topic):
    found = next(iter(admin(broker).describe_configs([ConfigResource(ResourceType.TOPIC, topic)]).values()))
    return {key: entry.value for key, entry in found.result(20).items()}


def failover(target):
    shown = tool("mirrors", "failover", "eu", "-o", "json", "--bootstrap-server", target.bootstrap)
    return {entry["partition"]: entry for entry in json.loads(shown)["partitions"]}


def test_records_of_every_codec_have_the_same_bytes_at_the_same_offsets(source, target):
    for codec in CODECS:
        make_topic(source, f"codec-{codec}", 2)
        for partition in (0, 1):
            values = [f"{codec}-{partition}-{i}" * 20 for i in range(200)]
            settings = {"compression.type": codec, "enable.idempotence": codec != "gzip"}
            write(source, f"codec-{codec}", values, partition, **settings)
    copies(source, target, "codec-*")
    for codec in CODECS:
        for partition in (0, 1):
            copied(source, target, f"codec-{codec}", partition)
            assert read(source, f"codec-{codec}", partition) == read(target, f"codec-{codec}", partition)
    # What comes while it runs.
    write(source, "codec-zstd", ["later"] * 500, 1, **{"compression.type": "zstd"})
    copied(source, target, "codec-zstd", 1)


def test_settings_and_partitions_are_followed(source, target):
    settings = {
        "retention.ms": "777000", "cleanup.policy": "compact,delete", "max.message.bytes": "2000000",
        "min.insync.replicas": "1", "message.timestamp.type": "LogAppendTime", "segment.bytes": "1048576",
        "segment.jitter.ms": "100", "flush.messages": "1000", "index.interval.bytes": "2048", "preallocate": "false",
        "unclean.leader.election.enable": "true", "message.downconversion.enable": "false", "segment.index.bytes": "65536",
        "leader.replication.throttled.replicas": "0:1", "compression.type": "lz4", "delete.retention.ms": "1234567",
    }
    make_topic(source, "growing", **{key.replace(".", "_"): value for key, value in settings.items()})
    copies(source, target, "growing")
    copied(source, target, "growing")
    admin(source).create_partitions([NewPartitions("growing", 3)])["growing"].result(20)
    until(lambda: ends(target, "growing", 2), "the partition is there as well", WITHIN, every=0.2)
    write(source, "growing", ["late"], 2)
    copied(source, target, "growing", 2)
    tool("configs", "set", "topic", "growing", "retention.ms=888000", "--bootstrap-server", source.bootstrap)
    tool("configs", "unset", "topic", "growing", "max.message.bytes", "--bootstrap-server", source.bootstrap)
    until(lambda: topic_configs(target, "growing")["retention.ms"] == "888000", "the setting is followed", 20, every=0.2)
    # What means nothing here is left out: the copy is the same without.
    nameless = {"segment.jitter.ms", "preallocate", "message.downconversion.enable"}
    followed = settings.keys() - nameless - {"leader.replication.throttled.replicas"}
    there = {key: value for key, value in topic_configs(source, "growing").items() if key in followed}

    def same():
        here = topic_configs(target, "growing")
        return {key: here.get(key) for key in followed} == there

    until(same, f"both settings are followed: {there}", 20, every=0.2)
    assert not nameless & topic_configs(target, "growing").keys() and "segment.jitter.ms" in target.log.read_text()
    assert not status(target)["problems"]


def test_holes_of_compaction_deleted_records_and_retention_are_followed(source, target):
    make_topic(
        source, "compacted", cleanup_policy="compact", segment_bytes=16384, min_cleanable_dirty_ratio="0.01",
        max_compaction_lag_ms=500, segment_ms=1000,
    )
    make_topic(source, "shortened")
    make_topic(source, "retained", segment_bytes=16384)
    for round in range(6):
        write(source, "compacted", [f"{round}-{i}" * 40 for i in range(60)], **{"enable.idempotence": True})
    write(source, "shortened", [f"{i}" for i in range(100)], **{"linger.ms": 0, "batch.num.messages": 10})
    admin(source).delete_records([TopicPartition("shortened", 0, 35)])[TopicPartition("shortened", 0)].result(20)
    copies(source, target, "compacted", "shortened", "retained")
    await_copy(source, target, "shortened", within=WITHIN)
    assert ends(target, "shortened") == (35, 100)
    assert [record[0] for record in read(target, "shortened")] == list(range(35, 100))
    until(lambda: len(read(source, "compacted")) < 200, "the source is compacted", within=WITHIN, every=0.5)
    await_copy(source, target, "compacted", within=WITHIN)
    latest = {key: (offset, value) for offset, key, value, _ in read(source, "compacted")}
    assert {key: (offset, value) for offset, key, value, _ in read(target, "compacted")} == latest
    # And while it runs.
    admin(source).delete_records([TopicPartition("shortened", 0, 60)])[TopicPartition("shortened", 0)].result(20)
    until(lambda: ends(target, "shortened") == (60, 100), "the start follows", 20, every=0.2)
    write(source, "retained", ["y" * 1000] * 200, **{"linger.ms": 0, "batch.num.messages": 5})
    # Retention that is faster than the mirror would make a gap, at which it halts: another test has that.
    await_copy(source, target, "retained", within=WITHIN)
    tool("configs", "set", "topic", "retained", "retention.bytes=32768", "--bootstrap-server", source.bootstrap)
    until(lambda: (ends(source, "retained") or (0, 0))[0] > 100, "the source removes what is old", WITHIN, every=0.2)
    # Each side removes by itself as well, at the ends of segments.
    until(lambda: (ends(target, "retained") or (0, 0))[0] >= ends(source, "retained")[0], "it goes here too", 30, every=0.2)
    assert ends(target, "retained")[1] == 200
    there, here = read(source, "retained"), read(target, "retained")
    low = max(there[0][0], here[0][0])
    assert [record for record in here if record[0] >= low] == [record for record in there if record[0] >= low]
    assert all(shown["state"] == "copying" and not shown["gaps"] for shown in status(target)["partitions"])


def test_a_log_that_was_compacted_before_the_mirror_began_is_copied_with_its_holes(source, target):
    make_topic(
        source, "sparse", cleanup_policy="compact", segment_bytes=16384, min_cleanable_dirty_ratio="0.01",
        max_compaction_lag_ms=500, segment_ms=1000,
    )
    for round in range(4):
        for _ in range(3):
            values = [f"{round}-{i}" * 40 for i in range(100)]
            write(source, "sparse", values, **{"enable.idempotence": True, "compression.type": "lz4"})
    until(lambda: len(read(source, "sparse")) < 500, "the source is compacted", within=WITHIN, every=0.5)
    copies(source, target, "sparse")
    await_copy(source, target, "sparse", within=WITHIN)
    latest = {key: (offset, value) for offset, key, value, _ in read(source, "sparse")}
    assert {key: (offset, value) for offset, key, value, _ in read(target, "sparse")} == latest
    assert partition_status(target, "sparse-0")["state"] == "copying"


def transaction(sender, topic, values, commits):
    sender.begin_transaction()
    write_within(sender, topic, values)
    again(sender.commit_transaction if commits else sender.abort_transaction)


def numbered(prefix, count):
    return [f"{prefix}-{n}".encode() for n in range(count)]


def test_readers_of_committed_records_see_the_same_on_both_sides(source, target):
    make_topic(source, "txn")
    sender, other = transactional(source, "txn-one"), transactional(source, "txn-two")
    transaction(sender, "txn", numbered("kept", 3), commits=True)
    transaction(sender, "txn", numbered("gone", 3), commits=False)
    copies(source, target, "txn")
    other.begin_transaction()
    write_within(other, "txn", numbered("open", 2))
    transaction(sender, "txn", numbered("later", 2), commits=True)
    until(lambda: segments(source, "txn") == segments(target, "txn") != b"", "it is copied", WITHIN, every=0.1)
    assert ahead(target, "txn") == ahead(source, "txn") == numbered("kept", 3)
    assert ahead(target, "txn", "read_uncommitted") == ahead(source, "txn", "read_uncommitted")
    again(other.commit_transaction)
    whole = numbered("kept", 3) + numbered("open", 2) + numbered("later", 2)
    until(lambda: ahead(source, "txn") == whole, "the source has the marker", 20, every=0.2)
    until(lambda: ahead(target, "txn") == whole, "the copy has the marker", 20, every=0.2)
    transaction(sender, "txn", numbered("undone", 2), commits=False)
    until(lambda: segments(source, "txn") == segments(target, "txn"), "the abort is copied", 20, every=0.1)
    assert ahead(target, "txn") == whole
    # A transaction that nobody here will ever end is taken back when this side takes over.
    other.begin_transaction()
    write_within(other, "txn", numbered("hangs", 2))
    until(lambda: segments(source, "txn") == segments(target, "txn"), "it is copied", 20, every=0.1)
    assert failover(target)["txn-0"]["abortedTransactions"] == 1
    until(lambda: ahead(target, "txn") == whole, "what was open is taken back", 20, every=0.2)


def test_offsets_of_groups_are_carried_and_go_back_and_go(source, target):
    make_topic(source, "grouped", 2)
    for partition in (0, 1):
        write(source, "grouped", [f"{i}" for i in range(50)], partition)
    places = TopicPartition("grouped", 0), TopicPartition("grouped", 1)
    commit(source, "grouped-a", TopicPartition("grouped", 0, 20), TopicPartition("grouped", 1, 50))
    copies(source, target, "grouped")
    until(lambda: committed(target, "grouped-a", *places) == [20, 50], "it is carried", WITHIN, every=0.3)
    commit(source, "grouped-a", TopicPartition("grouped", 0, 5))
    until(lambda: committed(target, "grouped-a", *places) == [5, 50], "it goes back", WITHIN, every=0.3)
    commit(source, "grouped-a", TopicPartition("grouped", 1, 5000))
    commit(source, "grouped-b", TopicPartition("grouped", 1, 7))
    until(lambda: committed(target, "grouped-b", places[1]) == [7], "a new group is carried", WITHIN, every=0.3)
    assert committed(target, "grouped-a", *places) == [5, 50]
    apache.run(
        source.folder, "kafka-consumer-groups.sh", "--bootstrap-server", source.bootstrap, "--delete-offsets",
        "--group", "grouped-a", "--topic", "grouped:0")
    until(lambda: committed(target, "grouped-a", *places) == [-1001, 50], "what was deleted goes", WITHIN, every=0.3)
    # A member that reads there, and one that goes on here where it was.
    member = reader_of(source, "grouped-c", auto_offset_reset="earliest")
    member.subscribe(["grouped"])
    seen = []
    until(lambda: seen.extend(member.consume(50, 0.5)) or len(seen) >= 100, "it reads", WITHIN)
    member.commit(asynchronous=False)
    until(lambda: committed(target, "grouped-c", *places) == [50, 50], "that of a group with members", WITHIN, every=0.3)
    member.close()


def test_a_topic_that_was_made_again_is_never_appended_to(source, target):
    make_topic(source, "again")
    write(source, "again", ["old"])
    copies(source, target, "again")
    copied(source, target, "again")
    admin(source).delete_topics(["again"])["again"].result(20)
    until(lambda: "again" not in admin(source).list_topics(timeout=5).topics, "it is gone", 20, every=0.1)
    until(lambda: make_again(source, "again"), "it is made again", 20, every=0.1)
    write(source, "again", [f"new-{i}" for i in range(10)])

    def halted():
        shown = partition_status(target, "again-0")
        return shown["state"] == "halted" and shown["reason"]

    until(lambda: "made again" in (halted() or ""), "it halts and says why", WITHIN, every=0.1)
    assert [record[2] for record in read(target, "again")] == [b"old"]


def test_a_gap_halts_with_its_offsets_and_goes_on_when_it_is_accepted(source, target):
    make_topic(source, "gappy")
    write(source, "gappy", [f"{i}" for i in range(50)])
    copies(source, target, "gappy")
    copied(source, target, "gappy")
    tool("mirrors", "pause", "eu", "--bootstrap-server", target.bootstrap)
    until(lambda: partition_status(target, "gappy-0")["state"] == "stopped", "it is paused", every=0.1)
    write(source, "gappy", [f"{i}" for i in range(50, 100)])
    admin(source).delete_records([TopicPartition("gappy", 0, 80)])[TopicPartition("gappy", 0)].result(20)
    tool("mirrors", "resume", "eu", "--bootstrap-server", target.bootstrap)
    until(lambda: partition_status(target, "gappy-0")["state"] == "halted", "it halts", every=0.1)
    assert "offsets 50 to 79" in partition_status(target, "gappy-0")["reason"]
    alter_mirror(target, "eu", "gap.policy", "accept")
    await_copy(source, target, "gappy", within=WITHIN)
    assert partition_status(target, "gappy-0")["gaps"] == [{"from": 50, "to": 80}]
    assert [record[0] for record in read(target, "gappy")] == list(range(80, 100))


def test_a_switchover_is_refused_with_the_kind_of_the_source_and_what_can_be_done(source, target):
    make_topic(source, "foreign")
    write(source, "foreign", ["one"])
    copies(source, target, "foreign")
    copied(source, target, "foreign")
    refused = tool("mirrors", "switchover", "eu", "--bootstrap-server", target.bootstrap, fails=True)
    assert "not Swiftwater" in refused and "Apache Kafka" in refused and "failover" in refused
    # It copies on as before, and its own way out loses nothing once nobody writes there.
    assert status(target)["state"] == "running"
    write(source, "foreign", ["two"])
    copied(source, target, "foreign")
    until(lambda: partition_status(target, "foreign-0")["sourceEnd"] == 2, "the source was read since", every=0.1)
    entry = failover(target)["foreign-0"]
    assert (entry["end"], entry["sourceEnd"], entry["knownLoss"]) == (2, 2, 0)
    write(target, "foreign", ["three"])
    until(lambda: any("not Swiftwater" in p["problem"] for p in status(target)["problems"]), "it says that nobody can tell it")
    alter_mirror(target, "eu", "source.fencing.enable", "false")


def load(source, topic, acknowledged, stop):
    producer = Producer(
        {"bootstrap.servers": source.bootstrap, "acks": "all", "message.timeout.ms": 3000, "log_level": 0,
         "enable.idempotence": True})
    while not stop.is_set():
        producer.produce(
            topic, f"{len(acknowledged)}".rjust(100), partition=0,
            on_delivery=lambda e, m: e or acknowledged.append(m.offset()))
        producer.poll(0.001)
    producer.flush(5)


def test_a_source_that_is_killed_under_load_and_one_that_is_gone_for_good(own_source, private):
    source, target = own_source, private()
    make_topic(source, "ledger", 2)
    copies(source, target, "ledger")
    write(source, "ledger", [f"{i}" for i in range(300)], 1)
    for kill in range(2):
        acknowledged, stop = [], threading.Event()
        writer = threading.Thread(target=load, args=(source, "ledger", acknowledged, stop))
        writer.start()
        until(lambda: len(acknowledged) > 300, "it is under load", WITHIN)
        source.kill()
        stop.set()
        writer.join()
        if kill == 0:
            source.start()
            for partition in (0, 1):
                copied(source, target, "ledger", partition)
            assert ends(target, "ledger")[1] > max(acknowledged)
            assert read(source, "ledger") == read(target, "ledger")
    found = failover(target)
    assert found["ledger-1"]["end"] == 300 and found["ledger-1"]["knownLoss"] == 0
    end = found["ledger-0"]["end"]
    until(lambda: ends(target, "ledger", 0) == (0, end), "what was copied is there", every=0.1)
    write(target, "ledger", ["after"], 0)
    source.start()
    there, here = read(source, "ledger", 0), read(target, "ledger", 0)
    # What the source has and the copy has not is what the report spoke of, or later than its knowledge.
    assert there[:end] == here[:end]
    assert max(acknowledged) < len(there) and end <= found["ledger-0"]["sourceEnd"] <= len(there)
    time.sleep(1.5)
    assert ends(target, "ledger", 0) == (0, end + 1)
    assert status(target)["state"] == "promoted"
