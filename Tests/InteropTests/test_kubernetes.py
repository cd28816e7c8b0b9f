"""The operator on real API servers, with our image run by real kubelets: three clusters, one node and one operator in each.

The tests share the clusters and follow each other: each leaves everything Ready."""

import contextlib
import json
import os
import signal
import threading
import time

import pytest
import stretched
from broker import run, until
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource
from history import Writer, check, read_back
from naming import ClusterSet, HostNames
from remote import RemoteWriter
from stretched import (
    IMAGE,
    NAMESPACE,
    NEXT_IMAGE,
    REGIONS,
    LoadBalancers,
    Stretched,
    kafka_cluster,
    kafka_mirror,
    kafka_topic,
    region,
)

# How long a cluster stays cut off at least.
CUT_SECONDS = float(os.environ.get("SWIFTWATER_CUT_SECONDS", "120"))
pytestmark = [
    pytest.mark.skipif(bool(stretched.obstacle()), reason=stretched.obstacle() or ""),
    pytest.mark.timeout(300 + CUT_SECONDS),
]
PARTITIONS = 3
ALL = {name: (1, 1) for name in REGIONS}
NEXT = {"image": NEXT_IMAGE, "config": {"message.max.bytes": "2000000"}}


@pytest.fixture(scope="module")
def clusters(tmp_path_factory):
    made = Stretched(tmp_path_factory.mktemp("kubernetes") / "clusters")
    try:
        yield made.up()
        print("seconds:", {what: round(took, 1) for what, took in made.took.items()})
    finally:
        made.down()


@pytest.fixture
def world(clusters, request):
    """The clusters; what they look like is part of a failure."""
    request.node.worlds = [clusters]
    return clusters


@pytest.fixture
def orders(world):
    """The clusters, with the Kafka of the first test on them."""
    assert "ready" in world.took, "the first test did not come so far"
    await_ready(world)
    return world


def all_ready(members, name="orders"):
    return all(member.is_ready("kafkaclusters", name) for member in members)


def await_ready(members, within=60):
    until(lambda: all_ready(members), "the cluster is Ready everywhere", within, every=0.3)


def apply_orders(world, shares=ALL, image=IMAGE, config=None):
    world["west"].apply(kafka_cluster("orders", shares, config, image=image))


@contextlib.contextmanager
def writing(world):
    """Records are written all the while, and in the end every acknowledged one is there, once."""
    writer = Writer(world.bootstrap(world["west"], "orders"), "payments", PARTITIONS, name=f"w{time.time_ns()}").start()
    writer.await_more(30)
    yield writer
    writer.await_more(30, within=60)
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(world.bootstrap(world["west"], "orders"), "payments", PARTITIONS))


class Downtime:
    """Looks at the pods all the while, and keeps how many were down at one time."""

    def __init__(self, world):
        self.world, self.most, self.worst, self._ends = world, 0, [], threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def _look(self):
        while not self._ends.wait(0.2):
            up = [name for member in self.world for name, pod in member.pods().items() if is_up(pod)]
            if 3 - len(up) > self.most:
                self.most, self.worst = 3 - len(up), up

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        self._thread.join()


def is_up(pod):
    conditions = {c["type"]: c["status"] for c in pod.get("status", {}).get("conditions", [])}
    return conditions.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def uids(world):
    return {name: pod["metadata"]["uid"] for member in world for name, pod in member.pods().items()}


def says(member, kind, status, name="orders"):
    return member.condition("kafkaclusters", name, kind).get("status") == status


def others(world, *members):
    return [member for member in world if member not in members]


def test_what_is_applied_in_one_cluster_becomes_a_kafka_over_three(world):
    west, began = world["west"], time.monotonic()
    west.apply(*[region(name) for name in REGIONS], kafka_topic("payments", "orders", PARTITIONS))
    apply_orders(world)
    until(lambda: west.is_ready("kafkaclusters", "orders"), "the cluster is Ready", 120, every=0.3)
    until(lambda: west.is_ready("kafkatopics", "payments"), "the topic is Ready", 30, every=0.3)
    world.took["apply to Ready"] = time.monotonic() - began
    until(lambda: all_ready(world), "every member says the same", 30, every=0.3)
    assert len(world.bootstrap(west, "orders").split(",")) == 3
    with writing(world) as writer:
        writer.await_more(200)
    for member in world:
        assert len(member.pods()) == 1, f"pods in {member.name}"
    world.took["ready"] = time.monotonic() - began


def test_a_new_image_and_a_new_setting_roll_under_load_one_node_at_a_time(orders):
    before, began = uids(orders), time.monotonic()
    with writing(orders) as writer, Downtime(orders) as downtime:
        apply_orders(orders, **NEXT)
        until(lambda: not set(before.values()) & set(uids(orders).values()), "every pod is a new one", 120, every=0.3)
        await_ready(orders)
    orders.took["roll"] = time.monotonic() - began
    orders.took["roll, longest gap"] = writer.longest_gap()
    assert downtime.most == 1, f"only {downtime.worst} were up at one time"
    for member in orders:
        for pod in member.pods().values():
            assert pod["spec"]["containers"][0]["image"] == NEXT_IMAGE


def test_a_topic_follows_its_resource_until_both_are_gone(orders):
    west = orders["west"]
    admin = AdminClient({"bootstrap.servers": orders.bootstrap(west, "orders"), "log_level": 0})

    def partitions():
        topic = admin.list_topics(timeout=10).topics.get("audit")
        return topic and len(topic.partitions)

    def retention():
        resource = ConfigResource(ConfigResource.Type.TOPIC, "audit")
        return admin.describe_configs([resource])[resource].result(10)["retention.ms"].value

    west.apply(kafka_topic("audit", "orders", 2, config={"retention.ms": "600000"}, deletionPolicy="Delete"))
    until(lambda: west.is_ready("kafkatopics", "audit"), "the topic is Ready", 30, every=0.2)
    assert (partitions(), retention()) == (2, "600000")
    west.apply(kafka_topic("audit", "orders", 4, config={"retention.ms": "700000"}, deletionPolicy="Delete"))
    until(lambda: (partitions(), retention()) == (4, "700000"), "the topic is as it should be", 30, every=0.2)
    until(lambda: orders["north"].resource("kafkatopics", "audit"), "a copy in the north", 10, every=0.2)
    west.kubectl("delete", "kafkatopic", "audit", "--timeout=30s")
    until(lambda: not partitions(), "the topic is gone", 30, every=0.2)
    until(lambda: not any(m.resource("kafkatopics", "audit") for m in orders), "every copy is gone", 30, every=0.2)


def test_what_is_deleted_in_one_member_only_comes_back(orders):
    north, central = orders["north"], orders["central"]
    copy = north.resource("kafkaclusters", "orders")["metadata"]["uid"]
    with writing(orders), Downtime(orders) as downtime:
        north.kubectl("delete", "kafkacluster", "orders", "--timeout=20s")
        central.kubectl("delete", "service,configmap,poddisruptionbudget", "-l", "kafka.swiftwater.dev/cluster=orders")
        central.kubectl("delete", "statefulset", "orders-central-0", "--cascade=orphan")
        until(lambda: north.is_ready("kafkaclusters", "orders"), "the copy is back", 30, every=0.2)
        labels = {"kafka.swiftwater.dev%2Fcluster": "orders"}
        for plural, group, count in [
            ("statefulsets", "apis/apps/v1", 1),
            ("configmaps", "api/v1", 1),
            ("services", "api/v1", 2),
            ("poddisruptionbudgets", "apis/policy/v1beta1", 1),
        ]:
            until(lambda: len(central.objects(plural, group, **labels)) == count, f"{plural} are back", 30, every=0.2)
        await_ready(orders)
    assert north.resource("kafkaclusters", "orders")["metadata"]["uid"] != copy
    assert downtime.most == 0, "nothing that ran was touched"


@pytest.mark.parametrize("whose", ["the leader's", "another's"])
def test_an_api_server_is_lost_and_the_others_go_on(orders, whose):
    leader = until(lambda: orders.leader, "somebody leads", 30, every=0.3)
    lost = leader if whose == "the leader's" else others(orders, leader, orders["west"])[0]
    rest = others(orders, lost)
    before = uids(orders)
    with writing(orders) as writer:
        began = time.monotonic()
        lost.cluster.stop_api()
        until(lambda: all(says(member, "RegionsReachable", "False") for member in rest), "they say so", 60, every=0.2)
        orders.took[f"lost {whose} API server, reported"] = time.monotonic() - began
        writer.await_more(50)
        gap = writer.longest_gap(began)
        for member in rest:
            status = member.resource("kafkaclusters", "orders")["status"]
            unknown = [one["name"] for one in status["regions"] if one.get("unknownSince")]
            assert unknown == [lost.name] and says(member, "Ready", "True"), status
        # What is asked for meanwhile is done where it can be seen.
        if lost.name != "west":
            name = f"without-{lost.name}"
            orders["west"].apply(kafka_topic(name, "orders", 1, deletionPolicy="Delete"))
            until(lambda: orders["west"].is_ready("kafkatopics", name), "a topic is made meanwhile", 60, every=0.2)
        if lost is not leader:
            assert orders.leader is leader, "who leads needs a majority, and has one"
        lost.cluster.start_api()
        until(lambda: all(says(member, "RegionsReachable", "True") for member in orders), "all is seen", 60, every=0.2)
    assert gap < 2, "brokers need no API server"
    await_ready(orders)
    assert uids(orders) == before, "no pod was touched"


def test_a_node_dies_with_everything_on_it_and_comes_back(orders):
    lost = orders["north"]
    rest = others(orders, lost)
    with writing(orders) as writer:
        began = time.monotonic()
        lost.node.crash()
        until(lambda: all(says(member, "SurvivesRegionLoss", "False") for member in rest), "they say so", 60, every=0.2)
        orders.took["dead node, reported"] = time.monotonic() - began
        writer.await_more(50)
        orders.took["dead node, longest gap"] = writer.longest_gap(began)
        lost.node.up([orders.image])
        until(lambda: all(says(member, "SurvivesRegionLoss", "True") for member in orders), "all is well", 120, every=0.3)
        orders.took["dead node, back"] = time.monotonic() - began
    await_ready(orders)


def test_a_drain_goes_through_and_a_second_one_has_to_wait(orders):
    first, second = orders["central"], orders["north"]
    drain = ["drain", "--pod-selector=kafka.swiftwater.dev/cluster=orders"]
    with writing(orders) as writer:
        began = time.monotonic()
        first.cluster.kubectl(*drain, first.node.name, "--timeout=60s")
        until(lambda: not says(second, "Ready", "True"), "it is seen that a node is away", 30, every=0.2)

        def is_closed():
            labels = {"kafka.swiftwater.dev%2Fcluster": "orders"}
            budgets = second.objects("poddisruptionbudgets", "apis/policy/v1beta1", **labels)
            return [budget["status"]["disruptionsAllowed"] for budget in budgets] == [0]

        until(is_closed, "the budgets of the other Regions close", 30, every=0.2)
        refused = second.cluster.kubectl(*drain, second.node.name, "--timeout=3s", check=False)
        assert refused.returncode != 0 and "disruption budget" in refused.stderr, refused.stderr
        assert all(is_up(pod) for pod in second.pods().values())
        second.cluster.kubectl("uncordon", second.node.name)
        first.cluster.kubectl("uncordon", first.node.name)
        await_ready(orders, 90)
        orders.took["drain, longest gap"] = writer.longest_gap(began)


def test_a_cluster_that_was_cut_off_changes_nothing_and_takes_part_again(orders):
    lost = orders["west"]
    rest = others(orders, lost)
    before = uids(orders)
    with writing(orders) as writer:
        began = time.monotonic()
        orders.cut(lost)
        try:
            until(lambda: all(says(m, "RegionsReachable", "False") for m in rest), "the others say so", 60, every=0.2)
            # The change is made where people edit, and that is where nobody may act alone.
            apply_orders(orders, config={"message.max.bytes": "3000000"})
            writer.await_more(50)
            until(lambda: orders.leader in rest, "one of the others leads", 60, every=0.3)
            until(lambda: time.monotonic() - began >= CUT_SECONDS, "it lasts", CUT_SECONDS + 10, every=0.5)
            assert uids(orders) == before, "a pod was touched by an operator without a majority"
        finally:
            orders.heal(lost)
        until(lambda: not set(before.values()) & set(uids(orders).values()), "the change is rolled out", 120, every=0.3)
        await_ready(orders, 90)


def operator_process(member):
    """The operator of a member as this machine sees it."""
    names = [pod["metadata"]["name"] for pod in member.operators()]
    for pid in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            words = open(f"/proc/{pid}/cmdline", "rb").read().split(b"\0")
            if words[:2] == [b"/usr/bin/swiftwater", b"operator"]:
                variables = open(f"/proc/{pid}/environ", "rb").read().split(b"\0")
                if any(f"HOSTNAME={name}".encode() in variables for name in names):
                    return int(pid)
    raise AssertionError(f"no operator in {member.name}")


def test_an_operator_that_believes_it_leads_gives_way_to_the_one_that_does(orders):
    former = until(lambda: orders.leader, "somebody leads", 30, every=0.3)
    process = operator_process(former)
    os.kill(process, signal.SIGSTOP)
    try:
        until(lambda: orders.leader not in (None, former), "another one leads", 60, every=0.3)
        # There is something to do for both of them.
        victim = orders["central"]
        victim.kubectl("delete", "service", "orders-central")
    finally:
        os.kill(process, signal.SIGCONT)

    def epochs():
        labels = {"kafka.swiftwater.dev%2Fcluster": "orders"}
        found = [service["metadata"] for member in orders for service in member.objects("services", **labels)]
        return {meta["name"]: int(meta["annotations"]["kafka.swiftwater.dev/epoch"]) for meta in found}

    until(lambda: "orders-central" in epochs(), "the Service is back", 30, every=0.2)
    newest = epochs()["orders-central"]
    assert newest > max(epoch for name, epoch in epochs().items() if name != "orders-central")
    until(lambda: "operator_leads 0" in former.metrics(), "it gives way", 30, every=0.2)
    await_ready(orders)
    assert orders.leader is not former and epochs()["orders-central"] == newest


def test_a_broker_more_and_a_broker_less(orders):
    apply_orders(orders, {**ALL, "central": (2, 1)}, config={"message.max.bytes": "3000000"})
    central = orders["central"]
    until(lambda: len(central.pods()) == 2, "a second pod", 60, every=0.2)
    await_ready(orders, 60)
    assert len(orders.bootstrap(central, "orders").split(",")) == 4
    with writing(orders):
        apply_orders(orders, config={"message.max.bytes": "3000000"})
        until(lambda: len(central.pods()) == 1, "it is emptied and goes", 90, every=0.2)
        await_ready(orders, 60)
    claims = central.objects("persistentvolumeclaims")
    assert len(claims) == 2, "its volume stays"


def records(world, name):
    """How many records the topic has in a Kafka, by partition."""
    reader = Consumer({"bootstrap.servers": world.bootstrap(world["west"], name), "group.id": "none", "log_level": 0})
    ends = [reader.get_watermark_offsets(TopicPartition("payments", p), timeout=10)[1] for p in range(PARTITIONS)]
    reader.close()
    return ends


def test_a_mirror_goes_on_without_operators_and_changes_sides_with_a_commit(orders):
    west = orders["west"]
    west.apply(kafka_cluster("archive", {"north": (1, 1)}, durability={"survive": "Broker"}))
    until(lambda: west.is_ready("kafkaclusters", "archive"), "the second Kafka is Ready", 90, every=0.3)

    def change(archive, stretched):
        """Both mirrors in one commit."""
        west.apply(
            kafka_mirror("to-archive", "archive", "orders", ["payments"], archive),
            kafka_mirror("to-orders", "orders", "archive", ["payments"], stretched),
        )
        for name, role in (("to-archive", archive), ("to-orders", stretched)):

            def has_changed():
                status = west.resource("kafkamirrors", name).get("status", {})
                return west.is_ready("kafkamirrors", name) and status.get("role") == role

            until(has_changed, f"{name} is {role}", 60, every=0.2)

    change(archive="Standby", stretched="Primary")
    with writing(orders) as writer:
        for member in orders:
            member.scale_operator(0)
        before = sum(records(orders, "archive"))
        writer.await_more(100)
        until(lambda: sum(records(orders, "archive")) >= before + 100, "the copy grows with no operator", 30, every=0.2)
        for member in orders:
            member.scale_operator(1)
    until(lambda: records(orders, "archive") == records(orders, "orders"), "the copy has everything", 30, every=0.2)
    began = time.monotonic()
    change(archive="Primary", stretched="Standby")
    orders.took["mirrors have changed sides"] = time.monotonic() - began
    writer = Writer(orders.bootstrap(west, "archive"), "payments", PARTITIONS, name="archive").start()
    writer.await_more(100)
    writer.stop()
    change(archive="Standby", stretched="Primary")
    check(writer, read_back(orders.bootstrap(west, "orders"), "payments", PARTITIONS))
    west.kubectl("delete", "kafkamirrors", "--all", "--timeout=30s")
    west.kubectl("delete", "kafkacluster", "archive", "--timeout=60s")
    await_ready(orders)


def test_a_cluster_that_is_deleted_leaves_its_volumes_and_nothing_else(orders):
    orders["west"].kubectl("delete", "kafkatopics", "--all", "--timeout=30s")
    orders["west"].kubectl("delete", "kafkacluster", "orders", "--timeout=60s")
    until(lambda: not any(member.pods() for member in orders), "no pod is left", 60, every=0.3)
    until(lambda: not any(m.resource("kafkaclusters", "orders") for m in orders), "no copy is left", 30, every=0.3)
    for member in orders:
        assert member.objects("persistentvolumeclaims"), f"volumes in {member.name} ({NAMESPACE})"


def controllers(servers):
    """Where the voters of the quorum say that they are."""
    done = run("quorum", "status", "--bootstrap-server", servers, "--output", "json")
    assert done.returncode == 0, done.stderr
    return {endpoint["host"] for voter in json.loads(done.stdout)["voters"] for endpoint in voter["endpoints"]}


def test_regions_reach_each_other_through_node_ports_and_load_balancers(world):
    west, central = world["west"], world["central"]
    with LoadBalancers(central) as balancers, world.only_by_doors(west, central):
        west.apply(region("west", "NodePort"), region("central", "LoadBalancer"))
        west.apply(kafka_cluster("orders", ALL), kafka_topic("payments", "orders", PARTITIONS))
        until(lambda: west.is_ready("kafkaclusters", "orders"), "the cluster is Ready", 120, every=0.3)
        until(lambda: west.is_ready("kafkatopics", "payments"), "the topic is Ready", 30, every=0.3)
        # The volumes are those of the cluster that was deleted, and so is what is on them.
        assert sum(records(world, "orders")) > 0
        doors = {server.rsplit(":", 1)[0] for server in world.bootstrap(west, "orders").split(",")}
        inside = {pod["status"]["podIP"] for pod in world["north"].pods().values()}
        assert doors == {west.node.address, *balancers.given.values()} | inside
        servers = world.bootstrap(west, "orders")
        until(lambda: controllers(servers) == doors, "controllers are reached by the same ways", 20, every=0.5)
        with writing(world) as writer:
            # An address that is told is kept when its pod is another one.
            before = uids(world)
            central.kubectl("delete", "pod", "-l", "kafka.swiftwater.dev/cluster=orders", "--timeout=60s")
            until(lambda: uids(world).keys() == before.keys(), "the pod is back", 60, every=0.3)
            await_ready(world, 90)
            writer.await_more(200)
        assert doors == {server.rsplit(":", 1)[0] for server in world.bootstrap(west, "orders").split(",")}
        west.kubectl("delete", "kafkatopics", "--all", "--timeout=30s")
        west.kubectl("delete", "kafkacluster", "orders", "--timeout=60s")
        until(lambda: not any(member.pods() for member in world), "no pod is left", 60, every=0.3)


def test_regions_reach_each_other_by_the_names_of_a_cluster_set(world):
    west, lost = world["west"], world["north"]
    with ClusterSet(world), contextlib.ExitStack() as shut:
        shut.enter_context(world.only_by_doors(*world))
        west.apply(*[region(name, "MultiClusterService") for name in REGIONS])
        west.apply(kafka_cluster("orders", ALL), kafka_topic("payments", "orders", PARTITIONS))
        await_ready(world, 120)
        until(lambda: west.is_ready("kafkatopics", "payments"), "the topic is Ready", 30, every=0.3)
        servers = world.bootstrap(west, "orders")
        assert servers.split(",") == sorted(f"orders-{name}-0.kafka.svc.clusterset.local:9092" for name in REGIONS)
        with RemoteWriter(west.node, servers, "payments", PARTITIONS) as writer:
            writer.await_more(100)
            lost.cluster.stop_api()
            lost.node.crash()
            until(lambda: says(west, "SurvivesRegionLoss", "False"), "it is seen that a Region is lost", 60, every=0.2)
            writer.await_more(50)
            lost.cluster.start_api()
            lost.node.up([world.image])
            until(lambda: all(says(m, "SurvivesRegionLoss", "True") for m in world), "all is well", 120, every=0.3)
            await_ready(world)
            writer.await_more(50)
        with RemoteWriter(lost.node, servers, "payments", PARTITIONS) as writer:
            writer.await_more(50)
            # The same brokers get host names of somebody's own, one after the other. These lead to the pods themselves.
            shut.close()
            before = uids(world)
            template = "{pod}.{region}.kafka.test"
            with HostNames(world, lambda member, pod: f"{pod['metadata']['name']}.{member.name}.kafka.test"):
                west.apply(*[region(name, "HostTemplate", template) for name in REGIONS])
                until(lambda: not set(before.values()) & set(uids(world).values()), "every pod is a new one", 120, every=0.3)
                await_ready(world, 90)
                writer.await_more(50)
                told = world.bootstrap(west, "orders")
                assert told.split(",") == sorted(f"orders-{name}-0-0.{name}.kafka.test:9092" for name in REGIONS)
                with RemoteWriter(west.node, told, "payments", PARTITIONS) as other:
                    other.await_more(50)
                writer.servers = told
        west.kubectl("delete", "kafkatopics", "--all", "--timeout=30s")
        west.kubectl("delete", "kafkacluster", "orders", "--timeout=60s")
        until(lambda: not any(member.pods() for member in world), "no pod is left", 60, every=0.3)


def brokers(servers):
    """Their ids, those that are fenced too."""
    done = run("brokers", "list", "--bootstrap-server", servers, "--output", "json")
    assert done.returncode == 0, done.stderr
    return sorted(broker["id"] for broker in json.loads(done.stdout))


def test_a_region_that_was_given_up_comes_back_with_its_broker_and_changes_nothing(world):
    lost, home, other = world["west"], world["central"], world["north"]
    left = [home, other]
    lost.apply(*[region(name) for name in REGIONS], kafka_cluster("orders", ALL))
    lost.apply(*[kafka_topic(name, "orders", PARTITIONS, deletionPolicy="Delete") for name in ("payments", "spare")])
    await_ready(world, 120)
    for name in ("payments", "spare"):
        until(lambda: all(m.is_ready("kafkatopics", name) for m in world), f"{name} is Ready", 60, every=0.3)
    stale = uids(world)["orders-west-0-0"]
    servers = world.bootstrap(lost, "orders")
    writer = Writer(servers, "payments", PARTITIONS, name="given-up").start()
    writer.await_more(100)

    world.cut(lost)
    try:
        world.swiftwater("rehome", "west", "--context", "central", "--also", "north")
        shares = {"central": (2, 2), "north": (1, 1)}
        home.apply(kafka_cluster("orders", shares, durability={"survive": "Broker"}))

        def quorum():
            return home.resource("kafkaclusters", "orders").get("status", {}).get("quorum", {}).get("voters")

        until(lambda: quorum() == [200, 201, 300], "the lost voter has gone", 90, every=0.3)
        until(lambda: all_ready(left), "the cluster is Ready without the Region", 90, every=0.3)
        home.kubectl("delete", "kafkatopic", "spare", "--wait=false")
        home.kubectl("delete", "region", "west", "--timeout=60s")
        servers = world.bootstrap(home, "orders")
        until(lambda: brokers(servers) == [200, 201, 300], "its broker is forgotten", 60, every=0.5)
        until(lambda: not any(m.resource("kafkatopics", "spare") for m in left), "the topic is gone", 60, every=0.3)
        writer.await_more(50)
        kept = {m.name: {n: u["metadata"]["uid"] for n, u in m.pods().items()} for m in left}
        assert uids(world)["orders-west-0-0"] == stale, "the lost Region's broker ran all the while"
    finally:
        world.heal(lost)

    # It is back, with a broker that runs, its StatefulSet, and the originals of everything.
    until(lambda: "does not lead" in lost.log(5000), "its operator knows", 60, every=0.5)
    until(lambda: not lost.pods(), "its broker ends", 150, every=0.5)
    until(lambda: brokers(servers) == [200, 201, 300], "and is not one of the cluster's", 60, every=0.5)
    writer.await_more(50)
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(servers, "payments", PARTITIONS))
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    assert "spare" not in admin.list_topics(timeout=10).topics
    for member in left:
        assert not member.resource("kafkatopics", "spare") and not member.resource("regions", "west")
        assert {n: u["metadata"]["uid"] for n, u in member.pods().items()} == kept[member.name], "no pod was touched"
    assert all_ready(left) and quorum() == [200, 201, 300]
    assert "operator_leads 0" in lost.metrics()
    assert lost.objects("persistentvolumeclaims"), "its volume stays"
    home.kubectl("delete", "kafkatopics", "--all", "--timeout=30s")
    home.kubectl("delete", "kafkacluster", "orders", "--timeout=60s")
