"""What the tests of transactions do again and again: transactional producers, readers of what is committed, and the
requests of the coordinator by hand."""

import struct
import time

from confluent_kafka import KafkaError, KafkaException, TopicPartition
from librdkafka import consumer, producer
from wire import request, string

ADD_PARTITIONS, ADD_OFFSETS, END, WRITE_MARKERS, TXN_OFFSET_COMMIT, FIND_COORDINATOR = 24, 25, 26, 27, 28, 10
INIT_PRODUCER_ID, DESCRIBE, LIST = 22, 65, 66
NONE, INVALID_PRODUCER_EPOCH, INVALID_TXN_STATE, INVALID_PRODUCER_ID_MAPPING = 0, 47, 48, 49
INVALID_TRANSACTION_TIMEOUT, CONCURRENT_TRANSACTIONS, UNSTABLE_OFFSET_COMMIT, PRODUCER_FENCED = 50, 51, 88, 90
COORDINATOR_LOADING, COORDINATOR_NOT_AVAILABLE, NOT_COORDINATOR = 14, 15, 16
TRANSACTIONAL = 0x10


def transactional(broker, name, **settings):
    """A producer that has begun its life: whoever had the id before is fenced."""
    made = producer(broker, transactional_id=name, **settings)
    made.init_transactions(30)
    return made


def write(sender, topic, values, partition=0):
    """Produces and waits until the records are stored, committed or not."""
    failed = []
    for value in values:
        sender.produce(topic, value=value, partition=partition, on_delivery=lambda e, _: failed.append(e) if e else None)
    assert sender.flush(30) == 0
    assert not failed, failed[0]


def ahead(broker, topic, isolation="read_committed", partition=0, offset=0, idle=1.0):
    """Everything that a reader gets from an offset on, until it is told that there is no more."""
    reader = consumer(broker, isolation_level=isolation, enable_partition_eof="true")
    try:
        reader.assign([TopicPartition(topic, partition, offset)])
        found, deadline = [], time.monotonic() + 30
        while True:
            assert time.monotonic() < deadline, f"no end of {topic}: {len(found)} records"
            message = reader.poll(idle)
            if message is None:
                continue
            if message.error():
                if message.error().code() == KafkaError._PARTITION_EOF:
                    return found
                assert message.error().retriable(), message.error()
            else:
                found.append(message.value())
    finally:
        reader.close()


def again(action, within=30):
    """Does what a transactional producer must repeat as long as the error says so."""
    deadline = time.monotonic() + within
    while True:
        try:
            return action()
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


class ByHand:
    """One transactional producer, its requests written by hand."""

    def __init__(self, connection, name, timeout=60000):
        self.connection, self.name, self.timeout = connection, name, timeout
        self.producer, self.epoch, self.sequence = -1, -1, {}

    def _ask(self, key, version, body):
        return self.connection.ask(request(key, version, body))[4:]

    def _who(self):
        return string(self.name) + struct.pack(">qh", self.producer, self.epoch)

    def find(self):
        """Until somebody coordinates: the first request makes the internal topic."""
        deadline = time.monotonic() + 20
        while True:
            answer = self._ask(FIND_COORDINATOR, 1, string(self.name) + b"\x01")
            error = struct.unpack_from(">h", answer, 4)[0]
            if error == NONE or time.monotonic() > deadline:
                return error
            time.sleep(0.05)

    def begin(self, expected=None):
        """InitProducerId, repeated while the coordinator is being made or ends the transaction before."""
        deadline = time.monotonic() + 20
        while True:
            error = self.init(expected)
            if error not in (COORDINATOR_LOADING, NOT_COORDINATOR, CONCURRENT_TRANSACTIONS) or time.monotonic() > deadline:
                return error
            time.sleep(0.02)

    def init(self, expected=None):
        answer = self._ask(INIT_PRODUCER_ID, 1, string(self.name) + struct.pack(">i", self.timeout))
        error, producer, epoch = struct.unpack_from(">hqh", answer, 4)
        if error == NONE:
            self.producer, self.epoch, self.sequence = producer, epoch, {}
        return error

    def add(self, topic, *partitions):
        """AddPartitionsToTxn v2: the error of each partition."""
        body = self._who() + struct.pack(">i", 1) + string(topic)
        body += struct.pack(">i", len(partitions)) + b"".join(struct.pack(">i", p) for p in partitions)
        answer = self._ask(ADD_PARTITIONS, 2, body)
        at = 4 + 4 + 2 + len(topic.encode()) + 4
        return [struct.unpack_from(">ih", answer, at + 6 * n)[1] for n in range(len(partitions))]

    def add_offsets(self, group):
        answer = self._ask(ADD_OFFSETS, 2, self._who() + string(group))
        return struct.unpack_from(">h", answer, 4)[0]

    def commit_offset(self, group, topic, partition, offset):
        body = string(self.name) + string(group) + struct.pack(">qh", self.producer, self.epoch)
        body += struct.pack(">i", 1) + string(topic) + struct.pack(">i", 1)
        body += struct.pack(">iqi", partition, offset, -1) + string("")
        answer = self._ask(TXN_OFFSET_COMMIT, 2, body)
        return struct.unpack_from(">h", answer, 4 + 4 + 2 + len(topic.encode()) + 4 + 4)[0]

    def end(self, committed):
        answer = self._ask(END, 2, self._who() + (b"\x01" if committed else b"\x00"))
        return struct.unpack_from(">h", answer, 4)[0]
