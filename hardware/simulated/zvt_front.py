"""The ZVT side of the simulated card terminal: words of the core as ZVT messages. Pure.

Behaves as PA00P015 has a terminal behave: it is asked, takes the dialogue over, sends
one message at a time and waits for its answer. What it tells later of a transaction
(06 20) comes from the same ledger that the bench reads. It can be told to do what real
terminals do wrong.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from enum import Enum

import msgspec
from msgspec.structs import replace

from hardware.ports import Attempt, Outcome, PayResult, TerminalMoment, Watermark
from hardware.simulated.terminal_core import Drop, Said, TerminalCore
from hardware.simulated.terminal_store import Day, Kind, Transaction, TxState
from hardware.simulated.terminal_wire import (
    Ack,
    Cancel,
    Moment,
    Pay,
    Refused,
    Result,
    Reverse,
    Undone,
)
from hardware.simulated.zvt_words import (
    ABORTED,
    END_OF_DAY_OPEN,
    NOT_POSSIBLE,
    NOTHING_STORED,
    READY,
    WAIT,
    ZvtBehaviour,
    abort,
    completion,
    intermediate,
    printed,
    registered,
    status_information,
    totals,
)
from hardware.terminal import zvt_fields
from hardware.terminal.zvt_apdu import Apdu

TAKEN = Apdu(0x8000)
_PRINTS = 0x80
_PASSWORD_BYTES = 3


class Twist(Enum):
    """What the next dialogue does that it should not, or seldom does."""

    WRONG_PIN_FIRST = "wrong_pin_first"
    COMPLETION_LOST = "completion_lost"
    ABORT_AFTER_OK = "abort_after_ok"
    UNKNOWN_FIELD = "unknown_field"
    LEAK = "leak"
    END_OF_DAY_FAILS = "end_of_day_fails"
    MAINTENANCE_AFTER = "maintenance_after"
    STRANGE_COMMAND = "strange_command"


class Sending(msgspec.Struct, frozen=True):
    """One message on its way. `acknowledges` names the payment whose result it is,
    `ends` says that the payment is over with it."""

    apdu: Apdu
    acknowledges: str = ""
    ends: bool = False


class ZvtFront:
    """One terminal's conversation with whoever is connected."""

    def __init__(self, core: TerminalCore, behaviour: ZvtBehaviour, day: Day) -> None:
        self._core = core
        self.behaviour = behaviour
        self._day = day
        self.is_day_open = False
        self.status = READY
        self._config = 0x86
        self._paying = ""
        self._twists: deque[Twist] = deque()
        self._twist: Twist | None = None
        self._out: deque[Sending] = deque()
        self._awaiting: Sending | None = None

    @property
    def controls(self) -> Mapping[str, Callable[..., None]]:
        """What the bench can tell it beside what every terminal is told."""
        return {
            "twist_next": lambda twist: self.twist_next(Twist(twist)),
            "behave": self.behave,
            "open_day": self.open_day,
        }

    def behave(self, **how: bool) -> None:
        """Behave as another maker's terminal from now on (`ZvtBehaviour`)."""
        self.behaviour = replace(self.behaviour, **how)

    def open_day(self) -> None:
        """Refuse every payment until an end of day was run."""
        self.is_day_open = True

    def twist_next(self, twist: Twist) -> None:
        """Let the next payment or end of day take this turn."""
        self._twists.append(twist)

    def hung_up(self) -> None:
        """The lane is gone: nothing more is said to it, and nothing is undone."""
        self._out.clear()
        self._awaiting = None
        self._paying = ""

    def hear(self, now: float, apdu: Apdu) -> list[Apdu | Drop]:
        """Take one message of the lane; return what is sent at once."""
        if apdu.control >> 8 in (0x80, 0x84):
            return self._answered(now, is_taken=apdu.control == 0x8000)
        match apdu.control:
            case 0x06B0:
                return self._abort(now)
            case 0x0501:
                return self._enquiry()
            case 0x0600:
                # On a serial line nothing else says that the lane began anew.
                self.hung_up()
                self._config = apdu.data[_PASSWORD_BYTES]
                terminal_id = self._core.terminal_id
                return self._begin(registered(terminal_id, self.status))
            case _ if self._paying or self._out or self._awaiting:
                return [Apdu(0x8400 | WAIT)]
            case 0x0601:
                return self._pay(now, zvt_fields.parse(apdu.data))
            case 0x0620:
                return self._repeat()
            case 0x0630:
                return self._reverse(now, zvt_fields.parse(apdu.data[3:]))
            case 0x0650:
                return self._end_of_day()
            case 0x0670 | 0x0693:
                self.status = READY
                return self._begin(intermediate(0xC9), completion())
            case _:
                return [Apdu(0x8400 | NOT_POSSIBLE)]

    def say(self, said: Said) -> list[Apdu | Drop]:
        """Say what the core has to say of the payment under way."""
        match said:
            case Moment(attempt_id, moment) if attempt_id == self._paying:
                return self._queue(Sending(intermediate(_CODES[moment])))
            case Result(attempt_id, result) if attempt_id == self._paying:
                return self._queue(*self._result(attempt_id, result))
            case Drop():
                self._paying = ""
                return [said]
            case _:
                return []

    # -- payments -------------------------------------------------------------

    def _pay(self, now: float, fields: zvt_fields.Bitmaps) -> list[Apdu | Drop]:
        amount = fields.number(0x04)
        if amount is None:
            return [Apdu(0x8400 | NOT_POSSIBLE)]
        if self.is_day_open:
            no = status_information({0x27: bytes([END_OF_DAY_OPEN])}, self._core)
            return self._begin(no, abort(END_OF_DAY_OPEN))
        attempt_id = f"z{len(self._core.ledger()) + 1:08d}"
        attempt = Attempt(
            attempt_id, amount, "EUR", Watermark(self._core.terminal_id, 0)
        )
        said = self._core.handle(now, Pay(attempt))
        if any(isinstance(one, Refused) for one in said):
            return [Apdu(0x8400 | WAIT)]
        self._paying = attempt_id
        self._twist = self._twists.popleft() if self._twists else None
        first: list[Apdu | Drop] = [TAKEN]
        if self._twist is Twist.STRANGE_COMMAND:
            first += self._queue(Sending(Apdu(0x06E1, b"\xf0")))
        for one in said:
            first += self.say(one)
        return first

    def _result(self, attempt_id: str, result: PayResult) -> list[Sending]:
        kept = self._kept(attempt_id)
        if result.outcome not in (Outcome.APPROVED, Outcome.PARTIAL):
            code = ABORTED if result.outcome is Outcome.CANCELLED else 0x05
            no = status_information({0x27: bytes([code])}, self._core)
            return [Sending(no), Sending(abort(code), ends=True)]
        sendings = []
        if self._twist is Twist.WRONG_PIN_FIRST:
            wrong = status_information({0x27: b"\x55"}, self._core)
            sendings += [Sending(wrong), Sending(intermediate(0x15))]
        sendings.append(
            Sending(
                self._told(
                    kept,
                    leak=self._twist is Twist.LEAK,
                    unknown=self._twist is Twist.UNKNOWN_FIELD,
                ),
                attempt_id,
            )
        )
        if self._config & _PRINTS:
            lines = result.receipt_lines
            sendings += [Sending(printed(1, lines)), Sending(printed(2, lines))]
        if self._twist is Twist.ABORT_AFTER_OK:
            sendings.append(Sending(abort(0xFF)))
        elif self._twist is not Twist.COMPLETION_LOST:
            sendings.append(Sending(completion()))
        sendings[-1] = replace(sendings[-1], ends=True)
        return sendings

    def _answered(self, now: float, *, is_taken: bool) -> list[Apdu | Drop]:
        """The lane answered our last message; the next one may go."""
        answered, self._awaiting = self._awaiting, None
        if answered is None:
            return []
        if answered.acknowledges and is_taken:
            # With its own acknowledgement the payment is safe at both ends.
            self._core.handle(now, Ack(answered.acknowledges))
        if answered.ends:
            self._paying = ""
        return self._send_next()

    def _abort(self, now: float) -> list[Apdu | Drop]:
        said = self._core.handle(now, Cancel(self._paying)) if self._paying else []
        if not said:
            return [Apdu(0x8400 | NOT_POSSIBLE)]
        out: list[Apdu | Drop] = [TAKEN]
        for one in said:
            out += self.say(one)
        return out

    # -- questions and undoing ------------------------------------------------

    def _enquiry(self) -> list[Apdu | Drop]:
        is_busy = self._core.is_busy or bool(self._out)
        status = WAIT if is_busy else self.status
        if self.is_day_open and not is_busy:
            status = END_OF_DAY_OPEN
        if self._paying:
            # Answered in the middle of the payment, and not the payment's own end.
            return [TAKEN, completion(bytes([status]))]
        return self._begin(completion(bytes([status])))

    def _repeat(self) -> list[Apdu | Drop]:
        if not self.behaviour.can_repeat:
            return [Apdu(0x8400 | NOT_POSSIBLE)]
        if self._core.is_busy:
            return [Apdu(0x8400 | WAIT)]
        last = self._last()
        if last is None:
            return self._begin(abort(NOTHING_STORED))
        return self._begin(self._told(last), completion())

    def _last(self) -> Transaction | None:
        told = [kept for kept in self._core.ledger() if self._is_told(kept)]
        if self.behaviour.forgets_at_end_of_day:
            told = [kept for kept in told if kept.receipt > self._day.settled_receipt]
        return told[-1] if told else None

    def _is_told(self, kept: Transaction) -> bool:
        if kept.state in (TxState.RUNNING, TxState.CUT):
            return False
        if kept.state in (TxState.DECLINED, TxState.CANCELLED):
            return not self.behaviour.tells_successful_only
        return True

    def _number(self, kept: Transaction) -> int:
        """A transaction's number: only what is told of has one."""
        return 1 + sum(
            self._is_told(one) and one.receipt < kept.receipt
            for one in self._core.ledger()
        )

    def _told(
        self, kept: Transaction, *, leak: bool = False, unknown: bool = False
    ) -> Apdu:
        """A transaction as a status information, with its numbers."""
        number = self._number(kept)
        original = None
        if kept.kind is Kind.REVERSAL:
            original = self._number(self._kept(kept.of))
        elif kept.state is TxState.AUTO_REVERSED:
            original = number
        receipt = number
        if self.behaviour.receipt_begins_anew:
            earlier = [k for k in self._core.ledger() if self._is_told(k)]
            settled = sum(k.receipt <= self._day.settled_receipt for k in earlier)
            receipt = (
                number - settled if kept.receipt > self._day.settled_receipt else number
            )
        return self.behaviour.told(
            self._core.terminal_id,
            kept,
            number=number,
            receipt=receipt,
            original=original,
            leak=leak,
            unknown=unknown,
        )

    def _reverse(self, now: float, fields: zvt_fields.Bitmaps) -> list[Apdu | Drop]:
        receipt = fields.number(0x87)
        found = [
            kept
            for kept in self._core.ledger()
            if self._is_told(kept)
            and kept.kind is Kind.PAYMENT
            and self._number(kept) == receipt
            and kept.receipt > self._day.settled_receipt
        ]
        if not found:
            return self._begin(abort(0xB5))
        kept = found[0]
        if kept.state in (TxState.REVERSED, TxState.AUTO_REVERSED):
            return self._begin(abort(0xB4))
        attempt = Attempt(kept.id, kept.amount_minor, kept.currency, Watermark("", 0))
        reversal_id = f"zr{len(self._core.ledger()) + 1:08d}"
        said = self._core.handle(now, Reverse(attempt, reversal_id))
        out: list[Apdu | Drop] = []
        for one in said:
            if isinstance(one, Drop):
                out.append(one)
            elif isinstance(one, Undone):
                if one.result.outcome is Outcome.APPROVED:
                    told = self._told(self._kept(reversal_id))
                    out += self._begin(told, completion())
                else:
                    no = status_information({0x27: b"\x05"}, self._core)
                    out += self._begin(no, abort(0x05))
        return out

    def _end_of_day(self) -> list[Apdu | Drop]:
        twist = self._twists.popleft() if self._twists else None
        if twist is Twist.END_OF_DAY_FAILS:
            no = status_information({0x27: b"\x77"}, self._core)
            return self._begin(intermediate(0x06), no, abort(0x77))
        ledger = self._core.ledger()
        day = [kept for kept in ledger if kept.receipt > self._day.settled_receipt]
        self._day.settle(max((k.receipt for k in ledger), default=0))
        self.is_day_open = False
        told = totals(self._core.terminal_id, day)
        if twist is Twist.MAINTENANCE_AFTER:
            self.status = 0xE0
            return self._begin(intermediate(0x06), told, completion(b"\x27\xe0"))
        return self._begin(intermediate(0x06), told, completion())

    # -- one message at a time ------------------------------------------------

    def _begin(self, *apdus: Apdu) -> list[Apdu | Drop]:
        return [TAKEN, *self._queue(*(Sending(apdu) for apdu in apdus))]

    def _queue(self, *sendings: Sending) -> list[Apdu | Drop]:
        self._out.extend(sendings)
        return self._send_next() if self._awaiting is None else []

    def _send_next(self) -> list[Apdu | Drop]:
        if not self._out:
            return []
        self._awaiting = self._out.popleft()
        return [self._awaiting.apdu]

    def _kept(self, transaction_id: str) -> Transaction:
        return next(k for k in self._core.ledger() if k.id == transaction_id)


_CODES = {
    TerminalMoment.WAITING_FOR_CARD: 0x0A,
    TerminalMoment.CARD_SEEN: 0x68,
    TerminalMoment.ENTER_PIN: 0x01,
    TerminalMoment.HOST: 0x04,
    TerminalMoment.REMOVE_CARD: 0x0B,
}
