"""A disk that is full (G12): writes end with a clear error, what was acknowledged stays readable."""

import os
import subprocess

import pytest
from broker import Broker
from librdkafka import consumer, create, producer, take
from confluent_kafka import TopicPartition


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 24 MB that is there for one test."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", mounted], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"making a small disk needs the right to mount: {done.stderr.strip()}")
    yield mounted
    subprocess.run(["umount", mounted], check=True)


def test_a_full_disk_ends_the_writes_and_nothing_that_was_acknowledged(small_disk, tmp_path, name):
    broker = Broker(small_disk, {})
    broker.log = tmp_path / "broker.log"
    broker.start()
    try:
        create(broker, name)
        acknowledged, failed = {}, []

        def delivered(error, message):
            if error:
                failed.append(error)
            else:
                acknowledged[message.offset()] = message.value()

        sender = producer(broker, message_timeout_ms=3000)
        for _ in range(4000):
            sender.produce(name, os.urandom(10_000), on_delivery=delivered)
            sender.poll(0)
        sender.flush(20)
        assert failed and acknowledged, f"{len(failed)} failed, {len(acknowledged)} were acknowledged"
        reader = consumer(broker)
        reader.assign([TopicPartition(name, 0, 0)])
        found = {message.offset(): message.value() for message in take(reader, len(acknowledged))}
        reader.close()
        assert all(found.get(offset) == value for offset, value in acknowledged.items())
        assert "No space left on device" in broker.log.read_text()
    finally:
        broker.kill()
