"""The measurements of hack/bench, which builds what they need and starts this."""

import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import time

from measurements import BROKER_CORE, CLIENT_CORE, LARGE, MEBIBYTE, NO_GOAL, Measurements, options, settings  # isort: skip

from broker import Broker, until
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from librdkafka import create
from wire import Connection, api_versions, batch, produce, produced

# What each figure should be: (text, function of the figure that says whether it is reached).
GOALS = {
    "for comparison: writing 1 MB blocks to a new file": NO_GOAL,
    "produce 1 KB, batches of 1 MB, acks=all, 10 partitions": ("CPU ≤ 0.9 s/GB", lambda row: row["cpu"] <= 0.9),
    "produce 100 B, batches of 8 KB, acks=1": ("CPU ≤ 3 s/GB", lambda row: row["cpu"] <= 3),
    "consume 1 KB from the page cache": ("CPU ≤ 0.4 s/GB", lambda row: row["cpu"] <= 0.4),
    "exec to first acknowledged record": ("≤ 100 ms", lambda row: row["value"] <= 100),
    "memory, idle": ("≤ 24 MB", lambda row: row["value"] * 1.048576 <= 24),
    "memory of 1,000 idle connections": ("≤ 20 MB", lambda row: row["value"] * 1.048576 <= 20),
    "ten records in three partitions, idempotent": NO_GOAL,
    "ten records in three partitions, in a transaction": NO_GOAL,
    "creating 10,000 partitions": NO_GOAL,
    "memory with 10,000 partitions": ("≤ 150 MB", lambda row: row["value"] * 1.048576 <= 150),
    "clean restart with 10,000 partitions": ("≤ 2 s", lambda row: row["value"] <= 2),
}


class Bench(Measurements):
    section, goals = "## One broker", GOALS
    measures = ("start", "connections", "throughput", "transactions", "partitions")

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

    def perform(self, broker, *arguments):
        """One run of rdkafka_performance: (records, bytes, milliseconds, the broker's CPU seconds)."""
        before = broker.cpu_seconds()
        return *self.generate(broker.bootstrap, *arguments), broker.cpu_seconds() - before

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
                    *LARGE,
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
        """The last gigabyte, written where memory was touched before, is the price of the same bytes without a broker."""
        self.touch_memory()
        path, block = self.folder / "warm", os.urandom(MEBIBYTE)
        with open(path, "wb", buffering=0) as file:
            before = os.times()
            for _ in range(1000 // self.scale):
                file.write(block)
            after = os.times()
        path.unlink()
        spent = after.user - before.user + after.system - before.system
        cpu = spent / (1000 // self.scale * MEBIBYTE / 1e9)
        self.add("for comparison: writing 1 MB blocks to a new file", f"CPU {cpu:.2f} s/GB", cpu=cpu)

    def conditions(self):
        return CONDITIONS

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

    def transactions(self):
        """What a transaction costs, beside the same records that are awaited without one."""
        plain, exact = "ten records in three partitions, idempotent", "ten records in three partitions, in a transaction"
        if not self.wanted(plain, exact):
            return
        cores = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {int(CLIENT_CORE)})
        try:
            with self.broker("transactions") as broker:
                create(broker, "bench", partitions=3)
                for name, more in ((plain, {"enable.idempotence": True}), (exact, {"transactional.id": "bench"})):
                    client = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 0, "log_level": 0, **more})
                    if name == exact:
                        client.init_transactions(30)
                    self.write_tens(client, 300 // self.scale, name == exact)
                    count, before, began = 3000 // self.scale, broker.cpu_seconds(), time.monotonic()
                    self.write_tens(client, count, name == exact)
                    took, spent = time.monotonic() - began, broker.cpu_seconds() - before
                    self.add(name, f"{count / took:,.0f}/s one after the other, broker CPU {spent / count * 1000:.2f} ms each")
        finally:
            os.sched_setaffinity(0, cores)

    @staticmethod
    def write_tens(client, times, in_transactions):
        failed = []
        for _ in range(times):
            if in_transactions:
                client.begin_transaction()
            for n in range(10):
                client.produce("bench", b"x" * 100, partition=n % 3, on_delivery=lambda error, _: error and failed.append(error))
            client.commit_transaction(30) if in_transactions else client.flush(30)
        if failed:
            raise RuntimeError(f"{len(failed)} records failed: {failed[0]}")

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


CONDITIONS = """\
- One broker on core 0, the client (librdkafka's `rdkafka_performance`) on core 1, over the loopback interface; data in
  the page cache; no compression, no TLS, one replica.
- Memory was written to before the throughput was measured: in a virtual machine the first touch of a page is the
  host's work. The row for comparison is what the same bytes cost without a broker.
- GB is 10⁹ bytes of records; CPU is what the broker's process used, by `/proc/PID/stat`."""


def main():
    chosen = options("broker", profile=False)
    bench = Bench(chosen)
    if not chosen.profile:
        return bench.conduct()
    try:
        bench.profile()
    finally:
        bench.end()


if __name__ == "__main__":
    main()
