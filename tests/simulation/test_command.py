"""`kiosk simulate` as a technician sees it."""

import pytest
import typer

from kiosk.bench.simulation import command
from kiosk.bench.simulation.day import Day
from kiosk.bench.simulation.story import Violation


class Broken(Day):
    """A day on which something is always wrong in the end."""

    trouble = ()

    def _check(self) -> None:
        raise Violation("a penny is missing")


def test_a_broken_promise_is_told_with_the_seed_that_repeats_it(monkeypatch, capsys):
    monkeypatch.setattr(command, "Day", Broken)
    with pytest.raises(typer.Exit) as ended:
        command.simulate(seed=7, runs=2, verbose=False, shoppers=2)
    told = capsys.readouterr().out
    assert ended.value.exit_code == 1
    assert "seed 7: Violation: a penny is missing" in told
    assert "kiosk simulate --seed 8 --runs 1 --shoppers 2 --verbose" in told
    assert "TenderStarted" in told


def test_two_processes_play_the_same_days_as_one(capsys):
    for jobs in (1, 2):
        command.simulate(seed=3, runs=12, verbose=False, shoppers=3, jobs=jobs)
    tables = capsys.readouterr().out.split("No promise was broken in 12 days.")
    assert _counts(tables[0]) == _counts(tables[1])


def _counts(table):
    """The table's rows, but for those about this machine's speed."""
    rows = [line for line in table.splitlines() if "│" in line]
    return [row for row in rows if "second" not in row]
