"""Commands carried out with real worker threads; what came of them, as events.

The terminal is a small one of its own: it does what the port promises, says in which
order things happened, and can be told to fail. Waiting is on queues, never on time.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from played import BREAD, NOON, RULES

from hardware import ports
from kiosk.domain import effects as wants
from kiosk.domain.events import (
    PinChecked,
    ReceiptFailed,
    ReceiptPrinted,
    ReversalResult,
    ServiceEnded,
    TenderConfirmed,
    TenderMoment,
    TenderNotStarted,
    TenderQueried,
    TenderResult,
    TenderStarted,
)
from kiosk.domain.pricing import price
from kiosk.domain.tender import (
    Answer,
    Attempt,
    CardResult,
    Outcome,
    Sale,
    Tender,
)
from kiosk.effects import Devices, Effects

SECONDS = 10
LINES = (replace(BREAD, line_no=1),)
FIGURES = price(LINES, RULES.pricing, NOON).figures
ATTEMPT = Attempt("t1", 249, "EUR", "T1", 41)
TENDER = Tender("t1", "b1", LINES, FIGURES)
SALE = Sale(9, "b1", NOON, LINES, FIGURES)
APPROVED = ports.PayResult(ports.Outcome.APPROVED, 249, "EUR", auth_code="A1")
UNKNOWN = ports.PayResult(ports.Outcome.UNKNOWN)
DECLINED = ports.PayResult(ports.Outcome.DECLINED)


class Terminal:
    """Keeps the port's promises, and writes down what it did."""

    def __init__(self) -> None:
        self.did: list[str] = []
        self.asked: list[Any] = []
        self.says = APPROVED
        # What `pay` returns once it was acknowledged; the same, unless told otherwise.
        self.ends: ports.PayResult | None = None
        self.told = ports.QueryResult(ports.Answer.NOT_CHARGED)
        self.mark: ports.Watermark | None = ports.Watermark("T1", 41)
        self.ignores_the_disk = False

    def open(self, emit: Callable[[ports.DeviceState], None]) -> None:
        pass

    def close(self) -> None:
        pass

    def capabilities(self) -> ports.Capabilities:
        return ports.Capabilities(ports.Recovery.BY_ID)

    def watermark(self) -> ports.Watermark | None:
        return self.mark

    def pay(self, attempt: ports.Attempt, sink: ports.PaymentSink) -> ports.PayResult:
        self.asked.append(attempt)
        if self.says.outcome in (ports.Outcome.UNKNOWN, ports.Outcome.NOT_SENT):
            return self.says
        sink.moment(ports.TerminalMoment.CARD_SEEN)
        self.did.append("told")
        is_on_disk = sink.result(self.says)
        if not is_on_disk and not self.ignores_the_disk:
            self.did.append("not acknowledged")
            return UNKNOWN
        self.did.append("acknowledged")
        return self.ends or self.says

    def cancel(self, attempt_id: str) -> None:
        self.did.append(f"cancel {attempt_id}")

    def query(self, attempt: ports.Attempt) -> ports.QueryResult:
        self.asked.append(attempt)
        return self.told

    def reverse(self, attempt: ports.Attempt, reversal_id: str) -> ports.PayResult:
        self.did.append(f"reverse {attempt.attempt_id} {reversal_id}")
        return self.says

    def refund(
        self, attempt: ports.Attempt, amount_minor: int, refund_id: str
    ) -> ports.PayResult:
        self.did.append(f"refund {amount_minor} {refund_id}")
        return self.says

    def settle(self) -> ports.SettleResult:
        self.did.append("settle")
        return ports.SettleResult(ports.Outcome.APPROVED)


class Printer:
    """Paper, or none."""

    def __init__(self) -> None:
        self.paper: list[Sequence[ports.PrintRow]] = []
        self.trouble: OSError | None = None

    def open(self, emit: Callable[[ports.DeviceState], None]) -> None:
        pass

    def close(self) -> None:
        pass

    def print(self, rows: Sequence[ports.PrintRow]) -> None:
        if self.trouble:
            raise self.trouble
        self.paper.append(rows)


class Lamp:
    """A light, and a UPS that counts its orders."""

    def __init__(self) -> None:
        self.shown: queue.Queue[ports.Light] = queue.Queue()
        self.shutdowns: queue.Queue[str] = queue.Queue()

    def open(self, emit: Callable[[Any], None]) -> None:
        pass

    def close(self) -> None:
        pass

    def show(self, light: ports.Light) -> None:
        self.shown.put(light)

    def order_shutdown(self) -> None:
        self.shutdowns.put("now")


class Delays:
    def __init__(self) -> None:
        self.running: dict[str, tuple[int, float]] = {}

    def set(self, name: str, generation: int, seconds: float) -> None:
        self.running[name] = (generation, seconds)

    def cancel(self, name: str) -> None:
        self.running.pop(name, None)


class Impatient(threading.Event):
    """A ticket that is not waited for longer than this."""

    def wait(self, timeout: float | None = None) -> bool:
        return super().wait(0)


class Rig:
    def __init__(self, ticket: Callable[[], Any] = threading.Event) -> None:
        self.terminal = Terminal()
        self.printer = Printer()
        self.lamp = Lamp()
        self.delays = Delays()
        self.posted: queue.Queue[Any] = queue.Queue()
        self.sounds: list[str] = []
        self.checked: list[tuple[str, str]] = []
        self.effects = Effects(
            Devices(
                terminal=self.terminal,
                printer=self.printer,
                light=self.lamp,
                ups=self.lamp,
            ),
            self.posted.put,
            self.delays,
            receipt=lambda sale, is_copy: [
                ports.TextLine(f"receipt {sale.sale_seq}", "copy" if is_copy else "")
            ],
            slip=lambda code, figures: [ports.TextLine(f"slip {code}")],
            check_pin=self.check_pin,
            sound=self.sounds.append,
            serve=self.serve,
            ticket=ticket,
        )

    def check_pin(self, attendant: str, nonce: str) -> bool:
        self.checked.append((attendant, threading.current_thread().name))
        return attendant == "7"

    def serve(self, wanted: wants.Serve) -> ServiceEnded:
        at = threading.current_thread().name
        return ServiceEnded(wanted.deed, wanted.asked, "done", at)

    def do(self, command: Any) -> Rig:
        self.effects.carry_out(command)
        return self

    def next(self) -> Any:
        return self.posted.get(timeout=SECONDS)

    def next_on_disk(self) -> Any:
        event = self.next()
        self.effects.on_disk(event)
        return event

    def nothing_more(self) -> bool:
        """Let the workers finish what they were given, then look."""
        for jobs in (self.effects._at_terminal, self.effects._at_printer):
            done = threading.Event()
            jobs.give(done.set)
            assert done.wait(SECONDS)
        return self.posted.empty()


@pytest.fixture
def rig():
    return Rig()


@pytest.mark.parametrize(
    ("deed", "worker"),
    [
        ("logs", "service"),
        ("try_terminal", "terminal"),
        ("forget_trial", "terminal"),
        ("stop_trial", "terminal-cancel"),
    ],
)
def test_a_trial_shares_the_terminals_worker_and_its_stop_does_not(rig, deed, worker):
    told = rig.do(wants.Serve(deed, 7, "9")).next()
    assert told == ServiceEnded(deed, 7, "done", worker)


class TestAskingForMoney:
    def test_the_mark_is_read_before_the_intent(self, rig):
        assert rig.do(wants.PrepareTender(TENDER)).next() == TenderStarted(
            TENDER, "T1", 41
        )

    def test_a_terminal_out_of_reach_starts_nothing(self, rig):
        rig.terminal.mark = None
        event = rig.do(wants.PrepareTender(TENDER)).next()
        assert isinstance(event, TenderNotStarted)
        assert rig.terminal.asked == []

    def test_it_is_acknowledged_only_once_the_result_is_on_disk(self, rig):
        rig.do(wants.Authorize(ATTEMPT))
        assert rig.next() == TenderMoment("t1", "card_seen")
        result = rig.next()
        assert isinstance(result, TenderResult)
        assert result.result == CardResult(Outcome.APPROVED, 249, "EUR", auth_code="A1")
        assert rig.terminal.did == ["told"]
        assert rig.posted.empty()
        rig.effects.on_disk(result)
        assert rig.next() == TenderConfirmed("t1")
        assert rig.terminal.did == ["told", "acknowledged"]

    def test_what_was_asked_is_what_the_intent_says(self, rig):
        rig.do(wants.Authorize(ATTEMPT))
        rig.next()
        rig.next_on_disk()
        rig.next()
        mark = ports.Watermark("T1", 41)
        assert rig.terminal.asked == [ports.Attempt("t1", 249, "EUR", mark)]

    def test_anothers_result_on_disk_does_not_count(self, rig):
        rig.do(wants.Authorize(ATTEMPT))
        rig.next()
        result = rig.next()
        rig.effects.on_disk(TenderResult("t0", result.result))
        rig.effects.on_disk(TenderConfirmed("t1"))
        assert rig.posted.empty()
        assert rig.terminal.did == ["told"]
        rig.effects.on_disk(result)
        assert rig.next() == TenderConfirmed("t1")

    def test_a_disk_that_is_late_means_no_acknowledgement_and_unknown(self):
        rig = Rig(ticket=Impatient)
        rig.do(wants.Authorize(ATTEMPT))
        rig.next()
        assert rig.next().result.outcome is Outcome.APPROVED
        assert rig.next().result.outcome is Outcome.UNKNOWN
        assert rig.terminal.did == ["told", "not acknowledged"]

    def test_a_driver_that_calls_it_done_all_the_same_completes_nothing(self):
        rig = Rig(ticket=Impatient)
        rig.terminal.ignores_the_disk = True
        rig.do(wants.Authorize(ATTEMPT))
        posted = [rig.next(), rig.next(), rig.next()]
        assert not [e for e in posted if isinstance(e, TenderConfirmed)]
        assert rig.nothing_more()

    def test_a_dialogue_that_was_never_closed_is_unknown_after_the_approval(self, rig):
        rig.terminal.ends = UNKNOWN
        rig.do(wants.Authorize(ATTEMPT))
        rig.next()
        rig.next_on_disk()
        assert rig.next() == TenderResult("t1", CardResult(Outcome.UNKNOWN))
        assert rig.nothing_more()

    @pytest.mark.parametrize("outcome", ["unknown", "not_sent"])
    def test_what_never_ended_is_told_once(self, rig, outcome):
        rig.terminal.says = ports.PayResult(ports.Outcome(outcome))
        event = rig.do(wants.Authorize(ATTEMPT)).next()
        assert event == TenderResult("t1", CardResult(Outcome(outcome)))
        assert rig.nothing_more()

    def test_a_declined_card_is_told_once_and_confirms_nothing(self, rig):
        rig.terminal.says = DECLINED
        rig.do(wants.Authorize(ATTEMPT))
        rig.next()
        assert rig.next_on_disk().result.outcome is Outcome.DECLINED
        assert rig.nothing_more()

    def test_cancel_does_not_wait_for_the_payment(self, rig):
        rig.do(wants.Authorize(ATTEMPT))
        rig.next()
        result = rig.next()
        rig.do(wants.CancelAuthorization("t1"))
        done = threading.Event()
        rig.effects._at_cancel.give(done.set)
        assert done.wait(SECONDS)
        assert rig.terminal.did == ["told", "cancel t1"]
        rig.effects.on_disk(result)
        assert rig.next() == TenderConfirmed("t1")


class TestAskingHowItEnded:
    @pytest.mark.parametrize("answer", [a for a in Answer if a is not Answer.FOUND])
    def test_each_answer_is_told(self, rig, answer):
        rig.terminal.told = ports.QueryResult(ports.Answer(answer.value))
        event = rig.do(wants.Query(ATTEMPT)).next()
        assert event == TenderQueried("t1", answer)

    def test_a_found_payment_comes_with_its_result(self, rig):
        rig.terminal.told = ports.QueryResult(ports.Answer.FOUND, APPROVED)
        event = rig.do(wants.Query(ATTEMPT)).next()
        assert event.result.outcome is Outcome.APPROVED
        assert event.result.amount_minor == 249

    def test_it_never_pays(self, rig):
        rig.do(wants.Query(ATTEMPT)).next()
        assert rig.terminal.did == []


class TestGivingBack:
    def test_a_reversal_has_its_id(self, rig):
        event = rig.do(wants.Reverse(ATTEMPT, "r1")).next()
        assert isinstance(event, ReversalResult)
        assert (event.reversal_id, event.result.outcome) == ("r1", Outcome.APPROVED)
        assert rig.terminal.did == ["reverse t1 r1"]

    def test_a_refund_is_for_the_whole_amount(self, rig):
        rig.do(wants.Refund(ATTEMPT, "f1")).next()
        assert rig.terminal.did == ["refund 249 f1"]


class TestPaper:
    @pytest.mark.parametrize("is_copy", [False, True])
    def test_a_receipt_is_printed_and_said_to_be(self, rig, is_copy):
        assert rig.do(wants.PrintReceipt(SALE, is_copy)).next() == ReceiptPrinted(9)
        assert rig.printer.paper == [
            [ports.TextLine("receipt 9", "copy" if is_copy else "")]
        ]

    @pytest.mark.parametrize(
        "trouble", [ports.PrinterTrouble("paper out"), ConnectionResetError("gone")]
    )
    def test_trouble_with_the_printer_is_an_event(self, rig, trouble):
        rig.printer.trouble = trouble
        event = rig.do(wants.PrintReceipt(SALE)).next()
        assert event == ReceiptFailed(9, str(trouble))

    def test_words_without_an_end_are_cut(self, rig):
        rig.printer.trouble = ports.PrinterTrouble("x" * 5000)
        assert len(rig.do(wants.PrintReceipt(SALE)).next().reason) <= 200

    def test_a_slip_that_cannot_be_printed_stops_nothing(self, rig):
        rig.printer.trouble = ports.PrinterTrouble("paper out")
        rig.do(wants.PrintSlip("0042", FIGURES))
        assert rig.nothing_more()
        rig.printer.trouble = None
        rig.do(wants.PrintSlip("0043", FIGURES))
        assert rig.do(wants.PrintReceipt(SALE)).next() == ReceiptPrinted(9)
        assert rig.printer.paper[0] == [ports.TextLine("slip 0043")]


class TestTheRest:
    @pytest.mark.parametrize(("attendant", "is_right"), [("7", True), ("8", False)])
    def test_a_pin_is_checked_away_from_the_lane(self, rig, attendant, is_right):
        event = rig.do(wants.CheckPin(attendant, "n1")).next()
        assert event == PinChecked(attendant, "n1", is_right)
        assert rig.checked == [(attendant, "pins")]

    def test_limits_are_set_and_cancelled(self, rig):
        rig.do(wants.SetTimer("idle", 5, 90.0))
        assert rig.delays.running == {"idle": (5, 90.0)}
        rig.do(wants.CancelTimer("idle"))
        assert rig.delays.running == {}

    @pytest.mark.parametrize("light", ["green", "amber", "red", "off"])
    def test_the_light_shows_what_is_wanted(self, rig, light):
        rig.do(wants.ShowLight(light))
        assert rig.lamp.shown.get(timeout=SECONDS) is ports.Light(light)

    def test_a_sound_is_made_at_once(self, rig):
        rig.do(wants.Beep("paid"))
        assert rig.sounds == ["paid"]

    def test_the_shutdown_is_ordered(self, rig):
        rig.do(wants.OrderShutdown())
        assert rig.lamp.shutdowns.get(timeout=SECONDS) == "now"

    @pytest.mark.parametrize(
        "command",
        [wants.Ignore("X"), wants.CallAttendant("help"), wants.CloseDay("today")],
    )
    def test_words_alone_move_nothing(self, rig, command):
        rig.do(command)
        assert rig.nothing_more()

    def test_training_touches_no_terminal(self, rig):
        rig.terminal.mark = None
        rig.do(wants.PretendTender(TENDER))
        assert [type(rig.next()) for _ in range(3)] == [
            TenderStarted,
            TenderResult,
            TenderConfirmed,
        ]
        assert rig.terminal.asked == rig.terminal.did == []
