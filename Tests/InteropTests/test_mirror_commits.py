"""What groups commit at a source that is being taken over: what is acknowledged is carried, and the rest is told to wait."""

import json
import threading

import pytest
from broker import run, until
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient
from librdkafka import consumer, send
from mirrors import (  # noqa: F401
    await_copy, clients_end_with_their_test, commit, committed, ends, make_topic, mirror, pair, status, tool,
)
from transactions import COORDINATOR_LOADING, again, transactional

PLACE = TopicPartition("orders", 0)


def at(offset):
    return TopicPartition("orders", 0, offset)


class Switchover(threading.Thread):
    """Is waited for elsewhere, and may be given up."""

    def __init__(self, target):
        super().__init__()
        self.target = target
        self.start()

    def run(self):
        self.done = run("mirrors", "switchover", "eu", "-o", "json", "--bootstrap-server", self.target.bootstrap, within=90)


def prepared(source, target):
    make_topic(source, "orders")
    send(source, "orders", [f"x-{n}" for n in range(20)], 0)
    commit(source, "others", at(1))
    mirror(source, target)
    await_copy(source, target, "orders")
    until(lambda: committed(target, "others", PLACE) == [1], "groups are carried", within=40, every=0.3)


def test_a_switchover_waits_for_offsets_of_transactions_and_nobody_commits_meanwhile(pair):
    source, target = pair
    prepared(source, target)
    sender, reader = transactional(source, "one"), consumer(source, "readers, all: of them")
    sender.begin_transaction()
    sender.send_offsets_to_transaction([at(9)], reader.consumer_group_metadata())
    moving = Switchover(target)

    def says():
        return any("committed offsets of the groups readers, all: of them" in p["problem"] for p in status(target)["problems"])

    until(says, "it names the group that it waits for", every=0.1)
    writer = consumer(source, "others")
    with pytest.raises(KafkaException) as refused:
        writer.commit(offsets=[at(7)], asynchronous=False)
    assert refused.value.args[0].code() == COORDINATOR_LOADING and not refused.value.args[0].fatal()
    # Nor does anybody delete what may have been carried.
    administrator = AdminClient({"bootstrap.servers": source.bootstrap})
    with pytest.raises(KafkaException) as refused:
        administrator.delete_consumer_groups(["others"])["others"].result(20)
    assert refused.value.args[0].code() == COORDINATOR_LOADING
    assert moving.is_alive() and says() and committed(source, "others", PLACE) == [1]
    # Whoever thinks better of it opens the source to commits again, also to the consumer that was refused.
    tool("mirrors", "resume", "eu", "--bootstrap-server", target.bootstrap)

    def commits():
        try:
            return writer.commit(offsets=[at(8)], asynchronous=False)
        except KafkaException as error:
            assert error.args[0].code() == COORDINATOR_LOADING, error

    until(commits, "the group commits again", every=0.1)
    again(sender.commit_transaction)
    # Whoever asked for it hears of that.
    moving.join(60)
    assert moving.done.returncode != 0 and "was given up" in moving.done.stderr, moving.done
    again(lambda: tool("mirrors", "switchover", "eu", "--bootstrap-server", target.bootstrap))
    assert committed(target, "others", PLACE) == [8]
    assert committed(target, "readers, all: of them", PLACE) == [9]
    writer.close()
    reader.close()


def test_every_commit_that_was_acknowledged_is_there_after_a_switchover(pair):
    source, target = pair
    prepared(source, target)
    acknowledged, refused, ending = [], [], threading.Event()

    def commit_on():
        writer = consumer(source, "others")
        offset = 1
        while not ending.is_set():
            # Offsets go to and fro, so that each is another one than that before.
            offset = offset % 19 + 1
            try:
                acknowledged.append(writer.commit(offsets=[at(offset)], asynchronous=False)[0].offset)
            except KafkaException as error:
                refused.append(error.args[0])
        writer.close()

    writing = threading.Thread(target=commit_on)
    writing.start()
    try:
        until(lambda: len(acknowledged) > 20, "offsets are committed", every=0.05)
        report = json.loads(tool("mirrors", "switchover", "eu", "-o", "json", "--bootstrap-server", target.bootstrap))
        assert all(entry["knownLoss"] == 0 for entry in report["partitions"])
        until(lambda: refused, "a commit is refused", every=0.1)
    finally:
        ending.set()
        writing.join(60)
    assert all(error.code() == COORDINATOR_LOADING and not error.fatal() for error in refused), refused
    until(lambda: committed(target, "others", PLACE), "the group is coordinated", every=0.2)
    assert committed(target, "others", PLACE) == acknowledged[-1:] == committed(source, "others", PLACE)
