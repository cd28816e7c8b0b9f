"""`swiftwater local`: Regions, API servers, operators and brokers on one machine, from manifests to records."""

import json
import pathlib
import signal
import subprocess
import urllib.request

import pytest
from broker import CHECKOUT, binary, run, until
from history import Writer, check, read_back

EXAMPLES = sorted((CHECKOUT / "examples" / "laptop").glob("*.yaml"))


class Local:
    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.process = None

    def up(self, *arguments):
        log = open(self.folder.with_suffix(".log"), "ab")
        self.process = subprocess.Popen(
            [binary(), "local", "up", "--folder", str(self.folder), *arguments], stdout=log, stderr=log
        )
        until(lambda: self.status(), "every Region runs", 60)
        return self

    def status(self):
        assert self.process.poll() is None, self.folder.with_suffix(".log").read_text()
        done = run("local", "status", "--folder", self.folder)
        lines = [line.split() for line in done.stdout.splitlines()[1:]]
        return {name: (state, address) for name, state, address in lines}

    def tell(self, verb, region):
        done = run("local", verb, region, "--folder", self.folder, within=60)
        assert done.returncode == 0, done.stderr

    def get(self, region, plural, name):
        address = self.status()[region][1]
        path = f"{address}/apis/kafka.swiftwater.dev/v1alpha1/namespaces/kafka/{plural}/{name}"
        try:
            return json.load(urllib.request.urlopen(path, timeout=3))
        except OSError:
            return {}

    def is_ready(self, region, plural, name):
        found = self.get(region, plural, name)
        ready = [c for c in found.get("status", {}).get("conditions", []) if c["type"] == "Ready"]
        return ready and ready[0]["status"] == "True" and ready[0]["observedGeneration"] == found["metadata"]["generation"]

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()


@pytest.fixture
def local(tmp_path):
    made = Local(tmp_path / "local")
    yield made
    made.kill()


def test_manifests_become_a_cluster_that_outlives_the_loss_of_a_region(local):
    local.up(*[word for file in EXAMPLES for word in ("--apply", str(file))])
    until(lambda: local.is_ready("eu-west", "kafkaclusters", "orders"), "the cluster is Ready", 120, every=0.2)
    until(lambda: local.is_ready("eu-west", "kafkatopics", "payments"), "the topic is Ready", 60, every=0.2)
    # What was applied in one Region is in all of them.
    for region in ("eu-central", "eu-north"):
        until(lambda: local.get(region, "kafkaclusters", "orders").get("spec"), f"a copy in {region}", 30, every=0.2)
    servers = ",".join(local.get("eu-west", "kafkaclusters", "orders")["status"]["bootstrapServers"])
    writer = Writer(servers, "payments", partitions=6).start()
    writer.await_more(100)
    local.tell("stop-region", "eu-west")
    assert local.status()["eu-west"][0] == "stopped"
    writer.await_more(100)
    until(
        lambda: not local.is_ready("eu-central", "kafkaclusters", "orders"), "the others say what is missing", 60, every=0.2
    )
    local.tell("start-region", "eu-west")
    until(lambda: local.is_ready("eu-north", "kafkaclusters", "orders"), "the cluster is Ready again", 120, every=0.2)
    writer.await_more(50)
    writer.stop()
    assert not writer.failed, writer.failed[:3]
    check(writer, read_back(servers, "payments", 6))


def test_the_end_of_the_tree_is_the_end_of_everything_in_it_and_the_next_one_finds_it(local):
    local.up("--regions", "a,b")
    assert set(local.status()) == {"a", "b"}
    again = run("local", "up", "--folder", local.folder)
    assert again.returncode == 1 and "runs in" in again.stderr
    local.tell("cut", "a")
    assert local.status()["a"][0] == "cut"
    local.tell("heal", "a")
    assert local.status()["a"][0] == "running"
    local.process.send_signal(signal.SIGTERM)
    assert local.process.wait(30) == 0
    gone = run("local", "status", "--folder", local.folder)
    assert gone.returncode == 1 and "nothing runs in" in gone.stderr
    local.up("--regions", "a,b")


@pytest.mark.timeout(400)
def test_a_pod_stops_once_every_partition_keeps_its_minimum_without_it(local):
    local.up(*[word for file in EXAMPLES for word in ("--apply", str(file))])
    until(lambda: local.is_ready("eu-west", "kafkaclusters", "orders"), "the cluster is Ready", 120, every=0.2)
    until(lambda: local.is_ready("eu-west", "kafkatopics", "payments"), "the topic is Ready", 60, every=0.2)
    servers = ",".join(local.get("eu-west", "kafkaclusters", "orders")["status"]["bootstrapServers"])

    def may_stop(patience):
        return run("brokers", "await-stop", "100", "--for", patience, "--bootstrap-server", servers, within=30)

    unknown = run("brokers", "await-stop", "7", "--bootstrap-server", servers)
    assert unknown.returncode == 1 and "there is no broker 7 in this cluster; there are 100, 200, 300" in unknown.stderr
    asked = may_stop(20)
    assert asked.returncode == 0 and "broker 100 may stop" in asked.stdout, asked.stderr
    local.tell("stop-region", "eu-north")
    until(lambda: may_stop(0).returncode == 1, "the loss is noticed", 20)
    assert "broker 100 could not stop safely within 1 s: " in may_stop(1).stderr
    local.tell("start-region", "eu-north")
    until(lambda: local.is_ready("eu-west", "kafkaclusters", "orders"), "the cluster is Ready again", 120, every=0.2)
    # Whoever deletes the pod, it asks first.
    pod = f"{local.status()['eu-west'][1]}/api/v1/namespaces/kafka/pods/orders-eu-west-0-0"
    urllib.request.urlopen(urllib.request.Request(pod, method="DELETE"), timeout=5)
    logs = local.folder / "eu-west" / "pods" / "kafka_orders-eu-west-0-0"
    until(lambda: any("broker 100 may stop" in log.read_text() for log in logs.glob("*.log")), "it may stop", 60, every=0.1)
    until(lambda: local.is_ready("eu-west", "kafkaclusters", "orders"), "the cluster is Ready again", 120, every=0.2)
    events = json.load(urllib.request.urlopen(pod.replace("pods/orders-eu-west-0-0", "events"), timeout=5))["items"]
    assert not [event["message"] for event in events if event["reason"] == "FailedPreStopHook"]


@pytest.mark.timeout(400)
def test_brokers_of_a_cluster_that_is_deleted_do_not_wait_and_the_next_one_has_their_records(local):
    local.up(*[word for file in EXAMPLES for word in ("--apply", str(file))])
    until(lambda: local.is_ready("eu-west", "kafkaclusters", "orders"), "the cluster is Ready", 120, every=0.2)
    until(lambda: local.is_ready("eu-west", "kafkatopics", "payments"), "the topic is Ready", 60, every=0.2)
    regions = local.status()

    def pods():
        """What is left of the nodes, in all Regions."""
        left = []
        for _, server in regions.values():
            answer = json.load(urllib.request.urlopen(f"{server}/api/v1/namespaces/kafka/pods", timeout=5))
            left += [pod["metadata"]["name"] for pod in answer["items"]]
        return left

    assert len(pods()) == 3
    before = local.get("eu-west", "kafkaclusters", "orders")
    writer = Writer(",".join(before["status"]["bootstrapServers"]), "payments", partitions=6).start()
    writer.await_more(100)
    writer.stop()
    server = regions["eu-west"][1]
    cluster = f"{server}/apis/kafka.swiftwater.dev/v1alpha1/namespaces/kafka/kafkaclusters/orders"
    urllib.request.urlopen(urllib.request.Request(cluster, method="DELETE"), timeout=5)
    # One that waited would wait for a minute.
    until(lambda: not pods(), "no pod is left", 30, every=0.2)
    assert len(list(local.folder.glob("*/volumes/*"))) == 3

    # Applied again, it is the cluster whose volumes these are.
    until(lambda: not local.get("eu-west", "kafkaclusters", "orders"), "the object is gone", 30, every=0.2)
    again = {key: before[key] for key in ("apiVersion", "kind", "spec")} | {"metadata": {"name": "orders"}}
    request = urllib.request.Request(f"{cluster}?fieldManager=people&force=true", json.dumps(again).encode(), method="PATCH")
    request.add_header("Content-Type", "application/apply-patch+yaml")
    urllib.request.urlopen(request, timeout=5)
    until(lambda: local.is_ready("eu-west", "kafkaclusters", "orders"), "the cluster is Ready again", 120, every=0.2)
    status = local.get("eu-west", "kafkaclusters", "orders")["status"]
    assert status["clusterID"] == before["status"]["clusterID"]
    check(writer, read_back(",".join(status["bootstrapServers"]), "payments", 6))


@pytest.mark.parametrize(
    "arguments, complaint",
    [
        (["up", "--regions", "Europe"], "'Europe' is no name of a Region"),
        (["up", "--regions", "a,a"], "each once"),
        (["status"], "nothing runs in"),
        (["stop-region"], "needs NAME"),
    ],
)
def test_what_cannot_be_meant_is_answered_in_one_sentence(tmp_path, arguments, complaint):
    done = run("local", *arguments, "--folder", tmp_path / "none")
    assert done.returncode != 0 and complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "none").exists()


def test_a_manifest_with_a_mistake_is_named(local):
    manifest = local.folder.parent / "bad.yaml"
    manifest.write_text("kind: Sandwich\nmetadata: {name: x}\n")
    done = run("local", "up", "--folder", local.folder, "--apply", manifest, within=60)
    assert done.returncode == 1 and "'Sandwich' is none of Region" in done.stderr
