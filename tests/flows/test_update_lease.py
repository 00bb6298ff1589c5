"""The machine restarts into another release only while nobody is served."""

from __future__ import annotations

import pytest
from played import BREAD

from kiosk.domain.effects import AnswerUpdater
from kiosk.domain.events import (
    BasketSuspended,
    DeviceChanged,
    HelpPressed,
    LaneClosed,
    LaneOpened,
    PowerChanged,
    ReceiptChosen,
    Restarted,
    StaffPressed,
    StartPressed,
    TenderResult,
    TrainingStarted,
    UpdateAsked,
)
from kiosk.domain.lane import decode_state, encode_state
from kiosk.domain.state import Closed, Idle
from kiosk.domain.tender import CardResult, Outcome

ASKED = UpdateAsked("2.0.0", "q1")


def answer(lane):
    [given] = lane.after(ASKED).wants(AnswerUpdater)
    assert given.asked == "q1"
    return given.refusal


def test_an_idle_lane_closes_and_says_so(lane):
    assert answer(lane) == ""
    assert lane.mode == Closed("update", "2.0.0")
    assert lane.state.lease == "2.0.0"


def test_nothing_is_sold_while_the_machine_restarts(lane):
    lane.after(ASKED).scan(BREAD).after(StartPressed())
    assert isinstance(lane.mode, Closed)


def with_basket(lane):
    lane.scan(BREAD)


def with_a_suspended_basket(lane):
    lane.scan(BREAD).sign_on().after(BasketSuspended("7", "fetches money"))


def with_a_payment(lane):
    lane.scan(BREAD).start_payment()


def with_a_payment_of_unknown_end(lane):
    attempt = lane.scan(BREAD).start_payment()
    lane.after(TenderResult(attempt, CardResult(Outcome.UNKNOWN)))


def with_thanks(lane):
    lane.scan(BREAD).pay()


def with_a_receipt_in_the_printer(lane):
    lane.scan(BREAD).pay()
    lane.after(ReceiptChosen("paper"))


def with_the_pin_pad_open(lane):
    lane.after(StaffPressed())


def with_a_service_session(lane):
    lane.sign_on()


def with_somebody_called(lane):
    lane.after(HelpPressed("other"))


def in_training(lane):
    lane.sign_on().after(TrainingStarted("7"))


def on_battery(lane):
    lane.after(PowerChanged("battery"))


@pytest.mark.parametrize(
    ("arrange", "why"),
    [
        (with_basket, "basket"),
        (with_a_suspended_basket, "suspended"),
        (with_a_payment, "basket"),
        (with_a_payment_of_unknown_end, "basket"),
        (with_thanks, "basket"),
        (with_a_receipt_in_the_printer, "basket"),
        (with_the_pin_pad_open, "service"),
        (with_a_service_session, "service"),
        (with_somebody_called, "service"),
        (in_training, "service"),
        (on_battery, "battery"),
    ],
)
def test_it_does_not_close(lane, arrange, why):
    arrange(lane)
    mode = lane.mode
    assert answer(lane) == why
    assert lane.mode == mode
    assert lane.state.lease == ""


def test_a_receipt_still_owed_is_an_obligation(lane):
    with_a_receipt_in_the_printer(lane)
    lane.after(Restarted("r", "boot", 600_000))
    assert isinstance(lane.mode, Idle)
    assert answer(lane) == "obligation"


def test_a_lane_without_rules_is_only_starting(lane):
    assert lane.state.rules is not None
    lane.state = decode_state(encode_state(type(lane.state)()))
    assert answer(lane) == "starting"


def test_it_opens_again_by_itself_when_no_restart_came(lane):
    lane.after(ASKED).time_is_up("lease")
    assert isinstance(lane.mode, Idle)
    assert lane.state.lease == ""


def test_a_device_that_comes_and_goes_neither_opens_it_nor_gives_it_more_time(lane):
    lane.after(ASKED)
    timer = lane.state.timers["lease"]
    lane.after(DeviceChanged("scanner", "absent"), DeviceChanged("scanner", "ready"))
    assert lane.mode == Closed("update", "2.0.0")
    assert lane.state.timers["lease"] == timer


def test_an_attendant_who_signs_on_meanwhile_does_not_open_it(lane):
    lane.after(ASKED).sign_on().after(LaneOpened("7"))
    lane.time_is_up("attendant")
    assert lane.mode == Closed("update", "2.0.0")


def test_it_opens_after_the_lease_even_under_an_attendant(lane):
    lane.after(ASKED).sign_on().time_is_up("lease").time_is_up("attendant")
    assert isinstance(lane.mode, Idle)


def test_the_next_start_opens_it(lane):
    lane.after(ASKED, Restarted("2.0.0", "boot2", 60_000))
    assert isinstance(lane.mode, Idle)
    assert lane.state.lease == ""


def test_what_an_attendant_closed_stays_closed_after_the_update(lane):
    lane.sign_on().after(LaneClosed("7", "attendant"))
    assert answer(lane) == ""
    assert lane.mode == Closed("attendant")
    lane.after(Restarted("2.0.0", "boot2", 60_000))
    assert lane.mode == Closed("attendant")


def test_mains_that_fail_during_the_lease_are_shown_and_come_back_to_it(lane):
    lane.after(ASKED, PowerChanged("battery"))
    lane.time_is_up("power_no_basket")
    assert lane.mode == Closed("battery")
    lane.after(PowerChanged("mains"))
    assert lane.mode == Closed("update", "2.0.0")
