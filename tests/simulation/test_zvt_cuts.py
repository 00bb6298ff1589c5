"""Lane, terminal and wire are cut at every point of a ZVT payment, from seeds."""

from __future__ import annotations

import logging

import pytest
from terminal_cuts import Broken, play
from zvt_cuts import ZvtDesk

from hardware.ports import Answer, Outcome, PayResult, QueryResult
from hardware.terminal import zvt_outcome
from hardware.terminal.zvt import ZvtTerminal
from hardware.terminal.zvt_decide import refusal

SEEDS = 600


def play_all(seeds):
    for seed in range(1, seeds):
        play(seed, ZvtDesk)


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level(logging.ERROR)


@pytest.mark.parametrize("first", range(1, SEEDS, 100))
def test_no_cut_loses_or_doubles_money(first):
    runs = [play(seed, ZvtDesk) for seed in range(first, first + 100)]
    assert sum(run.recovered for run in runs) > 50
    assert sum(run.sold_minor for run in runs) > 0


def test_a_driver_that_takes_a_lost_end_for_a_no_is_found(monkeypatch):
    def trusting(attempt, end, told):
        result = honest(attempt, end, told)
        if result.outcome is Outcome.UNKNOWN:
            return refusal(0x6C, attempt)
        return result

    honest = zvt_outcome.paid
    monkeypatch.setattr(zvt_outcome, "paid", trusting)
    with pytest.raises(Broken, match="the terminal kept"):
        play_all(200)


def test_a_driver_that_asks_nothing_once_a_result_is_on_disk_is_found(monkeypatch):
    # The acknowledgement may not have arrived, and the terminal took it back (P6).
    def trusting(self, attempt):
        if attempt.reference:
            paid = PayResult(Outcome.APPROVED, attempt.amount_minor, attempt.currency)
            return QueryResult(Answer.FOUND, paid)
        return honest(self, attempt)

    honest = ZvtTerminal.query
    monkeypatch.setattr(ZvtTerminal, "query", trusting)
    with pytest.raises(Broken, match="the terminal kept"):
        play_all(2000)
