"""What the tests of mirrors do with clusters and with the tool."""

import json
import time

import pytest
from broker import run, until
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

_admins, _consumers = {}, {}


def admin(broker):
    """Kept, since what it was asked for ends with it."""
    if broker.bootstrap not in _admins:
        _admins[broker.bootstrap] = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    return _admins[broker.bootstrap]


def consumer(broker):
    """Without a group of its own: it is told what to read."""
    if broker.bootstrap not in _consumers:
        _consumers[broker.bootstrap] = Consumer(
            {"bootstrap.servers": broker.bootstrap, "group.id": "none", "enable.partition.eof": True, "log_level": 0,
             "enable.auto.commit": False, "reconnect.backoff.max.ms": 500, "isolation.level": "read_uncommitted"}
        )
    return _consumers[broker.bootstrap]


@pytest.fixture(autouse=True)
def clients_end_with_their_test():
    yield
    _admins.clear()
    for one in _consumers.values():
        one.close()
    _consumers.clear()


def make_topic(broker, name, partitions=1, **config):
    topic = NewTopic(name, partitions, config={key.replace("_", "."): str(value) for key, value in config.items()})
    admin(broker).create_topics([topic])[name].result(20)


def make_again(broker, name):
    """Whether the topic could be made: with ZooKeeper a name is taken a little longer than the topic is shown."""
    try:
        make_topic(broker, name)
        return True
    except KafkaException as error:
        assert error.args[0].code() == KafkaError.TOPIC_ALREADY_EXISTS, error
        return False


def write(broker, topic, values, partition=0, **config):
    errors = []
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5, **config})
    for value in values:
        producer.produce(
            topic, value, key=f"k{len(value) % 7}", partition=partition, on_delivery=lambda e, _: e and errors.append(e)
        )
        producer.poll(0)
    assert producer.flush(30) == 0
    assert not errors, errors


def read(broker, topic, partition=0, within=30):
    """(offset, key, value, timestamp) of every record up to the end."""
    reader = consumer(broker)
    reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    found = []
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        message = reader.poll(0.5)
        if message is None:
            continue
        if message.error():
            if message.error().code() == KafkaError._PARTITION_EOF:
                break
            continue
        found.append((message.offset(), message.key(), message.value(), message.timestamp()))
    reader.unassign()
    return found


def ends(broker, topic, partition=0):
    """(low, high), or None while nobody can say. What is open in a transaction counts."""
    try:
        return consumer(broker).get_watermark_offsets(TopicPartition(topic, partition), timeout=5)
    except KafkaException:
        # What it knows of the cluster may be old.
        try:
            consumer(broker).list_topics(topic, timeout=5)
        except KafkaException:
            pass
        return None


def segments(broker, topic, partition=0):
    """The bytes of every segment, one after the other."""
    folder = broker.data / f"{topic}-{partition}"
    return b"".join(path.read_bytes() for path in sorted(folder.glob("*.log")))


def tool(*arguments, fails=False, within=90):
    done = run(*arguments, within=within)
    assert (done.returncode != 0) == fails, (done.stdout, done.stderr)
    return done.stderr if fails else done.stdout


def mirror(source, target, *options, name="eu"):
    tool("mirrors", "create", name, "--source", source.bootstrap, *options, "--bootstrap-server", target.bootstrap)


def status(target, name="eu"):
    return json.loads(tool("mirrors", "status", name, "-o", "json", "--bootstrap-server", target.bootstrap))[0]


def partition_status(target, partition, name="eu"):
    return next((p for p in status(target, name)["partitions"] if p["partition"] == partition), None)


def await_copy(source, target, topic, partition=0, within=30):
    def same():
        there, here = ends(source, topic, partition), ends(target, topic, partition)
        return there is not None and there == here

    until(same, f"{topic}-{partition} is copied; {ends(source, topic, partition)}, {target.tail()}", within, every=0.1)


@pytest.fixture
def pair(private):
    return private(), private()


def alter_mirror(target, name, key, value):
    tool("configs", "set", "mirror", name, f"{key}={value}", "--bootstrap-server", target.bootstrap)


def kept(target, key, name="eu"):
    """What the metadata says of a partition."""
    shown = tool("configs", "describe", "mirror", name, "-o", "json", "--bootstrap-server", target.bootstrap)
    return next((entry["value"] for entry in json.loads(shown) if entry["key"] == key), "")


def committed(broker, group, *partitions):
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group, "log_level": 0})
    try:
        return [p.offset for p in reader.committed(list(partitions), timeout=10)]
    except KafkaException:
        return None
    finally:
        reader.close()


def commit(broker, group, *partitions):
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group, "enable.auto.commit": False})
    reader.commit(offsets=list(partitions), asynchronous=False)
    reader.close()


def failback(target, *options, name, fails=False):
    shown = tool("mirrors", "failback", name, *options, "-o", "json", "--bootstrap-server", target.bootstrap, fails=fails)
    return shown if fails else json.loads(shown)
