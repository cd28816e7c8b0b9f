"""Fields that only some versions have, and that clients act upon."""

import struct

import pytest
from librdkafka import create, send
from wire import API_VERSIONS, FETCH, METADATA, Connection, batch, produce, produced, request, string, unsigned_varint

OFFSET_FOR_LEADER_EPOCH = 23
FENCED_LEADER_EPOCH, UNKNOWN_LEADER_EPOCH, UNKNOWN_TOPIC_ID = 74, 75, 100


class Reader:
    """Reads the parts of an answer one after another."""

    def __init__(self, content):
        self.content, self.at = content, 0

    def take(self, form):
        found = struct.unpack_from(">" + form, self.content, self.at)
        self.at += struct.calcsize(">" + form)
        return found if len(found) > 1 else found[0]

    def varint(self):
        value, shift = 0, 0
        while True:
            byte = self.take("B")
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7

    def text(self):
        length = self.varint() - 1
        self.at += length
        return self.content[self.at - length : self.at].decode()

    def skip_text(self):
        length = self.varint() - 1
        self.at += max(0, length)

    def string(self):
        length = self.take("h")
        self.at += length
        return self.content[self.at - length : self.at].decode()

    def skip_tags(self):
        for _ in range(self.varint()):
            self.varint()
            self.at += self.varint()


@pytest.mark.relies_on(5)
@pytest.mark.parametrize("version", [3, 4])
def test_features_are_told_so_that_older_clients_can_read_them(broker, version):
    name = b"librdkafka"
    body = unsigned_varint(len(name) + 1) + name + unsigned_varint(4) + b"2.0" + b"\0"
    with Connection(broker) as connection:
        answer = Reader(connection.ask(request(API_VERSIONS, version, body, correlation=9, tags=b"\0")))
    # The header of this answer never has tagged fields, whatever the version.
    assert answer.take("ih") == (9, 0)
    for _ in range(answer.varint() - 1):
        answer.take("hhh")
        answer.skip_tags()
    assert answer.take("i") == 0
    for _ in range(answer.varint()):
        tag, size = answer.varint(), answer.varint()
        end = answer.at + size
        if tag in (0, 2):
            for _ in range(answer.varint() - 1):
                feature = answer.text()
                first, second = answer.take("hh")
                answer.skip_tags()
                if tag == 0 and version == 3:
                    assert first > 0, f"{feature} is told with a minimum of 0"
                if tag == 2:
                    assert feature != "transaction.version", "transactions V2 is claimed"
        answer.at = end
    assert answer.at == len(answer.content)


@pytest.mark.relies_on(7)
def test_clients_are_told_the_advertised_address(private):
    broker = private({"advertised.listeners": "PLAINTEXT://records.example.com:12345"})
    with Connection(broker) as connection:
        answer = Reader(connection.ask(request(METADATA, 1, struct.pack(">i", 0))))
    assert answer.take("ii") == (1, 1)
    answer.take("i")
    assert (answer.string(), answer.take("i")) == ("records.example.com", 12345)


def metadata(connection, topic):
    """(topic id, leader epoch) of a topic of one partition, by Metadata v10."""
    name = topic.encode()
    body = b"\2" + bytes(16) + unsigned_varint(len(name) + 1) + name + b"\0" + b"\0\0\0\0"
    answer = Reader(connection.ask(request(METADATA, 10, body, tags=b"\0")))
    answer.take("i")
    answer.skip_tags()
    answer.take("i")
    for _ in range(answer.varint() - 1):
        answer.take("i")
        answer.text()
        answer.take("i")
        answer.skip_text()
        answer.skip_tags()
    answer.skip_text()
    answer.take("i")
    assert answer.varint() - 1 == 1
    assert answer.take("h") == 0 and answer.text() == topic
    identity = bytes(answer.take("16s"))
    answer.take("?")
    assert answer.varint() - 1 == 1
    error, _, _, epoch = answer.take("hiii")
    assert error == 0
    return identity, epoch


def fetch_by_id(connection, identity, epoch=-1, offset=0):
    """The error of the partition and the topic's id in the answer, by Fetch v13."""
    partition = struct.pack(">iiqiqi", 0, epoch, offset, -1, -1, 1 << 20) + b"\0"
    body = struct.pack(">iiiibii", -1, 0, 1, 1 << 20, 0, 0, -1)
    body += b"\2" + identity + b"\2" + partition + b"\0" + b"\1" + b"\1" + b"\0"
    answer = Reader(connection.ask(request(FETCH, 13, body, tags=b"\0")))
    answer.take("i")
    answer.skip_tags()
    _, error, session = answer.take("ihi")
    assert (error, session) == (0, 0)
    assert answer.varint() - 1 == 1
    found = bytes(answer.take("16s"))
    assert answer.varint() - 1 == 1
    return answer.take("ih")[1], found


@pytest.mark.relies_on(18, 41)
def test_topics_are_read_by_their_ids(broker, name):
    send(broker, name, [b"x"])
    with Connection(broker) as connection:
        identity, _ = metadata(connection, name)
        assert identity != bytes(16)
        assert fetch_by_id(connection, identity) == (0, identity)
        assert fetch_by_id(connection, b"\x77" * 16) == (UNKNOWN_TOPIC_ID, b"\x77" * 16)


@pytest.mark.relies_on(39)
def test_a_reader_with_another_leader_epoch_is_told(broker, name):
    create(broker, name)
    with Connection(broker) as connection:
        identity, epoch = metadata(connection, name)
        assert epoch >= 0
        assert fetch_by_id(connection, identity, epoch)[0] == 0
        assert fetch_by_id(connection, identity, epoch + 1)[0] == UNKNOWN_LEADER_EPOCH


@pytest.mark.relies_on(39)
def test_a_reader_of_an_earlier_leader_is_told_of_the_present_one(private, name):
    broker = private()
    create(broker, name)
    broker.crash()
    with Connection(broker) as connection:
        identity, epoch = metadata(connection, name)
        assert epoch == 1, "the leader epoch rises after a crash"
        assert fetch_by_id(connection, identity, epoch - 1)[0] == FENCED_LEADER_EPOCH
        partition = struct.pack(">iiqiqi", 0, epoch - 1, 0, -1, -1, 1 << 20) + b"\0"
        body = struct.pack(">iiibii", 0, 1, 1 << 20, 0, 0, -1)
        body += b"\2" + identity + b"\2" + partition + b"\0" + b"\1" + b"\1" + b"\0"
        answer = Reader(connection.ask(request(FETCH, 16, body, tags=b"\0")))
    answer.take("i")
    answer.skip_tags()
    assert answer.take("ihi")[1:] == (0, 0)
    assert answer.varint() - 1 == 1
    answer.take("16s")
    assert answer.varint() - 1 == 1
    assert answer.take("ihqqq")[:2] == (0, FENCED_LEADER_EPOCH)
    assert answer.varint() <= 1, "there are no aborted transactions"
    answer.take("i")
    assert answer.varint() <= 1, "there are no records"
    # Tag 1 of the partition: the leader and its epoch (KIP-951).
    assert (answer.varint(), answer.varint(), answer.varint()) == (1, 1, 9)
    assert answer.take("ii") == (1, epoch)
    answer.skip_tags()
    answer.skip_tags()
    # Tag 0 of the answer: where that leader is.
    assert (answer.varint(), answer.varint()) == (1, 0)
    answer.varint()
    assert answer.varint() - 1 == 1
    assert answer.take("i") == 1
    assert (answer.text(), answer.take("i")) == ("127.0.0.1", broker.port)


@pytest.mark.relies_on(39)
def test_where_a_leader_epoch_ended_is_known(broker, name):
    create(broker, name)
    with Connection(broker) as connection:
        _, epoch = metadata(connection, name)
        assert produced(connection.ask(produce(name, 0, batch([b"a", b"b"])))) == (0, 0)

        def end_of(asked):
            body = struct.pack(">i", 1) + string(name) + struct.pack(">iiii", 1, 0, -1, asked)
            answer = Reader(connection.ask(request(OFFSET_FOR_LEADER_EPOCH, 2, body)))
            assert answer.take("iii")[2] == 1 and answer.string() == name
            assert answer.take("i") == 1
            return answer.take("hiiq")

        assert end_of(epoch) == (0, 0, epoch, 2)
        assert end_of(epoch + 1) == (0, 0, -1, -1)


@pytest.mark.relies_on(55)
def test_operations_that_were_not_asked_for_are_marked_as_such(broker, name):
    create(broker, name)
    body = struct.pack(">i", 1) + string(name) + b"\0\0\0"
    with Connection(broker) as connection:
        answer = connection.ask(request(METADATA, 8, body))
    assert struct.unpack(">i", answer[-4:]) == (-(2**31),)
    assert struct.unpack(">i", answer[-8:-4]) == (-(2**31),)
