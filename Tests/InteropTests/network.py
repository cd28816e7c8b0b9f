"""A network of this machine's own, one namespace for each Region, whose links can be cut, slowed down and made to lose
packets, in one direction or in both.

Each namespace has a TUN device, and a process of ours carries the packets between them: what it drops or holds back is
lost or late for the kernels' own TCP, with retransmissions, half-open connections and all. That needs no netem, no
packet filter and no addresses outside the namespaces, and is the same on every kernel that has namespaces and TUN.
"""

import contextlib
import ctypes
import fcntl
import heapq
import itertools
import json
import os
import pathlib
import random
import select
import shutil
import struct
import subprocess
import sys
import time

CLONE_NEWNET = 0x40000000
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454CA, 0x0001, 0x1000
MTU = 1500
# Packets that one link holds back at a time: as with a real router, more are dropped.
LINK_PACKETS_MAX = 20_000
CLIENTS = "clients"
PREFIX = "swiftwater"


class NotAllowed(Exception):
    """This machine or this user cannot make namespaces."""


def _ip(*arguments):
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True)
    if done.returncode != 0:
        raise NotAllowed(f"ip {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _enter(path):
    """Moves the calling thread, and what it starts from now on, into a namespace."""
    handle = os.open(path, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).setns(handle, CLONE_NEWNET) != 0:
            error = ctypes.get_errno()
            raise OSError(error, os.strerror(error), str(path))
    finally:
        os.close(handle)


@contextlib.contextmanager
def _within(path):
    before = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    try:
        _enter(path)
        yield
    finally:
        _enter(f"/proc/self/fd/{before}")
        os.close(before)


class Network:
    """Namespaces for the Regions and one for clients, with every link up, quick and faithful."""

    def __init__(self, regions, seed=0, mtu=MTU):
        self.places = [*dict.fromkeys(regions), CLIENTS]
        self._made, self._switch = [], None
        self._numbers = dict.fromkeys(self.places, 0)
        if not shutil.which("ip"):
            raise NotAllowed("there is no ip command (iproute2)")
        if not os.path.exists("/dev/net/tun"):
            raise NotAllowed("there is no /dev/net/tun")
        self._remove_leftovers()
        handles = []
        try:
            for place in self.places:
                _ip("netns", "add", self.namespace(place))
                self._made.append(place)
                handles.append(self._device(place, mtu))
            self._switch = subprocess.Popen(
                [sys.executable, __file__, str(seed), *map(str, handles)],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, pass_fds=handles,
            )
        except BaseException:
            self.close()
            raise
        finally:
            for handle in handles:
                os.close(handle)

    def namespace(self, place):
        return f"{PREFIX}-{os.getpid()}-{place}"

    def _path(self, place):
        return f"/run/netns/{self.namespace(place)}"

    def _subnet(self, place):
        return f"10.77.{self.places.index(place) + 1}"

    def _device(self, place, mtu):
        space = ("-n", self.namespace(place))
        try:
            with _within(self._path(place)):
                # Nothing but what is asked for shall be on the links.
                with contextlib.suppress(OSError):
                    pathlib.Path("/proc/sys/net/ipv6/conf/all/disable_ipv6").write_text("1")
                    pathlib.Path("/proc/sys/net/ipv6/conf/default/disable_ipv6").write_text("1")
                handle = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
                fcntl.ioctl(handle, TUNSETIFF, struct.pack("16sH22x", b"wan", IFF_TUN | IFF_NO_PI))
        except OSError as error:
            raise NotAllowed(f"a TUN device in a namespace: {error}")
        _ip(*space, "link", "set", "lo", "up")
        _ip(*space, "link", "set", "wan", "mtu", str(mtu), "up")
        _ip(*space, "addr", "add", f"{self._subnet(place)}.1/32", "dev", "wan")
        _ip(*space, "route", "add", "10.77.0.0/16", "dev", "wan")
        return handle

    def _remove_leftovers(self):
        """Of processes that were killed before they could remove their namespaces."""
        for line in _ip("netns", "list").splitlines():
            word = line.split()[0].split("-") if line.split() else []
            if len(word) >= 3 and word[0] == PREFIX and word[1].isdigit() and not os.path.exists(f"/proc/{word[1]}"):
                _ip("netns", "del", line.split()[0])

    def close(self):
        if self._switch:
            self._switch.stdin.close()
            self._switch.stdout.close()
            self._switch.wait(10)
            self._switch = None
        while self._made:
            _ip("netns", "del", self.namespace(self._made.pop()))

    # Who is where

    def address(self, place):
        """A new address in a Region."""
        self._numbers[place] += 1
        number = self._numbers[place]
        if number > 1:
            _ip("-n", self.namespace(place), "addr", "add", f"{self._subnet(place)}.{number}/32", "dev", "wan")
        return f"{self._subnet(place)}.{number}"

    def command(self, place):
        """What to put before a command, for it to run there. The process id stays the same."""
        return ["ip", "netns", "exec", self.namespace(place)]

    def inside(self, place=CLIENTS):
        """With this, sockets and threads that are made belong to a Region: also those of librdkafka."""
        return _within(self._path(place))

    # What happens to links

    def _tell(self, **order):
        self._switch.stdin.write(json.dumps(order) + "\n")
        self._switch.stdin.flush()
        return json.loads(self._switch.stdout.readline())

    def _pairs(self, a, b, both_ways):
        others = lambda place: [b] if b else [other for other in self.places if other != place]
        near = [a] if a else self.places
        pairs = {(x, y) for x in near for y in others(x) if x != y}
        if both_ways:
            pairs |= {(y, x) for x, y in pairs}
        return [(self.places.index(x), self.places.index(y)) for x, y in pairs]

    def link(self, a=None, b=None, both_ways=True, **how):
        """From a to b, None being everybody: `delay` in seconds one way, `loss` from 0 to 1."""
        self._tell(pairs=self._pairs(a, b, both_ways), **how)

    def cut(self, a=None, b=None, both_ways=True):
        self.link(a, b, both_ways, loss=1.0)

    def slow(self, round_trip, a=None, b=None):
        self.link(a, b, delay=round_trip / 2)

    def lose(self, share, a=None, b=None):
        self.link(a, b, loss=share)

    def heal(self):
        self.link(delay=0.0, loss=0.0)

    def carried(self):
        """{(from, to): (packets, bytes)} that arrived."""
        return {(self.places[x], self.places[y]): (n, size) for x, y, n, size in self._tell(pairs=[])}


class Switch:
    """The process between the namespaces. It ends when whoever started it is gone."""

    def __init__(self, seed, handles):
        self.handles, self.chance = handles, random.Random(seed)
        count = len(handles)
        self.delay = [[0.0] * count for _ in handles]
        self.loss = [[0.0] * count for _ in handles]
        self.held = [[0] * count for _ in handles]
        self.packets = [[0] * count for _ in handles]
        self.bytes = [[0] * count for _ in handles]
        self.late, self.order = [], itertools.count()

    def run(self):
        poll = select.poll()
        for handle in self.handles:
            poll.register(handle, select.POLLIN)
        poll.register(0, select.POLLIN)
        place = {handle: index for index, handle in enumerate(self.handles)}
        while True:
            wait = max(0, (self.late[0][0] - time.monotonic()) * 1000) if self.late else None
            for handle, _ in poll.poll(wait):
                if handle == 0:
                    if not self.obey(sys.stdin.readline()):
                        return
                else:
                    self.receive(place[handle], handle)
            self.deliver_late()

    def obey(self, line):
        if not line:
            return False
        order = json.loads(line)
        for x, y in order["pairs"]:
            self.delay[x][y] = order.get("delay", self.delay[x][y])
            self.loss[x][y] = order.get("loss", self.loss[x][y])
        places = range(len(self.handles))
        print(json.dumps([(x, y, self.packets[x][y], self.bytes[x][y]) for x in places for y in places if x != y]), flush=True)
        return True

    def receive(self, x, handle):
        for _ in range(64):
            try:
                packet = os.read(handle, 65536)
            except BlockingIOError:
                return
            # IPv4 within 10.77.0.0/16; the third byte of the destination is the place.
            y = packet[18] - 1 if len(packet) >= 20 and packet[0] >> 4 == 4 else -1
            if not 0 <= y < len(self.handles) or y == x:
                continue
            loss, delay = self.loss[x][y], self.delay[x][y]
            if loss and (loss >= 1 or self.chance.random() < loss):
                continue
            if not delay:
                self.deliver(x, y, packet)
            elif self.held[x][y] < LINK_PACKETS_MAX:
                self.held[x][y] += 1
                heapq.heappush(self.late, (time.monotonic() + delay, next(self.order), x, y, packet))

    def deliver(self, x, y, packet):
        try:
            os.write(self.handles[y], packet)
        except OSError:
            return
        self.packets[x][y] += 1
        self.bytes[x][y] += len(packet)

    def deliver_late(self):
        now = time.monotonic()
        while self.late and self.late[0][0] <= now:
            _, _, x, y, packet = heapq.heappop(self.late)
            self.held[x][y] -= 1
            # A link that was cut meanwhile loses also what was under way.
            if self.loss[x][y] < 1:
                self.deliver(x, y, packet)


if __name__ == "__main__":
    Switch(int(sys.argv[1]), [int(word) for word in sys.argv[2:]]).run()
