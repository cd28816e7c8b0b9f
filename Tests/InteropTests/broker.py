"""A broker process that a test owns: started on a free port with its data in a folder of its own, ended by its pid."""

import json
import os
import pathlib
import random
import signal
import socket
import subprocess
import time

CHECKOUT = pathlib.Path(__file__).resolve().parents[2]
READY_WITHIN = 30.0
STOPPED_WITHIN = 30.0

# Tests are many and short: nobody waits for members that will not come.
ORDINARY = {"group.initial.rebalance.delay.ms": "0"}


def binary():
    """SWIFTWATER_BIN, else the release build, else the debug build."""
    named = os.environ.get("SWIFTWATER_BIN")
    if named:
        return str(pathlib.Path(named).resolve())
    for configuration in ("release", "debug"):
        built = CHECKOUT / ".build" / configuration / "swiftwater"
        if built.exists():
            return str(built)
    raise RuntimeError("there is no swiftwater binary: build one, or set SWIFTWATER_BIN")


def _listening_ports():
    """Ports to listen on, from below those that the kernel gives to outgoing connections: one that was free a moment
    ago would else be some connection's own by the time a broker listens. Each is tried once, from a random one on, so
    that runs beside each other seldom ask for the same; those that are given a share of them, such as 1/2, never do."""
    lowest = int(pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])
    share, of = map(int, os.environ.get("SWIFTWATER_TEST_SHARE", "1/1").split("/"))
    ports = range(10_000, lowest)[share - 1 :: of]
    assert len(ports) > 1_000, f"outgoing connections take ports from {lowest} on; tests listen on those from 10000 up"
    first = random.randrange(len(ports))
    yield from ports[first:]
    yield from ports[:first]


_LISTENING_PORTS = _listening_ports()


def free_port():
    for port in _LISTENING_PORTS:
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise RuntimeError("every port from 10000 up was handed out")


def until(condition, what, within=20.0, every=0.02):
    """Asks until the answer is true and returns it; fails with what was waited for. Errors of `condition` pass."""
    deadline = time.monotonic() + within
    while True:
        answer = condition()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"not within {within} s: {what}"
        time.sleep(every)


class Broker:
    def __init__(self, folder, overrides=None, port=None, command=()):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = port or free_port()
        self.overrides = {
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "log.dirs": str(self.folder / "data"),
            **ORDINARY,
            **(overrides or {}),
        }
        self.command = list(command)
        self.log = self.folder / "broker.log"
        self.process = None
        self.ready_after = None

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self.port}"

    @property
    def pid(self):
        return self.process.pid

    @property
    def data(self):
        return pathlib.Path(self.overrides["log.dirs"])

    def arguments(self):
        found = [*self.command, binary(), "broker"]
        for key, value in self.overrides.items():
            found += ["--override", f"{key}={value}"]
        return found

    def start(self, within=READY_WITHIN):
        assert not self.is_alive(), "the broker runs already"
        seen = self.log.stat().st_size if self.log.exists() else 0
        began = time.monotonic()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.arguments(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        while not self._said_ready(seen):
            if self.process.poll() is not None:
                raise RuntimeError(f"the broker ended with {self.process.returncode} while starting:\n{self.tail()}")
            if time.monotonic() - began > within:
                self.kill()
                raise RuntimeError(f"the broker was not ready within {within} s:\n{self.tail()}")
            time.sleep(0.002)
        self.ready_after = time.monotonic() - began
        return self

    def _said_ready(self, since):
        for line in self.log.read_bytes()[since:].splitlines():
            try:
                said = json.loads(line)
            except ValueError:
                continue
            if isinstance(said, dict) and "ready" in (said.get("message"), said.get("msg")):
                return True
        return False

    def is_alive(self):
        return self.process is not None and self.process.poll() is None

    def stop(self):
        """Asks it to stop, and returns its exit code."""
        if self.process is None:
            return None
        if self.is_alive():
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOPPED_WITHIN)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"the broker did not stop within {STOPPED_WITHIN} s of SIGTERM:\n{self.tail()}")

    def kill(self):
        if self.is_alive():
            self.process.kill()
        if self.process is not None:
            self.process.wait()

    def restart(self):
        assert self.stop() == 0, f"a clean stop ended badly:\n{self.tail()}"
        return self.start()

    def crash(self):
        """SIGKILL, and start again over what is left."""
        self.kill()
        return self.start()

    def resident(self):
        """Resident memory in bytes."""
        for line in pathlib.Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) * 1024
        raise RuntimeError("no VmRSS")

    def cpu_seconds(self):
        fields = pathlib.Path(f"/proc/{self.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def tail(self, lines=40):
        if not self.log.exists():
            return ""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


def run(*arguments, input=None, within=30):
    """One swiftwater command to its end; returns the completed process with text."""
    return subprocess.run([binary(), *map(str, arguments)], input=input, capture_output=True, text=True, timeout=within)
