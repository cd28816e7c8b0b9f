"""Exactly once while brokers die: what is read, transformed and written in transactions is there once, and whole."""

import threading

from broker import until
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from librdkafka import consumer, send
from transactions import ahead, again, transactional, write

PATIENT = {
    "log_level": 0,
    "socket.connection.setup.timeout.ms": 1000,
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 200,
    "topic.metadata.refresh.fast.interval.ms": 50,
    "retry.backoff.ms": 20,
    "socket.timeout.ms": 4000,
}
# A worker that gets no further gives up and begins anew, well within what the test waits for.
SPAN = 8


class Worker(threading.Thread):
    """Copies a topic to another one, a few records in each transaction, and begins anew after every error."""

    def __init__(self, bootstrap, source, target, name):
        super().__init__(daemon=True)
        self.bootstrap, self.source, self.target, self.id = bootstrap, source, target, name
        self.commits, self.restarts, self.fault = 0, 0, None
        self.ending = threading.Event()

    def run(self):
        while not self.ending.is_set():
            try:
                self.work()
            except KafkaException as error:
                self.restarts += 1
                self.last = error
            except Exception as error:  # shown by the test, which must not wait for a thread that is gone
                self.fault = error
                return

    def work(self):
        reader = Consumer({
            **PATIENT, "bootstrap.servers": self.bootstrap, "group.id": f"{self.id}-group", "enable.auto.commit": False,
            "auto.offset.reset": "earliest", "isolation.level": "read_committed", "session.timeout.ms": 6000,
        })
        sender = Producer({
            **PATIENT, "bootstrap.servers": self.bootstrap, "transactional.id": self.id, "transaction.timeout.ms": 10000,
            "message.timeout.ms": 10000,
        })
        try:
            again(lambda: sender.init_transactions(SPAN), 30)
            reader.subscribe([self.source])
            while not self.ending.is_set():
                messages = [m for m in reader.consume(20, timeout=0.2) if not m.error()]
                if messages:
                    self.copy(reader, sender, messages)
        finally:
            reader.close()

    def copy(self, reader, sender, messages):
        sender.begin_transaction()
        try:
            for message in messages:
                sender.produce(self.target, value=message.value(), partition=message.partition())
            again(lambda: sender.send_offsets_to_transaction(
                reader.position(reader.assignment()), reader.consumer_group_metadata(), SPAN), SPAN)
            again(lambda: sender.commit_transaction(SPAN), SPAN)
            self.commits += 1
        except KafkaException as error:
            if error.args[0].txn_requires_abort():
                again(lambda: sender.abort_transaction(SPAN), SPAN)
            raise


def test_a_copy_in_transactions_is_exact_while_every_broker_is_killed_once(cluster, name):
    three = cluster()
    source, target = f"{name}-in", f"{name}-out"
    three.create(source, partitions=2, min_insync_replicas=2)
    three.create(target, partitions=2, min_insync_replicas=2)
    worker = Worker(three.bootstrap, source, target, name)
    worker.start()
    sent = {0: [], 1: []}
    for round in range(4):
        for p in (0, 1):
            records = [b"%d-%d-%d" % (round, p, n) for n in range(150)]
            send(three, source, records, partition=p, acks="all", message_timeout_ms=60000)
            sent[p] += records
        done = worker.commits
        until(lambda: worker.fault or worker.commits > done, "the copy goes on", 60)
        if round < 3:
            three.nodes[round].crash()

    def copied():
        return sum(len(ahead(three, target, partition=p)) for p in (0, 1))

    until(lambda: worker.fault or copied() >= 1200, "everything is copied", 90, every=1)
    worker.ending.set()
    worker.join(60)
    assert worker.fault is None, worker.fault
    assert {p: ahead(three, target, partition=p) for p in (0, 1)} == sent
    reader = consumer(three, f"{name}-group", isolation_level="read_committed")
    places = reader.committed([TopicPartition(source, p) for p in (0, 1)], timeout=20)
    ends = [reader.get_watermark_offsets(TopicPartition(source, p), timeout=20)[1] for p in (0, 1)]
    assert [place.offset for place in places] == ends
    reader.close()


def test_a_transaction_ends_whole_although_its_coordinator_dies(cluster, name):
    three = cluster()
    three.create(name, partitions=3, min_insync_replicas=2)
    sender = transactional(three, name, **{"socket.connection.setup.timeout.ms": 1000})
    for round in range(3):
        sender.begin_transaction()
        for p in range(3):
            write(sender, name, [b"%d" % round], p)
        leaders = three.partitions("__transaction_state")
        coordinator = three[leaders[round % 3].leader]
        coordinator.crash()
        again(lambda: sender.commit_transaction(20), 60)
    for p in range(3):
        until(lambda: ahead(three, name, partition=p) == [b"0", b"1", b"2"], f"partition {p} is whole", 30)


def test_what_is_committed_is_the_same_on_every_copy(cluster, name):
    three = cluster()
    three.create(name, min_insync_replicas=2)
    sender = transactional(three, name)
    wanted = []
    for round in range(6):
        sender.begin_transaction()
        write(sender, name, [b"%d-%d" % (round, n) for n in range(3)])
        again(sender.commit_transaction if round % 2 else sender.abort_transaction)
        if round % 2:
            wanted += [b"%d-%d" % (round, n) for n in range(3)]
    sender.begin_transaction()
    write(sender, name, [b"open"])
    three.until_in_sync(name, [1, 2, 3])
    for _ in range(3):
        leader = three.leader(name)
        assert ahead(three, name) == wanted, f"as node {leader.id} has it"
        leader.crash()
        three.until_led(name)
        three.until_in_sync(name, [1, 2, 3])
    again(lambda: sender.commit_transaction(20), 60)
    until(lambda: ahead(three, name) == wanted + [b"open"], "the last one is committed", 20)
