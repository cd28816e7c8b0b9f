"""What administrators do to a cluster while producers go on."""

import re
import subprocess
import time
import urllib.request

import pytest
from broker import binary, free_port, until
from confluent_kafka import Consumer, KafkaError, TopicPartition
from history import Writer, check, read_back
from kafka import TopicPartition as KafkaTopicPartition
from kafka.admin import KafkaAdminClient
from librdkafka import outcome, send
from confluent_kafka.admin import ConfigResource, ConfigEntry, AlterConfigOpType


def old_admin(cluster):
    return KafkaAdminClient(bootstrap_servers=cluster.bootstrap.split(","), request_timeout_ms=20000)


def in_sync(cluster, topic, nodes, partitions):
    for p in range(partitions):
        cluster.until_in_sync(topic, nodes, p)


def test_replicas_move_to_other_brokers_under_load(cluster, name):
    five = cluster(brokers=["eu", "us"])
    five.create(name, partitions=2, replicas=3, min_insync_replicas=2)
    writer = Writer(five.bootstrap, name, partitions=2).start()
    writer.await_more(300)
    admin = old_admin(five)
    for target in ([3, 4, 5], [1, 2, 4], [5, 1, 3]):
        admin.alter_partition_reassignments({KafkaTopicPartition(name, p): target for p in range(2)})
        for p in range(2):
            until(lambda: list(five.partitions(name)[p].replicas) == target, f"{name}-{p} is on {target}", 40, every=0.1)
            five.until_in_sync(name, target, p)
        assert not admin.list_partition_reassignments()
        writer.await_more(50)
    # Nobody but the replicas keeps a folder of it.
    until(lambda: not (five[2].data / f"{name}-0").exists(), "the folder of a replica that left is gone", 20)
    writer.stop()
    admin.close()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(five.bootstrap, name, 2))


def epochs(cluster, topic, partition):
    """Those of leaders and those of producers, of all batches of a partition as its first node has them."""
    found = ""
    for file in sorted((cluster[1].data / f"{topic}-{partition}").glob("*.log")):
        found += subprocess.run([binary(), "log", "dump", file], capture_output=True, text=True, check=True).stdout
    return tuple(set(map(int, re.findall(kind, found))) for kind in (r"  epoch (\d+)  ", r" producer \d+ epoch (\d+) "))


def test_leaders_that_change_under_load_leave_producers_their_epoch(cluster, name):
    """librdkafka begins a new one where a batch is out of order behind one that it was told to send again, and under the new one
    it sends again what other partitions have already."""
    three, partitions = cluster(), 6
    three.create(name, partitions=partitions, min_insync_replicas=2)
    writer = Writer(three.bootstrap, name, partitions, pause=0.0001).start()
    writer.await_more(300)
    admin = old_admin(three)
    for turn in range(30):
        moved = {p: [(node + p + turn) % 3 + 1 for node in range(3)] for p in range(partitions)}
        admin.alter_partition_reassignments({KafkaTopicPartition(name, p): to for p, to in moved.items()})
        run = [binary(), "topics", "elect", name, "--bootstrap-server", three.bootstrap]
        subprocess.run(run, capture_output=True, check=True)
        writer.await_more(100)
    writer.stop()
    admin.close()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(three.bootstrap, name, partitions))
    in_sync(three, name, [1, 2, 3], partitions)
    for p in range(partitions):
        of_leaders, of_producers = epochs(three, name, p)
        assert len(of_leaders) > 10 and of_producers == {0}, (p, of_leaders, of_producers)


def set_config(cluster, kind, resource, key, value):
    how = AlterConfigOpType.DELETE if value is None else AlterConfigOpType.SET
    change = ConfigResource(
        kind, resource, incremental_configs=[ConfigEntry(key, value, incremental_operation=how)]
    )
    outcome(cluster.admin.incremental_alter_configs([change]))


@pytest.mark.parametrize("side", ["leader", "follower"])
def test_a_reassignment_keeps_to_its_rate_and_holds_up_no_other_topic(cluster, name, side):
    three = cluster()
    three.create(name, replicas=1)
    three.create("other", min_insync_replicas=2)
    send(three, name, [(None, bytes(100_000))] * 60, **{"compression.type": "none"})
    (held,) = three.partitions(name)[0].replicas
    (new, *_) = [node.id for node in three.nodes if node.id != held]
    # 6 MB at 1.5 MB a second: one second's worth comes at once, and up to 1 MiB is paid for afterwards.
    rate = f"{side}.replication.throttled.rate"
    for node in three.nodes:
        set_config(three, ConfigResource.Type.BROKER, str(node.id), rate, "1500000")
    copies = f"{side}.replication.throttled.replicas"
    set_config(three, ConfigResource.Type.TOPIC, name, copies, f"0:{held if side == 'leader' else new}")
    writer = Writer(three.bootstrap, "other").start()
    writer.await_more(50)
    admin = old_admin(three)
    begin = time.monotonic()
    admin.alter_partition_reassignments({KafkaTopicPartition(name, 0): [held, new]})
    three.until_in_sync(name, [held, new])
    assert time.monotonic() - begin >= 2
    # A rate at which nothing moves; without it the rest comes at once.
    for node in three.nodes:
        set_config(three, ConfigResource.Type.BROKER, str(node.id), rate, "0")
    (third,) = [node.id for node in three.nodes if node.id not in (held, new)]
    set_config(three, ConfigResource.Type.TOPIC, name, copies, "*")
    admin.alter_partition_reassignments({KafkaTopicPartition(name, 0): [held, third]})
    writer.await_more(300)
    assert set(three.in_sync(name)) == {held, new}
    for node in three.nodes:
        set_config(three, ConfigResource.Type.BROKER, str(node.id), rate, None)
    three.until_in_sync(name, [held, third])
    writer.stop()
    admin.close()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(three.bootstrap, "other"))


def test_leadership_goes_back_when_it_is_asked_for(cluster, name):
    three = cluster(overrides={"auto.leader.rebalance.enable": "false"})
    three.create(name)
    three.until_in_sync(name, [1, 2, 3])
    first = three.leader(name)
    first.crash()
    three.until_in_sync(name, [1, 2, 3])
    assert three.leader(name) is not first
    admin = old_admin(three)
    admin.elect_leaders(0, {name: [0]})
    three.until_led(name, by=[first.id])
    admin.close()


def test_a_topic_that_is_deleted_and_made_again_has_nothing_of_the_old_one(cluster, name):
    three = cluster()
    for round in range(3):
        three.create(name, min_insync_replicas=2)
        writer = Writer(three.bootstrap, name, name=f"round{round}").start()
        writer.await_more(50)
        writer.stop()
        check(writer, read_back(three.bootstrap, name))
        found = {value.rsplit(b"-", 1)[0] for _, value in read_back(three.bootstrap, name)[0]}
        assert found == {b"round%d" % round}
        (future,) = three.admin.delete_topics([name]).values()
        future.result(timeout=20)
        until(lambda: gone_everywhere(three, name), "every broker has forgotten it")


def gone_everywhere(cluster, topic):
    return not any((node.data / f"{topic}-0").exists() for node in cluster.nodes)


def test_settings_that_are_changed_through_any_broker_hold_everywhere(cluster, name):
    three = cluster()
    three.create(name)
    for number, node in enumerate(three.nodes):
        value = str(1000 * (number + 1))
        change = ConfigResource(
            ConfigResource.Type.TOPIC,
            name,
            incremental_configs=[ConfigEntry("retention.ms", value, incremental_operation=AlterConfigOpType.SET)],
        )
        outcome(admin_of(node).incremental_alter_configs([change]))
        for other in three.nodes:
            until(lambda: retention(other, name) == value, f"node {other.id} has retention.ms={value}")


def admin_of(node):
    from librdkafka import admin

    return admin(node)


def retention(node, topic):
    asked = ConfigResource(ConfigResource.Type.TOPIC, topic)
    return outcome(admin_of(node).describe_configs([asked]))["retention.ms"].value


def test_a_reader_sees_every_record_once_and_in_order_while_leaders_change(cluster, name):
    three = cluster()
    three.create(name, min_insync_replicas=2)
    writer = Writer(three.bootstrap, name).start()
    reader = Consumer(
        {
            "bootstrap.servers": three.bootstrap,
            "group.id": name,
            "log_level": 0,
            "auto.offset.reset": "error",
            "enable.auto.commit": False,
            "topic.metadata.refresh.interval.ms": 500,
        }
    )
    reader.assign([TopicPartition(name, 0, 0)])
    seen = []

    def read(span):
        deadline = time.monotonic() + span
        while time.monotonic() < deadline:
            for message in reader.consume(500, timeout=0.1):
                if not message.error():
                    seen.append((message.offset(), message.value()))
                else:
                    assert message.error().code() != KafkaError._AUTO_OFFSET_RESET, message.error()

    for _ in range(3):
        read(1)
        three.leader(name).crash()
        three.until_in_sync(name, [1, 2, 3])
    writer.await_more(50)
    writer.stop()
    last = max(writer.acknowledged[0].values())
    until(lambda: read(0.2) or (seen and seen[-1][0] >= last), "the reader is at the end", 30)
    reader.close()
    offsets = [offset for offset, _ in seen]
    assert offsets == sorted(set(offsets))
    check(writer, {0: seen})


def test_a_consumer_reads_from_the_copy_in_its_own_region(cluster, name):
    three = cluster(
        overrides={"replica.selector.class": "org.apache.kafka.common.replica.RackAwareReplicaSelector"}, start=False
    )
    for node in three.nodes:
        node.metrics = f"127.0.0.1:{free_port()}"
        node.overrides["metrics.listener"] = node.metrics
    three.start()
    three.create(name)
    three.until_in_sync(name, [1, 2, 3])
    leader = three.leader(name)
    other, third = (n for n in three.nodes if n is not leader)
    writer = Writer(three.bootstrap, name).start()
    writer.await_more(200)
    writer.stop()
    check(writer, read_back(three.bootstrap, name, client_rack=other.region))
    assert sent_to_consumers(other) > sum(len(value) for value in writer.acknowledged[0])
    assert sent_to_consumers(third) == 0


def sent_to_consumers(node):
    text = urllib.request.urlopen(f"http://{node.metrics}/metrics", timeout=5).read().decode()
    for line in text.splitlines():
        if line.startswith("kafka_server_brokertopicmetrics_bytesout_total "):
            return float(line.split()[1])
    raise AssertionError("there is no such metric")
