"""The way back after a change of sides, and what is done with records that the source does not have."""

import json
import time

import pytest
from broker import until
from confluent_kafka import TopicPartition
from mirrors import (  # noqa: F401
    admin, alter_mirror, await_copy, clients_end_with_their_test, ends, failback, make_topic, mirror, pair,
    partition_status, read, segments, status, tool, write,
)


def test_what_an_unclean_source_has_lost_is_set_aside_and_replaced(pair):
    source, target = pair
    make_topic(source, "unclean")
    write(source, "unclean", [f"value-{i}" * 20 for i in range(100)], **{"linger.ms": 0, "batch.num.messages": 10})
    mirror(source, target)
    await_copy(source, target, "unclean")
    before = read(target, "unclean")
    source.kill()
    log = sorted((source.data / "unclean-0").glob("*.log"))[0]
    with log.open("r+b") as file:
        file.truncate(log.stat().st_size * 6 // 10)
    source.start()
    left = until(lambda: ends(source, "unclean"), "the source is back", every=0.1)[1]
    assert 0 < left < 100
    write(source, "unclean", [f"other-{i}" for i in range(70)])
    until(lambda: partition_status(target, "unclean-0")["state"] == "halted", "it halts", every=0.1)
    assert read(target, "unclean") == before
    alter_mirror(target, "eu", "divergence.policy", "set-aside")
    await_copy(source, target, "unclean")
    assert read(target, "unclean") == read(source, "unclean")
    shown = status(target)["setAside"]
    assert [(a["from"], a["to"], a["records"]) for a in shown] == [(left, 100, 100 - left)]
    dumped = tool("log", "dump", shown[0]["file"], "--records")
    assert all(value.decode()[:40] in dumped for offset, _, value, _ in before if offset >= left)


def test_a_round_trip_brings_the_topics_home_and_copies_only_what_is_lacking(pair):
    """There by a failover, back by a fail-back and a switchover, and once more: what both have is never copied again."""
    old, new = pair
    make_topic(old, "trip", 2)
    for partition in (0, 1):
        write(old, "trip", [f"shared-{partition}-{i}" * 50 for i in range(400)], partition)
    mirror(old, new)
    for partition in (0, 1):
        await_copy(old, new, "trip", partition)
    shared = len(segments(old, "trip", 0))
    tool("mirrors", "pause", "eu", "--bootstrap-server", new.bootstrap)
    until(lambda: partition_status(new, "trip-0")["state"] == "stopped", "it is paused", every=0.1)
    write(old, "trip", [f"lost-{i}" for i in range(30)], 0)
    old.kill()
    alter_mirror(new, "eu", "source.fencing.enable", "false")
    tool("mirrors", "failover", "eu", "--bootstrap-server", new.bootstrap)
    write(new, "trip", [f"new-{i}" for i in range(25)], 0)
    write(new, "trip", ["new"], 1)
    # The old owner does not know of it and is not told: it takes writes as before.
    old.start()
    write(old, "trip", [f"late-{i}" for i in range(10)], 0)

    report = failback(old, "--source", new.bootstrap, name="home")
    assert report["state"] == "running" and report["generation"] == 2 and not report["problems"]
    assert [(a["partition"], a["from"], a["to"], a["records"]) for a in report["setAside"]] == [("trip-0", 400, 440, 40)]
    kept = tool("log", "dump", report["setAside"][0]["file"], "--records")
    for value in [f"lost-{i}" for i in range(30)] + [f"late-{i}" for i in range(10)]:
        assert value in kept
    with pytest.raises(AssertionError):
        write(old, "trip", ["no"], 0)
    for partition in (0, 1):
        await_copy(new, old, "trip", partition)
        assert segments(old, "trip", partition) == segments(new, "trip", partition)
    copied = [p["copiedBytes"] for p in status(old, "home")["partitions"]]
    delta = len(segments(new, "trip", 0)) - shared
    assert copied[0] == delta and 0 < delta < shared / 10, (copied, delta, shared)

    def bring_home(target, source, name, value):
        before = segments(source, "trip", 0)
        told = json.loads(tool("mirrors", "switchover", name, "-o", "json", "--bootstrap-server", target.bootstrap))
        assert segments(target, "trip", 0) == before
        write(target, "trip", [value], 0)
        return told["generation"]

    assert bring_home(old, new, "home", "at home") == 3
    with pytest.raises(AssertionError):
        write(new, "trip", ["no"], 0, **{"message.timeout.ms": 1500})
    # And the other way, with the mirror that was there before.
    report = failback(new, name="eu")
    assert report["generation"] == 3 and not report["setAside"]
    await_copy(old, new, "trip", 0)
    assert sum(p["copiedBytes"] for p in report["partitions"]) < 2000
    assert bring_home(new, old, "eu", "away") == 4
    assert failback(old, name="home")["generation"] == 4
    await_copy(new, old, "trip", 0)
    assert segments(old, "trip", 0) == segments(new, "trip", 0)
    # Every acknowledged record that was not reported as set aside, at the offset that it was acknowledged with.
    expected = [f"shared-0-{i}" * 50 for i in range(400)] + [f"new-{i}" for i in range(25)] + ["at home", "away"]
    assert [(r[0], r[2].decode()) for r in read(old, "trip", 0)] == list(enumerate(expected))


def test_an_old_owner_that_comes_back_after_a_failover_takes_no_more_writes(pair):
    old, new = pair
    for topic in ("closed", "elsewhere"):
        make_topic(old, topic)
        write(old, topic, ["shared"])
    mirror(old, new, "--topics", "closed")
    await_copy(old, new, "closed")
    old.kill()
    told = tool("mirrors", "failover", "eu", "--bootstrap-server", new.bootstrap)
    assert "closed-0" in told
    write(new, "closed", ["mine"])
    assert status(new)["sourceClosed"] is False
    # Whoever is the controller by then does it.
    new.crash()
    old.start()
    until(lambda: status(new)["sourceClosed"], "the old owner is told", every=0.1)
    with pytest.raises(AssertionError, match="_MSG_TIMED_OUT"):
        write(old, "closed", ["no"], **{"message.timeout.ms": 1500})
    write(old, "elsewhere", ["yes"])
    # That is done once: a person who opens it again means it.
    described = json.loads(tool("configs", "describe", "topic", "closed", "-o", "json", "--bootstrap-server", old.bootstrap))
    assert next(c["value"] for c in described if c["key"] == "mirror.fence").endswith(":0")
    tool("configs", "unset", "topic", "closed", "mirror.fence", "--bootstrap-server", old.bootstrap)
    write(old, "closed", ["by hand"])
    time.sleep(1.5)
    write(old, "closed", ["still"])
    found = failback(old, "--source", new.bootstrap, "--topics", "closed", name="home")
    assert [(a["partition"], a["from"], a["to"]) for a in found["setAside"]] == [("closed-0", 1, 3)]
    await_copy(new, old, "closed")
    assert [r[2] for r in read(old, "closed")] == [b"shared", b"mine"]
    # What was closed is open once it is home.
    assert "still writes closed" in tool("mirrors", "delete", "home", "--bootstrap-server", old.bootstrap, fails=True)
    tool("mirrors", "switchover", "home", "--bootstrap-server", old.bootstrap)
    write(old, "closed", ["home"])
    tool("mirrors", "delete", "home", "--bootstrap-server", old.bootstrap)
    assert "there are no mirrors" in tool("mirrors", "status", "--bootstrap-server", old.bootstrap)
    write(old, "closed", ["still"])


def test_a_failback_goes_on_after_crashes(pair):
    old, new = pair
    make_topic(old, "shaken", 3)
    for partition in range(3):
        write(old, "shaken", [f"{i}" for i in range(50)], partition)
    mirror(old, new)
    for partition in range(3):
        await_copy(old, new, "shaken", partition)
    tool("mirrors", "pause", "eu", "--bootstrap-server", new.bootstrap)
    until(lambda: partition_status(new, "shaken-0")["state"] == "stopped", "it is paused", every=0.1)
    for partition in range(3):
        write(old, "shaken", ["lost"] * 5, partition)
    tool("mirrors", "failover", "eu", "--bootstrap-server", new.bootstrap)
    for partition in range(3):
        write(new, "shaken", [f"mine-{i}" for i in range(3)], partition)
    tool(
        "configs", "set", "mirror", "home", f"bootstrap.servers={new.bootstrap}", "state=failback", "--bootstrap-server",
        old.bootstrap,
    )
    for pause in (0.3, 1):
        time.sleep(pause)
        old.crash()
    new.crash()
    until(lambda: status(old, "home")["state"] == "running", "it is done", within=40, every=0.2)
    for partition in range(3):
        await_copy(new, old, "shaken", partition)
        assert read(old, "shaken", partition) == read(new, "shaken", partition)
    kept = {a["partition"]: (a["from"], a["to"], a["records"]) for a in status(old, "home")["setAside"]}
    assert kept == {f"shaken-{partition}": (50, 55, 5) for partition in range(3)}


def test_what_only_the_old_owner_has_is_set_aside_though_the_new_one_has_forgotten_where_they_part(pair):
    old, new = pair
    make_topic(old, "short")
    write(old, "short", [f"{i}" for i in range(50)])
    mirror(old, new)
    await_copy(old, new, "short")
    alter_mirror(new, "eu", "source.fencing.enable", "false")
    tool("mirrors", "failover", "eu", "--bootstrap-server", new.bootstrap)
    write(old, "short", [f"lost-{i}" for i in range(5)])
    write(new, "short", [f"mine-{i}" for i in range(30)], **{"linger.ms": 0, "batch.num.messages": 5})
    admin(new).delete_records([TopicPartition("short", 0, 60)])[TopicPartition("short", 0)].result(20)
    tool(
        "configs", "set", "mirror", "home", f"bootstrap.servers={new.bootstrap}", "state=failback", "gap.policy=accept",
        "--bootstrap-server", old.bootstrap,
    )
    until(lambda: status(old, "home")["state"] == "running", "it is done", within=30, every=0.2)
    await_copy(new, old, "short")
    found = status(old, "home")
    assert [(a["from"], a["to"], a["records"]) for a in found["setAside"]] == [(50, 55, 5)]
    assert found["partitions"][0]["gaps"] == [{"from": 50, "to": 60}]
    assert read(old, "short") == read(new, "short")


def test_nothing_is_given_up_that_nobody_has_taken_over(pair):
    old, new = pair
    make_topic(old, "kept")
    write(old, "kept", ["mine"])
    mirror(old, new)
    await_copy(old, new, "kept")
    # The other side is a mirror of this one, and owns nothing.
    tool(
        "configs", "set", "mirror", "home", f"bootstrap.servers={new.bootstrap}", "state=failback", "--bootstrap-server",
        old.bootstrap,
    )
    problem = until(lambda: [p for p in status(old, "home")["problems"] if p["topic"] == "kept"], "it is refused", every=0.1)
    assert "the source does not own it" in problem[0]["problem"] or "comes from this very cluster" in problem[0]["problem"]
    write(old, "kept", ["still mine"])
    tool("mirrors", "resume", "home", "--bootstrap-server", old.bootstrap)
    await_copy(old, new, "kept")


def test_every_replica_of_an_old_owner_goes_back(private, cluster):
    """Three nodes of the old owner hold what nobody else has: each cuts it off, also when leaders die meanwhile."""
    new = private()
    old = cluster(overrides={"default.replication.factor": "3", "min.insync.replicas": "2"})
    make_topic(old, "wide", 3)
    for partition in range(3):
        write(old, "wide", [f"{i}" for i in range(100)], partition)
    mirror(old, new, "--topics", "wide")
    for partition in range(3):
        until(lambda p=partition: ends(new, "wide", p) == (0, 100), "it is copied", every=0.1)
    alter_mirror(new, "eu", "source.fencing.enable", "false")
    tool("mirrors", "failover", "eu", "--bootstrap-server", new.bootstrap)
    for partition in range(3):
        write(old, "wide", [f"lost-{i}" * 9 for i in range(20)], partition, acks="all")
        write(new, "wide", [f"mine-{i}" for i in range(7)], partition)
    tool(
        "configs", "set", "mirror", "home", f"bootstrap.servers={new.bootstrap}", "topics=wide", "state=failback",
        "--bootstrap-server", old.bootstrap,
    )
    old.nodes[0].crash()
    until(lambda: status(old, "home")["state"] == "running", "it is done", within=60, every=0.2)
    for partition in range(3):
        until(lambda p=partition: ends(old, "wide", p) == (0, 107), "it is copied", every=0.1)
        there = segments(new, "wide", partition)
        for node in old.nodes:
            until(lambda n=node, p=partition: segments(n, "wide", p) == there, "every replica has the same", every=0.1)
    report = status(old, "home")["setAside"]
    assert {(a["partition"], a["from"], a["to"], a["records"]) for a in report} == {
        (f"wide-{partition}", 100, 120, 20) for partition in range(3)
    }
