"""Mirrors leave room on disks to those who write there themselves."""

import os
import subprocess

import pytest
from broker import Broker, until
from librdkafka import send
from mirrors import (  # noqa: F401
    await_copy, clients_end_with_their_test, ends, make_topic, mirror, partition_status, tool,
)

MEGABYTE = 1_000_000


@pytest.fixture
def small(tmp_path):
    """A broker whose disk has 60 MB, of which 40 are taken."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", mounted], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"making a small disk needs the right to mount: {done.stderr.strip()}")
    (mounted / "filler").write_bytes(os.urandom(40 * MEGABYTE))
    broker = Broker(mounted, {"replica.fetch.response.max.bytes": "500000", "replica.fetch.max.bytes": "500000"})
    broker.log = tmp_path / "broker.log"
    yield broker.start()
    broker.kill()
    subprocess.run(["umount", mounted], check=True)


def free(broker):
    facts = os.statvfs(broker.folder)
    return facts.f_bavail * facts.f_frsize


def test_copying_rests_before_the_disk_is_full_and_goes_on_by_itself(private, small):
    source = private()
    make_topic(source, "bulk")
    send(source, "bulk", [os.urandom(10_000) for _ in range(2000)], 0)
    make_topic(small, "own")
    mirror(source, small, "--topics", "bulk")

    def reason():
        status = partition_status(small, "bulk-0")
        return status and status["state"] == "waiting" and "bytes free" in (status["reason"] or "") and status["reason"]

    words = until(reason, "it says that there is no room", every=0.2)
    assert str(small.data) in words and "mirror.log.dir.reserved.bytes" in words
    # A tenth of the disk, less than what was under way, is left to others.
    assert free(small) > 5 * MEGABYTE and 0 < ends(small, "bulk")[1] < 2000
    send(small, "own", [os.urandom(10_000) for _ in range(100)], 0)
    (small.folder / "filler").unlink()
    await_copy(source, small, "bulk")
    assert not reason()
