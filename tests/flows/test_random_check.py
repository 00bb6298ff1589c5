"""A shop without a bagging scale looks into some baskets, drawn by lot."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from played import BREAD, RULES, WATER, WINE, PlayedLane

from kiosk.domain import body as bodies
from kiosk.domain.effects import BasketChecked, CheckDrawn, InterventionMade
from kiosk.domain.events import (
    AttendantLeft,
    BackPressed,
    BaggingWeight,
    DeviceChanged,
    InterventionApproved,
    InterventionRefused,
    ItemFound,
    ItemUnknown,
    LineVoided,
    PayPressed,
    PriceOverridden,
)
from kiosk.domain.lane import advance
from kiosk.domain.policy import BaggingPolicy, CheckPolicy
from kiosk.domain.report import Checks, fold
from kiosk.domain.state import Attending, Intervention, Lane, Paying, Scanning

CHECKS = CheckPolicy(
    rate_per_10000=100,
    per_removal_per_10000=300,
    new_price_per_10000=500,
    age_per_10000=200,
    highest_per_10000=1000,
    items=2,
)
RICE = replace(BREAD, item_id="rice")


def lane_with(checks: CheckPolicy = CHECKS, *, scale: bool = False) -> Any:
    bagging = BaggingPolicy(is_on=scale)
    return PlayedLane(replace(RULES, checks=checks, bagging=bagging))


def asked_at(lane: Any, draw: int) -> bool:
    lane.after(PayPressed(draw=draw))
    return is_at(lane, Intervention) and lane.mode.reason == "random_check"


def is_at(lane: Any, mode: type[Any]) -> bool:
    return isinstance(lane.mode, mode)


def checked(lane: Any) -> Any:
    """A lane whose attendant has begun to look into the basket."""
    assert asked_at(lane, 0)
    return lane.sign_on()


@pytest.mark.parametrize(("draw", "is_asked"), [(0, True), (99, True), (100, False)])
def test_the_lot_decides(draw, is_asked):
    lane = lane_with().scan(BREAD)
    assert asked_at(lane, draw) is is_asked
    assert lane.facts(CheckDrawn) == [CheckDrawn("b4", 100, is_asked)]


def test_a_shop_that_wants_none_draws_none():
    lane = lane_with(CheckPolicy()).scan(BREAD)
    assert not asked_at(lane, 0)
    assert lane.facts(CheckDrawn) == []


def test_what_was_taken_out_raises_the_lot():
    lane = lane_with().scan(BREAD, RICE, WATER).after(LineVoided(1), LineVoided(2))
    assert asked_at(lane, 699)


def test_an_age_limit_raises_the_lot():
    lane = lane_with().scan(WINE).after(PayPressed(draw=9999)).sign_on()
    lane.after(InterventionApproved(lane.mode.resume.asked, "7", "seen"))
    assert asked_at(lane, 299)


def test_a_price_set_by_hand_raises_the_lot():
    lane = lane_with().scan(BREAD).sign_on()
    lane.after(PriceOverridden(1, 100, "7", "damaged"), AttendantLeft())
    # 100, and 300 for the line struck out, and 500.
    assert asked_at(lane, 899)


def test_the_lot_is_never_higher_than_the_highest():
    lane = lane_with().scan(*[BREAD] * 9)
    for line_no in (1, 2, 3):
        lane.after(LineVoided(line_no))
    assert lane.state.mode.basket.removals == 3
    lane.scan(WINE, RICE).sign_on()
    lane.after(LineVoided(4, "7", "x"), LineVoided(5, "7", "x"), AttendantLeft())
    lane.after(PayPressed()).sign_on()
    lane.after(InterventionApproved(lane.mode.resume.asked, "7", "seen"))
    assert not asked_at(lane, 1000)
    assert lane.facts(CheckDrawn)[-1].chance_per_10000 == 1000


def test_pressing_pay_again_is_no_second_lot():
    lane = lane_with().scan(BREAD).after(PayPressed(draw=9999))
    assert is_at(lane, Paying)
    lane.after(BackPressed())
    assert not asked_at(lane, 0)


def test_more_in_the_basket_is_another_lot():
    lane = lane_with().scan(BREAD).after(PayPressed(draw=9999), BackPressed())
    lane.scan(RICE)
    assert asked_at(lane, 0)


def test_staff_scan_so_many_things_from_the_bags():
    lane = checked(lane_with().scan(BREAD, RICE, WATER))
    lane.after(ItemFound(RICE), ItemFound(WATER))
    assert is_at(lane, Attending)
    check = lane.mode.resume.check
    assert (check.items, check.found, check.unpaid) == (
        2,
        ("rice", WATER.item_id),
        (),
    )
    lane.after(InterventionApproved(lane.mode.resume.asked, "7", "seen"))
    assert lane.facts(BasketChecked) == [
        BasketChecked("b4", 100, 2, ("rice", WATER.item_id), (), "7", True)
    ]
    assert len(lane.mode.basket.standing) == 3
    lane.pay()
    assert len(lane.sales) == 1


def test_what_is_not_on_the_list_is_found_and_sells_nothing_by_itself():
    lane = checked(lane_with().scan(BREAD))
    lane.after(ItemFound(BREAD), ItemFound(BREAD), ItemUnknown("4099999000005"))
    check = lane.mode.resume.check
    assert check.unpaid == (BREAD.item_id, "4099999000005")
    lane.after(InterventionApproved(lane.mode.resume.asked, "7", "seen"))
    (fact,) = lane.facts(BasketChecked)
    assert not fact.is_good
    assert len(lane.mode.basket.standing) == 1


def test_a_basket_that_was_refused_is_looked_at_again():
    lane = checked(lane_with().scan(BREAD))
    lane.after(InterventionRefused(lane.mode.resume.asked, "7", "refused"))
    assert is_at(lane, Scanning)
    assert asked_at(lane, 9999)


def test_a_basket_that_was_looked_at_is_not_looked_at_again():
    lane = checked(lane_with().scan(BREAD))
    lane.after(InterventionApproved(lane.mode.resume.asked, "7", "seen"))
    assert not asked_at(lane, 0)


def test_the_shopper_has_no_way_round_and_scans_nothing_meanwhile():
    lane = lane_with().scan(BREAD)
    assert asked_at(lane, 0)
    lane.scan(RICE)
    assert lane.mode.check.found == ()
    assert lane.mode.check.unpaid == ()


def test_where_the_scale_saw_everything_no_lot_is_drawn():
    lane = lane_with(scale=True).after(BaggingWeight(0))
    lane.scan(BREAD).after(BaggingWeight(700))
    assert not asked_at(lane, 0)


def test_where_the_scale_failed_the_lot_takes_its_place():
    lane = lane_with(scale=True).after(BaggingWeight(0)).scan(BREAD)
    lane.after(DeviceChanged("bagging", "absent"))
    assert asked_at(lane, 0)


def test_a_replay_draws_the_same():
    lane = checked(lane_with().scan(BREAD, RICE)).after(ItemFound(RICE))
    again = Lane()
    for event in lane.events:
        again, _ = advance(again, event)
    assert again == lane.state


def test_the_report_says_how_many_were_to_be_expected():
    lane = checked(lane_with().scan(BREAD)).after(ItemFound(RICE))
    lane.after(InterventionApproved(lane.mode.resume.asked, "7", "seen"))
    facts = (*lane.facts(CheckDrawn), *lane.facts(BasketChecked))
    body = bodies.decode(bodies.encode(PayPressed(), facts))
    totals = fold([("PayPressed", False, body)])
    assert totals.checks == Checks(1, 100, 1, 0, 1, 1)
    assert InterventionMade("random_check") in lane.all_effects
