"""Disks and Regions that are lost, under load."""

import shutil
import subprocess

import pytest
from broker import until
from history import Writer, check, read_back


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 40 MB that is there for one test."""
    mounted = tmp_path / "small"
    mounted.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", mounted], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.skip(f"making a small disk needs the right to mount: {done.stderr.strip()}")
    yield mounted
    subprocess.run(["umount", "-l", mounted], check=True)


def test_when_a_disk_is_full_others_lead_and_the_writes_go_on(cluster, small_disk, name):
    four = cluster(brokers=["eu"], start=False)
    victim = four[4]
    victim.overrides["log.dirs"] = str(small_disk / "data")
    four.start()
    four.create(name, replicas=-1, **{"placement.replicas.per.region": "eu:2,us:1", "min_insync_replicas": 2})
    replicas = four.partitions(name)[0].replicas
    assert victim.id in replicas
    four.until_in_sync(name, replicas)
    writer = Writer(four.bootstrap, name, pause=0.01).start()
    writer.await_more(50)
    filler = small_disk / "filler"
    with open(filler, "wb") as file:
        try:
            while True:
                file.write(b"x" * 65536)
                file.flush()
        except OSError:
            pass
    four.until_in_sync(name, [n for n in replicas if n != victim.id], within=60)
    writer.await_more(100)
    assert four.leader(name).id != victim.id
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(four.bootstrap, name))


def test_a_broker_that_comes_back_with_an_empty_disk_is_filled_again(cluster, name):
    four = cluster(brokers=["eu"])
    four.create(name, partitions=2, replicas=-1, **{"placement.replicas.per.region": "eu:2,us:1"})
    for p in range(2):
        four.until_in_sync(name, four.partitions(name)[p].replicas, p)
    writer = Writer(four.bootstrap, name, partitions=2).start()
    writer.await_more(200)
    victim = four[4]
    victim.kill()
    shutil.rmtree(victim.data)
    victim.launch().await_ready()
    for p in range(2):
        four.until_in_sync(name, four.partitions(name)[p].replicas, p, within=60)
    writer.await_more(50)
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    found = read_back(four.bootstrap, name, 2)
    check(writer, found)
    # And what it has now is what it should have: it alone is left to say so.
    for node in four.nodes:
        if node is not victim and node.region == "us":
            node.kill()
    check(writer, read_back(four.bootstrap, name, 2))


def test_a_broker_that_comes_back_with_an_old_disk_is_not_believed(cluster, name, tmp_path):
    four = cluster(brokers=["eu"])
    four.create(name, replicas=-1, **{"placement.replicas.per.region": "eu:2,us:1", "min_insync_replicas": 2})
    replicas = four.partitions(name)[0].replicas
    four.until_in_sync(name, replicas)
    writer = Writer(four.bootstrap, name).start()
    writer.await_more(100)
    victim = four[4]
    assert victim.stop() == 0
    shutil.copytree(victim.data, tmp_path / "old")
    victim.launch().await_ready()
    four.until_in_sync(name, replicas)
    writer.await_more(200)
    assert victim.stop() == 0
    shutil.rmtree(victim.data)
    shutil.copytree(tmp_path / "old", victim.data)
    victim.launch().await_ready()
    four.until_in_sync(name, replicas, within=60)
    writer.await_more(50)
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(four.bootstrap, name))


@pytest.mark.parametrize("how", ["killed", "stopped"])
def test_a_region_with_the_controller_and_leaders_in_it_can_be_lost(cluster, name, how):
    six = cluster(brokers=["eu", "us", "ap"])
    six.create(name, partitions=6, replicas=3, **{"min_insync_replicas": 2, "min.insync.regions": 2})
    for p in range(6):
        six.until_in_sync(name, six.partitions(name)[p].replicas, p)
    writer = Writer(six.bootstrap, name, partitions=6).start()
    writer.await_more(200)
    lost = six.controller().region
    victims = [n for n in six.nodes if n.region == lost]
    for node in victims:
        node.kill() if how == "killed" else node.pause()
    writer.await_more(200)
    for node in victims:
        node.launch() if how == "killed" else node.resume()
    for p in range(6):
        six.until_in_sync(name, six.partitions(name)[p].replicas, p, within=60)
    writer.await_more(50)
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(six.bootstrap, name, 6))


def test_an_observer_is_not_waited_for_and_stands_in_when_the_others_are_gone(cluster, name):
    four = cluster(regions=["eu", "us", "ap"], brokers=["us"])
    four.create(
        name,
        replicas=-1,
        **{
            "placement.replicas.per.region": "us:2",
            "placement.observers.per.region": "ap:1",
            "min_insync_replicas": 2,
        },
    )
    replicas = four.partitions(name)[0].replicas
    assert sorted(four[n].region for n in replicas) == ["ap", "us", "us"]
    own = [n for n in replicas if four[n].region == "us"]
    four.until_in_sync(name, own)
    writer = Writer(four.bootstrap, name).start()
    writer.await_more(100)
    observer = next(four[n] for n in replicas if four[n].region == "ap")
    assert observer.id not in four.in_sync(name)
    four[own[1]].kill() if four.leader(name).id == own[0] else four[own[0]].kill()
    until(lambda: observer.id in four.in_sync(name), "the observer stands in", 20, every=0.1)
    writer.await_more(100)
    for n in own:
        if not four[n].is_alive():
            four[n].launch().await_ready()
    four.until_in_sync(name, own, within=60)
    writer.await_more(50)
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(four.bootstrap, name))
