"""KafkaMirrors on `swiftwater local`: two clusters whose roles a commit changes, with real brokers and records."""

import json
import urllib.error
import urllib.request

import pytest
from broker import until
from confluent_kafka import KafkaError, Producer
from mirrors import clients_end_with_their_test, read, tool, write  # noqa: F401
from test_local import Local

KINDS = {"regions": "Region", "kafkaclusters": "KafkaCluster", "kafkatopics": "KafkaTopic", "kafkamirrors": "KafkaMirror"}


class Cluster:
    """What the tests of mirrors know as a broker."""

    def __init__(self, bootstrap):
        self.bootstrap = bootstrap


class Member(Local):
    """One Region, and what people apply in it."""

    def path(self, plural, name, options=""):
        return f"{self.address}/apis/kafka.swiftwater.dev/v1alpha1/namespaces/kafka/{plural}/{name}{options}"

    def send(self, method, path, body=None):
        request = urllib.request.Request(
            path,
            data=body and json.dumps(body).encode(),
            method=method,
            headers={"Content-Type": "application/apply-patch+yaml"},
        )
        return json.load(urllib.request.urlopen(request, timeout=5))

    def apply(self, plural, name, spec):
        body = {"apiVersion": "kafka.swiftwater.dev/v1alpha1", "kind": KINDS[plural], "metadata": {"name": name}, "spec": spec}
        self.send("PATCH", self.path(plural, name, "?fieldManager=people&force=true"), body)

    def delete(self, plural, name):
        self.send("DELETE", self.path(plural, name))

    def cluster(self, name):
        self.apply(
            "kafkaclusters",
            name,
            {
                "regions": [{"name": "one", "brokers": 1, "controllers": 1, "storage": {"size": "1Gi"}}],
                "durability": {"survive": "Broker"},
                "config": {"offsets.topic.num.partitions": "1"},
            },
        )

    def servers(self, name):
        return Cluster(",".join(self.get("one", "kafkaclusters", name)["status"]["bootstrapServers"]))

    def mirror(self, name, target, source, role, **more):
        spec = {"target": target, "source": {"cluster": {"name": source}}, "topics": ["orders"], "role": role, **more}
        self.apply("kafkamirrors", name, spec)

    def status(self):
        found = super().status()
        self.address = found.get("one", ("", ""))[1]
        return found

    def told(self, name):
        return self.get("one", "kafkamirrors", name).get("status", {})

    def await_mirror(self, name, is_right, what, within=60):
        """What it tells once it is right."""

        def right():
            told = self.told(name) if self.is_ready("one", "kafkamirrors", name) else {}
            return told if told and is_right(told) else None

        try:
            return until(right, what, within, every=0.1)
        except AssertionError as late:
            raise AssertionError(f"{late}\n{json.dumps(self.told(name), indent=1)}") from late

    def await_role(self, name, role):
        return self.await_mirror(name, lambda status: status.get("role") == role, f"{name} is {role}")

    def await_stalled(self, name, reason, *words):
        def stalled():
            found = {c["type"]: c for c in self.told(name).get("conditions", [])}
            condition = found.get("Stalled", {})
            return condition.get("reason") == reason and all(word in condition["message"] for word in words)

        until(stalled, f"{name} says {reason}", 30, every=0.1)


@pytest.fixture
def member(tmp_path):
    made = Member(tmp_path / "local")
    yield made
    made.kill()


def values(cluster):
    return [value.decode() for _, _, value, _ in read(cluster, "orders")]


def refusal(cluster):
    errors = []
    producer = Producer({"bootstrap.servers": cluster.bootstrap, "message.timeout.ms": 5000})
    producer.produce("orders", "no", on_delivery=lambda error, _: errors.append(error))
    producer.flush(10)
    return errors[0] and errors[0].code()


@pytest.mark.timeout(300)
def test_a_commit_moves_topics_from_one_cluster_to_the_other_and_another_one_brings_them_home(member):
    member.up("--regions", "one")
    member.apply("regions", "one", {"provider": "local"})
    member.cluster("west")
    member.cluster("east")
    for name in ("west", "east"):
        until(lambda: member.is_ready("one", "kafkaclusters", name), f"the cluster {name} is Ready", 60, every=0.1)
    west, east = member.servers("west"), member.servers("east")
    topic = {"cluster": {"name": "west"}, "partitions": 1, "config": {"retention.ms": "99000000"}}
    member.apply("kafkatopics", "orders", topic)
    until(lambda: member.is_ready("one", "kafkatopics", "orders"), "the topic is Ready", 30, every=0.1)
    write(west, "orders", ["one", "two"])

    # West owns the topic, and east is its copy.
    member.mirror("to-west", "west", "east", "Primary")
    member.mirror("to-east", "east", "west", "Standby", gapPolicy="Accept")
    member.await_role("to-west", "Primary")
    told = member.await_mirror("to-east", lambda status: status.get("lagRecords") == 0, "east has everything")
    assert values(east) == ["one", "two"]
    assert refusal(east) == KafkaError.POLICY_VIOLATION
    assert (told["role"], told["generation"], told["partitions"]["copying"]) == ("Standby", 1, 1)
    assert told["sourceReadingAge"] == "under 15s"

    # A change of the resource is made at the brokers, and what others changed there is put back.
    tool("configs", "set", "mirror", "to-east", "gap.policy=halt", "--bootstrap-server", east.bootstrap)
    east_spec = {"gapPolicy": "Accept", "divergencePolicy": "SetAside"}
    member.mirror("to-east", "east", "west", "Standby", **east_spec)

    def settings(*keys):
        shown = tool("configs", "describe", "mirror", "to-east", "-o", "json", "--bootstrap-server", east.bootstrap)
        found = {entry["key"]: entry["value"] for entry in json.loads(shown)}
        return tuple(found.get(key) for key in keys)

    policies = "gap.policy", "divergence.policy"
    until(lambda: settings(*policies) == ("accept", "set-aside"), "the settings are as wanted", 30, every=0.1)

    # Limits are what they are without one once they are taken out again, which apply does for who has stated them.
    limits = "mirror.throttled.rate", "mirror.fetch.buffer.bytes", "num.mirror.fetchers"
    assert settings(*limits) == (None, None, None)
    limited = {"throttledRate": 5000000, "fetchBufferBytes": 1000000, "fetchers": 3}
    member.mirror("to-east", "east", "west", "Standby", **east_spec, **limited)
    until(lambda: settings(*limits) == ("5000000", "1000000", "3"), "the limits are as wanted", 30, every=0.1)
    member.mirror("to-east", "east", "west", "Standby", **east_spec)
    usual = (str(2**63 - 1), str(32 << 20), "1")
    until(lambda: settings(*limits) == usual, "there are no limits of its own", 30, every=0.1)

    # One commit: both change sides.
    member.mirror("to-east", "east", "west", "Primary", **east_spec)
    member.mirror("to-west", "west", "east", "Standby")
    promotion = member.await_role("to-east", "Primary")["lastPromotion"]
    assert (promotion["by"], promotion["generation"], promotion["knownLostRecords"]) == ("Switchover", 2, 0)
    member.await_role("to-west", "Standby")
    write(east, "orders", ["three"])
    until(lambda: values(west) == ["one", "two", "three"], "west is a copy", 30, every=0.1)
    assert refusal(west) == KafkaError.POLICY_VIOLATION
    assert member.is_ready("one", "kafkatopics", "orders")

    # And back.
    member.mirror("to-west", "west", "east", "Primary")
    member.mirror("to-east", "east", "west", "Standby", **east_spec)
    member.await_role("to-west", "Primary")
    member.await_role("to-east", "Standby")
    write(west, "orders", ["four"])
    until(lambda: values(east) == ["one", "two", "three", "four"], "east is a copy", 30, every=0.1)

    # What is wrong says so, and what runs goes on.
    member.mirror("nowhere", "north", "west", "Standby")
    member.await_stalled("nowhere", "NoSuchCluster", "spec.target", "kafka/north")
    member.mirror("itself", "west", "west", "Standby")
    member.await_stalled("itself", "SourceIsTarget", "spec.source.cluster")
    member.mirror("second", "east", "west", "Standby", topics=["ord*"])
    member.await_stalled("second", "TopicsTaken", "KafkaMirror kafka/to-east", "ord*")
    with pytest.raises(urllib.error.HTTPError) as refused:
        member.mirror("bad", "east", "west", "Standby", topics=["or*ders"])
    assert refused.value.code == 422
    for name in ("nowhere", "itself", "second"):
        member.delete("kafkamirrors", name)
        until(lambda: not member.get("one", "kafkamirrors", name), f"{name} is gone", 30, every=0.1)

    def shown():
        return json.loads(tool("mirrors", "status", "to-east", "-o", "json", "--bootstrap-server", east.bootstrap))[0]

    # A mirror whose object goes rests. The topic stays what it is: nothing becomes anybody's own.
    member.delete("kafkamirrors", "to-east")
    until(lambda: not member.get("one", "kafkamirrors", "to-east"), "the object is gone", 30, every=0.1)
    assert shown()["state"] == "paused" and shown()["promoted"] is None
    assert refusal(east) == KafkaError.POLICY_VIOLATION

    # Applied again it is taken up where it was. A failover is for one generation: in another one it means nothing.
    member.mirror("to-east", "east", "west", "Standby", **east_spec, failoverGeneration=2)
    member.await_mirror("to-east", lambda status: status.get("generation") == 3, "east is a copy again")
    member.mirror("to-east", "east", "west", "Primary", **east_spec, failoverGeneration=3)
    promotion = member.await_role("to-east", "Primary")["lastPromotion"]
    assert (promotion["by"], promotion["generation"]) == ("Failover", 4)
    assert (promotion["knownLostRecords"], promotion["unknownPartitions"]) == (0, 0)
    write(east, "orders", ["five"])

    # The old owner is closed, and no KafkaTopic of it opens it again.
    until(lambda: shown()["sourceClosed"], "the old owner is told", 30, every=0.1)
    member.apply("kafkatopics", "orders", {**topic, "config": {"retention.ms": "98000000"}})
    until(lambda: member.is_ready("one", "kafkatopics", "orders"), "the topic is as wanted", 30, every=0.1)
    found = json.loads(tool("configs", "describe", "topic", "orders", "-o", "json", "--bootstrap-server", west.bootstrap))
    found = {entry["key"]: entry["value"] for entry in found}
    assert found["retention.ms"] == "98000000" and found["mirror.fence"]
