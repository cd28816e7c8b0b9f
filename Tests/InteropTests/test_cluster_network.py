"""Links that are cut, slow or lossy, between brokers and to their clients: nothing acknowledged is lost or doubled.

Each Region is a network namespace, and so are the clients; the packets between them go through network.py.
"""

import os
import socket
import time

import pytest
from broker import until
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import NewTopic
from history import check
from network import CLIENTS, Network, NotAllowed
from spread import Spread

EVERYWHERE = "broker,controller"
THREE = [("eu", EVERYWHERE), ("us", EVERYWHERE), ("ap", EVERYWHERE)]
# Controllers apart, so that brokers can lose them and keep each other.
APART = [("c1", "controller"), ("c2", "controller"), ("c3", "controller"), ("eu", "broker"), ("us", "broker"), ("ap", "broker")]
# How long a cluster with 100 ms between Regions must stay calm; 600 shows more.
CALM_SECONDS = float(os.environ.get("SWIFTWATER_CALM_SECONDS", "60"))
pytestmark = pytest.mark.timeout(180)


@pytest.fixture
def network():
    """Makes networks: `network(["eu", "us"])`. All are removed afterwards."""
    made = []

    def make(regions):
        try:
            made.append(Network(regions))
        except NotAllowed as reason:
            pytest.skip(f"network namespaces are not to be had: {reason}")
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture
def spread(tmp_path, request, network):
    """Makes clusters over Regions that are namespaces, already started. All are ended afterwards, before their network."""
    made = []

    def make(nodes=THREE, **settings):
        one = Spread(tmp_path / f"cluster{len(made)}", network([region for region, _ in nodes]), nodes, **settings)
        made.append(one)
        request.node.private_brokers = one.nodes
        return one.start()

    yield make
    for one in made:
        one.kill()


def written(cluster, name, partitions=3, **settings):
    """A topic with three replicas of which two must have a record, and a writer under way."""
    cluster.create(name, partitions=partitions, min_insync_replicas=2, **settings)
    for p in range(partitions):
        cluster.until_in_sync(name, cluster.partitions(name)[p].replicas, p)
    writer = cluster.writer(name, partitions).start()
    writer.await_more(100)
    return writer


def heal_and_check(cluster, name, writer, partitions=3):
    cluster.network.heal()
    for p in range(partitions):
        cluster.until_in_sync(name, cluster.partitions(name)[p].replicas, p, within=60)
    writer.await_more(100, within=60)
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, cluster.read_back(name, partitions))


def test_links_do_what_they_are_told(network):
    net = network(["eu", "us"])
    host = net.address("eu")
    with net.inside("eu"):
        server = socket.create_server((host, 5000))
    server.settimeout(5)

    def exchange(place="us"):
        with net.inside(place):
            near = socket.create_connection((host, 5000), timeout=0.5)
        began = time.monotonic()
        far, _ = server.accept()
        with near, far:
            near.sendall(b"a")
            assert far.recv(1) == b"a"
            far.sendall(b"b")
            assert near.recv(1) == b"b"
        return time.monotonic() - began

    exchange()
    net.slow(0.2, "eu", "us")
    assert exchange() >= 0.2
    net.heal()
    for here, there in (("eu", "us"), ("us", "eu")):
        net.cut(here, there, both_ways=False)
        with pytest.raises(TimeoutError):
            exchange()
        net.heal()
    net.cut("eu", CLIENTS)
    with pytest.raises(TimeoutError):
        exchange(CLIENTS)
    before = net.carried()["us", "eu"]
    exchange()
    assert net.carried()["us", "eu"] > before
    net.heal()
    exchange(CLIENTS)
    server.close()


@pytest.mark.parametrize("how", ["lossy", "slow", "slow and lossy"])
def test_writes_go_on_over_bad_links(spread, name, how):
    three = spread()
    writer = written(three, name)
    if "slow" in how:
        three.network.slow(0.1)
    if "lossy" in how:
        three.network.lose(0.03)
    writer.await_more(500, within=60)
    heal_and_check(three, name, writer)


def region_of(cluster, name):
    return cluster.until_led(name).region


CUTS = {
    # what is cut, and whether every partition is written to meanwhile
    "two Regions": (lambda net, leads, other: net.cut(leads, other), True),
    "two Regions, one way": (lambda net, leads, other: net.cut(leads, other, both_ways=False), True),
    "two Regions, the other way": (lambda net, leads, other: net.cut(other, leads, both_ways=False), True),
    "a Region and everybody": (lambda net, leads, other: net.cut(leads), True),
    "what a Region sends": (lambda net, leads, other: net.cut(leads, None, both_ways=False), True),
    "what a Region receives": (lambda net, leads, other: net.cut(None, leads, both_ways=False), True),
    "a Region and the other Regions": (lambda net, leads, other: [net.cut(leads, r) for r in net.places if r not in (leads, CLIENTS)], True),
    "a Region and the clients": (lambda net, leads, other: net.cut(leads, CLIENTS), False),
    "all Regions and the clients": (lambda net, leads, other: net.cut(CLIENTS), False),
    "all Regions": (lambda net, leads, other: [net.cut(a, b) for a in net.places for b in net.places if a < b and CLIENTS not in (a, b)], False),
}


@pytest.mark.parametrize("what", CUTS)
def test_a_cut_loses_nothing_that_was_acknowledged(spread, name, what):
    three = spread()
    writer = written(three, name)
    cut, writes_go_on = CUTS[what]
    leads = region_of(three, name)
    other = next(node.region for node in three.nodes if node.region != leads)
    cut(three.network, leads, other)
    if writes_go_on:
        until_each_is_written(writer, 50)
    else:
        time.sleep(4)  # longer than sessions and quorum timeouts: whoever takes over has done so
    heal_and_check(three, name, writer)


def until_each_is_written(writer, more, within=45):
    """Every partition takes records, not only those that are well."""
    want = {p: len(found) + more for p, found in writer.acknowledged.items()}
    deadline = time.monotonic() + within
    while lacking := {p: len(writer.acknowledged[p]) for p in want if len(writer.acknowledged[p]) < want[p]}:
        assert time.monotonic() < deadline, f"acknowledged within {within} s: {lacking}, wanted: {want}"
        time.sleep(0.05)


def test_leadership_comes_to_rest_while_two_regions_do_not_see_each_other(spread, name):
    three = spread()
    writer = written(three, name)
    before, elected = three.leader_epochs(name), len(three.controllers())
    three.network.cut("eu", "us")
    until_each_is_written(writer, 50)
    time.sleep(15)
    middle, elected_by_then = three.leader_epochs(name), len(three.controllers())
    changes = sum(middle[p] - before[p] for p in before)
    # In the quorum one may take over from another; each partition may be given to another once or twice.
    assert elected_by_then - elected <= 3, three.controllers()
    assert changes <= 6, (before, middle)
    until_each_is_written(writer, 100)
    time.sleep(10)
    assert three.leader_epochs(name) == middle, "leaders still change long after the cut"
    assert len(three.controllers()) == elected_by_then, three.controllers()
    heal_and_check(three, name, writer)


def test_a_leader_without_controllers_acknowledges_nothing_that_is_lost(spread, name):
    six = spread(APART)
    writer = written(six, name, partitions=1)
    leader = six.leader(name)
    epoch = six.leader_epochs(name)[0]
    for place in ("c1", "c2", "c3"):
        six.network.cut(leader.region, place)
    others = [node for node in six.brokers if node is not leader]
    until(lambda: six.leader_epochs(name)[0] > epoch, "somebody else leads", 40, every=0.1)
    assert six.seen_by(leader, name)[0][:2] == (leader.id, epoch), "it cannot know yet"
    until_each_is_written(writer, 100)
    # The old leader was reachable all the time; now its followers leave it too, and its writes cannot be confirmed.
    for node in others:
        six.network.cut(leader.region, node.region)
    until_each_is_written(writer, 100)
    heal_and_check(six, name, writer, 1)


def until_read(reader, writer, within=20):
    """The reader is where the writer is now."""
    want = max(writer.acknowledged[0].values())
    deadline, at = time.monotonic() + within, -1
    while at < want:
        assert time.monotonic() < deadline, f"read up to {at} within {within} s, wanted: {want}"
        at = max([at, *(message.offset() for message in reader.consume(1000, timeout=0.2) if not message.error())])


def test_a_leader_that_is_cut_off_from_all_but_its_clients_sends_them_away(spread, name):
    """They would otherwise wait for as long as a request may take: much longer here than the test."""
    three = spread()
    three.create(name, min_insync_replicas=2)
    three.until_in_sync(name, three.partitions(name)[0].replicas)
    writer = three.writer(name, request_timeout_ms=60_000, message_timeout_ms=120_000).start()
    writer.await_more(100)
    with three.network.inside():
        reader = Consumer({"bootstrap.servers": three.bootstrap, "group.id": name, "log_level": 0})
    reader.assign([TopicPartition(name, 0, 0)])
    until_read(reader, writer)
    leads = region_of(three, name)
    for node in three.nodes:
        if node.region != leads:
            three.network.cut(leads, node.region)
    until_each_is_written(writer, 50, within=20)
    until_read(reader, writer)
    reader.close()
    heal_and_check(three, name, writer, 1)


def test_what_a_stopped_controller_does_not_answer_is_asked_of_the_next(spread, name):
    # Sessions that do not end meanwhile: nothing but a new controller can help.
    six = spread(APART, overrides={"broker.session.timeout.ms": "60000"})
    stopped = six.nodes[six.controllers()[-1][1] - 1]
    stopped.pause()
    # The request goes to the stopped controller, since nobody knows yet, and so do the heartbeats.
    patient = six.admin_of(six.brokers, patience=20_000)
    (future,) = patient.create_topics([NewTopic(name, 1, 3)]).values()
    future.result(25)
    assert six.controllers()[-1][1] != stopped.id
    # A broker may stop when all others have told the new controller how far they have read.
    assert six.brokers[0].stop() == 0
    stopped.resume()


@pytest.mark.timeout(CALM_SECONDS + 120)
def test_with_slow_links_between_regions_nobody_takes_over_by_mistake(spread, name):
    three = spread(defaults=True)
    writer = written(three, name)
    three.network.slow(0.1)
    # The change to slow links may itself hold up a beat; the count begins when writes go on over them.
    until_each_is_written(writer, 50)
    epochs, elected = three.leader_epochs(name), three.controllers()
    time.sleep(CALM_SECONDS)
    assert three.leader_epochs(name) == epochs
    assert three.controllers() == elected
    until_each_is_written(writer, 50)
    heal_and_check(three, name, writer)
