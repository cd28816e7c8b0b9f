"""Exactly once while brokers die: what is read, transformed and written in transactions is there once, and whole."""

import pathlib
import subprocess
import sys
import threading
import time

from broker import until
from confluent_kafka import TopicPartition
from librdkafka import consumer, send
from transactions import again, ahead, transactional, write

# Longer than a transaction takes beside brokers that come and go, and shorter than what tests wait for.
STILL = 12


class Copier:
    """Keeps copier.py going, as whatever runs applications does: started again when it has ended, and killed when it
    stands still. librdkafka may do that in send_offsets_to_transaction (docs/transactions.md, "Clients")."""

    def __init__(self, *arguments):
        self.arguments = arguments
        self.commits = 0
        self.start()

    def start(self):
        command = [sys.executable, str(pathlib.Path(__file__).parent / "copier.py"), *self.arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.moved = time.monotonic()
        threading.Thread(target=self.count, args=(self.process,), daemon=True).start()

    def count(self, process):
        for _ in process.stdout:
            self.commits, self.moved = self.commits + 1, time.monotonic()

    def tend(self):
        if self.process.poll() is None and time.monotonic() - self.moved > STILL:
            self.process.kill()
        if self.process.poll() is not None:
            said = self.process.stderr.read()
            assert not said or said.startswith("ended by"), said
            self.start()

    def until(self, condition, what, within, every=0.05):
        def tended():
            self.tend()
            return condition()

        until(tended, what, within, every=every)

    def kill(self):
        self.process.kill()
        self.process.wait()


def test_a_copy_in_transactions_is_exact_while_every_broker_is_killed_once(cluster, name):
    three = cluster()
    source, target = f"{name}-in", f"{name}-out"
    three.create(source, partitions=2, min_insync_replicas=2)
    three.create(target, partitions=2, min_insync_replicas=2)
    sent = {0: [], 1: []}
    copier = Copier(three.bootstrap, source, target, name)
    try:
        for round in range(4):
            for p in (0, 1):
                records = [b"%d-%d-%d" % (round, p, n) for n in range(150)]
                send(three, source, records, partition=p, acks="all", message_timeout_ms=60000)
                sent[p] += records
            done = copier.commits
            copier.until(lambda: copier.commits > done, "the copy goes on", 60)
            if round < 3:
                three.nodes[round].crash()

        def copied():
            return sum(len(ahead(three, target, partition=p)) for p in (0, 1))

        copier.until(lambda: copied() >= 1200, "everything is copied", 90, every=1)
    finally:
        copier.kill()
    assert {p: ahead(three, target, partition=p) for p in (0, 1)} == sent
    reader = consumer(three, f"{name}-group", isolation_level="read_committed")
    places = reader.committed([TopicPartition(source, p) for p in (0, 1)], timeout=20)
    ends = [reader.get_watermark_offsets(TopicPartition(source, p), timeout=20)[1] for p in (0, 1)]
    assert [place.offset for place in places] == ends
    reader.close()


def test_a_transaction_ends_whole_although_its_coordinator_dies(cluster, name):
    three = cluster()
    three.create(name, partitions=3, min_insync_replicas=2)
    sender = transactional(three, name, **{"socket.connection.setup.timeout.ms": 1000})
    for round in range(3):
        sender.begin_transaction()
        for p in range(3):
            write(sender, name, [b"%d" % round], p)
        leaders = three.partitions("__transaction_state")
        coordinator = three[leaders[round % 3].leader]
        coordinator.crash()
        again(lambda: sender.commit_transaction(20), 60)
    for p in range(3):
        until(lambda: ahead(three, name, partition=p) == [b"0", b"1", b"2"], f"partition {p} is whole", 30)


def test_what_is_committed_is_the_same_on_every_copy(cluster, name):
    three = cluster()
    three.create(name, min_insync_replicas=2)
    sender = transactional(three, name)
    wanted = []
    for round in range(6):
        sender.begin_transaction()
        write(sender, name, [b"%d-%d" % (round, n) for n in range(3)])
        again(sender.commit_transaction if round % 2 else sender.abort_transaction)
        if round % 2:
            wanted += [b"%d-%d" % (round, n) for n in range(3)]
    sender.begin_transaction()
    write(sender, name, [b"open"])
    three.until_in_sync(name, [1, 2, 3])
    for _ in range(3):
        leader = three.leader(name)
        assert ahead(three, name) == wanted, f"as node {leader.id} has it"
        leader.crash()
        three.until_led(name)
        three.until_in_sync(name, [1, 2, 3])
    again(lambda: sender.commit_transaction(20), 60)
    until(lambda: ahead(three, name) == wanted + [b"open"], "the last one is committed", 20)
