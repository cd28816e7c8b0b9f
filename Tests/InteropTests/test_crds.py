"""crds/: the rules in CEL, which API servers of 1.25 and newer check by themselves, run by an interpreter of CEL."""

import celpy
import pytest
import yaml
from broker import CHECKOUT

DEFINITIONS = {
    definition["spec"]["names"]["kind"]: definition
    for definition in (yaml.safe_load(file.read_text()) for file in (CHECKOUT / "crds").glob("*.yaml"))
}


def rules(schema, path=""):
    """Every rule below a schema, with where it is: (path, rule, message)."""
    for rule in schema.get("x-kubernetes-validations", []):
        yield path, rule["rule"], rule["message"]
    for name, part in schema.get("properties", {}).items():
        yield from rules(part, f"{path}.{name}")
    if "items" in schema:
        yield from rules(schema["items"], path + "[]")


def schema_of(kind):
    return DEFINITIONS[kind]["spec"]["versions"][0]["schema"]["openAPIV3Schema"]


ALL = [(kind, *rule) for kind in sorted(DEFINITIONS) for rule in rules(schema_of(kind))]


def holds(rule, new, old=None):
    environment = celpy.Environment()
    program = environment.program(environment.compile(rule))
    known = {"self": celpy.json_to_cel(new)}
    if old is not None:
        known["oldSelf"] = celpy.json_to_cel(old)
    return bool(program.evaluate(known))


# (message, accepted, refused): each a new value, or a new and an old one.
CASES = [
    ("at least one Region needs brokers", [{"regions": [{"brokers": 1}]}], [{"regions": [{"brokers": 0}]}]),
    ("at least one Region needs brokers", [{"regions": [{"brokers": 0}, {"brokers": 2}]}], [{}]),
    ("at least one Region needs controllers", [{"regions": [{"controllers": 1}]}], [{"regions": [{"controllers": 0}]}]),
    ("partitions can be added", [{"partitions": 3}, {"partitions": 3}], [{"partitions": 2}, {"partitions": 3}]),
    ("cannot move to another cluster", [{"cluster": {"name": "a"}}] * 2, [{"cluster": {"name": "b"}}, {"cluster": {"name": "a"}}]),
    ("cannot move to another target", [{"target": "a"}] * 2, [{"target": "b"}, {"target": "a"}]),
    ("either cluster or bootstrapServers", [{"cluster": {"name": "a"}}], [{}]),
    ("either cluster or bootstrapServers", [{"bootstrapServers": ["a:1"]}], [{"bootstrapServers": []}]),
    (
        "either cluster or bootstrapServers",
        [{"cluster": {"name": "a"}, "bootstrapServers": []}],
        [{"cluster": {"name": "a"}, "bootstrapServers": ["a:1"]}],
    ),
    ("cannot be renamed", [{"topicName": "a"}] * 2, [{"topicName": "b"}, {"topicName": "a"}]),
    ("cannot be renamed", [{}] * 2, [{"topicName": "b"}, {}]),
    ("cannot be renamed", [{"partitions": 1}] * 2, [{}, {"topicName": "a"}]),
    (
        "more than the Regions in replicas",
        [{"minInSyncRegions": 2, "replicas": {"a": 1, "b": 1}}],
        [{"minInSyncRegions": 2, "replicas": {"a": 2}}],
    ),
    ("more than the Regions in replicas", [{"minInSyncRegions": 3}], [{"minInSyncRegions": 1, "replicas": {}}]),
    ("hostTemplate is needed", [{"type": "PodIP"}], [{"type": "HostTemplate"}]),
    (
        "hostTemplate is needed",
        [{"type": "HostTemplate", "hostTemplate": "{pod}.example.com"}],
        [{"type": "HostTemplate", "hostTemplate": "kafka.example.com"}],
    ),
]


@pytest.mark.parametrize("words, accepted, refused", CASES)
def test_a_rule_refuses_what_its_message_says_and_nothing_else(words, accepted, refused):
    (rule,) = [rule for _, _, rule, message in ALL if words in message]
    assert holds(rule, *accepted)
    assert not holds(rule, *refused)


def test_every_rule_has_a_case():
    messages = {message for _, _, _, message in ALL}
    assert len(messages) == len(ALL) >= 7
    assert [message for message in messages if not any(words in message for words, _, _ in CASES)] == []


def test_rules_use_no_more_than_the_oldest_api_server_with_rules_knows():
    # What came later makes such a server refuse the whole definition: quantity(), ip(), semver(), optionals, two variables.
    for kind, path, rule, _ in ALL:
        for later in ("quantity(", "ip(", "cidr(", "semver(", "format.", "?", "base64", "sum("):
            assert later not in rule, (kind, path)
