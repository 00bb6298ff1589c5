"""Carries out effects with the devices; what came of them is posted as events.

One line per effect. Expected trouble (no paper, no answer) becomes an event;
anything else ends the process. What an unknown outcome leads to is decided in the
lane, where it is journaled and tested, never in a loop here.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from functools import partial
from typing import Protocol

import msgspec

from hardware import ports
from kiosk.domain.effects import (
    AnswerUpdater,
    Authorize,
    Beep,
    CallAttendant,
    CancelAuthorization,
    CancelTimer,
    CheckPin,
    CloseDay,
    Command,
    Ignore,
    OrderShutdown,
    PrepareTender,
    PretendTender,
    PrintReceipt,
    PrintSlip,
    Query,
    Refund,
    Reverse,
    Serve,
    SetTimer,
    SettleTerminal,
    ShowLight,
)
from kiosk.domain.events import (
    Event,
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
    TerminalSettled,
)
from kiosk.domain.pricing import Figures
from kiosk.domain.tender import Answer, Attempt, CardResult, Outcome, Sale, Tender
from kiosk.worker import Worker

log = logging.getLogger(__name__)

# The journal takes milliseconds; a lane that takes longer than this is stuck, and
# then the terminal must not hear that its result is safe.
_TICKET_SECONDS = 10.0


class Devices(msgspec.Struct, frozen=True):
    """The devices that effects need."""

    terminal: ports.CardTerminal
    printer: ports.Printer
    light: ports.LaneLight
    ups: ports.Ups


class Jobs(Protocol):
    """Does the jobs it is given one at a time, in order (`Worker`)."""

    def give(self, job: Callable[[], None]) -> None: ...


class Ticket(Protocol):
    """What a terminal's worker waits for and the lane sets (`threading.Event`)."""

    def set(self) -> None: ...

    def wait(self, timeout: float) -> bool: ...


class Delays(Protocol):
    """The lane's time limits (`Timers`)."""

    def set(self, name: str, generation: int, seconds: float) -> None: ...

    def cancel(self, name: str) -> None: ...


def _no_caretaker(wanted: Serve) -> ServiceEnded:
    """Answer for a machine that nobody takes care of: a bench, a developer's."""
    return ServiceEnded(wanted.deed, wanted.asked, "no_caretaker")


class Effects:
    """Carries out commands. `carry_out` returns at once; workers do the rest."""

    def __init__(
        self,
        devices: Devices,
        post: Callable[[Event], None],
        timers: Delays,
        *,
        receipt: Callable[[Sale, bool], list[ports.PrintRow]],
        slip: Callable[[str, Figures], list[ports.PrintRow]],
        check_pin: Callable[[str, str], bool],
        sound: Callable[[str], None],
        may_not_use: Callable[[str], str] = lambda terminal_id: "",
        answer_updater: Callable[[str, str], None] = lambda asked, refusal: None,
        serve: Callable[[Serve], ServiceEnded] = _no_caretaker,
        worker: Callable[[str], Jobs] = Worker,
        ticket: Callable[[], Ticket] = threading.Event,
    ) -> None:
        self._devices = devices
        self._post = post
        self._timers = timers
        self._receipt = receipt
        self._slip = slip
        self._check_pin = check_pin
        self._sound = sound
        self._may_not_use = may_not_use
        self._answer_updater = answer_updater
        self._serve = serve
        self._ticket = ticket
        self._tickets: dict[str, Ticket] = {}
        self._at_terminal = worker("terminal")
        self._at_cancel = worker("terminal-cancel")
        self._at_printer = worker("printer")
        self._at_pins = worker("pins")
        self._at_light = worker("light")
        self._at_power = worker("power")
        self._at_service = worker("service")

    def on_disk(self, event: Event) -> None:
        """Hear that an event's entry is on disk: its result may be acknowledged."""
        if isinstance(event, TenderResult):
            # One look-up: the worker takes the ticket away when it has waited enough.
            ticket = self._tickets.get(event.attempt_id)
            if ticket is not None:
                ticket.set()

    def carry_out(self, effect: Command) -> None:
        """Start one command. Called from the lane's thread only."""
        match effect:
            case PrepareTender():
                self._at_terminal.give(partial(self._prepare, effect))
            case Authorize(attempt=attempt):
                self._at_terminal.give(partial(self._authorize, attempt))
            case CancelAuthorization(attempt_id=attempt_id):
                cancel = self._devices.terminal.cancel
                self._at_cancel.give(partial(cancel, attempt_id))
            case Query(attempt=attempt):
                self._at_terminal.give(partial(self._query, attempt))
            case Reverse(attempt=attempt, reversal_id=reversal_id):
                self._at_terminal.give(partial(self._reverse, attempt, reversal_id))
            case Refund(attempt=attempt, refund_id=refund_id):
                self._at_terminal.give(partial(self._refund, attempt, refund_id))
            case SettleTerminal():
                self._at_terminal.give(self._settle)
            case PretendTender(tender=tender):
                self._at_terminal.give(partial(self._pretend, tender))
            case PrintReceipt(sale=sale, is_copy=is_copy):
                self._at_printer.give(partial(self._print, sale, is_copy))
            case PrintSlip(code=code, figures=figures):
                self._at_printer.give(partial(self._print_slip, code, figures))
            case CheckPin(attendant=attendant, nonce=nonce):
                self._at_pins.give(partial(self._pin, attendant, nonce))
            case SetTimer(name=name, generation=generation, seconds=seconds):
                self._timers.set(name, generation, seconds)
            case CancelTimer(name=name):
                self._timers.cancel(name)
            case ShowLight(light=light):
                show = self._devices.light.show
                self._at_light.give(partial(show, ports.Light(light)))
            case Beep(sound=sound):
                self._sound(sound)
            case CallAttendant(reason=reason):
                log.info("attendant called: %s", reason)
            case OrderShutdown():
                log.warning("safe shutdown ordered: battery")
                self._at_power.give(self._devices.ups.order_shutdown)
            case Serve(deed="try_terminal" | "forget_trial"):
                # No payment can come between: it is the terminal's one worker.
                self._at_terminal.give(lambda: self._post(self._serve(effect)))
            case Serve(deed="stop_trial"):
                self._at_cancel.give(lambda: self._post(self._serve(effect)))
            case Serve():
                self._at_service.give(lambda: self._post(self._serve(effect)))
            case Ignore(event=event):
                log.info("ignored %s", event)
            case AnswerUpdater(asked=asked, refusal=refusal):
                if refusal:
                    log.info("not closed for an update: %s", refusal)
                self._answer_updater(asked, refusal)
            case CloseDay():
                pass  # The runner's own: it begins the next journal file.

    # -- card ----------------------------------------------------------------

    def _prepare(self, wanted: PrepareTender) -> None:
        terminal, tender = self._devices.terminal, wanted.tender
        can_force = terminal.capabilities().force_online
        if wanted.require_online and wanted.is_host_away and not can_force:
            # It would approve offline, and nothing on its wire can forbid that.
            reason = "offline limit reached"
        elif (mark := terminal.watermark()) is None:
            reason = "terminal out of reach"
        elif not (reason := self._may_not_use(mark.terminal_id)):
            self._post(
                TenderStarted(
                    tender,
                    mark.terminal_id,
                    mark.last_receipt,
                    mark=mark.mark,
                    require_online=wanted.require_online and can_force,
                )
            )
            return
        log.warning("no card payment is started: %s", reason)
        self._post(TenderNotStarted(tender.attempt_id, reason))

    def _settle(self) -> None:
        terminal = self._devices.terminal
        if not terminal.capabilities().settlement_needed:
            self._post(TerminalSettled(Outcome.NOT_SENT, is_needed=False))
            return
        told = terminal.settle()
        self._post(
            TerminalSettled(
                Outcome(told.outcome.value),
                count=told.count,
                sum_minor=told.sum_minor,
                detail=told.detail[:200],
            )
        )

    def _authorize(self, attempt: Attempt) -> None:
        ticket = self._tickets[attempt.attempt_id] = self._ticket()
        sink = _Sink(attempt.attempt_id, self._post, ticket)
        try:
            result = self._devices.terminal.pay(_to_port(attempt), sink)
        finally:
            self._tickets.pop(attempt.attempt_id, None)
        if sink.is_on_disk and result.outcome is ports.Outcome.APPROVED:
            told = sink.lines
            lines = result.receipt_lines if result.receipt_lines != told else ()
            self._post(
                TenderConfirmed(
                    attempt.attempt_id,
                    receipt_lines=lines,
                    merchant_lines=result.merchant_lines,
                )
            )
        elif not sink.was_told or sink.is_approved:
            self._post(TenderResult(attempt.attempt_id, _from_port(result)))

    def _query(self, attempt: Attempt) -> None:
        told = self._devices.terminal.query(_to_port(attempt))
        result = _from_port(told.result) if told.result else None
        answer = Answer(told.answer.value)
        self._post(TenderQueried(attempt.attempt_id, answer, result))

    def _reverse(self, attempt: Attempt, reversal_id: str) -> None:
        result = self._devices.terminal.reverse(_to_port(attempt), reversal_id)
        ended = ReversalResult(attempt.attempt_id, reversal_id, _from_port(result))
        self._post(ended)

    def _refund(self, attempt: Attempt, refund_id: str) -> None:
        terminal = self._devices.terminal
        result = terminal.refund(_to_port(attempt), attempt.amount_minor, refund_id)
        self._post(ReversalResult(attempt.attempt_id, refund_id, _from_port(result)))

    def _pretend(self, tender: Tender) -> None:
        figures = tender.figures
        approved = CardResult(
            Outcome.APPROVED,
            figures.total_minor,
            figures.currency,
            brand="TRAINING",
            is_training=True,
        )
        self._post(TenderStarted(tender, "TRAINING", 0))
        self._post(TenderResult(tender.attempt_id, approved))
        self._post(TenderConfirmed(tender.attempt_id))

    # -- paper and PIN -------------------------------------------------------

    def _print(self, sale: Sale, is_copy: bool) -> None:
        try:
            self._devices.printer.print(self._receipt(sale, is_copy))
        except OSError as trouble:
            self._post(ReceiptFailed(sale.sale_seq, str(trouble)[:200]))
        else:
            self._post(ReceiptPrinted(sale.sale_seq))

    def _print_slip(self, code: str, figures: Figures) -> None:
        try:
            self._devices.printer.print(self._slip(code, figures))
        except OSError as trouble:
            # The code stands on the screen too.
            log.warning("no slip for suspended basket %s: %s", code, trouble)

    def _pin(self, attendant: str, nonce: str) -> None:
        is_right = self._check_pin(attendant, nonce)
        self._post(PinChecked(attendant, nonce, is_right))


class _Sink:
    """Hands a payment's result to the lane and waits until it is on disk."""

    def __init__(
        self,
        attempt_id: str,
        post: Callable[[Event], None],
        ticket: Ticket,
    ) -> None:
        self._attempt_id = attempt_id
        self._post = post
        self._ticket = ticket
        self.was_told = False
        self.is_approved = False
        # The receipt lines that are on disk with the approval.
        self.lines: tuple[str, ...] = ()
        # An approval that is not known to be on disk completes nothing.
        self.is_on_disk = False

    def moment(self, moment: ports.TerminalMoment) -> None:
        self._post(TenderMoment(self._attempt_id, moment.value))

    def result(self, result: ports.PayResult) -> bool:
        self.was_told = True
        self.is_approved = result.outcome is ports.Outcome.APPROVED
        self.lines = result.receipt_lines
        self._post(TenderResult(self._attempt_id, _from_port(result)))
        is_on_disk = self._ticket.wait(_TICKET_SECONDS)
        self.is_on_disk = is_on_disk and self.is_approved
        return is_on_disk


def _to_port(attempt: Attempt) -> ports.Attempt:
    known = attempt.result
    return ports.Attempt(
        attempt.attempt_id,
        attempt.amount_minor,
        attempt.currency,
        ports.Watermark(attempt.terminal_id, attempt.last_receipt, attempt.mark),
        require_online=attempt.require_online,
        reference=known.reference if known else "",
    )


def _from_port(result: ports.PayResult) -> CardResult:
    return CardResult(
        outcome=Outcome(result.outcome.value),
        amount_minor=result.amount_minor,
        currency=result.currency,
        auth_code=result.auth_code,
        reference=result.reference,
        masked_pan=result.masked_pan,
        brand=result.brand,
        approved_offline=result.approved_offline,
        receipt_lines=result.receipt_lines,
        merchant_lines=result.merchant_lines,
        error=result.error.value,
    )
