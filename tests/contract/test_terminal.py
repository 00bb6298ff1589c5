"""What a card terminal promises, kept through every accident.

The terminal is a process with a store of its own: what its ledger says at the
end is the truth about the shopper's money.
"""

from __future__ import annotations

import queue
import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from hardware.ports import (
    Answer,
    Attempt,
    DeviceState,
    Health,
    Outcome,
    Recovery,
    TerminalMoment,
    Watermark,
)
from hardware.simulated.frames import PortFile, frame, receive, write_port_file
from hardware.simulated.terminal import SimulatedTerminal

SECONDS = 10
PRICE = 1299
WITH_PIN = 5000


def attempt(name="a1", minor=PRICE, terminal_id="SIM-0001"):
    return Attempt(name, minor, "EUR", Watermark(terminal_id, 0))


@pytest.fixture
def pool():
    with ThreadPoolExecutor(4) as threads:
        yield threads


@pytest.fixture
def paying(desk, sink, pool):
    """A payment that waits for its card, and its result to come."""
    result = pool.submit(desk.driver.pay, attempt(), sink)
    assert desk.tell("wait_for", attempt_id="a1", state="running")
    return result


# -- a payment ---------------------------------------------------------------


def test_a_card_that_is_presented_is_charged_once_and_told(desk, paying, sink):
    assert desk.tell("present_card", wait_seconds=SECONDS)
    result = paying.result(SECONDS)
    assert result.outcome is Outcome.APPROVED
    assert (result.amount_minor, result.currency) == (PRICE, "EUR")
    assert sink.results == [result]
    assert sink.moments == [
        TerminalMoment.WAITING_FOR_CARD,
        TerminalMoment.CARD_SEEN,
        TerminalMoment.HOST,
    ]
    (kept,) = desk.ledger()
    assert kept["acknowledged"] is True
    assert desk.kept_minor() == PRICE


def test_a_large_amount_asks_for_the_pin_and_for_the_card_to_be_taken(desk, sink):
    desk.tell("present_automatically", after_ms=0)
    desk.driver.pay(attempt(minor=WITH_PIN), sink)
    assert TerminalMoment.ENTER_PIN in sink.moments
    assert sink.moments[-1] is TerminalMoment.REMOVE_CARD


def test_a_card_may_come_by_itself(desk, sink):
    desk.tell("present_automatically", after_ms=1)
    assert desk.driver.pay(attempt(), sink).outcome is Outcome.APPROVED


def test_no_card_number_is_ever_told(desk, sink):
    desk.tell("present_automatically", after_ms=0)
    result = desk.driver.pay(attempt(), sink)
    digits = [text for text in result.masked_pan.split("*") if text]
    assert [len(part) for part in digits] == [6, 4]


@pytest.mark.parametrize(
    ("fault", "outcome"),
    [
        ("decline", Outcome.DECLINED),
        ("cancel", Outcome.CANCELLED),
        ("partial", Outcome.PARTIAL),
    ],
)
def test_what_the_bank_or_the_shopper_says_is_told_and_acknowledged(
    desk, sink, fault, outcome
):
    desk.tell("fail_next", fault=fault)
    desk.tell("present_automatically", after_ms=0)
    assert desk.driver.pay(attempt(), sink).outcome is outcome
    assert sink.outcomes == [outcome]
    (kept,) = desk.ledger()
    assert kept["acknowledged"] is True


def test_a_wrong_amount_is_told_as_it_is_for_the_lane_to_judge(desk, sink):
    desk.tell("fail_next", fault="wrong_amount", minor=9999)
    desk.tell("present_automatically", after_ms=0)
    assert desk.driver.pay(attempt(), sink).amount_minor == 9999
    assert desk.kept_minor() == 9999


def test_an_approval_without_the_bank_says_so(desk, sink):
    desk.tell("fail_next", fault="offline")
    desk.tell("present_automatically", after_ms=0)
    assert desk.driver.pay(attempt(), sink).approved_offline


def test_the_lane_can_stop_waiting_for_a_card(desk, paying, sink):
    desk.driver.cancel("a1")
    assert paying.result(SECONDS).outcome is Outcome.CANCELLED
    assert desk.kept_minor() == 0


def test_a_shopper_who_walks_away_ends_the_payment(desk, sink):
    desk.kill()
    desk.start("--card-ms", "50")
    assert desk.driver.pay(attempt(), sink).outcome is Outcome.CANCELLED


def test_cancelling_once_the_card_is_in_changes_nothing(desk, paying, sink):
    sink.may_answer.clear()
    desk.tell("present_card", wait_seconds=SECONDS)
    assert sink.has_result.wait(SECONDS)
    desk.driver.cancel("a1")
    sink.may_answer.set()
    assert paying.result(SECONDS).outcome is Outcome.APPROVED


def test_one_id_is_charged_once_however_often_it_is_asked_for(desk, sink):
    desk.tell("present_automatically", after_ms=0)
    first = desk.driver.pay(attempt(), sink)
    assert desk.driver.pay(attempt(), sink) == first
    assert desk.kept_minor() == PRICE


def test_an_id_with_another_amount_is_refused_and_stays_unknown(desk, sink):
    desk.tell("present_automatically", after_ms=0)
    desk.driver.pay(attempt(), sink)
    assert desk.driver.pay(attempt(minor=1), sink).outcome is Outcome.UNKNOWN
    assert desk.driver.query(attempt(minor=1)).answer is Answer.INDETERMINATE
    assert desk.kept_minor() == PRICE


def test_a_busy_terminal_takes_no_second_payment_and_remembers_none(
    desk, paying, sink, deaf_sink
):
    refused = desk.driver.pay(attempt("a2"), deaf_sink)
    assert (refused.outcome, refused.detail) == (Outcome.CANCELLED, "busy")
    assert deaf_sink.results == []
    assert desk.driver.query(attempt("a2")).answer is Answer.NOT_RECEIVED
    desk.tell("present_card", wait_seconds=SECONDS)
    assert paying.result(SECONDS).outcome is Outcome.APPROVED


# -- broken links ------------------------------------------------------------


def test_a_terminal_that_is_not_there_was_sent_nothing(desk, sink):
    desk.kill()
    assert desk.driver.watermark() is None
    assert desk.driver.pay(attempt(), sink).outcome is Outcome.NOT_SENT
    assert desk.driver.query(attempt()).answer is Answer.UNREACHABLE
    assert desk.driver.reverse(attempt(), "r1").outcome is Outcome.NOT_SENT
    assert sink.results == []


def test_an_answer_that_is_lost_is_found_by_asking(desk, sink):
    desk.tell("fail_next", fault="answer_lost")
    desk.tell("present_automatically", after_ms=0)
    assert desk.driver.pay(attempt(), sink).outcome is Outcome.UNKNOWN
    assert sink.results == []
    found = desk.driver.query(attempt())
    assert found.answer is Answer.FOUND
    assert found.result is not None
    assert found.result.outcome is Outcome.APPROVED
    assert desk.driver.query(attempt()) == found
    assert desk.kept_minor() == PRICE


def test_a_silent_terminal_holds_the_lane_no_longer_than_agreed(desk, sink):
    desk.tell("fail_next", fault="silent")
    desk.tell("present_automatically", after_ms=0)
    driver = SimulatedTerminal(desk.port_file, pay_seconds=0.3)
    assert driver.pay(attempt(), sink).outcome is Outcome.UNKNOWN
    assert desk.tell("wait_for", attempt_id="a1", state="approved")
    assert driver.query(attempt()).answer is Answer.FOUND


def test_a_slow_bank_is_waited_for(desk, paying, sink):
    desk.tell("fail_next", fault="slow", ms=150)
    desk.tell("present_card", wait_seconds=SECONDS)
    assert paying.result(SECONDS).outcome is Outcome.APPROVED


def test_a_payment_goes_on_while_the_cable_is_out(desk, paying, sink):
    desk.tell("fail_next", fault="unplugged", ms=1500)
    desk.tell("present_card", wait_seconds=SECONDS)
    assert paying.result(SECONDS).outcome is Outcome.UNKNOWN
    assert desk.driver.query(attempt()).answer is Answer.UNREACHABLE
    assert desk.tell("wait_for", attempt_id="a1", state="approved")
    states: queue.SimpleQueue[DeviceState] = queue.SimpleQueue()
    desk.driver.open(states.put)
    while states.get(timeout=SECONDS).health is not Health.READY:
        pass
    desk.driver.close()
    assert desk.driver.query(attempt()).answer is Answer.FOUND


@pytest.mark.parametrize("reply", [b"", frame(b'{"type":"Nonsense"}'), b"\xff" * 9])
def test_a_peer_that_is_no_terminal_leaves_the_outcome_unknown(
    tmp_path, sink, pool, reply
):
    port_file = tmp_path / "port"
    with socket.create_server(("127.0.0.1", 0)) as listener:
        write_port_file(port_file, PortFile(listener.getsockname()[1], 0))

        def answer():
            link, _ = listener.accept()
            with link:
                receive(link)
                link.sendall(reply)

        answered = pool.submit(answer)
        driver = SimulatedTerminal(port_file, pay_seconds=5)
        assert driver.pay(attempt(), sink).outcome is Outcome.UNKNOWN
        answered.result(SECONDS)
    assert sink.results == []


# -- the journal comes first -------------------------------------------------


def test_a_result_that_is_not_on_disk_is_not_acknowledged(desk, deaf_sink):
    desk.tell("present_automatically", after_ms=0)
    assert desk.driver.pay(attempt(), deaf_sink).outcome is Outcome.UNKNOWN
    assert deaf_sink.outcomes == [Outcome.APPROVED]
    (kept,) = desk.ledger()
    assert kept["acknowledged"] is False
    assert desk.driver.query(attempt()).answer is Answer.FOUND


def test_a_terminal_that_reverses_by_itself_says_so_when_asked(desk, deaf_sink):
    desk.kill()
    desk.start("--auto-reverse", "--ack-ms", "1500", "--auto-present-ms", "0")
    assert desk.driver.pay(attempt(), deaf_sink).outcome is Outcome.UNKNOWN
    assert desk.driver.query(attempt()).answer is Answer.IN_PROGRESS
    assert desk.tell("wait_for", attempt_id="a1", state="auto_reversed")
    assert desk.driver.query(attempt()).answer is Answer.NOT_CHARGED
    assert desk.kept_minor() == 0


def test_an_acknowledgement_that_comes_too_late_confirms_nothing(desk, sink, pool):
    desk.kill()
    desk.start("--auto-reverse", "--ack-ms", "50", "--auto-present-ms", "0")
    sink.may_answer.clear()
    paying = pool.submit(desk.driver.pay, attempt(), sink)
    assert desk.tell("wait_for", attempt_id="a1", state="auto_reversed")
    sink.may_answer.set()
    assert paying.result(SECONDS).outcome is Outcome.UNKNOWN
    assert desk.driver.query(attempt()).answer is Answer.NOT_CHARGED


# -- death -------------------------------------------------------------------


def test_power_lost_before_the_card_is_shown_charges_nothing(desk, paying, sink):
    desk.kill()
    assert paying.result(SECONDS).outcome is Outcome.UNKNOWN
    desk.start()
    assert desk.driver.query(attempt()).answer is Answer.NOT_CHARGED
    assert desk.kept_minor() == 0


def test_power_lost_while_the_bank_is_asked_charges_nothing(desk, paying, sink):
    desk.tell("fail_next", fault="slow", ms=60_000)
    desk.tell("present_card", wait_seconds=SECONDS)
    desk.kill()
    assert paying.result(SECONDS).outcome is Outcome.UNKNOWN
    desk.start()
    assert desk.driver.query(attempt()).answer is Answer.NOT_CHARGED
    assert desk.kept_minor() == 0


@pytest.mark.parametrize("auto_reverse", [False, True])
def test_power_lost_before_the_acknowledgement_is_found_or_reversed(
    desk, sink, pool, auto_reverse
):
    how = ["--auto-present-ms", "0", *(["--auto-reverse"] if auto_reverse else [])]
    desk.kill()
    desk.start(*how)
    sink.may_answer.clear()
    paying = pool.submit(desk.driver.pay, attempt(), sink)
    assert sink.has_result.wait(SECONDS)
    desk.kill()
    sink.may_answer.set()
    assert paying.result(SECONDS).outcome is Outcome.UNKNOWN
    desk.start(*how)
    found = desk.driver.query(attempt())
    assert found.answer is (Answer.NOT_CHARGED if auto_reverse else Answer.FOUND)
    assert desk.kept_minor() == (0 if auto_reverse else PRICE)


def test_power_lost_after_the_acknowledgement_keeps_the_payment(desk, sink):
    desk.tell("present_automatically", after_ms=0)
    desk.driver.pay(attempt(), sink)
    desk.kill()
    desk.start("--auto-reverse")
    assert desk.driver.query(attempt()).answer is Answer.FOUND
    assert desk.kept_minor() == PRICE


def test_a_payment_cut_by_power_is_not_charged_when_its_id_comes_again(
    desk, paying, sink
):
    desk.kill()
    paying.result(SECONDS)
    desk.start("--auto-present-ms", "0")
    assert desk.driver.pay(attempt(), sink).outcome is Outcome.CANCELLED
    assert desk.kept_minor() == 0


PAY_AND_HANG = """
import sys
from pathlib import Path
from hardware.ports import Attempt, Watermark
from hardware.simulated.terminal import SimulatedTerminal

class Sink:
    def moment(self, moment):
        print(moment.value, flush=True)
    def result(self, result):
        print("result", flush=True)
        sys.stdin.read()
        return True

attempt = Attempt("a1", 1299, "EUR", Watermark("SIM-0001", 0))
SimulatedTerminal(Path(sys.argv[1])).pay(attempt, Sink())
"""


def test_a_lane_that_dies_while_the_shopper_looks_for_a_card_is_charged_later(
    desk, run_python
):
    lane = run_python(["-c", PAY_AND_HANG, str(desk.port_file)])
    assert lane.stdout.readline().strip() == "waiting_for_card"
    lane.kill()
    lane.wait(SECONDS)
    assert desk.driver.query(attempt()).answer is Answer.IN_PROGRESS
    assert desk.tell("present_card", wait_seconds=SECONDS)
    assert desk.tell("wait_for", attempt_id="a1", state="approved")
    assert desk.driver.query(attempt()).answer is Answer.FOUND
    assert desk.kept_minor() == PRICE


def test_a_lane_that_dies_with_the_result_in_hand_finds_it_again(desk, run_python):
    desk.tell("present_automatically", after_ms=0)
    lane = run_python(["-c", PAY_AND_HANG, str(desk.port_file)])
    while lane.stdout.readline().strip() != "result":
        pass
    lane.kill()
    lane.wait(SECONDS)
    found = desk.driver.query(attempt())
    assert found.answer is Answer.FOUND
    assert desk.kept_minor() == PRICE


# -- asking and undoing ------------------------------------------------------


def test_an_attempt_that_never_arrived_is_proven_not_received(desk):
    assert desk.driver.query(attempt("never")).answer is Answer.NOT_RECEIVED


def test_another_terminal_on_the_same_cable_proves_nothing(desk):
    asked = attempt(terminal_id="SIM-0000")
    assert desk.driver.query(asked).answer is Answer.INDETERMINATE


def test_a_payment_for_another_terminal_is_refused(desk, sink):
    refused = desk.driver.pay(attempt(terminal_id="SIM-0000"), sink)
    assert (refused.outcome, refused.detail) == (Outcome.CANCELLED, "wrong terminal")
    assert desk.ledger() == []


def test_the_watermark_rises_with_every_transaction(desk, sink):
    assert desk.driver.watermark() == Watermark("SIM-0001", 0)
    desk.tell("present_automatically", after_ms=0)
    desk.driver.pay(attempt(), sink)
    assert desk.driver.watermark() == Watermark("SIM-0001", 1)


@pytest.fixture
def paid(desk, sink):
    desk.tell("present_automatically", after_ms=0)
    assert desk.driver.pay(attempt(), sink).outcome is Outcome.APPROVED
    return desk


def test_a_reversal_happens_once_however_often_it_is_asked_for(paid):
    for reversal_id in ("r1", "r1", "r2"):
        result = paid.driver.reverse(attempt(), reversal_id)
        assert (result.outcome, result.amount_minor) == (Outcome.APPROVED, PRICE)
    assert paid.kept_minor() == 0
    assert [kept["kind"] for kept in paid.ledger()] == ["payment", "reversal"]
    assert paid.driver.query(attempt()).answer is Answer.NOT_CHARGED


def test_a_reversal_whose_answer_is_lost_is_unknown_and_safe_to_repeat(paid):
    paid.tell("fail_next_undo", fault="answer_lost")
    assert paid.driver.reverse(attempt(), "r1").outcome is Outcome.UNKNOWN
    assert paid.driver.reverse(attempt(), "r1").outcome is Outcome.APPROVED
    assert paid.kept_minor() == 0


def test_a_reversal_that_the_bank_refuses_leaves_the_payment(paid):
    paid.tell("fail_next_undo", fault="decline")
    assert paid.driver.reverse(attempt(), "r1").outcome is Outcome.DECLINED
    assert paid.kept_minor() == PRICE


def test_nothing_is_reversed_that_was_not_charged(desk):
    assert desk.driver.reverse(attempt(), "r1").outcome is Outcome.DECLINED
    assert desk.kept_minor() == 0


def test_a_refund_is_paid_once_by_its_id_and_never_more_than_was_paid(paid):
    for _ in range(2):
        result = paid.driver.refund(attempt(), 1000, "f1")
        assert (result.outcome, result.amount_minor) == (Outcome.APPROVED, 1000)
    assert paid.kept_minor() == PRICE - 1000
    assert paid.driver.refund(attempt(), 300, "f2").outcome is Outcome.DECLINED
    assert paid.driver.reverse(attempt(), "r1").outcome is Outcome.DECLINED


def test_undoing_survives_the_terminals_death(paid):
    paid.driver.reverse(attempt(), "r1")
    paid.kill()
    paid.start()
    assert paid.driver.query(attempt()).answer is Answer.NOT_CHARGED
    assert paid.driver.reverse(attempt(), "r1").outcome is Outcome.APPROVED
    assert paid.kept_minor() == 0


# -- health ------------------------------------------------------------------


def test_the_lane_hears_when_the_terminal_goes_and_comes_back(desk):
    states: queue.SimpleQueue[DeviceState] = queue.SimpleQueue()
    desk.driver.open(states.put)
    assert states.get(timeout=SECONDS) == DeviceState(Health.READY, "SIM-0001")
    desk.kill()
    assert states.get(timeout=SECONDS).health is Health.ABSENT
    desk.start()
    assert states.get(timeout=SECONDS).health is Health.READY
    desk.driver.close()


def test_the_terminal_can_tell_of_payments_by_their_id(desk):
    assert desk.driver.capabilities().recovery is Recovery.BY_ID
