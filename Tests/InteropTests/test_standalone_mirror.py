"""`swiftwater mirror`: one cluster copied into another by consuming and producing, in MirrorMaker 2's formats."""

import signal
import struct
import subprocess
import time

import pytest
from broker import binary, run, until
from confluent_kafka import TopicPartition
from mirrors import (  # noqa: F401
    admin, clients_end_with_their_test, commit, committed, ends, make_topic, pair, read, tool, write,
)


class Mirror:
    """The process, from one cluster to another."""

    def __init__(self, source, target, log, *options):
        self.words = [binary(), "mirror", "--source", source.bootstrap, "--target", target.bootstrap, *options]
        self.log = log
        self.process = None

    def start(self):
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.words, stdout=log, stderr=log)
        return self

    def crash(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        assert self.process.wait(30) == 0, self.log.read_text()

    def said(self, words):
        return words in self.log.read_text()


@pytest.fixture
def mirror(pair, tmp_path):
    made = []

    def begin(*options):
        made.append(Mirror(*pair, tmp_path / f"mirror-{len(made)}.log", *options))
        return made[-1].start()

    yield begin
    for one in made:
        if one.process.poll() is None:
            one.crash()


def await_end(broker, topic, end, partition=0, within=30):
    until(lambda: (ends(broker, topic, partition) or (0, -1))[1] >= end, f"{topic}-{partition} has {end}", within, every=0.1)
    assert ends(broker, topic, partition)[1] == end


def values(broker, topic, partition=0):
    return [value.decode() for _, _, value, _ in read(broker, topic, partition)]


def plain(record):
    """Key, value and time: what is the same on both sides."""
    return record[1:]


def texts(data, kinds):
    """The fields of MirrorMaker's structures: `s` is a text behind 16 bits of its length."""
    found, place = [], 0
    for kind in kinds:
        if kind == "s":
            (length,) = struct.unpack_from(">h", data, place)
            found.append(data[place + 2 : place + 2 + length].decode())
            place += 2 + length
        else:
            found += struct.unpack_from(">" + kind, data, place)
            place += struct.calcsize(">" + kind)
    assert place == len(data)
    return tuple(found)


def test_topics_groups_and_syncs_are_where_mirror_makers_tools_look_for_them(pair, mirror):
    source, target = pair
    make_topic(source, "orders", 2, retention_ms=77777777)
    make_topic(source, "target.back")
    for partition in (0, 1):
        write(source, "orders", [f"{partition}-{i}" for i in range(100)], partition, **{"compression.type": "zstd"})
    commit(source, "readers", TopicPartition("orders", 0, 40), TopicPartition("orders", 1, 100))
    running = mirror()
    for partition in (0, 1):
        until(lambda p=partition: (ends(target, "source.orders", p) or (0, 0))[1] == 100, "it is copied", every=0.1)
        there, here = read(source, "orders", partition), read(target, "source.orders", partition)
        assert list(map(plain, there)) == list(map(plain, here))
    places = [TopicPartition("source.orders", 0), TopicPartition("source.orders", 1)]
    until(lambda: committed(target, "readers", *places) == [40, 100], "the group is carried", 30, every=0.2)
    described = tool("configs", "describe", "topic", "source.orders", "--bootstrap-server", target.bootstrap)
    assert "77777777" in described
    assert "source.target.back" not in admin(target).list_topics(timeout=10).topics
    checkpoints = {texts(key, "ssi"): texts(value, "hqqs") for _, key, value, _ in read(target, "source.checkpoints.internal")}
    assert checkpoints[("readers", "source.orders", 0)] == (0, 40, 40, "")
    assert checkpoints[("readers", "source.orders", 1)] == (0, 100, 100, "")
    syncs = {texts(key, "si"): texts(value, "qq") for _, key, value, _ in read(target, "mm2-offset-syncs.source.internal")}
    assert syncs[("orders", 0)] == (99, 99) and syncs[("orders", 1)] == (99, 99)
    beat = read(target, "heartbeats")[-1]
    assert texts(beat[1], "ss") == ("source", "target") and texts(beat[2], "hq")[0] == 0
    # What comes later: records, partitions, topics.
    tool("topics", "add-partitions", "orders", "--total", "3", "--bootstrap-server", source.bootstrap)
    make_topic(source, "later")
    write(source, "later", ["x"])
    write(source, "orders", ["new"], 2)
    await_end(target, "source.later", 1)
    await_end(target, "source.orders", 1, 2)
    running.stop()


def test_a_mirror_that_crashes_copies_every_record_once(pair, mirror):
    source, target = pair
    make_topic(source, "steady", 3)
    running = mirror("--replication-policy", "identity", "--topics", "steady", "--compression", "lz4")
    written = 0
    for round in range(5):
        for partition in range(3):
            write(source, "steady", [f"{written + i}" for i in range(2000)], partition)
        written += 2000
        if round % 2:
            until(lambda: (ends(target, "steady", 0) or (0, 0))[1] > written - 2000, "it copies", every=0.02)
        running.crash()
        if round == 2:
            target.crash()
        running.start()
    for partition in range(3):
        await_end(target, "steady", written, partition, within=60)
        assert values(target, "steady", partition) == [str(i) for i in range(written)]
    assert not running.said("expected")
    running.stop()


@pytest.fixture
def compacting(private):
    return private({"log.cleaner.backoff.ms": "100"}), private()


def test_offsets_are_translated_over_the_holes_of_compaction(compacting, tmp_path):
    source, target = compacting
    make_topic(source, "table", 1, cleanup_policy="compact", segment_bytes=16384, min_cleanable_dirty_ratio=0.01)
    for _ in range(4):
        write(source, "table", ["v" * (1 + i % 7) * 50 for i in range(200)])
    write(source, "table", [f"last-{i}" for i in range(20)])
    until(lambda: len(read(source, "table")) < 700, "it is compacted", 60, every=0.2)
    commit(source, "readers", TopicPartition("table", 0, 810))
    running = Mirror(source, target, tmp_path / "mirror.log").start()
    try:
        until(lambda: values(target, "source.table")[-1:] == ["last-19"], "it is copied", every=0.2)
        at = next(offset for offset, _, value, _ in read(target, "source.table") if value == b"last-10")
        assert at < 700
        place = TopicPartition("source.table", 0)
        until(lambda: committed(target, "readers", place) == [at], "the group is carried", 30, every=0.2)
        running.stop()
    finally:
        if running.process.poll() is None:
            running.crash()


def test_a_gap_at_the_source_halts_that_partition_and_is_named(pair, mirror):
    source, target = pair
    make_topic(source, "gap")
    make_topic(source, "fine", 4)
    write(source, "gap", [f"{i}" for i in range(10)])
    running = mirror("--topics", "gap,fine")
    await_end(target, "source.gap", 10)
    running.stop()
    write(source, "gap", [f"{i}" for i in range(10, 30)])
    admin(source).delete_records([TopicPartition("gap", 0, 20)])[TopicPartition("gap", 0)].result(20)
    # What comes with the news of the gap is not lost with it.
    for partition in range(4):
        write(source, "fine", ["before"], partition)
    running.start()
    until(lambda: running.said("the source removed offsets"), "it says so", every=0.1)
    for partition in range(4):
        write(source, "fine", ["goes on"], partition)
    for partition in range(4):
        await_end(target, "source.fine", 2, partition)
        assert values(target, "source.fine", partition) == ["before", "goes on"]
    assert values(target, "source.gap") == [f"{i}" for i in range(10)]
    running.stop()
    accepting = mirror("--topics", "gap,fine", "--gap-policy", "accept")
    await_end(target, "source.gap", 20)
    assert values(target, "source.gap") == [f"{i}" for i in (*range(10), *range(20, 30))]
    accepting.stop()


def test_a_topic_that_somebody_else_filled_is_not_continued(pair, mirror):
    source, target = pair
    for broker in pair:
        make_topic(broker, "mine")
        write(broker, "mine", ["a"])
    running = mirror("--replication-policy", "identity")
    until(lambda: running.said("mine-0 stands still"), "it says so", every=0.1)
    time.sleep(1)
    assert ends(target, "mine") == (0, 1)
    running.stop()


@pytest.mark.parametrize(
    "arguments,complaint",
    [
        (("--source", "a:1"), "--target HOST:PORT"),
        (("--source", "a:1", "--target", "a:1"), "in common"),
        (("--source", "a:1", "--target", "b:1", "--replication-policy", "x"), "default or identity"),
        (("--source", "a:1", "--target", "b:1", "--source-alias", "e u"), "--source-alias e u"),
        (("--source", "a:1", "--target", "b:1", "--gap-policy", "skip"), "halt or accept"),
    ],
)
def test_what_cannot_be_meant_is_answered_in_one_sentence(arguments, complaint):
    done = run("mirror", *arguments)
    assert done.returncode == 2 and complaint in done.stderr, done.stderr
