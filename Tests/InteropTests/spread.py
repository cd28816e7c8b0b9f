"""A cluster whose Regions are network namespaces, with clients in a namespace of their own."""

import pathlib
import re
import socket
import struct
import uuid

from broker import until
from cluster import QUICK, Cluster, Node
from confluent_kafka.admin import AdminClient
from history import Writer, read_back
from wire import METADATA, request, string

PORT, CONTROL = 9092, 9093


class PlacedNode(Node):
    @property
    def bootstrap(self):
        return f"{self.host}:{PORT}"


class Spread(Cluster):
    """Nodes 1 to n: (Region, roles) each. `defaults` leaves every timeout as it is without configuration."""

    def __init__(self, folder, network, nodes, overrides=None, defaults=False):
        self.folder, self.network, self._admin = pathlib.Path(folder), network, None
        hosts = [network.address(region) for region, _ in nodes]
        voters = ",".join(
            f"{i}@{host}:{CONTROL}" for i, (host, (_, roles)) in enumerate(zip(hosts, nodes), 1) if "controller" in roles)
        offsets = {key: value for key, value in QUICK.items() if key.startswith("offsets.")}
        common = {"cluster.id": "c" + uuid.uuid4().hex[:20], **(offsets if defaults else QUICK), **(overrides or {})}
        self.nodes = []
        for i, (host, (region, roles)) in enumerate(zip(hosts, nodes), 1):
            listeners = [f"PLAINTEXT://{host}:{PORT}"] if "broker" in roles else []
            listeners += [f"CONTROLLER://{host}:{CONTROL}"] if "controller" in roles else []
            node = PlacedNode(
                self.folder / f"node{i}",
                {
                    "node.id": str(i),
                    "process.roles": roles,
                    "listeners": ",".join(listeners),
                    "controller.listener.names": "CONTROLLER",
                    "controller.quorum.voters": voters,
                    "broker.rack": region,
                    **common,
                },
                port=PORT,
                command=network.command(region),
            )
            node.id, node.region, node.host, node.roles = i, region, host, roles
            self.nodes.append(node)

    @property
    def brokers(self):
        return [node for node in self.nodes if "broker" in node.roles]

    @property
    def bootstrap(self):
        return ",".join(node.bootstrap for node in self.brokers)

    @property
    def admin(self):
        if self._admin is None:
            self._admin = self.admin_of(self.brokers)
        return self._admin

    def admin_of(self, nodes, patience=3000):
        """A client that begins with these: the metadata of one that is cut off may be old. Milliseconds of patience."""
        with self.network.inside():
            return AdminClient({
                "bootstrap.servers": ",".join(node.bootstrap for node in nodes), "log_level": 0,
                "socket.timeout.ms": patience, "socket.connection.setup.timeout.ms": 1000, "reconnect.backoff.max.ms": 200})

    def writer(self, topic, partitions=1, **settings):
        # librdkafka waits for socket.timeout.ms, a minute, before it gives up what it has sent over a silent link, and
        # an idempotent producer sends nothing to another leader before.
        settings = {"socket_timeout_ms": 2000, **settings}
        with self.network.inside():
            return Writer(self.bootstrap, topic, partitions, **settings)

    def read_back(self, topic, partitions=1, **settings):
        with self.network.inside():
            return read_back(self.bootstrap, topic, partitions, **settings)

    # What the brokers themselves say: a client may have asked one that was cut off, and remember what it said.

    def seen_by(self, node, topic):
        """{partition: (leader, leader epoch, in-sync replicas)} in a broker's metadata; empty if it cannot be asked."""
        try:
            with self.network.inside(), socket.create_connection((node.host, PORT), timeout=2) as asked:
                asked.sendall(request(METADATA, 7, struct.pack(">i", 1) + string(topic) + b"\0"))
                return Answer(read_frame(asked)).partitions()
        except OSError:
            return {}

    def until_in_sync(self, topic, nodes, partition=0, within=30):
        want = sorted(nodes)
        until(
            lambda: all(sorted(self.seen_by(n, topic).get(partition, (0, 0, []))[2]) == want for n in self.brokers if n.is_alive()),
            f"every broker says that {topic}-{partition} is in sync on {want}", within, every=0.1)

    def leader_epochs(self, topic):
        """{partition: the epoch of its leader}, as those say who know most."""
        found = {}
        for node in self.brokers:
            for partition, (_, epoch, _) in self.seen_by(node, topic).items():
                found[partition] = max(epoch, found.get(partition, -1))
        return found

    def controllers(self):
        """Who became the active controller, in order, as often as it happened: [(time, node)]."""
        said = []
        for node in self.nodes:
            for line in node.log.read_text(errors="replace").splitlines():
                if '"active controller"' in line:
                    said.append((re.search(r'"time":"([^"]*)"', line)[1], node.id))
        return sorted(said)


def read_frame(connection):
    def take(count):
        found = b""
        while len(found) < count:
            more = connection.recv(count - len(found))
            if not more:
                raise ConnectionError("the broker closed the connection")
            found += more
        return found

    return take(struct.unpack(">i", take(4))[0])


class Answer:
    """The answer to Metadata, version 7."""

    def __init__(self, frame):
        self.frame, self.at = frame, 8  # after the correlation id and the throttle time

    def number(self, form):
        (found,) = struct.unpack_from(form, self.frame, self.at)
        self.at += struct.calcsize(form)
        return found

    def string(self):
        length = max(0, self.number(">h"))
        self.at += length
        return self.frame[self.at - length : self.at].decode()

    def list(self, one):
        return [one() for _ in range(self.number(">i"))]

    def node(self):
        return self.number(">i")

    def partitions(self):
        """Of the one topic that was asked for."""
        self.list(lambda: (self.node(), self.string(), self.number(">i"), self.string()))
        self.string()
        self.node()
        topics = self.list(lambda: (self.number(">h"), self.string(), self.number(">b"), self.list(self.partition)))
        return {index: found for _, _, _, partitions in topics for index, found in partitions}

    def partition(self):
        _, index, leader, epoch = self.number(">h"), self.number(">i"), self.node(), self.number(">i")
        _, in_sync, _ = (self.list(self.node) for _ in range(3))
        return index, (leader, epoch, in_sync)
