"""confluent-kafka's AdminClient: topics, configuration, groups, offsets."""

import pytest
from broker import until
from confluent_kafka import ConsumerGroupTopicPartitions, KafkaError, KafkaException, TopicCollection, TopicPartition
from confluent_kafka import ConsumerGroupState, IsolationLevel
from confluent_kafka.admin import (
    AlterConfigOpType, ConfigEntry, ConfigResource, NewPartitions, NewTopic, OffsetSpec, ResourceType,
)
from librdkafka import admin, consumer, create, outcome, read, send, take, values


def refused(futures):
    with pytest.raises(KafkaException) as error:
        outcome(futures)
    return error.value.args[0].code()


def described(broker, topic):
    found = admin(broker).describe_topics(TopicCollection([topic]))
    return outcome(found)


def settings(broker, topic):
    return outcome(admin(broker).describe_configs([ConfigResource(ResourceType.TOPIC, topic)]))


def change(broker, topic, operation, name, value=None):
    entry = ConfigEntry(name, value, incremental_operation=operation)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    return admin(broker).incremental_alter_configs([resource])


@pytest.mark.relies_on(18, 51)
def test_a_topic_is_made_described_and_deleted(broker, name):
    create(broker, name, partitions=3)
    topic = described(broker, name)
    assert [part.id for part in topic.partitions] == [0, 1, 2]
    assert all(part.leader and part.replicas and part.isr for part in topic.partitions)
    assert str(topic.topic_id)
    outcome(admin(broker).delete_topics([name]))
    until(lambda: name not in admin(broker).list_topics(timeout=10).topics, "the topic is gone")
    until(lambda: not list(broker.data.glob(f"{name}-[0-9]")), "its folders are gone or set aside")


@pytest.mark.relies_on(18)
def test_a_topic_that_is_made_again_is_another_topic(broker, name):
    send(broker, name, [b"old"])
    old = described(broker, name).topic_id
    outcome(admin(broker).delete_topics([name]))
    until(lambda: name not in admin(broker).list_topics(timeout=10).topics, "the topic is gone")
    create(broker, name)
    assert str(described(broker, name).topic_id) != str(old)
    send(broker, name, [b"new"])
    assert values(read(broker, name, 1)) == [b"new"]


@pytest.mark.relies_on(51)
def test_what_cannot_be_made_is_refused_each_with_its_own_error(broker, name):
    client = admin(broker)
    create(broker, name)

    def code(topic, partitions=1, replication=1, **config):
        config = {key.replace("_", "."): value for key, value in config.items()}
        return refused(client.create_topics([NewTopic(topic, partitions, replication, config=config)]))

    assert code(name) == KafkaError.TOPIC_ALREADY_EXISTS
    assert code(f"{name}-a", partitions=0) == KafkaError.INVALID_PARTITIONS
    assert code(f"{name}-b", replication=99) == KafkaError.INVALID_REPLICATION_FACTOR
    assert code(f"{name}-c", no_such_key="1") == KafkaError.INVALID_CONFIG
    assert code(f"{name}-d", retention_ms="soon") == KafkaError.INVALID_CONFIG
    assert code("a/b") == KafkaError.TOPIC_EXCEPTION
    assert code("..") == KafkaError.TOPIC_EXCEPTION
    assert code("x" * 250) == KafkaError.TOPIC_EXCEPTION
    assert refused(client.delete_topics([f"{name}-nowhere"])) == KafkaError.UNKNOWN_TOPIC_OR_PART


@pytest.mark.relies_on(51)
def test_asking_whether_a_topic_could_be_made_makes_nothing(broker, name):
    client = admin(broker)
    outcome(client.create_topics([NewTopic(name, 2, 1)], validate_only=True))
    assert name not in client.list_topics(timeout=10).topics


@pytest.mark.relies_on(51)
def test_defaults_are_used_for_what_is_not_said(broker, name):
    outcome(admin(broker).create_topics([NewTopic(name)]))
    assert len(described(broker, name).partitions) == 1


@pytest.mark.relies_on(19, 51)
def test_partitions_are_added_and_never_taken_away(broker, name):
    create(broker, name, partitions=2)
    outcome(admin(broker).create_partitions([NewPartitions(name, 5)]))
    until(lambda: len(described(broker, name).partitions) == 5, "five partitions are there")
    assert refused(admin(broker).create_partitions([NewPartitions(name, 3)])) == KafkaError.INVALID_PARTITIONS
    send(broker, name, [b"x"], partition=4)
    assert values(read(broker, name, 1, partition=4)) == [b"x"]


@pytest.mark.relies_on(52)
def test_settings_are_set_read_and_taken_back(broker, name):
    create(broker, name, retention_ms=60000)
    assert settings(broker, name)["retention.ms"].value == "60000"
    assert not settings(broker, name)["retention.ms"].is_default
    outcome(change(broker, name, AlterConfigOpType.SET, "retention.ms", "120000"))
    until(lambda: settings(broker, name)["retention.ms"].value == "120000", "the new value is seen")
    outcome(change(broker, name, AlterConfigOpType.DELETE, "retention.ms"))
    until(lambda: settings(broker, name)["retention.ms"].value == "604800000", "the default is back")


@pytest.mark.relies_on(52)
def test_lists_of_values_grow_and_shrink(broker, name):
    create(broker, name, cleanup_policy="delete")

    def policy():
        return set(settings(broker, name)["cleanup.policy"].value.split(","))

    outcome(change(broker, name, AlterConfigOpType.APPEND, "cleanup.policy", "compact"))
    until(lambda: policy() == {"delete", "compact"}, "both policies are there")
    outcome(change(broker, name, AlterConfigOpType.SUBTRACT, "cleanup.policy", "delete"))
    until(lambda: policy() == {"compact"}, "one policy is left")


@pytest.mark.relies_on(52)
def test_settings_that_do_not_exist_or_make_no_sense_are_refused(broker, name):
    create(broker, name)
    assert refused(change(broker, name, AlterConfigOpType.SET, "no.such.key", "1")) == KafkaError.INVALID_CONFIG
    assert refused(change(broker, name, AlterConfigOpType.SET, "retention.ms", "soon")) == KafkaError.INVALID_CONFIG
    assert refused(change(broker, name, AlterConfigOpType.APPEND, "retention.ms", "5")) == KafkaError.INVALID_CONFIG


@pytest.mark.relies_on(52)
def test_the_brokers_own_settings_can_be_read(broker):
    (node,) = outcome_of_cluster(broker).nodes
    found = outcome(admin(broker).describe_configs([ConfigResource(ResourceType.BROKER, str(node.id))]))
    assert found["node.id"].value == str(node.id)
    assert found["node.id"].is_read_only
    assert found["log.dirs"].value == broker.overrides["log.dirs"]


def outcome_of_cluster(broker):
    return admin(broker).describe_cluster().result(timeout=20)


@pytest.mark.relies_on(17)
def test_the_cluster_describes_itself(broker):
    cluster = outcome_of_cluster(broker)
    assert cluster.cluster_id
    assert [f"{node.host}:{node.port}" for node in cluster.nodes] == [broker.bootstrap]
    assert cluster.controller.id == cluster.nodes[0].id
    assert admin(broker).list_topics(timeout=10).cluster_id == cluster.cluster_id


@pytest.mark.relies_on(49)
def test_groups_are_listed_described_and_deleted(broker, name):
    create(broker, name, partitions=2)
    group = f"{name}-group"
    reader = consumer(broker, group, client_id="a-reader", session_timeout_ms=6000, heartbeat_interval_ms=500)
    reader.subscribe([name])
    until(lambda: (reader.poll(0.1), len(reader.assignment()))[1] == 2, "the member has its partitions", 30)
    client = admin(broker)
    listed = client.list_consumer_groups().result(timeout=20)
    assert listed.errors == []
    assert [known.state for known in listed.valid if known.group_id == group] == [ConsumerGroupState.STABLE]
    found = outcome(client.describe_consumer_groups([group]))
    assert found.state == ConsumerGroupState.STABLE
    (known,) = found.members
    assert known.client_id == "a-reader"
    assert {(part.topic, part.partition) for part in known.assignment.topic_partitions} == {(name, 0), (name, 1)}
    assert refused(client.delete_consumer_groups([group])) == KafkaError.NON_EMPTY_GROUP
    reader.close()
    until(lambda: outcome(client.describe_consumer_groups([group])).state == ConsumerGroupState.EMPTY, "it is empty")
    outcome(client.delete_consumer_groups([group]))
    assert group not in [known.group_id for known in client.list_consumer_groups().result(timeout=20).valid]


@pytest.mark.relies_on(49)
def test_a_group_that_never_was_is_dead_or_not_found(broker, name):
    client = admin(broker)
    try:
        assert outcome(client.describe_consumer_groups([name])).state == ConsumerGroupState.DEAD
    except KafkaException as error:
        assert error.args[0].code() == KafkaError.GROUP_ID_NOT_FOUND
    assert refused(client.delete_consumer_groups([name])) == KafkaError.GROUP_ID_NOT_FOUND


@pytest.mark.relies_on(47, 48)
def test_offsets_of_a_group_are_read_and_moved(broker, name):
    send(broker, name, [b"%d" % n for n in range(10)])
    client, group = admin(broker), f"{name}-group"
    outcome(client.alter_consumer_group_offsets([ConsumerGroupTopicPartitions(group, [TopicPartition(name, 0, 6)])]))
    found = outcome(client.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)]))
    assert [(part.topic, part.offset) for part in found.topic_partitions] == [(name, 6)]
    reader = consumer(broker, group)
    reader.subscribe([name])
    assert values(take(reader, 4, within=30)) == [b"6", b"7", b"8", b"9"]
    reader.close()


@pytest.mark.relies_on(54)
def test_records_are_deleted_up_to_an_offset(broker, name):
    send(broker, name, [b"%d" % n for n in range(10)])
    client = admin(broker)
    assert outcome(client.delete_records([TopicPartition(name, 0, 7)])).low_watermark == 7
    assert values(read(broker, name, 3)) == [b"7", b"8", b"9"]
    assert outcome(client.delete_records([TopicPartition(name, 0, -1)])).low_watermark == 10
    assert refused(client.delete_records([TopicPartition(name, 0, 50)])) == KafkaError.OFFSET_OUT_OF_RANGE


@pytest.mark.relies_on(42)
def test_offsets_are_listed_by_what_is_wanted(broker, name):
    create(broker, name)
    from librdkafka import producer

    sender = producer(broker)
    for stamp in (1000, 3000, 2000):
        sender.produce(name, value=b"x", timestamp=stamp)
        assert sender.flush(20) == 0

    def offset(spec):
        found = admin(broker).list_offsets({TopicPartition(name, 0): spec}, isolation_level=IsolationLevel.READ_UNCOMMITTED)
        return outcome(found).offset

    assert offset(OffsetSpec.earliest()) == 0
    assert offset(OffsetSpec.latest()) == 3
    assert offset(OffsetSpec.max_timestamp()) == 1
    assert offset(OffsetSpec.for_timestamp(1500)) == 1
    assert offset(OffsetSpec.for_timestamp(9999)) == -1


@pytest.mark.relies_on(13)
def test_one_bad_topic_does_not_spoil_the_answer_for_a_good_one(broker, name):
    create(broker, name)
    found = admin(broker).describe_topics(TopicCollection([name, f"{name}-nowhere"]))
    assert found[name].result(timeout=20).name == name
    with pytest.raises(KafkaException) as error:
        found[f"{name}-nowhere"].result(timeout=20)
    assert error.value.args[0].code() == KafkaError.UNKNOWN_TOPIC_OR_PART
