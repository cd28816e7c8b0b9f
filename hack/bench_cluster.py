"""The measurements of hack/bench --cluster, which builds what they need and starts this."""

import contextlib
import re
import shutil
import statistics
import time
import urllib.request

from measurements import BROKER_CORE, LARGE, MEBIBYTE, NO_GOAL, Measurements, options, settings  # isort: skip

from broker import free_port, until
from cluster import QUICK, Cluster
from confluent_kafka.admin import AdminClient, NewTopic
from history import Writer
from network import CLIENTS, Network
from spread import Spread

EVERYWHERE = "broker,controller"
# What the cluster fixture of the tests sets for speed is left as it is by default here.
DEFAULTS = {key: None for key in QUICK if not key.startswith("offsets.")}
GAP = ("≤ 3 s", lambda row: row["longest"] <= 3)

# What each figure should be: (text, function of the figure that says whether it is reached).
GOALS = {
    "one node, one replica, acks=all": NO_GOAL,
    "three nodes, three replicas, acks=all": NO_GOAL,
    "three nodes against one": NO_GOAL,
    "latency at 20 % of the highest rate": NO_GOAL,
    "latency at 50 % of the highest rate": NO_GOAL,
    "latency at 80 % of the highest rate": NO_GOAL,
    "longest gap, a leader is killed": GAP,
    "longest gap, a leader is stopped": GAP,
    "longest gap, the controller is killed": GAP,
    "longest gap, a Region is lost": GAP,
    "creating 10,000 partitions of three replicas": NO_GOAL,
    "another controller with 10,000 partitions": GAP,
    "leaders for all of 10,000 partitions": NO_GOAL,
    "between Regions, for each produced byte": NO_GOAL,
    "between Regions, when nothing is produced": NO_GOAL,
    "takeovers with 100 ms between Regions": ("0 in 600 s", lambda row: row["value"] == 0),
}


class Bench(Measurements):
    section, goals = "## Three nodes against one", GOALS
    measures = ("throughput", "latency", "gaps", "partitions", "traffic", "calm")

    @contextlib.contextmanager
    def cluster(self, regions=("eu", "us", "ap"), brokers=(), pinned=False, **overrides):
        """A cluster with everything as it is by default, but for what is given."""
        one = Cluster(self.folder / f"cluster{next(self.numbers)}", regions, {}, brokers)
        for node in one.nodes:
            for key in DEFAULTS:
                node.overrides.pop(key, None)
            node.overrides.update({key.replace("_", "."): str(value) for key, value in overrides.items()})
            node.overrides["offsets.topic.replication.factor"] = str(min(3, len(one.nodes)))
            if pinned:
                node.command = ["taskset", "-c", BROKER_CORE]
        try:
            yield one.start()
        finally:
            one.kill()
            shutil.rmtree(one.folder, ignore_errors=True)

    @contextlib.contextmanager
    def spread(self, mtu=1500, **overrides):
        """Three nodes whose Regions are network namespaces."""
        with contextlib.closing(Network(["eu", "us", "ap"], mtu=mtu)) as network:
            nodes = [(region, EVERYWHERE) for region in ("eu", "us", "ap")]
            overrides = {key.replace("_", "."): str(value) for key, value in overrides.items()}
            one = Spread(self.folder / f"cluster{next(self.numbers)}", network, nodes, overrides, defaults=True)
            try:
                yield one.start()
            finally:
                one.kill()
                shutil.rmtree(one.folder, ignore_errors=True)

    # Rates and latencies

    def throughput(self):
        names = ["one node, one replica, acks=all", "three nodes, three replicas, acks=all", "three nodes against one"]
        if not self.wanted(*names):
            return
        found = {}
        for name, regions in zip(names, (["eu"], ["eu", "us", "ap"])):
            with self.cluster(regions, pinned=True) as nodes:
                replicas = len(regions)
                nodes.create("bench", 9, replicas, max_message_bytes=2_000_000, min_insync_replicas=min(2, replicas))
                for p in range(9):
                    nodes.until_in_sync("bench", range(1, replicas + 1), p)
                # The first touch of memory is dear in a virtual machine: what is measured has been touched before.
                self.perform(nodes, 200_000 // self.scale)
                size, milliseconds, spent = self.perform(nodes, 1_000_000 // self.scale)
                megabytes, cpu = size / 1000 / milliseconds, spent / (size / 1e9)
                found[name] = megabytes, cpu
                self.add(name, f"{megabytes:,.0f} MB/s, brokers' CPU {cpu:.2f} s/GB", megabytes=megabytes, cpu=cpu)
        (one_rate, one_cpu), (three_rate, three_cpu) = found[names[0]], found[names[1]]
        self.add(names[2], f"rate × {three_rate / one_rate:.2f}, CPU for each byte × {three_cpu / one_cpu:.2f}")

    def perform(self, nodes, records):
        """One run of rdkafka_performance with records of 1 KB: (bytes, milliseconds, CPU seconds of all brokers)."""
        before = sum(node.cpu_seconds() for node in nodes.nodes)
        _, size, milliseconds = self.generate(
            nodes.bootstrap, "-P", "-t", "bench", "-s", "1024", "-c", str(records), "-a", "-1", *LARGE)
        # Followers may still be copying: what they do belongs to the same bytes.
        time.sleep(1)
        return size, milliseconds, sum(node.cpu_seconds() for node in nodes.nodes) - before

    def latency(self):
        if not self.wanted(*(name for name in GOALS if name.startswith("latency"))):
            return
        seconds = 60 / self.scale
        for label, regions in (("one node", ["eu"]), ("three nodes", ["eu", "us", "ap"])):
            with self.cluster(regions, pinned=True) as nodes:
                replicas = len(regions)
                nodes.create("bench", 9, replicas, min_insync_replicas=min(2, replicas))
                for p in range(9):
                    nodes.until_in_sync("bench", range(1, replicas + 1), p)
                self.even_load(nodes.bootstrap, 9, 0, seconds / 3)
                highest = self.even_load(nodes.bootstrap, 9, 0, seconds / 3)["rate"]
                print(f"  {label}: {highest:,.0f} records/s at most", flush=True)
                for share in (20, 50, 80):
                    found = self.even_load(nodes.bootstrap, 9, highest * share / 100, seconds)
                    lost = found["failed"] + found["unanswered"]
                    figure = (f"{label}, {found['rate']:,.0f} records/s: p50 {found['p50']:.1f} ms, p99 {found['p99']:.1f} ms, "
                              f"p99.9 {found['p999']:.1f} ms, longest {found['max']:.0f} ms" + (f", {lost} failed" if lost else ""))
                    self.add(f"latency at {share} % of the highest rate", figure, **found)

    # What goes missing

    def gaps(self):
        trials = self.options.trials
        if self.wanted("longest gap, a leader is killed", "longest gap, a leader is stopped", "longest gap, the controller is killed"):
            with self.cluster() as three:
                cases = {
                    "longest gap, a leader is killed": (lambda leader: [leader], "kill"),
                    "longest gap, a leader is stopped": (lambda leader: [leader], "pause"),
                    "longest gap, the controller is killed": (lambda leader: [three.controller()], "kill"),
                }
                for name, (victims, how) in cases.items():
                    if self.wanted(name):
                        self.gap(name, three, trials, victims, how, apart=True)
        name = "longest gap, a Region is lost"
        if self.wanted(name):
            with self.cluster(brokers=["eu", "us", "ap"]) as six:
                victims = lambda leader: [node for node in six.nodes if node.region == leader.region]
                self.gap(name, six, trials, victims, "kill", apart=False)

    def gap(self, name, nodes, trials, victims, how, apart):
        """The longest time without an acknowledgement, over trials, of which each has a topic of its own."""
        found = []
        for _ in range(trials):
            topic, leader = self.topic_with_leader(nodes, apart)
            writer = Writer(nodes.bootstrap, topic, socket_timeout_ms=1000, topic_metadata_refresh_interval_ms=200).start()
            writer.await_more(100)
            began = time.monotonic()
            gone = victims(leader)
            for node in gone:
                node.process.kill() if how == "kill" else node.pause()
            writer.await_more(200, within=90)
            found.append(writer.longest_gap(began))
            print(f"    {name}: {found[-1]:.2f} s", flush=True)
            for node in gone:
                if how == "kill":
                    node.process.wait()
                    node.launch()
                else:
                    node.resume()
            for node in gone:
                if how == "kill":
                    node.await_ready()
            nodes.until_in_sync(topic, nodes.partitions(topic)[0].replicas, within=60)
            writer.stop()
            if writer.failed:
                raise RuntimeError(f"{name}: {len(writer.failed)} records failed: {writer.failed[:3]}")
        median, longest = statistics.median(found), max(found)
        self.add(name, f"median {median:.2f} s, longest {longest:.2f} s of {trials}", median=median, longest=longest)

    def topic_with_leader(self, nodes, apart):
        """A new topic of three replicas, whose leader is the controller's node, or is in another Region than it."""
        for _ in range(30):
            topic = f"gap-{next(self.numbers)}"
            nodes.create(topic, min_insync_replicas=2)
            nodes.until_in_sync(topic, nodes.partitions(topic)[0].replicas)
            leader, controller = nodes.leader(topic), nodes.controller()
            # Where a Region is lost, it is to take the leader and the controller with it.
            if leader and controller and (leader.region != controller.region) == apart:
                return topic, leader
        raise RuntimeError("no topic has its leader where it is wanted")

    # Many partitions

    def partitions(self):
        names = [name for name in GOALS if "10,000" in name]
        if not self.wanted(*names):
            return
        count = 10_000 // self.scale
        with self.cluster() as three:
            began = time.monotonic()
            futures = three.admin.create_topics([NewTopic(f"topic-{n}", 100, 3) for n in range(count // 100)])
            for future in futures.values():
                future.result(timeout=120)
            until(lambda: sum(self.led(three.admin)) >= count, "every partition has a leader", 120, every=0.1)
            took = time.monotonic() - began
            memory = [node.resident() / MEBIBYTE for node in three.nodes]
            self.add(names[0], f"{took:.1f} s, then {max(memory):.0f} MiB in a node at most", value=took)
            until(lambda: self.all_in_sync(three.admin, 3), "every partition has three in sync", 120, every=0.5)
            before, gone = len(self.elections(three)), three.controller()
            others = [node for node in three.nodes if node is not gone]
            # Fewer than a third means that it was taken for dead before, under the load of the creation.
            orphans = sum(self.led(three.admin)) - sum(self.led(three.admin, gone.id))
            began = time.monotonic()
            gone.process.kill()
            until(lambda: len(self.elections(three)) > before, "another controller", 60, every=0.01)
            took = time.monotonic() - began
            self.add(names[1], f"{took:.1f} s", longest=took)
            asked = AdminClient({"bootstrap.servers": ",".join(n.bootstrap for n in others), "log_level": 0})
            until(lambda: sum(self.led(asked, gone.id)) >= count, "every partition has a leader that lives", 120, every=0.1)
            took = time.monotonic() - began
            self.add(names[2], f"{took:.1f} s after the node was killed that led {orphans} of them", value=took)

    @staticmethod
    def led(admin, gone=-1):
        topics = admin.list_topics(timeout=30).topics.values()
        return [part.leader >= 0 and part.leader != gone for topic in topics for part in topic.partitions.values()]

    @staticmethod
    def all_in_sync(admin, count):
        topics = admin.list_topics(timeout=30).topics.values()
        return all(len(part.isrs) >= count for topic in topics for part in topic.partitions.values())

    @staticmethod
    def elections(nodes):
        return [line for node in nodes.nodes for line in node.log.read_text(errors="replace").splitlines()
                if '"active controller"' in line]

    # The network between Regions

    def traffic(self):
        name, quiet = "between Regions, for each produced byte", "between Regions, when nothing is produced"
        if not self.wanted(name, quiet):
            return
        port = free_port()
        # Large packets, so that the process that carries them is not what is measured.
        with self.spread(mtu=65000, metrics_port=port) as three:
            three.create("bench", 9, 3, min_insync_replicas=2, max_message_bytes=2_000_000)
            for p in range(9):
                three.until_in_sync("bench", [1, 2, 3], p)
            time.sleep(2)
            seconds = 30 // self.scale
            before = self.between(three)
            time.sleep(seconds)
            grown = [(after - b) / seconds for after, b in zip(self.between(three), before)]
            self.add(quiet, f"{grown[0] / 1000:.1f} kB/s, {grown[1]:.0f} packets/s, {grown[2]:.1f} requests/s, all three nodes together")
            records = 200_000 // self.scale
            for label, more in (("batches of 1 MB", LARGE), ("batches of 16 kB", settings({"linger.ms": 5, "batch.size": 16384}))):
                before = self.between(three)
                self.generate(three.bootstrap, "-P", "-t", "bench", "-s", "1024", "-c", str(records), "-a", "-1", *more,
                              prefix=three.network.command(CLIENTS))
                time.sleep(1)
                grown = [after - b for after, b in zip(self.between(three), before)]
                size = records * 1024
                self.add(name, f"{label}: {grown[0] / size:.3f} bytes, {grown[2] / (size / 1e6):.1f} requests for each MB")

    @staticmethod
    def between(nodes):
        """(bytes, packets, requests) between Regions so far. What is not Produce is asked by brokers, but for a few."""
        carried = [found for (a, b), found in nodes.network.carried().items() if CLIENTS not in (a, b)]
        requests = 0.0
        for node in nodes.nodes:
            address = f"http://{node.host}:{node.overrides['metrics.port']}/metrics"
            with nodes.network.inside(), urllib.request.urlopen(address, timeout=10) as answer:
                text = answer.read().decode()
            requests += float(re.search(r"^kafka_network_requestmetrics_requests_total (\S+)$", text, re.M)[1])
            requests -= float(re.search(r"^kafka_server_brokertopicmetrics_totalproducerequests_total (\S+)$", text, re.M)[1])
        return sum(size for _, size in carried), sum(count for count, _ in carried), requests

    def calm(self):
        name = "takeovers with 100 ms between Regions"
        if not self.wanted(name):
            return
        seconds = 600 // self.scale
        with self.spread() as three:
            three.create("calm", 3, 3, min_insync_replicas=2)
            for p in range(3):
                three.until_in_sync("calm", [1, 2, 3], p)
            three.network.slow(0.1)
            writer = three.writer("calm", 3).start()
            writer.await_more(200)
            epochs, elected = three.leader_epochs("calm"), len(three.controllers())
            time.sleep(seconds)
            after = three.leader_epochs("calm")
            changes = sum(after[p] - epochs[p] for p in epochs) + len(three.controllers()) - elected
            writer.stop()
            self.add(name, f"{changes} in {seconds} s, longest gap in acknowledged records {writer.longest_gap():.2f} s", value=changes)

    def conditions(self):
        return CONDITIONS.format(trials=self.options.trials)


CONDITIONS = """\
- Rates and latencies: all brokers on core 0, clients on core 1, so that three nodes have together what one has. Records
  of 1 KB, nine partitions, acks=all; CPU is that of all brokers together. Three replicas are written with
  `min.insync.replicas=2`.
- Latencies are from when a record was due to its acknowledgement, at a fixed rate (`hack/openloop.c`): what a stall
  delays is counted. linger.ms is 5.
- Gaps: the longest time without an acknowledged record, from one partition of three replicas, over {trials} trials of each,
  with the brokers' timeouts as they are by default. The client gives up a silent connection after a second
  (socket.timeout.ms, a minute by default in librdkafka) and asks five times a second who leads; one that waits until a
  request fails learns it up to one and a half seconds later. Leader and controller are on different nodes, but where a
  Region is lost: that has both, and two of six nodes.
- Traffic is counted on the links between network namespaces, with TCP's and IP's headers; every broker is in a Region
  of its own, so that two copies of each byte have to travel."""

if __name__ == "__main__":
    Bench(options("cluster", trials=5)).conduct()
