"""The bagging scale: what was scanned must come to lie there, and nothing else."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from played import APPLES, BREAD, RULES, WINE, PlayedLane

from kiosk.domain.effects import CallAttendant, InterventionEnded, InterventionMade
from kiosk.domain.events import (
    BaggingWeight,
    BasketResumed,
    BasketSuspended,
    DeviceChanged,
    HelpPressed,
    InterventionApproved,
    InterventionRefused,
    LineVoided,
    OwnBagUsed,
    PayPressed,
    PriceOverridden,
    QuantityChanged,
    Restarted,
    WeightSettled,
)
from kiosk.domain.lane import decode_state, encode_state
from kiosk.domain.policy import BaggingPolicy
from kiosk.domain.state import Idle, Intervention, Paying, Scanning

LOAF = replace(BREAD, piece_grams=750, tolerance_grams=20)
MILK = replace(BREAD, item_id="milk", piece_grams=1030)
GUM = replace(BREAD, item_id="gum", piece_grams=4)
STRANGE = replace(BREAD, item_id="strange")


@pytest.fixture
def lane() -> PlayedLane:
    rules = replace(RULES, bagging=BaggingPolicy(is_on=True))
    return PlayedLane(rules).after(DeviceChanged("bagging", "ready"), BaggingWeight(0))


def asks(lane: PlayedLane) -> bool:
    """Does the lane ask about the weight, once what ran had its time?"""
    for name in ("bagging_look", "bagging_wait"):
        if name in lane.state.timers:
            lane.time_is_up(name)
    return isinstance(lane.mode, Intervention) and lane.mode.reason == "scale_mismatch"


def test_an_item_that_is_put_down_is_right(lane):
    lane.scan(LOAF).after(BaggingWeight(758))
    assert not asks(lane)
    lane.pay()
    assert len(lane.sales) == 1


@pytest.mark.parametrize("grams", [720, 780, 1500])
def test_a_weight_beyond_the_tolerance_is_asked_about_after_a_moment(lane, grams):
    lane.scan(LOAF).after(BaggingWeight(grams))
    assert isinstance(lane.mode, Scanning)
    assert lane.state.timers["bagging_look"].seconds == 2
    assert asks(lane)


def test_a_hand_on_the_scale_that_goes_away_in_time_is_never_mentioned(lane):
    lane.scan(LOAF).after(BaggingWeight(2900), BaggingWeight(750))
    assert "bagging_look" not in lane.state.timers
    assert lane.facts(InterventionMade) == []


def test_weight_without_a_scan_is_asked_about(lane):
    lane.scan(LOAF).after(BaggingWeight(750), BaggingWeight(1250))
    assert asks(lane)
    assert lane.mode.subject == "500"
    lane.after(BaggingWeight(751))
    assert isinstance(lane.mode, Scanning)


def test_the_shopper_is_asked_first_and_a_colleague_called_later(lane):
    lane.scan(LOAF).after(BaggingWeight(2000))
    assert asks(lane)
    assert lane.facts(CallAttendant) == []
    lane.time_is_up("alone")
    assert lane.wants(CallAttendant) == [CallAttendant("scale_mismatch")]
    assert not lane.mode.is_quiet


def test_the_shopper_may_call_at_once(lane):
    lane.scan(LOAF).after(BaggingWeight(2000))
    assert asks(lane)
    lane.after(HelpPressed())
    assert lane.wants(InterventionMade) == [InterventionMade("scale_mismatch")]


def test_the_second_time_a_colleague_is_called_at_once(lane):
    lane.scan(LOAF).after(BaggingWeight(2000))
    assert asks(lane)
    lane.after(BaggingWeight(750), BaggingWeight(900))
    assert asks(lane)
    assert lane.wants(CallAttendant) == [CallAttendant("scale_mismatch")]


def test_an_item_that_is_not_put_down_is_asked_for(lane):
    lane.scan(LOAF)
    assert lane.state.timers["bagging_wait"].seconds == 20
    assert asks(lane)
    assert lane.mode.subject == "-750"
    lane.after(BaggingWeight(745))
    assert isinstance(lane.mode, Scanning)


def test_nobody_pays_for_what_does_not_lie_there(lane):
    lane.scan(LOAF).after(PayPressed())
    assert isinstance(lane.mode, Intervention)
    lane.after(BaggingWeight(750), PayPressed())
    assert isinstance(lane.mode, Paying)


def test_several_scans_may_be_put_down_in_any_order_and_together(lane):
    lane.scan(LOAF, MILK, LOAF).after(BaggingWeight(1030))
    assert not lane.state.timers.get("bagging_look")
    lane.after(BaggingWeight(2535))
    assert not asks(lane)


def test_tolerances_add_up_with_the_items_and_not_beyond(lane):
    lane.scan(LOAF, LOAF).after(BaggingWeight(1540))
    assert not asks(lane)
    lane.scan(LOAF, LOAF).after(BaggingWeight(1540 + 1550))
    assert asks(lane)


def test_many_steps_that_each_fit_never_drift_into_a_mismatch(lane):
    level = 0
    for _ in range(40):
        level += 768
        lane.scan(LOAF).after(BaggingWeight(level))
    assert not asks(lane)
    assert lane.state.bagging.level == level


def test_slow_drift_of_an_idle_scale_becomes_its_zero(lane):
    lane.scan(LOAF).after(BaggingWeight(750))
    lane.after(*(BaggingWeight(750 + n) for n in range(0, 60, 4)))
    assert not asks(lane)


def test_an_item_too_light_for_the_scale_is_not_waited_for(lane):
    lane.scan(GUM)
    assert not asks(lane)
    lane.after(BaggingWeight(4), PayPressed())
    assert isinstance(lane.mode, Paying)


def test_an_item_nobody_knows_the_weight_of_may_weigh_anything_once(lane):
    lane.scan(STRANGE).after(BaggingWeight(3333))
    assert not asks(lane)
    lane.after(BaggingWeight(6666))
    assert asks(lane)


def test_a_known_item_beside_an_unknown_one_does_not_use_up_its_freedom(lane):
    lane.scan(STRANGE, LOAF).after(BaggingWeight(750), BaggingWeight(2000))
    assert not asks(lane)


def test_what_was_weighed_for_its_price_is_expected_with_its_bag(lane):
    apples = replace(APPLES, tare_grams=10)
    lane.after(WeightSettled(510)).scan(apples).after(BaggingWeight(508))
    assert not asks(lane)


def test_an_own_bag_is_allowed_for_but_not_a_second_shopping(lane):
    lane.scan(LOAF).after(BaggingWeight(750), OwnBagUsed(), BaggingWeight(870))
    assert not asks(lane)
    lane.after(BaggingWeight(1300))
    assert asks(lane)


def test_an_own_bag_may_be_named_when_it_is_asked_about(lane):
    lane.scan(LOAF).after(BaggingWeight(750), BaggingWeight(900))
    assert asks(lane)
    lane.after(OwnBagUsed())
    assert isinstance(lane.mode, Scanning)


def test_own_bags_come_to_an_end(lane):
    lane.scan(LOAF).after(BaggingWeight(750))
    lane.after(OwnBagUsed(), OwnBagUsed(), OwnBagUsed())
    assert lane.state.bagging.bags == 2


def test_what_is_taken_off_the_list_must_leave_the_scale(lane):
    lane.scan(LOAF, MILK).after(BaggingWeight(1780), LineVoided(1), PayPressed())
    assert asks(lane)
    lane.after(BaggingWeight(1030))
    assert isinstance(lane.mode, Scanning)


def test_what_is_taken_off_before_it_was_put_down_is_forgotten(lane):
    lane.scan(LOAF).after(LineVoided(1))
    assert lane.state.bagging.pending == ()


def test_more_of_one_item_must_weigh_more(lane):
    lane.scan(LOAF).after(BaggingWeight(750), QuantityChanged(1, 3))
    lane.after(BaggingWeight(750 + 1500))
    assert not asks(lane)


def test_another_price_changes_no_weight(lane):
    lane.scan(LOAF).after(BaggingWeight(750)).sign_on()
    lane.after(PriceOverridden(1, 100, "7", "damaged"))
    assert lane.state.bagging.pending == ()


def test_an_attendant_who_looked_has_the_last_word_and_it_is_written(lane):
    lane.scan(LOAF).after(BaggingWeight(2000))
    assert asks(lane)
    asked = lane.mode.asked
    lane.sign_on().after(InterventionApproved(asked, "7", "pram"))
    assert isinstance(lane.mode, Scanning)
    assert lane.facts(InterventionEnded) == [
        InterventionEnded("scale_mismatch", "7", True)
    ]
    lane.after(PayPressed())
    assert isinstance(lane.mode, Paying)


def test_an_attendant_who_refuses_leaves_the_lane_waiting(lane):
    lane.scan(LOAF).after(BaggingWeight(2000))
    assert asks(lane)
    lane.sign_on().after(InterventionRefused(lane.mode.resume.asked, "7", "no"))
    assert isinstance(lane.mode, Intervention)


@pytest.mark.parametrize("health", ["absent", "degraded"])
def test_a_scale_that_fails_stops_the_checks_and_staff_are_told(lane, health):
    lane.scan(LOAF).after(BaggingWeight(2000))
    assert asks(lane)
    lane.after(DeviceChanged("bagging", health, "no answer"))
    assert isinstance(lane.mode, Scanning)
    assert CallAttendant("bagging") in lane.effects
    assert InterventionMade("bagging_failed") in lane.effects
    lane.scan(MILK)
    assert not asks(lane)
    lane.pay()
    assert len(lane.sales) == 1


def test_a_scale_that_comes_back_weighs_from_where_it_stands(lane):
    lane.scan(LOAF).after(DeviceChanged("bagging", "absent"))
    lane.after(DeviceChanged("bagging", "ready"), BaggingWeight(760))
    assert not asks(lane)
    lane.scan(MILK).after(BaggingWeight(1790))
    assert not asks(lane)
    lane.after(BaggingWeight(2500))
    assert asks(lane)


def test_a_lane_without_a_bagging_scale_weighs_nothing():
    lane = PlayedLane().scan(LOAF).after(BaggingWeight(9000))
    assert not asks(lane)
    lane.after(OwnBagUsed())
    lane.pay()
    assert len(lane.sales) == 1


def test_what_lay_there_before_the_first_scan_is_the_shoppers_own(lane):
    lane.after(BaggingWeight(620)).scan(LOAF).after(BaggingWeight(1370))
    assert not asks(lane)


def test_the_next_shopper_begins_at_nought(lane):
    lane.scan(LOAF).after(BaggingWeight(750))
    lane.pay()
    lane.after(BaggingWeight(0))
    lane.time_is_up("receipt").time_is_up("thanks")
    assert isinstance(lane.mode, Idle)
    lane.scan(MILK).after(BaggingWeight(1030))
    assert not asks(lane)


def test_weights_while_the_card_is_out_are_nobodys_business(lane):
    lane.scan(LOAF).after(BaggingWeight(750))
    lane.start_payment()
    lane.after(BaggingWeight(0))
    assert isinstance(lane.mode, Paying)


def test_a_basket_taken_up_again_may_be_put_down_again(lane):
    lane.scan(LOAF, WINE).after(BaggingWeight(1900)).sign_on()
    lane.after(BasketSuspended("7", "purse"), BaggingWeight(0)).sign_on()
    (aside,) = lane.state.suspended
    lane.after(BasketResumed(aside.suspended_seq, "7", "2026-11-23"))
    lane.after(BaggingWeight(1900))
    assert not asks(lane)


def test_a_power_cut_in_between_forgets_nothing(lane):
    lane.scan(LOAF)
    lane.state = decode_state(encode_state(lane.state))
    lane.after(Restarted("test", "boot2", 5_000), BaggingWeight(0))
    assert "bagging_wait" in lane.state.timers
    lane.after(BaggingWeight(750))
    assert not asks(lane)


def test_a_whole_trolley_of_scans_is_weighed_up_in_no_time(lane):
    lane.scan(*[MILK, LOAF] * 30)
    assert len(lane.state.bagging.pending) <= 8
    lane.after(BaggingWeight(30 * 1780))
    assert not asks(lane)
