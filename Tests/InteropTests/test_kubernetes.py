"""The operator on real API servers, with our image run by real kubelets: three clusters, one node and one operator in each.

The tests share the clusters and follow each other: each leaves everything Ready."""

import time

import pytest
import stretched
from broker import until
from history import Writer, check, read_back
from stretched import REGIONS, Stretched, kafka_cluster, kafka_topic, region

pytestmark = [
    pytest.mark.skipif(bool(stretched.obstacle()), reason=stretched.obstacle() or ""),
    pytest.mark.timeout(300),
]
PARTITIONS = 3


@pytest.fixture(scope="module")
def clusters(tmp_path_factory):
    made = Stretched(tmp_path_factory.mktemp("kubernetes") / "clusters")
    try:
        yield made.up()
    finally:
        made.down()


@pytest.fixture
def world(clusters, request):
    """The clusters; what they look like is part of a failure."""
    request.node.worlds = [clusters]
    return clusters


def all_ready(world, name="orders"):
    return all(member.is_ready("kafkaclusters", name) for member in world)


def test_what_is_applied_in_one_cluster_becomes_a_kafka_over_three(world):
    west, began = world["west"], time.monotonic()
    west.apply(
        *[region(name) for name in REGIONS],
        kafka_cluster("orders", {name: (1, 1) for name in REGIONS}),
        kafka_topic("payments", "orders", PARTITIONS),
    )
    until(lambda: west.is_ready("kafkaclusters", "orders"), "the cluster is Ready", 120, every=0.3)
    until(lambda: west.is_ready("kafkatopics", "payments"), "the topic is Ready", 30, every=0.3)
    world.took["ready"] = time.monotonic() - began
    until(lambda: all_ready(world), "every member says the same", 30, every=0.3)
    servers = world.bootstrap(west, "orders")
    assert len(servers.split(",")) == 3
    writer = Writer(servers, "payments", PARTITIONS).start()
    writer.await_more(200)
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(servers, "payments", PARTITIONS))
    for member in world:
        assert len(member.pods()) == 1, f"pods in {member.name}"
