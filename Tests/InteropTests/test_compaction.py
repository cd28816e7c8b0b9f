"""A compacted topic keeps the last value of every key, over a crash too."""

import time

from broker import until
from confluent_kafka import KafkaError, TopicPartition
from librdkafka import consumer, create, send

KEYS = 50


def everything(broker, topic):
    """Every message of the topic's only partition, from its beginning to its end."""
    reader = consumer(broker, enable_partition_eof=True)
    reader.assign([TopicPartition(topic, 0, 0)])
    found, deadline = [], time.monotonic() + 30
    try:
        while True:
            assert time.monotonic() < deadline, f"no end after {len(found)} messages"
            for message in reader.consume(1000, timeout=0.2):
                if not message.error():
                    found.append(message)
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    return found
                else:
                    assert message.error().retriable(), message.error()
    finally:
        reader.close()


def test_the_last_value_of_every_key_stays_and_older_ones_go(private, name):
    broker = private({"log.cleaner.backoff.ms": "100"})
    create(broker, name, cleanup_policy="compact", segment_bytes=10240, min_cleanable_dirty_ratio=0.01)
    last = {}
    for number in range(60):
        records = [(b"key-%d" % key, b"%d of key %d" % (number, key) + b"." * 50) for key in range(KEYS)]
        send(broker, name, records, linger_ms=0)
        last.update(records)
    # A tombstone takes its key away for those who come later; it stays for its time itself.
    send(broker, name, [(b"key-0", None)])
    last[b"key-0"] = None
    end = 60 * KEYS + 1
    until(lambda: len(everything(broker, name)) < end / 5, "most of the old values are gone", 60, every=0.5)
    for _ in range(2):
        found = everything(broker, name)
        offsets = [message.offset() for message in found]
        assert offsets == sorted(set(offsets)) and offsets[-1] == end - 1
        assert {message.key(): message.value() for message in found} == last
        broker.crash()
