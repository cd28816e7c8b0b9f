"""What is still there after a clean stop and after SIGKILL."""

import time

import pytest
from broker import until
from confluent_kafka import ConsumerGroupTopicPartitions, TopicCollection, TopicPartition
from confluent_kafka.admin import ConfigResource, ResourceType
from librdkafka import CODECS, admin, consumer, create, outcome, read, send, values

ENDINGS = {"clean stop": lambda broker: broker.restart(), "SIGKILL": lambda broker: broker.crash()}
both_endings = pytest.mark.parametrize("again", ENDINGS.values(), ids=["clean-stop", "sigkill"])


def described(broker, topic):
    return outcome(admin(broker).describe_topics(TopicCollection([topic])))


def epochs(broker, topic):
    """The leader epochs that a reader is told with the records."""
    return [message.leader_epoch() for message in read(broker, topic, 1)]


@both_endings
def test_records_of_every_codec_are_there(private, name, again):
    broker = private()
    records = [b"%d" % n + b"x" * 100 for n in range(200)]
    for codec in CODECS:
        send(broker, f"{name}-{codec}", records, compression_type=codec)
    again(broker)
    for codec in CODECS:
        assert values(read(broker, f"{name}-{codec}", 200)) == records
        (next_one,) = send(broker, f"{name}-{codec}", [b"after"])
        assert next_one.offset() == 200


@both_endings
def test_a_broker_that_is_alone_leads_its_partitions_for_longer_than_a_session(private, name, again):
    session = 0.3
    broker = private({"broker.session.timeout.ms": int(session * 1000), "broker.heartbeat.interval.ms": 100})
    send(broker, name, [b"before"])
    again(broker)
    time.sleep(3 * session)
    (after,) = send(broker, name, [b"after"])
    assert after.offset() == 1
    assert len(admin(broker).list_topics(timeout=10).brokers) == 1


@both_endings
def test_topics_keep_their_ids_partitions_and_settings(private, name, again):
    broker = private()
    create(broker, name, partitions=5, retention_ms=123456, cleanup_policy="compact")
    before = described(broker, name)
    cluster = admin(broker).describe_cluster().result(timeout=20).cluster_id
    again(broker)
    after = described(broker, name)
    assert str(after.topic_id) == str(before.topic_id)
    assert [part.id for part in after.partitions] == list(range(5))
    settings = outcome(admin(broker).describe_configs([ConfigResource(ResourceType.TOPIC, name)]))
    assert settings["retention.ms"].value == "123456" and settings["cleanup.policy"].value == "compact"
    assert admin(broker).describe_cluster().result(timeout=20).cluster_id == cluster


@both_endings
def test_a_deleted_topic_stays_deleted(private, name, again):
    broker = private()
    send(broker, name, [b"gone"])
    outcome(admin(broker).delete_topics([name]))
    again(broker)
    assert name not in admin(broker).list_topics(timeout=10).topics
    create(broker, name)
    (first,) = send(broker, name, [b"new"])
    assert first.offset() == 0


@both_endings
@pytest.mark.relies_on(47, 48)
def test_committed_offsets_are_there(private, name, again):
    broker = private()
    send(broker, name, [b"%d" % n for n in range(10)])
    group = f"{name}-group"
    reader = consumer(broker, group)
    reader.assign([TopicPartition(name, 0)])
    for offset in (3, 8, 6):
        reader.commit(offsets=[TopicPartition(name, 0, offset, metadata=f"at {offset}")], asynchronous=False)
    reader.close()
    again(broker)
    found = outcome(admin(broker).list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))
    assert [(part.topic, part.partition, part.offset) for part in found.topic_partitions] == [(name, 0, 6)]


@both_endings
@pytest.mark.relies_on(54)
def test_deleted_records_stay_deleted(private, name, again):
    broker = private()
    send(broker, name, [b"%d" % n for n in range(10)])
    outcome(admin(broker).delete_records([TopicPartition(name, 0, 6)]))
    again(broker)
    assert values(read(broker, name, 4)) == [b"6", b"7", b"8", b"9"]


@both_endings
@pytest.mark.relies_on(16)
def test_leader_epochs_never_go_back(private, name, again):
    broker = private()
    send(broker, name, [b"x"])
    seen = epochs(broker, name)
    for _ in range(3):
        again(broker)
        (message,) = send(broker, name, [b"x"])
        reader = read(broker, name, 1, offset=message.offset())
        seen.append(reader[0].leader_epoch())
    assert seen == sorted(seen) and seen[0] >= 0


@both_endings
@pytest.mark.relies_on(44, 46)
def test_members_find_their_group_again(private, name, again):
    broker = private()
    create(broker, name, partitions=2)
    reader = consumer(
        broker, f"{name}-group", session_timeout_ms=10000, heartbeat_interval_ms=500, reconnect_backoff_max_ms=500
    )
    reader.subscribe([name])
    until(lambda: (reader.poll(0.1), len(reader.assignment()))[1] == 2, "the member has its partitions", 30)
    again(broker)
    send(broker, name, [b"after"], partition=1)
    found = []

    def read_it():
        message = reader.poll(0.2)
        if message is not None and not message.error():
            found.append(message.value())
        return found

    until(read_it, "the member reads on by itself", 40)
    assert found == [b"after"]
    reader.close()


def test_a_torn_tail_is_cut_off_and_nothing_before_it(private, name):
    broker = private()
    send(broker, name, [b"%d" % n for n in range(20)], batch_num_messages=1, linger_ms=0)
    broker.kill()
    (log,) = (broker.data / f"{name}-0").glob("*.log")
    whole = log.read_bytes()
    log.write_bytes(whole + whole[-40:-10])
    broker.start()
    assert values(read(broker, name, 20)) == [b"%d" % n for n in range(20)]
    (message,) = send(broker, name, [b"after"])
    assert message.offset() == 20


def test_indexes_that_are_gone_are_made_again(private, name):
    broker = private({"log.index.interval.bytes": "100"})
    send(broker, name, [b"%03d" % n for n in range(200)], batch_num_messages=5, linger_ms=0)
    assert broker.stop() == 0
    for ending in ("*.index", "*.timeindex", "*.snapshot"):
        for path in (broker.data / f"{name}-0").glob(ending):
            path.unlink()
    broker.start()
    assert values(read(broker, name, 50, offset=150)) == [b"%03d" % n for n in range(150, 200)]


def test_segments_roll_and_old_ones_are_deleted(private, name):
    broker = private({"log.retention.check.interval.ms": "100", "log.segment.delete.delay.ms": "0"})
    create(broker, name, segment_bytes=1048576, retention_bytes=2097152)
    send(broker, name, [b"x" * 10000] * 800, linger_ms=20)
    client = consumer(broker)

    def low():
        return client.get_watermark_offsets(TopicPartition(name, 0), timeout=10)[0]

    until(lambda: low() > 0, "the log start has moved", 30)
    assert len(values(read(broker, name, 10, offset=low()))) == 10
    broker.crash()
    client.close()
    client = consumer(broker)
    assert low() > 0
    client.close()
