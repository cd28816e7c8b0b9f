"""A Region is lost for good, and with it the member in which everything was applied: a new home, and another Region."""

import json
import os
import subprocess
import urllib.request

import pytest
from broker import binary, run, until
from history import Writer, check, read_back
from test_local_growth import ALL, LAPTOP, Growing

LOST, HOME, NEW = "eu-west", "eu-central", "eu-south"
LEFT = (HOME, "eu-north", NEW)


class Losing(Growing):
    """Local Regions of which the first one goes; what is applied goes to `home`."""

    known = None

    def up(self, *arguments):
        super().up(*arguments)
        self.known = super().status()

    def status(self):
        """Where the Regions are, which does not change: asking takes a process each time."""
        return self.known or super().status()

    def swiftwater(self, *words):
        environment = {**os.environ, "KUBECONFIG": str(self.folder / "kubeconfig")}
        done = subprocess.run(
            [binary(), "kubectl", *words, "-n", "kafka"], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def delete(self, plural, name):
        address = self.status()[self.home][1]
        path = f"{address}/apis/kafka.swiftwater.dev/v1alpha1/namespaces/kafka/{plural}/{name}"
        urllib.request.urlopen(urllib.request.Request(path, method="DELETE"), timeout=5)

    def holders(self, plural, name):
        """In which of the Regions that are left an object is."""
        return [region for region in LEFT if self.get(region, plural, name)]


@pytest.fixture
def losing(tmp_path):
    made = Losing(tmp_path / "local")
    yield made
    made.kill()


def brokers(servers):
    done = run("brokers", "list", "--bootstrap-server", servers, "--output", "json")
    assert done.returncode == 0, done.stderr
    return sorted(broker["id"] for broker in json.loads(done.stdout))


@pytest.mark.timeout(400)
def test_a_region_that_was_the_home_of_everything_is_lost_and_another_one_takes_its_place(losing):
    losing.up("--regions", ",".join((*ALL, NEW)), "--apply", str(LAPTOP / "regions.yaml"))
    losing.shares({name: 1 for name in ALL})
    losing.await_ready("in three Regions")
    names = ["payments", "spare", *(f"more-{number}" for number in range(4))]
    for name in names:
        losing.apply("kafkatopics", "KafkaTopic", name, {"cluster": {"name": "orders"}, "partitions": 3})
    for name in names:
        until(lambda: losing.is_ready(LOST, "kafkatopics", name), f"{name} is Ready", 60, every=0.1)
    servers = ",".join(losing.cluster()["bootstrapServers"])
    first = losing.cluster()["clusterID"]
    writer = Writer(servers, "payments", partitions=3).start()
    writer.await_more(100)

    losing.tell("stop-region", LOST)
    told = losing.swiftwater("rehome", LOST, "--context", HOME, "--also", "eu-north", "--manager", "people")
    for what in ("KafkaCluster orders", *(f"KafkaTopic {name}" for name in names), *(f"Region {name}" for name in ALL)):
        assert f"{what}: its original is in {HOME} now" in told, told
    losing.home = HOME
    # What is deleted while the lost member may still have it waits, and does not come back.
    losing.delete("kafkatopics", "spare")
    access = {"kubeconfigSecret": {"name": f"{NEW}-kubeconfig"}}
    losing.apply("regions", "Region", NEW, {"provider": "local", "access": access})
    until(lambda: losing.is_ready(HOME, "regions", NEW), "the new Region answers", 60, every=0.1)
    losing.shares({name: 1 for name in LEFT})
    until(lambda: losing.cluster(HOME).get("quorum", {}).get("voters") == [200, 300, 400], "new voters", 60, every=0.1)
    losing.await_ready("without the lost Region", HOME)
    writer.await_more(50)

    losing.delete("regions", LOST)
    until(lambda: not losing.holders("regions", LOST), "the lost Region is forgotten", 60, every=0.1)
    until(lambda: not losing.holders("kafkatopics", "spare"), "nobody waits for the lost member", 60, every=0.1)
    servers = ",".join(losing.cluster(HOME)["bootstrapServers"])
    until(lambda: brokers(servers) == [200, 300, 400], "its broker is forgotten", 60, every=0.1)
    losing.await_ready("with the new Region", HOME)
    for name in names:
        if name != "spare":
            until(lambda: losing.is_ready(HOME, "kafkatopics", name), f"{name} is Ready", 60, every=0.1)
    assert set(losing.holders("kafkaclusters", "orders")) == set(LEFT)
    assert losing.cluster(HOME)["clusterID"] == first
    # It is whole: any one of the Regions that are left could be lost now.
    until(
        lambda: any(
            c["type"] == "SurvivesRegionLoss" and c["status"] == "True" for c in losing.cluster(HOME)["conditions"]
        ),
        "any Region could be lost",
        60,
        every=0.1,
    )
    writer.await_more(50)
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(servers, "payments", 3))
