"""The ZVT driver and a terminal's process, over TCP and over a serial line."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from queue import Queue

import pytest
from msgspec.structs import replace
from zvt_desk import TERMINAL_ID, ZvtDesk

from hardware.ports import (
    SETTLEMENT_REQUIRED,
    Answer,
    Attempt,
    DeviceState,
    Health,
    Outcome,
    PayResult,
    TerminalError,
    TerminalMoment,
    Watermark,
)


@pytest.fixture(params=["zvt", "zvt_serial"])
def desk(tmp_path, request) -> Iterator[ZvtDesk]:
    terminal = ZvtDesk(tmp_path, request.param)
    terminal.start()
    yield terminal
    terminal.driver.close()
    terminal.kill()


@pytest.fixture
def ready(desk: ZvtDesk) -> ZvtDesk:
    desk.tell("present_automatically", after_ms=0)
    return desk


def test_a_card_is_charged_once_and_told_before_it_is_acknowledged(ready, sink):
    result = ready.driver.pay(ready.attempt("a", 1299), sink)
    assert (result.outcome, result.amount_minor, result.currency) == (
        Outcome.APPROVED,
        1299,
        "EUR",
    )
    assert sink.results == [result]
    assert result.reference == f"{TERMINAL_ID}-1-1-1"
    assert ready.kept_minor() == 1299
    assert [kept["acknowledged"] for kept in ready.ledger()] == [True]


def test_the_shopper_is_followed_through_the_payment(ready, sink):
    ready.driver.pay(ready.attempt("a", 6000), sink)
    assert sink.moments == [
        TerminalMoment.WAITING_FOR_CARD,
        TerminalMoment.CARD_SEEN,
        TerminalMoment.ENTER_PIN,
        TerminalMoment.HOST,
        TerminalMoment.REMOVE_CARD,
    ]


def test_no_card_number_is_shown(ready, sink):
    result = ready.driver.pay(ready.attempt("a", 1299), sink)
    assert result.masked_pan.count("*") >= 6
    assert result.brand == "Visa"


def test_a_leaking_terminal_leaks_nothing_further(ready, sink):
    ready.tell("twist_next", twist="leak")
    result = ready.driver.pay(ready.attempt("a", 1299), sink)
    assert result.outcome is Outcome.APPROVED
    for secret in ("4111111111111111", "4111 1111 1111 1111", "D9912", "9912"):
        assert secret not in repr(result)
    assert result.masked_pan == "411111******1111"


def test_a_field_nobody_knows_loses_no_money(ready, sink):
    ready.tell("twist_next", twist="unknown_field")
    assert ready.driver.pay(ready.attempt("a", 1299), sink).outcome is Outcome.APPROVED


def test_a_command_nobody_knows_is_refused_and_the_payment_goes_on(ready, sink):
    ready.tell("twist_next", twist="strange_command")
    assert ready.driver.pay(ready.attempt("a", 1299), sink).outcome is Outcome.APPROVED


def test_a_declined_card_is_no_approval(ready, sink):
    ready.tell("fail_next", fault="decline")
    result = ready.driver.pay(ready.attempt("a", 1299), sink)
    assert (result.outcome, result.error) == (Outcome.DECLINED, TerminalError.NONE)
    assert sink.results == []
    assert ready.kept_minor() == 0


def test_a_wrong_pin_and_then_the_right_one_is_one_approval(ready, sink):
    ready.tell("twist_next", twist="wrong_pin_first")
    result = ready.driver.pay(ready.attempt("a", 6000), sink)
    assert result.outcome is Outcome.APPROVED
    assert sink.outcomes == [Outcome.APPROVED]


def test_a_shopper_who_cancels_is_not_charged(desk, sink):
    attempt = desk.attempt("a", 1299)
    results: Queue[PayResult] = Queue()
    waits = threading.Event()
    sink.moment = lambda moment: waits.set()
    payment = threading.Thread(
        target=lambda: results.put(desk.driver.pay(attempt, sink))
    )
    payment.start()
    assert waits.wait(5)
    desk.driver.cancel("a")
    assert results.get(timeout=5).outcome is Outcome.CANCELLED
    payment.join()
    assert desk.kept_minor() == 0


def test_cancelling_too_late_changes_nothing(ready, sink):
    ready.driver.cancel("a")
    assert ready.driver.pay(ready.attempt("a", 1299), sink).outcome is Outcome.APPROVED


def test_a_result_that_is_not_on_disk_is_not_acknowledged(ready, deaf_sink):
    attempt = ready.attempt("a", 1299)
    result = ready.driver.pay(attempt, deaf_sink)
    assert result.outcome is Outcome.UNKNOWN
    assert [kept["acknowledged"] for kept in ready.ledger()] == [False]
    assert ready.driver.query(attempt).answer is Answer.FOUND


def test_a_terminal_that_takes_back_what_was_not_acknowledged(desk, deaf_sink):
    desk.kill()
    desk.start("--auto-reverse", "--ack-ms", "100", "--auto-present-ms", "0")
    attempt = desk.attempt("a", 1299)
    assert desk.driver.pay(attempt, deaf_sink).outcome is Outcome.UNKNOWN
    desk.tell("wait_for", attempt_id="z00000001", state="auto_reversed", seconds=5)
    assert desk.driver.query(attempt).answer is Answer.NOT_CHARGED
    # The lane had the result on disk when the acknowledgement was lost (P6).
    known = replace(attempt, reference=deaf_sink.results[0].reference)
    assert desk.driver.query(known).answer is Answer.NOT_CHARGED
    assert desk.kept_minor() == 0


def test_a_completion_that_never_comes_is_unknown_and_then_found(ready, sink):
    ready.driver = ready.make_driver()
    ready.tell("twist_next", twist="completion_lost")
    attempt = ready.attempt("a", 1299)
    assert ready.driver.pay(attempt, sink).outcome is Outcome.UNKNOWN
    assert sink.outcomes == [Outcome.APPROVED]
    found = ready.driver.query(replace(attempt, reference=sink.results[0].reference))
    assert found.answer is Answer.FOUND
    assert found.result is not None
    assert found.result.outcome is Outcome.APPROVED


def test_an_abort_after_an_approval_is_believed_neither_way(ready, sink):
    ready.tell("twist_next", twist="abort_after_ok")
    attempt = ready.attempt("a", 1299)
    assert ready.driver.pay(attempt, sink).outcome is Outcome.UNKNOWN
    assert ready.driver.query(attempt).answer is Answer.FOUND


def test_an_answer_that_was_lost_is_found(ready, sink):
    ready.tell("fail_next", fault="answer_lost")
    attempt = ready.attempt("a", 1299)
    result = ready.driver.pay(attempt, sink)
    if ready.wire == "zvt":
        assert result.outcome is Outcome.UNKNOWN
        assert sink.results == []
    found = ready.driver.query(attempt)
    assert found.answer is Answer.FOUND
    assert found.result is not None
    assert found.result.amount_minor == 1299
    assert ready.kept_minor() == 1299


def test_a_payment_that_left_nothing_is_not_charged(ready, sink):
    ready.driver.pay(ready.attempt("first", 500), sink)
    attempt = ready.attempt("second", 700)
    assert ready.driver.query(attempt).answer is Answer.NOT_CHARGED


def test_a_terminal_with_nothing_stored_says_so_the_same_way(ready):
    attempt = ready.attempt("a", 700)
    assert ready.driver.query(attempt).answer is Answer.NOT_CHARGED


def test_a_terminal_that_says_something_else_than_before_is_not_believed(ready, sink):
    attempt = ready.attempt("a", 700)
    ready.driver.pay(ready.attempt("b", 900), sink)
    assert ready.driver.query(attempt).answer is Answer.INDETERMINATE


def test_two_payments_ahead_are_nobodys_guess(ready, sink):
    ready.driver.pay(ready.attempt("first", 100), sink)
    attempt = ready.attempt("a", 700)
    ready.driver.pay(ready.attempt("b", 900), sink)
    ready.driver.pay(ready.attempt("c", 700), sink)
    assert ready.driver.query(attempt).answer is Answer.INDETERMINATE


def test_a_swapped_terminal_proves_nothing(ready):
    attempt = ready.attempt("a", 700)
    elsewhere = replace(
        attempt, watermark=Watermark("11112222", 0, attempt.watermark.mark)
    )
    assert ready.driver.query(elsewhere).answer is Answer.INDETERMINATE


def test_a_swapped_terminal_takes_no_money(ready, sink):
    attempt = ready.attempt("a", 700)
    elsewhere = replace(
        attempt, watermark=Watermark("11112222", 0, attempt.watermark.mark)
    )
    result = ready.driver.pay(elsewhere, sink)
    assert (result.outcome, result.error) == (
        Outcome.NOT_SENT,
        TerminalError.MISCONFIGURED,
    )
    assert ready.ledger() == []


def test_another_terminal_than_the_one_in_the_settings_is_absent(desk):
    driver = desk.make_driver(terminal_id="11112222")
    assert driver.watermark() is None


def test_a_terminal_that_cannot_repeat_proves_nothing(ready, sink):
    attempt = ready.attempt("a", 700)
    ready.tell("behave", can_repeat=False)
    assert ready.driver.query(attempt).answer is Answer.INDETERMINATE
    assert ready.driver.watermark() is None


@pytest.mark.parametrize(
    "how",
    [
        {"tells_successful_only": True},
        {"has_long_trace": True},
        {"receipt_begins_anew": True},
    ],
    ids=lambda how: next(iter(how)),
)
def test_terminals_of_other_makers_are_understood(ready, sink, how):
    ready.tell("behave", **how)
    ready.driver.pay(ready.attempt("a", 500), sink)
    ready.tell("fail_next", fault="decline")
    ready.driver.pay(ready.attempt("b", 600), sink)
    ready.driver.settle()
    attempt = ready.attempt("c", 700)
    assert ready.driver.query(attempt).answer is Answer.NOT_CHARGED
    ready.tell("fail_next", fault="answer_lost")
    ready.driver.pay(attempt, sink)
    found = ready.driver.query(attempt)
    assert found.answer is Answer.FOUND
    assert found.result is not None
    assert found.result.amount_minor == 700


def test_a_decline_whose_answer_was_lost_is_found_declined(ready, sink):
    attempt = ready.attempt("a", 700)
    ready.tell("fail_next", fault="decline")
    ready.driver.pay(attempt, sink)
    found = ready.driver.query(attempt)
    assert found.answer is Answer.FOUND
    assert found.result is not None
    assert found.result.outcome is Outcome.DECLINED


@pytest.mark.parametrize("fault", ["partial", "wrong_amount", "offline"])
def test_what_was_approved_is_told_as_it_is(ready, sink, fault):
    ready.tell("fail_next", fault=fault)
    result = ready.driver.pay(ready.attempt("a", 1000), sink)
    outcome, minor, is_offline = {
        "partial": (Outcome.PARTIAL, 500, False),
        "wrong_amount": (Outcome.APPROVED, 1100, False),
        "offline": (Outcome.APPROVED, 1000, True),
    }[fault]
    assert (result.outcome, result.amount_minor) == (outcome, minor)
    assert result.approved_offline is is_offline


def test_a_payment_is_reversed_once_however_often_it_is_asked(ready, sink):
    attempt = ready.attempt("a", 1299)
    paid = ready.driver.pay(attempt, sink)
    known = replace(attempt, reference=paid.reference)
    assert ready.driver.reverse(known, "r1").outcome is Outcome.APPROVED
    assert ready.driver.reverse(known, "r1").outcome is Outcome.APPROVED
    assert ready.kept_minor() == 0
    assert [k["kind"] for k in ready.ledger()] == ["payment", "reversal"]
    assert ready.driver.query(known).answer is Answer.NOT_CHARGED


def test_a_reversal_that_was_refused_leaves_the_money(ready, sink):
    attempt = ready.attempt("a", 1299)
    paid = ready.driver.pay(attempt, sink)
    ready.tell("fail_next_undo", fault="decline")
    known = replace(attempt, reference=paid.reference)
    assert ready.driver.reverse(known, "r1").outcome is Outcome.DECLINED
    assert ready.kept_minor() == 1299
    assert ready.driver.query(known).answer is Answer.FOUND


def test_nothing_is_reversed_after_the_end_of_day(ready, sink):
    attempt = ready.attempt("a", 1299)
    paid = ready.driver.pay(attempt, sink)
    ready.driver.settle()
    known = replace(attempt, reference=paid.reference)
    assert ready.driver.reverse(known, "r1").outcome is Outcome.DECLINED
    assert ready.kept_minor() == 1299


def test_a_refund_is_left_to_the_terminal_itself(ready, sink):
    attempt = ready.attempt("a", 1299)
    ready.driver.pay(attempt, sink)
    assert ready.driver.refund(attempt, 1299, "f").outcome is Outcome.DECLINED
    assert ready.kept_minor() == 1299


def test_the_end_of_day_tells_its_totals(ready, sink):
    ready.driver.pay(ready.attempt("a", 500), sink)
    ready.driver.pay(ready.attempt("b", 700), sink)
    settled = ready.driver.settle()
    assert (settled.outcome, settled.count, settled.sum_minor) == (
        Outcome.APPROVED,
        2,
        1200,
    )
    again = ready.driver.settle()
    assert (again.outcome, again.count, again.sum_minor) == (Outcome.APPROVED, 0, 0)


def test_an_end_of_day_that_failed_says_so(ready):
    ready.tell("twist_next", twist="end_of_day_fails")
    settled = ready.driver.settle()
    assert (settled.outcome, settled.detail) == (Outcome.DECLINED, "code 77")


def test_an_open_day_refuses_payments_until_it_was_run(ready, sink):
    attempt = ready.attempt("a", 500)
    ready.tell("open_day")
    refused = ready.driver.pay(attempt, sink)
    assert refused.outcome is Outcome.DECLINED
    assert refused.error is TerminalError.SETTLEMENT_REQUIRED
    assert ready.driver.settle().outcome is Outcome.APPROVED
    assert ready.driver.pay(attempt, sink).outcome is Outcome.APPROVED


def states_until(driver, wanted: Health, count: int = 8) -> DeviceState:
    seen: Queue[DeviceState] = Queue()
    driver.open(seen.put)
    try:
        for _ in range(count):
            state = seen.get(timeout=10)
            if state.health is wanted:
                return state
    finally:
        driver.close()
    raise AssertionError(f"never {wanted}")


def test_a_terminal_that_is_well_says_who_it_is(ready):
    assert TERMINAL_ID in states_until(ready.driver, Health.READY).detail


def test_an_open_day_is_a_cause_the_lane_can_act_on(ready):
    ready.tell("open_day")
    assert states_until(ready.driver, Health.ABSENT).cause == SETTLEMENT_REQUIRED


def test_remote_maintenance_makes_it_absent(ready):
    ready.tell("twist_next", twist="maintenance_after")
    assert ready.driver.settle().outcome is Outcome.APPROVED
    assert "maintenance" in states_until(ready.driver, Health.ABSENT).detail


def test_a_terminal_that_is_not_there_is_absent_and_not_sent(desk, sink):
    attempt = desk.attempt("a", 700)
    desk.driver.close()
    desk.kill()
    desk.port_file.unlink()
    driver = desk.make_driver()
    assert driver.watermark() is None
    assert driver.pay(attempt, sink).outcome is Outcome.NOT_SENT
    assert driver.query(attempt).answer is Answer.UNREACHABLE
    assert states_until(driver, Health.ABSENT).health is Health.ABSENT


def test_receipts_that_the_terminal_prints_reach_the_lane(ready, sink):
    ready.driver = ready.make_driver(prints=True)
    result = ready.driver.pay(ready.attempt("a", 700), sink)
    assert "Card payment" in result.receipt_lines
    assert "Card payment" in result.merchant_lines


def test_an_answer_that_came_once_is_not_enough_where_the_settings_want_two(
    ready, sink
):
    driver = ready.make_driver(idle_apart_seconds=0.05, answers_apart_seconds=0.05)
    ready.driver.close()
    mark = driver.watermark()
    assert mark is not None
    attempt = Attempt("a", 700, "EUR", mark)
    answers: list[Answer] = []
    while not answers or answers[-1] is Answer.IN_PROGRESS:
        answers.append(driver.query(attempt).answer)
        assert len(answers) < 10_000
    driver.close()
    assert answers[0] is Answer.IN_PROGRESS
    assert answers[-1] is Answer.NOT_CHARGED
