"""From Welcome to Thank you on the glass, with the real lane behind it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest
from msgspec.structs import replace

from kiosk.asked import DeedAsked, ItemPicked, PinGiven
from kiosk.domain.catalog import line_of
from kiosk.domain.effects import Authorize, CheckPin, PrepareTender, PrintReceipt, Serve
from kiosk.domain.events import (
    BaggingWeight,
    DeviceChanged,
    Event,
    ItemFound,
    MoreTimePressed,
    PayPressed,
    PinChecked,
    PinTried,
    ReceiptPrinted,
    Restarted,
    RosterChanged,
    RulesChanged,
    ServiceAsked,
    ServiceEnded,
    StartPressed,
    TenderConfirmed,
    TenderMoment,
    TenderResult,
    TenderStarted,
    TimeLimitReached,
    WeightSettled,
)
from kiosk.domain.lane import advance
from kiosk.domain.policy import BaggingPolicy
from kiosk.domain.state import Idle, Lane
from kiosk.domain.tax import TaxRate, TaxRules
from kiosk.domain.tender import CardResult, Outcome
from kiosk.ui.gallery import ANA, LINES, NOON_MS, RULES, WINE, Shelf

pytestmark = pytest.mark.gui

PIN = "246810"


class Shop:
    """The lane behind the glass: what a tap posts is advanced, and shown again."""

    def __init__(self, stage) -> None:
        self.stage = stage
        self.lane = Lane()
        self.ids: Iterator[int] = count(1)
        taxes = TaxRules(inclusive=True, rates=(TaxRate("standard", 190000, "A"),))
        rules = replace(RULES, pricing=replace(RULES.pricing, taxes=taxes))
        self.happens(RulesChanged(rules), RosterChanged(1, (ANA,)))
        for device in ("scanner", "printer", "terminal"):
            self.happens(DeviceChanged(device, "ready"))
        self.happens(Restarted("test", "boot", 0, NOON_MS))

    def happens(self, *events: Event) -> None:
        """Let something happen, and carry out what the lane wants."""
        for event in events:
            self.lane, effects = advance(self.lane, event)
            for effect in effects:
                match effect:
                    case PrepareTender(tender=tender):
                        self.happens(TenderStarted(tender, "T1", 7, at_ms=NOON_MS))
                    case Authorize(attempt=attempt):
                        self.attempt = attempt
                    case PrintReceipt(sale=sale):
                        self.printed = sale
                    case Serve():
                        self.wanted = effect
                    case CheckPin(attendant=attendant, nonce=nonce):
                        right = self.pin == PIN
                        self.happens(PinChecked(attendant, nonce, right, NOON_MS))
                    case _:
                        pass
        self.stage.app.show(self.lane)
        self.stage.frame()

    def taps(self, *names: str) -> None:
        """Tap, and give the lane what was posted."""
        for name in names:
            self.stage.posted.clear()
            # Nobody hits Pay in the moment it appears.
            self.stage.at += 1
            self.stage.tap(name)
            for posted in list(self.stage.posted):
                match posted:
                    case ItemPicked(item_id=item_id):
                        item = Shelf().item(item_id)
                        assert item is not None
                        line = line_of(item, item.prices[0].minor)
                        self.happens(ItemFound(line, at_ms=NOON_MS))
                    case PinGiven(attendant=attendant, pin=pin):
                        self.pin = pin
                        self.happens(PinTried(attendant, f"n{next(self.ids)}", NOON_MS))
                    case DeedAsked(deed=deed, attendant=attendant):
                        self.happens(ServiceAsked(deed, attendant))
                    case StartPressed():
                        self.happens(StartPressed(NOON_MS, f"b{next(self.ids)}"))
                    case PayPressed():
                        self.happens(PayPressed(NOON_MS, f"a-{next(self.ids):08d}"))
                    case _:
                        self.happens(posted)

    def scans(self, line) -> None:
        sold = replace(line, line_no=0)
        self.happens(ItemFound(sold, at_ms=NOON_MS, basket_id=f"b{next(self.ids)}"))

    def card(self, outcome: Outcome) -> None:
        attempt = self.attempt
        done = CardResult(outcome, attempt.amount_minor, attempt.currency)
        self.happens(TenderResult(attempt.attempt_id, done, NOON_MS))
        if outcome is Outcome.APPROVED:
            self.happens(TenderConfirmed(attempt.attempt_id, NOON_MS))

    def sign_on(self) -> None:
        self.taps("staff", "key_1", "key_0", "key_0", "key_1", "enter")
        self.taps(*(f"key_{digit}" for digit in PIN), "enter")

    @property
    def view(self) -> str:
        name: str = self.stage.app.screen.view.name
        return name

    @property
    def total(self) -> str:
        amount: str = self.stage.app.screen.view.total.amount
        return amount


@pytest.fixture
def shop(stage) -> Shop:
    stage.show(Lane())
    return Shop(stage)


def test_a_shopper_buys_pays_and_takes_a_receipt(shop):
    assert shop.view == "attract"
    shop.scans(LINES[0])
    shop.scans(LINES[1])
    shop.taps("produce", "page_1", "item_plu_4001")
    assert shop.view == "weighing"
    shop.happens(WeightSettled(1000))
    assert shop.total == "€7.77"

    shop.taps("pay")
    assert shop.view == "paying_asked"
    shop.happens(TenderMoment(shop.attempt.attempt_id, "card_seen"))
    assert "back" not in shop.stage.names()
    shop.card(Outcome.APPROVED)
    assert shop.view == "receipt"

    shop.taps("receipt_paper")
    assert shop.printed.figures.total_minor == 777
    shop.happens(ReceiptPrinted(shop.printed.sale_seq))
    assert shop.view == "thanks"
    timer = shop.lane.timers["thanks"]
    shop.happens(TimeLimitReached("thanks", timer.generation))
    assert shop.view == "attract"


def test_wine_waits_for_an_attendant_and_is_then_paid(shop):
    shop.scans(WINE)
    shop.taps("pay")
    assert shop.view == "intervention_approvals"

    shop.sign_on()
    assert shop.view == "attendant_approve"
    shop.taps("approve", "pay")

    assert shop.view == "paying_asked"


def test_without_an_attendant_the_shopper_gets_back_to_the_list(shop):
    shop.scans(WINE)
    shop.taps("pay", "go_on")
    assert shop.view == "scanning"


def test_a_wrong_pin_opens_nothing(shop):
    shop.scans(LINES[0])
    shop.taps("staff", "key_1", "key_0", "key_0", "key_1", "enter")
    shop.taps(*(f"key_{digit}" for digit in "111111"), "enter")

    assert shop.view == "pin_wrong"
    shop.taps("back", "back")
    assert shop.view == "scanning"


def test_a_refused_card_leads_to_another_try(shop):
    shop.scans(LINES[0])
    shop.taps("pay")
    shop.card(Outcome.DECLINED)
    assert shop.view == "declined_declined"

    shop.taps("pay")
    shop.card(Outcome.APPROVED)

    assert shop.view == "receipt"


def test_a_payment_without_an_answer_is_settled_by_an_attendant(shop):
    shop.scans(LINES[0])
    shop.taps("pay")
    shop.card(Outcome.UNKNOWN)
    assert shop.view == "unknown"

    shop.sign_on()
    shop.taps("settle", "settle_0", "decide_paid", "reason_bank", "enter")

    assert shop.view == "receipt"


def test_an_attendant_ends_a_sale_and_closes_the_lane(shop):
    shop.scans(LINES[0])
    shop.sign_on()
    shop.taps("void_sale", "reason_customer_left")
    assert shop.view == "attract"

    shop.sign_on()
    shop.taps("close_lane")
    assert shop.view == "closed_attendant"

    shop.sign_on()
    shop.taps("open_lane")
    assert isinstance(shop.lane.mode, Idle)


def test_a_technician_tries_the_terminal_and_the_lane_sells_on(shop):
    shop.sign_on()
    shop.taps("service", "tab_work", "try_terminal", "yes")
    assert shop.view == "service_doing_try_terminal"
    begun = shop.wanted
    shop.scans(LINES[0])
    shop.taps("stop")
    assert (shop.wanted.deed, shop.view) == ("stop_trial", "service_doing_try_terminal")

    shop.happens(ServiceEnded("try_terminal", begun.asked, "done", "T1"))
    assert shop.view == "service_try_terminal_done"
    shop.taps("ok", "leave")
    shop.scans(LINES[0])
    assert shop.view == "scanning"


def test_a_technician_copies_the_logs_and_the_lane_sells_on(shop):
    shop.sign_on()
    shop.taps("service", "tab_work", "logs")
    assert shop.view == "service_doing_logs"
    shop.scans(LINES[0])
    assert shop.view == "service_doing_logs"

    shop.happens(ServiceEnded("logs", shop.wanted.asked, "stick_pulled"))
    assert shop.view == "service_logs_stick_pulled"
    shop.taps("ok", "logs")
    shop.happens(ServiceEnded("logs", shop.wanted.asked, "done", "a.jsonl.gz"))
    shop.taps("ok", "leave")
    assert shop.view == "attract"
    shop.scans(LINES[0])
    assert shop.view == "scanning"


def test_a_basket_is_put_aside_and_taken_up_again(shop):
    shop.scans(LINES[0])
    shop.sign_on()
    shop.taps("suspend")

    assert shop.view == "attract"
    assert len(shop.lane.suspended) == 1


def test_training_is_begun_marked_and_ended_on_the_glass(shop):
    shop.sign_on()
    shop.taps("training")
    assert [b.name for b in shop.stage.app.screen.view.banners] == ["training"]
    shop.scans(LINES[0])
    assert shop.view == "scanning"
    shop.taps("remove", "leave", "leave_yes")

    shop.sign_on()
    shop.taps("end_training")

    assert shop.stage.app.screen.view.banners == ()
    assert shop.view == "attract"


def test_a_shopper_who_was_away_goes_on(shop):
    shop.scans(LINES[0])
    timer = shop.lane.timers["idle"]
    shop.happens(TimeLimitReached("idle", timer.generation))
    assert shop.stage.names() == ["more_time"]

    shop.taps("more_time")

    assert shop.view == "scanning"
    assert MoreTimePressed() in shop.stage.posted


def test_a_weight_that_does_not_fit_is_answered_by_an_attendant(shop):
    rules = replace(shop.lane.rules, bagging=BaggingPolicy(is_on=True), version="w")
    shop.happens(RulesChanged(rules), BaggingWeight(0))
    shop.scans(replace(LINES[0], piece_grams=1030))
    shop.happens(BaggingWeight(340))
    timer = shop.lane.timers["bagging_look"]
    shop.happens(TimeLimitReached("bagging_look", timer.generation))
    assert shop.view == "intervention_scale_mismatch"

    shop.taps("call")
    shop.sign_on()
    shop.taps("approve", "reason_not_bagged")

    assert shop.view == "scanning"


def test_the_language_changes_at_once_and_for_the_next_shopper_back(shop):
    shop.scans(LINES[0])
    shop.taps("lang_de")
    assert shop.stage.app.screen.view.title == "Nächsten Artikel scannen"

    shop.taps("remove", "leave", "leave_yes")

    assert shop.stage.app.screen.view.title == "Welcome"
