"""What hack/bench --operator measures: the operator with a cluster of three Regions and many topics.

API servers and brokers are those of `swiftwater local up --without-operators`; the operators are processes of their
own, one in each Region, so that their CPU time and memory can be told apart.
"""

import http.client
import json
import os
import pathlib
import re
import subprocess
import threading
import time
import urllib.parse

from measurements import CHECKOUT, NO_GOAL, Measurements, options  # isort: skip

from broker import binary, free_port, run, until

REGIONS = ("eu-west", "eu-central", "eu-north")
GROUP = "/apis/kafka.swiftwater.dev/v1alpha1/namespaces/kafka"
API_VERSION = "kafka.swiftwater.dev/v1alpha1"
IN_40_MB = ("≤ 40 MB", lambda row: row["memory"] * 1.048576 <= 40)

# What each figure should be: (text, function of the figure that says whether it is reached).
GOALS = {
    "apply to Ready, 3 Regions with 9 brokers": NO_GOAL,
    "creating 10,000 KafkaTopics": NO_GOAL,
    "idle with 10,000 KafkaTopics, writes": ("0", lambda row: row["writes"] == 0),
    "idle with 10,000 KafkaTopics, the leader": IN_40_MB,
    "idle with 10,000 KafkaTopics, the others": IN_40_MB,
    "changing 1,000 of them at once": NO_GOAL,
    "a dead API server is reported": NO_GOAL,
    "its return is reported": NO_GOAL,
}


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


class Bench(Measurements):
    section, goals = "## The operator", GOALS
    # Each goes on from what the one before has made.
    measures = ("start", "cluster", "topics", "idle", "change", "death")

    def __init__(self, options):
        super().__init__(options)
        self.operators, self.tree = [], None
        self.log = open(self.folder / "processes.log", "ab")

    def conditions(self):
        return CONDITIONS

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
        count, west = 10_000 // self.scale, self.servers["eu-west"]
        self.ready = ReadyTopics(west.place)
        leader = self.leader()
        cpu, began = leader.cpu(), time.monotonic()
        for number in range(count):
            west.create("kafkatopics", "KafkaTopic", f"topic-{number:05}", {"cluster": {"name": "orders"}, "partitions": 1})
        applied = time.monotonic() - began
        until(lambda: len(self.ready.ready) >= count, f"all topics are Ready ({len(self.ready.ready)})", 1800, every=0.2)
        took = time.monotonic() - began
        self.add(
            "creating 10,000 KafkaTopics",
            f"all Ready after {took:.1f} s, of which applying them took {applied:.1f} s; "
            f"the leader's CPU {leader.cpu() - cpu:.1f} s, memory {leader.memory():.0f} MiB, at most {leader.memory('VmHWM'):.0f} MiB",
        )

    def idle(self):
        leader, span = self.leader(), self.options.idle // self.scale
        # Conditions settle after the last change.
        time.sleep(30)
        writes = sum(one.metrics().get("operator_writes_total", 0) for one in self.operators)
        before = [one.cpu() for one in self.operators]
        time.sleep(span)
        spent = [(one.cpu() - was) / span * 100 for one, was in zip(self.operators, before)]
        written = sum(one.metrics().get("operator_writes_total", 0) for one in self.operators) - writes
        others = [one for one in self.operators if one is not leader]
        self.add("idle with 10,000 KafkaTopics, writes", f"{written:.0f} in {span} s", writes=written)
        for name, found in (("the leader", [leader]), ("the others", others)):
            share = max(spent[self.operators.index(one)] for one in found)
            memory, own = (max(one.memory(field) for one in found) for field in ("VmRSS", "RssAnon"))
            figure = f"{memory:.0f} MiB, its own {own:.0f}; {share:.1f} % of a core"
            self.add(f"idle with 10,000 KafkaTopics, {name}", figure, memory=memory)

    def change(self):
        count, west = 1000 // self.scale, self.servers["eu-west"]
        leader = self.leader()
        cpu, began, names = leader.cpu(), time.monotonic(), [f"topic-{number:05}" for number in range(count)]
        for name in names:
            west.patch("kafkatopics", name, {"spec": {"config": {"retention.ms": "86400000"}}})
        applied = time.monotonic() - began
        until(lambda: all(name in self.ready.ready for name in names), "the changed topics are Ready", 600, every=0.05)
        took = time.monotonic() - began
        self.add(
            "changing 1,000 of them at once",
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
        self.log.close()
        super().end()


CONDITIONS = """\
- API servers, nine brokers, three operators and whoever applies share the cores: `swiftwater local` has the first two in
  its processes, each operator is one of its own. KafkaTopics have one partition and three replicas.
- *Its own* is what is not pages of the program and its libraries (`RssAnon`); operators on one machine share those, and
  every kernel may drop them. 40 MB are 38.1 MiB."""

if __name__ == "__main__":
    Bench(options("operator", idle=120)).conduct()
