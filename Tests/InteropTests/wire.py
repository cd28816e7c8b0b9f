"""Requests written by hand, for what no client would send."""

import contextlib
import socket
import struct
import time

import crc32c

PRODUCE, FETCH, LIST_OFFSETS, METADATA, API_VERSIONS, INIT_PRODUCER_ID = 0, 1, 2, 3, 18, 22


def string(text):
    if text is None:
        return struct.pack(">h", -1)
    text = text.encode() if isinstance(text, str) else text
    return struct.pack(">h", len(text)) + text


def varint(value):
    """Zigzag, as records use it."""
    value = (value << 1) ^ (value >> 63)
    value &= (1 << 64) - 1
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def unsigned_varint(value):
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    found.append(value)
    return bytes(found)


def request(key, version, body=b"", correlation=1, tags=None):
    """A frame. `tags` are the bytes of the header's tagged fields in a flexible version, None in the others."""
    content = struct.pack(">hhi", key, version, correlation) + string("by-hand") + (tags if tags is not None else b"") + body
    return struct.pack(">i", len(content)) + content


def record(value, delta=0, key=None):
    body = b"\x00" + varint(0) + varint(delta)
    body += varint(-1) if key is None else varint(len(key)) + key
    body += varint(-1) if value is None else varint(len(value)) + value
    body += varint(0)
    return varint(len(body)) + body


def batch(values, producer=-1, epoch=-1, sequence=-1, attributes=0, magic=2, count=None, last_delta=None, records=None,
          crc=None, stamp=1000, length=None):
    """A record batch v2. Every argument after `values` is there to be wrong."""
    if records is None:
        records = b"".join(record(value, delta) for delta, value in enumerate(values))
    count = len(values) if count is None else count
    last_delta = len(values) - 1 if last_delta is None else last_delta
    covered = struct.pack(">hiqqqhii", attributes, last_delta, stamp, stamp, producer, epoch, sequence, count) + records
    crc = crc32c.crc32c(covered) if crc is None else crc
    length = len(covered) + 9 if length is None else length
    return struct.pack(">qiibI", 0, length, -1, magic, crc) + covered


def produce(topic, partition, records, acks=-1, version=7, correlation=1):
    body = string(None) + struct.pack(">hi", acks, 10000)
    body += struct.pack(">i", 1) + string(topic) + struct.pack(">i", 1)
    body += struct.pack(">i", partition)
    body += struct.pack(">i", -1) if records is None else struct.pack(">i", len(records)) + records
    return request(PRODUCE, version, body, correlation)


def produced(answer):
    """(error, base offset) of the only partition of a Produce v5 to v7 answer."""
    name_length = struct.unpack_from(">h", answer, 8)[0]
    return struct.unpack_from(">hq", answer, 8 + 2 + name_length + 4 + 4)


def fetch(topic, partition, offset, wait=0, minimum=1, version=4, correlation=1, limit=1 << 20):
    body = struct.pack(">iiiib", -1, wait, minimum, limit, 0)
    body += struct.pack(">i", 1) + string(topic) + struct.pack(">i", 1) + struct.pack(">iqi", partition, offset, limit)
    return request(FETCH, version, body, correlation)


def fetched(answer):
    """(error, high watermark, records) of the only partition of a Fetch v4 answer."""
    at = 4 + 4 + 4
    at += 2 + struct.unpack_from(">h", answer, at)[0] + 4
    _, error, high, _ = struct.unpack_from(">ihqq", answer, at)
    at += 22
    aborted = struct.unpack_from(">i", answer, at)[0]
    at += 4 + max(0, aborted) * 16
    size = struct.unpack_from(">i", answer, at)[0]
    return error, high, answer[at + 4 : at + 4 + max(0, size)]


class Connection:
    def __init__(self, broker, within=15):
        self.socket = socket.create_connection(("127.0.0.1", broker.port), timeout=within)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, content):
        self.socket.sendall(content)

    def _exactly(self, count):
        found = bytearray()
        while len(found) < count:
            more = self.socket.recv(count - len(found))
            if not more:
                raise ConnectionResetError("the broker closed the connection")
            found += more
        return bytes(found)

    def answer(self):
        """The next answer without its length: the correlation id first."""
        return self._exactly(struct.unpack(">i", self._exactly(4))[0])

    def ask(self, content):
        self.send(content)
        return self.answer()

    def is_closed(self, within=10):
        """Whether the broker closes without having answered."""
        self.socket.settimeout(within)
        try:
            return self.socket.recv(1) == b""
        except (ConnectionResetError, BrokenPipeError):
            return True
        except TimeoutError:
            return False


def api_versions(version=0, correlation=1):
    return request(API_VERSIONS, version, correlation=correlation)


@contextlib.contextmanager
def bystander(broker):
    """Another connection, which must still be answered afterwards, and soon."""
    with Connection(broker) as other:
        other.ask(api_versions())
        yield
        began = time.monotonic()
        other.ask(api_versions())
        assert time.monotonic() - began < 5, "the other connection had to wait"
