"""Planned switchovers back and forth under load, as hack/switchovers does them a thousand times."""

import random

import pytest
from mirrors import clients_end_with_their_test  # noqa: F401
from switchovers import PartitionCheck, Writer, perform


@pytest.mark.timeout(300)
def test_ten_switchovers_under_load_lose_and_double_nothing(tmp_path):
    done = perform(tmp_path, rounds=10, chance=random.Random(1), calm=0, say=lambda _: None)
    assert done.rounds == 10 and done.records > 1000
    assert done.staying.count > 100 and done.moving.count > 100


@pytest.mark.parametrize(
    "numbers, said",
    [
        ([0, 1, 2, 3], None),
        ([0, 1, 3], "2 of w was acknowledged at 2 and is not there"),
        ([0, 1, 2], "1 acknowledged records of w are missing"),
        ([0, 1, 1, 2, 3], "doubled, or out of order"),
        ([0, 2, 1, 3], "1 of w was acknowledged at 1 and is not there"),
        ([0, 1, 2, 3, 4], "was never acknowledged"),
    ],
)
def test_what_reads_everything_back_finds_what_is_lost_doubled_or_moved(numbers, said):
    writer = Writer("w", 1)
    for number in range(4):
        for column in writer.acknowledged[0]:
            column.append(number)
    check = PartitionCheck("here", 0, [writer])

    def read():
        for offset, number in enumerate(numbers):
            check.take(offset, b"w-%010d" % number)
        return check.end()

    if said is None:
        assert read()[0] == 4
        return
    with pytest.raises(AssertionError, match=said):
        read()
