"""The lane under a simulated day of shoppers, faults and power cuts."""

import os
import subprocess
import sys

import pytest

from kiosk.bench.simulation.day import Day


@pytest.mark.parametrize("start", range(0, 40, 10))
def test_no_promise_is_broken_on_days_full_of_trouble(start):
    for seed in range(start, start + 10):
        tally = Day(seed).run()
        assert tally.shoppers == 20


def test_a_quiet_day_sells_to_most_of_its_shoppers():
    class Quiet(Day):
        trouble = ()

    day = Quiet(5)
    tally = day.run()
    assert tally.sales >= 10
    assert (tally.power_cuts, tally.kills, tally.disk_failures) == (0, 0, 0)


_HEADS = """
from kiosk.bench.simulation.day import Day
for seed in range(100, 104):
    day = Day(seed)
    day.run()
    print(day.written.seq, day.written.digest)
"""


def test_a_seed_gives_the_same_day_to_the_last_digest():
    heads = [
        subprocess.run(
            [sys.executable, "-c", _HEADS],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert heads[0] == heads[1]
    assert len(set(heads[0].splitlines())) == 4
