"""The card terminal loses its power, alone or together with the lane (P12, P13).

It keeps its store: what it charged it can tell again.
"""

from __future__ import annotations

import signal

import pytest


def test_a_terminal_killed_before_the_card_came_charges_only_the_second_time(slow_shop):
    shop = slow_shop
    shop.open(*shop.LIST)
    shop.until_shown("Paying", "waiting_for_card")
    shop.terminal.kill()
    shop.until_shown("OutcomeUnknown")
    shop.terminal.start("--auto-present-ms", "0")
    assert shop.ended() == 0
    shop.check_bought()
    assert [one["state"] for one in shop.terminal.ledger()] == ["cut", "approved"]


def test_a_basket_stays_frozen_while_lane_and_terminal_are_both_dark(slow_shop):
    shop = slow_shop
    lane = shop.open(*shop.LIST)
    shop.until_shown("Paying", "waiting_for_card")
    shop.terminal.kill()
    shop.kill(lane)
    shop.open(*shop.LIST)
    # The lane is back first: it waits for the terminal and does not give up.
    shop.until_shown("OutcomeUnknown")
    shop.terminal.start("--auto-present-ms", "0")
    assert shop.ended() == 0
    shop.check_bought()


def test_a_card_taken_while_the_lane_was_dark_is_found_after_the_terminal_was_too(
    slow_shop,
):
    shop = slow_shop
    lane = shop.open(*shop.LIST)
    shop.until_shown("Paying", "waiting_for_card")
    shop.kill(lane)
    assert shop.terminal.tell("present_card", wait_seconds=5)
    attempt = shop.terminal.ledger()[-1]["id"]
    assert shop.terminal.tell("wait_for", attempt_id=attempt, state="approved")
    shop.terminal.kill()
    shop.terminal.start()
    assert shop.buy() == 0
    shop.check_bought()
    assert len(shop.terminal.ledger()) == 1


@pytest.mark.parametrize(
    "step",
    [
        "before append TenderResult 1",
        "after append TenderResult 1",
        "after result 1",
        "before append TenderConfirmed 1",
    ],
)
def test_a_terminal_that_takes_back_what_nobody_acknowledged_never_sells_for_nothing(
    slow_shop, step
):
    shop = slow_shop
    shop.terminal.tell("auto_reverse", on=True)
    shop.terminal.tell("present_automatically", after_ms=0)
    assert shop.buy(die_at=step) == -signal.SIGKILL
    assert shop.buy() == 0
    shop.check_bought()
