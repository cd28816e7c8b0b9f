"""aiokafka, the asyncio client, with its old versions of the group requests."""

import asyncio

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from librdkafka import create


async def produce(broker, topic, records, **settings):
    sender = AIOKafkaProducer(bootstrap_servers=broker.bootstrap, **settings)
    await sender.start()
    try:
        waiting = [await sender.send(topic, value=record) for record in records]
        return [(await future).offset for future in waiting]
    finally:
        await sender.stop()


def reader(broker, *topics, **settings):
    return AIOKafkaConsumer(
        *topics, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest",
        **{"metadata_max_age_ms": 500, "enable_auto_commit": False, **settings},
    )


async def take(consumer, count, within=20):
    found = []

    async def read():
        while len(found) < count:
            found.append(await consumer.getone())

    await asyncio.wait_for(read(), within)
    return found


@pytest.mark.relies_on(4, 25)
@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
async def test_every_codec_comes_back_in_order(broker, name, codec):
    records = [b"value %d " % n + b"y" * 200 for n in range(200)]
    assert await produce(broker, name, records, compression_type=codec) == list(range(200))
    async with reader(broker, name) as consumer:
        assert [message.value for message in await take(consumer, 200)] == records


@pytest.mark.relies_on(27)
async def test_an_idempotent_producer(broker, name):
    records = [b"%d" % n for n in range(300)]
    assert await produce(broker, name, records, enable_idempotence=True, max_batch_size=200) == list(range(300))


@pytest.mark.relies_on(44, 45)
async def test_two_members_share_and_one_takes_over(broker, name):
    create(broker, name, partitions=4)

    def member():
        return reader(
            broker, name, group_id=f"{name}-group", session_timeout_ms=6000, heartbeat_interval_ms=300,
            max_poll_interval_ms=10000,
        )

    async def until_owned(*counts):
        while [len(part.assignment()) for part, _ in counts] != [count for _, count in counts]:
            await asyncio.sleep(0.05)

    first, second = member(), member()
    await first.start()
    try:
        await asyncio.wait_for(until_owned((first, 4)), 30)
        await second.start()
        try:
            await asyncio.wait_for(until_owned((first, 2), (second, 2)), 30)
        finally:
            await second.stop()
        await asyncio.wait_for(until_owned((first, 4)), 30)
    finally:
        await first.stop()


@pytest.mark.relies_on(47, 48)
async def test_a_group_goes_on_where_it_committed(broker, name):
    await produce(broker, name, [b"%d" % n for n in range(6)])
    async with reader(broker, name, group_id=f"{name}-group") as consumer:
        await take(consumer, 6)
        await consumer.commit({TopicPartition(name, 0): 4})
    async with reader(broker, name, group_id=f"{name}-group") as consumer:
        assert await consumer.committed(TopicPartition(name, 0)) == 4
        assert [message.value for message in await take(consumer, 2)] == [b"4", b"5"]


@pytest.mark.relies_on(42)
async def test_reading_starts_at_a_time_or_at_the_end(broker, name):
    sender = AIOKafkaProducer(bootstrap_servers=broker.bootstrap)
    await sender.start()
    for n in range(5):
        await sender.send_and_wait(name, b"%d" % n, timestamp_ms=1000 + n)
    await sender.stop()
    part = TopicPartition(name, 0)
    async with reader(broker) as consumer:
        consumer.assign([part])
        found = await consumer.offsets_for_times({part: 1003})
        assert found[part].offset == 3
        assert (await consumer.offsets_for_times({part: 9999}))[part] is None
        assert await consumer.end_offsets([part]) == {part: 5}
        assert await consumer.beginning_offsets([part]) == {part: 0}


@pytest.mark.relies_on(13, 51)
async def test_topics_are_made_listed_and_deleted(broker, name):
    client = AIOKafkaAdminClient(bootstrap_servers=broker.bootstrap)
    await client.start()
    try:
        await client.create_topics([NewTopic(name, 2, 1)])
        assert name in await client.list_topics()
        (described,) = await client.describe_topics([name])
        assert len(described["partitions"]) == 2
        await client.delete_topics([name])
    finally:
        await client.close()
