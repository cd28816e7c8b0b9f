"""The measurements of hack/bench --mirror, which builds what they need and starts this."""

import contextlib
import json
import shutil
import statistics
import threading
import time

from measurements import BROKER_CORE, LARGE, MEBIBYTE, NO_GOAL, Measurements, options  # isort: skip

from broker import Broker, run, until
from cluster import QUICK, Cluster
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from network import CLIENTS, Network
from spread import Spread
from wire import Connection, batch, produce, produced

PARTITIONS = 10

# What each figure should be: (text, function of the figure that says whether it is reached).
GOALS = {
    "copying to another cluster": NO_GOAL,
    "copying to a follower": NO_GOAL,
    "a mirror against a follower": ("CPU ≤ × 2", lambda row: row["ratio"] <= 2),
    "lag at 20 % of the highest rate": NO_GOAL,
    "lag at 50 % of the highest rate": NO_GOAL,
    "lag at 80 % of the highest rate": NO_GOAL,
    "1,000 partitions, at rest": NO_GOAL,
    "1,000 partitions, lag": NO_GOAL,
    "switchover of 1,000 partitions": ("pause < 5 s", lambda row: row["longest"] < 5),
    "switchover of 10,000 partitions": ("pause < 5 s", lambda row: row["longest"] < 5),
    "failover of 1,000 partitions": ("< 10 s", lambda row: row["longest"] < 10),
    "failover of 10,000 partitions": ("< 10 s", lambda row: row["longest"] < 10),
}


def tool(*arguments, within=120):
    done = run(*arguments, within=within)
    if done.returncode != 0:
        raise RuntimeError(f"{arguments} ended with {done.returncode}: {done.stdout}{done.stderr}")
    return done.stdout


def status(target, name="m"):
    return json.loads(tool("mirrors", "status", name, "-o", "json", "--bootstrap-server", target.bootstrap))[0]


class Prober:
    """Writes single records to one partition by hand, one after the other, and keeps when they were acknowledged."""

    def __init__(self, broker, topic, partition=0):
        self.broker, self.times, self.ending = broker, [], threading.Event()
        self.frame = produce(topic, partition, batch([b"probe"]))
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self):
        while not self.ending.is_set():
            try:
                with Connection(self.broker) as connection:
                    while not self.ending.is_set():
                        if produced(connection.ask(self.frame))[0] == 0:
                            self.times.append(time.monotonic())
                        time.sleep(0.005)
            except OSError:
                time.sleep(0.005)

    def stop(self):
        self.ending.set()
        self.thread.join(20)


class Bench(Measurements):
    section, goals = "## Mirrors", GOALS
    measures = ("copying", "lags", "many", "changes")

    @contextlib.contextmanager
    def pair(self, **overrides):
        """Two clusters of one process each, both on the brokers' core."""
        overrides = {key.replace("_", "."): str(value) for key, value in overrides.items()}
        two = [
            Broker(self.folder / f"broker{next(self.numbers)}", overrides, command=["taskset", "-c", BROKER_CORE])
            for _ in range(2)
        ]
        try:
            yield [one.start() for one in two]
        finally:
            for one in two:
                one.kill()
                shutil.rmtree(one.folder, ignore_errors=True)

    def conditions(self):
        return CONDITIONS.format(trials=self.options.trials)

    # CPU of copying

    def copying(self):
        names = ["copying to another cluster", "copying to a follower", "a mirror against a follower"]
        if not self.wanted(*names):
            return
        self.touch_memory()
        trials = {name: [] for name in names[:2]}
        for _ in range(self.options.trials):
            for name, measure in zip(names, (self.copy_to_cluster, self.copy_to_follower)):
                trials[name].append(measure())
                size, seconds, source, target = trials[name][-1]
                print(f"    {name}: {size / 1e6 / seconds:.0f} MB/s, {source:.2f} + {target:.2f} s", flush=True)
        cpu = {}
        for name in names[:2]:
            # The run that was disturbed least: what else uses the cores only ever adds to it.
            size, seconds, source, target = min(trials[name], key=lambda one: (one[2] + one[3]) / one[0])
            gigabytes = size / 1e9
            cpu[name] = (source + target) / gigabytes
            self.add(name, f"{size / 1e6 / seconds:,.0f} MB/s, CPU {cpu[name]:.2f} s/GB: {source / gigabytes:.2f} where it is"
                           f" read and {target / gigabytes:.2f} where it is written")
        ratio = cpu[names[0]] / cpu[names[1]]
        self.add(names[2], f"CPU for each byte × {ratio:.2f}", ratio=ratio)

    def load(self, bootstrap):
        """Records of 1 KB in batches of 1 MB; returns how many bytes there are."""
        records = 1_500_000 // self.scale
        return self.generate(bootstrap, "-P", "-t", "bench", "-s", "1024", "-c", str(records), "-a", "-1", *LARGE)[1]

    @staticmethod
    def stored(broker):
        """Bytes in the segments of the topic."""
        return sum(path.stat().st_size for path in broker.data.glob("bench-*/*.log"))

    def copied(self, source, target):
        """Waits until the target has what the source has, and returns the seconds from its first bytes on."""
        whole = self.stored(source)
        until(lambda: self.stored(target) > 0, "the copying begins", 60, every=0.005)
        began = time.monotonic()
        until(lambda: self.stored(target) >= whole, "all is copied", 300, every=0.02)
        return time.monotonic() - began

    def copy_to_cluster(self):
        with self.pair() as (source, target):
            create(source, "bench", PARTITIONS, max_message_bytes=2_000_000)
            size = self.load(source.bootstrap)
            before = [one.cpu_seconds() for one in (source, target)]
            tool("mirrors", "create", "m", "--source", source.bootstrap, "--bootstrap-server", target.bootstrap)
            seconds = self.copied(source, target)
            return size, seconds, *(one.cpu_seconds() - b for one, b in zip((source, target), before))

    def copy_to_follower(self):
        """A node of the same cluster that was not there while the records were written, and gets them now."""
        two = Cluster(self.folder / f"cluster{next(self.numbers)}", ["eu"], {}, ["eu"])
        for node in two.nodes:
            for key in QUICK:
                node.overrides.pop(key, None)
            node.overrides |= {"offsets.topic.replication.factor": "1"}
            node.command = ["taskset", "-c", BROKER_CORE]
        try:
            two.start()
            two.create("bench", PARTITIONS, 2, max_message_bytes=2_000_000, min_insync_replicas=1)
            for p in range(PARTITIONS):
                two.until_in_sync("bench", [1, 2], p)
            source, target = two.nodes
            assert target.stop() == 0
            until(lambda: all(two.in_sync("bench", p) == [1] for p in range(PARTITIONS)), "it is gone", 60, every=0.1)
            size = self.load(source.bootstrap)
            before = source.cpu_seconds()
            target.launch()
            seconds = self.copied(source, target)
            return size, seconds, source.cpu_seconds() - before, target.cpu_seconds()
        finally:
            two.kill()
            shutil.rmtree(two.folder, ignore_errors=True)

    # Lag

    def lags(self):
        if not self.wanted(*(name for name in GOALS if name.startswith("lag"))):
            return
        for milliseconds in (0, 50, 200):
            with self.apart() as (network, source, target):
                network.slow(milliseconds / 1000, "source", "target")
                self.create_there(network, source, "bench", PARTITIONS)
                with network.inside():
                    tool("mirrors", "create", "m", "--source", source.bootstrap, "--bootstrap-server", target.bootstrap)
                    until(lambda: self.leads(target, "bench", PARTITIONS), "the topic is copied", 60, every=0.2)
                highest = 0
                # As fast as it goes, and then at that rate: with smaller batches it may be too much.
                for _ in range(2):
                    highest = self.open_loop(network, source, target, highest, 8)["rate"]
                    with network.inside():
                        until(lambda: self.all_copied(target, PARTITIONS), "what was too much is copied", 240, every=0.5)
                print(f"  {milliseconds} ms: {highest:,.0f} records/s at most", flush=True)
                for share in (20, 50, 80):
                    found = self.open_loop(network, source, target, highest * share / 100, 20 / self.scale)
                    lost = found["failed"] + found["unanswered"]
                    self.add(
                        f"lag at {share} % of the highest rate",
                        f"round trip {milliseconds} ms, {found['rate']:,.0f} records/s: p50 {found['p50']:.0f} ms,"
                        f" p99 {found['p99']:.0f} ms, longest {found['max']:.0f} ms" + (f", {lost} failed" if lost else ""),
                        **found)

    @contextlib.contextmanager
    def apart(self):
        """Two clusters of one process each in network namespaces, with clients in a third."""
        with contextlib.closing(Network(["source", "target"], mtu=65000)) as network:
            two = []
            for region in ("source", "target"):
                one = Spread(self.folder / f"cluster{next(self.numbers)}", network, [(region, "broker,controller")], defaults=True)
                one.nodes[0].command = [*network.command(region), "taskset", "-c", BROKER_CORE]
                one.nodes[0].overrides["offsets.topic.replication.factor"] = "1"
                two.append(one)
            try:
                yield network, *(one.start() for one in two)
            finally:
                for one in two:
                    one.kill()
                    shutil.rmtree(one.folder, ignore_errors=True)

    @staticmethod
    def create_there(network, cluster, topic, partitions):
        with network.inside():
            create(cluster, topic, partitions)

    @staticmethod
    def leads(cluster, topic, partitions):
        found = AdminClient({"bootstrap.servers": cluster.bootstrap, "log_level": 0}).list_topics(timeout=10).topics.get(topic)
        return found and sum(p.leader >= 0 for p in found.partitions.values()) == partitions

    def open_loop(self, network, source, target, rate, seconds, partitions=PARTITIONS):
        prefix = network.command(CLIENTS) if network else ()
        return self.even_load(source.bootstrap, partitions, rate, seconds, f"read={target.bootstrap}", prefix=prefix)

    # Many partitions

    def many(self):
        rest, lag = "1,000 partitions, at rest", "1,000 partitions, lag"
        if not self.wanted(rest, lag):
            return
        count = 1000 // self.scale
        with self.pair() as (source, target):
            create(source, "bench", count)
            began = time.monotonic()
            tool("mirrors", "create", "m", "--source", source.bootstrap, "--bootstrap-server", target.bootstrap)
            until(lambda: copying(target, count), "every partition is copied", 120, every=0.2)
            took = time.monotonic() - began
            time.sleep(5)
            seconds, before = 20, [one.cpu_seconds() for one in (source, target)]
            time.sleep(seconds)
            spent = [(one.cpu_seconds() - b) / seconds * 100 for one, b in zip((source, target), before)]
            self.add(rest, f"copied {took:.1f} s after the mirror was made; then {spent[0]:.1f} % of a core at the source and"
                           f" {spent[1]:.1f} % at the target, {target.resident() / MEBIBYTE:.0f} MiB there")
            found = self.open_loop(None, source, target, 2000, 30 / self.scale, count)
            self.add(lag, f"{found['rate']:,.0f} records/s over all of them: p50 {found['p50']:.0f} ms,"
                          f" p99 {found['p99']:.0f} ms, longest {found['max']:.0f} ms")

    def changes(self):
        for partitions in (1000, 10_000):
            count = partitions // self.scale
            for verb in ("switchover", "failover"):
                name = f"{verb} of {partitions:,} partitions"
                if not self.wanted(name):
                    continue
                found = [self.change(verb, count) for _ in range(self.options.trials)]
                first, every = [a for a, _ in found], [b for _, b in found]
                what = "pause" if verb == "switchover" else "from the command to the first acknowledged record"
                self.add(
                    name,
                    f"{what}: median {statistics.median(first):.2f} s, longest {max(first):.2f} s of {len(found)}; until every"
                    f" partition had taken a record, {statistics.median(every):.2f} s and {max(every):.2f} s", longest=max(first))

    def change(self, verb, count):
        """(seconds until the first record, seconds until each partition has taken one)."""
        topics, each = max(1, count // 100), min(100, count)
        with self.pair() as (source, target):
            admin = AdminClient({"bootstrap.servers": source.bootstrap, "log_level": 0})
            for future in admin.create_topics([NewTopic(f"t{n}", each, 1) for n in range(topics)]).values():
                future.result(timeout=120)
            tool("mirrors", "create", "m", "--source", source.bootstrap, "--bootstrap-server", target.bootstrap)
            until(lambda: copying(target, topics * each), "every partition is copied", 240, every=0.5)
            self.write_to_all(source, topics, each)
            until(lambda: self.all_copied(target, topics * each), "every record is copied", 120, every=0.5)
            there, here = Prober(source, "t0"), Prober(target, "t0")
            until(lambda: len(there.times) > 20, "records are acknowledged", 60)
            if verb == "failover":
                source.kill()
            asked = time.monotonic()
            tool("mirrors", verb, "m", "--bootstrap-server", target.bootstrap)
            first = until(lambda: here.times and here.times[0], "the target takes records", 60, every=0.005)
            self.write_to_all(target, topics, each)
            every = time.monotonic()
            for prober in (there, here):
                prober.stop()
            since = there.times[-1] if verb == "switchover" else asked
            print(f"    {verb} of {count} partitions: {first - since:.2f} s, all {every - since:.2f} s", flush=True)
            return first - since, every - since

    @staticmethod
    def write_to_all(broker, topics, each):
        errors = []
        producer = Producer({"bootstrap.servers": broker.bootstrap, "linger.ms": 50, "log_level": 0, "message.timeout.ms": 60000})
        for topic in range(topics):
            for partition in range(each):
                producer.produce(f"t{topic}", b"one", partition=partition, on_delivery=lambda e, _: e and errors.append(e))
            producer.poll(0)
        if producer.flush(60) or errors:
            raise RuntimeError(f"not every partition takes records: {errors[:1]}")

    @staticmethod
    def all_copied(target, count):
        shown = status(target)["partitions"]
        return len(shown) == count and all(p["lag"] == 0 and p["end"] > 0 for p in shown)


def copying(target, count):
    shown = status(target)["partitions"]
    return len(shown) == count and all(p["state"] == "copying" for p in shown)


def create(broker, topic, partitions, **config):
    config = {key.replace("_", "."): str(value) for key, value in config.items()}
    admin = AdminClient({"bootstrap.servers": broker.bootstrap, "log_level": 0})
    admin.create_topics([NewTopic(topic, partitions, 1, config=config)])[topic].result(60)


CONDITIONS = """\
- Clusters of one process each: source and target on core 0, clients on core 1; one replica, no compression.
- Copying: records of 1 KB in batches of 1 MB, ten partitions, all in the page cache of the source before the mirror is
  made, or before the follower is started: a node of the same cluster that was away while they were written. CPU is that
  of both processes, of the cheapest of {trials} runs of each, which take turns.
- Lag: from when a record was due at a fixed rate, written to the source with acks=all and linger.ms=5, until a consumer
  of the target has it (`hack/openloop.c`), ten partitions. Source, target and clients are in network namespaces of their
  own, and what is between source and target takes as long as the round trip says. The highest rate is what the consumer
  gets there at an even rate that is too high.
- Switchover: from the last acknowledged record at the source to the first at the target, with a hand-written client that
  asks both every 5 ms. Failover: from the command, with the source killed. {trials} trials of each, with topics of 100
  partitions. Every partition has records, and in the end a producer writes one to each,
  which with 10,000 partitions takes librdkafka some seconds where nothing has changed, too."""

if __name__ == "__main__":
    Bench(options("mirror", trials=3)).conduct()
