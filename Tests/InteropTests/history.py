"""Producers that keep a history, and a checker that reads everything back."""

import threading
import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition


class Writer:
    """Writes numbered records with acks=all and idempotence, and notes what was acknowledged, and when."""

    def __init__(self, bootstrap, topic, partitions=1, pause=0.002, name="w", **settings):
        self.topic, self.partitions, self.pause, self.name = topic, partitions, pause, name
        self.acknowledged = {p: {} for p in range(partitions)}  # partition -> {value: offset}
        self.times = []
        self.failed = []
        self._ending = threading.Event()
        self._producer = Producer(
            {
                "bootstrap.servers": bootstrap,
                "log_level": 0,
                "acks": "all",
                "enable.idempotence": True,
                "linger.ms": 1,
                "message.timeout.ms": 60000,
                "request.timeout.ms": 2000,
                "retry.backoff.ms": 20,
                "retry.backoff.max.ms": 100,
                "socket.connection.setup.timeout.ms": 1000,
                "reconnect.backoff.ms": 20,
                "reconnect.backoff.max.ms": 200,
                "topic.metadata.refresh.fast.interval.ms": 50,
                **{key.replace("_", "."): value for key, value in settings.items()},
            }
        )
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _delivered(self, error, message):
        if error:
            self.failed.append(str(error))
        else:
            self.acknowledged[message.partition()][message.value()] = message.offset()
            self.times.append(time.monotonic())

    def _run(self):
        number = 0
        while not self._ending.is_set():
            value = b"%s-%d" % (self.name.encode(), number)
            try:
                self._producer.produce(
                    self.topic, value=value, partition=number % self.partitions, on_delivery=self._delivered
                )
                number += 1
            except BufferError:
                pass
            self._producer.poll(0)
            time.sleep(self.pause)
        self.left = self._producer.flush(60)

    def start(self):
        self._thread.start()
        return self

    def stop(self):
        """Waits for every answer."""
        self._ending.set()
        self._thread.join(90)
        assert not self._thread.is_alive() and self.left == 0, "the writer does not come to an end"
        return self

    @property
    def count(self):
        return sum(len(found) for found in self.acknowledged.values())

    def await_more(self, more=20, within=30):
        """Waits until so many more were acknowledged."""
        deadline, want = time.monotonic() + within, self.count + more
        while self.count < want:
            assert time.monotonic() < deadline, f"only {self.count} of {want} acknowledged; failed: {self.failed[:3]}"
            time.sleep(0.01)

    def longest_gap(self, since=None):
        """Seconds without an acknowledgement."""
        times = [t for t in self.times if since is None or t >= since - 0.5]
        return max((b - a for a, b in zip(times, times[1:])), default=0.0)


def read_back(bootstrap, topic, partitions=1, within=60, written_to=False, **settings):
    """{partition: [(offset, value)]} of all that is committed. While somebody still writes there may be no end to come to: then
    it is all up to the ends as they are now."""
    reader = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": "checker",
            "log_level": 0,
            "enable.partition.eof": True,
            "enable.auto.commit": False,
            "topic.metadata.refresh.interval.ms": 500,
            **{key.replace("_", "."): value for key, value in settings.items()},
        }
    )
    reader.assign([TopicPartition(topic, p, 0) for p in range(partitions)])
    found, ended = {p: [] for p in range(partitions)}, set()
    deadline = time.monotonic() + within
    try:
        ends = {}
        if written_to:
            ends = {p: reader.get_watermark_offsets(TopicPartition(topic, p), timeout=30)[1] for p in found}
        while len(ended) < partitions:
            assert time.monotonic() < deadline, f"only partitions {sorted(ended)} were read to their ends"
            for message in reader.consume(5000, timeout=0.2):
                if not message.error():
                    found[message.partition()].append((message.offset(), message.value()))
                    if message.offset() + 1 >= ends.get(message.partition(), float("inf")):
                        ended.add(message.partition())
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
                else:
                    assert message.error().retriable(), message.error()
    finally:
        reader.close()
    return found


def check(writer, found):
    """Every acknowledged record is there, once, where it was said to be, and in order."""
    for partition, acknowledged in writer.acknowledged.items():
        records = found[partition]
        offsets = [offset for offset, _ in records]
        assert offsets == sorted(set(offsets)), f"partition {partition}: an offset was read twice or out of order"
        at = {}
        for offset, value in records:
            assert value not in at, f"partition {partition}: {value} is stored twice, at {at[value]} and {offset}"
            at[value] = offset
        missing = [value for value in acknowledged if value not in at]
        assert not missing, f"partition {partition}: {len(missing)} acknowledged records are missing: {missing[:5]}"
        # Of a batch that was sent twice librdkafka may not say where it is.
        moved = [(v, o, at[v]) for v, o in acknowledged.items() if o is not None and o >= 0 and at[v] != o]
        assert not moved, f"partition {partition}: acknowledged at another offset than stored: {moved[:5]}"
        own = [int(v.rsplit(b"-", 1)[1]) for _, v in records if v.startswith(writer.name.encode() + b"-")]
        assert own == sorted(own), f"partition {partition}: records of one producer are out of order"
