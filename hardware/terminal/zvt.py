"""Drives a ZVT card terminal over TCP or a serial line.

Keeps the money rules of card-terminals.md: one financial command per attempt, ever; a
time-out is no decline; a result is on disk before the terminal hears that it was
received; after any cut the terminal is asked, never charged again. PA00P015 13.08.
Never sends card data and never sees it: the codec drops it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeAlias

import msgspec
from msgspec.structs import replace

from hardware.ports import (
    Answer,
    Attempt,
    Capabilities,
    DeviceState,
    Health,
    Outcome,
    PaymentSink,
    PayResult,
    QueryResult,
    Recovery,
    SettleResult,
    TerminalError,
    Watermark,
)
from hardware.terminal import zvt_commands, zvt_decide
from hardware.terminal import zvt_outcome as outcome
from hardware.terminal.zvt_apdu import Apdu
from hardware.terminal.zvt_commands import Password
from hardware.terminal.zvt_decide import (
    Last,
    Mark,
    Nothing,
    NotTold,
    StillBusy,
    of_reference,
)
from hardware.terminal.zvt_dialogue import (
    Dialogue,
    DialogueEnd,
    Ended,
    NotKept,
    Refused,
    Silent,
    Timers,
)
from hardware.terminal.zvt_health import (
    NEEDS_DIAGNOSIS,
    NEEDS_INITIALISATION,
    state_of,
)
from hardware.terminal.zvt_link import Link, NothingSent
from hardware.terminal.zvt_messages import Abort, Completion, Status

log = logging.getLogger(__name__)

Connect: TypeAlias = Callable[[], Link]

# Idle terminals run their own jobs when they are asked how they are (5.2).
WATCH_SECONDS = 60.0
WATCH_TROUBLE_SECONDS = 4.0
_SETTLE_SECONDS = 300.0


class Profile(msgspec.Struct, frozen=True):
    """How one terminal wants to be talked to."""

    password: Password
    currency: str = "EUR"
    # The terminal's own number, where a swapped one must be noticed.
    terminal_id: str = ""
    charset: str = "cp437"
    # The terminal sends its receipts' lines; else the lane composes them.
    prints: bool = False
    timers: Timers = Timers()
    # 6.6: idle twice, so far apart, before an answer counts; and where the result was
    # never acknowledged two answers, so far apart, that agree.
    idle_apart_seconds: float = 5.0
    answers_apart_seconds: float = 60.0
    watch_seconds: float = WATCH_SECONDS


class _Asking(msgspec.Struct):
    """How far the recovery of one attempt has come. In memory: begun anew is safe."""

    idle_since: float | None = None
    answered_at: float | None = None
    answer: QueryResult | None = None


class ZvtTerminal:
    """One ZVT terminal, found again for as long as it is open."""

    def __init__(self, connect: Connect, profile: Profile) -> None:
        self._connect = connect
        self._profile = profile
        self._in_use = threading.RLock()
        self._link: Link | None = None
        self._terminal_id = ""
        self._software = ""
        self._paying = ""
        self._cancel = threading.Event()
        self._asking: dict[str, _Asking] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self, emit: Callable[[DeviceState], None]) -> None:
        """Start watching the link; moves no money; returns at once."""
        self._stop.clear()
        self._thread = threading.Thread(
            target=self._watch, args=(emit,), name="zvt-watch", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Let go of the link."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None
        with self._in_use:
            self._hang_up()

    def capabilities(self) -> Capabilities:
        """Say what this terminal can do. Touches nothing."""
        return Capabilities(
            Recovery.LAST_TX,
            # 06 31 has no id: what was paid back already could not be told apart.
            referenced_refund=False,
            settlement_needed=True,
            offline_possible=True,
        )

    def watermark(self) -> Watermark | None:
        """Return the terminal's mark, or None when it cannot be reached."""
        with self._in_use:
            try:
                match self._last(self._ready_link()):
                    case Status() as last:
                        mark = zvt_decide.mark_of(last)
                    case Nothing(code):
                        mark = Mark(self._terminal_id, empty=code)
                    case NotTold() | StillBusy():
                        return None
            except OSError as error:
                self._lost(error)
                return None
            return Watermark(self._terminal_id, mark.receipt or 0, mark.text())

    def pay(self, attempt: Attempt, sink: PaymentSink) -> PayResult:
        """Take a payment; `sink.result` gets an approval before it is acknowledged."""
        told: list[PayResult] = []

        def keep(status: Status, was_offline: bool) -> bool:
            if status.result != zvt_decide.OK:
                # Wrong PIN, and perhaps the right one after it.
                return True
            result = self._approved(status, attempt, was_offline)
            if result.outcome is Outcome.UNKNOWN or result in told:
                return True
            told.append(result)
            return sink.result(result)

        with self._in_use:
            self._paying = attempt.attempt_id
            self._cancel.clear()
            self._asking.pop(attempt.attempt_id, None)
            try:
                link = self._ready_link()
                if self._terminal_id != attempt.watermark.terminal_id:
                    return outcome.refused_here(
                        attempt, "another terminal hangs here now"
                    )
                command = zvt_commands.authorise(
                    attempt.amount_minor, self._currency_code(attempt.currency)
                )
                end = self._dialogue(link, sink.moment, keep).hold(command)
            except NothingSent as error:
                self._lost(error)
                return PayResult(Outcome.NOT_SENT, detail=str(error))
            except OSError as error:
                self._lost(error)
                return outcome.unknown(attempt, str(error) or type(error).__name__)
            finally:
                self._paying = ""
            return outcome.paid(attempt, self._closed(end), told)

    def cancel(self, attempt_id: str) -> None:
        """Ask the terminal to stop waiting for a card. `pay` returns the truth."""
        if self._paying == attempt_id:
            self._cancel.set()

    def query(self, attempt: Attempt) -> QueryResult:
        """Say how an earlier attempt ended. Moves no money; safe to repeat.

        Never blocks for the minutes that a sure answer may take: it says IN_PROGRESS
        until it has been asked often enough.
        """
        with self._in_use:
            asking = self._asking.setdefault(attempt.attempt_id, _Asking())
            try:
                link = self._ready_link()
                if self._terminal_id != attempt.watermark.terminal_id:
                    return QueryResult(Answer.INDETERMINATE)
                answer = self._recover(link, attempt, asking)
            except OSError as error:
                self._lost(error)
                # It was away: whatever it was doing, it is not known to be idle.
                self._asking[attempt.attempt_id] = _Asking()
                return QueryResult(Answer.UNREACHABLE)
            if answer.answer is not Answer.IN_PROGRESS:
                self._asking.pop(attempt.attempt_id, None)
            return answer

    def reverse(self, attempt: Attempt, reversal_id: str) -> PayResult:
        """Undo an approved attempt before settlement. Safe to repeat: an attempt
        already reversed is APPROVED."""
        paid = of_reference(attempt.reference)
        if paid is None or paid.receipt is None:
            return PayResult(
                Outcome.DECLINED,
                error=TerminalError.REJECTED,
                detail="no receipt number to reverse by",
            )
        with self._in_use:
            try:
                link = self._ready_link()
                if self._terminal_id != paid.terminal_id:
                    return outcome.refused_here(
                        attempt, "another terminal hangs here now"
                    )
                code = self._currency_code(attempt.currency)
                command = zvt_commands.reversal(
                    self._profile.password, paid.receipt, attempt.amount_minor, code
                )
                end = self._dialogue(link).hold(command)
            except NothingSent as error:
                self._lost(error)
                return PayResult(Outcome.NOT_SENT, detail=str(error))
            except OSError as error:
                self._lost(error)
                return outcome.unknown(attempt, str(error) or type(error).__name__)
            return outcome.reversed_payment(attempt, self._closed(end))

    def refund(self, attempt: Attempt, amount_minor: int, refund_id: str) -> PayResult:
        """Refuse: ZVT's refund has no id, so one could not be told from two."""
        return PayResult(
            Outcome.DECLINED,
            error=TerminalError.REJECTED,
            detail="refund at the terminal itself, with the card",
        )

    def settle(self) -> SettleResult:
        """Run the terminal's end of day; a second one is harmless."""
        with self._in_use:
            try:
                link = self._ready_link()
                timers = replace(self._profile.timers, dialogue_seconds=_SETTLE_SECONDS)
                end = Dialogue(link, self._profile.charset, timers).hold(
                    zvt_commands.end_of_day(self._profile.password)
                )
            except OSError as error:
                self._lost(error)
                return SettleResult(Outcome.UNKNOWN, detail=str(error))
            return outcome.settled(self._closed(end))

    # -- dialogues ------------------------------------------------------------

    def _dialogue(
        self,
        link: Link,
        on_moment: Callable[..., None] = lambda moment: None,
        on_status: Callable[[Status, bool], bool] = lambda status, was_offline: True,
    ) -> Dialogue:
        profile = self._profile
        return Dialogue(
            link, profile.charset, profile.timers, on_status, on_moment, self._cancel
        )

    def _approved(
        self, status: Status, attempt: Attempt, was_offline: bool
    ) -> PayResult:
        told = status.fields.digits(0x29)
        if told and told != attempt.watermark.terminal_id:
            return outcome.unknown(attempt, "approved by another terminal")
        return zvt_decide.approval(
            status, attempt, self._profile.charset, was_offline=was_offline
        )

    def _last(self, link: Link) -> Last:
        end = self._dialogue(link).hold(zvt_commands.repeat(self._profile.password))
        match end:
            case Ended(Completion(), Status() as status):
                return status
            case Refused(code) | Ended(Abort(code)) if (
                zvt_decide.error_of(code) is TerminalError.BUSY
            ):
                return StillBusy()
            case Ended(Abort(code)) if code != zvt_decide.NOT_POSSIBLE and not (
                zvt_decide.error_of(code).value
            ):
                return Nothing(code)
            case Silent(why):
                raise ConnectionError(why)
            case _:
                return NotTold()

    def _recover(self, link: Link, attempt: Attempt, asking: _Asking) -> QueryResult:
        now = time.monotonic()
        status = self._status(link)
        if status == zvt_decide.BUSY:
            asking.idle_since = asking.answer = None
            return QueryResult(Answer.IN_PROGRESS)
        if asking.idle_since is None:
            asking.idle_since = now
        # A terminal that cannot say how it is may wait for a card until T4.
        is_mute = status is None
        apart = (
            self._profile.timers.dialogue_seconds
            if is_mute
            else self._profile.idle_apart_seconds
        )
        if now - asking.idle_since < apart:
            return QueryResult(Answer.IN_PROGRESS)
        answer = zvt_decide.decide(attempt, self._last(link))
        if answer.answer is Answer.IN_PROGRESS:
            asking.idle_since = asking.answer = None
            return answer
        if asking.answer != answer or asking.answered_at is None:
            asking.answer, asking.answered_at = answer, now
            if self._profile.answers_apart_seconds > 0:
                return QueryResult(Answer.IN_PROGRESS)
        if now - asking.answered_at < self._profile.answers_apart_seconds:
            return QueryResult(Answer.IN_PROGRESS)
        return answer

    def _status(self, link: Link) -> int | None:
        """Return the terminal's status byte, or None where it does not tell."""
        match self._dialogue(link).hold(
            zvt_commands.status_enquiry(self._profile.password)
        ):
            case Ended(Completion(status=status, software=software)):
                self._software = software or self._software
                return status if status is not None else zvt_decide.OK
            case Refused(code) if code != zvt_decide.NOT_POSSIBLE:
                return code
            case Ended(Abort(code)) if code != zvt_decide.NOT_POSSIBLE:
                return code
            case Silent(why):
                raise ConnectionError(why)
            case _:
                return None

    # -- the link -------------------------------------------------------------

    def _ready_link(self) -> Link:
        """Return a link on which the lane is registered. Raises `NothingSent`: no
        financial command has left before it is returned."""
        if self._link is not None:
            return self._link
        try:
            link = self._connect()
        except OSError as error:
            raise NothingSent(str(error)) from error
        try:
            self._register(link)
        except OSError as error:
            link.close()
            raise NothingSent(str(error)) from error
        self._link = link
        return link

    def _register(self, link: Link) -> None:
        profile = self._profile
        code = self._currency_code(profile.currency)
        command = zvt_commands.registration(
            profile.password, code, prints=profile.prints
        )
        match self._dialogue(link).hold(command):
            case Ended(Completion(fields=fields)):
                found = fields.digits(0x29)
            case Refused(code) | Ended(Abort(code)):
                raise OSError(f"registration was refused with code {code:02X}")
            case _:
                raise OSError("registration was not answered")
        if profile.terminal_id and found and found != profile.terminal_id:
            raise OSError(
                f"terminal {found} answers, and {profile.terminal_id} is expected here"
            )
        self._terminal_id = found or profile.terminal_id
        if not self._terminal_id:
            raise OSError("the terminal does not tell its number; set terminal_id")

    def _currency_code(self, currency: str) -> int:
        code = zvt_decide.CURRENCIES.get(currency)
        if code is None:
            raise NothingSent(f"no ZVT terminal takes {currency}")
        return code

    def _closed(self, end: DialogueEnd) -> DialogueEnd:
        """Give up a link on which a dialogue was left unfinished."""
        if isinstance(end, NotKept | Silent):
            self._hang_up()
        return end

    def _hang_up(self) -> None:
        if self._link is not None:
            self._link.close()
            self._link = None

    def _lost(self, error: OSError) -> None:
        log.warning("the terminal's link: %s", error or type(error).__name__)
        self._hang_up()

    # -- health ---------------------------------------------------------------

    def _watch(self, emit: Callable[[DeviceState], None]) -> None:
        told: DeviceState | None = None
        while not self._stop.is_set():
            # A payment tells of itself: the terminal is not asked meanwhile.
            if self._in_use.acquire(blocking=False):
                try:
                    state = self._look()
                finally:
                    self._in_use.release()
                if state != told:
                    told = state
                    emit(state)
            is_well = told is not None and told.health is Health.READY
            pause = self._profile.watch_seconds
            self._stop.wait(pause if is_well else min(pause, WATCH_TROUBLE_SECONDS))

    def _look(self) -> DeviceState:
        try:
            link = self._ready_link()
            status = self._status(link)
            if status == NEEDS_DIAGNOSIS:
                self._run(link, zvt_commands.diagnosis())
            elif status == NEEDS_INITIALISATION:
                self._run(link, zvt_commands.initialisation(self._profile.password))
        except OSError as error:
            self._lost(error)
            return DeviceState(Health.ABSENT, str(error) or "no answer")
        who = f"terminal {self._terminal_id} {self._software}".rstrip()
        return state_of(status, who)

    def _run(self, link: Link, command: Apdu) -> None:
        self._dialogue(link).hold(command)
