"""A door to a broker through which it looks like one of an older Apache Kafka: it offers no newer versions of any request than
that one did, and no request that that one did not know; who asks for more is cut off, and it is held against the test.

What lies behind is a broker of today. It answers old versions as it always has; what an old broker does otherwise is not here."""

import contextlib
import socket
import struct
import threading

from broker import free_port

FETCH, METADATA, API_VERSIONS = 1, 3, 18
UNSUPPORTED_VERSION = 35
# The newest version of each request that Apache Kafka 2.8.2 has, as its message definitions say: by key, from 0 on.
KAFKA_2_8 = dict(
    enumerate(
        [9, 12, 6, 11, 5, 3, 7, 3, 8, 7, 3, 7, 4, 4, 5, 5, 4, 1, 3, 7, 6, 2, 4, 4, 3, 3, 3, 1, 3, 2, 2, 2, 4, 2, 2, 2, 2, 3]
        + [2, 2, 2, 2, 2, 2, 1, 0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]
    )
)
# Topics have no ids before 2.8: Metadata v10 is the first that tells them.
KAFKA_2_7 = {**KAFKA_2_8, 3: 9}


def frame(connection):
    """The next one without its length; nothing at the end."""
    with contextlib.suppress(OSError):
        head = connection.recv(4, socket.MSG_WAITALL)
        if len(head) == 4:
            size = struct.unpack(">i", head)[0]
            body = connection.recv(size, socket.MSG_WAITALL)
            return body if len(body) == size else None
    return None


def send(connection, body):
    with contextlib.suppress(OSError):
        connection.sendall(struct.pack(">i", len(body)) + body)


class Aged:
    """What a broker is called by those who are to take it for an old one. Otherwise it is that broker."""

    def __init__(self, make, newest):
        """`make` gets the address to advertise, and gives a broker that runs."""
        self._newest, self.overstepped, self._open = newest, [], set()
        self._lock = threading.Lock()
        # While it is not set, mirrors do not hear which topics there are.
        self.tells_mirrors = threading.Event()
        self.tells_mirrors.set()
        # How many Fetches came so far.
        self.fetched = 0
        self._port = free_port()
        self._door = socket.create_server(("127.0.0.1", self._port))
        self.bootstrap = f"127.0.0.1:{self._port}"
        threading.Thread(target=self._serve, daemon=True).start()
        self.behind = None
        self.behind = make(self.bootstrap)

    def __getattr__(self, name):
        return getattr(self.behind, name)

    def close(self):
        self._door.close()
        with self._lock:
            for connection in self._open:
                connection.close()
        assert not self.overstepped, f"asked for what the source does not have: {self.overstepped}"

    def _serve(self):
        with contextlib.suppress(OSError):
            while True:
                client = self._door.accept()[0]
                threading.Thread(target=self._pass_on, args=(client,), daemon=True).start()

    def _pass_on(self, client):
        try:
            server = socket.create_connection(("127.0.0.1", self.behind.port))
        except (OSError, AttributeError):
            return client.close()
        with self._lock:
            self._open |= {client, server}
        asked = {}
        threading.Thread(target=self._answers, args=(server, client, asked), daemon=True).start()
        while (body := frame(client)) is not None:
            key, version, number = struct.unpack_from(">hhi", body)
            if key == API_VERSIONS and version > self._newest[key]:
                send(client, struct.pack(">ihihhh", number, UNSUPPORTED_VERSION, 1, key, 0, self._newest[key]))
                continue
            if version > self._newest.get(key, -1):
                self.overstepped.append((key, version))
                break
            if key == API_VERSIONS:
                asked[number] = version
            self.fetched += key == FETCH
            if key == METADATA and self._is_look_of_mirror(body):
                self.tells_mirrors.wait(30)
            send(server, body)
        self._end(client, server)

    @staticmethod
    def _is_look_of_mirror(body):
        """Whether it asks for all topics: with no list of them behind a header of the second kind."""
        (length,) = struct.unpack_from(">h", body, 8)
        return body[10 : 10 + max(length, 0)].startswith(b"mirror-") and body[10 + max(length, 0) + 1] == 0

    def _answers(self, server, client, asked):
        while (body := frame(server)) is not None:
            number = struct.unpack_from(">i", body)[0]
            version = asked.pop(number, None)
            send(client, body if version is None else self._aged(body, version))
        self._end(client, server)

    def _end(self, *connections):
        for connection in connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        with self._lock:
            self._open -= set(connections)

    def _aged(self, body, version):
        """What the broker offers, less what an older one did not have."""
        number, error = struct.unpack_from(">ih", body)
        offered, place = [], 6
        if version < 3:
            count, place = struct.unpack_from(">i", body, place)[0], place + 4
        else:
            count, shift = 0, 0
            while True:
                byte, place = body[place], place + 1
                count |= (byte & 0x7F) << shift
                shift += 7
                if byte < 0x80:
                    break
            count -= 1
        for _ in range(count):
            offered.append(struct.unpack_from(">hhh", body, place))
            place += 6 if version < 3 else 7
        kept = [(key, low, min(high, self._newest[key])) for key, low, high in offered if low <= self._newest.get(key, -1)]
        answer = struct.pack(">ih", number, error)
        if version < 3:
            answer += struct.pack(">i", len(kept)) + b"".join(struct.pack(">hhh", *one) for one in kept)
            return answer + (struct.pack(">i", 0) if version > 0 else b"")
        assert len(kept) < 127, "the count would take two bytes"
        return answer + bytes([len(kept) + 1]) + b"".join(struct.pack(">hhhB", *one, 0) for one in kept) + bytes(5)
