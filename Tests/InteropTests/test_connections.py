"""What clients rely on silently: order on a connection, sequence numbers, waiting; asked for with bytes."""

import struct
import time

import pytest
from librdkafka import create, read, send, values
from wire import (
    INIT_PRODUCER_ID, METADATA, Connection, api_versions, batch, bystander, fetch, fetched, produce, produced, request,
    string,
)

JOIN_GROUP, OFFSET_COMMIT, HEARTBEAT = 11, 8, 12
NOT_LEADER, OUT_OF_ORDER, INVALID_EPOCH, MEMBER_ID_REQUIRED, UNKNOWN_MEMBER = 6, 45, 47, 79, 25


def correlation(answer):
    return struct.unpack_from(">i", answer)[0]


def new_producer(connection):
    """(producer id, epoch) without a transactional id."""
    answer = connection.ask(request(INIT_PRODUCER_ID, 0, string(None) + struct.pack(">i", 60000)))
    _, _, error, producer, epoch = struct.unpack_from(">iihqh", answer)
    assert error == 0
    return producer, epoch


@pytest.mark.relies_on(1)
def test_pipelined_requests_of_all_kinds_are_answered_in_order(broker, name):
    create(broker, name)
    with Connection(broker) as connection:
        frames = []
        for n in range(300):
            kinds = [
                api_versions(correlation=n),
                produce(name, 0, batch([b"%d" % n]), correlation=n),
                fetch(name, 0, 0, correlation=n),
                request(METADATA, 1, struct.pack(">i", 0), correlation=n),
            ]
            frames.append(kinds[n % 4])
        connection.send(b"".join(frames))
        assert [correlation(connection.answer()) for _ in range(300)] == list(range(300))
    assert values(read(broker, name, 75)) == [b"%d" % n for n in range(1, 300, 4)]


@pytest.mark.relies_on(1, 34)
def test_what_stands_behind_a_waiting_fetch_is_answered_after_it(broker, name):
    create(broker, name)
    with Connection(broker) as connection:
        connection.send(fetch(name, 0, 0, wait=700, correlation=1) + api_versions(correlation=2))
        began = time.monotonic()
        first = connection.answer()
        assert correlation(first) == 1 and fetched(first) == (0, 0, b"")
        assert 0.6 <= time.monotonic() - began < 5
        assert correlation(connection.answer()) == 2


@pytest.mark.relies_on(34, 38)
def test_a_waiting_fetch_is_answered_by_the_first_record(broker, name):
    create(broker, name)
    with Connection(broker) as connection:
        connection.send(fetch(name, 0, 0, wait=30000))
        with bystander(broker):
            send(broker, name, [b"x"])
        error, high, records = fetched(connection.answer())
        assert (error, high) == (0, 1) and b"x" in records


@pytest.mark.relies_on(34)
def test_a_fetch_with_an_error_does_not_wait(broker, name):
    create(broker, name)
    with Connection(broker) as connection:
        began = time.monotonic()
        assert fetched(connection.ask(fetch(name, 0, 99, wait=20000)))[0] == 1
        assert time.monotonic() - began < 5


def test_a_client_that_leaves_while_it_waits_is_forgotten(broker, name):
    create(broker, name)
    for _ in range(20):
        with Connection(broker) as connection:
            connection.send(fetch(name, 0, 0, wait=30000))
    send(broker, name, [b"x"])
    assert values(read(broker, name, 1)) == [b"x"]


@pytest.mark.relies_on(23)
def test_without_acknowledgement_there_is_no_answer(broker, name):
    create(broker, name)
    with Connection(broker) as connection:
        connection.send(produce(name, 0, batch([b"silent"]), acks=0, correlation=1) + api_versions(correlation=2))
        assert correlation(connection.answer()) == 2
    assert values(read(broker, name, 1)) == [b"silent"]


@pytest.mark.relies_on(23)
def test_without_acknowledgement_an_error_closes_the_connection(broker, name):
    create(broker, name)
    with Connection(broker) as connection:
        connection.send(produce(name, 7, batch([b"x"]), acks=0))
        assert connection.is_closed()


@pytest.mark.relies_on(35, 36)
def test_whole_batches_come_back_from_the_one_that_holds_the_offset(broker, name):
    create(broker, name)
    with Connection(broker) as connection:
        assert produced(connection.ask(produce(name, 0, batch([b"a", b"b", b"c"])))) == (0, 0)
        assert produced(connection.ask(produce(name, 0, batch([b"d"])))) == (0, 3)
        error, high, records = fetched(connection.ask(fetch(name, 0, 1, limit=1)))
        assert (error, high) == (0, 4)
        base, length = struct.unpack_from(">qi", records)
        assert base == 0 and len(records) >= length + 12
        # What the checksum covers is stored as it was sent.
        assert records[21 : length + 12] == batch([b"a", b"b", b"c"])[21:]


@pytest.mark.relies_on(27)
def test_the_last_five_batches_may_be_repeated_and_keep_their_offsets(broker, name):
    create(broker, name)
    with Connection(broker) as connection:
        producer, epoch = new_producer(connection)

        def offer(sequence):
            content = batch([b"%d" % sequence], producer=producer, epoch=epoch, sequence=sequence)
            return produced(connection.ask(produce(name, 0, content)))

        for sequence in range(7):
            assert offer(sequence) == (0, sequence)
        for sequence in range(2, 7):
            assert offer(sequence) == (0, sequence)
        assert offer(1)[0] == OUT_OF_ORDER
        # What is missing may be on its way: it takes some more tries to be told.
        assert [offer(8)[0] for _ in range(11)] == [NOT_LEADER] * 10 + [OUT_OF_ORDER]
        assert offer(7) == (0, 7)


@pytest.mark.relies_on(27, 28, 29)
def test_sequence_numbers_survive_a_crash(private, name):
    broker = private()
    create(broker, name)
    with Connection(broker) as connection:
        producer, epoch = new_producer(connection)
        content = batch([b"once"], producer=producer, epoch=epoch, sequence=0)
        assert produced(connection.ask(produce(name, 0, content))) == (0, 0)
    broker.crash()
    with Connection(broker) as connection:
        assert produced(connection.ask(produce(name, 0, content))) == (0, 0)
        skipped = batch([b"gap"], producer=producer, epoch=epoch, sequence=5)
        assert produced(connection.ask(produce(name, 0, skipped)))[0] == NOT_LEADER
        assert new_producer(connection)[0] != producer, "a producer id was given out twice"
    assert values(read(broker, name, 1)) == [b"once"]


@pytest.mark.relies_on(28)
def test_an_older_epoch_is_refused_and_a_newer_one_starts_at_zero(broker, name):
    create(broker, name)
    with Connection(broker) as connection:
        producer, _ = new_producer(connection)

        def offer(epoch, sequence):
            content = batch([b"x"], producer=producer, epoch=epoch, sequence=sequence)
            return produced(connection.ask(produce(name, 0, content)))[0]

        assert offer(1, 0) == 0
        assert offer(0, 1) == INVALID_EPOCH
        assert offer(2, 5) == NOT_LEADER
        assert offer(2, 0) == 0


@pytest.mark.relies_on(44)
def test_a_member_is_given_its_id_before_it_joins(broker, name):
    def join(member):
        body = string(f"{name}-group") + struct.pack(">ii", 10000, 10000) + string(member) + string("consumer")
        return request(JOIN_GROUP, 4, body + struct.pack(">i", 1) + string("range") + struct.pack(">i", 0))

    with Connection(broker) as connection:
        answer = connection.ask(join(""))
        _, _, error, generation = struct.unpack_from(">iihi", answer)
        assert (error, generation) == (MEMBER_ID_REQUIRED, -1)
        at = 14
        for _ in range(2):
            at += 2 + max(0, struct.unpack_from(">h", answer, at)[0])
        length = struct.unpack_from(">h", answer, at)[0]
        member = answer[at + 2 : at + 2 + length].decode()
        assert member
        _, _, error, generation = struct.unpack_from(">iihi", connection.ask(join(member)))
        assert (error, generation) == (0, 1)
        assert struct.unpack_from(">iih", connection.ask(join("never-given-out")))[2] == UNKNOWN_MEMBER


@pytest.mark.relies_on(6)
def test_a_connection_that_says_nothing_is_closed_after_its_time(private):
    broker = private({"connections.max.idle.ms": "1000"})
    with Connection(broker) as connection:
        connection.ask(api_versions())
        assert connection.is_closed(within=20)
