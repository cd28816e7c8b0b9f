"""Several folders in log.dirs (KIP-112, KIP-858): partitions are spread over them, and one disk that fails is not the broker."""

import pathlib
import shutil

import pytest
from broker import until
from history import Writer, check, read_back
from kafka import KafkaAdminClient
from librdkafka import create, read, send, values
from test_cluster_faults import small_disk  # noqa: F401


def spread(broker, *names):
    return ",".join(str(broker.folder / name) for name in names)


def held(path, topic):
    """The partitions of a topic that lie in a folder."""
    numbers = (found.name[len(topic) + 1 :] for found in pathlib.Path(path).glob(f"{topic}-*"))
    return sorted(int(number) for number in numbers if number.isdigit())


def several(private, count=3):
    broker = private(start=False)
    broker.overrides["log.dirs"] = spread(broker, *(f"disk{n}" for n in range(count)))
    return broker.start()


def paths(broker):
    return broker.overrides["log.dirs"].split(",")


def test_partitions_are_spread_over_the_folders_and_found_again(private, name):
    broker = several(private)
    create(broker, name, partitions=6)
    for n in range(6):
        send(broker, name, [b"%d" % n], partition=n)
    places = [held(path, name) for path in paths(broker)]
    assert [len(place) for place in places] == [2, 2, 2]
    for again in (broker.restart, broker.crash):
        again()
        assert [values(read(broker, name, 1, n)) for n in range(6)] == [[b"%d" % n] for n in range(6)]
        assert [held(path, name) for path in paths(broker)] == places


def test_each_folder_says_what_it_holds(private, name):
    broker = several(private, 2)
    create(broker, name, partitions=2)
    client = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    (answer,) = client.describe_log_dirs()
    client.close()
    found = {
        folder["log_dir"]: [part["partition_index"] for topic in folder["topics"] if topic["name"] == name for part in topic["partitions"]]
        for folder in answer["log_dirs"]
    }
    assert list(found) == paths(broker)
    assert sorted(found.values()) == [[0], [1]]


def test_the_metadata_log_may_have_a_folder_of_its_own(private, name):
    broker = private(start=False)
    broker.overrides["log.dirs"] = spread(broker, "a", "b")
    broker.overrides["metadata.log.dir"] = str(broker.folder / "meta")
    broker.start()
    send(broker, name, [b"one"])
    assert (broker.folder / "meta" / "__cluster_metadata-0").is_dir()
    assert not held(broker.folder / "meta", name)
    broker.restart()
    assert values(read(broker, name, 1)) == [b"one"]


def test_a_folder_of_another_cluster_is_refused_and_nothing_is_changed(private):
    other = private()
    other.stop()
    broker = private(start=False)
    broker.overrides["log.dirs"] = f"{broker.folder / 'own'},{other.data}"
    broker.overrides["cluster.id"] = "one-of-its-own"
    with pytest.raises(RuntimeError):
        broker.start()
    assert "meta.properties belongs to the cluster" in broker.tail(), broker.tail()
    assert not (broker.folder / "own").exists()


def test_a_node_whose_metadata_log_lies_in_another_folder_does_not_begin_a_new_one(private):
    broker = private()
    broker.stop()
    broker.overrides["log.dirs"] = spread(broker, "new", "data")
    with pytest.raises(RuntimeError):
        broker.start()
    assert f"metadata.log.dir={broker.folder / 'data'}" in broker.tail(), broker.tail()
    assert not (broker.folder / "new").exists()


def cluster_with_two_disks(cluster, second):
    """Four nodes, the last of which has two folders."""
    four = cluster(brokers=["eu"], start=False)
    victim = four[4]
    victim.overrides["log.dirs"] = f"{victim.folder / 'first'},{second}"
    victim.overrides["metadata.log.dir"] = str(victim.folder / "first")
    return four.start(), victim


def until_held(node, topic, count):
    """A replica counts as in sync from its creation on, before its folder is made."""
    until(lambda: sum(len(held(path, topic)) for path in paths(node)) == count, "every folder is made")


def test_when_one_disk_of_a_broker_is_full_what_lies_on_the_other_goes_on(cluster, small_disk, name):  # noqa: F811
    four, victim = cluster_with_two_disks(cluster, small_disk / "data")
    count = 6
    four.create(name, partitions=count, replicas=-1, **{"placement.replicas.per.region": "eu:2,us:1", "min_insync_replicas": 2})
    for p in range(count):
        four.until_in_sync(name, four.partitions(name)[p].replicas, p)
    until_held(victim, name, count)
    lost, kept = held(small_disk / "data", name), held(victim.folder / "first", name)
    assert lost and kept, (lost, kept)
    writer = Writer(four.bootstrap, name, partitions=count, pause=0.005).start()
    writer.await_more(50)
    with open(small_disk / "filler", "wb") as file:
        try:
            while True:
                file.write(b"x" * 65536)
                file.flush()
        except OSError:
            pass
    for p in lost:
        replicas = four.partitions(name)[p].replicas
        four.until_in_sync(name, [n for n in replicas if n != victim.id], p, within=60)
    writer.await_more(200)
    assert victim.is_alive()
    for p in kept:
        assert victim.id in four.in_sync(name, p), f"{name}-{p} lies on a disk that is well"
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(four.bootstrap, name, count))


def test_one_disk_that_comes_back_empty_is_filled_again(cluster, tmp_path, name):
    four, victim = cluster_with_two_disks(cluster, tmp_path / "second")
    count = 4
    four.create(name, partitions=count, replicas=-1, **{"placement.replicas.per.region": "eu:2,us:1"})
    for p in range(count):
        four.until_in_sync(name, four.partitions(name)[p].replicas, p)
    until_held(victim, name, count)
    assert held(tmp_path / "second", name) and held(victim.folder / "first", name)
    writer = Writer(four.bootstrap, name, partitions=count).start()
    writer.await_more(200)
    victim.kill()
    shutil.rmtree(tmp_path / "second")
    victim.launch().await_ready()
    for p in range(count):
        four.until_in_sync(name, four.partitions(name)[p].replicas, p, within=60)
    writer.await_more(50)
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(four.bootstrap, name, count))
    # And what it has now is what it should have: it alone is left to say so.
    for node in four.nodes:
        if node is not victim and node.region == "us":
            node.kill()
    check(writer, read_back(four.bootstrap, name, count))
