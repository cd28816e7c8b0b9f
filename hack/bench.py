"""The measurements of hack/bench, which builds what they need and starts this."""

import argparse
import contextlib
import datetime
import os
import pathlib
import platform
import re
import resource
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

CHECKOUT = pathlib.Path(__file__).resolve().parents[1]
sys.path.insert(0, str(CHECKOUT / "Tests" / "InteropTests"))

from broker import Broker, binary, until  # noqa: E402
from confluent_kafka.admin import AdminClient, NewTopic  # noqa: E402
from librdkafka import create  # noqa: E402
from wire import Connection, api_versions, batch, produce, produced  # noqa: E402

BROKER_CORE, CLIENT_CORE = "0", "1"
MEBIBYTE = 1 << 20

# What each figure should be: (text, function of the figure that says whether it is reached).
GOALS = {
    "for comparison: writing 1 MB blocks to a new file": ("none", lambda row: True),
    "produce 1 KB, batches of 1 MB, acks=all, 10 partitions": ("CPU ≤ 0.9 s/GB", lambda row: row["cpu"] <= 0.9),
    "produce 100 B, batches of 8 KB, acks=1": ("CPU ≤ 3 s/GB", lambda row: row["cpu"] <= 3),
    "consume 1 KB from the page cache": ("CPU ≤ 0.4 s/GB", lambda row: row["cpu"] <= 0.4),
    "exec to first acknowledged record": ("≤ 100 ms", lambda row: row["value"] <= 100),
    "memory, idle": ("≤ 24 MB", lambda row: row["value"] * 1.048576 <= 24),
    "memory of 1,000 idle connections": ("≤ 20 MB", lambda row: row["value"] * 1.048576 <= 20),
    "creating 10,000 partitions": ("none", lambda row: True),
    "memory with 10,000 partitions": ("≤ 150 MB", lambda row: row["value"] * 1.048576 <= 150),
    "clean restart with 10,000 partitions": ("≤ 2 s", lambda row: row["value"] <= 2),
}


class Bench:
    def __init__(self, options):
        self.tool, self.only = options.tool, options.only
        self.scale = 10 if options.small else 1
        self.rows = []
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="swiftwater-bench."))

    def wanted(self, name):
        return not self.only or self.only in name

    @contextlib.contextmanager
    def broker(self, name, **overrides):
        overrides = {key.replace("_", "."): str(value) for key, value in overrides.items()}
        broker = Broker(self.folder / name, overrides, command=["taskset", "-c", BROKER_CORE])
        broker.start()
        try:
            yield broker
        finally:
            broker.kill()
            shutil.rmtree(broker.folder, ignore_errors=True)

    def add(self, name, figure, **numbers):
        goal, reached = GOALS[name]
        verdict = "" if goal == "none" else "not at this scale" if self.scale > 1 else "reached" if reached(numbers) else "missed"
        self.rows.append((name, figure, goal, verdict))
        print(f"  {name}: {figure} (goal {goal}: {verdict})", flush=True)

    def perform(self, broker, *arguments):
        """One run of rdkafka_performance: (records, bytes, milliseconds, the broker's CPU seconds)."""
        command = ["taskset", "-c", CLIENT_CORE, self.tool, "-b", broker.bootstrap, "-q", *arguments]
        before = broker.cpu_seconds()
        done = subprocess.run(command, capture_output=True, text=True, timeout=600)
        spent = broker.cpu_seconds() - before
        text = done.stdout + done.stderr
        found = re.findall(
            r"% (\d+) messages (?:produced )?\((\d+) bytes\)(?:, (\d+) delivered \(offset \d+, (\d+) failed\) in| consumed in) (\d+)ms",
            text,
        )
        if done.returncode != 0 or not found:
            raise RuntimeError(f"{' '.join(command)} ended with {done.returncode}:\n{text[-2000:]}")
        records, size, delivered, failed, milliseconds = found[-1]
        if delivered and (delivered != records or failed != "0"):
            raise RuntimeError(f"{failed} of {records} records failed, {delivered} were delivered")
        return int(records), int(size), max(1, int(milliseconds)), spent

    def rated(self, name, broker, *arguments):
        records, size, milliseconds, spent = self.perform(broker, *arguments)
        rate, megabytes, cpu = records * 1000 / milliseconds, size / 1000 / milliseconds, spent / (size / 1e9)
        figure = f"{rate:,.0f} records/s, {megabytes:,.0f} MB/s, broker CPU {cpu:.2f} s/GB"
        self.add(name, figure, rate=rate, megabytes=megabytes, cpu=cpu)

    def throughput(self):
        produce_large = "produce 1 KB, batches of 1 MB, acks=all, 10 partitions"
        consume = "consume 1 KB from the page cache"
        produce_small = "produce 100 B, batches of 8 KB, acks=1"
        self.warm()
        if self.wanted(produce_large) or self.wanted(consume):
            records = 2_000_000 // self.scale
            with self.broker("large") as broker:
                create(broker, "bench", partitions=10, max_message_bytes=2_000_000)
                self.rated(
                    produce_large, broker, "-P", "-t", "bench", "-s", "1024", "-c", str(records), "-a", "-1",
                    *settings({"batch.num.messages": 10000, "batch.size": 1_000_000, "message.max.bytes": 1_900_000,
                               "linger.ms": 50, "queue.buffering.max.kbytes": 512_000}),
                )
                partitions = [word for partition in range(10) for word in ("-p", str(partition))]
                self.rated(
                    consume, broker, "-C", "-t", "bench", *partitions, "-o", "beginning", "-c", str(records),
                    *settings({"fetch.message.max.bytes": 1_000_000, "queued.max.messages.kbytes": 256_000}),
                )
        if self.wanted(produce_small):
            with self.broker("small") as broker:
                create(broker, "bench", partitions=10)
                self.rated(
                    produce_small, broker, *SMALL, "-c", str(5_000_000 // self.scale))

    def warm(self):
        """Touches as much memory as the records will take. In a virtual machine the first touch of a page is the host's
        work and several times as dear as the write itself; what is measured then is the host. The last gigabyte, written
        where memory was touched before, is the price of the same bytes without a broker."""
        blocks, block = 6000 // self.scale, os.urandom(MEBIBYTE)
        path, spent = self.folder / "warm", 0.0
        for _ in range(2):
            with open(path, "wb", buffering=0) as file:
                for _ in range(blocks):
                    file.write(block)
            path.unlink()
        with open(path, "wb", buffering=0) as file:
            before = os.times()
            for _ in range(1000 // self.scale):
                file.write(block)
            after = os.times()
        path.unlink()
        spent = after.user - before.user + after.system - before.system
        cpu = spent / (1000 // self.scale * MEBIBYTE / 1e9)
        self.add("for comparison: writing 1 MB blocks to a new file", f"CPU {cpu:.2f} s/GB", cpu=cpu)

    def profile(self):
        """Where the time goes in the hardest case, by perf: shares of the broker's CPU, kernel and all."""
        data = self.folder / "perf.data"
        with self.broker("profile") as broker:
            create(broker, "bench", partitions=10)
            recorder = subprocess.Popen(
                ["perf", "record", "-q", "-o", data, "-p", str(broker.pid)], stderr=subprocess.DEVNULL)
            self.perform(broker, *SMALL, "-c", "5000000")
            recorder.send_signal(signal.SIGINT)
            recorder.wait()
        for what in ("dso", "symbol"):
            report = subprocess.run(
                ["perf", "report", "-i", data, "--sort", what], capture_output=True, text=True, check=True).stdout
            lines = [line for line in report.splitlines() if line.strip() and not line.startswith("#")]
            print("\n".join(lines[:15]), flush=True)

    def start(self):
        if not self.wanted("exec to first acknowledged record") and not self.wanted("memory, idle"):
            return
        with self.broker("start") as broker:
            create(broker, "first")
            found = []
            for _ in range(7):
                if broker.stop() != 0:
                    raise RuntimeError(f"a clean stop failed:\n{broker.tail()}")
                found.append(first_acknowledgement(broker) * 1000)
            median = statistics.median(found)
            self.add("exec to first acknowledged record", f"{median:.1f} ms (median of {len(found)})", value=median)
            idle = broker.resident() / MEBIBYTE
            self.add("memory, idle", f"{idle:.1f} MiB", value=idle)

    def connections(self):
        name = "memory of 1,000 idle connections"
        if not self.wanted(name):
            return
        with self.broker("connections") as broker, contextlib.ExitStack() as stack:
            stack.enter_context(Connection(broker)).ask(api_versions())
            before = broker.resident()
            for _ in range(1000 // self.scale):
                stack.enter_context(Connection(broker)).ask(api_versions())
            grown = (broker.resident() - before) / MEBIBYTE
            self.add(name, f"{grown:.1f} MiB", value=grown)

    def partitions(self):
        if not self.wanted("10,000 partitions"):
            return
        count = 10_000 // self.scale
        with self.broker("partitions") as broker:
            client = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
            began = time.monotonic()
            futures = client.create_topics([NewTopic(f"topic-{n}", 100, 1) for n in range(count // 100)])
            for future in futures.values():
                future.result(timeout=120)

            def led():
                topics = client.list_topics(timeout=30).topics.values()
                return sum(part.leader >= 0 for topic in topics for part in topic.partitions.values()) >= count

            until(led, "every partition has a leader", 120)
            took = time.monotonic() - began
            self.add("creating 10,000 partitions", f"{took:.1f} s", value=took)
            memory = broker.resident() / MEBIBYTE
            self.add("memory with 10,000 partitions", f"{memory:.0f} MiB", value=memory)
            stopping = time.monotonic()
            if broker.stop() != 0:
                raise RuntimeError(f"a clean stop failed:\n{broker.tail()}")
            stopped = time.monotonic() - stopping
            broker.start(120)
            figure = f"{stopped + broker.ready_after:.2f} s (stop {stopped:.2f}, start {broker.ready_after:.2f}), then {broker.resident() / MEBIBYTE:.0f} MiB"
            self.add("clean restart with 10,000 partitions", figure, value=stopped + broker.ready_after)


def settings(values):
    return [word for key, value in values.items() for word in ("-X", f"{key}={value}")]


SMALL = [
    "-P", "-t", "bench", "-s", "100", "-a", "1",
    *settings({"batch.num.messages": 80, "batch.size": 8192, "linger.ms": 5}),
]


def first_acknowledgement(broker):
    """Starts a stopped broker and returns the seconds until it has acknowledged a record in the topic `first`."""
    frame = produce("first", 0, batch([b"hello"]))
    with open(broker.log, "ab") as log:
        began = time.monotonic()
        broker.process = subprocess.Popen(broker.arguments(), stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    while True:
        if time.monotonic() - began > 30 or broker.process.poll() is not None:
            raise RuntimeError(f"no record was acknowledged:\n{broker.tail()}")
        try:
            with Connection(broker) as connection:
                error, _ = produced(connection.ask(frame))
        except OSError:
            time.sleep(0.0002)
            continue
        if error == 0:
            return time.monotonic() - began


def machine():
    model = re.search(r"model name\s*: (.*)", pathlib.Path("/proc/cpuinfo").read_text())
    memory = int(re.search(r"MemTotal:\s*(\d+)", pathlib.Path("/proc/meminfo").read_text())[1]) / (1 << 20)
    return f"{os.cpu_count()} cores, {model[1] if model else platform.machine()}, {memory:.0f} GiB, Linux {platform.release()}"


def document(rows):
    table = "\n".join(f"| {name} | {figure} | {goal} | {verdict} |" for name, figure, goal, verdict in rows)
    version = subprocess.run([binary(), "--version"], capture_output=True, text=True).stdout.strip()
    return f"""# Benchmarks

Written by `hack/bench --write` on {datetime.date.today()}. Run it to get the figures of your own machine.

- Machine: {machine()}.
- Binary: release build, {os.stat(binary()).st_size / MEBIBYTE:.1f} MiB, {version}.
- One broker on core 0, the client (librdkafka's `rdkafka_performance`) on core 1, over the loopback interface; data in
  the page cache; no compression, no TLS, one replica.
- Memory was written to before the throughput was measured: in a virtual machine the first touch of a page is the
  host's work. The row for comparison is what the same bytes cost without a broker.
- GB is 10⁹ bytes of records; CPU is what the broker's process used, by `/proc/PID/stat`.

| measurement | result | goal | |
|---|---|---|---|
{table}

## Where the time goes

`hack/bench --profile` shows it for 100 B records in 8 KB batches, where a gigabyte is 122,000 requests' worth of work.
On 2026-11-21, on the machine above, of the broker's CPU time two thirds were the kernel's: receiving, waking, and
writing to the page cache in small pieces. One third was the program's, and of that nearly a half went into walking the
ten million records of a gigabyte (lengths, offsets and times are checked for each), a tenth into the checksum, and the
rest into reading requests, handing out offsets and counting references. Larger batches are what makes it cheaper: the row
with records of 1 KB is the same code.
"""


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tool", required=True)
    parser.add_argument("--small", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("--profile", action="store_true")
    options = parser.parse_args()
    if options.write and (options.small or options.only):
        parser.error("--write wants every measurement in full")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    bench = Bench(options)
    print(f"{machine()}\n{binary()}", flush=True)
    try:
        if options.profile:
            return bench.profile()
        for measure in (bench.start, bench.connections, bench.throughput, bench.partitions):
            measure()
    finally:
        shutil.rmtree(bench.folder, ignore_errors=True)
    if options.write:
        path = CHECKOUT / "docs" / "benchmarks.md"
        # What follows is the section that bench_cluster.py writes.
        _, heading, clusters = path.read_text().partition("\n## Three nodes against one\n")
        path.write_text(document(bench.rows) + heading + clusters)
        print("docs/benchmarks.md is written.")


if __name__ == "__main__":
    main()
