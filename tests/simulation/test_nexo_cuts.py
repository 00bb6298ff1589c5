"""Lane, terminal and wire are cut at every point of a nexo payment, from seeds."""

from __future__ import annotations

import logging

import pytest
from nexo_cuts import NexoDesk
from terminal_cuts import Broken, play

from hardware.ports import Outcome, PayResult
from hardware.terminal import nexo, nexo_outcome

SEEDS = 600


@pytest.fixture(autouse=True)
def quiet(caplog):
    caplog.set_level(logging.ERROR)


def play_all(seeds):
    for seed in range(1, seeds):
        play(seed, NexoDesk)


@pytest.mark.parametrize("first", range(1, SEEDS, 100))
def test_no_cut_loses_or_doubles_money(first):
    runs = [play(seed, NexoDesk) for seed in range(first, first + 100)]
    assert sum(run.recovered for run in runs) > 50
    assert sum(run.reversed for run in runs) > 10


def test_a_driver_that_takes_a_lost_answer_for_a_no_is_found(monkeypatch):
    def trusting(attempt, detail):
        return PayResult(Outcome.DECLINED, detail=detail)

    monkeypatch.setattr(nexo_outcome, "unknown", trusting)
    with pytest.raises(Broken, match="the terminal kept"):
        play_all(200)


def test_a_driver_that_believes_a_failure_in_clear_text_is_found(monkeypatch):
    def trusting(self, attempt, sink):
        result = honest(self, attempt, sink)
        if "clear text" in result.detail:
            return PayResult(Outcome.DECLINED, detail=result.detail)
        return result

    honest = nexo.NexoTerminal.pay
    monkeypatch.setattr(nexo.NexoTerminal, "pay", trusting)
    with pytest.raises(Broken, match="the terminal kept"):
        play_all(1000)


def test_a_driver_that_orders_a_reversal_anew_under_another_id_is_found(monkeypatch):
    # Each order would be a refund of its own, if the terminal took it for one.
    names = iter(range(10**6))
    monkeypatch.setattr(nexo, "service_id", lambda attempt_id: f"N{next(names):09d}")
    with pytest.raises(Broken):
        play_all(400)
