"""Bytes that no client sends: the connection may be lost, the broker and everybody else must not notice."""

import os
import random
import struct

import pytest
from librdkafka import create, read, send, values
from wire import (
    API_VERSIONS, METADATA, PRODUCE, Connection, api_versions, batch, bystander, fetch, fetched, produce, produced,
    record, request, string, unsigned_varint,
)

CORRUPT_MESSAGE, UNKNOWN_TOPIC, INVALID_TOPIC, INVALID_REQUIRED_ACKS, UNSUPPORTED_VERSION, INVALID_RECORD = 2, 3, 17, 21, 35, 87
MEBIBYTE = 1 << 20


@pytest.mark.relies_on(2)
@pytest.mark.parametrize("length", [-1, 0, 1, 7, 104857601, 2**31 - 1, -(2**31)])
def test_a_frame_of_impossible_length_closes_the_connection(broker, length):
    with bystander(broker), Connection(broker) as connection:
        connection.send(struct.pack(">i", length) + b"\0" * max(0, min(length, 7)))
        assert connection.is_closed()


@pytest.mark.relies_on(2)
def test_half_a_frame_and_silence_holds_nobody_up(broker):
    with bystander(broker), Connection(broker) as connection:
        connection.send(struct.pack(">i", 1000) + b"\0" * 10)
        with bystander(broker):
            pass
        connection.send(b"\0" * 990)
        # Key 0, version 0: Produce v0 is not spoken any more.
        assert connection.is_closed()


def test_a_frame_that_comes_byte_by_byte_is_answered(broker):
    with Connection(broker) as connection:
        for byte in api_versions(correlation=77):
            connection.send(bytes([byte]))
        assert struct.unpack_from(">i", connection.answer())[0] == 77


def test_many_promises_of_large_frames_take_no_memory(private):
    broker = private()
    before = broker.resident()
    connections = [Connection(broker) for _ in range(50)]
    for connection in connections:
        connection.send(struct.pack(">i", 100_000_000) + b"\0" * 1000)
    with bystander(broker):
        grown = broker.resident() - before
    assert grown < 64 * MEBIBYTE, f"{grown} bytes for frames that never came"
    for connection in connections:
        connection.socket.close()


@pytest.mark.relies_on(2)
@pytest.mark.parametrize("key, version", [(PRODUCE, 0), (PRODUCE, 2), (METADATA, 99), (METADATA, -1), (999, 0), (-1, 0), (4, 0)])
def test_what_is_not_spoken_closes_the_connection(broker, key, version):
    with bystander(broker), Connection(broker) as connection:
        connection.send(request(key, version, b"\0" * 40))
        assert connection.is_closed()


@pytest.mark.relies_on(3)
def test_a_too_new_question_for_versions_is_answered_in_the_oldest_form(broker):
    with Connection(broker) as connection:
        answer = connection.ask(request(API_VERSIONS, 99, b"whatever", correlation=5, tags=b"\0"))
        correlation, error, count = struct.unpack_from(">ihi", answer)
        assert (correlation, error) == (5, UNSUPPORTED_VERSION)
        ranges = {key: (low, high) for key, low, high in struct.iter_unpack(">hhh", answer[10 : 10 + 6 * count])}
        assert ranges[API_VERSIONS][0] == 0 and ranges[API_VERSIONS][1] >= 3
        # The connection goes on: this is how clients find a version to speak.
        assert struct.unpack_from(">ih", connection.ask(api_versions(correlation=6))) == (6, 0)


@pytest.mark.relies_on(3)
def test_a_client_software_name_that_cannot_be_is_refused(broker):
    def compact(text):
        return unsigned_varint(len(text) + 1) + text.encode()

    with Connection(broker) as connection:
        body = compact("-bad name-") + compact("1.0") + b"\0"
        assert struct.unpack_from(">ih", connection.ask(request(API_VERSIONS, 3, body, tags=b"\0"))) == (1, 42)


@pytest.mark.relies_on(4)
def test_the_versions_that_old_clients_look_for_are_advertised(broker):
    with Connection(broker) as connection:
        answer = connection.ask(api_versions())
    count = struct.unpack_from(">i", answer, 6)[0]
    ranges = {key: (low, high) for key, low, high in struct.iter_unpack(">hhh", answer[10 : 10 + 6 * count])}
    for key, lowest, highest in [(0, 0, 7), (1, 4, 11), (2, 1, 2), (3, 0, 4), (8, 2, 7), (9, 1, 7), (10, 0, 2),
                                 (11, 0, 5), (12, 0, 3), (13, 0, 1), (14, 0, 3), (18, 0, 3), (22, 0, 4)]:
        low, high = ranges[key]
        assert low <= lowest and high >= highest, f"key {key} is advertised as {low} to {high}"
    # A key that is advertised is used: what does not work yet must not be there.
    assert not {4, 5, 6, 7, 71, 72} & set(ranges)


@pytest.mark.parametrize("place", ["header", "body"])
def test_twenty_million_tagged_fields_are_refused_before_any_is_made_room_for(broker, place):
    before = broker.resident()
    many = unsigned_varint(20_000_000)
    with bystander(broker), Connection(broker) as connection:
        if place == "header":
            connection.send(request(METADATA, 9, b"\1\0\0\0\0", tags=many))
        else:
            connection.send(request(METADATA, 9, b"\1\0\0\0" + many, tags=b"\0"))
        assert connection.is_closed()
    assert broker.resident() - before < 32 * MEBIBYTE


@pytest.mark.parametrize("count", [2**31 - 1, 500_000_000, -2])
def test_counts_that_the_frame_cannot_hold_are_refused(broker, count):
    before = broker.resident()
    with bystander(broker), Connection(broker) as connection:
        connection.send(request(METADATA, 1, struct.pack(">i", count)))
        assert connection.is_closed()
    assert broker.resident() - before < 32 * MEBIBYTE


def test_missing_bytes_close_the_connection(broker):
    whole = struct.pack(">i", 1) + string("topic-that-is-not-made")
    for body in (whole[:-3], struct.pack(">i", 3) + string("a")):
        with Connection(broker) as connection:
            connection.send(request(METADATA, 1, body))
            assert connection.is_closed()


def test_bytes_left_over_are_passed_over_as_in_kafka(broker):
    # librdkafka leaves three bytes of an empty array behind when it asks for all topics.
    with Connection(broker) as connection:
        connection.ask(request(METADATA, 1, struct.pack(">i", 0) + b"\0\0\0"))


def wrong_batches():
    good = batch([b"a", b"b"])
    yield "wrong checksum", batch([b"a"], crc=1)
    yield "magic 1", batch([b"a"], magic=1)
    yield "magic 3", batch([b"a"], magic=3)
    yield "more records than said", batch([b"a", b"b"], count=1, last_delta=0)
    yield "fewer records than said", batch([b"a"], count=2, last_delta=1)
    yield "a count that contradicts the last delta", batch([b"a", b"b"], last_delta=5)
    yield "a negative count", batch([b"a"], count=-1)
    yield "no records", batch([], records=b"", count=0, last_delta=-1)
    yield "a huge count", batch([b"a"], count=2**31 - 1, last_delta=2**31 - 2)
    yield "garbage as records", batch([b"a"], records=b"\xff" * 30)
    yield "a record longer than the batch", batch([b"a"], records=b"\xfe\xff\x03" + b"\0" * 10)
    yield "offsets out of order", batch([b"a", b"b"], records=record(b"a", 1) + record(b"b", 0))
    yield "cut off", good[:-5]
    yield "half a header", good[:30]
    yield "a length beyond the end", batch([b"a"], length=10_000)
    yield "a negative length", batch([b"a"], length=-1)
    yield "two batches", good + good
    yield "bytes after the batch", good + b"\0" * 7
    yield "a control batch", batch([b"a"], attributes=0x20)
    yield "a codec that does not exist", batch([b"a"], attributes=7)
    yield "gzip that is none", batch([b"a"], attributes=1, records=b"not gzip at all")
    yield "zstd that is none", batch([b"a"], attributes=4, records=b"not zstd at all")
    yield "nothing", b""


@pytest.mark.relies_on(20, 36)
@pytest.mark.parametrize("content", [c for _, c in wrong_batches()], ids=[n.replace(" ", "-") for n, _ in wrong_batches()])
def test_a_wrong_batch_is_refused_and_nothing_of_it_is_stored(broker, name, content):
    create(broker, name)
    with Connection(broker) as connection:
        error, offset = produced(connection.ask(produce(name, 0, content)))
        assert error in (CORRUPT_MESSAGE, INVALID_RECORD, 76) and offset == -1
        assert produced(connection.ask(produce(name, 0, batch([b"good"])))) == (0, 0)
    assert values(read(broker, name, 1)) == [b"good"]


@pytest.mark.relies_on(26)
@pytest.mark.parametrize("topic", ["never-made-by-anyone", "with/slash", "../../escape", "..", "", "x" * 300, "nul\0"])
def test_producing_to_a_topic_that_is_not_there_makes_nothing(broker, topic):
    before = sorted(os.listdir(broker.data))
    with bystander(broker), Connection(broker) as connection:
        error, _ = produced(connection.ask(produce(topic, 0, batch([b"x"]))))
        assert error in (UNKNOWN_TOPIC, INVALID_TOPIC)
    assert sorted(os.listdir(broker.data)) == before


@pytest.mark.relies_on(14)
@pytest.mark.parametrize("topic", ["with/slash", "../../escape", "..", ".", "", "x" * 250, "nul\0", "smörgås"])
def test_asking_for_a_name_that_no_topic_can_have_makes_nothing(broker, topic):
    before = sorted(os.listdir(broker.data))
    body = struct.pack(">i", 1) + string(topic) + b"\1"
    with Connection(broker) as connection:
        answer = connection.ask(request(METADATA, 4, body))
    assert struct.pack(">h", INVALID_TOPIC) + string(topic) in answer
    assert sorted(os.listdir(broker.data)) == before


@pytest.mark.parametrize("partition", [-1, 1, 2**31 - 1, -(2**31)])
def test_a_partition_that_is_not_there(broker, name, partition):
    create(broker, name)
    with Connection(broker) as connection:
        assert produced(connection.ask(produce(name, partition, batch([b"x"]))))[0] == UNKNOWN_TOPIC
        assert fetched(connection.ask(fetch(name, partition, 0)))[0] == UNKNOWN_TOPIC


@pytest.mark.relies_on(22)
@pytest.mark.parametrize("acks", [2, -2, 32767])
def test_acknowledgements_that_do_not_exist(broker, name, acks):
    create(broker, name)
    with Connection(broker) as connection:
        assert produced(connection.ask(produce(name, 0, batch([b"x"]), acks=acks)))[0] == INVALID_REQUIRED_ACKS


@pytest.mark.relies_on(37)
@pytest.mark.parametrize("offset", [-5, 1, 2**63 - 1])
def test_offsets_that_do_not_exist(broker, name, offset):
    create(broker, name)
    with Connection(broker) as connection:
        assert fetched(connection.ask(fetch(name, 0, offset)))[0] == 1


def test_noise_closes_connections_and_nothing_else(broker, name):
    """A thousand requests whose headers are right and whose bodies are drawn by lot."""
    send(broker, name, [b"before"])
    chance = random.Random(20240607)
    before = broker.resident()
    connection = Connection(broker)
    for _ in range(1000):
        body = chance.randbytes(chance.randrange(200))
        tags = b"\0" if chance.random() < 0.5 else None
        try:
            connection.send(request(chance.randrange(93), chance.randrange(14), body, tags=tags))
            connection.socket.setblocking(False)
            try:
                if connection.socket.recv(65536) == b"":
                    raise ConnectionResetError
            except BlockingIOError:
                pass
            connection.socket.setblocking(True)
        except (ConnectionError, BrokenPipeError):
            connection.socket.close()
            connection = Connection(broker)
    connection.socket.close()
    with bystander(broker):
        pass
    assert broker.resident() - before < 128 * MEBIBYTE
    assert values(read(broker, name, 1)) == [b"before"]
