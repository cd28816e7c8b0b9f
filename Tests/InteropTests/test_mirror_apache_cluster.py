"""Mirrors of several brokers of a real Apache Kafka: whoever of them leads, comes, goes or loses something."""

import json
import struct
import threading

import apache
import pytest
from broker import until
from confluent_kafka import Producer, TopicPartition
from confluent_kafka.admin import NewTopic
from mirrors import (  # noqa: F401
    admin, alter_mirror, await_copy, clients_end_with_their_test, commit, committed, ends, make_topic, mirror,
    partition_status, read, segments, status, tool, write,
)
from transactions import again, ahead, transactional
from transactions import write as write_within
from wire import Connection, request, string

pytestmark = [
    pytest.mark.skipif(bool(apache.obstacle()), reason=apache.obstacle() or ""),
    pytest.mark.timeout(400),
]
# Three virtual machines of Java on a machine that is busy with other things.
WITHIN = 90
OFFSET_FOR_LEADER_EPOCH = 23


@pytest.fixture
def source(apache_cluster):
    return apache_cluster


@pytest.fixture
def target(private, source, request):
    request.node.worlds = [Logs(source)]
    return private()


class Logs:
    """What is shown of Apache's brokers when a test fails."""

    def __init__(self, source):
        self.source = source

    def report(self):
        return self.source.tail()


class Load:
    """Somebody who writes all the while, and is told of every record that it is kept by all who are in sync."""

    def __init__(self, source, topic, partitions):
        self.acknowledged = {partition: {} for partition in range(partitions)}
        self.failed, self._topic, self._ends = [], topic, threading.Event()
        self._producer = Producer({
            "bootstrap.servers": source.bootstrap, "acks": "all", "enable.idempotence": True, "message.timeout.ms": 120_000,
            "linger.ms": 5, "compression.type": "lz4", "log_level": 0, "reconnect.backoff.max.ms": 500,
        })
        self._writes = threading.Thread(target=self._write)

    def __enter__(self):
        self._writes.start()
        return self

    def __exit__(self, *_):
        self._ends.set()
        self._writes.join()
        assert self._producer.flush(120) == 0 and not self.failed, self.failed[:3]

    def _write(self):
        count = 0
        while not self._ends.is_set():
            for partition in self.acknowledged:
                value = f"{partition}-{count}".rjust(200)
                self._producer.produce(self._topic, value, partition=partition, on_delivery=self._heard)
            count += 1
            self._producer.poll(0.002)

    def _heard(self, error, message):
        if error:
            self.failed.append(str(error))
        else:
            self.acknowledged[message.partition()][message.offset()] = message.value()

    def more(self, partition=0, records=200):
        """Waits for so many more, and tells the offset of the last one."""
        want = len(self.acknowledged[partition]) + records
        until(lambda: len(self.acknowledged[partition]) >= want, f"{records} more are acknowledged", WITHIN, every=0.05)
        return max(self.acknowledged[partition])


def copies(source, target, *topics):
    mirror(source, target, "--topics", ",".join(topics), "--groups", ",".join(f"{topic}-*" for topic in topics))


def passes(target, topic, offset, partition=0):
    until(lambda: (ends(target, topic, partition) or (0, 0))[1] > offset, f"offset {offset} is copied", WITHIN, every=0.1)


def epochs(content):
    """{epoch of a leader: the first offset it wrote}, by the heads of the batches."""
    found, at = {}, 0
    while at < len(content):
        offset, length, epoch = struct.unpack_from(">qii", content, at)
        found.setdefault(epoch, offset)
        at += 12 + length
    return found


def where_epochs_end(node, topic, partition, newest):
    """What a leader answers followers that ask where each epoch ended: [(error, epoch, end)]."""
    answers = []
    with Connection(node) as connection:
        for asked in range(newest + 1):
            body = struct.pack(">i", 1) + string(topic) + struct.pack(">iiii", 1, partition, -1, asked)
            answer = connection.ask(request(OFFSET_FOR_LEADER_EPOCH, 2, body))
            error, _, epoch, end = struct.unpack(">hiiq", answer[-18:])
            answers.append((error, epoch, end))
    return answers


def copied(source, target, topic, partition=0):
    """Everything, to the last byte, and who led when: {epoch: where it begins}."""
    await_copy(source, target, topic, partition, within=WITHIN)
    leader = source.leading(topic, partition)
    until(lambda: segments(leader, topic, partition) == segments(target, topic, partition), "the bytes are the same", 20)
    found = epochs(segments(target, topic, partition))
    there = where_epochs_end(leader, topic, partition, max(found))
    assert where_epochs_end(target, topic, partition, max(found)) == there
    assert {error for error, _, _ in there} == {0}
    return found


def holds(target, topic, load):
    """Whatever was acknowledged is there, at its offset."""
    for partition, known in load.acknowledged.items():
        here = {offset: value for offset, _, value, _ in read(target, topic, partition)}
        assert known.items() <= here.items()


def make_on(source, name, *replicas, **config):
    """A topic whose partitions have these replicas, the preferred leader first."""
    config = {key.replace("_", "."): str(value) for key, value in config.items()}
    admin(source).create_topics([NewTopic(name, len(replicas), replica_assignment=list(replicas), config=config)])[name].result(30)
    for partition, (first, *_) in enumerate(replicas):
        source.until_led(name, by=[first], partition=partition, within=WITHIN)


def test_leaders_and_coordinators_on_every_broker_are_followed_by_three_of_ours(source, cluster, request):
    request.node.worlds = [Logs(source)]
    target = cluster()
    replicas = [[1, 2, 3], [2, 3, 1], [3, 1, 2]] * 2
    make_on(source, "spread", *replicas, min_insync_replicas=2)
    for partition in range(6):
        write(source, "spread", [f"{partition}-{i}" * 20 for i in range(300)], partition, **{"enable.idempotence": True})
    sender = transactional(source, "spread-sender")
    for prefix, end in (("kept", sender.commit_transaction), ("gone", sender.abort_transaction)):
        sender.begin_transaction()
        for partition in range(6):
            write_within(sender, "spread", [f"{prefix}-{partition}-{i}".encode() for i in range(5)], partition)
        again(end)
    assert {source.leader("spread", partition).id for partition in range(6)} == {1, 2, 3}
    groups = [f"spread-{n}" for n in range(9)]
    for n, group in enumerate(groups):
        commit(source, group, TopicPartition("spread", n % 6, 10 + n))
    copies(source, target, "spread")
    for partition in range(6):
        await_copy(source, target, "spread", partition, within=WITHIN)
        bytes_there = segments(source.leading("spread", partition), "spread", partition)
        for node in target.nodes:
            until(lambda n=node, p=partition: segments(n, "spread", p) == bytes_there, "every replica has the bytes", 30)
        assert ahead(target, "spread", partition=partition) == ahead(source, "spread", partition=partition)
    for n, group in enumerate(groups):
        place = TopicPartition("spread", n % 6)
        until(lambda g=group, p=place, o=10 + n: committed(target, g, p) == [o], "it is carried", WITHIN, every=0.3)
    assert not status(target)["problems"]


def test_leaders_that_are_killed_under_load_are_followed_to_those_that_are_elected(source, target):
    make_topic(source, "killed", 3, min_insync_replicas=2)
    copies(source, target, "killed")
    seen = set()
    with Load(source, "killed", 3) as load:
        for _ in range(2):
            load.more()
            former = source.leading("killed")
            former.kill()
            until(lambda f=former: source.leader("killed") not in (f, None), "another one leads", WITHIN, every=0.1)
            seen |= {former.id, source.leading("killed").id}
            # It goes on while the other one is away, and not only for this partition.
            for partition in range(3):
                passes(target, "killed", load.more(partition), partition)
            former.start()
            for partition in range(3):
                source.until_in_sync("killed", [1, 2, 3], partition, within=WITHIN)
            passes(target, "killed", load.more())
    assert len(seen) > 1
    for partition in range(3):
        found = copied(source, target, "killed", partition)
        assert partition or len(found) >= 3, found
        assert partition_status(target, f"killed-{partition}")["state"] == "copying"
    holds(target, "killed", load)
    assert not status(target)["setAside"] and not status(target)["problems"]


def test_brokers_that_are_restarted_one_after_the_other_under_load_are_followed(source, target):
    make_topic(source, "rolled", 3, min_insync_replicas=2)
    copies(source, target, "rolled")
    with Load(source, "rolled", 3) as load:
        for node in source.nodes:
            load.more()
            node.stop()
            for partition in range(3):
                passes(target, "rolled", load.more(partition), partition)
            node.start()
            for partition in range(3):
                source.until_in_sync("rolled", [1, 2, 3], partition, within=WITHIN)
    for partition in range(3):
        copied(source, target, "rolled", partition)
    holds(target, "rolled", load)
    assert not status(target)["setAside"] and not status(target)["problems"]


def reassign(source, folder, topic, *replicas):
    plan = folder / "plan.json"
    moves = [{"topic": topic, "partition": partition, "replicas": those} for partition, those in enumerate(replicas)]
    plan.write_text(json.dumps({"version": 1, "partitions": moves}))
    apache.run(
        folder, "kafka-reassign-partitions.sh", "--bootstrap-server", source.bootstrap, "--reassignment-json-file", plan,
        "--execute")

    def moved():
        found = source.partitions(topic)
        return all(
            found[partition].replicas == those and sorted(found[partition].isrs) == sorted(those)
            and found[partition].leader in those for partition, those in enumerate(replicas))

    until(moved, f"the replicas are moved: {replicas}", WITHIN, every=0.2)


def elect(source, folder, kind, *which):
    apache.run(
        folder, "kafka-leader-election.sh", "--bootstrap-server", source.bootstrap, "--election-type", kind, *which)


def test_partitions_that_move_to_other_brokers_under_load_are_followed(source, target, tmp_path):
    make_on(source, "moved", [1, 2], [2, 3])
    copies(source, target, "moved")
    with Load(source, "moved", 2) as load:
        load.more(1)
        # The first step takes both replicas away from where the leader is, the others one at a time.
        for replicas in ([[3], [1]], [[3, 2], [1, 3]], [[2, 1], [3, 2]]):
            reassign(source, tmp_path, "moved", *replicas)
            elect(source, tmp_path, "preferred", "--all-topic-partitions")
            for partition, (first, *_) in enumerate(replicas):
                source.until_led("moved", by=[first], partition=partition, within=WITHIN)
                passes(target, "moved", load.more(partition), partition)
    for partition in (0, 1):
        assert len(copied(source, target, "moved", partition)) >= 3
    holds(target, "moved", load)
    assert not status(target)["setAside"] and not status(target)["problems"]


def test_what_an_unclean_election_has_lost_is_set_aside_and_replaced(source, target, tmp_path):
    make_on(source, "unclean", [1, 2], unclean_leader_election_enable="true", min_insync_replicas=1)
    copies(source, target, "unclean")
    batches = {"linger.ms": 0, "batch.num.messages": 10, "acks": "1"}
    write(source, "unclean", [f"shared-{i}" * 20 for i in range(60)], **batches)
    source.until_in_sync("unclean", [1, 2], within=WITHIN)
    copied(source, target, "unclean")
    left = ends(source, "unclean")[1]
    source[2].kill()
    source.until_in_sync("unclean", [1], within=WITHIN)
    write(source, "unclean", [f"lost-{i}" * 20 for i in range(40)], **batches)
    copied(source, target, "unclean")
    before = read(target, "unclean")
    assert (left, len(before)) == (60, 100)
    source[1].kill()
    # Who comes back knows nothing of what was acknowledged without it, and leads all the same: with ZooKeeper by itself,
    # with KRaft, which does not heed that setting before 3.9, when somebody says so.
    source[2].start()
    until(lambda: source.leader("unclean") is not source[1], "the former leader counts as gone", WITHIN, every=0.2)
    if not source.leader("unclean"):
        elect(source, tmp_path, "unclean", "--topic", "unclean", "--partition", "0")
    source.until_led("unclean", by=[2], within=WITHIN)
    until(lambda: partition_status(target, "unclean-0")["state"] == "halted", "it halts", WITHIN, every=0.2)
    write(source, "unclean", [f"other-{i}" for i in range(70)])
    until(lambda: ends(source, "unclean") == (0, 130), "the records are there", 20, every=0.2)
    until(lambda: "offset 60" in (partition_status(target, "unclean-0")["reason"] or ""), "it says where", WITHIN, every=0.2)
    assert partition_status(target, "unclean-0")["state"] == "halted" and read(target, "unclean") == before
    alter_mirror(target, "eu", "divergence.policy", "set-aside")
    copied(source, target, "unclean")
    assert read(target, "unclean") == read(source, "unclean")
    shown = status(target)["setAside"]
    assert [(a["partition"], a["from"], a["to"], a["records"]) for a in shown] == [("unclean-0", 60, 100, 40)]
    dumped = tool("log", "dump", shown[0]["file"], "--records")
    assert all(value.decode()[:40] in dumped for _, _, value, _ in before[60:])
    # The former leader comes back and gets rid of the same.
    source[1].start()
    source.until_in_sync("unclean", [1, 2], within=WITHIN)
    write(source, "unclean", ["after"])
    copied(source, target, "unclean")
    assert segments(source[1], "unclean") == segments(source[2], "unclean") == segments(target, "unclean")


def test_a_mirror_that_was_told_one_address_goes_on_when_that_broker_is_gone(source, target):
    make_on(source, "known", [1, 2, 3], [2, 3, 1], [3, 1, 2], min_insync_replicas=2)
    mirror(source[1], target, "--topics", "known")
    for partition in range(3):
        write(source, "known", ["early"] * 20, partition)
        copied(source, target, "known", partition)
    source[1].kill()
    source.until_led("known", by=[2, 3], within=WITHIN)
    # Its own partition has another leader now, of which the others alone can tell, and soon so has another one.
    for partition in range(3):
        write(source, "known", ["later"] * 20, partition)
        copied(source, target, "known", partition)
    assert {partition_status(target, f"known-{partition}")["state"] for partition in range(3)} == {"copying"}
