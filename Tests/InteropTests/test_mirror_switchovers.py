"""Planned switchovers back and forth under load, as hack/switchovers does them a thousand times."""

import random

import pytest
from mirrors import clients_end_with_their_test  # noqa: F401
from switchovers import perform


@pytest.mark.timeout(300)
def test_ten_switchovers_under_load_lose_and_double_nothing(tmp_path):
    said = []
    done = perform(tmp_path, rounds=10, every=10, chance=random.Random(1), say=said.append)
    assert done.rounds == 10 and done.records > 1000
    assert done.staying.count > 500 and done.moving.count > 500
