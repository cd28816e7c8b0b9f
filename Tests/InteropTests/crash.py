"""Kills a broker under load and reads everything back. Run through hack/crash."""

import argparse
import contextlib
import random
import shutil
import sys
import tempfile
import threading
import time

from broker import Broker
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from librdkafka import create

TOPIC, PARTITIONS, GROUP = "history", 4, "reader"


class History:
    """What was acknowledged, per partition, in the order of the acknowledgements."""

    def __init__(self):
        self.lock = threading.Lock()
        self.acknowledged = {partition: [] for partition in range(PARTITIONS)}
        self.refused = 0

    def delivered(self, error, message):
        with self.lock:
            if error:
                self.refused += 1
            else:
                self.acknowledged[message.partition()].append((message.offset(), message.value()))

    def count(self):
        with self.lock:
            return sum(map(len, self.acknowledged.values()))


class Load:
    """An idempotent producer that goes on through crashes, and a reader that commits what it has seen."""

    def __init__(self, broker, history):
        self.broker, self.history = broker, history
        self.stopping = threading.Event()
        self.committed = {}
        self.serial = 0
        self.failure = None
        self.threads = [threading.Thread(target=self.guarded, args=(work,)) for work in (self.produce, self.consume)]
        for thread in self.threads:
            thread.start()

    def guarded(self, work):
        try:
            work()
        except Exception as error:  # reported by the main thread
            self.failure = error

    def produce(self):
        producer = Producer({
            "bootstrap.servers": self.broker.bootstrap, "log_level": 0, "enable.idempotence": True, "acks": "all", "linger.ms": 2,
            "batch.num.messages": 200, "message.timeout.ms": 120000, "reconnect.backoff.max.ms": 200,
            "queue.buffering.max.messages": 20000, "compression.type": "lz4",
        })
        while not self.stopping.is_set():
            try:
                producer.produce(
                    TOPIC, value=b"%09d" % self.serial + b"." * 200, partition=self.serial % PARTITIONS,
                    on_delivery=self.history.delivered,
                )
                self.serial += 1
                # About 15,000 records a second: what a hundred rounds write must be read back afterwards.
                if self.serial % 300 == 0:
                    time.sleep(0.02)
            except BufferError:
                producer.poll(0.01)
            producer.poll(0)
        assert producer.flush(60) == 0, "records were neither acknowledged nor refused within a minute"

    def consume(self):
        reader = Consumer({
            "bootstrap.servers": self.broker.bootstrap, "log_level": 0, "group.id": GROUP, "enable.auto.commit": False,
            "auto.offset.reset": "earliest", "session.timeout.ms": 10000, "reconnect.backoff.max.ms": 200,
        })
        reader.subscribe([TOPIC])
        while not self.stopping.is_set():
            messages = [message for message in reader.consume(500, timeout=0.1) if not message.error()]
            ends = {}
            for message in messages:
                ends[message.partition()] = message.offset() + 1
            if not ends:
                continue
            wanted = [TopicPartition(TOPIC, partition, offset) for partition, offset in ends.items()]
            try:
                for part in reader.commit(offsets=wanted, asynchronous=False):
                    if part.error is None:
                        self.committed[part.partition] = max(part.offset, self.committed.get(part.partition, 0))
            except KafkaException:
                pass  # The broker is being killed: what was not acknowledged is not promised.
        reader.close()

    def stop(self):
        self.stopping.set()
        for thread in self.threads:
            thread.join(120)
            assert not thread.is_alive(), "the load did not end"
        if self.failure:
            raise self.failure


def stored(broker, partition):
    """Every record of one partition as (offset, value)."""
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "log_level": 0, "group.id": "check", "auto.offset.reset": "earliest"})
    part = TopicPartition(TOPIC, partition, 0)
    _, end = reader.get_watermark_offsets(part, timeout=30)
    reader.assign([part])
    found, patience = [], time.monotonic() + 60
    while not found or found[-1][0] < end - 1:
        if end == 0:
            break
        assert time.monotonic() < patience, f"partition {partition}: {len(found)} records, the end is at {end}"
        batch = [(message.offset(), message.value()) for message in reader.consume(10000, timeout=0.5) if not message.error()]
        if batch:
            found += batch
            patience = time.monotonic() + 60
    reader.close()
    return found


def check(broker, history, committed):
    """Returns sentences about everything that is wrong."""
    wrong = []
    for partition in range(PARTITIONS):
        found = stored(broker, partition)
        print(f"partition {partition}: {len(found)} records read back", flush=True)
        at = dict(found)
        if len({value for _, value in found}) != len(found):
            wrong.append(f"partition {partition}: {len(found) - len({v for _, v in found})} records are there twice")
        if [offset for offset, _ in found] != list(range(len(found))):
            wrong.append(f"partition {partition}: the offsets have holes or repeat")
        if [value for _, value in found] != sorted(value for _, value in found):
            wrong.append(f"partition {partition}: the order is not the producer's")
        kept = set(at.values())
        lost = [value for _, value in history.acknowledged[partition] if value not in kept]
        if lost:
            wrong.append(f"partition {partition}: {len(lost)} acknowledged records are lost, first {lost[0][:9]}")
        moved = [
            offset for offset, value in history.acknowledged[partition] if offset >= 0 and at.get(offset) != value
        ]
        if moved and not lost:
            wrong.append(f"partition {partition}: {len(moved)} records are not at the offset that was acknowledged")
    reader = Consumer({"bootstrap.servers": broker.bootstrap, "log_level": 0, "group.id": GROUP})
    for part in reader.committed([TopicPartition(TOPIC, partition) for partition in committed], timeout=30):
        if part.offset < committed[part.partition]:
            wrong.append(f"partition {part.partition}: committed {committed[part.partition]}, now {part.offset}")
    reader.close()
    return wrong


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--flush", action="store_true")
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--keep", action="store_true")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    folder = tempfile.mkdtemp(prefix="swiftwater-crash.")
    mode = "every record flushed" if options.flush else "page cache"
    print(f"seed {options.seed}, {options.rounds} rounds, {mode}, {folder}", flush=True)
    broker = Broker(folder, {"log.segment.bytes": "1048576"})
    history, wrong = History(), []
    try:
        broker.start()
        create(broker, TOPIC, partitions=PARTITIONS, **({"flush_messages": 1} if options.flush else {}))
        load = Load(broker, history)
        try:
            for number in range(1, options.rounds + 1):
                before, deadline = history.count(), time.monotonic() + 60
                while history.count() < before + 500:
                    if load.failure:
                        raise load.failure
                    assert time.monotonic() < deadline, "no records were acknowledged for a minute"
                    assert broker.is_alive(), "the broker died by itself"
                    time.sleep(0.01)
                time.sleep(chance.random() * 1.5)
                broker.crash()
                print(f"round {number}: {history.count()} acknowledged, back after {broker.ready_after * 1000:.0f} ms", flush=True)
        except Exception as error:
            # Why the rounds ended is worth more than what became of the load because of it.
            with contextlib.suppress(Exception):
                load.stop()
            raise error
        load.stop()
        committed = dict(load.committed)
        wrong = check(broker, history, committed)
        broker.restart()
        wrong += [f"after a clean restart: {sentence}" for sentence in check(broker, history, committed)]
        if history.refused:
            wrong.append(f"{history.refused} records were refused although the broker always came back")
        assert broker.stop() == 0, "the last stop was not clean"
    except Exception as error:
        wrong.append(f"{type(error).__name__}: {error}")
    finally:
        broker.kill()
    if wrong:
        print("\n".join(wrong), f"\nThe end of the broker's log:\n{broker.tail(20)}", file=sys.stderr)
        print(f"FAILED with seed {options.seed}; the data is in {folder}", file=sys.stderr)
        return 1
    print(f"{history.count()} acknowledged records, all there once and in order; offsets of {len(committed)} partitions kept.")
    if not options.keep:
        shutil.rmtree(folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
