"""Mirrors of sources that offer what Apache Kafka 2.8 did: Fetch asks for topics by their names there."""

import struct
import time

import apache
import pytest
from aged import KAFKA_2_7, KAFKA_2_8, Aged
from broker import until
from confluent_kafka import TopicPartition
from confluent_kafka.admin import NewPartitions
from mirrors import (  # noqa: F401
    admin, await_copy, clients_end_with_their_test, commit, committed, ends, make_again, make_topic, mirror, partition_status,
    read, segments, status, tool, write,
)
from test_standalone_mirror import Mirror, await_end, values
from transactions import again, ahead, transactional
from transactions import write as write_within
from wire import Connection, api_versions

# Asked by controllers of KRaft alone; brokers with ZooKeeper do not offer them to clients.
OF_CONTROLLERS = {52, 53, 54, 55, 58, 59, 62, 63, 64}


@pytest.fixture
def aged(private):
    made = []

    def make(newest):
        def start(address):
            broker = private(start=False)
            broker.overrides["advertised.listeners"] = f"PLAINTEXT://{address}"
            return broker.start()

        made.append(Aged(start, newest))
        return made[-1]

    yield make
    for one in made:
        one.close()


@pytest.fixture(params=["ours", "apache's"])
def fetched_by_names(request, aged, tmp_path):
    """With something of ours behind the door, and with something of Apache's, whichever version that is."""
    if request.param == "ours":
        yield aged(KAFKA_2_8)
    elif apache.obstacle():
        pytest.skip(apache.obstacle())
    else:
        source = Aged(apache.ApacheKafka(tmp_path / "apache").start_behind, KAFKA_2_8)
        yield source
        source.end()
        source.close()


def test_everything_of_a_source_that_fetches_by_names_is_copied(aged, private):
    source, target = aged(KAFKA_2_8), private()
    for codec in ("none", "gzip", "zstd"):
        make_topic(source, f"codec-{codec}", 2)
        for partition in (0, 1):
            write(source, f"codec-{codec}", [f"{codec}-{i}" * 20 for i in range(200)], partition, **{"compression.type": codec})
    make_topic(source, "txn")
    sender = transactional(source, "txn-one")
    for values, end in (([b"kept"] * 3, sender.commit_transaction), ([b"gone"] * 3, sender.abort_transaction)):
        sender.begin_transaction()
        write_within(sender, "txn", values)
        again(end)
    commit(source, "readers", TopicPartition("codec-gzip", 0, 20))
    mirror(source, target)
    for codec in ("none", "gzip", "zstd"):
        for partition in (0, 1):
            await_copy(source, target, f"codec-{codec}", partition)
            assert segments(source, f"codec-{codec}", partition) == segments(target, f"codec-{codec}", partition) != b""
    until(lambda: segments(source, "txn") == segments(target, "txn") != b"", "transactions are copied")
    assert ahead(target, "txn") == ahead(source, "txn") == [b"kept"] * 3
    until(lambda: committed(target, "readers", TopicPartition("codec-gzip", 0)) == [20], "offsets are carried", every=0.2)
    # What comes while it runs, in partitions that come while it runs.
    admin(source).create_partitions([NewPartitions("codec-none", 3)])["codec-none"].result(20)
    until(lambda: ends(target, "codec-none", 2), "the partition is there as well", every=0.2)
    write(source, "codec-none", ["late"] * 50, 2)
    write(source, "codec-zstd", ["late"] * 50, 1)
    await_copy(source, target, "codec-none", 2)
    await_copy(source, target, "codec-zstd", 1)
    assert not status(target)["problems"]


@pytest.mark.timeout(240)
def test_a_topic_that_is_made_again_under_its_old_name_is_never_copied(fetched_by_names, private):
    """While the mirror does not hear that there is another one, with as many records as before and with more, so that every
    offset would fit."""
    source, target = fetched_by_names, private()
    names = [f"again-{n}" for n in range(6)]
    for name in [*names, "stays"]:
        make_topic(source, name)
        write(source, name, ["old"] * 5)
    mirror(source, target)
    for name in [*names, "stays"]:
        await_copy(source, target, name, within=60)
    source.tells_mirrors.clear()
    for place, name in enumerate(names):
        admin(source).delete_topics([name])[name].result(20)
        until(lambda: name not in admin(source).list_topics(timeout=5).topics, "it is gone", every=0.01)
        until(lambda: make_again(source, name), "it is made again", every=0.01)
        write(source, name, ["new"] * (5 + place % 3))
        write(source, name, ["new"] * 3)
    before = source.fetched
    until(lambda: source.fetched > before + 10, "it is asked for", every=0.05)
    for name in names:
        assert [value for _, _, value, _ in read(target, name)] == [b"old"] * 5
    write(source, "stays", ["new"])
    await_copy(source, target, "stays")
    source.tells_mirrors.set()
    for name in names:
        until(lambda: "made again" in (partition_status(target, f"{name}-0")["reason"] or ""), f"{name} halts", every=0.1)
        assert [value for _, _, value, _ in read(target, name)] == [b"old"] * 5
    # Nobody goes on asking for them.
    write(source, "stays", ["newer"])
    await_copy(source, target, "stays")
    before = source.fetched
    time.sleep(3)
    assert source.fetched - before < 30


def test_a_topic_without_an_id_is_left_out_with_its_reason(aged, private):
    source, target = aged(KAFKA_2_7), private()
    make_topic(source, "nameless")
    write(source, "nameless", ["one"])
    mirror(source, target)
    found = until(lambda: status(target)["problems"], "it is said", every=0.1)
    assert [p["topic"] for p in found] == ["nameless"] and "no topic id" in found[0]["problem"]
    assert not status(target)["partitions"]


def test_the_mirror_that_stands_alone_copies_from_there(aged, private, tmp_path):
    source, target = aged(KAFKA_2_7), private()
    make_topic(source, "plain", 2)
    for partition in (0, 1):
        write(source, "plain", [f"{partition}-{i}" for i in range(100)], partition)
    alone = Mirror(source, target, tmp_path / "mirror.log", "--replication-policy", "identity").start()
    try:
        for partition in (0, 1):
            await_end(target, "plain", 100, partition)
            assert values(target, "plain", partition) == [f"{partition}-{i}" for i in range(100)]
    finally:
        alone.crash()


def no_2_8():
    return apache.obstacle() or (None if apache.version()[:2] == (2, 8) else "this is for a distribution of Apache Kafka 2.8")


@pytest.mark.skipif(bool(no_2_8()), reason=no_2_8() or "")
@pytest.mark.timeout(240)
def test_the_door_of_kafka_2_8_offers_what_a_real_one_does(apache_kafka):
    with Connection(apache_kafka) as connection:
        answer = connection.ask(api_versions())
    _, error, count = struct.unpack_from(">ihi", answer)
    offered = {key: newest for key, _, newest in struct.iter_unpack(">hhh", answer[10 : 10 + 6 * count])}
    assert error == 0
    assert offered == {key: newest for key, newest in KAFKA_2_8.items() if key not in OF_CONTROLLERS}
