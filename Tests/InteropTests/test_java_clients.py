"""Apache Kafka's own clients and tools, in Java, with our broker."""

import json
import subprocess
import threading

import apache
import pytest
from broker import until
from confluent_kafka import TopicPartition
from librdkafka import create
from mirrors import clients_end_with_their_test, commit, committed, ends, read, write  # noqa: F401
from transactions import again, transactional
from transactions import write as write_within

pytestmark = [
    pytest.mark.skipif(bool(apache.obstacle()), reason=apache.obstacle() or ""),
    pytest.mark.timeout(240),
]
CODECS = ("none", "gzip", "snappy", "lz4", "zstd")


def needs(script):
    """Older versions have fewer tools."""
    return pytest.mark.skipif(bool(apache.lacks(script)), reason=apache.lacks(script) or "")


@pytest.fixture
def tool(broker, tmp_path):
    """One of Apache's tools, asked about our broker."""

    def ask(script, *arguments, **more):
        return apache.run(tmp_path, script, "--bootstrap-server", broker.bootstrap, *arguments, **more)

    return ask


@pytest.mark.relies_on(13, 14, 51, 52)
def test_topics_are_made_described_changed_and_deleted(tool, name):
    tool("kafka-topics.sh", "--create", "--topic", name, "--partitions", "2", "--config", "retention.ms=1234567")
    assert name in tool("kafka-topics.sh", "--list").split()
    shown = tool("kafka-topics.sh", "--describe", "--topic", name)
    assert "PartitionCount: 2" in shown and "retention.ms=1234567" in shown
    again = tool("kafka-topics.sh", "--create", "--topic", name, fails=True)
    assert "already exists" in again
    tool("kafka-topics.sh", "--alter", "--topic", name, "--partitions", "5")
    assert "PartitionCount: 5" in tool("kafka-topics.sh", "--describe", "--topic", name)
    of_topic = ("--entity-type", "topics", "--entity-name", name)
    tool("kafka-configs.sh", "--alter", *of_topic, "--add-config", "cleanup.policy=[compact,delete],max.message.bytes=2000000")
    shown = tool("kafka-configs.sh", "--describe", *of_topic)
    assert "cleanup.policy=compact,delete" in shown and "max.message.bytes=2000000" in shown
    tool("kafka-configs.sh", "--alter", *of_topic, "--delete-config", "max.message.bytes")
    assert "max.message.bytes" not in tool("kafka-configs.sh", "--describe", *of_topic)
    assert "compression.type=producer" in tool("kafka-configs.sh", "--describe", "--all", *of_topic)
    tool("kafka-topics.sh", "--delete", "--topic", name)
    assert name not in tool("kafka-topics.sh", "--list").split()


@pytest.mark.relies_on(20, 25, 27)
@pytest.mark.parametrize("codec", CODECS)
def test_records_of_the_console_producer_reach_the_console_consumer(tool, broker, name, codec):
    create(broker, name, 2)
    lines = [f"k{i}:value-{i}" for i in range(50)]
    tool(
        "kafka-console-producer.sh", "--topic", name, "--property", "parse.key=true", "--property", "key.separator=:",
        "--compression-codec", codec, input="\n".join(lines) + "\n")
    shown = tool(
        "kafka-console-consumer.sh", "--topic", name, "--from-beginning", "--max-messages", "50", "--timeout-ms", "30000",
        "--property", "print.key=true", "--property", "key.separator=:", "--group", f"{name}-group")
    assert sorted(shown.split()) == sorted(lines)
    found = [record for partition in (0, 1) for record in read(broker, name, partition)]
    assert sorted(f"{key.decode()}:{value.decode()}" for _, key, value, _ in found) == sorted(lines)


@pytest.mark.relies_on(43, 47, 48, 49)
def test_groups_are_shown_reset_and_deleted(tool, broker, name):
    create(broker, name)
    write(broker, name, [f"{i}" for i in range(30)])
    group, place = f"{name}-readers", TopicPartition(name, 0)
    commit(broker, group, TopicPartition(name, 0, 10))
    groups = "kafka-consumer-groups.sh"
    assert group in tool(groups, "--list").split()
    row = next(line for line in tool(groups, "--describe", "--group", group).splitlines() if name in line and "-" in line)
    assert row.split()[:6] == [group, name, "0", "10", "30", "20"]
    assert "Empty" in tool(groups, "--describe", "--group", group, "--state")
    for where, offset in ((("--to-earliest",), 0), (("--to-offset", "7"), 7), (("--shift-by", "5"), 12), (("--to-latest",), 30)):
        tool(groups, "--group", group, "--topic", name, "--reset-offsets", *where, "--execute")
        assert committed(broker, group, place) == [offset]
    tool(groups, "--delete-offsets", "--group", group, "--topic", name)
    assert committed(broker, group, place) == [-1001]
    commit(broker, group, TopicPartition(name, 0, 10))
    tool(groups, "--delete", "--group", group)
    assert group not in tool(groups, "--list").split()


@pytest.mark.relies_on(27, 34)
def test_the_performance_tools_write_and_read_everything(tool, broker, tmp_path, name):
    create(broker, name, 3)
    apache.run(
        tmp_path, "kafka-producer-perf-test.sh", "--topic", name, "--num-records", "20000", "--record-size", "200",
        "--throughput", "-1", "--producer-props", f"bootstrap.servers={broker.bootstrap}", "acks=all", "compression.type=lz4")
    assert sum(ends(broker, name, partition)[1] for partition in range(3)) == 20000
    shown = tool("kafka-consumer-perf-test.sh", "--topic", name, "--messages", "20000", "--timeout", "30000")
    assert " 20000," in shown.splitlines()[-1] or "20000" in shown.splitlines()[-1].replace(" ", "").split(",")


@pytest.mark.relies_on(30, 31, 32)
def test_transactions_of_the_performance_tool_are_read_as_committed(tool, broker, tmp_path, name):
    create(broker, name)
    apache.run(
        tmp_path, "kafka-producer-perf-test.sh", "--topic", name, "--num-records", "2000", "--record-size", "100",
        "--throughput", "4000", "--transactional-id", f"{name}-sender", "--transaction-duration-ms", "100", "--producer-props",
        f"bootstrap.servers={broker.bootstrap}")
    assert ends(broker, name)[1] > 2000
    shown = tool(
        "kafka-console-consumer.sh", "--topic", name, "--from-beginning", "--max-messages", "2000", "--timeout-ms", "30000",
        "--isolation-level", "read_committed")
    assert len(shown.split()) == 2000


@needs("kafka-transactions.sh")
@pytest.mark.relies_on(32)
def test_transactions_are_listed_and_described(tool, broker, name):
    create(broker, name)
    sender = transactional(broker, f"{name}-sender")
    sender.begin_transaction()
    write_within(sender, name, [b"one"])
    again(sender.commit_transaction)

    def complete():
        listed = tool("kafka-transactions.sh", "list")
        return f"{name}-sender" in listed and "CompleteCommit" in listed

    until(complete, "it is complete", 30, every=0.5)
    assert "CompleteCommit" in tool("kafka-transactions.sh", "describe", "--transactional-id", f"{name}-sender")


@pytest.mark.relies_on(44, 45)
def test_members_of_a_group_share_the_partitions_and_take_over_from_each_other(broker, tmp_path, name):
    create(broker, name, 4)
    group = ("--group-id", f"{name}-group", "--topic", name, "--bootstrap-server", broker.bootstrap)
    said = {0: [], 1: []}

    def listen(number, process):
        for line in process.stdout:
            said[number].append(json.loads(line))

    def records(number):
        return sum(line["count"] for line in said[number] if line["name"] == "records_consumed")

    def assigned(number):
        return [len(line["partitions"]) for line in said[number] if line["name"] == "partitions_assigned"]

    members = []
    try:
        for number in (0, 1):
            members.append(
                subprocess.Popen(
                    apache.words("kafka-verifiable-consumer.sh", *group), stdout=subprocess.PIPE, text=True,
                    env=apache.surroundings(tmp_path)))
            threading.Thread(target=listen, args=(number, members[number]), daemon=True).start()
            until(lambda n=number: sum(assigned(n)) > 0, "it is a member", 60, every=0.1)
        until(lambda: assigned(0)[-1] == assigned(1)[-1] == 2, f"they share: {said}", 60, every=0.1)
        for partition in range(4):
            write(broker, name, [f"{partition}-{i}" for i in range(25)], partition)
        until(lambda: records(0) == records(1) == 50, "each reads its own", 30, every=0.1)
        members[1].terminate()
        members[1].wait(30)
        until(lambda: assigned(0)[-1] == 4, "the other one takes over", 60, every=0.1)
        for partition in range(4):
            write(broker, name, ["late"], partition)
        until(lambda: records(0) == 54, "and reads on", 30, every=0.1)
    finally:
        for member in members:
            member.kill()
            member.wait()


@pytest.mark.relies_on(4, 42, 54)
def test_what_the_smaller_tools_ask_is_answered(tool, broker, tmp_path, name):
    create(broker, name, 2)
    write(broker, name, [f"{i}" for i in range(20)], 1)
    asked = tmp_path / "delete.json"
    asked.write_text(json.dumps({"version": 1, "partitions": [{"topic": name, "partition": 1, "offset": 5}]}))
    assert "low_watermark: 5" in tool("kafka-delete-records.sh", "--offset-json-file", asked)
    shown = tool("kafka-broker-api-versions.sh")
    assert "Produce(0): 0 to" in shown and "Fetch(1):" in shown
    assert name in tool("kafka-log-dirs.sh", "--describe", "--topic-list", name)
    assert "Cluster ID:" in apache.run(tmp_path, "kafka-cluster.sh", "cluster-id", "--bootstrap-server", broker.bootstrap)


@needs("kafka-get-offsets.sh")
@pytest.mark.relies_on(42)
def test_ends_of_partitions_are_told(tool, broker, name):
    create(broker, name, 2)
    write(broker, name, [f"{i}" for i in range(20)], 1)
    assert f"{name}:1:20" in tool("kafka-get-offsets.sh", "--topic", name).split()
    assert f"{name}:1:0" in tool("kafka-get-offsets.sh", "--topic", name, "--time", "earliest").split()


@needs("kafka-metadata-quorum.sh")
def test_the_quorum_is_described(tool):
    assert "LeaderId:" in tool("kafka-metadata-quorum.sh", "describe", "--status")
