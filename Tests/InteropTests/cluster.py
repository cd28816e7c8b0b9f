"""A cluster of broker processes on this machine: Regions, roles and addresses as a test wants them."""

import pathlib
import signal
import subprocess
import uuid

from broker import READY_WITHIN, Broker, free_port, run, until
from confluent_kafka.admin import AdminClient, NewTopic

# Tests are short: what takes seconds by default takes tenths of seconds here.
QUICK = {
    "broker.session.timeout.ms": "1500",
    "broker.heartbeat.interval.ms": "200",
    "controller.quorum.fetch.timeout.ms": "1000",
    "controller.quorum.election.timeout.ms": "300",
    "controller.quorum.request.timeout.ms": "1000",
    "replica.lag.time.max.ms": "1500",
    "replica.fetch.backoff.ms": "100",
    "offsets.topic.num.partitions": "3",
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.num.partitions": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
}


class Node(Broker):
    """One process of a cluster. It can be started without waiting: alone it never becomes ready."""

    def launch(self):
        assert not self.is_alive(), "the node runs already"
        self.seen = self.log.stat().st_size if self.log.exists() else 0
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.arguments(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        return self

    def await_ready(self, within=READY_WITHIN):
        def said():
            assert self.is_alive(), f"node {self.id} ended with {self.process.returncode}:\n{self.tail()}"
            return self._said_ready(self.seen)

        until(said, f"node {self.id} is ready\n{self.tail()}", within)
        return self

    def crash(self):
        self.kill()
        return self.launch().await_ready()

    @property
    def properties(self):
        """The node's configuration as a file, for commands that want one."""
        path = self.folder / "server.properties"
        path.write_text("".join(f"{key}={value}\n" for key, value in self.overrides.items()))
        return path

    def format(self, *options):
        done = run("storage", "format", "-t", self.overrides["cluster.id"], "-c", self.properties, *options)
        assert done.returncode == 0, done.stderr
        return self

    @property
    def directory_id(self):
        for line in (self.data / "meta.properties").read_text().splitlines():
            if line.startswith("directory.id="):
                return line.split("=", 1)[1]
        raise AssertionError(f"{self.data} has no directory id")

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)


class Cluster:
    """Nodes 1 to n, each broker and controller, in the Regions that are given; further brokers that are no controllers."""

    def __init__(self, folder, regions, overrides=None, brokers=()):
        self.folder = pathlib.Path(folder)
        ports = [(free_port(), free_port()) for _ in regions]
        voters = ",".join(f"{i + 1}@127.0.0.1:{control}" for i, (_, control) in enumerate(ports))
        common = {"cluster.id": "c" + uuid.uuid4().hex[:20], **QUICK, **(overrides or {})}
        self.nodes = []
        for i, (region, (port, control)) in enumerate(zip(regions, ports)):
            self.nodes.append(
                self._node(
                    i + 1,
                    port,
                    {
                        "process.roles": "broker,controller",
                        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{control}",
                        "controller.listener.names": "CONTROLLER",
                        "controller.quorum.voters": voters,
                        "broker.rack": region,
                        **common,
                    },
                )
            )
        for i, region in enumerate(brokers, len(regions)):
            port = free_port()
            self.nodes.append(
                self._node(
                    i + 1,
                    port,
                    {
                        "process.roles": "broker",
                        "listeners": f"PLAINTEXT://127.0.0.1:{port}",
                        "controller.listener.names": "CONTROLLER",
                        "controller.quorum.voters": voters,
                        "broker.rack": region,
                        **common,
                    },
                )
            )
        self._admin = None

    def _node(self, number, port, overrides):
        node = Node(self.folder / f"node{number}", {"node.id": str(number), **overrides}, port=port)
        node.id = number
        node.region = overrides["broker.rack"]
        return node

    def __getitem__(self, number):
        return self.nodes[number - 1]

    @property
    def bootstrap(self):
        return ",".join(node.bootstrap for node in self.nodes)

    def start(self):
        for node in self.nodes:
            node.launch()
        for node in self.nodes:
            node.await_ready()
        return self

    def stop(self):
        """Asks all of them to stop, one after the other, and returns their exit codes."""
        return [node.stop() for node in self.nodes]

    def kill(self):
        for node in self.nodes:
            if node.is_alive():
                node.resume()
            node.kill()

    def is_alive(self):
        return all(node.is_alive() for node in self.nodes)

    def tail(self):
        return "\n".join(f"--- node {node.id}\n{node.tail(25)}" for node in self.nodes)

    # What the cluster says

    @property
    def admin(self):
        if self._admin is None:
            self._admin = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
        return self._admin

    def create(self, topic, partitions=1, replicas=3, **config):
        config = {key.replace("_", "."): str(value) for key, value in config.items()}
        (future,) = self.admin.create_topics([NewTopic(topic, partitions, replicas, config=config)]).values()
        future.result(timeout=20)
        until(lambda: len(self.partitions(topic)) == partitions, f"{topic} is there")
        return topic

    def partitions(self, topic):
        """{partition: its metadata}, as some live broker has it."""
        found = self.admin.list_topics(topic, timeout=10).topics.get(topic)
        return found.partitions if found and not found.error else {}

    def leader(self, topic, partition=0):
        found = self.partitions(topic).get(partition)
        return self[found.leader] if found and found.leader > 0 else None

    def in_sync(self, topic, partition=0):
        found = self.partitions(topic).get(partition)
        return sorted(found.isrs) if found else []

    def controller(self):
        """The node that said last that it is the active controller."""
        said = []
        for node in self.nodes:
            for line in node.log.read_text(errors="replace").splitlines():
                if '"active controller"' in line:
                    said.append((line.split('"time":"')[1][:24], node))
        return max(said, key=lambda one: one[0])[1] if said else None

    def until_in_sync(self, topic, nodes, partition=0, within=30):
        want = sorted(nodes)
        until(
            lambda: self.in_sync(topic, partition) == want,
            f"{topic}-{partition} is in sync on {want}",
            within,
            every=0.1,
        )

    def until_led(self, topic, by=None, partition=0, within=20):
        def led():
            leader = self.leader(topic, partition)
            return leader if leader and (by is None or leader.id in by) else None

        return until(led, f"{topic}-{partition} is led by {by or 'somebody'}", within, every=0.05)


class DynamicCluster(Cluster):
    """Nodes that are brokers and controllers, whose voters are in the metadata log: they come and go (KIP-853)."""

    def __init__(self, folder, regions, overrides=None):
        self.folder = pathlib.Path(folder)
        self.common = {"cluster.id": "c" + uuid.uuid4().hex[:20], **QUICK, **(overrides or {})}
        self.ports = []
        self.nodes = []
        self._admin = None
        for region in regions:
            self.add(region)
        # Each knows all of those that the quorum begins with.
        servers = ",".join(f"127.0.0.1:{control}" for _, control in self.ports)
        self.common["controller.quorum.bootstrap.servers"] = servers
        for node in self.nodes:
            node.overrides["controller.quorum.bootstrap.servers"] = servers

    def add(self, region, number=None):
        """A further node, which is neither formatted nor started."""
        number = number or len(self.nodes) + 1
        port, control = free_port(), free_port()
        self.ports.append((port, control))
        node = self._node(
            number,
            port,
            {
                "process.roles": "broker,controller",
                "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{control}",
                "controller.listener.names": "CONTROLLER",
                "broker.rack": region,
                **self.common,
            },
        )
        node.control = control
        self.nodes.append(node)
        return node

    def format(self):
        ids = [run("storage", "random-uuid").stdout.strip() for _ in self.nodes]
        voters = ",".join(f"{n.id}@127.0.0.1:{n.control}:{i}" for n, i in zip(self.nodes, ids))
        for node in self.nodes:
            node.format("--initial-controllers", voters)
        return self
