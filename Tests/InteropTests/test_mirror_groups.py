"""Offsets of groups, in a target whose brokers each have a part of the copies: their coordinators ask the leaders."""

import json

from broker import until
from confluent_kafka import TopicPartition
from mirrors import (  # noqa: F401
    await_copy, clients_end_with_their_test, commit, committed, ends, make_topic, mirror, tool, write,
)

PARTITIONS = range(6)
# Of three partitions of the offsets topic each has one of these.
GROUPS = ("readers-a", "readers-b", "readers-c")


def places(offsets=None):
    return [TopicPartition("spread", p, *([offsets[p]] if offsets else [])) for p in PARTITIONS]


def carried(target, group, offsets):
    until(
        lambda: committed(target, group, *places()) == offsets, f"{group} is at {offsets}", within=40, every=0.3,
    )


def test_offsets_arrive_where_the_coordinator_has_no_copy(private, cluster):
    source = private()
    target = cluster(overrides={"default.replication.factor": "1"})
    make_topic(source, "spread", len(PARTITIONS))
    for partition in PARTITIONS:
        write(source, "spread", [f"{partition}-{i}" for i in range(50 + partition)], partition)
    first = {group: [10 * index + p for p in PARTITIONS] for index, group in enumerate(GROUPS)}
    for group, offsets in first.items():
        commit(source, group, *places(offsets))
    mirror(source, target)
    for partition in PARTITIONS:
        await_copy(source, target, "spread", partition)
    found = target.partitions("spread")
    assert all(len(found[p].replicas) == 1 for p in PARTITIONS)
    # So no coordinator has a copy of all of them.
    assert len({found[p].leader for p in PARTITIONS}) == 3
    for group, offsets in first.items():
        carried(target, group, offsets)
    # Never beyond what is there, wherever it is; and back again.
    commit(source, GROUPS[0], *places([5000] * len(PARTITIONS)))
    carried(target, GROUPS[0], [50 + p for p in PARTITIONS])
    commit(source, GROUPS[0], *places([3] * len(PARTITIONS)))
    carried(target, GROUPS[0], [3] * len(PARTITIONS))
    # A copy that nobody leads holds up its own offsets alone, until it is led again.
    lost = target[found[0].leader]
    described = target.admin.describe_consumer_groups(list(GROUPS))
    group = next(group for group in GROUPS if described[group].result(20).coordinator.id != lost.id)
    lost.kill()
    moved = [20 + p for p in PARTITIONS]
    commit(source, group, *places(moved))
    there = [p for p in PARTITIONS if found[p].leader != lost.id]
    until(
        lambda: committed(target, group, *(places()[p] for p in there)) == [moved[p] for p in there],
        f"{group} is carried for what is led", within=40, every=0.3,
    )
    lost.launch().await_ready()
    carried(target, group, moved)
    # What is committed last is there after a switchover, of every partition.
    last = {group: [40 + index + p for p in PARTITIONS] for index, group in enumerate(GROUPS)}
    for group, offsets in last.items():
        commit(source, group, *places(offsets))
    report = json.loads(tool("mirrors", "switchover", "eu", "-o", "json", "--bootstrap-server", target.bootstrap))
    assert all(entry["knownLoss"] == 0 for entry in report["partitions"])
    for group, offsets in last.items():
        until(lambda g=group: committed(target, g, *places()), f"{group} is coordinated", every=0.2)
        assert committed(target, group, *places()) == offsets
