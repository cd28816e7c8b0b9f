"""An Apache Kafka of a test's own: one broker that is its own controller (KRaft), from an unpacked distribution."""

import os
import pathlib
import shutil
import subprocess
import time
import uuid

from broker import Broker, free_port
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

# A virtual machine starts within seconds where nothing else runs.
READY_WITHIN = 60.0
ORDINARY = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT",
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
    return None if shutil.which("java") else "there is no java to run Apache Kafka with"


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


class ApacheKafka(Broker):
    """Answers to what is asked of our own brokers in tests."""

    def __init__(self, folder, overrides=None):
        super().__init__(folder)
        controller = free_port()
        self.overrides = {
            **ORDINARY,
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "log.dirs": str(self.folder / "data"),
            **(overrides or {}),
        }
        self.properties = self.folder / "server.properties"

    def arguments(self):
        return words("kafka-server-start.sh", self.properties)

    def _format(self):
        run(self.folder, "kafka-storage.sh", "format", "-t", uuid.uuid4().hex[:22], "-c", self.properties)

    def start(self, within=READY_WITHIN):
        assert not self.is_alive(), "the broker runs already"
        self.properties.write_text("".join(f"{key}={value}\n" for key, value in self.overrides.items()))
        if not self.data.exists():
            self._format()
        began = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                self.arguments(), stdout=log, stderr=log, stdin=subprocess.DEVNULL, env=surroundings(self.folder))
        while not self._answers():
            if self.process.poll() is not None:
                raise RuntimeError(f"Apache Kafka ended with {self.process.returncode} while starting:\n{self.tail()}")
            if time.monotonic() - began > within:
                self.kill()
                raise RuntimeError(f"Apache Kafka was not ready within {within} s:\n{self.tail()}")
            time.sleep(0.1)
        self.ready_after = time.monotonic() - began
        return self

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
            return bool(asked.list_topics(timeout=2).brokers)
        except KafkaException:
            return False
