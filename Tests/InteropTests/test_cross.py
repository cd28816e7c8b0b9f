"""What one client wrote, every other one reads: each has an encoder of its own for every codec."""

import asyncio
import subprocess

import librdkafka
import pytest
import test_aiokafka
import test_kafka_python
from librdkafka import CODECS, create

RECORDS = [b"record %d " % n + bytes(97 + (n + k) % 26 for k in range(100)) for n in range(100)]


def write_with_kcat(broker, topic, codec):
    extra = [] if codec == "none" else ["-z", codec]
    subprocess.run(
        ["kcat", "-P", "-b", broker.bootstrap, "-t", topic, *extra], input=b"\n".join(RECORDS) + b"\n", check=True,
        timeout=30, capture_output=True,
    )


def read_with_kcat(broker, topic):
    done = subprocess.run(
        ["kcat", "-C", "-q", "-e", "-b", broker.bootstrap, "-t", topic], check=True, timeout=30, capture_output=True
    )
    return done.stdout.splitlines()


def read_with_kafka_python(broker, topic):
    consumer = test_kafka_python.reader(broker, topic)
    try:
        return [message.value for message in test_kafka_python.take(consumer, len(RECORDS))]
    finally:
        consumer.close()


async def read_with_aiokafka(broker, topic):
    async with test_aiokafka.reader(broker, topic) as consumer:
        return [message.value for message in await test_aiokafka.take(consumer, len(RECORDS))]


def name_for(codec):
    return None if codec == "none" else codec


WRITERS = {
    "kcat": write_with_kcat,
    "confluent": lambda broker, topic, codec: librdkafka.send(broker, topic, RECORDS, compression_type=codec),
    "kafka_python": lambda broker, topic, codec: test_kafka_python.send(
        broker, topic, RECORDS, compression_type=name_for(codec)
    ),
    "aiokafka": lambda broker, topic, codec: asyncio.run(
        test_aiokafka.produce(broker, topic, RECORDS, compression_type=name_for(codec))
    ),
}


@pytest.mark.relies_on(20, 25, 36)
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("writer", WRITERS)
def test_what_one_client_writes_the_others_read(broker, name, writer, codec):
    create(broker, name)
    WRITERS[writer](broker, name, codec)
    assert read_with_kcat(broker, name) == RECORDS
    assert librdkafka.values(librdkafka.read(broker, name, len(RECORDS))) == RECORDS
    assert read_with_kafka_python(broker, name) == RECORDS
    assert asyncio.run(read_with_aiokafka(broker, name)) == RECORDS
