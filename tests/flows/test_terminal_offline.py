"""The terminal's host is away: what it approves by itself, and how much the shop risks."""

import pytest
from msgspec.structs import replace
from played import BREAD

from kiosk.domain.effects import Alarm, CallAttendant, ExposureChanged, PrepareTender
from kiosk.domain.events import (
    DayEnded,
    DeviceChanged,
    PayPressed,
    ReversalResult,
    SaleReturned,
    TenderConfirmed,
    TenderResult,
    TerminalSettled,
)
from kiosk.domain.policy import OfflinePolicy
from kiosk.domain.state import Declined, Exposure
from kiosk.domain.tender import CardResult, Outcome

HOUR_MS = 3_600_000
POLICY = OfflinePolicy(
    enabled=True,
    max_per_payment_minor=300,
    max_count=2,
    max_sum_minor=600,
    max_age_hours=4,
)


@pytest.fixture
def lane(with_rules):
    return with_rules(offline=POLICY)


def pay_offline(lane):
    lane.scan(BREAD)
    attempt = lane.start_payment()
    approved = replace(lane.approval(attempt), approved_offline=True)
    lane.after(TenderResult(attempt, approved), TenderConfirmed(attempt))
    lane.time_is_up("receipt").time_is_up("thanks")
    return attempt


def asked(lane):
    """Press pay and return how the terminal is to be asked."""
    (wanted,) = lane.after(PayPressed()).wants(PrepareTender)
    return wanted


def test_an_offline_approval_is_counted_and_told(lane):
    pay_offline(lane)
    assert lane.state.exposure == Exposure(1, 249, lane.now)
    assert lane.facts(ExposureChanged) == [ExposureChanged(1, 249, lane.now)]


def test_an_online_approval_says_that_the_stored_ones_went_through(lane):
    pay_offline(lane)
    lane.scan(BREAD).pay()
    assert lane.state.exposure == Exposure()
    assert not lane.state.is_host_away


def test_within_the_limits_a_card_may_be_approved_offline(lane):
    pay_offline(lane)
    assert asked(lane.scan(BREAD)).require_online is False


def test_one_payment_too_many_must_be_online(lane):
    pay_offline(lane)
    pay_offline(lane)
    wanted = asked(lane.scan(BREAD))
    assert wanted.require_online
    assert wanted.is_host_away


def test_a_payment_too_large_must_be_online(lane):
    assert asked(lane.scan(BREAD, BREAD)).require_online


def test_an_old_unconfirmed_payment_stops_further_ones(lane):
    pay_offline(lane)
    lane.now += 5 * HOUR_MS
    assert asked(lane.scan(BREAD)).require_online


def test_where_the_shop_allows_none_every_payment_must_be_online(with_rules):
    assert asked(with_rules().scan(BREAD)).require_online


def test_an_approval_above_the_limit_is_kept_and_the_owner_is_told(with_rules):
    lane = with_rules()
    pay_offline(lane)
    assert len(lane.sales) == 1
    assert len(lane.facts(Alarm)) == 1
    assert CallAttendant("offline_limit") in lane.all_effects


def test_an_offline_payment_that_was_voided_is_no_risk_any_more(lane):
    attempt = pay_offline(lane)
    sale = lane.sales[0].sale
    lane.sign_on().after(SaleReturned(sale.sale_seq, "void", "7", "wrong", "r1"))
    lane.after(ReversalResult(attempt, "r1", CardResult(Outcome.APPROVED, 249, "EUR")))
    assert lane.state.exposure == Exposure()


def test_the_end_of_day_clears_what_was_stored(lane):
    pay_offline(lane)
    lane.after(DeviceChanged("terminal", "absent", cause="settlement_required"))
    lane.after(TerminalSettled(Outcome.APPROVED, sum_minor=249))
    assert lane.state.exposure == Exposure()


def test_a_terminal_without_an_end_of_day_clears_nothing(lane):
    pay_offline(lane)
    lane.after(DayEnded("2026-11-03"))
    lane.after(TerminalSettled(Outcome.NOT_SENT, is_needed=False))
    assert lane.state.settlement == ""
    assert lane.state.exposure.count == 1


def test_a_bank_out_of_reach_is_no_declined_card(lane):
    lane.scan(BREAD)
    attempt = lane.start_payment()
    lane.after(
        TenderResult(attempt, CardResult(Outcome.DECLINED, error="unreachable_host"))
    )
    assert isinstance(lane.mode, Declined)
    assert lane.mode.why == "no_card"
    assert lane.state.is_host_away
