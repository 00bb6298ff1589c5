"""The mains go, the battery runs low, the plug is pulled."""

import pytest
from played import BREAD, WINE

from kiosk.domain.effects import OrderShutdown, PrintReceipt, PrintSlip
from kiosk.domain.events import (
    BasketResumed,
    PayPressed,
    PowerChanged,
    ReceiptChosen,
    ReceiptPrinted,
    Restarted,
)
from kiosk.domain.lane import decode_state, encode_state, resume
from kiosk.domain.state import Closed, Complete, Idle, Paying, Scanning

SECOND_MS = 1000


def on_battery(lane, stages=0):
    lane.after(PowerChanged("battery"))
    names = ("power_banner", "power_no_basket", "power_no_card", "power_suspend")
    for name in names[:stages]:
        lane.time_is_up(name)
    return lane


def test_a_blip_is_not_shown(lane):
    on_battery(lane).after(PowerChanged("mains"))
    assert lane.state.power_stage == 0
    assert lane.state.timers == {}


def test_after_20_seconds_no_new_basket_begins(lane):
    on_battery(lane, 2)
    assert lane.mode == Closed("battery")
    lane.scan(BREAD)
    assert lane.mode == Closed("battery")


def test_the_basket_in_hand_goes_on(lane):
    on_battery(lane.scan(BREAD), 2)
    lane.scan(BREAD)
    assert lane.total == 498


def test_after_60_seconds_no_new_card_is_asked_for(lane):
    on_battery(lane.scan(BREAD), 3).after(PayPressed())
    assert lane.mode.notice == "battery"


def test_a_payment_in_flight_is_never_interrupted(lane):
    lane.scan(BREAD)
    lane.start_payment()
    on_battery(lane, 4)
    assert isinstance(lane.mode, Paying)


def test_after_90_seconds_the_basket_is_put_aside_with_its_code(lane):
    on_battery(lane.scan(BREAD), 4)
    assert lane.wants(PrintSlip)[0].code == lane.state.suspended[0].code
    assert lane.wants(OrderShutdown)
    assert lane.mode == Closed("battery")


def test_low_battery_orders_the_shutdown_at_once(lane):
    lane.scan(BREAD).after(PowerChanged("low"))
    assert lane.wants(OrderShutdown)
    assert lane.state.suspended[0].figures.total_minor == 249


def test_mains_that_come_back_open_the_lane(lane):
    on_battery(lane, 4).after(PowerChanged("mains"))
    assert isinstance(lane.mode, Idle)


class TestResuming:
    @pytest.fixture
    def put_aside(self, lane):
        lane.scan(BREAD, WINE).after(PowerChanged("low"), PowerChanged("mains"))
        lane.kept = lane.state.suspended[0].suspended_seq
        return lane

    def test_within_three_minutes_the_shopper_goes_on_alone(self, put_aside):
        put_aside.now += 179 * SECOND_MS
        put_aside.after(BasketResumed(put_aside.kept))
        assert put_aside.total == 848

    def test_later_only_an_attendant_resumes(self, put_aside):
        put_aside.now += 181 * SECOND_MS
        put_aside.after(BasketResumed(put_aside.kept))
        assert isinstance(put_aside.mode, Idle)
        put_aside.sign_on("8").after(BasketResumed(put_aside.kept, "8"))
        assert isinstance(put_aside.mode, Scanning)

    def test_one_resume_per_suspend(self, put_aside):
        put_aside.after(BasketResumed(put_aside.kept))
        assert put_aside.state.suspended == ()

    def test_age_is_looked_at_again(self, put_aside):
        put_aside.after(BasketResumed(put_aside.kept))
        assert [a.reason for a in put_aside.mode.basket.waiting] == ["age"]

    def test_what_was_recalled_meanwhile_is_taken_out(self, put_aside):
        put_aside.after(BasketResumed(put_aside.kept, recalled=(1,)))
        assert put_aside.total == 599
        assert put_aside.mode.notice == "dropped_lines"


class TestThePlug:
    def test_a_short_cut_leaves_the_basket_where_it_was(self, lane):
        lane.scan(BREAD).after(Restarted("r", "boot2", 5 * SECOND_MS))
        assert lane.total == 249
        assert isinstance(lane.mode, Scanning)

    def test_a_long_cut_puts_the_basket_aside(self, lane):
        lane.scan(BREAD).after(Restarted("r", "boot2", 600 * SECOND_MS))
        assert isinstance(lane.mode, Idle)
        assert lane.state.suspended[0].why == "restart"

    def test_a_receipt_half_printed_is_printed_whole_as_a_copy(self, lane):
        lane.scan(BREAD).pay()
        lane.after(ReceiptChosen("paper"), Restarted("r", "boot2", 5 * SECOND_MS))
        (paper,) = [e for e in resume(lane.state) if isinstance(e, PrintReceipt)]
        assert paper.is_copy
        lane.after(ReceiptPrinted(paper.sale.sale_seq))
        assert resume(lane.state)[1:] == [
            e for e in resume(lane.state)[1:] if not isinstance(e, PrintReceipt)
        ]

    def test_the_receipt_question_is_still_there(self, lane):
        lane.scan(BREAD).pay()
        lane.after(Restarted("r", "boot2", 5 * SECOND_MS))
        assert isinstance(lane.mode, Complete)

    def test_a_state_is_read_back_as_it_was_written(self, lane):
        lane.scan(BREAD, BREAD).pay()
        lane.time_is_up("receipt").time_is_up("thanks")
        lane.scan(BREAD).after(PowerChanged("low"))
        assert decode_state(encode_state(lane.state)) == lane.state


def test_a_ups_that_falls_silent_changes_nothing(lane):
    lane.scan(BREAD).after(PowerChanged("unknown"))
    assert isinstance(lane.mode, Scanning)
    assert lane.state.power == "mains"


def test_a_ups_that_falls_silent_on_battery_is_on_battery_still(lane):
    on_battery(lane, 2).after(PowerChanged("unknown"))
    assert lane.mode == Closed("battery")


def test_an_ordered_shutdown_puts_the_basket_aside(lane):
    lane.scan(BREAD).after(PowerChanged("shutdown"))
    assert lane.mode == Closed("battery")
    assert len(lane.state.suspended) == 1
