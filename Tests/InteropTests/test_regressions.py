"""Faults that the broker once had."""

import struct
import time

from broker import until
from confluent_kafka import TopicPartition
from librdkafka import admin, create, outcome, read, send, values
from wire import Connection, batch, fetch, fetched, produce, produced, request, string

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
