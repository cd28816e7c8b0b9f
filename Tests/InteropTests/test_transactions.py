"""Transactions: with real clients, and with requests that no client would send."""

import json
import struct

import pytest
from aiokafka import AIOKafkaProducer
from broker import run, until
from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import OffsetSpec
from kafka import KafkaProducer
from kafka import TopicPartition as PythonPartition
from kafka.structs import OffsetAndMetadata
from librdkafka import admin, consumer, create, send, take, values
from transactions import (
    INVALID_PRODUCER_ID_MAPPING, INVALID_TRANSACTION_TIMEOUT, INVALID_TXN_STATE, NONE, PRODUCER_FENCED, TRANSACTIONAL, ByHand,
    again, ahead, transactional, write,
)
from wire import Connection, batch, produced, request, string


def numbered(prefix, count):
    return [f"{prefix}-{n}".encode() for n in range(count)]


@pytest.mark.relies_on(30, 31)
def test_readers_of_committed_records_see_committed_transactions_only(broker, name):
    create(broker, name)
    sender = transactional(broker, name)
    for round, end in enumerate(["commit", "abort", "commit", "abort"]):
        sender.begin_transaction()
        write(sender, name, numbered(f"{end}{round}", 3))
        again(sender.commit_transaction if end == "commit" else sender.abort_transaction)
    assert ahead(broker, name) == numbered("commit0", 3) + numbered("commit2", 3)
    assert ahead(broker, name, "read_uncommitted") == [
        value for end in ["commit0", "abort1", "commit2", "abort3"] for value in numbered(end, 3)
    ]


@pytest.mark.relies_on(30, 42)
def test_readers_of_committed_records_stop_before_the_first_open_transaction(broker, name):
    create(broker, name)
    send(broker, name, numbered("before", 2))
    sender = transactional(broker, name)
    sender.begin_transaction()
    write(sender, name, numbered("open", 2))
    send(broker, name, numbered("behind", 2))
    assert ahead(broker, name) == numbered("before", 2)
    assert ahead(broker, name, "read_uncommitted") == numbered("before", 2) + numbered("open", 2) + numbered("behind", 2)

    def latest(isolation):
        place = TopicPartition(name, 0)
        found = admin(broker).list_offsets({place: OffsetSpec.latest()}, isolation_level=isolation)
        return found[place].result(20).offset

    assert latest(IsolationLevel.READ_COMMITTED) == 2
    assert latest(IsolationLevel.READ_UNCOMMITTED) == 6
    # A reader that waits is told as soon as the transaction has ended.
    reader = consumer(broker, isolation_level="read_committed")
    reader.assign([TopicPartition(name, 0, 2)])
    assert reader.poll(0.5) is None
    again(sender.commit_transaction)
    assert values(take(reader, 4)) == numbered("open", 2) + numbered("behind", 2)
    reader.close()
    assert latest(IsolationLevel.READ_COMMITTED) == 7


@pytest.mark.relies_on(31)
def test_a_transaction_over_many_partitions_and_topics_is_whole(broker, name):
    create(broker, name, partitions=6)
    create(broker, f"{name}-2", partitions=3)
    sender = transactional(broker, name)
    for end in [sender.commit_transaction, sender.abort_transaction]:
        sender.begin_transaction()
        for p in range(6):
            write(sender, name, [b"a%d" % p], p)
        for p in range(3):
            write(sender, f"{name}-2", [b"b%d" % p], p)
        again(end)
    for p in range(6):
        assert ahead(broker, name, partition=p) == [b"a%d" % p]
    for p in range(3):
        assert ahead(broker, f"{name}-2", partition=p) == [b"b%d" % p]


def test_a_producer_is_fenced_by_the_next_one_of_its_name(broker, name):
    create(broker, name)
    old = transactional(broker, name)
    old.begin_transaction()
    write(old, name, numbered("old", 2))
    new = transactional(broker, name)
    new.begin_transaction()
    write(new, name, numbered("new", 2))
    again(new.commit_transaction)
    with pytest.raises(KafkaException) as error:
        old.commit_transaction(20)
    assert error.value.args[0].code() in (KafkaError._FENCED, KafkaError.PRODUCER_FENCED, KafkaError.INVALID_PRODUCER_EPOCH)
    assert ahead(broker, name) == numbered("new", 2)


def test_offsets_are_committed_with_the_records_or_not_at_all(broker, name):
    source, target, group = f"{name}-in", f"{name}-out", f"{name}-group"
    create(broker, source)
    create(broker, target)
    send(broker, source, numbered("in", 10))
    sender = transactional(broker, name)
    reader = consumer(broker, group, isolation_level="read_committed")
    reader.subscribe([source])

    def committed():
        (found,) = reader.committed([TopicPartition(source, 0)], timeout=20)
        return found.offset

    read = take(reader, 4)
    sender.begin_transaction()
    write(sender, target, [b"lost " + m.value() for m in read])
    again(lambda: sender.send_offsets_to_transaction([TopicPartition(source, 0, 4)], reader.consumer_group_metadata()))
    again(sender.abort_transaction)
    assert committed() < 0
    reader.seek(TopicPartition(source, 0, 0))
    read = take(reader, 6)
    sender.begin_transaction()
    write(sender, target, [b"kept " + m.value() for m in read])
    again(lambda: sender.send_offsets_to_transaction([TopicPartition(source, 0, 6)], reader.consumer_group_metadata()))
    again(sender.commit_transaction)
    until(lambda: committed() == 6, "the offset is committed")
    reader.close()
    assert ahead(broker, target) == [b"kept " + value for value in numbered("in", 6)]


def test_a_transaction_that_takes_too_long_is_aborted_and_its_producer_fenced(broker, name):
    create(broker, name)
    sender = transactional(broker, name, transaction_timeout_ms="1000", message_timeout_ms="1000")
    sender.begin_transaction()
    write(sender, name, numbered("late", 2))
    send(broker, name, numbered("behind", 1))
    until(lambda: ahead(broker, name) == numbered("behind", 1), "the transaction is aborted", 15)
    with pytest.raises(KafkaException) as error:
        sender.commit_transaction(20)
    assert not error.value.args[0].retriable()


@pytest.mark.parametrize("how", ["stop", "kill"])
def test_transactions_survive_a_restart(private, name, how):
    broker = private()
    create(broker, name)
    sender = transactional(broker, name)
    sender.begin_transaction()
    write(sender, name, numbered("aborted", 2))
    again(sender.abort_transaction)
    sender.begin_transaction()
    write(sender, name, numbered("open", 2))
    if how == "stop":
        assert broker.stop() == 0, broker.tail()
    else:
        broker.kill()
    broker.start()
    assert ahead(broker, name) == []
    write(sender, name, numbered("more", 2))
    again(lambda: sender.commit_transaction(20))
    assert ahead(broker, name) == numbered("open", 2) + numbered("more", 2)


def test_kafka_python_commits_and_aborts(broker, name):
    create(broker, name)
    send(broker, f"{name}-in", numbered("in", 2))
    sender = KafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=name)
    sender.init_transactions()
    sender.begin_transaction()
    sender.send(name, b"aborted").get(20)
    sender.abort_transaction()
    sender.begin_transaction()
    sender.send(name, b"committed").get(20)
    offsets = {PythonPartition(f"{name}-in", 0): OffsetAndMetadata(2, "", -1)}
    sender.send_offsets_to_transaction(offsets, f"{name}-group")
    sender.commit_transaction()
    sender.close()
    assert ahead(broker, name) == [b"committed"]
    place = TopicPartition(f"{name}-in", 0)
    reader = consumer(broker, f"{name}-group", isolation_level="read_committed")
    until(lambda: reader.committed([place], timeout=20)[0].offset == 2, "the offset is committed")
    reader.close()


async def test_aiokafka_commits_and_aborts(broker, name):
    create(broker, name)
    sender = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, transactional_id=name)
    await sender.start()
    try:
        await sender.begin_transaction()
        await sender.send_and_wait(name, b"aborted")
        await sender.abort_transaction()
        async with sender.transaction():
            await sender.send_and_wait(name, b"committed")
    finally:
        await sender.stop()
    assert ahead(broker, name) == [b"committed"]


@pytest.mark.relies_on(33)
def test_a_batch_of_no_transaction_that_is_known_is_refused(broker, name):
    create(broker, name, partitions=2)
    with Connection(broker) as connection:
        hand = ByHand(connection, name)
        assert hand.find() == NONE
        assert hand.begin() == NONE

        def sent(partition, producer=None, epoch=None, sequence=0):
            records = batch(
                [b"x"], producer=hand.producer if producer is None else producer,
                epoch=hand.epoch if epoch is None else epoch, sequence=sequence, attributes=TRANSACTIONAL,
            )
            return produced(connection.ask(transactional_produce(name, hand.name, partition, records)))[0]

        assert sent(0) == INVALID_TXN_STATE
        assert hand.add(name, 0) == [NONE]
        assert sent(1) == INVALID_TXN_STATE
        assert sent(0) == NONE
        assert sent(0, sequence=1) == NONE
        assert sent(0, producer=hand.producer + 1000) == INVALID_PRODUCER_ID_MAPPING
        assert hand.end(True) == NONE
        until(lambda: len(ahead(broker, name)) == 2, "the transaction has ended")
        assert sent(0, sequence=2) == INVALID_TXN_STATE
    assert ahead(broker, name) == [b"x", b"x"]


def transactional_produce(topic, transactional_id, partition, records):
    body = string(transactional_id) + struct.pack(">hi", -1, 10000)
    body += struct.pack(">i", 1) + string(topic) + struct.pack(">i", 1)
    body += struct.pack(">i", partition) + struct.pack(">i", len(records)) + records
    return request(0, 7, body)


@pytest.mark.relies_on(32)
def test_the_coordinator_answers_in_the_words_that_producers_know(broker, name):
    create(broker, name)
    with Connection(broker) as connection:
        hand = ByHand(connection, name)
        assert hand.find() == NONE
        hand.timeout = 900_001
        assert hand.begin() == INVALID_TRANSACTION_TIMEOUT
        hand.timeout = 60_000
        assert hand.begin() == NONE
        assert hand.end(True) == INVALID_TXN_STATE
        assert hand.add(name, 0) == [NONE]
        assert hand.end(True) == NONE
        # A repetition gets the same answer once the markers are there, and until then is told to wait.
        until(lambda: hand.end(True) == NONE, "the transaction is complete")
        assert hand.end(False) == INVALID_TXN_STATE
        assert hand.add(name, 0, 7) == [55, 3]
        stale = ByHand(connection, name)
        stale.producer, stale.epoch = hand.producer, hand.epoch
        assert hand.begin() == NONE
        assert hand.epoch == stale.epoch + 1
        assert stale.add(name, 0) == [PRODUCER_FENCED]
        assert stale.end(True) == PRODUCER_FENCED
        stale.producer += 1000
        assert stale.end(True) == INVALID_PRODUCER_ID_MAPPING


def test_an_offset_of_an_open_transaction_is_unstable_until_it_ends(broker, name):
    create(broker, name)
    group = f"{name}-group"
    reader = consumer(broker, group)
    reader.committed([TopicPartition(name, 0)], timeout=20)  # makes the topic of group offsets
    reader.close()
    with Connection(broker) as connection:
        hand = ByHand(connection, name)
        assert hand.find() == NONE
        assert hand.begin() == NONE
        assert hand.commit_offset(group, name, 0, 5) == INVALID_TXN_STATE
        assert hand.add_offsets(group) == NONE
        assert hand.commit_offset(group, name, 0, 5) == NONE

        def offset(stable):
            asked = [ConsumerGroupTopicPartitions(group, [TopicPartition(name, 0)])]
            (future,) = admin(broker).list_consumer_group_offsets(asked, require_stable=stable).values()
            (found,) = future.result(20).topic_partitions
            return found.error.code() if found.error else found.offset

        assert offset(stable=False) < 0
        assert offset(stable=True) == KafkaError.UNSTABLE_OFFSET_COMMIT
        assert hand.end(True) == NONE
        until(lambda: offset(stable=True) == 5, "the offset is committed")
        assert offset(stable=False) == 5


def test_deleting_a_topic_lets_its_transaction_end(broker, name):
    create(broker, name)
    create(broker, f"{name}-stays")
    sender = transactional(broker, name)
    sender.begin_transaction()
    write(sender, name, [b"gone"])
    write(sender, f"{name}-stays", [b"stays"])
    for future in admin(broker).delete_topics([name]).values():
        future.result(20)
    again(lambda: sender.commit_transaction(20))
    sender.begin_transaction()
    write(sender, f"{name}-stays", [b"next"])
    again(lambda: sender.commit_transaction(20))
    assert ahead(broker, f"{name}-stays") == [b"stays", b"next"]


def test_a_transaction_that_hangs_is_found_and_ended_by_hand(broker, name):
    create(broker, name)
    sender = transactional(broker, name)
    sender.begin_transaction()
    write(sender, name, numbered("hanging", 2))
    send(broker, name, numbered("behind", 1))

    def tool(*arguments):
        return run("transactions", *arguments, "--bootstrap-server", broker.bootstrap)

    listed = tool("list", "--state", "Ongoing")
    assert name in listed.stdout.split(), listed.stderr
    described = tool("describe", name)
    assert "Ongoing" in described.stdout and f"{name}-0" in described.stdout, described.stderr
    nowhere = tool("describe", f"{name}-nobody")
    assert nowhere.returncode == 1 and f"{name}-nobody" in nowhere.stderr, nowhere.stderr
    (found,) = json.loads(tool("open", name, "-o", "json").stdout)
    assert (found["partition"], found["start"]) == (0, 0)
    wrong = tool("abort", name, "0", "--start-offset", "7")
    assert wrong.returncode == 1 and "began at 0" in wrong.stderr, wrong.stderr
    assert ahead(broker, name) == []
    aborted = tool("abort", name, "0", "--start-offset", "0")
    assert aborted.returncode == 0, aborted.stderr
    assert ahead(broker, name) == numbered("behind", 1)
    assert "no transaction is open" in tool("open", name).stdout
