"""A cluster in one Region, and how it becomes one over three and one again, with real brokers under load."""

import json
import pathlib
import urllib.request

import pytest
from broker import CHECKOUT, until
from history import Writer, check, read_back
from test_local import Local

LAPTOP = CHECKOUT / "examples" / "laptop"
ALL = ("eu-west", "eu-central", "eu-north")


class Growing(Local):
    """Local Regions in which one cluster is applied again and again."""

    home = "eu-west"

    def shares(self, controllers, survive="Region"):
        """Applies the cluster with a broker in each of the Regions that `controllers` names."""
        regions = [
            {"name": name, "brokers": 1, "controllers": votes, "storage": {"size": "1Gi"}}
            for name, votes in controllers.items()
        ]
        self.apply(
            "kafkaclusters",
            "KafkaCluster",
            "orders",
            {
                "regions": regions,
                "durability": {"survive": survive},
                "config": {"offsets.topic.num.partitions": "4"},
            },
        )

    def apply(self, plural, kind, name, spec):
        address = self.status()[self.home][1]
        body = {"apiVersion": "kafka.swiftwater.dev/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}
        request = urllib.request.Request(
            f"{address}/apis/kafka.swiftwater.dev/v1alpha1/namespaces/kafka/{plural}/{name}?fieldManager=people&force=true",
            data=json.dumps(body).encode(),
            method="PATCH",
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        urllib.request.urlopen(request, timeout=5)

    def cluster(self, region="eu-west"):
        return self.get(region, "kafkaclusters", "orders").get("status", {})

    def await_ready(self, what, region="eu-west", within=120):
        def ready():
            return self.is_ready(region, "kafkaclusters", "orders") and not self.is_reconciling(region)

        try:
            until(ready, f"the cluster is Ready {what}", within, every=0.2)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{json.dumps(self.cluster(region), indent=1)}") from late

    def is_reconciling(self, region):
        conditions = self.cluster(region).get("conditions", [])
        return any(c["type"] == "Reconciling" and c["status"] == "True" for c in conditions)

    def pod(self, region):
        address = self.status()[region][1]
        path = f"{address}/api/v1/namespaces/kafka/pods/orders-{region}-0-0"
        return json.load(urllib.request.urlopen(path, timeout=3))

    def broker_pid(self, region):
        """The process of a Region's only broker."""
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
            except OSError:
                continue
            if b"broker" in words and any(str(self.folder / region).encode() in word for word in words):
                found.append(int(entry.name))
        assert len(found) == 1, found
        return found[0]


@pytest.fixture
def growing(tmp_path):
    made = Growing(tmp_path / "local")
    yield made
    made.kill()


def test_a_cluster_in_one_region_survives_its_broker(growing):
    import os
    import signal

    growing.up("--regions", "eu-west")
    growing.apply("regions", "Region", "eu-west", {"provider": "local"})
    growing.shares({"eu-west": 1}, survive="Broker")
    growing.await_ready("with one broker")
    growing.apply("kafkatopics", "KafkaTopic", "payments", {"cluster": {"name": "orders"}, "partitions": 2})
    until(lambda: growing.is_ready("eu-west", "kafkatopics", "payments"), "the topic is Ready", 60, every=0.2)
    servers = ",".join(growing.cluster()["bootstrapServers"])
    writer = Writer(servers, "payments", partitions=2).start()
    writer.await_more(100)
    before = growing.broker_pid("eu-west")
    os.kill(before, signal.SIGKILL)
    writer.await_more(100)
    growing.await_ready("after its broker was killed")
    assert growing.broker_pid("eu-west") != before
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(servers, "payments", 2))


@pytest.mark.timeout(400)
def test_a_cluster_grows_from_one_region_to_three_and_shrinks_back(growing):
    growing.up("--regions", ",".join(ALL), "--apply", str(LAPTOP / "regions.yaml"))
    growing.shares({"eu-west": 1}, survive="Broker")
    growing.await_ready("in one Region")
    growing.apply("kafkatopics", "KafkaTopic", "payments", {"cluster": {"name": "orders"}, "partitions": 3})
    until(lambda: growing.is_ready("eu-west", "kafkatopics", "payments"), "the topic is Ready", 60, every=0.2)
    first = growing.cluster()
    assert first["quorum"]["voters"] == [100]
    servers = ",".join(first["bootstrapServers"])
    writer = Writer(servers, "payments", partitions=3).start()
    writer.await_more(50)

    growing.shares({name: 1 for name in ALL})
    growing.await_ready("in three Regions")
    until(lambda: len(growing.cluster()["quorum"]["voters"]) == 3, "three voters", 60, every=0.2)
    # The topic follows the cluster's durability.
    until(lambda: growing.is_ready("eu-west", "kafkatopics", "payments"), "the topic has moved", 60, every=0.2)
    until(
        lambda: any(
            c["type"] == "SurvivesRegionLoss" and c["status"] == "True" for c in growing.cluster()["conditions"]
        ),
        "any Region could be lost",
        60,
        every=0.2,
    )
    assert growing.cluster()["clusterID"] == first["clusterID"]
    writer.await_more(50)
    growing.tell("stop-region", "eu-north")
    writer.await_more(50)
    growing.tell("start-region", "eu-north")
    growing.await_ready("again with all three")

    growing.shares({"eu-west": 1}, survive="Broker")
    until(lambda: growing.cluster()["quorum"]["voters"] == [100], "one voter again", 120, every=0.2)
    growing.await_ready("in one Region again")
    until(lambda: growing.is_ready("eu-west", "kafkatopics", "payments"), "the topic is back", 60, every=0.2)
    writer.await_more(50)
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(servers, "payments", 3))


@pytest.mark.timeout(400)
def test_a_region_without_brokers_is_a_witness_and_goes_with_its_cluster(growing):
    growing.up("--regions", ",".join(ALL), "--apply", str(LAPTOP / "regions.yaml"))
    regions = [
        {"name": name, "brokers": brokers, "controllers": 1, "storage": {"size": "1Gi"}}
        for name, brokers in zip(ALL, (1, 1, 0))
    ]
    spec = {"regions": regions, "durability": {"survive": "Region"}, "config": {"offsets.topic.num.partitions": "4"}}
    growing.apply("kafkaclusters", "KafkaCluster", "orders", spec)
    growing.await_ready("with a witness")
    assert growing.cluster()["quorum"]["voters"] == [100, 200, 300]
    growing.apply("kafkatopics", "KafkaTopic", "payments", {"cluster": {"name": "orders"}, "partitions": 3})
    until(lambda: growing.is_ready("eu-west", "kafkatopics", "payments"), "the topic is Ready", 60, every=0.2)
    servers = ",".join(growing.cluster()["bootstrapServers"])
    writer = Writer(servers, "payments", partitions=3).start()
    writer.await_more(100)
    growing.tell("stop-region", "eu-north")
    writer.await_more(100)
    growing.tell("start-region", "eu-north")
    growing.await_ready("with its witness again")
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(servers, "payments", 3))

    # Two Regions have every record, so that with one of them nothing is acknowledged: it says so beforehand.
    def survives():
        return next(c for c in growing.cluster()["conditions"] if c["type"] == "SurvivesRegionLoss")

    until(lambda: survives()["status"] == "False", "it says what cannot be lost", 60, every=0.2)
    assert "eu-west" in survives()["message"] and "eu-north" not in survives()["message"], survives()
    addresses = {name: address for name, (_, address) in growing.status().items()}

    def pods(region):
        answer = json.load(urllib.request.urlopen(f"{addresses[region]}/api/v1/namespaces/kafka/pods", timeout=5))
        return [pod["metadata"]["name"] for pod in answer["items"]]

    assert all(pods(region) for region in ALL)
    cluster = f"{addresses['eu-west']}/apis/kafka.swiftwater.dev/v1alpha1/namespaces/kafka/kafkaclusters/orders"
    urllib.request.urlopen(urllib.request.Request(cluster, method="DELETE"), timeout=5)
    until(lambda: not any(pods(region) for region in ALL), "no node is left", 30, every=0.2)
