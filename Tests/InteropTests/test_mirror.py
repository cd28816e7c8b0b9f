"""Mirrors between clusters of real processes: the same bytes at the same offsets, and honest words where that is not so."""

import json
import threading
import time

import pytest
from broker import run, until
from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewPartitions, NewTopic, ResourceType

CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


_admins, _consumers = {}, {}


def admin(broker):
    """Kept, since what it was asked for ends with it."""
    if broker.bootstrap not in _admins:
        _admins[broker.bootstrap] = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    return _admins[broker.bootstrap]


def consumer(broker):
    """Without a group of its own: it is told what to read."""
    if broker.bootstrap not in _consumers:
        _consumers[broker.bootstrap] = Consumer(
            {"bootstrap.servers": broker.bootstrap, "group.id": "none", "enable.partition.eof": True, "log_level": 0,
             "enable.auto.commit": False, "reconnect.backoff.max.ms": 500}
        )
    return _consumers[broker.bootstrap]


@pytest.fixture(autouse=True)
def clients_end_with_their_test():
    yield
    _admins.clear()
    for one in _consumers.values():
        one.close()
    _consumers.clear()


def make_topic(broker, name, partitions=1, **config):
    topic = NewTopic(name, partitions, config={key.replace("_", "."): str(value) for key, value in config.items()})
    admin(broker).create_topics([topic])[name].result(20)


def write(broker, topic, values, partition=0, **config):
    errors = []
    producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 5, **config})
    for value in values:
        producer.produce(
            topic, value, key=f"k{len(value) % 7}", partition=partition, on_delivery=lambda e, _: e and errors.append(e)
        )
        producer.poll(0)
    assert producer.flush(30) == 0
    assert not errors, errors


def read(broker, topic, partition=0, within=30):
    """(offset, key, value, timestamp) of every record up to the end."""
    reader = consumer(broker)
    reader.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
    found = []
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        message = reader.poll(0.5)
        if message is None:
            continue
        if message.error():
            if message.error().code() == KafkaError._PARTITION_EOF:
                break
            continue
        found.append((message.offset(), message.key(), message.value(), message.timestamp()))
    reader.unassign()
    return found


def ends(broker, topic, partition=0):
    """(low, high), or None while nobody can say."""
    try:
        return consumer(broker).get_watermark_offsets(TopicPartition(topic, partition), timeout=5)
    except KafkaException:
        # What it knows of the cluster may be old.
        try:
            consumer(broker).list_topics(topic, timeout=5)
        except KafkaException:
            pass
        return None


def segments(broker, topic, partition=0):
    """The bytes of every segment, one after the other."""
    folder = broker.data / f"{topic}-{partition}"
    return b"".join(path.read_bytes() for path in sorted(folder.glob("*.log")))


def tool(*arguments, fails=False, within=90):
    done = run(*arguments, within=within)
    assert (done.returncode != 0) == fails, (done.stdout, done.stderr)
    return done.stderr if fails else done.stdout


def mirror(source, target, *options, name="eu"):
    tool("mirrors", "create", name, "--source", source.bootstrap, *options, "--bootstrap-server", target.bootstrap)


def status(target, name="eu"):
    return json.loads(tool("mirrors", "status", name, "-o", "json", "--bootstrap-server", target.bootstrap))[0]


def partition_status(target, partition, name="eu"):
    return next((p for p in status(target, name)["partitions"] if p["partition"] == partition), None)


def await_copy(source, target, topic, partition=0, within=30):
    def same():
        there, here = ends(source, topic, partition), ends(target, topic, partition)
        return there is not None and there == here

    until(same, f"{topic}-{partition} is copied; {ends(source, topic, partition)}, {target.tail()}", within, every=0.1)


@pytest.fixture
def pair(private):
    return private(), private()


def test_topics_of_every_codec_have_the_same_bytes_at_the_same_offsets(pair):
    source, target = pair
    for codec in CODECS:
        make_topic(source, f"codec-{codec}", 2, retention_ms=123456789)
        for partition in (0, 1):
            values = [f"{codec}-{partition}-{i}" * 20 for i in range(200)]
            write(source, f"codec-{codec}", values, partition, **{"compression.type": codec, "enable.idempotence": True})
    mirror(source, target)
    for codec in CODECS:
        topic = f"codec-{codec}"
        for partition in (0, 1):
            await_copy(source, target, topic, partition)
            assert segments(source, topic, partition) == segments(target, topic, partition)
            assert read(source, topic, partition) == read(target, topic, partition)
    ours = admin(target).list_topics(timeout=10).topics
    assert {f"codec-{codec}" for codec in CODECS} <= set(ours)
    described = json.loads(tool("topics", "describe", "codec-gzip", "-o", "json", "--bootstrap-server", target.bootstrap))
    original = json.loads(tool("topics", "describe", "codec-gzip", "-o", "json", "--bootstrap-server", source.bootstrap))
    assert json.dumps(described).count(original[0]["id"]) == 1
    found = admin(target).describe_configs([ConfigResource(ResourceType.TOPIC, "codec-gzip")])
    configs = next(iter(found.values())).result(20)
    assert configs["retention.ms"].value == "123456789"


def test_clients_cannot_write_what_a_mirror_writes(pair):
    source, target = pair
    make_topic(source, "orders")
    write(source, "orders", ["one"])
    mirror(source, target)
    await_copy(source, target, "orders")
    errors = []
    producer = Producer({"bootstrap.servers": target.bootstrap, "message.timeout.ms": 5000})
    producer.produce("orders", "no", on_delivery=lambda error, _: errors.append(error))
    producer.flush(10)
    assert errors[0].code() == KafkaError.POLICY_VIOLATION
    assert [value for _, _, value, _ in read(target, "orders")] == [b"one"]
    refused = tool(
        "configs", "set", "topic", "orders", "mirror.link=other", "--bootstrap-server", target.bootstrap, fails=True
    )
    assert "never by hand" in refused


def test_partitions_and_settings_are_followed(pair):
    source, target = pair
    make_topic(source, "growing")
    mirror(source, target)
    await_copy(source, target, "growing")
    admin(source).create_partitions([NewPartitions("growing", 3)])["growing"].result(20)
    tool("configs", "set", "topic", "growing", "retention.ms=777000", "--bootstrap-server", source.bootstrap)
    until(lambda: ends(target, "growing", 2), "the partition is there as well", every=0.2)
    write(source, "growing", ["late"], 2)
    await_copy(source, target, "growing", 2)

    def followed():
        shown = tool("configs", "describe", "topic", "growing", "--bootstrap-server", target.bootstrap)
        return "777000" in shown

    until(followed, "the setting is followed", every=0.2)


def test_holes_of_compaction_and_deleted_records_are_followed(pair):
    source, target = pair
    source.stop()
    source.overrides |= {"log.cleaner.backoff.ms": "200", "log.retention.check.interval.ms": "500"}
    source.start()
    make_topic(
        source, "compacted", cleanup_policy="compact", segment_bytes=4096, min_cleanable_dirty_ratio="0.01",
        max_compaction_lag_ms=1000,
    )
    for round in range(6):
        write(source, "compacted", [f"{round}-{i}" * 30 for i in range(60)])
    until(lambda: len(read(source, "compacted")) < 300, "the source is compacted", within=40, every=0.5)
    make_topic(source, "shortened")
    write(source, "shortened", [f"{i}" for i in range(100)], **{"linger.ms": 0, "batch.num.messages": 10})
    admin(source).delete_records([TopicPartition("shortened", 0, 35)])[TopicPartition("shortened", 0)].result(20)
    mirror(source, target)
    await_copy(source, target, "shortened")
    assert ends(target, "shortened") == (35, 100)
    assert [r[0] for r in read(target, "shortened")] == list(range(35, 100))
    until(lambda: ends(target, "compacted") == ends(source, "compacted"), "the compacted topic is copied", every=0.2)
    latest = {key: (offset, value) for offset, key, value, _ in read(source, "compacted")}
    assert {key: (offset, value) for offset, key, value, _ in read(target, "compacted")} == latest
    # And while it runs.
    admin(source).delete_records([TopicPartition("shortened", 0, 60)])[TopicPartition("shortened", 0)].result(20)
    until(lambda: ends(target, "shortened") == (60, 100), "the start follows", every=0.2)


def test_a_mirror_goes_on_after_restarts_of_either_side(pair):
    source, target = pair
    make_topic(source, "steady")
    mirror(source, target)
    written = 0
    for step, action in enumerate((None, source.restart, target.restart, source.crash, target.crash)):
        if action:
            action()
        write(source, "steady", [f"{step}-{i}" for i in range(500)], **{"enable.idempotence": True})
        written += 500
        await_copy(source, target, "steady")
        assert ends(target, "steady")[1] == written
    assert read(source, "steady") == read(target, "steady")


def test_an_old_reading_is_never_shown_as_zero(pair):
    source, target = pair
    make_topic(source, "aging")
    write(source, "aging", ["one"])
    mirror(source, target)
    await_copy(source, target, "aging")
    until(lambda: partition_status(target, "aging-0")["sourceEnd"] == 1, "the source was read", every=0.1)
    source.kill()
    until(
        lambda: partition_status(target, "aging-0")["readMillisecondsAgo"] > 3000, "the reading gets older", every=0.5
    )
    shown = partition_status(target, "aging-0")
    assert shown["state"] == "waiting" and shown["lag"] == 0 and shown["sourceEnd"] == 1


def test_a_gap_halts_with_its_offsets_and_goes_on_when_it_is_accepted(pair):
    source, target = pair
    make_topic(source, "gappy")
    write(source, "gappy", [f"{i}" for i in range(50)])
    mirror(source, target)
    await_copy(source, target, "gappy")
    tool("mirrors", "pause", "eu", "--bootstrap-server", target.bootstrap)
    until(lambda: partition_status(target, "gappy-0")["state"] == "stopped", "it is paused", every=0.1)
    write(source, "gappy", [f"{i}" for i in range(50, 100)])
    admin(source).delete_records([TopicPartition("gappy", 0, 80)])[TopicPartition("gappy", 0)].result(20)
    tool("mirrors", "resume", "eu", "--bootstrap-server", target.bootstrap)
    until(lambda: partition_status(target, "gappy-0")["state"] == "halted", "it halts", every=0.1)
    assert "offsets 50 to 79" in partition_status(target, "gappy-0")["reason"]
    time.sleep(1.5)
    assert ends(target, "gappy") == (0, 50)
    alter_mirror(target, "eu", "gap.policy", "accept")
    await_copy(source, target, "gappy")
    assert partition_status(target, "gappy-0")["gaps"] == [{"from": 50, "to": 80}]
    assert [r[0] for r in read(target, "gappy")] == list(range(80, 100))


def alter_mirror(target, name, key, value):
    tool("configs", "set", "mirror", name, f"{key}={value}", "--bootstrap-server", target.bootstrap)


def test_a_topic_that_was_made_again_is_never_appended_to(pair):
    source, target = pair
    make_topic(source, "again")
    write(source, "again", ["old"])
    mirror(source, target)
    await_copy(source, target, "again")
    admin(source).delete_topics(["again"])["again"].result(20)
    until(lambda: "again" not in admin(source).list_topics(timeout=5).topics, "it is gone", every=0.1)
    make_topic(source, "again")
    write(source, "again", [f"new-{i}" for i in range(10)])
    until(lambda: partition_status(target, "again-0")["state"] == "halted", "it halts", every=0.1)
    assert "made again" in partition_status(target, "again-0")["reason"]
    until(lambda: status(target)["problems"], "the controller says so as well", every=0.1)
    assert [r[2] for r in read(target, "again")] == [b"old"]


@pytest.mark.parametrize("length", [2, 3])
def test_circles_are_refused(private, length):
    clusters = [private() for _ in range(length)]
    make_topic(clusters[0], "round")
    write(clusters[0], "round", ["once"])
    for before, after in zip(clusters, clusters[1:]):
        mirror(before, after)
        await_copy(before, after, "round")
    mirror(clusters[-1], clusters[0], name="back")
    problem = until(lambda: status(clusters[0], "back")["problems"], "it is refused", every=0.2)
    assert problem[0]["topic"] == "round"
    write(clusters[0], "round", ["twice"])
    for one in clusters[1:]:
        await_copy(clusters[0], one, "round")
    assert len(read(clusters[0], "round")) == 2


def test_a_failover_takes_writes_and_reports_what_is_lost(pair):
    source, target = pair
    make_topic(source, "ledger", 2)
    mirror(source, target)
    for partition in (0, 1):
        write(source, "ledger", [f"{i}" for i in range(300)], partition)
        await_copy(source, target, "ledger", partition)
    until(lambda: partition_status(target, "ledger-0")["sourceEnd"] == 300, "the source was read", every=0.1)
    acknowledged = []
    stop = threading.Event()

    def load():
        producer = Producer({"bootstrap.servers": source.bootstrap, "acks": "all", "message.timeout.ms": 3000})
        while not stop.is_set():
            producer.produce("ledger", "x" * 100, partition=0, on_delivery=lambda e, m: e or acknowledged.append(m.offset()))
            producer.poll(0.001)
        producer.flush(5)

    writer = threading.Thread(target=load)
    writer.start()
    until(lambda: len(acknowledged) > 200, "it is under load")
    source.kill()
    stop.set()
    report = json.loads(tool("mirrors", "failover", "eu", "-o", "json", "--bootstrap-server", target.bootstrap))
    writer.join()
    assert report["generation"] == 2
    found = {entry["partition"]: entry for entry in report["partitions"]}
    assert set(found) == {"ledger-0", "ledger-1"}
    assert found["ledger-1"]["end"] == 300 and found["ledger-1"]["knownLoss"] == 0
    assert found["ledger-1"]["knownMillisecondsBefore"] is not None
    copied = found["ledger-0"]["end"]
    until(lambda: ends(target, "ledger", 0) == (0, copied), "what was copied is there", every=0.1)
    # Writes go on behind what was copied, and the mirror does not write any more.
    write(target, "ledger", ["after"], 0)
    assert read(target, "ledger", 0)[-1][:3] == (copied, b"k5", b"after")
    # The source is back: what it has and the copy has not is what the report spoke of, or later than its knowledge.
    source.start()
    there = read(source, "ledger", 0)
    assert there[:copied] == read(target, "ledger", 0)[:copied]
    assert len(there) >= max(acknowledged) + 1
    assert found["ledger-0"]["sourceEnd"] <= len(there)
    time.sleep(1.5)
    assert ends(target, "ledger", 0) == (0, copied + 1)
    target.restart()
    until(lambda: ends(target, "ledger", 0) == (0, copied + 1), "it is there after a restart", every=0.1)
    assert status(target)["state"] == "promoted"
    refused = tool("mirrors", "resume", "eu", "--bootstrap-server", target.bootstrap, fails=True)
    assert "failed over" in refused


@pytest.mark.parametrize("round", range(3))
def test_a_switchover_under_load_loses_and_doubles_nothing(pair, round):
    source, target = pair
    make_topic(source, "moving", 2)
    mirror(source, target)
    await_copy(source, target, "moving", 1)
    acknowledged, refused, stop = [], [], threading.Event()

    def told(error, message):
        if error:
            refused.append(error)
        else:
            acknowledged.append((message.partition(), message.offset(), message.value()))

    def load():
        producer = Producer(
            {"bootstrap.servers": source.bootstrap, "enable.idempotence": True, "message.timeout.ms": 4000,
             "linger.ms": 2, "log_level": 0}
        )
        count = 0
        while not stop.is_set() and not refused:
            producer.produce("moving", f"{count}", partition=count % 2, on_delivery=told)
            producer.poll(0.001)
            count += 1
        producer.flush(10)

    writer = threading.Thread(target=load)
    writer.start()
    until(lambda: len(acknowledged) > 100 * (round + 1), "it is under load")
    report = json.loads(tool("mirrors", "switchover", "eu", "-o", "json", "--bootstrap-server", target.bootstrap))
    stop.set()
    writer.join()
    assert report["generation"] == 2 and all(entry["knownLoss"] == 0 for entry in report["partitions"])
    assert acknowledged
    for partition in (0, 1):
        until(lambda p=partition: ends(target, "moving", p), "it is led", every=0.1)
        here = read(target, "moving", partition)
        assert here == read(source, "moving", partition)
        held = {offset: value for offset, _, value, _ in here}
        assert len(set(held.values())) == len(held)
        for place, offset, value in acknowledged:
            assert place != partition or held.get(offset) == value
    write(target, "moving", ["mine"], **{"enable.idempotence": True})
    errors = []
    late = Producer({"bootstrap.servers": source.bootstrap, "message.timeout.ms": 2000, "log_level": 0})
    late.produce("moving", "late", partition=0, on_delivery=lambda error, _: errors.append(error))
    late.flush(5)
    assert errors[0] is not None


def test_a_switchover_goes_on_after_crashes_or_is_given_up(pair):
    source, target = pair
    make_topic(source, "careful")
    write(source, "careful", [f"{i}" for i in range(100)])
    mirror(source, target)
    await_copy(source, target, "careful")
    # Given up while the source is away: it is opened again.
    source.kill()
    tool("configs", "set", "mirror", "eu", "state=switchover", "--bootstrap-server", target.bootstrap)
    until(lambda: status(target)["problems"], "it waits for the source", every=0.1)
    target.crash()
    tool("mirrors", "resume", "eu", "--bootstrap-server", target.bootstrap)
    source.start()

    def fence():
        found = admin(source).describe_configs([ConfigResource(ResourceType.TOPIC, "careful")])
        return next(iter(found.values())).result(20)["mirror.fence"].value

    until(lambda: not fence(), "the source is open", every=0.1)
    write(source, "careful", ["more"])
    await_copy(source, target, "careful")
    # A crash of the one that takes over.
    tool("configs", "set", "mirror", "eu", "state=switchover", "--bootstrap-server", target.bootstrap)
    target.crash()
    until(lambda: status(target)["promoted"], "it is done", within=40, every=0.2)
    assert fence().endswith(":2")
    until(lambda: ends(target, "careful") == (0, 101), "all is there", every=0.1)
    write(target, "careful", ["mine"])


def test_producers_of_both_clusters_are_never_taken_for_one_another(pair):
    """After a failover the log remembers the source's producers: nobody here may have the id of one of them."""
    source, target = pair
    once = {"enable.idempotence": True}
    make_topic(target, "own")
    write(target, "own", ["an id is given out before there is a mirror"], **once)
    make_topic(source, "shared")
    for i in range(5):
        write(source, "shared", [f"theirs-{i}"], **once)
    mirror(source, target, "--topics", "shared")
    await_copy(source, target, "shared")
    source.kill()
    tool("mirrors", "failover", "eu", "--bootstrap-server", target.bootstrap)
    for i in range(5):
        write(target, "shared", [f"ours-{i}"], **once)
    assert [r[2].decode() for r in read(target, "shared")] == [
        *(f"theirs-{i}" for i in range(5)), *(f"ours-{i}" for i in range(5)),
    ]


def committed(broker, group, *partitions):
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group, "log_level": 0})
    try:
        return [p.offset for p in reader.committed(list(partitions), timeout=10)]
    except KafkaException:
        return None
    finally:
        reader.close()


def commit(broker, group, *partitions):
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "group.id": group, "enable.auto.commit": False})
    reader.commit(offsets=list(partitions), asynchronous=False)
    reader.close()


def test_offsets_of_groups_are_carried_back_and_forth_but_never_beyond_what_was_copied(pair):
    source, target = pair
    make_topic(source, "read", 2)
    write(source, "read", [f"{i}" for i in range(100)], 0)
    commit(source, "readers", TopicPartition("read", 0, 40), TopicPartition("read", 1, 0))
    mirror(source, target)
    await_copy(source, target, "read")
    place = TopicPartition("read", 0)
    until(lambda: committed(target, "readers", place) == [40], "the commit is carried", within=40, every=0.5)
    commit(source, "readers", TopicPartition("read", 0, 10))
    until(lambda: committed(target, "readers", place) == [10], "the rewind is carried", within=40, every=0.5)
    # Beyond the end of the copy there is nothing to read.
    commit(source, "readers", TopicPartition("read", 0, 5000))
    until(lambda: committed(target, "readers", place) == [100], "it is held at the end", within=40, every=0.5)
    # A group that reads here decides by itself.
    busy = Consumer(
        {"bootstrap.servers": target.bootstrap, "group.id": "busy", "auto.offset.reset": "earliest",
         "enable.auto.commit": False}
    )
    busy.subscribe(["read"])
    until(lambda: busy.poll(0.5), "it reads", within=40)
    busy.commit(offsets=[TopicPartition("read", 0, 7)], asynchronous=False)
    commit(source, "busy", TopicPartition("read", 0, 90))
    until(lambda: busy.poll(0.2) is None, "it has read all")
    for _ in range(6):
        busy.poll(0.5)
        assert [p.offset for p in busy.committed([place], timeout=10)] == [7]
    busy.close()
    until(lambda: committed(target, "busy", place) == [90], "without members it follows again", within=40, every=0.5)


def test_what_is_not_there_is_refused_plainly(pair):
    source, target = pair
    assert "needs --source" in tool("mirrors", "failback", "eu", "--bootstrap-server", target.bootstrap, fails=True)
    assert "no mirror" in tool("mirrors", "pause", "nobody", "--bootstrap-server", target.bootstrap, fails=True)


def test_a_mirror_of_three_nodes_survives_the_death_of_leaders(private, cluster):
    source = private()
    target = cluster(overrides={"default.replication.factor": "3"})
    make_topic(source, "wide", 3, min_insync_replicas=2)
    tool("mirrors", "create", "eu", "--source", source.bootstrap, "--topics", "wide", "--bootstrap-server", target.bootstrap)
    until(lambda: ends(target, "wide", 2) is not None, "the topic is there", every=0.2)
    written = 0
    for node in (None, target.nodes[0], target.nodes[1]):
        if node:
            node.crash()
        for partition in range(3):
            write(source, "wide", [f"{written}-{i}" for i in range(200)], partition, **{"compression.type": "lz4"})
        written += 200
        for partition in range(3):
            until(
                lambda p=partition: (ends(target, "wide", p) or (0, 0))[1] == written, f"{written} are copied",
                within=60, every=0.2,
            )
    for partition in range(3):
        assert read(source, "wide", partition) == read(target, "wide", partition)
    report = json.loads(tool("mirrors", "failover", "eu", "-o", "json", "--bootstrap-server", target.bootstrap))
    assert [entry["end"] for entry in report["partitions"]] == [written] * 3
    write(target, "wide", ["mine"], 1)
    assert read(target, "wide", 1)[-1][2] == b"mine"


def failback(target, *options, name, fails=False):
    shown = tool("mirrors", "failback", name, *options, "-o", "json", "--bootstrap-server", target.bootstrap, fails=fails)
    return shown if fails else json.loads(shown)


def test_a_round_trip_brings_the_topics_home_and_copies_only_what_is_lacking(pair):
    """There by a failover, back by a fail-back and a switchover, and once more: what both have is never copied again."""
    old, new = pair
    make_topic(old, "trip", 2)
    for partition in (0, 1):
        write(old, "trip", [f"shared-{partition}-{i}" * 50 for i in range(400)], partition)
    mirror(old, new)
    for partition in (0, 1):
        await_copy(old, new, "trip", partition)
    shared = len(segments(old, "trip", 0))
    tool("mirrors", "pause", "eu", "--bootstrap-server", new.bootstrap)
    until(lambda: partition_status(new, "trip-0")["state"] == "stopped", "it is paused", every=0.1)
    write(old, "trip", [f"lost-{i}" for i in range(30)], 0)
    old.kill()
    tool("mirrors", "failover", "eu", "--bootstrap-server", new.bootstrap)
    write(new, "trip", [f"new-{i}" for i in range(25)], 0)
    write(new, "trip", ["new"], 1)
    # The old owner does not know of it, and takes writes as before.
    old.start()
    write(old, "trip", [f"late-{i}" for i in range(10)], 0)

    report = failback(old, "--source", new.bootstrap, name="home")
    assert report["state"] == "running" and report["generation"] == 2 and not report["problems"]
    assert [(a["partition"], a["from"], a["to"], a["records"]) for a in report["setAside"]] == [("trip-0", 400, 440, 40)]
    kept = tool("log", "dump", report["setAside"][0]["file"], "--records")
    for value in [f"lost-{i}" for i in range(30)] + [f"late-{i}" for i in range(10)]:
        assert value in kept
    with pytest.raises(AssertionError):
        write(old, "trip", ["no"], 0)
    for partition in (0, 1):
        await_copy(new, old, "trip", partition)
        assert read(old, "trip", partition) == read(new, "trip", partition)
        assert segments(old, "trip", partition) == segments(new, "trip", partition)
    copied = [p["copiedBytes"] for p in status(old, "home")["partitions"]]
    delta = len(segments(new, "trip", 0)) - shared
    assert copied[0] == delta and 0 < delta < shared / 10, (copied, delta, shared)

    def bring_home(target, source, name, value):
        before = read(source, "trip", 0)
        told = json.loads(tool("mirrors", "switchover", name, "-o", "json", "--bootstrap-server", target.bootstrap))
        assert read(target, "trip", 0) == before
        write(target, "trip", [value], 0, **{"enable.idempotence": True})
        with pytest.raises(AssertionError):
            write(source, "trip", ["no"], 0, **{"message.timeout.ms": 1500})
        return told["generation"]

    assert bring_home(old, new, "home", "at home") == 3
    # And the other way, with the mirror that was there before.
    report = failback(new, name="eu")
    assert report["generation"] == 3 and not report["setAside"]
    await_copy(old, new, "trip", 0)
    assert sum(p["copiedBytes"] for p in report["partitions"]) < 2000
    assert bring_home(new, old, "eu", "away") == 4
    assert failback(old, name="home")["generation"] == 4
    await_copy(new, old, "trip", 0)
    assert read(old, "trip", 0) == read(new, "trip", 0)
    assert [r[2] for r in read(old, "trip", 0)][-2:] == [b"at home", b"away"]


def test_a_failback_goes_on_after_crashes(pair):
    old, new = pair
    make_topic(old, "shaken", 3)
    for partition in range(3):
        write(old, "shaken", [f"{i}" for i in range(50)], partition)
    mirror(old, new)
    for partition in range(3):
        await_copy(old, new, "shaken", partition)
    tool("mirrors", "pause", "eu", "--bootstrap-server", new.bootstrap)
    until(lambda: partition_status(new, "shaken-0")["state"] == "stopped", "it is paused", every=0.1)
    for partition in range(3):
        write(old, "shaken", ["lost"] * 5, partition)
    tool("mirrors", "failover", "eu", "--bootstrap-server", new.bootstrap)
    for partition in range(3):
        write(new, "shaken", [f"mine-{i}" for i in range(3)], partition)
    tool(
        "configs", "set", "mirror", "home", f"bootstrap.servers={new.bootstrap}", "state=failback", "--bootstrap-server",
        old.bootstrap,
    )
    for pause in (0.3, 0.8, 1.3):
        time.sleep(pause)
        old.crash()
    new.crash()
    until(lambda: status(old, "home")["state"] == "running", "it is done", within=40, every=0.2)
    for partition in range(3):
        await_copy(new, old, "shaken", partition)
        assert read(old, "shaken", partition) == read(new, "shaken", partition)
    kept = {a["partition"]: (a["from"], a["to"], a["records"]) for a in status(old, "home")["setAside"]}
    assert kept == {f"shaken-{partition}": (50, 55, 5) for partition in range(3)}


def test_nothing_is_given_up_that_nobody_has_taken_over(pair):
    old, new = pair
    make_topic(old, "kept")
    write(old, "kept", ["mine"])
    mirror(old, new)
    await_copy(old, new, "kept")
    # The other side is a mirror of this one, and owns nothing.
    tool(
        "configs", "set", "mirror", "home", f"bootstrap.servers={new.bootstrap}", "state=failback", "--bootstrap-server",
        old.bootstrap,
    )
    problem = until(lambda: [p for p in status(old, "home")["problems"] if p["topic"] == "kept"], "it is refused", every=0.1)
    assert "the source does not own it" in problem[0]["problem"] or "comes from this very cluster" in problem[0]["problem"]
    write(old, "kept", ["still mine"])
    tool("mirrors", "resume", "home", "--bootstrap-server", old.bootstrap)
    await_copy(old, new, "kept")
