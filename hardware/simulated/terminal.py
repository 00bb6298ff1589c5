"""The lane's side of the simulated card terminal.

Keeps the promises of the `CardTerminal` port as a driver of a real terminal
must: one financial command per attempt, NOT_SENT only when no byte was written,
no acknowledgement before the result is on disk, and UNKNOWN for everything that
is not an explicit final answer. It never repeats a payment.

`sink.result` is called once, for a final answer of the terminal; never for
NOT_SENT, UNKNOWN or a payment that the terminal refused to begin.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

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
    Watermark,
)
from hardware.simulated import frames
from hardware.simulated.control import LOOPBACK
from hardware.simulated.terminal_wire import (
    Accepted,
    Ack,
    AskMark,
    Cancel,
    Confirmed,
    Found,
    Mark,
    Moment,
    Pay,
    Query,
    Refund,
    Refusal,
    Refused,
    Result,
    Reverse,
    ToLane,
    ToTerminal,
    Undone,
)

log = logging.getLogger(__name__)

CONNECT_SECONDS = 2.0
# A question is answered from memory; reversals and refunds go to the host.
ANSWER_SECONDS = 5.0
# Longer than the terminal waits for a card and the host together.
PAY_SECONDS = 150.0
WATCH_SECONDS = 3.0

NOT_SENT = PayResult(Outcome.NOT_SENT, detail="the terminal cannot be reached")


class _NothingSent(OSError):
    """Not one byte reached the wire."""


class SimulatedTerminal:
    """Talks to the terminal process that wrote `port_file`, whenever it is there."""

    def __init__(
        self,
        port_file: Path,
        pay_seconds: float = PAY_SECONDS,
        answer_seconds: float = ANSWER_SECONDS,
        watch_seconds: float = WATCH_SECONDS,
    ) -> None:
        self._port_file = port_file
        self._pay_seconds = pay_seconds
        self._answer_seconds = answer_seconds
        self._watch_seconds = watch_seconds
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None

    def open(self, emit: Callable[[DeviceState], None]) -> None:
        """Start watching the link; moves no money; returns at once."""
        self._stop.clear()
        self._thread = threading.Thread(
            target=self._watch, args=(emit,), name="terminal-watch", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Let go of the link."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def capabilities(self) -> Capabilities:
        """Say what this terminal can do. Touches nothing."""
        return Capabilities(recovery=Recovery.BY_ID)

    def watermark(self) -> Watermark | None:
        """Return the terminal's mark, or None when it cannot be reached."""
        try:
            match self._ask(AskMark()):
                case Mark(watermark):
                    return watermark
                case _:
                    return None
        except OSError:
            return None

    def pay(self, attempt: Attempt, sink: PaymentSink) -> PayResult:
        """Take a payment; `sink.result` gets the result before it is acknowledged."""
        until = time.monotonic() + self._pay_seconds
        try:
            link = self._connect()
        except OSError:
            return NOT_SENT
        with link:
            try:
                _write_first(link, Pay(attempt))
                return self._converse(link, attempt, sink, until)
            except _NothingSent:
                return NOT_SENT
            except OSError as error:
                return _unknown(attempt, str(error) or type(error).__name__)

    def cancel(self, attempt_id: str) -> None:
        """Ask the terminal to stop waiting for a card. `pay` returns the truth."""
        try:
            with self._connect() as link:
                _write_first(link, Cancel(attempt_id))
        except OSError as error:
            log.warning("the terminal was not asked to cancel: %s", error)

    def query(self, attempt: Attempt) -> QueryResult:
        """Say how an earlier attempt ended. Moves no money; safe to repeat."""
        try:
            match self._ask(Query(attempt)):
                case Found(answer):
                    return answer
                case _:
                    return QueryResult(Answer.INDETERMINATE)
        except OSError:
            return QueryResult(Answer.UNREACHABLE)

    def reverse(self, attempt: Attempt, reversal_id: str) -> PayResult:
        """Undo an approved attempt before settlement. Safe to repeat."""
        return self._undo(attempt, Reverse(attempt, reversal_id))

    def refund(self, attempt: Attempt, amount_minor: int, refund_id: str) -> PayResult:
        """Give money of an approved attempt back. Safe to repeat by `refund_id`."""
        return self._undo(attempt, Refund(attempt, amount_minor, refund_id))

    def settle(self) -> SettleResult:
        """Settle nothing: this terminal needs no end of day."""
        return SettleResult(Outcome.APPROVED)

    def _converse(
        self, link: socket.socket, attempt: Attempt, sink: PaymentSink, until: float
    ) -> PayResult:
        """Follow the dialogue to its end. An OSError on the way is UNKNOWN."""
        final: PayResult | None = None
        while True:
            match _read(link, until):
                case Accepted():
                    pass
                case Moment(_, moment):
                    sink.moment(moment)
                case Refused(_, why):
                    return _refused(attempt, why)
                case Result(attempt_id, result) if (
                    attempt_id == attempt.attempt_id and final is None
                ):
                    if not sink.result(result):
                        return _unknown(attempt, "the result is not on disk")
                    final = result
                    _write(link, Ack(attempt_id), until)
                case Confirmed(attempt_id) if (
                    attempt_id == attempt.attempt_id and final is not None
                ):
                    return final
                case other:
                    kind = type(other).__name__
                    return _unknown(attempt, f"the terminal said {kind} out of turn")

    def _undo(self, attempt: Attempt, word: Reverse | Refund) -> PayResult:
        try:
            match self._ask(word):
                case Undone(result):
                    return result
                case other:
                    return _unknown(attempt, f"unexpected {type(other).__name__}")
        except _NothingSent:
            return NOT_SENT
        except OSError as error:
            return _unknown(attempt, str(error) or type(error).__name__)

    def _ask(self, word: ToTerminal) -> ToLane:
        until = time.monotonic() + self._answer_seconds
        with self._connect() as link:
            _write_first(link, word)
            return _read(link, until)

    def _connect(self) -> socket.socket:
        try:
            where = frames.read_port_file(self._port_file)
            return socket.create_connection((LOOPBACK, where.port), CONNECT_SECONDS)
        except OSError as error:
            raise _NothingSent(str(error)) from error

    def _watch(self, emit: Callable[[DeviceState], None]) -> None:
        told: DeviceState | None = None
        while not self._stop.is_set():
            mark = self.watermark()
            state = (
                DeviceState(Health.ABSENT, "the card terminal does not answer")
                if mark is None
                else DeviceState(Health.READY, mark.terminal_id)
            )
            if state != told:
                told = state
                emit(state)
            self._stop.wait(self._watch_seconds)


def _write_first(link: socket.socket, word: ToTerminal) -> None:
    """Write a dialogue's first word; `_NothingSent` when not one byte was taken."""
    data = frames.frame(msgspec.json.encode(word))
    try:
        sent = link.send(data)
    except OSError as error:
        raise _NothingSent(str(error)) from error
    link.sendall(data[sent:])


def _write(link: socket.socket, word: ToTerminal, until: float) -> None:
    """Write a later word: whatever goes wrong now, the terminal was asked."""
    link.settimeout(max(0.001, until - time.monotonic()))
    frames.send(link, word)


def _read(link: socket.socket, until: float) -> ToLane:
    left = until - time.monotonic()
    if left <= 0:
        raise TimeoutError("the terminal did not answer in time")
    link.settimeout(left)
    try:
        word: ToLane = msgspec.json.decode(frames.receive(link), type=ToLane)
        return word
    except msgspec.DecodeError as error:
        raise OSError(f"the terminal said something else: {error}") from error


def _refused(attempt: Attempt, why: Refusal) -> PayResult:
    if why in (Refusal.ID_REUSED, Refusal.REVERSED):
        return _unknown(attempt, why.value)
    # The terminal kept nothing: the same as a shopper who changed their mind.
    return PayResult(Outcome.CANCELLED, currency=attempt.currency, detail=why.value)


def _unknown(attempt: Attempt, detail: str) -> PayResult:
    log.warning("attempt %s: outcome unknown: %s", attempt.attempt_id, detail)
    return PayResult(Outcome.UNKNOWN, currency=attempt.currency, detail=detail)
