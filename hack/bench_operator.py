"""What hack/bench --operator measures: the operator with a cluster of three Regions and many topics.

API servers and brokers are those of `swiftwater local up --without-operators`; the operators are processes of their
own, one in each Region, so that their CPU time and memory can be told apart.
"""

import argparse
import http.client
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import urllib.parse

CHECKOUT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT / "Tests" / "InteropTests"))

from broker import binary, free_port, run, until  # noqa: E402

REGIONS = ("eu-west", "eu-central", "eu-north")
GROUP = "/apis/kafka.swiftwater.dev/v1alpha1/namespaces/kafka"
API_VERSION = "kafka.swiftwater.dev/v1alpha1"


class Server:
    """One Region's API server, over one connection."""

    def __init__(self, url):
        self.place = urllib.parse.urlparse(url).netloc
        self.connection = http.client.HTTPConnection(self.place, timeout=30)

    def call(self, method, path, body=None, kind="application/json"):
        data = json.dumps(body).encode() if body is not None else None
        headers = {"Content-Type": kind} if data else {}
        try:
            self.connection.request(method, path, data, headers)
        except (ConnectionError, http.client.CannotSendRequest):
            # A connection on which nothing was said for a while is closed by the server.
            self.connection.close()
            self.connection.request(method, path, data, headers)
        answer = self.connection.getresponse()
        text = answer.read()
        assert answer.status < 300, (method, path, answer.status, text[:300])
        return json.loads(text)

    def get(self, plural, name):
        return self.call("GET", f"{GROUP}/{plural}/{name}")

    def create(self, plural, kind, name, spec):
        body = {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name, "namespace": "kafka"}, "spec": spec}
        return self.call("POST", f"{GROUP}/{plural}", body)

    def patch(self, plural, name, change):
        return self.call("PATCH", f"{GROUP}/{plural}/{name}", change, "application/merge-patch+json")


def condition(found, kind):
    for one in found.get("status", {}).get("conditions", []):
        if one["type"] == kind:
            return one
    return {}


def is_ready(found):
    ready = condition(found, "Ready")
    return ready.get("status") == "True" and ready.get("observedGeneration") == found["metadata"]["generation"]


class ReadyTopics(threading.Thread):
    """Follows all topics of a Region by a watch, and knows which of them are ready."""

    def __init__(self, place):
        super().__init__(daemon=True)
        self.place, self.ready, self.events, self.isOver = place, set(), 0, False
        self.start()

    def run(self):
        while not self.isOver:
            try:
                self.follow()
            except (OSError, http.client.HTTPException, ValueError):
                time.sleep(0.2)

    def follow(self):
        connection = http.client.HTTPConnection(self.place, timeout=600)
        connection.request("GET", f"{GROUP}/kafkatopics?watch=true")
        answer = connection.getresponse()
        while line := answer.readline():
            event = json.loads(line)
            found = event["object"]
            if "metadata" not in found or "name" not in found["metadata"]:
                return
            self.events += 1
            name = found["metadata"]["name"]
            if event["type"] != "DELETED" and is_ready(found):
                self.ready.add(name)
            else:
                self.ready.discard(name)


class Operator:
    def __init__(self, folder, region, log):
        self.port = free_port()
        self.region = region
        self.process = subprocess.Popen(
            [
                binary(), "operator", "--kubeconfig", str(folder / region / "inside.kubeconfig"), "--namespace", "kafka",
                "--identity", region, "--metrics-listener", f"127.0.0.1:{self.port}",
            ],
            stdout=log, stderr=log,
        )  # fmt: skip

    def metrics(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        connection.request("GET", "/metrics")
        found = {}
        for line in connection.getresponse().read().decode().splitlines():
            if match := re.match(r"^(\w+)(\{.*\})? (\S+)$", line):
                found[match[1]] = found.get(match[1], 0) + float(match[3])
        return found

    def leads(self):
        try:
            return self.metrics().get("operator_leads") == 1
        except OSError:
            return False

    def cpu(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, field="VmRSS"):
        for line in pathlib.Path(f"/proc/{self.process.pid}/status").read_text().splitlines():
            if line.startswith(field + ":"):
                return int(line.split()[1]) / 1024
        return 0


class Bench:
    def __init__(self, options):
        self.options = options
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="swiftwater-bench-operator.", dir="/tmp"))
        self.rows = []
        self.operators = []
        self.log = open(self.folder / "processes.log", "ab")
        self.tree = None

    def add(self, name, figure, goal="none"):
        self.rows.append((name, figure, goal))
        print(f"  {name}: {figure}" + (f" (goal {goal})" if goal != "none" else ""), flush=True)

    def start(self):
        regions = CHECKOUT / "examples" / "laptop" / "regions.yaml"
        self.tree = subprocess.Popen(
            [
                binary(), "local", "up", "--folder", str(self.folder / "local"), "--without-operators",
                "--regions", ",".join(REGIONS), "--apply", str(regions),
            ],
            stdout=self.log, stderr=self.log,
        )  # fmt: skip
        until(lambda: len(self.addresses()) == 3, "three Regions", 60, every=0.2)
        self.servers = {name: Server(url) for name, url in self.addresses().items()}
        self.operators = [Operator(self.folder / "local", region, self.log) for region in REGIONS]

    def addresses(self):
        done = run("local", "status", "--folder", self.folder / "local")
        return {words[0]: words[2] for line in done.stdout.splitlines()[1:] if len(words := line.split()) == 3}

    def leader(self):
        return until(lambda: next((one for one in self.operators if one.leads()), None), "one operator leads", 60, every=0.2)

    def cluster(self):
        """A cluster of nine brokers, from being applied to being ready."""
        until(lambda: all(self.reaches(name) for name in REGIONS), "the Regions are known", 60, every=0.2)
        shares = [
            {"name": name, "brokers": 3, "controllers": 1, "storage": {"size": "1Gi"}} for name in REGIONS
        ]
        began = time.monotonic()
        spec = {"regions": shares, "config": {"num.network.threads": "1", "offsets.topic.num.partitions": "3"}}
        west = self.servers["eu-west"]
        west.create("kafkaclusters", "KafkaCluster", "orders", spec)
        until(lambda: is_ready(west.get("kafkaclusters", "orders")), "the cluster is Ready", 300, every=0.1)
        self.add("apply to Ready, 3 Regions with 9 brokers", f"{time.monotonic() - began:.1f} s")

    def reaches(self, name):
        return condition(self.servers["eu-west"].get("regions", name), "Reachable").get("status") == "True"

    def topics(self):
        count, west = self.options.topics, self.servers["eu-west"]
        self.ready = ReadyTopics(west.place)
        leader = self.leader()
        cpu, began = leader.cpu(), time.monotonic()
        for number in range(count):
            west.create("kafkatopics", "KafkaTopic", f"topic-{number:05}", {"cluster": {"name": "orders"}, "partitions": 1})
        applied = time.monotonic() - began
        until(lambda: len(self.ready.ready) >= count, f"all topics are Ready ({len(self.ready.ready)})", 1800, every=0.2)
        took = time.monotonic() - began
        self.add(
            f"creating {count:,} KafkaTopics",
            f"all Ready after {took:.1f} s, of which applying them took {applied:.1f} s; "
            f"the leader's CPU {leader.cpu() - cpu:.1f} s, memory {leader.memory():.0f} MiB, at most {leader.memory('VmHWM'):.0f} MiB",
        )

    def idle(self):
        leader, span = self.leader(), self.options.idle
        # Conditions settle after the last change.
        time.sleep(30)
        writes = sum(one.metrics().get("operator_writes_total", 0) for one in self.operators)
        before = [one.cpu() for one in self.operators]
        time.sleep(span)
        spent = [(one.cpu() - was) / span * 100 for one, was in zip(self.operators, before)]
        written = sum(one.metrics().get("operator_writes_total", 0) for one in self.operators) - writes
        place = self.operators.index(leader)
        others = [one for one in self.operators if one is not leader]
        self.add(
            f"idle with {self.options.topics:,} KafkaTopics, {span} s",
            f"{written:.0f} writes, the leader {spent[place]:.1f} % of a core and {leader.memory():.0f} MiB "
            f"({leader.memory('RssAnon'):.0f} besides the program's own pages), "
            f"the others {max(share for share in spent if share != spent[place]):.1f} % "
            f"and {max(one.memory() for one in others):.0f} MiB ({max(one.memory('RssAnon') for one in others):.0f})",
            "0 writes, ≤ 40 MB",
        )

    def change(self):
        count, west = min(1000, self.options.topics), self.servers["eu-west"]
        leader = self.leader()
        cpu, began, names = leader.cpu(), time.monotonic(), [f"topic-{number:05}" for number in range(count)]
        for name in names:
            west.patch("kafkatopics", name, {"spec": {"config": {"retention.ms": "86400000"}}})
        applied = time.monotonic() - began
        until(lambda: all(name in self.ready.ready for name in names), "the changed topics are Ready", 600, every=0.05)
        took = time.monotonic() - began
        self.add(
            f"changing {count:,} of them at once",
            f"all Ready after {took:.1f} s ({applied:.1f} s to apply): {count / took:.0f} changes/s, "
            f"the leader's CPU {leader.cpu() - cpu:.1f} s",
        )

    def death(self):
        """An API server falls silent that is nobody's home who leads."""
        leader = self.leader()
        lost = next(name for name in reversed(REGIONS) if name != leader.region)
        seen = next(name for name in REGIONS if name != lost)
        began = time.monotonic()
        done = run("local", "cut", lost, "--folder", self.folder / "local", within=60)
        assert done.returncode == 0, done.stderr
        server = self.servers[seen]

        def reported(status):
            return lambda: condition(server.get("kafkaclusters", "orders"), "RegionsReachable").get("status") == status

        until(reported("False"), "the dead API server is reported", 120, every=0.05)
        self.add("a dead API server is reported", f"after {time.monotonic() - began:.1f} s")
        run("local", "heal", lost, "--folder", self.folder / "local", within=60)
        began = time.monotonic()
        until(reported("True"), "it is back", 120, every=0.05)
        self.add("its return is reported", f"after {time.monotonic() - began:.1f} s")

    def end(self):
        for one in self.operators:
            one.process.kill()
            one.process.wait()
        if self.tree:
            self.tree.kill()
            self.tree.wait()
        if not self.options.keep:
            shutil.rmtree(self.folder, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(prog="hack/bench --operator")
    parser.add_argument("--operator", action="store_true")
    parser.add_argument("--topics", type=int, default=10_000)
    parser.add_argument("--idle", type=int, default=120)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    if options.small:
        options.topics, options.idle = options.topics // 10, options.idle // 4
    bench = Bench(options)
    try:
        bench.start()
        for measurement in (bench.cluster, bench.topics, bench.idle, bench.change, bench.death):
            measurement()
    finally:
        bench.end()
    print("\n| measurement | result | goal |\n|---|---|---|")
    for row in bench.rows:
        print("| " + " | ".join(row) + " |")


main()
