"""Drives an Adyen terminal by nexo messages in local mode, encrypted.

Keeps the money rules of card-terminals.md: one payment request per attempt, ever; a
time-out is no decline; after any cut the terminal is asked by the attempt's own id, never
charged again. What is not sealed by the terminal proves nothing. Never sends card data
and never sees it: the codec drops it.
"""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Protocol

import msgspec

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
    TerminalMoment,
    Watermark,
)
from hardware.terminal import nexo_outcome as outcome
from hardware.terminal.nexo_crypto import NONCE_BYTES, Key
from hardware.terminal.nexo_envelope import Clear, Opened, Sealed, open_answer, seal
from hardware.terminal.nexo_link import NothingSent, Refused, WrongTerminal
from hardware.terminal.nexo_messages import PAYMENT, REVERSAL, Asked, Speaker

log = logging.getLogger(__name__)

# The terminal itself gives up after 120 s.
PAY_SECONDS = 150.0
ANSWER_SECONDS = 15.0
WATCH_TROUBLE_SECONDS = 4.0
# A terminal remembers for so long what it was asked; later its "never" means nothing.
MEMORY_SECONDS = 48 * 3600.0
# Longer than a request can still be on its way after it was given up (`nexo_link`).
APART_SECONDS = 15.0
_ASKED_IN_VAIN = 3
_SERVICE_ID_CHARACTERS = 10


class Link(Protocol):
    """How one request is asked (`nexo_link.HttpsLink`)."""

    def ask(
        self, request: bytes, seconds: float, on_sent: Callable[[], None] | None = None
    ) -> bytes: ...


class Profile(msgspec.Struct, frozen=True):
    """How one terminal wants to be talked to. `poi_id`: model and serial number."""

    key: Key
    poi_id: str
    sale_id: str
    pay_seconds: float = PAY_SECONDS
    answer_seconds: float = ANSWER_SECONDS
    # "I never got it" counts when it was said twice, so far apart.
    answers_apart_seconds: float = APART_SECONDS
    watch_seconds: float = 60.0


class _Asking(msgspec.Struct):
    """How far the recovery of one attempt has come. In memory: begun anew is safe."""

    in_vain: int = 0
    not_received_at: float | None = None


class NexoTerminal:
    """One terminal, asked over its own link for as long as it is open."""

    def __init__(
        self, link: Link, profile: Profile, wall: Callable[[], float] = time.time
    ) -> None:
        self._link = link
        self._profile = profile
        self._wall = wall
        self._speaker = Speaker(profile.sale_id, profile.poi_id)
        self._in_use = threading.Lock()
        self._paying = ""
        self._asking: dict[str, _Asking] = {}
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self, emit: Callable[[DeviceState], None]) -> None:
        """Start watching the terminal; moves no money; returns at once."""
        self._stop.clear()
        self._thread = threading.Thread(
            target=self._watch, args=(emit,), name="nexo-watch", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def capabilities(self) -> Capabilities:
        """Say what this terminal can do. Touches nothing."""
        return Capabilities(Recovery.BY_ID, offline_possible=True, force_online=True)

    def watermark(self) -> Watermark | None:
        """Return the terminal's identity and this moment, or None when it cannot be
        reached or does not understand the lane."""
        with self._in_use:
            state = self._look()
        if state.health is Health.ABSENT:
            log.warning("the terminal: %s", state.detail)
            return None
        return Watermark(self._profile.poi_id, 0, str(int(self._wall())))

    def pay(self, attempt: Attempt, sink: PaymentSink) -> PayResult:
        """Take a payment; `sink.result` gets an approval before it is returned."""
        if attempt.watermark.terminal_id != self._profile.poi_id:
            return outcome.not_sent(
                attempt,
                "another terminal hangs here now",
                TerminalError.MISCONFIGURED,
            )
        asked = self._speaker.payment(
            service_id(attempt.attempt_id),
            attempt.attempt_id,
            (attempt.amount_minor, attempt.currency),
            self._now(),
            require_online=attempt.require_online,
        )
        with self._in_use:
            self._asking.pop(attempt.attempt_id, None)
            self._paying = attempt.attempt_id
            try:
                opened = self._ask(
                    asked,
                    self._profile.pay_seconds,
                    lambda: sink.moment(TerminalMoment.WAITING_FOR_CARD),
                )
            except NothingSent as error:
                return outcome.not_sent(attempt, str(error), _error_of(error))
            except Refused as error:
                return PayResult(
                    Outcome.DECLINED,
                    currency=attempt.currency,
                    error=TerminalError.REJECTED,
                    detail=str(error),
                )
            except OSError as error:
                return outcome.unknown(attempt, str(error) or type(error).__name__)
            finally:
                self._paying = ""
        told = opened.answered.payment if isinstance(opened, Sealed) else None
        if told is None:
            return outcome.unknown(attempt, _why(opened))
        result = outcome.paid(attempt, told)
        is_taken = result.outcome in (Outcome.APPROVED, Outcome.PARTIAL)
        if is_taken and not sink.result(result):
            return outcome.unknown(attempt, "the result is not on disk")
        return result

    def cancel(self, attempt_id: str) -> None:
        """Ask the terminal to stop waiting for a card. `pay` returns the truth."""
        if self._paying != attempt_id:
            return
        asked = self._speaker.abort(_new_service_id(), service_id(attempt_id))
        try:
            # The answer is empty, or says nothing of the payment.
            self._link.ask(self._sealed(asked), self._profile.answer_seconds)
        except OSError as error:
            log.warning("the payment could not be cancelled: %s", error)

    def query(self, attempt: Attempt) -> QueryResult:
        """Say how an earlier attempt ended. Moves no money; safe to repeat.

        Says IN_PROGRESS until the terminal was asked often enough to be sure.
        """
        if attempt.watermark.terminal_id != self._profile.poi_id:
            return QueryResult(Answer.INDETERMINATE)
        asked = self._speaker.status(
            _new_service_id(), PAYMENT, service_id(attempt.attempt_id)
        )
        with self._in_use:
            try:
                opened = self._ask(asked, self._profile.answer_seconds)
            except OSError as error:
                log.warning("the terminal was not reached: %s", error)
                return QueryResult(Answer.UNREACHABLE)
        told = opened.answered.status if isinstance(opened, Sealed) else None
        if told is None:
            log.warning("the terminal's answer proves nothing: %s", _why(opened))
            return QueryResult(Answer.UNREACHABLE)
        return self._weigh(
            attempt,
            outcome.answered(attempt, told, is_recent=self._is_recent(attempt)),
        )

    def reverse(self, attempt: Attempt, reversal_id: str) -> PayResult:
        """Order an approved attempt to be given back. Safe to repeat: an order that
        was taken already is APPROVED."""
        return self._give_back(attempt, reversal_id, None)

    def refund(self, attempt: Attempt, amount_minor: int, refund_id: str) -> PayResult:
        """Order money of an approved attempt back. Safe to repeat by `refund_id`."""
        return self._give_back(attempt, refund_id, amount_minor)

    def settle(self) -> SettleResult:
        """Say that all is well: the acquirer settles by itself."""
        return SettleResult(Outcome.APPROVED)

    # -- asking ---------------------------------------------------------------

    def _ask(
        self,
        asked: Asked,
        seconds: float,
        on_sent: Callable[[], None] | None = None,
    ) -> Opened:
        answer = self._link.ask(self._sealed(asked), seconds, on_sent)
        return open_answer(self._profile.key, answer, asked.header)

    def _sealed(self, asked: Asked) -> bytes:
        return seal(self._profile.key, asked, os.urandom(NONCE_BYTES))

    def _weigh(self, attempt: Attempt, answer: QueryResult) -> QueryResult:
        """Return an answer once it is sure, and IN_PROGRESS before."""
        asking = self._asking.setdefault(attempt.attempt_id, _Asking())
        match answer.answer:
            case Answer.NOT_RECEIVED:
                now = time.monotonic()
                if asking.not_received_at is None:
                    asking.not_received_at = now
                    if self._profile.answers_apart_seconds > 0:
                        return QueryResult(Answer.IN_PROGRESS)
                apart = now - asking.not_received_at
                if apart < self._profile.answers_apart_seconds:
                    return QueryResult(Answer.IN_PROGRESS)
            case Answer.INDETERMINATE:
                asking.in_vain += 1
                if asking.in_vain < _ASKED_IN_VAIN:
                    return QueryResult(Answer.IN_PROGRESS)
            case Answer.IN_PROGRESS:
                self._asking[attempt.attempt_id] = _Asking()
                return answer
            case _:
                pass
        self._asking.pop(attempt.attempt_id, None)
        return answer

    def _is_recent(self, attempt: Attempt) -> bool:
        """Whether the terminal must still know the attempt, if it ever got it."""
        begun = attempt.watermark.mark
        if not begun.isascii() or not begun.isdecimal():
            return False
        # A clock that went back proves nothing, as one that is two days on.
        return -60.0 <= self._wall() - int(begun) < MEMORY_SECONDS - 3600.0

    def _give_back(
        self, attempt: Attempt, order_id: str, part_minor: int | None
    ) -> PayResult:
        if not attempt.reference:
            return PayResult(
                Outcome.DECLINED,
                error=TerminalError.REJECTED,
                detail="no transaction number to reverse by",
            )
        if attempt.watermark.terminal_id != self._profile.poi_id:
            return outcome.not_sent(
                attempt,
                "another terminal hangs here now",
                TerminalError.MISCONFIGURED,
            )
        amount = attempt.amount_minor if part_minor is None else part_minor
        name = service_id(order_id)
        part = None if part_minor is None else (part_minor, attempt.currency)
        order = self._speaker.reversal(name, attempt.reference, part)
        before = self._speaker.status(_new_service_id(), REVERSAL, name)
        with self._in_use:
            try:
                opened = self._ask(before, self._profile.answer_seconds)
                known = opened.answered.status if isinstance(opened, Sealed) else None
                if known is None:
                    return outcome.unknown(attempt, _why(opened))
                body = known.repeated.body if known.repeated is not None else None
                if body is not None and body.reversal is not None:
                    return outcome.given_back(attempt, body.reversal, amount)
                if known.response.error_condition != outcome.NOT_FOUND:
                    return outcome.unknown(
                        attempt, "the terminal does not tell of an earlier order"
                    )
                # The terminal takes one ServiceID once: an order that is still on its
                # way cannot be carried out beside this one.
                opened = self._ask(order, self._profile.answer_seconds)
            except OSError as error:
                return outcome.unknown(attempt, str(error) or type(error).__name__)
        told = opened.answered.reversal if isinstance(opened, Sealed) else None
        if told is None:
            return outcome.unknown(attempt, _why(opened))
        return outcome.given_back(attempt, told, amount)

    def _now(self) -> str:
        when = datetime.fromtimestamp(self._wall(), UTC)
        return when.isoformat(timespec="seconds").replace("+00:00", "Z")

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
        asked = self._speaker.diagnosis(_new_service_id())
        try:
            opened = self._ask(asked, self._profile.answer_seconds)
        except OSError as error:
            return DeviceState(Health.ABSENT, str(error) or "no answer")
        told = opened.answered.diagnosis if isinstance(opened, Sealed) else None
        if told is None:
            return DeviceState(
                Health.ABSENT,
                f"{_why(opened)}: compare passphrase, key name and version with the"
                " terminal's",
            )
        status = told.status.global_status
        if told.response.result == outcome.SUCCESS and status == "OK":
            return DeviceState(Health.READY, f"terminal {self._profile.poi_id}")
        words = {
            "Busy": "busy",
            "Maintenance": "under maintenance",
            "Unreachable": "it does not reach its host",
        }
        # Without its host it may still approve offline; the lane's limits see to it.
        health = Health.DEGRADED if status == "Unreachable" else Health.ABSENT
        return DeviceState(health, words.get(status, "it says that it cannot work"))


def service_id(attempt_id: str) -> str:
    """Return what an attempt is called on the wire: ten letters and digits.

    Made of the attempt's own random id, so that it is known again after any cut, and
    never given twice (card-terminals.md 8.1).
    """
    digest = hashlib.sha256(attempt_id.encode()).digest()
    return base64.b32encode(digest).decode()[:_SERVICE_ID_CHARACTERS]


def _new_service_id() -> str:
    return base64.b32encode(os.urandom(7)).decode()[:_SERVICE_ID_CHARACTERS]


def _why(opened: Opened) -> str:
    match opened:
        case Clear(words):
            return f"it does not understand the lane ({words})"
        case Sealed():
            return "an answer to something else"
        case _:
            return opened.cause


def _error_of(error: NothingSent) -> TerminalError:
    return (
        TerminalError.MISCONFIGURED
        if isinstance(error, WrongTerminal)
        else TerminalError.NONE
    )
