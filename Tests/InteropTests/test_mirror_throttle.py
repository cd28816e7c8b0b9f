"""A mirror's limit: a backlog comes no faster than it says, and all of it once it is lifted."""

import json
import time

from broker import until
from mirrors import (  # noqa: F401
    await_copy, clients_end_with_their_test, ends, make_topic, mirror, pair, partition_status, read, status,
    tool, write,
)

RECORD = 10_000
RECORDS = 400
RATE = 200_000


def fill(source, topic):
    """A backlog of 4 MB in batches of about 50 KB."""
    make_topic(source, topic)
    values = ["x" * RECORD for _ in range(RECORDS)]
    write(source, topic, values, **{"batch.size": 50_000, "linger.ms": 20, "compression.type": "none"})


def test_a_backlog_comes_no_faster_than_the_limit_and_all_of_it_once_it_is_lifted(pair):
    source, target = pair
    fill(source, "backlog")
    before = time.monotonic()
    mirror(source, target, "--throttled-rate", str(RATE))
    assert status(target)["throttledRate"] == RATE
    shown = tool("mirrors", "status", "eu", "--bootstrap-server", target.bootstrap)
    assert f"at most {RATE} bytes a second" in shown

    def copied():
        (_, high), elapsed = ends(target, "backlog") or (0, 0), time.monotonic() - before
        # A bucket that is full at first, one answer that is as large, and a batch: however slow the machine is, no more
        # than that can be here in the time that has passed.
        assert high * RECORD <= RATE * (elapsed + 2) + 100_000, (high, elapsed)
        return high >= 120

    until(copied, "some of it is copied", within=60, every=0.1)
    assert time.monotonic() - before >= (120 * RECORD - 100_000) / RATE - 2
    tool("configs", "unset", "mirror", "eu", "mirror.throttled.rate", "--bootstrap-server", target.bootstrap)
    await_copy(source, target, "backlog")
    assert read(source, "backlog") == read(target, "backlog")


def test_a_switchover_is_not_held_up_by_the_limit(pair):
    source, target = pair
    fill(source, "urgent")
    # At that rate it would take two days.
    mirror(source, target, "--throttled-rate", "25")
    until(lambda: partition_status(target, "urgent-0") and ends(target, "urgent"), "it is there", every=0.1)
    assert ends(target, "urgent")[1] < RECORDS
    report = json.loads(tool("mirrors", "switchover", "eu", "-o", "json", "--bootstrap-server", target.bootstrap))
    assert [(entry["end"], entry["knownLoss"]) for entry in report["partitions"]] == [(RECORDS, 0)]
    assert read(target, "urgent")[-1][0] == RECORDS - 1
