"""confluent-kafka: groups of both protocols, with members that come, go and die."""

import signal
import subprocess
import sys
import time

import pytest
from broker import until
from confluent_kafka import KafkaError, KafkaException, TopicPartition
from librdkafka import admin, consumer, create, outcome, send, take, values

PROTOCOLS = ["classic", "consumer"]


def member(broker, group, topics, protocol="classic", **settings):
    if protocol == "classic":
        settings.setdefault("session_timeout_ms", 6000)
        settings.setdefault("heartbeat_interval_ms", 500)
    reader = consumer(broker, group, group_protocol=protocol, **settings)
    reader.subscribe(topics)
    return reader


def assigned(*readers):
    """Polls the members once each and returns the partitions that each of them owns."""
    for reader in readers:
        reader.poll(0.05)
    return [sorted((part.topic, part.partition) for part in reader.assignment()) for reader in readers]


def until_shared(topic, partitions, *readers, within=40):
    """Waits until every partition has exactly one owner and every member has some, and returns who has what."""
    everything = [(topic, partition) for partition in range(partitions)]

    def settled():
        owned = assigned(*readers)
        return owned if all(owned) and sorted(sum(owned, [])) == everything else None

    return until(settled, f"{len(readers)} members share {partitions} partitions", within)


@pytest.mark.relies_on(43, 44, 45, 50)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_members_share_the_partitions_and_take_over_from_one_that_leaves(broker, name, protocol):
    create(broker, name, partitions=4)
    first = member(broker, f"{name}-group", [name], protocol)
    until_shared(name, 4, first)
    second = member(broker, f"{name}-group", [name], protocol)
    owned = until_shared(name, 4, first, second)
    assert [len(part) for part in owned] == [2, 2]
    second.close()
    until_shared(name, 4, first)
    first.close()


@pytest.mark.relies_on(44)
@pytest.mark.parametrize("strategy", ["range", "roundrobin", "cooperative-sticky"])
def test_every_strategy_of_sharing(broker, name, strategy):
    create(broker, name, partitions=6)
    members = [
        member(broker, f"{name}-group", [name], partition_assignment_strategy=strategy) for _ in range(3)
    ]
    assert [len(part) for part in until_shared(name, 6, *members)] == [2, 2, 2]
    send(broker, name, [(b"%d" % n, b"%d" % n) for n in range(60)])
    found = []

    def all_read():
        for reader in members:
            found.extend(message for message in reader.consume(60, timeout=0.1) if not message.error())
        return len(found) >= 60

    until(all_read, "sixty records are read")
    assert sorted(int(message.value()) for message in found) == list(range(60))
    for reader in members:
        reader.close()


@pytest.mark.relies_on(44, 45)
def test_cooperative_members_keep_what_they_have_while_others_join(broker, name):
    create(broker, name, partitions=4)
    lost = []
    first = consumer(
        broker, f"{name}-group", partition_assignment_strategy="cooperative-sticky", session_timeout_ms=6000,
        heartbeat_interval_ms=500,
    )
    first.subscribe([name], on_revoke=lambda _, partitions: lost.extend(partitions))
    until_shared(name, 4, first)
    second = member(broker, f"{name}-group", [name], partition_assignment_strategy="cooperative-sticky")
    until_shared(name, 4, first, second)
    assert len(lost) == 2, "a member lost more than it had to give away"
    first.close()
    second.close()


CHILD = """
import sys
from confluent_kafka import Consumer
reader = Consumer({"bootstrap.servers": sys.argv[1], "group.id": sys.argv[2], "group.protocol": sys.argv[4],
                   **({"session.timeout.ms": 6000, "heartbeat.interval.ms": 500} if sys.argv[4] == "classic" else {})})
reader.subscribe([sys.argv[3]])
said = False
while True:
    reader.poll(0.1)
    if reader.assignment() and not said:
        said = True
        print("assigned", flush=True)
"""


@pytest.mark.relies_on(44, 45, 50)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_member_that_is_killed_is_replaced_after_its_session(private, name, protocol):
    broker = private({
        "group.consumer.session.timeout.ms": "6000", "group.consumer.min.session.timeout.ms": "6000",
        "group.consumer.heartbeat.interval.ms": "1000", "group.consumer.min.heartbeat.interval.ms": "1000",
    })
    create(broker, name, partitions=4)
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, broker.bootstrap, f"{name}-group", name, protocol],
        stdout=subprocess.PIPE, text=True,
    )
    try:
        assert child.stdout.readline() == "assigned\n"
        survivor = member(broker, f"{name}-group", [name], protocol)
        until(lambda: assigned(survivor)[0], "the second member has partitions", 30)
        child.send_signal(signal.SIGKILL)
        child.wait()
        until_shared(name, 4, survivor, within=40)
        survivor.close()
    finally:
        child.kill()
        child.wait()


@pytest.mark.relies_on(46)
def test_a_static_member_comes_back_to_what_it_had_without_a_rebalance(broker, name):
    create(broker, name, partitions=4)
    revoked = []
    group = f"{name}-group"
    first = consumer(broker, group, group_instance_id="one", session_timeout_ms=30000, heartbeat_interval_ms=500)
    first.subscribe([name], on_revoke=lambda _, partitions: revoked.extend(partitions))
    until_shared(name, 4, first)
    second = member(broker, group, [name], group_instance_id="two", session_timeout_ms=30000)
    _, had = until_shared(name, 4, first, second)
    revoked.clear()
    second.close()
    again = member(broker, group, [name], group_instance_id="two", session_timeout_ms=30000)
    _, has = until_shared(name, 4, first, again)
    assert has == had
    assert revoked == []
    again.close()
    first.close()


@pytest.mark.relies_on(46)
def test_of_two_static_members_with_one_name_the_older_is_fenced(broker, name):
    create(broker, name)
    group = f"{name}-group"
    fenced = []
    older = consumer(
        broker, group, group_instance_id="same", session_timeout_ms=6000, heartbeat_interval_ms=300,
        error_cb=lambda error: fenced.append(error.code()),
    )
    older.subscribe([name])
    until_shared(name, 1, older)
    younger = member(broker, group, [name], group_instance_id="same")
    until_shared(name, 1, younger)

    def is_fenced():
        try:
            message = older.poll(0.1)
        except KafkaException as error:
            fenced.append(error.args[0].code())
        else:
            if message is not None and message.error():
                fenced.append(message.error().code())
        codes = {KafkaError.FENCED_INSTANCE_ID, KafkaError._FATAL}
        return codes & set(fenced)

    until(is_fenced, "the older member hears that it is fenced", 30)
    younger.close()
    older.close()


@pytest.mark.relies_on(47, 48)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_group_goes_on_where_it_committed(broker, name, protocol):
    send(broker, name, [b"%d" % n for n in range(10)])
    group = f"{name}-group"
    reader = member(broker, group, [name], protocol)
    assert values(take(reader, 10))[:4] == [b"0", b"1", b"2", b"3"]
    reader.commit(offsets=[TopicPartition(name, 0, 4)], asynchronous=False)
    (kept,) = reader.committed([TopicPartition(name, 0)], timeout=10)
    assert kept.offset == 4
    reader.close()
    again = member(broker, group, [name], protocol)
    assert values(take(again, 6)) == [b"%d" % n for n in range(4, 10)]
    again.close()


@pytest.mark.relies_on(47, 48)
def test_a_reader_without_members_may_commit_too(broker, name):
    create(broker, name)
    reader = consumer(broker, f"{name}-group")
    (nothing,) = reader.committed([TopicPartition(name, 0)], timeout=10)
    assert nothing.offset < 0 and nothing.error is None
    reader.assign([TopicPartition(name, 0)])
    reader.commit(offsets=[TopicPartition(name, 0, 7, metadata="note")], asynchronous=False)
    (kept,) = reader.committed([TopicPartition(name, 0)], timeout=10)
    assert (kept.offset, kept.metadata) == (7, "note")
    reader.close()


@pytest.mark.relies_on(50)
@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_pattern_finds_topics_that_come_later(broker, name, protocol):
    create(broker, f"{name}-a")
    reader = member(broker, f"{name}-group", [f"^{name}-[ab]$"], protocol)
    until(lambda: assigned(reader)[0] == [(f"{name}-a", 0)], "the first topic is assigned", 30)
    create(broker, f"{name}-b")
    create(broker, f"{name}-c")
    both = [(f"{name}-a", 0), (f"{name}-b", 0)]
    until(lambda: assigned(reader)[0] == both, "the second topic is assigned, the third is not", 40)
    reader.close()


@pytest.mark.relies_on(44)
def test_new_partitions_reach_the_members(broker, name):
    from confluent_kafka.admin import NewPartitions

    create(broker, name, partitions=1)
    reader = member(broker, f"{name}-group", [name])
    until_shared(name, 1, reader)
    outcome(admin(broker).create_partitions([NewPartitions(name, 3)]))
    until_shared(name, 3, reader)
    reader.close()


@pytest.mark.relies_on(44)
def test_a_session_timeout_outside_of_the_limits_is_refused(broker, name):
    create(broker, name)
    errors = []
    reader = consumer(
        broker, f"{name}-group", session_timeout_ms=1000, heartbeat_interval_ms=300,
        error_cb=lambda error: errors.append(error.code()),
    )
    reader.subscribe([name])

    def refused():
        message = reader.poll(0.1)
        if message is not None and message.error():
            errors.append(message.error().code())
        return KafkaError.INVALID_SESSION_TIMEOUT in errors

    until(refused, "the group says that the timeout is too short", 20)
    reader.close()


def test_the_group_keeps_going_while_its_members_change(broker, name):
    """Members come and go under load; every record is read at least once and commits never go back."""
    create(broker, name, partitions=4)
    group = f"{name}-group"
    readers = [member(broker, group, [name])]
    seen, committed = set(), {}
    records = [(b"%d" % n, b"%d" % n) for n in range(300)]
    sent = 0
    deadline = time.monotonic() + 60
    while len(seen) < len(records):
        assert time.monotonic() < deadline, f"{len(seen)} of {len(records)} records were read"
        if sent < len(records):
            send(broker, name, records[sent : sent + 50])
            sent += 50
            if len(readers) < 3:
                readers.append(member(broker, group, [name]))
            elif sent > 200:
                readers.pop(0).close()
        for reader in readers:
            for message in reader.consume(100, timeout=0.1):
                if message.error():
                    continue
                seen.add(message.value())
                try:
                    for part in reader.commit(message=message, asynchronous=False):
                        assert part.offset >= committed.get(part.partition, 0) or part.error
                        committed[part.partition] = part.offset
                except KafkaException as error:
                    # The generation moved on: the next owner reads these records again.
                    assert error.args[0].code() in (
                        KafkaError.ILLEGAL_GENERATION, KafkaError.UNKNOWN_MEMBER_ID, KafkaError.REBALANCE_IN_PROGRESS,
                        KafkaError._ASSIGNMENT_LOST, KafkaError._STATE, KafkaError._NO_OFFSET,
                    )
    for reader in readers:
        reader.close()
