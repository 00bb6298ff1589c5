"""SIGKILL of the lane at every step between journal and device: the same basket, the
same payment, the same receipt (card-terminals.md 3.2, P0 to P9)."""

from __future__ import annotations

import signal

import pytest

# What is around each device and each entry of a sale, from first scan to receipt.
PLACES = (
    "append ItemFound 1",
    "append ItemFound 2",
    "append PayPressed 1",
    "watermark 1",
    "append TenderStarted 1",
    "pay 1",
    "append TenderMoment 1",
    "append TenderMoment 2",
    "append TenderMoment 3",
    "result 1",
    "append TenderResult 1",
    "on_disk 1",
    "append TenderConfirmed 1",
    "append ReceiptChosen 1",
    "print 1",
    "append ReceiptPrinted 1",
)
STEPS = [f"{side} {place}" for place in PLACES for side in ("before", "after")]
# The intent is on disk and nothing was asked: the shopper pays anew.
UNCHARGED = ("after append TenderStarted 1", "before pay 1")


def printed(shop):
    return shop.steps().count("after print 1")


def test_an_undisturbed_sale_passes_exactly_these_steps(shop):
    assert shop.buy() == 0
    passed = [step for step in shop.steps() if "DeviceChanged" not in step]
    begin = passed.index("before append ItemFound 1")
    assert sorted(passed[begin:]) == sorted(STEPS)
    shop.check_bought(prints=1)
    assert "COPY" not in shop.receipts()[0]["text"]


@pytest.mark.parametrize("step", STEPS)
def test_a_lane_killed_at_any_step_finishes_the_same_sale_once(shop, step):
    assert shop.buy(die_at=step) == -signal.SIGKILL
    assert shop.steps()[-1] == step
    shop.check_screen()
    prints = printed(shop)

    assert shop.buy() == 0
    prints += printed(shop)
    shop.check_bought(prints)
    attempts = {lane.mode.tender.attempt_id for lane in asked(shop)}
    assert len(attempts) == (2 if step in UNCHARGED else 1)


def asked(shop):
    """Return the lane at each entry at which the terminal had been asked."""
    return [lane for lane in shop.story() if getattr(lane.mode, "phase", "") == "asked"]


@pytest.mark.parametrize(
    "step",
    [
        "before append Restarted 1",
        "after append Restarted 1",
        "before query 1",
        "after query 1",
        "before append TenderQueried 1",
        "after append TenderQueried 1",
    ],
)
@pytest.mark.parametrize("first", ["before pay 1", "after pay 1"])
def test_a_lane_killed_again_while_it_recovers_still_charges_once(shop, first, step):
    assert shop.buy(die_at=first) == -signal.SIGKILL
    assert shop.buy(die_at=step) == -signal.SIGKILL
    assert shop.buy() == 0
    shop.check_bought(prints=1)


@pytest.mark.parametrize("step", ["before print 1", "after print 1"])
def test_a_receipt_killed_again_and_again_is_a_copy_each_time(shop, step):
    assert shop.buy(die_at="before print 1") == -signal.SIGKILL
    assert shop.buy(die_at=step) == -signal.SIGKILL
    prints = printed(shop)
    assert shop.buy() == 0
    shop.check_bought(prints + printed(shop))
    assert all("COPY" in receipt["text"] for receipt in shop.receipts())


def test_a_receipt_cut_in_half_is_printed_whole_and_marked(slow_printer_shop):
    shop = slow_printer_shop
    lane = shop.open(*shop.LIST)
    assert shop.printer.tell("wait_for_lines", count=3, seconds=10)
    shop.kill(lane)
    shop.printer.tell("slow", line_ms=0)
    assert shop.buy() == 0
    shop.check_bought(prints=1)
    assert "COPY" in shop.receipts()[-1]["text"]
