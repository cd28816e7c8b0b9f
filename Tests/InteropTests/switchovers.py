"""Moves topics between two clusters that mirror each other, back and forth under load, and reads everything back. Run
through hack/switchovers; a test runs ten rounds of it."""

import argparse
import array
import collections
import contextlib
import hashlib
import json
import random
import shutil
import socket
import statistics
import sys
import tempfile
import threading
import time
import zlib

from broker import Broker, free_port, run, until
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from mirrors import ends, make_topic, mirror, status

TOPIC = "moving"
# Records each producer writes at once, and how often.
BURST, PAUSE = 10, 0.02
IMPATIENT = {"log_level": 0, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100}


class Address:
    """An address that stays, whichever cluster is behind it: as a name or a load balancer that is turned over."""

    def __init__(self):
        self.port, self.behind, self.open = free_port(), None, set()
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                near, _ = self.listener.accept()
            except OSError:
                return
            try:
                with self.lock:
                    far = socket.create_connection(("127.0.0.1", self.behind), timeout=5)
                    far.settimeout(None)
                    self.open |= {near, far}
            except (OSError, TypeError):
                near.close()
                continue
            for a, b in ((near, far), (far, near)):
                threading.Thread(target=self._carry, args=(a, b), daemon=True).start()

    def _carry(self, a, b):
        with contextlib.suppress(OSError):
            while data := a.recv(1 << 16):
                b.sendall(data)
        with self.lock:
            self._end({a, b})

    def _end(self, some):
        for one in some & self.open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        self.open -= some

    def turn(self, port):
        """To another cluster. Whatever was under way is cut off, answers that were not read yet as well."""
        with self.lock:
            self.behind = port
            self._end(set(self.open))

    def close(self):
        self.listener.close()
        with self.lock:
            self._end(set(self.open))


class Side(Broker):
    """A cluster of one process, which is also to be had at the address that both have."""

    def __init__(self, name, folder, address):
        super().__init__(folder, {"group.min.session.timeout.ms": "500", "log.segment.bytes": str(8 << 20)})
        self.name, self.behind = name, free_port()
        self.overrides |= {
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},SHARED://127.0.0.1:{self.behind}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port},SHARED://127.0.0.1:{address.port}",
            "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,SHARED:PLAINTEXT",
            "inter.broker.listener.name": "PLAINTEXT",
        }


class Writer:
    """An idempotent producer of records with rising numbers, and what was acknowledged of them: by partition, in the
    order of the acknowledgements."""

    def __init__(self, name, partitions):
        self.name, self.partitions, self.number = name, partitions, 0
        self.acknowledged = {p: (array.array("q"), array.array("q")) for p in range(partitions)}
        self.count, self.times = 0, collections.deque(maxlen=200_000)
        self.refused, self.again, self.unknown = [], [], set()
        # Whether everything that was sent has an answer, but for what is on its way: not where brokers are killed.
        self.is_sure = True
        self.lock, self.ending, self.failure = threading.Lock(), threading.Event(), None
        self.producer = None
        self.thread = threading.Thread(target=self._guarded, daemon=True)

    def open(self, bootstrap):
        self.producer = Producer({
            "bootstrap.servers": bootstrap, "enable.idempotence": True, "linger.ms": 2, "batch.num.messages": 200,
            "message.timeout.ms": 120000, "retry.backoff.ms": 20, "retry.backoff.max.ms": 100,
            "topic.metadata.refresh.fast.interval.ms": 50, "metadata.recovery.strategy": "none", **IMPATIENT,
        })
        return self

    def start(self):
        self.thread.start()
        return self

    def _delivered(self, error, message):
        number, partition = int(message.value()[-10:]), message.partition()
        if error is None:
            numbers, offsets = self.acknowledged[partition]
            numbers.append(number)
            offsets.append(message.offset())
            self.count += 1
            self.times.append(time.monotonic())
        elif error.code() == KafkaError._PURGE_QUEUE and self.is_sure:
            # Not on its way: what had been sent of it was refused.
            self.again.append(number)
        elif error.code() in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT):
            self.unknown.add(number)
        else:
            self.refused.append(f"{self.name}: {error}")

    def _send(self, number):
        value = b"%s-%010d" % (self.name.encode(), number)
        while True:
            try:
                return self.producer.produce(
                    TOPIC, value, partition=number % self.partitions, on_delivery=self._delivered)
            except BufferError:
                self.producer.poll(0.01)

    def _guarded(self):
        try:
            while not self.ending.is_set():
                with self.lock:
                    for _ in range(BURST):
                        self._send(self.number)
                        self.number += 1
                    self.producer.poll(0)
                until_next = time.monotonic() + PAUSE
                while time.monotonic() < until_next:
                    self.producer.poll(0.002)
        except Exception as error:
            self.failure = error

    def move(self, bootstrap):
        """Goes on with a producer of its own at another cluster, and with what the one before certainly did not write."""
        with self.lock:
            self.producer.purge()
            assert self.producer.flush(10) == 0, "the old producer does not end"
            self.open(bootstrap)
            again, self.again = sorted(self.again), []
            for number in again:
                self._send(number)

    @contextlib.contextmanager
    def at_rest(self):
        """Everything was acknowledged, and nothing more comes."""
        with self.lock:
            left = self.producer.flush(60)
            assert left == 0, f"{self.name}: {left} records were neither acknowledged nor refused within a minute"
            yield

    def stop(self):
        self.ending.set()
        self.thread.join(30)
        with self.at_rest():
            pass

    def first_since(self, moment):
        return next((t for t in tuple(self.times) if t >= moment), None)

    def last_before(self, moment):
        return next((t for t in reversed(tuple(self.times)) if t < moment), None)


class Reader:
    """A consumer of a group that commits what it has seen, and notices records that it was never given."""

    def __init__(self, group):
        self.group, self.seen, self.wrong = group, {}, []
        # As the last commit that was acknowledged says; the highest that was tried.
        self.committed, self.tried = {}, {}
        self.commits_nothing = threading.Lock()
        self.ending, self.thread = threading.Event(), None

    def open(self, bootstrap):
        self.ending.clear()
        self.thread = threading.Thread(target=self._run, args=(bootstrap,), daemon=True)
        self.thread.start()
        return self

    def close(self):
        """Leaves the group. Everything that it has committed is acknowledged then, or never will be."""
        self.ending.set()
        self.thread.join(60)
        assert not self.thread.is_alive(), f"the consumer of {self.group} does not end"

    def _run(self, bootstrap):
        consumer = Consumer({
            "bootstrap.servers": bootstrap, "group.id": self.group, "enable.auto.commit": False,
            "auto.offset.reset": "error", "session.timeout.ms": 600, "heartbeat.interval.ms": 150,
            "topic.metadata.refresh.interval.ms": 1000, **IMPATIENT,
        })
        consumer.subscribe([TOPIC])
        while not self.ending.is_set():
            upTo = {}
            for message in consumer.consume(1000, timeout=0.1):
                if not message.error():
                    upTo[message.partition()] = self._saw(message.partition(), message.offset())
                elif message.error().code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
                    self.wrong.append(f"group {self.group}: {message.error().str()}")
            if upTo:
                with self.commits_nothing:
                    self._commit(consumer, upTo)
        consumer.close()

    def _saw(self, partition, offset):
        expected = self.seen.get(partition)
        if expected is not None and offset > expected:
            self.wrong.append(f"group {self.group}, partition {partition}: never given {expected} to {offset - 1}")
        self.seen[partition] = max(offset + 1, expected or 0)
        return offset + 1

    def _commit(self, consumer, upTo):
        for partition, offset in upTo.items():
            self.tried[partition] = max(offset, self.tried.get(partition, 0))
        try:
            places = [TopicPartition(TOPIC, partition, offset) for partition, offset in upTo.items()]
            for place in consumer.commit(offsets=places, asynchronous=False):
                if place.error is None:
                    self.committed[place.partition] = place.offset
        except KafkaException:
            pass  # It has no place in the group at the moment: what was not acknowledged is not promised.


class Switchovers:
    def __init__(self, folder, partitions=4, chance=None, calm=0.5, kills=False, say=print):
        self.partitions, self.chance, self.say = partitions, chance or random.Random(0), say
        # For how many seconds at most the load goes on between two switchovers.
        self.calm, self.kills = calm, kills
        self.address = Address()
        self.sides = [Side(name, f"{folder}/{name}", self.address) for name in ("eu", "us")]
        self.owner, self.rounds, self.records = 0, 0, 0
        self.pauses = {"the address": [], "anew": []}
        self.staying, self.moving = Writer("staying", partitions), Writer("moving", partitions)
        self.moving.is_sure = not kills
        self.readers = {"staying": Reader("staying"), "moving": Reader("moving")}
        self.askers = {}

    def __enter__(self):
        for side in self.sides:
            side.start()
        old, new = self.sides
        self.address.turn(old.behind)
        make_topic(old, TOPIC, self.partitions)
        for group, reader in self.readers.items():
            places = [TopicPartition(TOPIC, p, 0) for p in range(self.partitions)]
            self.asker(old, group).commit(offsets=places, asynchronous=False)
            reader.committed |= dict.fromkeys(range(self.partitions), 0)
        mirror(old, new, name=self.link(new))
        until(lambda: status(new, self.link(new))["partitions"], "the topic is copied", 30, every=0.1)
        self.staying.open(f"127.0.0.1:{self.address.port}").start()
        self.moving.open(old.bootstrap).start()
        self.readers["staying"].open(f"127.0.0.1:{self.address.port}")
        self.readers["moving"].open(old.bootstrap)
        return self

    def __exit__(self, *_):
        for writer in (self.staying, self.moving):
            writer.ending.set()
        for reader in self.readers.values():
            reader.ending.set()
        for asker in self.askers.values():
            asker.close()
        for side in self.sides:
            side.kill()
        self.address.close()

    @staticmethod
    def link(side):
        return f"into-{side.name}"

    def asker(self, side, group):
        """Who asks what a group has committed, without being one of it."""
        if (side, group) not in self.askers:
            self.askers[side, group] = Consumer({"bootstrap.servers": side.bootstrap, "group.id": group, **IMPATIENT})
        return self.askers[side, group]

    def check_health(self):
        for side in self.sides:
            assert side.is_alive(), f"{side.name} died by itself:\n{side.tail()}"
        for writer in (self.staying, self.moving):
            if writer.failure:
                raise writer.failure
            assert not writer.refused, writer.refused[:3]
        wrong = [sentence for reader in self.readers.values() for sentence in reader.wrong]
        assert not wrong, wrong[:3]

    # One round

    def round(self, within=90):
        old, new = self.sides[self.owner], self.sides[1 - self.owner]
        self.carry_on(within)
        # A member that vanished without leaving decides for its group until its session ends.
        until(lambda: not self.has_members(new, "staying"), f"{new.name} has no members", within, every=0.1)
        self.readers["moving"].close()
        promised = {group: dict(reader.committed) for group, reader in self.readers.items()}
        began = time.monotonic()
        with self.perhaps_killed() as killed:
            report = self.ask(new, "switchover", lambda shown: shown["promoted"])
        done = time.monotonic()
        assert all(entry["knownLoss"] == 0 for entry in report.get("partitions", [])), report
        # Clients come as soon as they are told; they commit when it was seen what their groups have.
        with self.readers["staying"].commits_nothing:
            self.address.turn(new.behind)
            self.moving.move(new.bootstrap)
            self.check_groups(new, promised)
        self.readers["moving"].open(new.bootstrap)
        turned = time.monotonic()
        source = ["--source", new.bootstrap] if self.rounds == 0 else []
        with self.perhaps_killed() as killed_too:
            self.ask(old, "failback", lambda shown: shown["state"] == "running", *source)
        home = until(lambda: self.shown(old), f"{old.name} says how far it is", within)
        assert not home["setAside"] and not home["problems"], home
        back = time.monotonic() - turned
        found = []
        for name, writer in (("the address", self.staying), ("anew", self.moving)):
            first = until(lambda: writer.first_since(done), f"a record by {name} is acknowledged", within, every=0.005)
            found.append((first - writer.last_before(done)) * 1000)
            self.pauses[name].append(found[-1])
        self.owner = 1 - self.owner
        self.rounds += 1
        self.check_health()
        self.say(
            f"round {self.rounds}: {old.name} → {new.name}, pause {found[0]:.0f} ms by the address, {found[1]:.0f} ms anew"
            f" (switchover {done - began:.2f} s, fail-back {back:.2f} s),"
            f" {self.staying.count + self.moving.count} acknowledged" + "".join(f", {w} killed" for w in killed + killed_too)
        )

    def ask(self, side, verb, is_done, *options):
        """Again, if whoever was asked is killed meanwhile: it may have come about by then."""
        deadline = time.monotonic() + 120
        while True:
            done = run("mirrors", verb, self.link(side), *options, "-o", "json", "--bootstrap-server", side.bootstrap, within=90)
            if done.returncode == 0:
                return json.loads(done.stdout)
            assert self.kills and time.monotonic() < deadline, (done.stdout, done.stderr)
            shown = self.shown(side)
            if shown and is_done(shown):
                return shown
            time.sleep(0.1)

    def shown(self, side):
        """What the status says, or None while nobody can be asked."""
        with contextlib.suppress(AssertionError):
            return status(side, self.link(side))

    @contextlib.contextmanager
    def perhaps_killed(self):
        """One side of two is killed at some moment, and started again at once."""
        killed, failures = [], []
        if not self.kills or self.chance.random() < 0.5:
            yield killed
            return
        side, moment = self.chance.choice(self.sides), self.chance.random()

        def kill():
            time.sleep(moment)
            try:
                side.crash()
            except Exception as error:
                failures.append(error)

        thread = threading.Thread(target=kill)
        thread.start()
        killed.append(f"{side.name} after {moment:.2f} s")
        yield killed
        thread.join()
        if failures:
            raise failures[0]

    def carry_on(self, within):
        """Under load for a while, with records of each producer since the last switchover."""
        before = [writer.count for writer in (self.staying, self.moving)]
        until(
            lambda: all(w.count >= n + 50 for w, n in zip((self.staying, self.moving), before)),
            "records are acknowledged", within)
        time.sleep(self.chance.random() * self.calm)

    def has_members(self, side, group):
        """True as well while nobody can say."""
        done = run("groups", "describe", group, "-o", "json", "--bootstrap-server", side.bootstrap)
        if done.returncode != 0:
            # Before the first round nobody may have heard of the group there.
            return self.rounds > 0
        return any(one["members"] for one in json.loads(done.stdout))

    def offsets(self, side, group):
        places = [TopicPartition(TOPIC, p) for p in range(self.partitions)]

        def asked():
            with contextlib.suppress(KafkaException):
                return {p.partition: p.offset for p in self.asker(side, group).committed(places, timeout=5)}

        return until(asked, f"{side.name} says what {group} has committed", 30)

    def check_groups(self, side, promised):
        for group in promised:
            for partition, offset in self.offsets(side, group).items():
                low, high = promised[group][partition], self.readers[group].tried.get(partition, 0)
                if group == "moving":
                    high = low
                _, end = until(lambda: ends(side, TOPIC, partition), "the log has an end", every=0.05)
                assert low <= offset <= max(low, high), (
                    f"group {group}, partition {partition}: committed were {low} before the switchover and at most {high},"
                    f" and {side.name} has {offset}")
                assert offset <= end, f"group {group}, partition {partition}: {offset} is beyond the log's end {end}"

    # Reading everything

    def check(self):
        """With the load at rest: both sides have the same bytes, and in them everything that was acknowledged."""
        with self.staying.at_rest(), self.moving.at_rest():
            old, new = self.sides
            for partition in range(self.partitions):
                until(
                    lambda p=partition: ends(old, TOPIC, p) == ends(new, TOPIC, p) is not None,
                    f"{TOPIC}-{partition} is the same on both sides", 60, every=0.1)
            found = [self.read(side) for side in self.sides]
            assert found[0] == found[1], "the two sides have different records"
            for partition in range(self.partitions):
                a, b = (self.digest(side, partition) for side in self.sides)
                assert a == b, f"partition {partition}: the two sides have different bytes"
            self.records = sum(count for count, _ in found[0].values())
        self.check_health()
        self.say(f"{self.records} records read on both sides: each once, in order, where it was acknowledged")

    @staticmethod
    def digest(side, partition):
        made = hashlib.sha256()
        for path in sorted((side.data / f"{TOPIC}-{partition}").glob("*.log")):
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    made.update(block)
        return made.hexdigest()

    def read(self, side):
        """{partition: (how many, checksum)}, after each record was held against what was acknowledged."""
        reader = Consumer({
            "bootstrap.servers": side.bootstrap, "group.id": "checker", "enable.partition.eof": True,
            "enable.auto.commit": False, **IMPATIENT})
        reader.assign([TopicPartition(TOPIC, p, 0) for p in range(self.partitions)])
        checks = {p: PartitionCheck(side.name, p, (self.staying, self.moving)) for p in range(self.partitions)}
        ended, patience = set(), time.monotonic() + 60
        try:
            while len(ended) < self.partitions:
                assert time.monotonic() < patience, f"{side.name}: only partitions {sorted(ended)} were read to their ends"
                for message in reader.consume(10000, timeout=0.2):
                    if not message.error():
                        checks[message.partition()].take(message.offset(), message.value())
                        patience = time.monotonic() + 60
                    elif message.error().code() == KafkaError._PARTITION_EOF:
                        ended.add(message.partition())
        finally:
            reader.close()
        return {p: one.end() for p, one in checks.items()}

    def summary(self):
        return [
            f"pause with {how}: median {statistics.median(found):.0f} ms, longest {max(found):.0f} ms of {len(found)}"
            for how, found in (("one address", self.pauses["the address"]), ("clients made anew", self.pauses["anew"]))
            if found
        ]


class PartitionCheck:
    """Reads a partition from its beginning, and fails at the first record that should not be where it is."""

    def __init__(self, side, partition, writers):
        self.place = f"{side}, partition {partition}"
        self.next, self.sum = 0, 0
        self.writers = {w.name.encode(): (w, *w.acknowledged[partition]) for w in writers}
        # The number of the record before, and how many of the acknowledged ones were found.
        self.last, self.found = dict.fromkeys(self.writers, -1), dict.fromkeys(self.writers, 0)

    def take(self, offset, value):
        assert offset == self.next, f"{self.place}: {offset} comes where {self.next} should"
        self.next, self.sum = offset + 1, zlib.crc32(value, self.sum)
        name, number = value[:-11], int(value[-10:])
        writer, numbers, offsets = self.writers[name]
        assert number > self.last[name], (
            f"{self.place}: {value} at {offset} comes after {self.last[name]}: doubled, or out of order")
        self.last[name] = number
        at = self.found[name]
        expected = numbers[at] if at < len(numbers) else None
        if number == expected:
            # Of a batch that was sent twice librdkafka may not say where it is.
            assert offsets[at] in (offset, -1), f"{self.place}: {value} was acknowledged at {offsets[at]} and is at {offset}"
            self.found[name] += 1
        else:
            assert expected is None or expected > number, (
                f"{self.place}: {expected} of {writer.name} was acknowledged at {offsets[at]} and is not there: {value} is at {offset}")
            assert number in writer.unknown, f"{self.place}: {value} at {offset} was never acknowledged"

    def end(self):
        for name, (writer, numbers, offsets) in self.writers.items():
            at = self.found[name]
            assert at == len(numbers), (
                f"{self.place}: {len(numbers) - at} acknowledged records of {writer.name} are missing,"
                f" the first is {numbers[at]}, acknowledged at {offsets[at]}")
        return self.next, self.sum


def perform(folder, rounds, partitions=4, every=50, chance=None, calm=0.5, kills=False, say=print):
    with Switchovers(folder, partitions, chance, calm, kills, say) as moving:
        try:
            for number in range(1, rounds + 1):
                moving.round()
                if number % every == 0:
                    moving.check()
            for writer in (moving.staying, moving.moving):
                writer.stop()
            for side in moving.sides:
                side.crash()
            say("both killed and started again")
            moving.check()
            for sentence in moving.summary():
                say(sentence)
        except Exception:
            for side in moving.sides:
                print(f"--- the end of the log of {side.name}\n{side.tail(20)}", file=sys.stderr)
            raise
        return moving


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--every", type=int, default=50)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--kills", action="store_true")
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    folder = tempfile.mkdtemp(prefix="swiftwater-switchovers.")
    say = lambda text: print(text, flush=True)
    say(f"seed {options.seed}, {options.rounds} rounds, {folder}")
    began = time.monotonic()
    try:
        perform(folder, options.rounds, options.partitions, options.every, random.Random(options.seed), kills=options.kills, say=say)
    except Exception as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        print(f"FAILED with seed {options.seed}; the data is in {folder}", file=sys.stderr)
        return 1
    took = time.monotonic() - began
    say(f"{options.rounds} switchovers in {took:.0f} s, {took / options.rounds:.1f} s each; nothing lost, nothing doubled.")
    if not options.keep:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
