"""Disks and Regions that are lost, under load."""

import itertools
import shutil
import struct
import subprocess

import pytest
from broker import until
from history import Writer, check, read_back
from wire import Connection, batch, fetch, fetched, produce, produced, request, string


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


NOT_LEADER_OR_FOLLOWER, NOT_COORDINATOR = 6, 16


def commit(connection, group, topic, offset):
    """The error of an OffsetCommit, version 2, that no member sends."""
    body = string(group) + struct.pack(">i", -1) + string("") + struct.pack(">qi", -1, 1) + string(topic)
    answer = connection.ask(request(8, 2, body + struct.pack(">iiq", 1, 0, offset) + string("")))
    return struct.unpack(">h", answer[-2:])[0]


def coordinator(connection, group):
    """Who FindCoordinator, version 0, names; None where it names nobody."""
    error, node = struct.unpack(">hi", connection.ask(request(10, 0, string(group)))[4:10])
    return node if error == 0 else None


def test_a_leader_that_nobody_answers_goes_on_where_it_was_when_the_others_are_back(cluster, name):
    """The two others stand still: they are no majority with anybody, so that nobody is elected meanwhile."""
    three = cluster()
    three.create(name, min_insync_replicas=2)
    three.until_in_sync(name, [1, 2, 3])
    leader = three.until_led(name)
    names = itertools.cycle(f"g{i}" for i in range(100))
    with Connection(leader) as first:
        group = until(lambda: coordinator(first, g := next(names)) == leader.id and g, "a group that the leader coordinates")
    with Connection(leader) as data, Connection(leader) as groups:
        assert produced(data.ask(produce(name, 0, batch([b"kept"]))))[0] == 0
        until(lambda: commit(groups, group, name, 1) == 0, "an offset is committed")
        others = [node for node in three.nodes if node is not leader]
        for node in others:
            node.pause()
        # Those who wait already are told as well, long before the 10 s that they gave it.
        data.send(produce(name, 0, batch([b"in doubt"])))
        assert commit(groups, group, name, 2) == NOT_COORDINATOR
        assert produced(data.answer())[0] == NOT_LEADER_OR_FOLLOWER
        assert commit(groups, group, name, 2) == NOT_COORDINATOR
        assert produced(data.ask(produce(name, 0, batch([b"refused"]), acks=1)))[0] == NOT_LEADER_OR_FOLLOWER
        error, mark, records = fetched(data.ask(fetch(name, 0, 0)))
        assert (error, mark) == (0, 1) and b"kept" in records, "what is committed is still read"
        assert fetched(data.ask(fetch(name, 0, 1, wait=10_000)))[0] == NOT_LEADER_OR_FOLLOWER
        for node in others:
            node.resume()
        three.until_in_sync(name, [1, 2, 3], within=30)

    def is_served():
        with Connection(leader) as asked:
            node = coordinator(asked, group)
        if node is None:
            return False
        with Connection(three[node]) as there:
            return commit(there, group, name, 2) == 0

    # Mostly it leads in the same term still, and reads its groups anew.
    until(is_served, "offsets are committed again", 30, every=0.2)
    values = [value for _, value in read_back(three.bootstrap, name)[0]]
    assert values in ([b"kept"], [b"kept", b"in doubt"])
