"""Features of the cluster (KIP-584), as an admin client sees and sets them."""

import pytest
from kafka import KafkaAdminClient
from kafka.errors import KafkaError


@pytest.fixture
def client(broker):
    made = KafkaAdminClient(bootstrap_servers=broker.bootstrap)
    yield made
    made.close()


def test_the_levels_that_are_on_are_told(client):
    features = client.describe_features()
    assert features["metadata.version"]["finalized"][1] == features["metadata.version"]["supported"][1]
    assert features["group.version"]["finalized"][1] == 1
    assert "finalized" not in features["kraft.version"] or features["kraft.version"]["finalized"][1] == 1


def test_a_level_that_is_on_may_be_asked_for_and_another_is_refused(client):
    level = client.describe_features()["metadata.version"]["finalized"][1]
    client.update_features({"metadata.version": level})
    with pytest.raises(KafkaError, match="Invalid update version"):
        client.update_features({"metadata.version": level + 1})
