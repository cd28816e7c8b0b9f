"""What the tests do again and again with confluent-kafka, said once."""

import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def producer(broker, **settings):
    settings = {key.replace("_", "."): value for key, value in settings.items()}
    return Producer({"bootstrap.servers": broker.bootstrap, "log_level": 0, "message.timeout.ms": 20000, "linger.ms": 5, **settings})


def consumer(broker, group="unused", **settings):
    settings = {key if key.endswith("_cb") else key.replace("_", "."): value for key, value in settings.items()}
    return Consumer(
        {
            "bootstrap.servers": broker.bootstrap,
            "log_level": 0,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "topic.metadata.refresh.interval.ms": 500,
            **settings,
        }
    )


# An AdminClient that is collected ends the calls that it has under way: they are kept for as long as the tests run.
_admins = {}


def admin(broker):
    if broker.bootstrap not in _admins:
        _admins[broker.bootstrap] = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    return _admins[broker.bootstrap]


def outcome(futures):
    """The single result of an admin call that was asked about one thing."""
    (future,) = futures.values()
    return future.result(timeout=20)


def create(broker, topic, partitions=1, **config):
    config = {key.replace("_", "."): str(value) for key, value in config.items()}
    outcome(admin(broker).create_topics([NewTopic(topic, partitions, 1, config=config)]))


def send(broker, topic, records, partition=None, **settings):
    """Produces (key, value) pairs or plain values and returns the acknowledged messages, in order of acknowledgement."""
    acknowledged, failed = [], []

    def delivered(error, message):
        (failed if error else acknowledged).append(error or message)

    sender = producer(broker, **settings)
    extra = {} if partition is None else {"partition": partition}
    for record in records:
        key, value = record if isinstance(record, tuple) else (None, record)
        sender.produce(topic, key=key, value=value, on_delivery=delivered, **extra)
        sender.poll(0)
    sender.flush(30)
    assert not failed, failed[0]
    assert len(acknowledged) == len(records), f"{len(acknowledged)} of {len(records)} records were acknowledged"
    return acknowledged


def refusal(broker, topic, value=b"x", key=None, **settings):
    """The error that producing one record ends with; fails if it is accepted."""
    errors = []
    sender = producer(broker, **settings)
    sender.produce(topic, value=value, key=key, on_delivery=lambda error, _: errors.append(error))
    sender.flush(30)
    assert errors and errors[0] is not None, "the record was accepted"
    return errors[0]


def take(reader, count, within=20.0):
    """Reads `count` messages from a subscribed or assigned consumer."""
    found = []
    deadline = time.monotonic() + within
    while len(found) < count:
        assert time.monotonic() < deadline, f"{len(found)} of {count} records within {within} s"
        for message in reader.consume(count - len(found), timeout=0.2):
            if message.error():
                assert message.error().code() == KafkaError._PARTITION_EOF or message.error().retriable(), message.error()
            else:
                found.append(message)
    return found


def read(broker, topic, count, partition=0, offset=0, **settings):
    """Reads `count` messages of one partition without a group."""
    reader = consumer(broker, **settings)
    try:
        reader.assign([TopicPartition(topic, partition, offset)])
        return take(reader, count)
    finally:
        reader.close()


def values(messages):
    return [message.value() for message in messages]
