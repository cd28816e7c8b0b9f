"""What sources do to the topics that are mirrored, and circles of mirrors."""

import time

from broker import Broker, until
from confluent_kafka.admin import ConfigResource, ResourceType
from mirrors import (  # noqa: F401
    admin, alter_mirror, await_copy, clients_end_with_their_test, ends, make_topic, mirror, pair, partition_status, read,
    segments, status, tool, write,
)

CLEANING = {"log.cleaner.backoff.ms": "200", "log.retention.check.interval.ms": "300"}


def topic_config(broker, topic, key):
    found = admin(broker).describe_configs([ConfigResource(ResourceType.TOPIC, topic)])
    return next(iter(found.values())).result(20)[key].value


def cluster_id(broker):
    return admin(broker).list_topics(timeout=10).cluster_id


def test_topics_are_copied_once_round_circles_of_two_three_and_four(private):
    """The last cluster is a source for the first again, and is refused there with the whole way that the topic came."""
    clusters = [private() for _ in range(4)]
    for before, after in zip(clusters, clusters[1:]):
        mirror(before, after, name="on")
    for length in (2, 3, 4):
        mirror(clusters[length - 1], clusters[0], name=f"back{length}")
    make_topic(clusters[0], "round")
    write(clusters[0], "round", ["once"])
    ids = [cluster_id(one) for one in clusters]
    for length, last in enumerate(clusters[1:], 2):
        await_copy(clusters[0], last, "round")
        assert topic_config(last, "round", "mirror.path") == ",".join(ids[: length - 1])
    for length in (2, 3, 4):
        found = until(lambda n=length: status(clusters[0], f"back{n}")["problems"], "it is refused", every=0.1)
        assert [p["topic"] for p in found] == ["round"]
        assert "comes from this very cluster" in found[0]["problem"]
        assert all(one in found[0]["problem"] for one in ids[: length - 1])
    write(clusters[0], "round", ["twice"])
    for one in clusters[1:]:
        await_copy(clusters[0], one, "round")
    # Long enough for every mirror to have looked at its source again.
    time.sleep(1.5)
    for one in clusters:
        assert [(offset, value) for offset, _, value, _ in read(one, "round")] == [(0, b"once"), (1, b"twice")]
        assert segments(one, "round") == segments(clusters[0], "round")
    assert not topic_config(clusters[0], "round", "mirror.path")
    assert not any(status(clusters[0], f"back{length}")["partitions"] for length in (2, 3, 4))


def test_a_topic_that_was_deleted_at_the_source_stays_and_says_so(pair):
    source, target = pair
    make_topic(source, "gone")
    write(source, "gone", [f"{i}" for i in range(20)])
    mirror(source, target)
    await_copy(source, target, "gone")
    admin(source).delete_topics(["gone"])["gone"].result(20)
    until(lambda: partition_status(target, "gone-0")["state"] == "halted", "it halts", every=0.1)
    assert "deleted" in partition_status(target, "gone-0")["reason"]
    assert len(read(target, "gone")) == 20
    tool("mirrors", "failover", "eu", "--bootstrap-server", target.bootstrap)
    write(target, "gone", ["mine"])
    assert [value for _, _, value, _ in read(target, "gone")] == [*(b"%d" % i for i in range(20)), b"mine"]


def test_what_retention_removes_before_it_was_copied_is_a_gap_with_its_offsets(private):
    source, target = private(CLEANING), private()
    make_topic(source, "short", segment_bytes=16384)
    write(source, "short", ["x" * 1000] * 20)
    mirror(source, target)
    await_copy(source, target, "short")
    tool("mirrors", "pause", "eu", "--bootstrap-server", target.bootstrap)
    until(lambda: partition_status(target, "short-0")["state"] == "stopped", "it is paused", every=0.1)
    write(source, "short", ["y" * 1000] * 200, **{"linger.ms": 0, "batch.num.messages": 5})
    tool("configs", "set", "topic", "short", "retention.bytes=32768", "--bootstrap-server", source.bootstrap)
    until(lambda: (ends(source, "short") or (0, 0))[0] > 100, "the source removes what is old", every=0.1)
    tool("mirrors", "resume", "eu", "--bootstrap-server", target.bootstrap)
    until(lambda: partition_status(target, "short-0")["state"] == "halted", "it halts", every=0.1)
    low, high = ends(source, "short")
    assert f"offsets 20 to {low - 1}" in partition_status(target, "short-0")["reason"]
    assert ends(target, "short") == (0, 20)
    alter_mirror(target, "eu", "gap.policy", "accept")
    until(lambda: ends(target, "short") == (low, high), "it goes on behind the gap", every=0.1)
    assert partition_status(target, "short-0")["gaps"] == [{"from": 20, "to": low}]
    assert read(target, "short") == read(source, "short")


def test_what_was_compacted_before_it_was_copied_is_no_gap(private):
    source, target = private(CLEANING), private()
    make_topic(
        source, "compacted", cleanup_policy="compact", segment_bytes=4096, min_cleanable_dirty_ratio="0.01",
        max_compaction_lag_ms=500,
    )
    write(source, "compacted", [f"first-{i}" * 20 for i in range(40)])
    mirror(source, target)
    await_copy(source, target, "compacted")
    tool("mirrors", "pause", "eu", "--bootstrap-server", target.bootstrap)
    until(lambda: partition_status(target, "compacted-0")["state"] == "stopped", "it is paused", every=0.1)
    for round in range(5):
        write(source, "compacted", [f"{round}-{i}" * 20 for i in range(40)])
    until(lambda: len(read(source, "compacted")) < 120, "the source is compacted", within=40, every=0.3)
    tool("mirrors", "resume", "eu", "--bootstrap-server", target.bootstrap)
    until(
        lambda: (ends(target, "compacted") or (0, 0))[1] == 240 and partition_status(target, "compacted-0")["lag"] == 0,
        "all is copied", every=0.2)
    shown = partition_status(target, "compacted-0")
    assert shown["state"] == "copying" and not shown["gaps"]
    latest = {key: (offset, value) for offset, key, value, _ in read(source, "compacted")}
    assert {key: (offset, value) for offset, key, value, _ in read(target, "compacted")} == latest
    offsets = [offset for offset, *_ in read(target, "compacted")]
    assert offsets == sorted(set(offsets))


def test_a_mirror_that_was_told_one_address_asks_the_others_it_knows_and_believes_no_other_cluster(cluster, private, tmp_path):
    source, target = cluster(), private()
    source.create("known", 3, 3)
    mirror(source[1], target)
    for partition in range(3):
        write(source, "known", ["early"] * 20, partition)
        await_copy(source, target, "known", partition)
    source[1].kill()
    for partition in range(3):
        source.until_led("known", by=[2, 3], partition=partition)
        write(source, "known", ["later"] * 20, partition)
        await_copy(source, target, "known", partition)
    # Where one of them was, somebody else is now.
    source[2].kill()
    source[3].kill()
    other = Broker(tmp_path / "other", port=source[2].port)
    try:
        other.start()
        make_topic(other, "known", 3)
        write(other, "known", ["not yours"] * 100)
        until(lambda: partition_status(target, "known-0")["state"] == "waiting", "it waits", 60, every=0.2)
        time.sleep(3)
        assert partition_status(target, "known-0")["state"] == "waiting" and not status(target)["problems"]
    finally:
        other.kill()
    for node in source.nodes:
        node.launch()
    for node in source.nodes:
        node.await_ready()
    write(source, "known", ["last"] * 20)
    await_copy(source, target, "known", within=60)
    assert [value for _, _, value, _ in read(target, "known")] == [b"early"] * 20 + [b"later"] * 20 + [b"last"] * 20
