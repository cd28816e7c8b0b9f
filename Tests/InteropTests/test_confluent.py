"""confluent-kafka with its own librdkafka: producing and consuming."""

import time

import pytest
from confluent_kafka import KafkaError, TopicPartition
from librdkafka import CODECS, admin, consumer, create, producer, read, refusal, send, take, values


@pytest.mark.relies_on(1, 4, 20, 25, 36)
@pytest.mark.parametrize("codec", CODECS)
@pytest.mark.parametrize("idempotent", [False, True], ids=["plain", "idempotent"])
def test_every_codec_comes_back_in_order(broker, name, codec, idempotent):
    records = [(str(n).encode(), b"value %d " % n + b"y" * 300) for n in range(500)]
    send(broker, name, records, compression_type=codec, enable_idempotence=idempotent)
    found = read(broker, name, 500)
    assert [(message.key(), message.value()) for message in found] == records
    assert [message.offset() for message in found] == list(range(500))


@pytest.mark.parametrize("acks", ["0", "1", "all"])
@pytest.mark.relies_on(22, 23)
def test_every_kind_of_acknowledgement(broker, name, acks):
    create(broker, name)
    send(broker, name, [b"%d" % n for n in range(50)], acks=acks)
    assert values(read(broker, name, 50)) == [b"%d" % n for n in range(50)]


@pytest.mark.relies_on(1, 27)
def test_an_idempotent_producer_with_many_requests_in_flight_keeps_the_order(broker, name):
    records = [b"%06d" % n for n in range(20000)]
    send(
        broker, name, records, enable_idempotence=True, batch_num_messages=50, linger_ms=0,
        max_in_flight_requests_per_connection=5,
    )
    assert values(read(broker, name, 20000)) == records


@pytest.mark.relies_on(20)
def test_headers_keys_nulls_and_empty_values_survive(broker, name):
    sender = producer(broker)
    sender.produce(name, key=b"k", value=b"", headers=[("a", b"1"), ("a", None), ("", b"\xff")])
    sender.produce(name, key=None, value=None)
    assert sender.flush(20) == 0
    first, second = read(broker, name, 2)
    assert (first.key(), first.value()) == (b"k", b"")
    assert first.headers() == [("a", b"1"), ("a", None), ("", b"\xff")]
    assert (second.key(), second.value(), second.headers()) == (None, None, None)


def test_partitions_are_chosen_by_key_and_all_are_used(broker, name):
    create(broker, name, partitions=6)
    sent = send(broker, name, [(b"key %d" % (n % 40), b"%d" % n) for n in range(400)])
    partitions = {}
    for message in sent:
        partitions.setdefault(message.key(), set()).add(message.partition())
    assert all(len(found) == 1 for found in partitions.values())
    assert len(set.union(*partitions.values())) > 1


@pytest.mark.relies_on(42)
def test_reading_starts_at_the_beginning_the_end_or_a_time(broker, name):
    create(broker, name)
    sender = producer(broker)
    for n in range(10):
        sender.produce(name, value=b"%d" % n, timestamp=1_000_000 + n * 1000)
    assert sender.flush(20) == 0
    reader = consumer(broker)
    assert reader.get_watermark_offsets(TopicPartition(name, 0), timeout=10) == (0, 10)

    def at(time):
        (found,) = reader.offsets_for_times([TopicPartition(name, 0, time)], timeout=10)
        assert found.error is None
        return found.offset

    assert at(0) == 0
    assert at(1_004_000) == 4
    assert at(1_004_001) == 5
    # librdkafka shows "no record that late" as the end.
    assert at(99_000_000) == -1
    reader.close()
    assert values(read(broker, name, 6, offset=4)) == [b"%d" % n for n in range(4, 10)]


def test_a_reader_at_the_end_sees_only_what_comes_after(broker, name):
    send(broker, name, [b"old"])
    reader = consumer(broker, auto_offset_reset="latest", enable_partition_eof=True)
    reader.assign([TopicPartition(name, 0)])
    ended = reader.poll(20)
    assert ended.error().code() == KafkaError._PARTITION_EOF and ended.offset() == 1
    send(broker, name, [b"new"])
    assert values(take(reader, 1)) == [b"new"]
    reader.close()


@pytest.mark.relies_on(34, 38)
def test_an_idle_reader_waits_and_does_not_ask_in_circles(broker, name):
    create(broker, name)
    reader = consumer(broker, fetch_wait_max_ms=500, enable_partition_eof=True)
    reader.assign([TopicPartition(name, 0, 0)])
    assert reader.poll(20).error().code() == KafkaError._PARTITION_EOF
    before, began = broker.cpu_seconds(), time.monotonic()
    assert reader.poll(2) is None
    assert time.monotonic() - began >= 1.9
    assert broker.cpu_seconds() - before < 0.5
    reader.close()


@pytest.mark.relies_on(34)
def test_a_waiting_reader_gets_a_record_as_soon_as_it_is_there(broker, name):
    create(broker, name)
    reader = consumer(broker, fetch_wait_max_ms=10000, enable_partition_eof=True)
    reader.assign([TopicPartition(name, 0, 0)])
    assert reader.poll(20).error().code() == KafkaError._PARTITION_EOF
    send(broker, name, [b"now"])
    began = time.monotonic()
    assert values(take(reader, 1)) == [b"now"]
    assert time.monotonic() - began < 5
    reader.close()


@pytest.mark.relies_on(35)
def test_a_batch_larger_than_the_reader_asked_for_still_arrives(broker, name):
    send(broker, name, [b"z" * 500_000])
    (message,) = read(broker, name, 1, fetch_message_max_bytes=1000, fetch_max_bytes=1_000_000, message_max_bytes=1_000_000)
    assert len(message.value()) == 500_000


@pytest.mark.relies_on(35)
def test_a_busy_partition_does_not_starve_the_others(broker, name):
    create(broker, name, partitions=3)
    send(broker, name, [b"b" * 100_000] * 100, partition=0)
    for partition in (1, 2):
        send(broker, name, [b"small"], partition=partition)
    reader = consumer(broker, fetch_message_max_bytes=200_000, fetch_max_bytes=1_100_000)
    reader.assign([TopicPartition(name, partition, 0) for partition in range(3)])
    found = take(reader, 102)
    assert {message.partition() for message in found} == {0, 1, 2}
    reader.close()


@pytest.mark.relies_on(37)
def test_an_offset_that_does_not_exist_is_reported_or_reset(broker, name):
    send(broker, name, [b"a", b"b"])
    strict = consumer(broker, auto_offset_reset="error")
    strict.assign([TopicPartition(name, 0, 500)])
    message = strict.poll(20)
    assert message is not None and message.error().code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE)
    strict.close()
    assert values(read(broker, name, 2, offset=500)) == [b"a", b"b"]


@pytest.mark.relies_on(14)
def test_a_topic_is_made_by_its_first_record(broker, name):
    assert name not in admin(broker).list_topics(timeout=10).topics
    send(broker, name, [b"first"])
    assert values(read(broker, name, 1)) == [b"first"]


@pytest.mark.relies_on(14)
def test_no_topic_is_made_when_the_broker_forbids_it(private, name):
    broker = private({"auto.create.topics.enable": "false"})
    error = refusal(broker, name, message_timeout_ms=5000, topic_metadata_propagation_max_ms=500)
    assert error.code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC, KafkaError._MSG_TIMED_OUT)
    assert list((broker.data).glob(f"{name}-*")) == []


@pytest.mark.relies_on(14)
def test_a_name_that_no_topic_can_have_is_refused_at_once(broker):
    error = refusal(broker, "no spaces/or slashes", message_timeout_ms=10000)
    assert error.code() == KafkaError.TOPIC_EXCEPTION


@pytest.mark.relies_on(22)
def test_a_record_that_is_too_large_is_refused_and_the_next_one_is_not(broker, name):
    create(broker, name, max_message_bytes=2000)
    assert refusal(broker, name, b"x" * 5000).code() == KafkaError.MSG_SIZE_TOO_LARGE
    send(broker, name, [b"small"])
    assert values(read(broker, name, 1)) == [b"small"]


@pytest.mark.relies_on(24)
def test_a_compacted_topic_wants_keys(broker, name):
    create(broker, name, cleanup_policy="compact")
    assert refusal(broker, name, b"no key").code() == KafkaError.INVALID_RECORD
    send(broker, name, [(b"key", b"value")])
    assert values(read(broker, name, 1)) == [b"value"]


@pytest.mark.relies_on(21)
def test_the_broker_stamps_records_when_the_topic_says_so(broker, name):
    create(broker, name, message_timestamp_type="LogAppendTime")
    before = int(time.time() * 1000)
    sender = producer(broker)
    acknowledged = []
    sender.produce(name, value=b"x", timestamp=1000, on_delivery=lambda error, message: acknowledged.append(message))
    assert sender.flush(20) == 0
    (message,) = read(broker, name, 1)
    kind, stamp = message.timestamp()
    assert kind == 2 and before <= stamp <= int(time.time() * 1000)
    assert acknowledged[0].timestamp()[1] == stamp


@pytest.mark.relies_on(21)
def test_a_record_from_the_future_is_refused(broker, name):
    create(broker, name)
    errors = []
    sender = producer(broker)
    tomorrow = int(time.time() * 1000) + 24 * 3600 * 1000
    sender.produce(name, value=b"x", timestamp=tomorrow, on_delivery=lambda error, _: errors.append(error))
    assert sender.flush(20) == 0
    assert errors[0].code() == KafkaError.INVALID_TIMESTAMP


@pytest.mark.relies_on(14)
def test_an_unknown_topic_is_an_error_for_a_reader(broker, name):
    reader = consumer(broker, allow_auto_create_topics=False)
    reader.subscribe([name])
    message = reader.poll(20)
    assert message is not None and message.error().code() in (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)
    reader.close()
