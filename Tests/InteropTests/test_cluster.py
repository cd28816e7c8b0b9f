"""Three brokers in three Regions on one machine: they lose one after the other, and no acknowledged record."""

import time

import pytest
from broker import until
from confluent_kafka import Consumer, KafkaException, TopicPartition
from history import Writer, check, read_back

def test_what_was_acknowledged_is_on_every_replica(cluster, name):
    three = cluster()
    three.create(name, partitions=3, min_insync_replicas=2)
    writer = Writer(three.bootstrap, name, partitions=3).start()
    writer.await_more(200)
    writer.stop()
    assert not writer.failed
    for gone in three.nodes:
        # Whoever is left has everything: each of the three is the one that is missing in turn.
        gone.pause()
        left = [n for n in three.nodes if n is not gone]
        for p in range(3):
            three_led = until(lambda: led_by(left, name, p), f"{name}-{p} is led by one of those who are left", 20)
            assert three_led
        check(writer, read_back(",".join(n.bootstrap for n in left), name, 3))
        gone.resume()
        for p in range(3):
            three.until_in_sync(name, [1, 2, 3], p)


def led_by(nodes, topic, partition):
    """Whether some of these nodes lead, as one of them says."""
    from confluent_kafka.admin import AdminClient

    asked = AdminClient({"bootstrap.servers": nodes[0].bootstrap, "log_level": 0, "socket.timeout.ms": 2000})
    try:
        found = asked.list_topics(topic, timeout=3).topics[topic].partitions[partition]
    except (KafkaException, KeyError):
        return None
    return next((n for n in nodes if n.id == found.leader), None)


@pytest.mark.parametrize("how", ["killed", "stopped", "asked to stop"])
@pytest.mark.parametrize("who", ["the leader", "a follower", "the controller"])
def test_one_of_three_can_go_while_producers_go_on(cluster, name, how, who):
    three = cluster()
    three.create(name, partitions=3, min_insync_replicas=2)
    for p in range(3):
        three.until_in_sync(name, [1, 2, 3], p)
    writer = Writer(three.bootstrap, name, partitions=3).start()
    writer.await_more(100)
    leader = three.leader(name)
    victim = {
        "the leader": lambda: leader,
        "a follower": lambda: next(n for n in three.nodes if n is not leader and n is not three.controller()),
        "the controller": three.controller,
    }[who]()
    if how == "killed":
        victim.kill()
    elif how == "stopped":
        victim.pause()
    else:
        assert victim.stop() == 0, victim.tail()
    writer.await_more(200)
    if how == "stopped":
        victim.resume()
    else:
        victim.launch().await_ready()
    for p in range(3):
        three.until_in_sync(name, [1, 2, 3], p)
    writer.await_more(50)
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(three.bootstrap, name, 3))


def test_each_in_turn_is_killed_again_and_again(cluster, name):
    three = cluster()
    three.create(name, partitions=3, min_insync_replicas=2)
    writer = Writer(three.bootstrap, name, partitions=3).start()
    for round in range(6):
        writer.await_more(100)
        three.nodes[round % 3].crash()
        for p in range(3):
            three.until_in_sync(name, [1, 2, 3], p)
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(three.bootstrap, name, 3))


def test_a_rolling_restart_costs_no_produce(cluster, name):
    three = cluster()
    three.create(name, partitions=3, min_insync_replicas=2)
    writer = Writer(three.bootstrap, name, partitions=3).start()
    writer.await_more(100)
    for node in three.nodes:
        assert node.stop() == 0, node.tail()
        node.launch().await_ready()
        for p in range(3):
            three.until_in_sync(name, [1, 2, 3], p)
        writer.await_more(50)
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(three.bootstrap, name, 3))


def test_without_enough_in_sync_writes_are_refused_and_nothing_is_lost(cluster, name):
    three = cluster()
    three.create(name, min_insync_replicas=2)
    three.until_in_sync(name, [1, 2, 3])
    writer = Writer(three.bootstrap, name).start()
    writer.await_more(50)
    leader = three.leader(name)
    others = [n for n in three.nodes if n is not leader]
    for node in others:
        node.kill()
    until(lambda: stalled(writer), "no acknowledgement with one of three", 20)
    for node in others:
        node.launch()
    for node in others:
        node.await_ready()
    writer.await_more(50, within=60)
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(three.bootstrap, name))


def stalled(writer, span=1.0):
    before = writer.count
    time.sleep(span)
    return writer.count == before


def test_a_group_goes_on_where_it_was_when_its_coordinator_dies(cluster, name):
    three = cluster()
    three.create(name, min_insync_replicas=2)
    writer = Writer(three.bootstrap, name).start()
    writer.await_more(300)
    writer.stop()
    settings = {
        "bootstrap.servers": three.bootstrap,
        "group.id": name,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "log_level": 0,
        "session.timeout.ms": 6000,
    }
    reader = Consumer(settings)
    reader.subscribe([name])
    first = take(reader, 100)
    reader.commit(asynchronous=False)
    position = reader.committed([TopicPartition(name, 0)], timeout=10)[0].offset
    assert position == first[-1].offset() + 1
    until(lambda: three.leader("__consumer_offsets") is not None, "the offsets have a leader")
    for p in three.partitions("__consumer_offsets"):
        three.until_in_sync("__consumer_offsets", [1, 2, 3], p)
    coordinator = next(n for n in three.nodes if leads_group(three, n, name))
    coordinator.kill()
    found = until(
        lambda: committed(reader, name), "the committed offset is read from another coordinator", 30
    )
    assert found == position
    rest = take(reader, 100, within=40)
    assert rest[0].offset() <= position + 100
    reader.close()


def leads_group(cluster, node, group):
    """Whether a node leads the partition of __consumer_offsets that a group's name falls into."""
    partitions = cluster.partitions("__consumer_offsets")
    code = 0
    for unit in group.encode("utf-16-be")[1::2]:
        code = (code * 31 + unit) & 0xFFFFFFFF
    code = code - (1 << 32) if code >= 1 << 31 else code
    index = 0 if code == -(1 << 31) else abs(code) % len(partitions)
    return partitions[index].leader == node.id


def committed(reader, topic):
    try:
        offset = reader.committed([TopicPartition(topic, 0)], timeout=2)[0].offset
        return offset if offset >= 0 else None
    except KafkaException:
        return None


def take(reader, count, within=30):
    found, deadline = [], time.monotonic() + within
    while len(found) < count:
        assert time.monotonic() < deadline, f"only {len(found)} of {count} records came"
        found += [m for m in reader.consume(count - len(found), timeout=0.2) if not m.error()]
    return found


def test_with_two_regions_required_a_region_can_be_lost_and_one_region_alone_takes_no_write(cluster, name):
    five = cluster(regions=["eu", "us", "ap"], brokers=["eu", "us"])
    five.create(name, replicas=-1, **{"placement.replicas.per.region": "eu:2,us:2", "min.insync.regions": 2})
    replicas = five.partitions(name)[0].replicas
    assert sorted(five[n].region for n in replicas) == ["eu", "eu", "us", "us"]
    five.until_in_sync(name, replicas)
    writer = Writer(five.bootstrap, name).start()
    writer.await_more(100)
    for node in five.nodes:
        if node.region == "us":
            node.kill()
    until(lambda: stalled(writer), "eu alone acknowledges nothing", 20)
    for node in five.nodes:
        if node.region == "us":
            node.launch()
    for node in five.nodes:
        if node.region == "us":
            node.await_ready()
    writer.await_more(50, within=60)
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(five.bootstrap, name))
