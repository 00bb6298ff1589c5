"""SIGKILL of lane and terminal in the midst of payments over ZVT and nexo: one charge,
one sale, whatever was cut (card-terminals.md 3.2, P1 to P8, P12, P13)."""

from __future__ import annotations

import signal

import pytest

PLACES = (
    "watermark 1",
    "append TenderStarted 1",
    "pay 1",
    "append TenderMoment 1",
    "result 1",
    "append TenderResult 1",
    "on_disk 1",
    "append TenderConfirmed 1",
)
STEPS = [f"{side} {place}" for place in PLACES for side in ("before", "after")]
# What the lane does while it asks how a payment ended.
ASKING = ("before query 1", "after query 1", "after append TenderQueried 1")


@pytest.mark.parametrize("step", STEPS)
def test_a_lane_killed_at_any_step_charges_and_sells_once(wired_shop, step):
    shop = wired_shop
    shop.terminal.tell("present_automatically", after_ms=0)
    assert shop.buy(die_at=step) == -signal.SIGKILL
    assert shop.buy() == 0
    shop.check_books()
    shop.check_baskets()


@pytest.mark.parametrize("step", STEPS)
def test_a_terminal_killed_with_the_lane_charges_and_sells_once(wired_shop, step):
    shop = wired_shop
    shop.terminal.tell("present_automatically", after_ms=0)
    assert shop.buy(die_at=step) == -signal.SIGKILL
    shop.terminal.kill()
    shop.terminal.start("--auto-present-ms", "0")
    assert shop.buy() == 0
    shop.check_books()
    shop.check_baskets()


@pytest.mark.parametrize("step", ASKING)
@pytest.mark.parametrize("first", ["before pay 1", "after result 1", "after pay 1"])
def test_a_lane_killed_again_while_it_asks_charges_once(wired_shop, first, step):
    shop = wired_shop
    shop.terminal.tell("present_automatically", after_ms=0)
    assert shop.buy(die_at=first) == -signal.SIGKILL
    assert shop.buy(die_at=step) == -signal.SIGKILL
    assert shop.buy() == 0
    shop.check_books()


def test_a_card_taken_while_the_lane_was_dark_is_found(wired_shop):
    shop = wired_shop
    lane = shop.open(*shop.LIST)
    shop.until_shown("Paying", "waiting_for_card")
    shop.kill(lane)
    assert shop.terminal.tell("present_card", wait_seconds=5)
    attempt = shop.terminal.ledger()[-1]["id"]
    assert shop.terminal.tell("wait_for", attempt_id=attempt, state="approved")
    shop.terminal.kill()
    shop.terminal.start()
    assert shop.buy() == 0
    shop.check_books()
    assert len(shop.terminal.ledger()) == 1


def test_a_terminal_killed_before_the_card_came_charges_only_the_second_time(
    wired_shop,
):
    shop = wired_shop
    shop.open(*shop.LIST)
    shop.until_shown("Paying", "waiting_for_card")
    # The lane has asked; a busy terminal may not have heard it yet.
    shop.until(lambda: bool(shop.terminal.ledger()), "payment at the terminal")
    shop.terminal.kill()
    shop.until_shown("OutcomeUnknown")
    shop.terminal.start("--auto-present-ms", "0")
    assert shop.ended() == 0
    shop.check_books()
    assert [one["state"] for one in shop.terminal.ledger()] == ["cut", "approved"]


@pytest.mark.parametrize("fault", ["answer_lost", "silent"])
def test_an_answer_that_never_comes_is_asked_for(wired_shop, fault):
    shop = wired_shop
    if (shop.terminal.wire, fault) == ("nexo", "silent"):
        pytest.skip("nexo waits 150 s for an answer: the cuts play it in virtual time")
    shop.terminal.tell("present_automatically", after_ms=0)
    shop.terminal.tell("fail_next", fault=fault)
    assert shop.buy() == 0
    shop.check_books()
