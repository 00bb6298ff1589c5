"""The nexo driver and a terminal's process, over real HTTPS on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Queue

import pytest
from msgspec.structs import replace
from nexo_desk import PASSPHRASE, POI_ID, NexoDesk

from hardware.ports import (
    Answer,
    Attempt,
    DeviceState,
    Health,
    Outcome,
    PayResult,
    Recovery,
    TerminalError,
    TerminalMoment,
)
from hardware.simulated.frames import read_port_file
from hardware.simulated.https_end import make_certificates
from hardware.terminal.nexo_crypto import Key
from hardware.terminal.nexo_link import HttpsLink, NothingSent, WrongTerminal


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[NexoDesk]:
    terminal = NexoDesk(tmp_path)
    terminal.start()
    yield terminal
    terminal.driver.close()
    terminal.kill()


@pytest.fixture
def ready(desk: NexoDesk) -> NexoDesk:
    desk.tell("present_automatically", after_ms=0)
    return desk


def test_a_card_is_charged_once_and_told_before_it_is_returned(ready, sink):
    result = ready.driver.pay(ready.attempt("a", 1299), sink)
    assert (result.outcome, result.amount_minor, result.currency) == (
        Outcome.APPROVED,
        1299,
        "EUR",
    )
    assert sink.results == [result]
    assert sink.moments == [TerminalMoment.WAITING_FOR_CARD]
    assert ready.kept_minor() == 1299


@pytest.mark.parametrize("minor", [1, 10, 99, 100, 101, 1099, 999_999_99])
def test_amounts_go_over_the_wire_to_the_cent(ready, sink, minor):
    assert ready.driver.pay(ready.attempt("a", minor), sink).amount_minor == minor
    assert ready.ledger()[0]["amount_minor"] == minor


def test_a_currency_without_cents_is_charged_whole(ready, sink):
    attempt = ready.attempt("a", 1299, "JPY")
    assert ready.driver.pay(attempt, sink).amount_minor == 1299
    assert ready.ledger()[0]["amount_minor"] == 1299


def test_what_is_shown_of_a_card_is_its_first_six_and_last_four(ready, sink):
    result = ready.driver.pay(ready.attempt("a", 1299), sink)
    assert sum(c.isdigit() for c in result.masked_pan) == 10
    assert result.brand == "visa"
    assert result.auth_code


def test_the_receipts_are_the_shoppers_and_the_shops(ready, sink):
    result = ready.driver.pay(ready.attempt("a", 1299), sink)
    assert result.receipt_lines[0] == "CARDHOLDER COPY"
    assert "TOTAL\t€ 12.99" in result.receipt_lines
    assert result.merchant_lines[0] == "MERCHANT COPY"
    assert not any("PAN seq" in line for line in result.receipt_lines)


@pytest.mark.parametrize("twist", ["leak", "base64"])
def test_a_leaking_terminal_leaks_nothing_further(ready, sink, twist, caplog):
    caplog.set_level("DEBUG")
    ready.tell("twist_next", twist=twist)
    result = ready.driver.pay(ready.attempt("a", 1299), sink)
    assert result.outcome is Outcome.APPROVED
    told = repr(result) + caplog.text
    for secret in ("4111111111111111", "A. Shopper", "example.com", "1230", "2030"):
        assert secret not in told


def test_a_declined_card_is_no_approval(ready, sink):
    ready.tell("fail_next", fault="decline")
    result = ready.driver.pay(ready.attempt("a", 1299), sink)
    assert (result.outcome, result.error) == (Outcome.DECLINED, TerminalError.NONE)
    assert sink.results == []
    assert ready.kept_minor() == 0


def test_a_shopper_who_cancels_at_the_terminal_is_not_charged(ready, sink):
    ready.tell("fail_next", fault="cancel")
    result = ready.driver.pay(ready.attempt("a", 1299), sink)
    assert result.outcome is Outcome.CANCELLED


def test_a_shopper_who_cancels_at_the_lane_is_not_charged(desk, sink):
    attempt = desk.attempt("a", 1299)
    results: Queue[PayResult] = Queue()
    payment = threading.Thread(
        target=lambda: results.put(desk.driver.pay(attempt, sink))
    )
    payment.start()
    assert desk.tell("wait_for", attempt_id="a", state="running", seconds=5)
    desk.driver.cancel("a")
    assert results.get(timeout=5).outcome is Outcome.CANCELLED
    payment.join()
    assert desk.kept_minor() == 0


def test_cancelling_what_is_not_under_way_asks_nothing(ready, sink):
    ready.driver.cancel("a")
    assert ready.driver.pay(ready.attempt("a", 1299), sink).outcome is Outcome.APPROVED


def test_a_part_of_the_sum_is_no_payment(ready, sink):
    ready.tell("fail_next", fault="partial")
    result = ready.driver.pay(ready.attempt("a", 1300), sink)
    assert (result.outcome, result.amount_minor) == (Outcome.PARTIAL, 650)
    assert sink.outcomes == [Outcome.PARTIAL]


def test_more_than_was_asked_is_not_believed(ready, sink):
    ready.tell("fail_next", fault="wrong_amount")
    attempt = ready.attempt("a", 1300)
    assert ready.driver.pay(attempt, sink).outcome is Outcome.UNKNOWN
    answers = [ready.driver.query(attempt).answer for _ in range(3)]
    assert answers == [Answer.IN_PROGRESS, Answer.IN_PROGRESS, Answer.INDETERMINATE]


def test_a_signature_that_nobody_can_take_is_given_back(ready, sink):
    ready.tell("twist_next", twist="signature")
    result = ready.driver.pay(ready.attempt("a", 1300), sink)
    assert result.outcome is Outcome.PARTIAL
    assert "unattended" in result.detail


def test_an_offline_approval_says_so(ready, sink):
    assert not ready.driver.pay(ready.attempt("a", 100), sink).approved_offline
    ready.tell("fail_next", fault="offline")
    assert ready.driver.pay(ready.attempt("b", 100), sink).approved_offline


def test_a_result_that_is_not_on_disk_is_unknown_and_found_again(ready, deaf_sink):
    attempt = ready.attempt("a", 1299)
    assert ready.driver.pay(attempt, deaf_sink).outcome is Outcome.UNKNOWN
    found = ready.driver.query(attempt)
    assert found.answer is Answer.FOUND
    assert found.result is not None
    assert found.result.amount_minor == 1299


@pytest.mark.parametrize(
    "twist",
    [
        "clear_success",
        "clear_failure",
        "tampered",
        "other_request",
        "event",
        "empty",
        "http_error",
        "timed_out",
    ],
)
def test_no_answer_that_proves_nothing_ends_a_payment(ready, sink, twist):
    attempt = ready.attempt("a", 1299)
    ready.tell("twist_next", twist=twist)
    assert ready.driver.pay(attempt, sink).outcome is Outcome.UNKNOWN
    assert sink.results == []
    found = ready.driver.query(attempt)
    assert found.answer is Answer.FOUND
    assert found.result is not None
    assert found.result.outcome is Outcome.APPROVED
    assert ready.kept_minor() == 1299


@pytest.mark.parametrize(
    "twist", ["clear_success", "clear_failure", "tampered", "other_request", "empty"]
)
def test_no_answer_that_proves_nothing_answers_a_query(ready, sink, twist):
    attempt = ready.attempt("a", 1299)
    ready.driver.pay(attempt, sink)
    ready.tell("twist_next", twist=twist)
    assert ready.driver.query(attempt).answer is Answer.UNREACHABLE
    assert ready.driver.query(attempt).answer is Answer.FOUND


def test_a_status_without_the_message_is_asked_for_again(ready, sink):
    attempt = ready.attempt("a", 1299)
    ready.driver.pay(attempt, sink)
    ready.tell("twist_next", twist="not_repeated")
    assert ready.driver.query(attempt).answer is Answer.IN_PROGRESS
    assert ready.driver.query(attempt).answer is Answer.FOUND


def test_a_request_refused_unread_may_be_tried_anew(ready, sink):
    ready.tell("twist_next", twist="http_refused")
    result = ready.driver.pay(ready.attempt("a", 1299), sink)
    assert (result.outcome, result.error) == (Outcome.DECLINED, TerminalError.REJECTED)
    assert ready.kept_minor() == 0


def test_an_answer_that_is_lost_is_found_by_asking(ready, sink):
    ready.tell("fail_next", fault="answer_lost")
    attempt = ready.attempt("a", 1299)
    assert ready.driver.pay(attempt, sink).outcome is Outcome.UNKNOWN
    found = ready.driver.query(attempt)
    assert found.answer is Answer.FOUND
    assert ready.kept_minor() == 1299


def test_a_terminal_that_says_nothing_is_unknown(ready, sink):
    ready.tell("fail_next", fault="silent")
    attempt = ready.attempt("a", 1299)
    driver = ready.make_driver(pay_seconds=0.5)
    assert driver.pay(attempt, sink).outcome is Outcome.UNKNOWN
    assert driver.query(attempt).answer is Answer.FOUND


def test_a_payment_that_is_still_running_is_waited_for(desk, sink):
    attempt = desk.attempt("a", 1299)
    driver = desk.make_driver(pay_seconds=0.3)
    assert driver.pay(attempt, sink).outcome is Outcome.UNKNOWN
    assert driver.query(attempt).answer is Answer.IN_PROGRESS
    assert desk.tell("present_card")
    assert desk.tell("wait_for", attempt_id="a", state="approved")
    assert driver.query(attempt).answer is Answer.FOUND


def test_what_never_came_is_proved_by_two_answers_apart(desk):
    attempt = desk.attempt("a", 1299)
    assert desk.driver.query(attempt).answer is Answer.NOT_RECEIVED
    careful = desk.make_driver(answers_apart_seconds=0.2)
    assert careful.query(attempt).answer is Answer.IN_PROGRESS
    while (told := careful.query(attempt).answer) is Answer.IN_PROGRESS:
        pass
    assert told is Answer.NOT_RECEIVED


def test_what_is_older_than_the_terminals_memory_is_for_a_person(desk):
    attempt = desk.attempt("a", 1299)
    for clock in (1.8e9 + 48 * 3600, 1.8e9 - 3600):
        later = desk.make_driver(wall=lambda clock=clock: clock)
        told = [later.query(attempt).answer for _ in range(3)]
        assert told[-1] is Answer.INDETERMINATE


def test_a_payment_known_before_and_forgotten_by_the_terminal_is_for_a_person(desk):
    attempt = replace(desk.attempt("a", 1299), reference="SIM1.88 2026")
    told = [desk.driver.query(attempt).answer for _ in range(3)]
    assert told[-1] is Answer.INDETERMINATE


def test_one_attempt_is_charged_once_whoever_sends_it_twice(ready, sink):
    attempt = ready.attempt("a", 1299)
    ready.driver.pay(attempt, sink)
    again = ready.driver.pay(attempt, sink)
    assert again.outcome is Outcome.DECLINED
    assert ready.kept_minor() == 1299


def test_power_lost_at_the_terminal_loses_no_answer(ready, sink):
    attempt = ready.attempt("a", 1299)
    ready.driver.pay(attempt, sink)
    ready.kill()
    assert ready.driver.query(attempt).answer is Answer.UNREACHABLE
    ready.start()
    assert ready.driver.query(attempt).answer is Answer.FOUND


def test_power_lost_before_the_charge_is_told_as_not_charged(desk, sink):
    attempt = desk.attempt("a", 1299)
    results: Queue[PayResult] = Queue()
    payment = threading.Thread(
        target=lambda: results.put(desk.driver.pay(attempt, sink))
    )
    payment.start()
    assert desk.tell("wait_for", attempt_id="a", state="running")
    desk.kill()
    assert results.get(timeout=5).outcome is Outcome.UNKNOWN
    payment.join()
    desk.start()
    found = desk.driver.query(attempt)
    assert found.result is not None
    assert (found.answer, found.result.outcome) == (Answer.FOUND, Outcome.CANCELLED)


def test_a_busy_terminal_begins_nothing_else(desk, sink):
    first, second = desk.attempt("a", 1299), desk.attempt("b", 500)
    payment = threading.Thread(target=lambda: desk.driver.pay(first, sink))
    payment.start()
    assert desk.tell("wait_for", attempt_id="a", state="running")
    result = desk.make_driver().pay(second, sink)
    assert (result.outcome, result.error) == (Outcome.DECLINED, TerminalError.BUSY)
    assert desk.tell("present_card")
    payment.join()


def test_a_payment_is_given_back_whole_and_once(ready, sink):
    attempt = ready.attempt("a", 1299)
    paid = ready.driver.pay(attempt, sink)
    attempt = replace(attempt, reference=paid.reference)
    for _ in range(2):
        undone = ready.driver.reverse(attempt, "r")
        assert (undone.outcome, undone.amount_minor) == (Outcome.APPROVED, 1299)
    assert ready.kept_minor() == 0
    assert len(ready.ledger()) == 2


@pytest.mark.parametrize("fault", ["answer_lost", "silent"])
def test_a_reversal_whose_answer_is_lost_is_not_made_twice(ready, sink, fault):
    attempt = ready.attempt("a", 1299)
    attempt = replace(attempt, reference=ready.driver.pay(attempt, sink).reference)
    driver = ready.make_driver(answer_seconds=0.5)
    ready.tell("fail_next_undo", fault=fault)
    assert driver.reverse(attempt, "r").outcome is Outcome.UNKNOWN
    assert driver.reverse(attempt, "r").outcome is Outcome.APPROVED
    assert [kept["kind"] for kept in ready.ledger()] == ["payment", "reversal"]


def test_a_reversal_that_is_refused_is_declined(ready, sink):
    attempt = ready.attempt("a", 1299)
    attempt = replace(attempt, reference=ready.driver.pay(attempt, sink).reference)
    ready.tell("fail_next_undo", fault="decline")
    assert ready.driver.reverse(attempt, "r").outcome is Outcome.DECLINED
    assert ready.kept_minor() == 1299


def test_a_part_is_refunded_once_by_its_id(ready, sink):
    attempt = ready.attempt("a", 1299)
    attempt = replace(attempt, reference=ready.driver.pay(attempt, sink).reference)
    for _ in range(2):
        given = ready.driver.refund(attempt, 299, "f1")
        assert (given.outcome, given.amount_minor) == (Outcome.APPROVED, 299)
    assert ready.kept_minor() == 1000


def test_nothing_is_reversed_by_guess(ready):
    refused = ready.driver.reverse(ready.attempt("a", 1299), "r")
    assert refused.outcome is Outcome.DECLINED


def test_another_terminal_is_not_asked(desk, sink):
    mark = replace(desk.attempt("a", 1).watermark, terminal_id="V400m-999999999")
    attempt = Attempt("a", 1299, "EUR", mark, reference="SIM1.88 2026")
    for told in (desk.driver.pay(attempt, sink), desk.driver.reverse(attempt, "r")):
        assert (told.outcome, told.error) == (
            Outcome.NOT_SENT,
            TerminalError.MISCONFIGURED,
        )
    assert desk.driver.query(attempt).answer is Answer.INDETERMINATE


def test_a_certificate_of_another_root_is_told_nothing(desk, sink, tmp_path):
    attempt = desk.attempt("a", 1299)
    make_certificates(tmp_path / "other", f"{POI_ID}.test.terminal.adyen.com")
    desk.address = replace(
        desk.address, root_certificate=tmp_path / "other" / "root.pem"
    )
    told = desk.driver.pay(attempt, sink)
    assert (told.outcome, told.error) == (
        Outcome.NOT_SENT,
        TerminalError.MISCONFIGURED,
    )
    assert desk.driver.watermark() is None
    assert desk.ledger() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"poi_id": "V400m-347374579"}, "is expected here"),
        ({"environment": "live"}, "no live terminal"),
    ],
)
def test_a_terminal_of_another_name_is_told_nothing(desk, change, words):
    link = HttpsLink(
        replace(desk.address, port=read_port_file(desk.port_file).port, **change)
    )
    with pytest.raises(WrongTerminal, match=words):
        link.ask(b"{}", 5)


def test_a_port_where_nobody_listens_has_got_nothing(desk):
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    with pytest.raises(NothingSent):
        HttpsLink(replace(desk.address, port=port)).ask(b"{}", 5)


@pytest.mark.parametrize(
    "key",
    [Key(PASSPHRASE[::-1], "lane", 1), Key(PASSPHRASE, "lane", 2)],
    ids=["passphrase", "version"],
)
def test_a_lane_with_another_key_takes_no_cards_and_says_why(desk, key):
    driver = desk.make_driver(key=key)
    states: Queue[DeviceState] = Queue()
    driver.open(states.put)
    state = states.get(timeout=5)
    driver.close()
    assert state.health is Health.ABSENT
    assert "passphrase" in state.detail
    assert driver.watermark() is None


def test_a_key_changed_between_payment_and_question_loses_nothing(ready, sink):
    attempt = ready.attempt("a", 1299)
    ready.tell("fail_next", fault="answer_lost")
    ready.driver.pay(attempt, sink)
    ready.tell("use_key", passphrase=PASSPHRASE[::-1], version=1)
    assert ready.driver.query(attempt).answer is Answer.UNREACHABLE
    ready.tell("use_key", passphrase=PASSPHRASE, version=1)
    assert ready.driver.query(attempt).answer is Answer.FOUND


def test_the_lane_hears_how_the_terminal_is(desk):
    states: Queue[DeviceState] = Queue()
    desk.driver.open(states.put)
    assert states.get(timeout=5) == DeviceState(Health.READY, f"terminal {POI_ID}")
    desk.tell("lose_host", is_away=True)
    assert states.get(timeout=5).health is Health.DEGRADED
    desk.kill()
    assert states.get(timeout=5).health is Health.ABSENT
    desk.start()
    while states.get(timeout=10).health is not Health.READY:
        pass


def test_it_promises_what_the_lane_must_know(desk):
    told = desk.driver.capabilities()
    assert (told.recovery, told.force_online) == (Recovery.BY_ID, True)
    assert desk.driver.settle().outcome is Outcome.APPROVED


def test_a_key_shows_nothing_of_itself():
    assert PASSPHRASE not in repr(Key(PASSPHRASE, "lane", 1))
