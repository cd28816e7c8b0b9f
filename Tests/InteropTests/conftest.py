import itertools
import re

import apache
import pytest
from aged import KAFKA_2_8, Aged
from broker import Broker, binary
from cluster import Cluster

_numbers = itertools.count()


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """One broker for all tests that neither stop nor configure it."""
    broker = Broker(tmp_path_factory.mktemp("shared"))
    broker.start()
    yield broker
    assert broker.is_alive(), f"the shared broker died:\n{broker.tail()}"
    assert broker.stop() == 0, broker.tail()


@pytest.fixture
def broker(shared):
    """The shared broker, which must outlive the test."""
    assert shared.is_alive(), f"the shared broker died before this test:\n{shared.tail()}"
    yield shared
    assert shared.is_alive(), f"the shared broker died in this test:\n{shared.tail()}"


@pytest.fixture(scope="session")
def apache_kafka(tmp_path_factory):
    """One broker of Apache Kafka for all tests that neither stop nor configure it: it takes seconds to start."""
    one = apache.ApacheKafka(tmp_path_factory.mktemp("apache"))
    yield one.start()
    one.end()


@pytest.fixture(scope="session")
def old_apache_kafka(tmp_path_factory):
    """The same with nothing but what Kafka 2.8 offers."""
    if apache.version() < (3, 1):
        pytest.skip("this Apache Kafka is as old by itself")
    one = Aged(apache.ApacheKafka(tmp_path_factory.mktemp("old-apache")).start_behind, KAFKA_2_8)
    yield one
    one.end()
    one.close()


@pytest.fixture(scope="session")
def apache_brokers(tmp_path_factory):
    """Three of Apache's, which take long to start: `apache_cluster` is what tests ask for."""
    several = apache.ApacheCluster(tmp_path_factory.mktemp("apache-cluster") / "brokers")
    try:
        yield several.start()
    finally:
        several.kill()


@pytest.fixture
def apache_cluster(apache_brokers):
    """All of them run, whatever the test before has done to them."""
    gone = [node for node in apache_brokers.nodes if not node.is_alive()]
    for node in gone:
        node.launch()
    for node in gone:
        node.await_ready()
    return apache_brokers


@pytest.fixture
def private(tmp_path, request):
    """Makes brokers of the test's own: `private({"key": "value"})`, already started. All are ended afterwards."""
    made = []

    def make(overrides=None, start=True):
        broker = Broker(tmp_path / f"broker{len(made)}", overrides)
        made.append(broker)
        return broker.start() if start else broker

    request.node.private_brokers = made
    yield make
    for broker in made:
        broker.kill()


@pytest.fixture
def cluster(tmp_path, request):
    """Makes clusters of the test's own, already started: `cluster(["eu", "us", "ap"])`. All are ended afterwards."""
    made = []

    def make(regions=("eu", "us", "ap"), overrides=None, brokers=(), start=True):
        one = Cluster(tmp_path / f"cluster{len(made)}", regions, overrides, brokers)
        made.append(one)
        request.node.private_brokers = one.nodes
        return one.start() if start else one

    yield make
    for one in made:
        one.kill()


@pytest.fixture
def name(request):
    """A name that no other test uses, for a topic or a group."""
    return re.sub(r"[^A-Za-z0-9._-]", "-", request.node.name)[:80] + f"-{next(_numbers)}"


def pytest_report_header():
    try:
        return f"swiftwater: {binary()}"
    except RuntimeError as error:
        return str(error)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    outcome = yield
    report = outcome.get_result()
    if not report.failed:
        return
    funcargs = getattr(item, "funcargs", {})
    brokers = [b for b in (funcargs.get("broker"), funcargs.get("shared")) if b][:1]
    for broker in brokers + list(getattr(item, "private_brokers", [])):
        state = "alive" if broker.is_alive() else "dead"
        report.sections.append((f"log of the broker on {broker.bootstrap} ({state})", broker.tail()))
    for world in getattr(item, "worlds", []):
        report.sections.append(("the clusters", world.report()))
