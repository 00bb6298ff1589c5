"""Two rare things at once: each of these once went wrong."""

import msgspec
import pytest
from msgspec.structs import replace
from played import BREAD, DEPOSIT, RICE, RULES

from kiosk.domain.effects import Alarm, Authorize, Reverse, SaleMade
from kiosk.domain.events import (
    AttendantLeft,
    ClockDistrusted,
    InterventionApproved,
    ItemFound,
    PayPressed,
    PinChecked,
    PinTried,
    ReversalResult,
    RulesChanged,
    SaleReturned,
    StaffPressed,
    StateCarried,
    TenderQueried,
    TenderResult,
    TenderSettled,
    TenderStarted,
    TrainingEnded,
    TrainingStarted,
)
from kiosk.domain.modes import intervention
from kiosk.domain.state import Paying, Scanning, Training
from kiosk.domain.tender import Answer, CardResult, Outcome, Stage

DECLINED = CardResult(Outcome.DECLINED)


def sign_on(lane):
    """Sign on inside a training."""
    lane.after(StaffPressed(), PinTried("7", "n"), PinChecked("7", "n", True))


class TestAnApprovalAfterTheTerminalHadSaidNo:
    @pytest.fixture
    def late(self, lane):
        lane.scan(BREAD)
        lane.attempt = lane.start_payment()
        return lane.after(TenderResult(lane.attempt, DECLINED))

    def test_the_basket_is_not_asked_for_again_while_it_stands(self, late):
        late.after(TenderResult(late.attempt, late.approval(late.attempt)))
        late.after(PayPressed())
        assert late.mode.notice == "no_card"
        assert len(late.facts(Authorize)) == 1

    def test_not_even_when_pay_was_pressed_a_moment_before(self, late):
        late.after(PayPressed())
        tender = late.mode.tender
        late.after(
            TenderResult(late.attempt, late.approval(late.attempt)),
            TenderStarted(tender, "T1", 0),
        )
        assert isinstance(late.mode, Scanning)
        assert len(late.facts(Authorize)) == 1

    def test_once_staff_gave_it_back_the_shopper_pays(self, late):
        late.after(TenderResult(late.attempt, late.approval(late.attempt)))
        late.sign_on().after(TenderSettled(late.attempt, "reverse", "7", "late"))
        (back,) = late.facts(Reverse)
        returned = late.approval(late.attempt)
        late.after(ReversalResult(late.attempt, back.reversal_id, returned))
        late.after(AttendantLeft(), PayPressed())
        assert isinstance(late.mode, Paying)


def test_a_wrong_amount_raises_one_alarm_however_often_it_is_asked_about(lane):
    lane.scan(BREAD)
    attempt = lane.start_payment()
    wrong = CardResult(Outcome.APPROVED, 999, "EUR")
    lane.after(TenderResult(attempt, wrong))
    for _ in range(5):
        lane.after(TenderQueried(attempt, Answer.FOUND, wrong))
    assert len(lane.facts(Alarm)) == 1


def test_a_refund_that_was_cancelled_is_not_asked_for_again(lane):
    lane.scan(BREAD)
    attempt = lane.pay()
    (made,) = lane.facts(SaleMade)
    sale_seq = made.sale.sale_seq
    lane.time_is_up("receipt").time_is_up("thanks").sign_on()
    lane.after(SaleReturned(sale_seq, "refund", "7", "wrong", "f1"))
    lane.after(ReversalResult(attempt, "f1", CardResult(Outcome.CANCELLED)))
    assert lane.state.ledger[attempt].stage is Stage.SOLD
    assert f"query:{attempt}" not in lane.state.timers


def test_a_bottle_that_staff_allowed_keeps_its_deposit(lane):
    lane.scan(RICE, RICE).after(ItemFound(RICE, deposit=DEPOSIT)).sign_on()
    asked = intervention(lane.mode)
    assert asked is not None
    lane.after(InterventionApproved(asked.asked, "7", "party"))
    assert lane.total == 3 * 199 + 25


def test_training_does_not_begin_within_training(lane):
    lane.sign_on().after(TrainingStarted("7"))
    sign_on(lane)
    lane.after(TrainingStarted("7"))
    assert not isinstance(lane.mode.lane.mode, Training)
    lane.after(TrainingEnded("7"))
    assert not isinstance(lane.mode, Training)


def test_rules_that_come_while_training_hold_afterwards(lane):
    newer = replace(RULES, version="r2", receipt_required=True)
    lane.sign_on().after(TrainingStarted("7"), RulesChanged(newer))
    lane.scan(BREAD)
    lane.time_is_up("idle").time_is_up("extend").time_is_up("parked")
    sign_on(lane)
    lane.after(TrainingEnded("7")).scan(BREAD)
    assert lane.state.rules.version == "r2"


def test_yesterdays_offers_do_not_come_back_with_yesterdays_clock(lane):
    known = lane.now
    lane.now -= 365 * 86_400_000
    lane.after(ClockDistrusted(lane.now)).scan(BREAD)
    assert lane.mode.basket.started_ms == known


def test_a_state_of_a_later_release_keeps_what_was_known(lane):
    lane.after(StateCarried(msgspec.Raw(b'{"mode":{"type":"Flying"}}')))
    assert lane.state.rules == RULES
    assert lane.wants(Alarm)


def test_an_item_without_a_name_is_sold_by_its_number(lane):
    nameless = replace(BREAD, description={}, not_for_sale=True)
    lane.scan(nameless)
    assert lane.mode.notice_item == BREAD.item_id
