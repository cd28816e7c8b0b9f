"""Writes docs/clients.md: what clients rely on, and the tests marked `relies_on` that hold each item.

usage: python3 hack/clients.py [--check]

With --check it writes nothing and fails if the file is not what it would write.
"""

import ast
import pathlib
import sys

CHECKOUT = pathlib.Path(__file__).resolve().parents[1]

SECTIONS = {
    "Connections": {
        1: "Requests of one connection are answered in the order in which they came, however many are on their way; a waiting Fetch holds up what stands behind it.",
        2: "A frame that is too long or negative, an unknown request or version, or bytes that cannot be read close the connection without an answer.",
        3: "ApiVersions in a version that is too new is answered in version 0 with error 35; an impossible client name with error 42.",
        4: "Only what works is advertised, with ranges that old clients recognise, Produce from 0 among them.",
        5: "Features with a minimum of 0 are told only from ApiVersions v4; no transactions V2 is claimed.",
        6: "Idle connections are closed after `connections.max.idle.ms`.",
        7: "The advertised address is the one that clients use after the first question.",
        8: "A throttled answer is sent at once, and the connection waits afterwards. Without quotas the time is 0.",
    },
    "SASL and TLS": {
        9: "The order of the SASL requests, and what may come before them.",
        10: "What a failed login is answered with, and how long a session lasts.",
        11: "SCRAM's iterations and the broker's own proof.",
        12: "A TLS failure closes the connection; a client certificate names the principal.",
    },
    "Metadata": {
        13: "No topics, no list and an empty list mean what they should in every version; an error belongs to its topic.",
        14: "An unknown topic is error 3, also while it is being made; it is made only if broker and request allow it; an impossible name is error 17 at once.",
        15: "A partition without a leader still names its replicas.",
        16: "The leader epoch never goes back, over restarts too.",
        17: "The controller named is a live broker; the cluster id is there and stays.",
        18: "A topic id lasts as long as its topic and no longer.",
        19: "Only live brokers are listed; partitions are numbered without holes.",
    },
    "Produce": {
        20: "One whole batch v2 per partition with a right checksum and right counts; everything else is refused and nothing of it stored.",
        21: "Timestamps by the broker if the topic says so; the future is refused.",
        22: "Batches that are too large and acknowledgements that do not exist have errors of their own.",
        23: "acks=0 has no answer, and an error closes the connection.",
        24: "A compacted topic refuses records without a key.",
        25: "Every codec, in every client's framing, is stored as it came.",
        26: "Who is not the leader says who is; a topic that is gone is unknown.",
    },
    "Idempotence and transactions": {
        27: "The last five batches of a producer may be repeated and keep their offsets; an earlier one is out of order, and so is a later one that comes again and again without what is missing before it.",
        28: "A newer epoch starts at 0, an older one is refused.",
        29: "Sequence numbers survive restarts.",
        30: "Readers of committed records stop before the first open transaction.",
        31: "Control batches take offsets, and readers get past them.",
        32: "The answers of the transaction coordinator while it completes a transaction.",
        33: "A transactional batch of an unregistered partition is refused.",
    },
    "Fetch": {
        34: "A Fetch waits for its minimum or its time, not shorter and not longer; an error is answered at once.",
        35: "The first batch is given whole even if it is larger than was asked for; no partition starves.",
        36: "The batch that holds the offset is given from its start, as it was stored.",
        37: "An offset outside of the log is error 1; holes are passed over.",
        38: "The high watermark is in every answer.",
        39: "Leader epochs of readers are checked.",
        40: "Fetch sessions, or session 0.",
        41: "Topics go by name up to Fetch v12 and by id from v13; an unknown id is an error of its partition.",
    },
    "Offsets and groups": {
        42: "Offsets by time, at both ends, and of the largest timestamp.",
        43: "The coordinator is found, or the answer says to ask again.",
        44: "Members get their id before they join; only the leader sees all of them; timeouts have limits.",
        45: "Commits go on during a rebalance; heartbeats tell of it.",
        46: "A static member comes back without a rebalance; the older of two with one name is fenced.",
        47: "What was never committed is -1 and no error.",
        48: "A reader without members may commit, and metadata has a limit.",
        49: "An unknown group is dead or not found; a live one is not deleted.",
        50: "The newer protocol: epochs, nothing assigned before it is given up, patterns.",
    },
    "Administration": {
        51: "An answer comes after the change is durable; each topic has its own error.",
        52: "Settings are described with their source, changed one by one, and refused if they make no sense.",
        53: "Access control.",
        54: "Records are deleted up to an offset or up to the high watermark.",
        55: "Authorized operations say so when they were not asked for.",
    },
}
NOT_YET = {
    **dict.fromkeys((9, 10, 11, 12), "not there yet: SASL and TLS"),
    15: "not there yet: more than one broker",
    8: "not there yet: quotas; the time is always 0",
    53: "not there yet: access control",
}


def tests_by_item():
    found = {}
    for path in sorted((CHECKOUT / "Tests" / "InteropTests").glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if not isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
                continue
            for mark in node.decorator_list:
                if isinstance(mark, ast.Call) and isinstance(mark.func, ast.Attribute) and mark.func.attr == "relies_on":
                    for item in mark.args:
                        found.setdefault(item.value, []).append(f"{path.stem}::{node.name}")
    return found


def document():
    tests = tests_by_item()
    known = {item for items in SECTIONS.values() for item in items}
    unknown = set(tests) - known
    if unknown:
        sys.exit(f"tests rely on items that do not exist: {sorted(unknown)}")
    lines = [
        "# What clients rely on",
        "",
        "Clients lean on much that no specification says aloud. Each item here has a number; a test that holds it up is",
        "marked `@pytest.mark.relies_on(number)`. This file is written by `python3 hack/clients.py`.",
        "",
        "Tried with kcat (librdkafka 2.0), confluent-kafka (librdkafka 2.16), kafka-python 3.0, aiokafka 0.14, and Apache Kafka's own",
        "Java clients and tools (2.8.2, 3.6.2 and 3.9.0-rc3; those tests run where `SWIFTWATER_APACHE_KAFKA` names a distribution).",
    ]
    for title, items in SECTIONS.items():
        lines += ["", f"## {title}", "", "| | what | held by |", "|--:|---|---|"]
        for item, text in items.items():
            held = "<br>".join(f"`{name}`" for name in tests.get(item, []))
            lines.append(f"| {item} | {text} | {held or NOT_YET.get(item, 'no test of its own yet')} |")
    return "\n".join(lines) + "\n"


def main():
    if "--help" in sys.argv or "-h" in sys.argv:
        print(__doc__.strip())
        return
    path = CHECKOUT / "docs" / "clients.md"
    text = document()
    if "--check" in sys.argv:
        if not path.exists() or path.read_text() != text:
            sys.exit("docs/clients.md is out of date: run python3 hack/clients.py")
        return
    path.write_text(text)


if __name__ == "__main__":
    main()
