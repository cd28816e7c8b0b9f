"""Mirrors between clusters of real processes: the same bytes at the same offsets, and honest words where that is not so."""

import json
import threading
import time

import pytest
from broker import until
from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import ConfigResource, NewPartitions, ResourceType
from mirrors import (  # noqa: F401
    admin, alter_mirror, await_copy, clients_end_with_their_test, commit, committed, ends, kept, make_topic,
    mirror, pair, partition_status, read, segments, status, tool, write,
)

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def test_topics_of_every_codec_have_the_same_bytes_at_the_same_offsets(pair):
    source, target = pair
    for codec in CODECS:
        make_topic(source, f"codec-{codec}", 2, retention_ms=123456789)
        for partition in (0, 1):
            values = [f"{codec}-{partition}-{i}" * 20 for i in range(200)]
            write(source, f"codec-{codec}", values, partition, **{"compression.type": codec, "enable.idempotence": True})
    mirror(source, target)
    for codec in CODECS:
        topic = f"codec-{codec}"
        for partition in (0, 1):
            await_copy(source, target, topic, partition)
            assert segments(source, topic, partition) == segments(target, topic, partition)
            assert read(source, topic, partition) == read(target, topic, partition)
    ours = admin(target).list_topics(timeout=10).topics
    assert {f"codec-{codec}" for codec in CODECS} <= set(ours)
    described = json.loads(tool("topics", "describe", "codec-gzip", "-o", "json", "--bootstrap-server", target.bootstrap))
    original = json.loads(tool("topics", "describe", "codec-gzip", "-o", "json", "--bootstrap-server", source.bootstrap))
    assert json.dumps(described).count(original[0]["id"]) == 1
    found = admin(target).describe_configs([ConfigResource(ResourceType.TOPIC, "codec-gzip")])
    configs = next(iter(found.values())).result(20)
    assert configs["retention.ms"].value == "123456789"


def test_clients_cannot_write_what_a_mirror_writes(pair):
    source, target = pair
    make_topic(source, "orders")
    write(source, "orders", ["one"])
    mirror(source, target)
    await_copy(source, target, "orders")
    errors = []
    producer = Producer({"bootstrap.servers": target.bootstrap, "message.timeout.ms": 5000})
    producer.produce("orders", "no", on_delivery=lambda error, _: errors.append(error))
    producer.flush(10)
    assert errors[0].code() == KafkaError.POLICY_VIOLATION
    assert [value for _, _, value, _ in read(target, "orders")] == [b"one"]
    refused = tool(
        "configs", "set", "topic", "orders", "mirror.link=other", "--bootstrap-server", target.bootstrap, fails=True
    )
    assert "never by hand" in refused


def test_partitions_and_settings_are_followed(pair):
    source, target = pair
    make_topic(source, "growing")
    mirror(source, target)
    await_copy(source, target, "growing")
    admin(source).create_partitions([NewPartitions("growing", 3)])["growing"].result(20)
    tool("configs", "set", "topic", "growing", "retention.ms=777000", "--bootstrap-server", source.bootstrap)
    until(lambda: ends(target, "growing", 2), "the partition is there as well", every=0.2)
    write(source, "growing", ["late"], 2)
    await_copy(source, target, "growing", 2)

    def followed():
        shown = tool("configs", "describe", "topic", "growing", "--bootstrap-server", target.bootstrap)
        return "777000" in shown

    until(followed, "the setting is followed", every=0.2)


def test_holes_of_compaction_and_deleted_records_are_followed(pair):
    source, target = pair
    source.stop()
    source.overrides |= {"log.cleaner.backoff.ms": "200", "log.retention.check.interval.ms": "500"}
    source.start()
    make_topic(
        source, "compacted", cleanup_policy="compact", segment_bytes=4096, min_cleanable_dirty_ratio="0.01",
        max_compaction_lag_ms=1000,
    )
    for round in range(6):
        write(source, "compacted", [f"{round}-{i}" * 30 for i in range(60)])
    until(lambda: len(read(source, "compacted")) < 300, "the source is compacted", within=40, every=0.5)
    make_topic(source, "shortened")
    write(source, "shortened", [f"{i}" for i in range(100)], **{"linger.ms": 0, "batch.num.messages": 10})
    admin(source).delete_records([TopicPartition("shortened", 0, 35)])[TopicPartition("shortened", 0)].result(20)
    mirror(source, target)
    await_copy(source, target, "shortened")
    assert ends(target, "shortened") == (35, 100)
    assert [r[0] for r in read(target, "shortened")] == list(range(35, 100))
    until(lambda: ends(target, "compacted") == ends(source, "compacted"), "the compacted topic is copied", every=0.2)
    latest = {key: (offset, value) for offset, key, value, _ in read(source, "compacted")}
    assert {key: (offset, value) for offset, key, value, _ in read(target, "compacted")} == latest
    # And while it runs.
    admin(source).delete_records([TopicPartition("shortened", 0, 60)])[TopicPartition("shortened", 0)].result(20)
    until(lambda: ends(target, "shortened") == (60, 100), "the start follows", every=0.2)


def test_a_mirror_goes_on_after_restarts_of_either_side(pair):
    source, target = pair
    make_topic(source, "steady")
    mirror(source, target)
    written = 0
    for step, action in enumerate((None, source.restart, target.restart, source.crash, target.crash)):
        if action:
            action()
        write(source, "steady", [f"{step}-{i}" for i in range(500)], **{"enable.idempotence": True})
        written += 500
        await_copy(source, target, "steady")
        assert ends(target, "steady")[1] == written
    assert read(source, "steady") == read(target, "steady")


def test_an_old_reading_is_never_shown_as_zero(pair):
    source, target = pair
    make_topic(source, "aging")
    write(source, "aging", ["one"])
    mirror(source, target)
    await_copy(source, target, "aging")
    until(lambda: partition_status(target, "aging-0")["sourceEnd"] == 1, "the source was read", every=0.1)
    source.kill()
    until(
        lambda: partition_status(target, "aging-0")["readMillisecondsAgo"] > 3000, "the reading gets older", every=0.5
    )
    shown = partition_status(target, "aging-0")
    assert shown["state"] == "waiting" and shown["lag"] == 0 and shown["sourceEnd"] == 1


def test_a_gap_halts_with_its_offsets_and_goes_on_when_it_is_accepted(pair):
    source, target = pair
    make_topic(source, "gappy")
    write(source, "gappy", [f"{i}" for i in range(50)])
    mirror(source, target)
    await_copy(source, target, "gappy")
    tool("mirrors", "pause", "eu", "--bootstrap-server", target.bootstrap)
    until(lambda: partition_status(target, "gappy-0")["state"] == "stopped", "it is paused", every=0.1)
    write(source, "gappy", [f"{i}" for i in range(50, 100)])
    admin(source).delete_records([TopicPartition("gappy", 0, 80)])[TopicPartition("gappy", 0)].result(20)
    tool("mirrors", "resume", "eu", "--bootstrap-server", target.bootstrap)
    until(lambda: partition_status(target, "gappy-0")["state"] == "halted", "it halts", every=0.1)
    assert "offsets 50 to 79" in partition_status(target, "gappy-0")["reason"]
    time.sleep(1.5)
    assert ends(target, "gappy") == (0, 50)
    alter_mirror(target, "eu", "gap.policy", "accept")
    await_copy(source, target, "gappy")
    assert partition_status(target, "gappy-0")["gaps"] == [{"from": 50, "to": 80}]
    assert [r[0] for r in read(target, "gappy")] == list(range(80, 100))
    # What is known stands in the metadata: it survives the leader, which is the controller as well. The gap is there
    # before it is passed over, what was read of the source behind it some seconds later.
    words = {"gaps=50-79", "source.end=100"}
    until(lambda: words <= set(kept(target, "known.gappy-0").split(",")), "it is kept", every=0.2)
    source.kill()
    target.crash()
    known = until(lambda: partition_status(target, "gappy-0"), "it is led", every=0.1)
    assert known["gaps"] == [{"from": 50, "to": 80}] and known["sourceEnd"] == 100
    assert known["readMillisecondsAgo"] is not None
    report = json.loads(tool("mirrors", "failover", "eu", "-o", "json", "--bootstrap-server", target.bootstrap))
    entry = report["partitions"][0]
    assert (entry["end"], entry["sourceEnd"], entry["knownLoss"]) == (100, 100, 0) and entry["knownMillisecondsBefore"] >= 0


def test_a_topic_that_was_made_again_is_never_appended_to(pair):
    source, target = pair
    make_topic(source, "again")
    write(source, "again", ["old"])
    mirror(source, target)
    await_copy(source, target, "again")
    admin(source).delete_topics(["again"])["again"].result(20)
    until(lambda: "again" not in admin(source).list_topics(timeout=5).topics, "it is gone", every=0.1)
    make_topic(source, "again")
    write(source, "again", [f"new-{i}" for i in range(10)])

    def halted():
        shown = partition_status(target, "again-0")
        return shown["state"] == "halted" and shown["reason"]

    until(halted, "it halts", every=0.1)
    # A look that falls between the two finds it deleted, and the next one finds the other topic.
    assert "the topic was deleted at the source" in halted()
    until(lambda: "made again" in halted(), "it says which topic is there now", within=10, every=0.1)
    until(lambda: status(target)["problems"], "the controller says so as well", every=0.1)
    assert [r[2] for r in read(target, "again")] == [b"old"]


def test_a_failover_takes_writes_and_reports_what_is_lost(pair):
    source, target = pair
    make_topic(source, "ledger", 2)
    mirror(source, target)
    for partition in (0, 1):
        write(source, "ledger", [f"{i}" for i in range(300)], partition)
        await_copy(source, target, "ledger", partition)
    until(lambda: partition_status(target, "ledger-0")["sourceEnd"] == 300, "the source was read", every=0.1)
    acknowledged = []
    stop = threading.Event()

    def load():
        producer = Producer({"bootstrap.servers": source.bootstrap, "acks": "all", "message.timeout.ms": 3000})
        while not stop.is_set():
            producer.produce("ledger", "x" * 100, partition=0, on_delivery=lambda e, m: e or acknowledged.append(m.offset()))
            producer.poll(0.001)
        producer.flush(5)

    writer = threading.Thread(target=load)
    writer.start()
    until(lambda: len(acknowledged) > 200, "it is under load")
    source.kill()
    stop.set()
    report = json.loads(tool("mirrors", "failover", "eu", "-o", "json", "--bootstrap-server", target.bootstrap))
    writer.join()
    assert report["generation"] == 2
    found = {entry["partition"]: entry for entry in report["partitions"]}
    assert set(found) == {"ledger-0", "ledger-1"}
    assert found["ledger-1"]["end"] == 300 and found["ledger-1"]["knownLoss"] == 0
    assert found["ledger-1"]["knownMillisecondsBefore"] is not None
    copied = found["ledger-0"]["end"]
    until(lambda: ends(target, "ledger", 0) == (0, copied), "what was copied is there", every=0.1)
    # Writes go on behind what was copied, and the mirror does not write any more.
    write(target, "ledger", ["after"], 0)
    assert read(target, "ledger", 0)[-1][:3] == (copied, b"k5", b"after")
    # The source is back: what it has and the copy has not is what the report spoke of, or later than its knowledge.
    source.start()
    there = read(source, "ledger", 0)
    assert there[:copied] == read(target, "ledger", 0)[:copied]
    assert len(there) >= max(acknowledged) + 1
    assert found["ledger-0"]["sourceEnd"] <= len(there)
    time.sleep(1.5)
    assert ends(target, "ledger", 0) == (0, copied + 1)
    target.restart()
    until(lambda: ends(target, "ledger", 0) == (0, copied + 1), "it is there after a restart", every=0.1)
    assert status(target)["state"] == "promoted"
    refused = tool("mirrors", "resume", "eu", "--bootstrap-server", target.bootstrap, fails=True)
    assert "failed over" in refused


@pytest.mark.parametrize("round", range(3))
def test_a_switchover_under_load_loses_and_doubles_nothing(pair, round):
    source, target = pair
    make_topic(source, "moving", 2)
    mirror(source, target)
    await_copy(source, target, "moving", 1)
    acknowledged, refused, stop = [], [], threading.Event()

    def told(error, message):
        if error:
            refused.append(error)
        else:
            acknowledged.append((message.partition(), message.offset(), message.value()))

    def load():
        producer = Producer(
            {"bootstrap.servers": source.bootstrap, "enable.idempotence": True, "message.timeout.ms": 4000,
             "linger.ms": 2, "log_level": 0}
        )
        count = 0
        while not stop.is_set() and not refused:
            producer.produce("moving", f"{count}", partition=count % 2, on_delivery=told)
            producer.poll(0.001)
            count += 1
        producer.flush(10)

    writer = threading.Thread(target=load)
    writer.start()
    until(lambda: len(acknowledged) > 100 * (round + 1), "it is under load")
    commit(source, "readers", TopicPartition("moving", 0, 7 + round), TopicPartition("moving", 1, 9))
    report = json.loads(tool("mirrors", "switchover", "eu", "-o", "json", "--bootstrap-server", target.bootstrap))
    # Not what they were a second before.
    places = TopicPartition("moving", 0), TopicPartition("moving", 1)
    until(lambda: committed(target, "readers", *places) == [7 + round, 9], "the group is there", within=5, every=0.2)
    stop.set()
    writer.join()
    assert report["generation"] == 2 and all(entry["knownLoss"] == 0 for entry in report["partitions"])
    assert acknowledged
    for partition in (0, 1):
        until(lambda p=partition: ends(target, "moving", p), "it is led", every=0.1)
        here = read(target, "moving", partition)
        assert here == read(source, "moving", partition)
        held = {offset: value for offset, _, value, _ in here}
        assert len(set(held.values())) == len(held)
        for place, offset, value in acknowledged:
            assert place != partition or held.get(offset) == value
    write(target, "moving", ["mine"], **{"enable.idempotence": True})
    errors = []
    late = Producer({"bootstrap.servers": source.bootstrap, "message.timeout.ms": 2000, "log_level": 0})
    late.produce("moving", "late", partition=0, on_delivery=lambda error, _: errors.append(error))
    late.flush(5)
    assert errors[0] is not None


def test_a_switchover_goes_on_after_crashes_or_is_given_up(pair):
    source, target = pair
    make_topic(source, "careful")
    write(source, "careful", [f"{i}" for i in range(100)])
    mirror(source, target)
    await_copy(source, target, "careful")
    # Given up while the source is away: it is opened again.
    source.kill()
    tool("configs", "set", "mirror", "eu", "state=switchover", "--bootstrap-server", target.bootstrap)
    until(lambda: status(target)["problems"], "it waits for the source", every=0.1)
    target.crash()
    tool("mirrors", "resume", "eu", "--bootstrap-server", target.bootstrap)
    source.start()

    def fence():
        found = admin(source).describe_configs([ConfigResource(ResourceType.TOPIC, "careful")])
        return next(iter(found.values())).result(20)["mirror.fence"].value

    until(lambda: not fence(), "the source is open", every=0.1)
    # By a mirror that rests as well: a pause gives a switchover up, wherever it is.
    tool("mirrors", "pause", "eu", "--bootstrap-server", target.bootstrap)
    closed = f"mirror.fence={admin(target).list_topics(timeout=10).cluster_id}:1"
    tool("configs", "set", "topic", "careful", closed, "--bootstrap-server", source.bootstrap)
    until(lambda: not fence(), "the source is open again", every=0.1)
    tool("mirrors", "resume", "eu", "--bootstrap-server", target.bootstrap)
    write(source, "careful", ["more"])
    await_copy(source, target, "careful")
    # A crash of the one that takes over.
    tool("configs", "set", "mirror", "eu", "state=switchover", "--bootstrap-server", target.bootstrap)
    target.crash()
    until(lambda: status(target)["promoted"], "it is done", within=40, every=0.2)
    assert fence().endswith(":2")
    until(lambda: ends(target, "careful") == (0, 101), "all is there", every=0.1)
    write(target, "careful", ["mine"])


def test_producers_of_both_clusters_are_never_taken_for_one_another(pair):
    """After a failover the log remembers the source's producers: nobody here may have the id of one of them."""
    source, target = pair
    once = {"enable.idempotence": True}
    make_topic(target, "own")
    write(target, "own", ["an id is given out before there is a mirror"], **once)
    make_topic(source, "shared")
    for i in range(5):
        write(source, "shared", [f"theirs-{i}"], **once)
    mirror(source, target, "--topics", "shared")
    await_copy(source, target, "shared")
    source.kill()
    tool("mirrors", "failover", "eu", "--bootstrap-server", target.bootstrap)
    for i in range(5):
        write(target, "shared", [f"ours-{i}"], **once)
    assert [r[2].decode() for r in read(target, "shared")] == [
        *(f"theirs-{i}" for i in range(5)), *(f"ours-{i}" for i in range(5)),
    ]


def test_offsets_of_groups_are_carried_back_and_forth_but_never_beyond_what_was_copied(pair):
    source, target = pair
    make_topic(source, "read", 2)
    write(source, "read", [f"{i}" for i in range(100)], 0)
    commit(source, "readers", TopicPartition("read", 0, 40), TopicPartition("read", 1, 0))
    mirror(source, target)
    await_copy(source, target, "read")
    place = TopicPartition("read", 0)
    until(lambda: committed(target, "readers", place) == [40], "the commit is carried", within=40, every=0.5)
    commit(source, "readers", TopicPartition("read", 0, 10))
    until(lambda: committed(target, "readers", place) == [10], "the rewind is carried", within=40, every=0.5)
    # Beyond the end of the copy there is nothing to read.
    commit(source, "readers", TopicPartition("read", 0, 5000))
    until(lambda: committed(target, "readers", place) == [100], "it is held at the end", within=40, every=0.5)
    # A group that reads here decides by itself.
    busy = Consumer(
        {"bootstrap.servers": target.bootstrap, "group.id": "busy", "auto.offset.reset": "earliest",
         "enable.auto.commit": False}
    )
    busy.subscribe(["read"])
    until(lambda: busy.poll(0.5), "it reads", within=40)
    busy.commit(offsets=[TopicPartition("read", 0, 7)], asynchronous=False)
    commit(source, "busy", TopicPartition("read", 0, 90))
    until(lambda: busy.poll(0.2) is None, "it has read all")
    for _ in range(6):
        busy.poll(0.5)
        assert [p.offset for p in busy.committed([place], timeout=10)] == [7]
    busy.close()
    until(lambda: committed(target, "busy", place) == [90], "without members it follows again", within=40, every=0.5)


def test_what_is_not_there_is_refused_plainly(pair):
    source, target = pair
    assert "needs --source" in tool("mirrors", "failback", "eu", "--bootstrap-server", target.bootstrap, fails=True)
    assert "no mirror" in tool("mirrors", "pause", "nobody", "--bootstrap-server", target.bootstrap, fails=True)


def test_a_mirror_of_three_nodes_survives_the_death_of_leaders(private, cluster):
    source = private()
    target = cluster(overrides={"default.replication.factor": "3"})
    make_topic(source, "wide", 3, min_insync_replicas=2)
    tool("mirrors", "create", "eu", "--source", source.bootstrap, "--topics", "wide", "--bootstrap-server", target.bootstrap)
    until(lambda: ends(target, "wide", 2) is not None, "the topic is there", every=0.2)
    written = 0
    for node in (None, target.nodes[0], target.nodes[1]):
        if node:
            node.crash()
        for partition in range(3):
            write(source, "wide", [f"{written}-{i}" for i in range(200)], partition, **{"compression.type": "lz4"})
        written += 200
        for partition in range(3):
            until(
                lambda p=partition: (ends(target, "wide", p) or (0, 0))[1] == written, f"{written} are copied",
                within=60, every=0.2,
            )
    for partition in range(3):
        assert read(source, "wide", partition) == read(target, "wide", partition)
    report = json.loads(tool("mirrors", "failover", "eu", "-o", "json", "--bootstrap-server", target.bootstrap))
    assert [entry["end"] for entry in report["partitions"]] == [written] * 3
    write(target, "wide", ["mine"], 1)
    assert read(target, "wide", 1)[-1][2] == b"mine"
