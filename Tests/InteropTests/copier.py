"""An application that copies a topic to another, some records in each transaction: copier.py BOOTSTRAP SOURCE TARGET ID

A process of its own, so that it can be killed. Prints a line for each transaction that it has committed, and ends after
any error of the client: whoever starts it again goes on where the last committed transaction ended."""

import sys

from confluent_kafka import Consumer, KafkaException, Producer
from transactions import again

PATIENT = {
    "log_level": 0,
    "socket.connection.setup.timeout.ms": 1000,
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 200,
    "topic.metadata.refresh.fast.interval.ms": 50,
    "retry.backoff.ms": 20,
    "socket.timeout.ms": 4000,
}
SPAN = 8


def copy(reader, sender, messages, target):
    sender.begin_transaction()
    for message in messages:
        sender.produce(target, value=message.value(), partition=message.partition())
    places = reader.position(reader.assignment())
    again(lambda: sender.send_offsets_to_transaction(places, reader.consumer_group_metadata(), SPAN), SPAN)
    again(lambda: sender.commit_transaction(SPAN), SPAN)


def main(bootstrap, source, target, name):
    reader = Consumer({
        **PATIENT, "bootstrap.servers": bootstrap, "group.id": f"{name}-group", "enable.auto.commit": False,
        "auto.offset.reset": "earliest", "isolation.level": "read_committed", "session.timeout.ms": 6000,
    })
    sender = Producer({
        **PATIENT, "bootstrap.servers": bootstrap, "transactional.id": name, "transaction.timeout.ms": 10000,
        "message.timeout.ms": 10000,
    })
    again(lambda: sender.init_transactions(SPAN), 30)
    reader.subscribe([source])
    while True:
        messages = [message for message in reader.consume(20, timeout=0.2) if not message.error()]
        if messages:
            copy(reader, sender, messages, target)
            print(len(messages), flush=True)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except KafkaException as error:
        sys.exit(f"ended by {error}")
