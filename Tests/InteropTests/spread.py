"""A cluster whose Regions are network namespaces, with clients in a namespace of their own."""

import pathlib
import re
import time
import uuid

from cluster import QUICK, Cluster, Node
from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from history import Writer, read_back

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

    # What changes when somebody takes over

    def leader_epochs(self, topic, partitions=1, admin=None):
        """{partition: the epoch of its leader}."""
        admin = admin or self.admin
        asked = {TopicPartition(topic, p): OffsetSpec.latest() for p in range(partitions)}
        deadline = time.monotonic() + 30
        while True:
            try:
                return {part.partition: future.result(10).leader_epoch for part, future in admin.list_offsets(asked).items()}
            except KafkaException as error:
                assert time.monotonic() < deadline, f"the leaders of {topic} do not say their epochs: {error}"
                time.sleep(0.2)

    def controllers(self):
        """Who became the active controller, in order, as often as it happened: [(time, node)]."""
        said = []
        for node in self.nodes:
            for line in node.log.read_text(errors="replace").splitlines():
                if '"active controller"' in line:
                    said.append((re.search(r'"time":"([^"]*)"', line)[1], node.id))
        return sorted(said)
