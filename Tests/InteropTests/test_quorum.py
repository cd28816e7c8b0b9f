"""The metadata quorum: formatted, shown, changed, and brought back after its majority is gone for ever."""

import json
import shutil
import signal
import subprocess

import pytest
from broker import Broker, binary, free_port, run, until
from cluster import Cluster, DynamicCluster
from history import Writer, check, read_back


@pytest.fixture
def dynamic(tmp_path, request):
    """Makes clusters whose voters are in the log; all are ended afterwards."""
    made = []

    def make(regions=("eu", "us", "ap"), **overrides):
        one = DynamicCluster(tmp_path / f"cluster{len(made)}", regions, overrides)
        made.append(one)
        request.node.private_brokers = one.nodes
        return one

    yield make
    for one in made:
        one.kill()


def quorum(node, *arguments, fails=False):
    done = run("quorum", *arguments, "--bootstrap-server", node.bootstrap, within=90)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout


def status(node):
    return json.loads(quorum(node, "status", "-o", "json"))


def voters(node):
    return sorted(one["id"] for one in status(node)["voters"])


def observers(node):
    return sorted(one["id"] for one in status(node)["observers"])


# Formatting, and what the quorum says of itself


def test_a_quorum_of_named_controllers_is_shown_by_every_broker(dynamic):
    three = dynamic().format().start()
    for node in three.nodes:
        said = status(node)
        assert said["clusterId"] == node.overrides["cluster.id"]
        assert [(one["id"], one["directoryId"]) for one in said["voters"]] == [(n.id, n.directory_id) for n in three.nodes]
        assert said["voters"][0]["endpoints"] == [
            {"listener": "CONTROLLER", "host": "127.0.0.1", "port": three[1].control}
        ]
        assert said["observers"] == [] and said["leaderId"] in (1, 2, 3) and said["leaderEpoch"] > 0
    until(lambda: status(three[1])["maxFollowerLag"] == 0, "the followers have everything")
    assert f"LeaderId:          {status(three[1])['leaderId']}\n" in quorum(three[2], "status")
    rows = [line.split() for line in quorum(three[3], "status", "--replication").splitlines()[1:]]
    assert sorted(row[-1] for row in rows) == ["follower", "follower", "leader"]


def test_info_says_who_votes_at_the_beginning(dynamic):
    three = dynamic().format()
    said = run("storage", "info", "-c", three[2].properties).stdout
    assert f"directory.id={three[2].directory_id}" in said
    assert f"1@127.0.0.1:{three[1].control}:{three[1].directory_id}," in said


def test_a_quorum_of_one_grows_and_shrinks(dynamic, name):
    grown = dynamic(regions=["eu"])
    grown[1].format("--standalone").launch().await_ready()
    for region in ("us", "ap"):
        node = grown.add(region).format("--no-initial-controllers")
        node.launch().await_ready()
        until(lambda: node.id in observers(grown[1]), f"node {node.id} follows")
    assert voters(grown[2]) == [1]
    # By its own configuration, and by what it is.
    assert "controller 2 is a voter" in quorum(grown[1], "add", "--config", grown[2].properties)
    three = grown[3]
    explicit = ["--controller-id", 3, "--controller-directory-id", three.directory_id]
    endpoint = ["--endpoint", f"CONTROLLER://127.0.0.1:{three.control}"]
    wrong = ["--controller-id", 3, "--controller-directory-id", grown[1].directory_id]
    assert "follows the quorum with the directory id" in quorum(
        grown[2], "add", *wrong, *endpoint, "--timeout", 1, fails=True
    )
    quorum(grown[3], "add", *explicit, *endpoint)
    assert voters(grown[3]) == [1, 2, 3] and observers(grown[3]) == []
    assert "controller 3 is a voter" in quorum(grown[3], "add", *explicit, *endpoint), "again is no error"
    grown.create(name, partitions=3, min_insync_replicas=2)
    writer = Writer(grown.bootstrap, name, partitions=3).start()
    writer.await_more(50)
    assert "not " in quorum(grown[1], "remove", "--controller-id", 1, *explicit[2:], fails=True)
    assert "is no voter" in quorum(grown[1], "remove", "--controller-id", 9, *explicit[2:], fails=True)
    # The leader goes too: another one leads.
    gone = grown[status(grown[1])["leaderId"]]
    left = [n for n in grown.nodes if n is not gone]
    quorum(left[0], "remove", "--controller-id", gone.id, "--controller-directory-id", gone.directory_id)
    until(lambda: voters(left[0]) == [n.id for n in left], "two are left")
    until(lambda: status(left[0])["leaderId"] in [n.id for n in left], "one of them leads")
    until(lambda: gone.id in observers(left[1]), "the one that went follows")
    writer.await_more(50)
    writer.stop()
    assert not writer.failed
    check(writer, read_back(grown.bootstrap, name, 3))


def test_a_replaced_disk_is_another_replica(dynamic):
    three = dynamic().format().start()
    old = three[3].directory_id
    three[3].kill()
    shutil.rmtree(three[3].data)
    three[3].format("-N").launch()
    until(lambda: 3 in observers(three[1]), "node 3 follows with its new disk")
    said = quorum(three[1], "add", "--config", three[3].properties, fails=True)
    assert f"--controller-id 3 --controller-directory-id {old}" in said
    quorum(three[1], "remove", "--controller-id", 3, "--controller-directory-id", old)
    quorum(three[1], "add", "--config", three[3].properties)
    three[3].await_ready()
    assert {one["id"]: one["directoryId"] for one in status(three[3])["voters"]}[3] == three[3].directory_id


def test_a_controller_that_does_not_run_is_not_made_a_voter(dynamic):
    one = dynamic(regions=["eu"])
    one[1].format("--standalone").launch().await_ready()
    new = one.add("us").format("-N")
    said = quorum(one[1], "add", "--config", new.properties, "--timeout", 1, fails=True)
    assert "controller 2 does not follow the quorum" in said
    assert voters(one[1]) == [1]


# The majority is gone


def recover(*arguments, fails=False, input=None):
    done = run("quorum", "recover", *arguments, input=input, within=60)
    assert (done.returncode != 0) == fails, done.stdout + done.stderr
    return done.stderr if fails else done.stdout



@pytest.mark.parametrize("end", ["killed", "stopped"])
def test_a_quorum_whose_majority_is_gone_comes_back_from_the_third(dynamic, name, end):
    three = dynamic().format().start()
    three.create(name, partitions=3, min_insync_replicas=1)
    for p in range(3):
        three.until_in_sync(name, [1, 2, 3], p)
    writer = Writer(three.bootstrap, name, partitions=3).start()
    writer.await_more(100)
    writer.stop()
    assert not writer.failed
    survivor = three[2]
    lost = [three[1], three[3]]
    data = survivor.data
    assert "in use by another process" in recover("--folder", data, "--yes", fails=True)
    if end == "stopped":
        assert survivor.stop() == 0, survivor.tail()
    for node in lost:
        node.kill()
        shutil.rmtree(node.data)
    survivor.kill()
    # Nothing happens before it is agreed to.
    asked = run("quorum", "recover", "--folder", data, input="no\n")
    assert asked.returncode == 1 and "The seed is node 2" in asked.stdout and "nothing was changed" in asked.stderr
    said = recover("--folder", data, input=survivor.overrides["cluster.id"] + "\n")
    assert "What could be lost:" in said and "node 2 is the only voter" in said
    survivor.launch().await_ready()
    assert voters(survivor) == [2] and status(survivor)["leaderId"] == 2
    # The topics and their records are there, and lead again.
    two = [survivor]
    lead_again(survivor, name, 3)
    check(writer, read_back(survivor.bootstrap, name, 3))
    # Two new controllers, with folders of their own.
    for region, number in (("eu", 4), ("ap", 5)):
        node = three.add(region, number)
        node.overrides["controller.quorum.bootstrap.servers"] = f"127.0.0.1:{survivor.control}"
        node.format("--no-initial-controllers").launch().await_ready()
        quorum(survivor, "add", "--config", node.properties)
        two.append(node)
    assert voters(survivor) == [2, 4, 5]
    # And the old majority is not needed any more: the seed itself may go.
    survivor.kill()
    until(lambda: status(two[1])["leaderId"] in (4, 5), "one of the new ones leads", 30)


def lead_again(node, topic, partitions=1):
    """Whoever is left leads, as somebody has to decide: it was not in sync when it stopped, or cannot prove that it was."""

    def elected():
        run("topics", "elect", topic, "--unclean", "--bootstrap-server", node.bootstrap)
        return all(led_by(node, topic, p) for p in range(partitions))

    until(elected, f"{topic} has a leader", every=0.2)


def led_by(node, topic, partition):
    done = run("topics", "describe", topic, "-o", "json", "--bootstrap-server", node.bootstrap)
    return done.returncode == 0 and json.loads(done.stdout)[0]["partitions"][partition]["leader"] == node.id


def test_of_five_two_survive_on_two_machines(dynamic, name, tmp_path):
    five = dynamic(regions=["eu", "eu", "us", "us", "ap"]).format().start()
    five.create(name, replicas=5, min_insync_replicas=1)
    five.until_in_sync(name, [1, 2, 3, 4, 5])
    writer = Writer(five.bootstrap, name).start()
    writer.await_more(50)
    writer.stop()
    left, lost = [five[1], five[2]], five.nodes[2:]
    for node in lost:
        node.kill()
        shutil.rmtree(node.data)
    for node in left:
        node.kill()
    lines = [recover("--folder", node.data, "--report") for node in left]
    reports = tmp_path / "reports"
    reports.write_text("".join(lines))
    said = [recover("--folder", node.data, "--reports", reports, "--yes") for node in left]
    seed = int(said[0].split("The seed is node ")[1].split(":")[0])
    assert f"The seed is node {seed}:" in said[1]
    other = next(n for n in left if n.id != seed)
    assert list(other.data.glob("__cluster_metadata-0.*-stray")), "the old log is still there"
    for node in left:
        node.launch()
    for node in left:
        node.await_ready()
    assert voters(other) == [seed]
    until(lambda: observers(other) == [other.id], "the other one follows")
    quorum(other, "add", "--config", other.properties)
    assert voters(five[seed]) == [1, 2]
    until(lambda: elected(left, name), "somebody leads")
    check(writer, read_back(",".join(n.bootstrap for n in left), name))


def elected(nodes, topic):
    run("topics", "elect", topic, "--unclean", "--bootstrap-server", nodes[0].bootstrap)
    return any(led_by(n, topic, 0) for n in nodes)


def test_also_configured_voters_come_back(tmp_path, request, name):
    three = Cluster(tmp_path / "cluster", ["eu", "us", "ap"])
    request.node.private_brokers = three.nodes
    try:
        three.start()
        three.create(name, min_insync_replicas=1)
        three.until_in_sync(name, [1, 2, 3])
        three.kill()
        for node in three.nodes[1:]:
            shutil.rmtree(node.data)
        recover("--folder", three[1].data, "--yes")
        three[1].launch().await_ready()
        assert voters(three[1]) == [1]
        lead_again(three[1], name)
    finally:
        three.kill()


def test_a_majority_that_is_there_needs_no_recovery(dynamic):
    three = dynamic().format().start()
    three.kill()
    said = recover("--folder", f"{three[1].data},{three[2].data}", "--yes", fails=True)
    assert "2 of the 3 voters (1, 2, 3) are there" in said
    three.start()
    assert voters(three[1]) == [1, 2, 3]


# Waiting for a configuration


def test_a_broker_waits_for_the_value_that_somebody_still_has_to_write(tmp_path):
    port, control = free_port(), free_port()
    properties = tmp_path / "server.properties"
    broker = Broker(
        tmp_path,
        {
            "process.roles": "broker,controller",
            "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{control}",
            "controller.listener.names": "CONTROLLER",
        },
        port=port,
    )
    arguments = broker.arguments()
    broker.arguments = lambda: [*arguments[:2], "--await", "controller.quorum.voters", str(properties), *arguments[2:]]
    with open(broker.log, "ab") as log:
        broker.process = subprocess.Popen(broker.arguments(), stdout=log, stderr=log)
    try:
        until(lambda: "there is no such file" in broker.tail(), "it says what it waits for")
        properties.write_text("node.id=1\ncontroller.quorum.voters=\n")
        until(lambda: "has no controller.quorum.voters" in broker.tail(), "it says which value is missing", 20)
        assert broker.is_alive() and not broker.data.exists()
        properties.write_text(f"node.id=1\ncontroller.quorum.voters=1@127.0.0.1:{control}\n")
        until(lambda: broker._said_ready(0), f"it starts\n{broker.tail()}")
        assert broker.stop() == 0
    finally:
        broker.kill()


def test_a_signal_ends_the_wait(tmp_path):
    process = subprocess.Popen(
        [binary(), "broker", "--await", "node.id", str(tmp_path / "none")],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )
    assert b"waiting for the configuration" in process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) == 0
    done = run("broker", "--await", "node.id")
    assert done.returncode == 2 and "needs a configuration file" in done.stderr


# Brokers and replicas


def test_brokers_are_listed_fenced_and_forgotten_and_partitions_move(dynamic, name):
    three = dynamic().format().start()

    def cli(*arguments):
        done = run(*arguments, "--bootstrap-server", three[1].bootstrap)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def all_active():
        listed = json.loads(cli("brokers", "list", "-o", "json"))
        return listed if not any(one["fenced"] for one in listed) else None

    listed = until(all_active, "the broker has heard that all of them serve")
    assert [(one["id"], one["rack"], one["port"], one["fenced"]) for one in listed] == [
        (n.id, n.region, n.port, False) for n in three.nodes
    ]
    three.create(name, replicas=2)
    have = three.partitions(name)[0].replicas
    (free,) = {1, 2, 3} - set(have)
    target = [free, have[0]]
    cli("topics", "reassign", name, "--partition", 0, "--replicas", ",".join(map(str, target)))
    until(lambda: three.partitions(name)[0].replicas == target, "the partition has moved")
    until(lambda: json.loads(cli("topics", "reassignments", "-o", "json")) == [], "nothing moves any more")
    three.until_in_sync(name, target)
    cli("topics", "elect", name)
    three.until_led(name, by=[free])
    assert "needs none" in cli("topics", "elect", name)
    assert "no partition needed an election" in cli("topics", "elect", "--all")
    # A move to a broker that is not there stays, until it is cancelled.
    other = next(n for n in three.nodes[1:])
    other.kill()

    def state(node):
        return {one["id"]: one["fenced"] for one in json.loads(cli("brokers", "list", "-o", "json"))}.get(node.id)

    until(lambda: state(other) is True, "the broker that is gone is fenced")
    assert "fenced" in cli("brokers", "list")
    cli("brokers", "unregister", other.id)
    until(lambda: state(other) is None, "it is forgotten")
