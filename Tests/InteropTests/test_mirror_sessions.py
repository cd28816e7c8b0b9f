"""A mirror's Fetches in a session of the source's (KIP-227), and without one where the source keeps none."""

import time
import urllib.request

import pytest
from broker import free_port, until
from mirrors import (  # noqa: F401
    await_copy, clients_end_with_their_test, make_topic, mirror, read, status, write,
)

PARTITIONS = 20


def sessions(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as answer:
        lines = answer.read().decode().splitlines()
    name = "kafka_server_fetchsessioncache_numincrementalfetchsessions "
    return next(float(line.removeprefix(name)) for line in lines if line.startswith(name))


def ages(target):
    return [p["readMillisecondsAgo"] for p in status(target)["partitions"]]


@pytest.mark.parametrize("slots", (1000, 0))
def test_what_rests_is_known_to_rest_and_what_moves_is_copied(private, slots):
    port = free_port()
    source = private({"max.incremental.fetch.session.cache.slots": str(slots), "metrics.port": str(port)})
    target = private()
    make_topic(source, "calm", PARTITIONS)
    mirror(source, target)
    await_copy(source, target, "calm", PARTITIONS - 1)
    # The clients of these tests open none.
    until(lambda: (sessions(port) > 0) == (slots > 0), "the mirror has its session", every=0.1)
    write(source, "calm", [f"before-{i}" for i in range(20)], 3)
    await_copy(source, target, "calm", 3)
    if slots:
        # With the source its session dies: it knows nothing of it afterwards.
        source.crash()
    write(source, "calm", [f"after-{i}" for i in range(20)], 3)
    await_copy(source, target, "calm", 3)
    # Of those that rest nothing is said, and still it is news of now.
    time.sleep(3)
    until(lambda: all(age is not None and age < 3000 for age in ages(target)), "the readings are new", every=0.2)
    assert (sessions(port) > 0) == (slots > 0)
    assert read(source, "calm", 3) == read(target, "calm", 3)
    shown = {p["partition"]: p for p in status(target)["partitions"]}
    assert len(shown) == PARTITIONS and all(p["state"] == "copying" for p in shown.values())
    assert shown["calm-3"]["sourceEnd"] == 40 and shown["calm-4"]["sourceEnd"] == 0
