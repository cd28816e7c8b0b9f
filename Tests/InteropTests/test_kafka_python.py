"""kafka-python, the client written in Python."""

import pytest
from broker import until
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import TopicAlreadyExistsError
from kafka.structs import OffsetAndMetadata
from librdkafka import create


def send(broker, topic, records, **settings):
    sender = KafkaProducer(bootstrap_servers=broker.bootstrap, **settings)
    try:
        waiting = [sender.send(topic, value=record) for record in records]
        sender.flush(30)
        return [future.get(20).offset for future in waiting]
    finally:
        sender.close()


def reader(broker, *topics, **settings):
    return KafkaConsumer(
        *topics, bootstrap_servers=broker.bootstrap, auto_offset_reset="earliest",
        **{"metadata_max_age_ms": 500, "enable_auto_commit": False, **settings},
    )


def take(consumer, count, within=20):
    found = []

    def enough():
        for messages in consumer.poll(timeout_ms=200).values():
            found.extend(messages)
        return len(found) >= count

    until(enough, f"{count} records", within)
    return found


@pytest.mark.relies_on(4, 25)
@pytest.mark.parametrize("codec", [None, "gzip", "snappy", "lz4", "zstd"])
def test_every_codec_comes_back_in_order(broker, name, codec):
    records = [b"value %d " % n + b"y" * 200 for n in range(200)]
    assert send(broker, name, records, compression_type=codec) == list(range(200))
    consumer = reader(broker, name)
    assert [message.value for message in take(consumer, 200)] == records
    consumer.close()


@pytest.mark.relies_on(22, 23)
@pytest.mark.parametrize("acks", [0, 1, "all"])
def test_every_kind_of_acknowledgement(broker, name, acks):
    create(broker, name)
    send(broker, name, [b"a", b"b"], acks=acks, enable_idempotence=False)
    consumer = reader(broker, name)
    assert [message.value for message in take(consumer, 2)] == [b"a", b"b"]
    consumer.close()


@pytest.mark.relies_on(40)
def test_a_reader_with_fetch_sessions_sees_new_records_in_every_partition(broker, name):
    create(broker, name, partitions=3)
    sender = KafkaProducer(bootstrap_servers=broker.bootstrap)
    consumer = reader(broker, enable_incremental_fetch_sessions=True)
    consumer.assign([TopicPartition(name, partition) for partition in range(3)])
    for turn in range(5):
        sender.send(name, b"%d" % turn, partition=turn % 3).get(20)
        assert [message.value for message in take(consumer, 1)] == [b"%d" % turn]
    consumer.close()
    sender.close()


@pytest.mark.relies_on(44, 45)
def test_two_members_share_and_one_takes_over(broker, name):
    create(broker, name, partitions=4)

    def member():
        return reader(
            broker, name, group_id=f"{name}-group", session_timeout_ms=6000, heartbeat_interval_ms=500,
        )

    def owned(*members):
        for consumer in members:
            consumer.poll(timeout_ms=50)
        return [len(consumer.assignment()) for consumer in members]

    first, second = member(), member()
    until(lambda: owned(first, second) == [2, 2], "both have two partitions", 40)
    second.close()
    until(lambda: owned(first) == [4], "one has them all", 30)
    first.close()


@pytest.mark.relies_on(47, 48)
def test_a_group_goes_on_where_it_committed(broker, name):
    part = TopicPartition(name, 0)
    send(broker, name, [b"%d" % n for n in range(6)])
    consumer = reader(broker, name, group_id=f"{name}-group")
    take(consumer, 6)
    consumer.commit({part: OffsetAndMetadata(4, "note", -1)})
    consumer.close()
    consumer = reader(broker, name, group_id=f"{name}-group")
    assert [message.value for message in take(consumer, 2)] == [b"4", b"5"]
    assert consumer.committed(part) == 4
    consumer.close()


@pytest.mark.relies_on(42)
def test_offsets_by_time_and_at_both_ends(broker, name):
    part = TopicPartition(name, 0)
    sender = KafkaProducer(bootstrap_servers=broker.bootstrap)
    for n in range(5):
        sender.send(name, b"%d" % n, timestamp_ms=1000 + n).get(20)
    sender.close()
    consumer = reader(broker)
    assert consumer.beginning_offsets([part]) == {part: 0}
    assert consumer.end_offsets([part]) == {part: 5}
    assert consumer.offsets_for_times({part: 1003})[part].offset == 3
    assert consumer.offsets_for_times({part: 9999})[part] is None
    consumer.close()


@pytest.mark.relies_on(13, 51)
def test_topics_are_made_listed_and_deleted(broker, name):
    client = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    try:
        client.create_topics({name: {"num_partitions": 2}})
        assert name in client.list_topics()
        with pytest.raises(TopicAlreadyExistsError):
            client.create_topics({name: {"num_partitions": 2}})
        client.delete_topics([name])
        until(lambda: name not in client.list_topics(), "the topic is gone")
    finally:
        client.close()
