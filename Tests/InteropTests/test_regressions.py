"""Faults that the broker once had."""

import struct
import time

from broker import until
from confluent_kafka import TopicPartition
from librdkafka import admin, create, outcome, read, send, values
from wire import Connection, batch, produce, produced, request, string

INVALID_RECORD = 87


def with_base_offset(bytes, offset):
    """The base offset is outside of the CRC."""
    return struct.pack(">q", offset) + bytes[8:]


def test_a_batch_that_names_its_own_offset_is_refused_and_harms_nothing(private, name):
    broker = private()
    create(broker, name, partitions=1)
    with Connection(broker) as connection:
        for offset in [2**62, 2**33, 1]:
            error, _ = produced(connection.ask(produce(name, 0, with_base_offset(batch([b"far"]), offset))))
            assert error == INVALID_RECORD
    send(broker, name, [b"kept"])
    broker.crash()
    assert values(read(broker, name, 1)) == [b"kept"]


def test_a_topic_of_the_same_name_does_not_inherit_where_the_deleted_one_began(private, name):
    broker = private()
    create(broker, name, partitions=1)
    send(broker, name, [b"old"] * 100)
    outcome(admin(broker).delete_records([TopicPartition(name, 0, 100)]))
    broker.restart()
    outcome(admin(broker).delete_topics([name]))
    create(broker, name, partitions=1)
    first, *_ = send(broker, name, [b"new %d" % n for n in range(10)])
    assert first.offset() == 0
    broker.crash()
    assert values(read(broker, name, 10)) == [b"new %d" % n for n in range(10)]


def test_a_topic_that_is_asked_about_many_times_is_described_once(private, name):
    broker = private()
    create(broker, name, partitions=100)
    with Connection(broker) as connection:
        names = string(name) * 10000
        answer = connection.ask(request(3, 1, struct.pack(">i", 10000) + names))
        assert len(answer) < 100 * 40 + 1000


def test_requests_that_repeat_a_name_for_ever_do_not_hold_up_the_controller(private, name):
    broker = private()
    count = 200000
    topic = string("x") + struct.pack(">ihii", 1, 1, 0, 0)
    with Connection(broker) as connection:
        connection.send(request(19, 2, struct.pack(">i", count) + topic * count + struct.pack(">ib", 10000, 0)))
        began = time.monotonic()
        create(broker, name)
        assert time.monotonic() - began < 15


def test_members_that_wait_are_told_when_the_offsets_topic_is_deleted(private, name):
    broker = private({"group.initial.rebalance.delay.ms": "60000"})
    with Connection(broker) as connection:
        connection.ask(request(10, 0, string(name)))
        join = string(name) + struct.pack(">ii", 30000, 60000) + string("") + string("consumer")
        join += struct.pack(">i", 1) + string("range") + struct.pack(">i", 0)
        connection.send(request(11, 1, join, correlation=7))
        time.sleep(1)
        outcome(admin(broker).delete_topics(["__consumer_offsets"]))
        correlation, error = struct.unpack_from(">ih", connection.answer())
        assert (correlation, error) == (7, 16)


def test_a_commit_for_a_partition_that_does_not_exist_is_refused(private, name):
    broker = private()
    create(broker, name, partitions=1)
    with Connection(broker) as connection:
        connection.ask(request(10, 0, string(name)))
        commit = string(name) + struct.pack(">i", -1) + string("") + struct.pack(">q", -1)
        commit += struct.pack(">i", 1) + string(name) + struct.pack(">i", 2)
        commit += struct.pack(">iq", 0, 5) + string("") + struct.pack(">iq", 9, 5) + string("")

        def errors():
            answer = connection.ask(request(8, 2, commit))
            at = 4 + 4 + 2 + len(name) + 4
            return struct.unpack_from(">ih", answer, at) + struct.unpack_from(">ih", answer, at + 6)

        assert until(lambda: (found := errors())[1] == 0 and found, "the coordinator has loaded") == (0, 0, 9, 3)
