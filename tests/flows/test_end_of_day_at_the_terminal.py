"""The card terminal wants its end of day, gets it, or does not get through."""

from msgspec.structs import replace
from played import BREAD

from kiosk.domain.effects import Alarm, CloseDay, PrepareTender, SettleTerminal
from kiosk.domain.events import (
    DayEnded,
    DeviceChanged,
    PayPressed,
    Restarted,
    TenderResult,
    TerminalSettled,
    TrainingStarted,
)
from kiosk.domain.lane import resume
from kiosk.domain.state import Closed, Idle, Training
from kiosk.domain.tender import CardResult, Outcome

REQUIRED = DeviceChanged("terminal", "absent", cause="settlement_required")
DONE = TerminalSettled(Outcome.APPROVED, sum_minor=249)
FAILED = TerminalSettled(Outcome.DECLINED, detail="77")


def test_the_end_of_the_lanes_day_is_the_terminals_too(lane):
    lane.after(DayEnded("2026-11-03"))
    assert lane.wants(CloseDay)
    assert lane.wants(SettleTerminal) == [SettleTerminal()]


def test_a_terminal_that_asks_for_it_gets_it_once(lane):
    assert lane.after(REQUIRED).wants(SettleTerminal) == [SettleTerminal()]
    assert lane.after(REQUIRED).wants(SettleTerminal) == []


def test_the_lane_sells_again_once_it_was_run(lane):
    lane.after(REQUIRED)
    assert lane.mode == Closed("trouble", "terminal")
    lane.after(DONE, DeviceChanged("terminal", "ready"))
    assert lane.mode == Idle()
    assert lane.state.settlement == ""


def test_a_payment_refused_for_it_starts_it(lane):
    lane.scan(BREAD)
    attempt = lane.start_payment()
    refused = CardResult(Outcome.DECLINED, error="settlement_required")
    assert lane.after(TenderResult(attempt, refused)).wants(SettleTerminal)


def test_it_waits_for_a_payment_whose_end_is_unknown(lane):
    lane.scan(BREAD)
    attempt = lane.start_payment()
    lane.after(TenderResult(attempt, CardResult(Outcome.UNKNOWN)), REQUIRED)
    assert lane.wants(SettleTerminal) == []
    assert "settle" in lane.state.timers


def test_no_card_is_asked_for_while_it_runs(lane):
    lane.after(DayEnded("2026-11-03")).scan(BREAD)
    lane.after(PayPressed())
    assert lane.wants(PrepareTender) == []
    assert lane.mode.notice == "no_card"


def test_a_failed_one_is_tried_again_later(lane):
    lane.after(REQUIRED, FAILED)
    assert lane.state.timers["settle"].seconds == 15 * 60
    assert lane.time_is_up("settle").wants(SettleTerminal) == [SettleTerminal()]


def test_one_that_fails_all_night_is_put_before_the_owner(lane):
    lane.after(REQUIRED)
    for _ in range(5):
        lane.after(FAILED).time_is_up("settle")
    assert lane.facts(Alarm) == [Alarm("the terminal's end of day failed 5 times")]


def test_totals_that_agree_raise_no_alarm(lane):
    lane.scan(BREAD).pay()
    lane.after(REQUIRED, DONE)
    assert lane.facts(Alarm) == []
    assert lane.state.card_sum_minor == 0


def test_totals_that_differ_are_put_before_the_owner(lane):
    lane.scan(BREAD).pay()
    lane.after(REQUIRED, replace(DONE, sum_minor=100))
    (alarm,) = lane.facts(Alarm)
    assert "100" in alarm.what
    assert "249" in alarm.what


def test_after_a_power_cut_it_is_run_again(lane):
    lane.after(REQUIRED, Restarted("r", "boot2", 60_000))
    assert SettleTerminal() in resume(lane.state)


def test_a_training_settles_nothing(lane):
    lane.sign_on().after(TrainingStarted("7"))
    assert isinstance(lane.mode, Training)
    assert lane.after(DayEnded("2026-11-03")).wants(SettleTerminal) == []
