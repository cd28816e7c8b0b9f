"""Apache Kafkas of a test's own, alone or several together, from an unpacked distribution: brokers that are their own
controllers (KRaft), or with a ZooKeeper of their own where the version knows nothing better."""

import functools
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import time
import uuid

from broker import Broker, free_port, until
from cluster import Cluster
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

# A virtual machine starts within seconds where nothing else runs; that it does is no promise of ours.
READY_WITHIN = 120.0
# What a broker may be silent for before it counts as gone; it may not come back to ZooKeeper earlier.
SESSION = 4.0
ORDINARY = {
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "3",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "3",
    "group.initial.rebalance.delay.ms": "0",
    # Many topics of few records: nobody waits for what is left over of others.
    "log.cleaner.dedupe.buffer.size": "16777216",
    "log.retention.check.interval.ms": "500",
    "log.cleaner.backoff.ms": "200",
    "log.segment.delete.delay.ms": "100",
    "auto.create.topics.enable": "false",
    "controlled.shutdown.enable": "false",
}
SEVERAL = {
    "offsets.topic.replication.factor": "3",
    "transaction.state.log.replication.factor": "3",
    "transaction.state.log.min.isr": "2",
    "default.replication.factor": "3",
    "replica.lag.time.max.ms": "3000",
    "controlled.shutdown.enable": "true",
    # Who leads after a change goes on leading until a test says otherwise.
    "auto.leader.rebalance.enable": "false",
}
# For start rather than for speed; what is measured here is none of Apache's.
MACHINE = "-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto"


def home():
    named = os.environ.get("SWIFTWATER_APACHE_KAFKA")
    return pathlib.Path(named) if named else None


def obstacle():
    """Why no Apache Kafka can be run here; nothing where one can."""
    if home() is None:
        return "SWIFTWATER_APACHE_KAFKA names no unpacked distribution of Apache Kafka (bin/, libs/, config/)"
    if not list((home() / "libs").glob("*.jar")):
        return f"SWIFTWATER_APACHE_KAFKA: there are no jars in {home() / 'libs'}"
    if not version():
        return f"SWIFTWATER_APACHE_KAFKA: no jar in {home() / 'libs'} says which version it is"
    return None if shutil.which("java") else "there is no java to run Apache Kafka with"


@functools.cache
def version():
    """As its jars are called: (3, 6, 2). Nothing where none says it."""
    named = [re.match(r"kafka[-_].*-(\d+)\.(\d+)\.(\d+)", path.name) for path in (home() / "libs").glob("kafka*.jar")]
    return max((tuple(map(int, one.groups())) for one in named if one), default=None)


def with_zookeeper():
    """KRaft is meant for use from 3.3 on; up to 3.9 it can be either, and SWIFTWATER_APACHE_KAFKA_ZOOKEEPER=1 says so."""
    return version() < (3, 3) or os.environ.get("SWIFTWATER_APACHE_KAFKA_ZOOKEEPER") == "1"


def lacks(script):
    """Why one of the programs cannot be run; nothing where it can."""
    if obstacle():
        return obstacle()
    return None if (home() / "bin" / script).exists() else f"Apache Kafka {'.'.join(map(str, version()))} has no {script}"


def words(script, *arguments):
    """One of the programs in its bin/."""
    return [str(home() / "bin" / script), *map(str, arguments)]


def surroundings(folder):
    """Where it writes logs of its own, and a machine that starts fast."""
    return {
        **os.environ, "LOG_DIR": str(folder), "KAFKA_HEAP_OPTS": "-Xmx512m", "EXTRA_ARGS": " ",
        "KAFKA_JMX_OPTS": " ", "KAFKA_JVM_PERFORMANCE_OPTS": MACHINE,
    }


def run(folder, script, *arguments, input=None, within=90, fails=False):
    """One of its tools to the end; what it printed."""
    done = subprocess.run(
        words(script, *arguments), input=input, capture_output=True, text=True, timeout=within, env=surroundings(folder))
    assert (done.returncode != 0) == fails, (done.stdout, done.stderr)
    return done.stdout


class Machine(Broker):
    """A virtual machine that runs one of its servers."""

    script = None

    def arguments(self):
        return words(self.script, self.properties)

    @property
    def properties(self):
        return self.folder / "server.properties"

    def launch(self):
        assert not self.is_alive(), f"it runs already: {self.folder}"
        self.properties.write_text("".join(f"{key}={value}\n" for key, value in self.overrides.items()))
        self.began = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.arguments(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=surroundings(self.folder))
        return self

    def await_ready(self, within=READY_WITHIN):
        while not self._answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"Apache Kafka ended with {self.process.returncode} while starting:\n{self.tail()}")
            if time.monotonic() - self.began > within:
                self.kill()
                raise RuntimeError(f"Apache Kafka was not ready within {within} s:\n{self.tail()}")
            time.sleep(0.1)
        self.ready_after = time.monotonic() - self.began
        return self

    def start(self, within=READY_WITHIN):
        return self.launch().await_ready(within)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)


class ZooKeeper(Machine):
    script = "zookeeper-server-start.sh"

    def __init__(self, folder):
        super().__init__(folder)
        self.overrides = {
            "dataDir": self.folder / "data", "clientPort": self.port, "clientPortAddress": "127.0.0.1", "tickTime": 500,
            "maxClientCnxns": 0, "admin.enableServer": "false",
        }

    def _answers(self):
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
            return True
        except OSError:
            return False


class ApacheKafka(Machine):
    """Answers to what is asked of our own brokers in tests."""

    script = "kafka-server-start.sh"

    def __init__(self, folder, overrides=None, number=1, shared=None):
        """`shared` is what the brokers of one cluster have in common; a broker that is alone has it for itself."""
        super().__init__(folder)
        self.id = number
        self.owned = None if shared else Shared(self.folder, [number])
        self.shared = shared or self.owned
        self.overrides = {
            **ORDINARY,
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT",
            "log.dirs": str(self.folder / "data"),
            **(overrides or {}),
        }
        self.shared.join(number, self.overrides)
        self.killed = None

    def launch(self):
        self.shared.await_ready()
        if not self.shared.zookeeper and not self.data.exists():
            # With the file as it will be.
            self.properties.write_text("".join(f"{key}={value}\n" for key, value in self.overrides.items()))
            run(self.folder, "kafka-storage.sh", "format", "-t", self.shared.cluster_id, "-c", self.properties)
        if self.shared.zookeeper and self.killed:
            # Until its former session has ended, its number is taken.
            time.sleep(max(0, self.killed + SESSION + 1 - time.monotonic()))
        return super().launch()

    def kill(self):
        if self.is_alive():
            self.killed = time.monotonic()
        super().kill()

    def crash(self):
        self.kill()
        return self.start()

    def end(self):
        """For good, with what it has for itself."""
        self.kill()
        if self.owned:
            self.owned.end()

    def start_behind(self, address):
        """Clients are told another address; what the broker asks itself does not go by there."""
        inside = f"127.0.0.1:{free_port()}"
        self.overrides["listeners"] += f",INSIDE://{inside}"
        self.overrides["advertised.listeners"] = f"PLAINTEXT://{address},INSIDE://{inside}"
        self.overrides["listener.security.protocol.map"] += ",INSIDE:PLAINTEXT"
        self.overrides["inter.broker.listener.name"] = "INSIDE"
        return self.start()

    def _answers(self):
        try:
            asked = AdminClient({"bootstrap.servers": self.bootstrap, "log_level": 0})
            return self.id in asked.list_topics(timeout=2).brokers
        except KafkaException:
            return False


class Shared:
    """What the brokers of a cluster have in common: where they find each other, and what keeps their metadata."""

    def __init__(self, folder, numbers):
        self.zookeeper = ZooKeeper(pathlib.Path(folder) / "zookeeper") if with_zookeeper() else None
        self.cluster_id = uuid.uuid4().hex[:22]
        self.controllers = {number: free_port() for number in numbers}

    def await_ready(self):
        if self.zookeeper and not self.zookeeper.is_alive():
            self.zookeeper.start()

    def end(self):
        if self.zookeeper:
            self.zookeeper.kill()

    def join(self, number, overrides):
        session = str(int(SESSION * 1000))
        if self.zookeeper:
            overrides.update({
                "broker.id": str(number), "zookeeper.connect": self.zookeeper.bootstrap,
                "zookeeper.session.timeout.ms": session,
            })
            return
        port = self.controllers[number]
        overrides.update({
            "process.roles": "broker,controller", "node.id": str(number), "controller.listener.names": "CONTROLLER",
            "broker.session.timeout.ms": session, "broker.heartbeat.interval.ms": "500",
            "controller.quorum.voters": ",".join(f"{one}@127.0.0.1:{at}" for one, at in self.controllers.items()),
        })
        overrides["listeners"] += f",CONTROLLER://127.0.0.1:{port}"
        overrides["listener.security.protocol.map"] += ",CONTROLLER:PLAINTEXT"


class ApacheCluster(Cluster):
    """Three brokers of Apache's. Answers to what is asked of our own clusters in tests."""

    def __init__(self, folder, overrides=None, size=3):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True)
        self.shared = Shared(self.folder, range(1, size + 1))
        settings = {**SEVERAL, **(overrides or {})}
        self.nodes = [
            ApacheKafka(self.folder / f"broker{number}", settings, number, self.shared) for number in range(1, size + 1)
        ]
        self._admin = None

    def start(self):
        super().start()
        until(lambda: len(self.admin.list_topics(timeout=5).brokers) == len(self.nodes), "they know each other", 30, every=0.1)
        return self

    def kill(self):
        super().kill()
        self.shared.end()

    def leading(self, topic, partition=0):
        """The broker that leads, once there is one that is alive."""
        def found():
            leader = self.leader(topic, partition)
            return leader if leader and leader.is_alive() else None

        return until(found, f"{topic}-{partition} is led by a broker that is alive", 60, every=0.1)
