"""The metrics listener: /metrics, /livez, /readyz."""

import re
import urllib.error
import urllib.request

import pytest
from broker import free_port
from librdkafka import send


@pytest.fixture
def measured(private):
    """A broker with its metrics on, and a function that fetches a path from it."""
    port = free_port()
    broker = private({"metrics.port": str(port)})

    def get(path):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    return broker, get


LINE = re.compile(r'^[a-zA-Z_:][a-zA-Z0-9_:]*(\{[a-zA-Z_][a-zA-Z0-9_]*="[^"]*"(,[a-zA-Z_][a-zA-Z0-9_]*="[^"]*")*,?\})? [-+0-9.eEInfNa]+$')


def samples(text):
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line and line[0] != "#"}


def test_a_ready_broker_says_so(measured):
    _, get = measured
    assert get("/livez")[0] == 200
    assert get("/readyz")[0] == 200
    assert get("/nowhere")[0] == 404


def test_the_metrics_are_in_the_form_that_prometheus_reads(measured, name):
    broker, get = measured
    send(broker, name, [b"x"] * 100)
    status, text = get("/metrics")
    assert status == 200
    assert [line for line in text.splitlines() if line and not line.startswith("#") and not LINE.match(line)] == []
    names = set(re.findall(r"^# TYPE (\S+) ", text, re.M))
    assert names, "no metric says what it is"
    assert all(found.startswith(("swiftwater_", "process_", "kafka_")) for found in names), names


def test_what_is_produced_is_counted(measured, name):
    broker, get = measured
    send(broker, name, [b"x"])
    before = samples(get("/metrics")[1])
    send(broker, name, [b"y" * 1000] * 50)
    after = samples(get("/metrics")[1])
    grown = {key: after[key] - before.get(key, 0) for key in after}
    assert grown["kafka_server_brokertopicmetrics_bytesin_total"] >= 50_000, grown
    assert grown["kafka_server_brokertopicmetrics_messagesin_total"] == 50, grown
    assert grown['kafka_network_requestmetrics_totaltimems_count{request="Produce"}'] >= 1, grown
