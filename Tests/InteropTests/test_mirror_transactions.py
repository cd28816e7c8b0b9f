"""Transactions through mirrors: a copy is read as its source is, and nothing is left open by whoever takes over."""

import json
import threading

from broker import until
from confluent_kafka import TopicPartition
from librdkafka import consumer, send
from mirrors import (  # noqa: F401
    admin, await_copy, clients_end_with_their_test, commit, committed, ends, failback, make_topic, mirror, pair, segments,
    status, tool,
)
from transactions import NONE, ByHand, again, ahead, transactional, write
from wire import Connection

# From where a cluster with mirrors gives out the ids of its producers.
OWN_IDS = 1 << 32


def values(prefix, count):
    return [f"{prefix}-{n}".encode() for n in range(count)]


def transaction(sender, topic, records, commits):
    sender.begin_transaction()
    write(sender, topic, records)
    again(sender.commit_transaction if commits else sender.abort_transaction)


def await_bytes(source, target, topic):
    """Also those that readers of committed records are not told of."""
    until(lambda: segments(source, topic) == segments(target, topic) != b"", f"{topic} is copied", every=0.1)


def sees(broker, topic, records):
    """A transaction is committed before the last of its markers is written."""
    until(lambda: ahead(broker, topic) == records, f"{records} can be read", every=0.2)


def asked(verb, target, **more):
    return json.loads(tool("mirrors", verb, "eu", "-o", "json", "--bootstrap-server", target.bootstrap, **more))


def test_readers_of_a_copy_see_what_readers_of_its_source_see(pair):
    source, target = pair
    make_topic(source, "orders")
    sender, other = transactional(source, "one"), transactional(source, "two")
    transaction(sender, "orders", values("kept", 3), commits=True)
    transaction(sender, "orders", values("gone", 3), commits=False)
    mirror(source, target)
    other.begin_transaction()
    write(other, "orders", values("open", 2))
    transaction(sender, "orders", values("later", 2), commits=True)
    await_bytes(source, target, "orders")
    assert ahead(target, "orders") == ahead(source, "orders") == values("kept", 3)
    assert ahead(target, "orders", "read_uncommitted") == ahead(source, "orders", "read_uncommitted")
    # An open transaction holds up nothing but its readers.
    again(other.commit_transaction)
    whole = values("kept", 3) + values("open", 2) + values("later", 2)
    sees(source, "orders", whole)
    sees(target, "orders", whole)
    assert segments(source, "orders") == segments(target, "orders")
    target.crash()
    until(lambda: ends(target, "orders") == ends(source, "orders"), "it is back", every=0.1)
    assert ahead(target, "orders") == whole


def test_a_failover_takes_back_what_is_open(pair):
    source, target = pair
    make_topic(source, "orders", 2)
    sender, other = transactional(source, "one"), transactional(source, "two")
    transaction(sender, "orders", values("kept", 3), commits=True)
    other.begin_transaction()
    write(other, "orders", values("open", 2))
    sender.begin_transaction()
    write(sender, "orders", values("open", 1))
    mirror(source, target)
    await_bytes(source, target, "orders")
    source.kill()
    report = asked("failover", target)
    aborted = {entry["partition"]: entry["abortedTransactions"] for entry in report["partitions"]}
    assert aborted == {"orders-0": 2, "orders-1": 0}
    sees(target, "orders", values("kept", 3))
    send(target, "orders", values("plain", 2), 0)
    transaction(transactional(target, "one"), "orders", values("mine", 2), commits=True)
    whole = values("kept", 3) + values("plain", 2) + values("mine", 2)
    sees(target, "orders", whole)
    target.crash()
    until(lambda: ends(target, "orders"), "it is back", every=0.1)
    assert ahead(target, "orders") == whole
    # And home again: what was open there is not open any more, wherever its coordinator was.
    source.start()
    failback(source, "--source", target.bootstrap, name="home")
    await_bytes(target, source, "orders")
    assert ahead(source, "orders") == whole


def test_a_switchover_waits_for_what_is_open(pair):
    source, target = pair
    make_topic(source, "orders")
    make_topic(source, "others")
    sender = transactional(source, "one")
    sender.begin_transaction()
    write(sender, "orders", values("first", 2))
    mirror(source, target)
    await_bytes(source, target, "orders")
    done = []
    waiting = threading.Thread(target=lambda: done.append(asked("switchover", target)))
    waiting.start()

    def says():
        return any("waiting for 1 open transaction in orders-0" in p["problem"] for p in status(target)["problems"])

    until(says, "it says what it waits for", every=0.1)
    # What is open goes on until it ends.
    write(sender, "orders", values("second", 2))
    assert waiting.is_alive() and not status(target)["promoted"]
    again(sender.commit_transaction)
    waiting.join(60)
    assert done and done[0]["partitions"][0]["abortedTransactions"] == 0
    whole = values("first", 2) + values("second", 2)
    assert ahead(target, "orders") == whole
    transaction(transactional(target, "one"), "orders", values("third", 2), commits=True)
    sees(target, "orders", whole + values("third", 2))


def test_offsets_are_carried_once_their_transaction_is_committed(pair):
    source, target = pair
    make_topic(source, "orders")
    send(source, "orders", values("x", 20), 0)
    place = TopicPartition("orders", 0)
    commit(source, "readers", TopicPartition("orders", 0, 3))
    mirror(source, target)
    until(lambda: committed(target, "readers", place) == [3], "the commit is carried", within=40, every=0.3)
    sender = transactional(source, "one")
    reader = consumer(source, "readers")
    sender.begin_transaction()
    sender.send_offsets_to_transaction([TopicPartition("orders", 0, 9)], reader.consumer_group_metadata())
    # Another group shows that the mirror has been around since.
    commit(source, "others", TopicPartition("orders", 0, 5))
    until(lambda: committed(target, "others", place) == [5], "the other commit is carried", within=40, every=0.3)
    assert committed(target, "readers", place) == [3]
    again(sender.commit_transaction)
    until(lambda: committed(target, "readers", place) == [9], "it is carried", within=40, every=0.3)
    reader.close()


def test_a_transactional_id_from_before_the_mirror_gets_an_id_that_no_copy_has(pair):
    source, target = pair
    make_topic(source, "orders")
    make_topic(target, "own")
    with Connection(target) as connection:
        old = ByHand(connection, "old")
        assert old.find() == NONE and old.begin() == NONE
        assert old.producer < OWN_IDS
        mirror(source, target, "--topics", "orders")
        await_copy(source, target, "orders")
        assert old.begin() == NONE
        assert old.producer >= OWN_IDS and old.epoch == 0
        assert old.begin() == NONE
        assert old.producer >= OWN_IDS and old.epoch == 1
