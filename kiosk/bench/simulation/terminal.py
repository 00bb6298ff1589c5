"""The simulated card terminal in virtual time, and the driver in front of it.

`TerminalCore` is the one that demo and bench use: its ledger survives everything and
is the truth about money, which the checks ask, and so do honest staff. The driver
keeps the order of `hardware.simulated.terminal`: NOT_SENT only when nothing was
sent, one `sink.result`, no acknowledgement before it returned True, UNKNOWN for
whatever is no final answer. What it adds is a link that loses words.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from random import Random

from hardware.ports import (
    Answer,
    Attempt,
    Capabilities,
    DeviceState,
    Outcome,
    PaymentSink,
    PayResult,
    QueryResult,
    Recovery,
    SettleResult,
    Watermark,
)
from hardware.simulated.terminal_core import Drop, Said, TerminalCore
from hardware.simulated.terminal_plan import Fault, Plan, TerminalSettings
from hardware.simulated.terminal_store import Kind, MemoryStore, TxState
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
    Refused,
    Result,
    Reverse,
    ToTerminal,
    Undone,
)
from kiosk.bench.simulation.schedule import Schedule

_PAY_SECONDS = 150.0
_NOT_SENT = PayResult(Outcome.NOT_SENT)
_UNKNOWN = PayResult(Outcome.UNKNOWN)

# What goes wrong with a card, and how often against the others.
_CARD_TROUBLE: tuple[tuple[float, Fault], ...] = (
    (4, Fault.DECLINE),
    (1, Fault.CANCEL),
    (2, Fault.SILENT),
    (2, Fault.SLOW),
    (3, Fault.ANSWER_LOST),
    (1, Fault.PARTIAL),
    (1, Fault.OFFLINE),
    (2, Fault.UNPLUGGED),
)


class Link:
    """One connection from the lane: what the terminal said on it and was not read."""

    def __init__(self, attempt_id: str) -> None:
        self.attempt_id = attempt_id
        self.heard: deque[Said] = deque()
        self.is_broken = False


class Terminal:
    """The terminal on its table: its core, its power, its link, its shoppers' cards.

    `trouble` is how likely each thing goes wrong; nothing does when it is 0.
    `undo_trouble` weighs that for reversals and refunds.
    """

    def __init__(self, schedule: Schedule, random: Random) -> None:
        self.trouble = 0.0
        self.undo_trouble = 1.5
        self._schedule = schedule
        self._random = random
        self._store = MemoryStore()
        self._settings = TerminalSettings(
            auto_reverse=random.random() < 0.5, present_after_seconds=3.0
        )
        self._core = TerminalCore(self._store, self._settings)
        self._away_until_ms = 0
        self._links: list[Link] = []

    # -- the truth -----------------------------------------------------------

    @property
    def balance_minor(self) -> int:
        """What all cards paid in the end."""
        return sum(kept.kept_minor for kept in self._core.ledger())

    def kept_minor(self) -> dict[str, int]:
        """Return what the card paid in the end, for each payment."""
        kept: dict[str, int] = {}
        for entry in self._core.ledger():
            of = entry.of if entry.kind is Kind.REFUND else entry.id
            if entry.kind is not Kind.REVERSAL:
                kept[of] = kept.get(of, 0) + entry.kept_minor
        return kept

    def is_decided(self, attempt_id: str) -> bool:
        """Will nothing change any more for this payment by itself?"""
        if self.is_away:
            return False
        for entry in self._core.ledger():
            if entry.id == attempt_id:
                is_waiting = entry.state is TxState.APPROVED and not entry.acknowledged
                return entry.state is not TxState.RUNNING and not (
                    is_waiting and self._settings.auto_reverse
                )
        return True

    def was_asked(self, attempt_id: str) -> bool:
        """Did a payment of this id ever begin?"""
        return any(entry.id == attempt_id for entry in self._core.ledger())

    # -- accidents -----------------------------------------------------------

    @property
    def is_away(self) -> bool:
        """Is it out of reach?"""
        return self._schedule.now_ms < self._away_until_ms

    def unplug(self, seconds: float) -> None:
        """Break every link, and take none for a while."""
        self._away_until_ms = self._schedule.now_ms + int(seconds * 1000)
        for link in self._links:
            link.is_broken = True
        self._links.clear()

    def lose_power(self, seconds: float) -> None:
        """Go off, and come back with what was stored."""
        self.unplug(seconds)
        self._core = TerminalCore(self._store, self._settings)

    def forget_links(self) -> None:
        """The lane's program is gone, and its ends of the wire with it."""
        self._links.clear()

    def strikes(self, weight: float = 1.0) -> bool:
        """Does this go wrong now?"""
        return self._random.random() < self.trouble * weight

    def draw(self, low: float, high: float) -> float:
        """Return how long something takes."""
        return self._random.uniform(low, high)

    # -- the wire ------------------------------------------------------------

    def say(self, word: ToTerminal, link: Link | None = None) -> list[Said]:
        """Hand the terminal a word; on a link, its answers are to be read there."""
        if isinstance(word, Pay):
            self._plan_card()
            if link:
                self._links.append(link)
        if isinstance(word, Reverse | Refund) and self.strikes(self.undo_trouble):
            fault = self._random.choice(
                (Fault.DECLINE, Fault.SILENT, Fault.ANSWER_LOST)
            )
            self._core.fail_next_undo(Plan(fault))
        said = self._core.handle(self._seconds, word)
        if link:
            link.heard.extend(said)
        self._tell(said if link is None and isinstance(word, Cancel) else [])
        self._wind()
        return said

    @property
    def _seconds(self) -> float:
        return self._schedule.now_ms / 1000

    def _plan_card(self) -> None:
        never = self.strikes(0.3)
        after = None if never else self._random.uniform(1, 8)
        self._core.present_automatically(after)
        if self.strikes(2.0):
            weights = [weight for weight, _ in _CARD_TROUBLE]
            faults = [fault for _, fault in _CARD_TROUBLE]
            fault = self._random.choices(faults, weights)[0]
            self._core.fail_next(Plan(fault, self._random.uniform(1, 40)))

    def _wind(self) -> None:
        """Let the core go on when it has something to do."""
        due = self._core.next_due
        if due is not None:
            core = self._core
            delay_ms = max(due * 1000 - self._schedule.now_ms, 0) + 1

            def go_on() -> None:
                if core is self._core:
                    self._tell(core.advance(self._seconds))
                    self._wind()

            self._schedule.after(delay_ms, go_on)

    def _tell(self, said: list[Said]) -> None:
        for word in said:
            if isinstance(word, Drop):
                self.unplug(word.seconds)
                return
            for link in self._links:
                if not isinstance(word, Mark | Found | Undone) and (
                    link.attempt_id == word.attempt_id
                ):
                    link.heard.append(word)


class TerminalDriver:
    """The lane's end of the wire (`ports.CardTerminal`).

    `on_pay` and `on_acknowledge` hear of what leaves the lane, before it does.
    """

    def __init__(
        self,
        terminal: Terminal,
        schedule: Schedule,
        on_pay: Callable[[Attempt], None],
        on_acknowledge: Callable[[Attempt], None],
    ) -> None:
        self._terminal = terminal
        self._schedule = schedule
        self._on_pay = on_pay
        self._on_acknowledge = on_acknowledge

    def open(self, emit: Callable[[DeviceState], None]) -> None:
        """Nothing to open: the simulation tells the link's state itself."""

    def close(self) -> None:
        """Nothing to close."""

    def capabilities(self) -> Capabilities:
        """Say what this terminal can do."""
        return Capabilities(Recovery.BY_ID)

    def watermark(self) -> Watermark | None:
        """Return the terminal's mark, or None when it cannot be reached."""
        match self._ask(AskMark()):
            case [Mark(watermark)]:
                return watermark
            case _:
                return None

    def pay(self, attempt: Attempt, sink: PaymentSink) -> PayResult:
        """Take a payment; `sink.result` gets the result before it is acknowledged."""
        self._on_pay(attempt)
        terminal = self._terminal
        if terminal.is_away or terminal.strikes(0.5):
            return _NOT_SENT
        link = Link(attempt.attempt_id)
        terminal.say(Pay(attempt), link)
        until_ms = self._schedule.now_ms + int(_PAY_SECONDS * 1000)
        final: PayResult | None = None
        while True:
            match self._read(link, until_ms):
                case Accepted():
                    pass
                case Moment(_, moment):
                    sink.moment(moment)
                case Refused(_, why):
                    return PayResult(Outcome.CANCELLED, detail=why.value)
                case Result(_, result) if final is None:
                    if not sink.result(result):
                        return _UNKNOWN
                    final = result
                    if link.is_broken:
                        return _UNKNOWN
                    self._on_acknowledge(attempt)
                    if terminal.strikes(0.7):
                        terminal.unplug(terminal.draw(1, 20))
                        return _UNKNOWN
                    terminal.say(Ack(attempt.attempt_id), link)
                    if terminal.strikes(0.7):
                        terminal.unplug(terminal.draw(1, 20))
                        return _UNKNOWN
                case Confirmed() if final is not None:
                    return final
                case _:
                    return _UNKNOWN

    def cancel(self, attempt_id: str) -> None:
        """Ask the terminal to stop waiting for a card."""
        if not self._terminal.is_away:
            self._terminal.say(Cancel(attempt_id))

    def query(self, attempt: Attempt) -> QueryResult:
        """Say how an earlier attempt ended."""
        if self._terminal.strikes(0.3):
            return QueryResult(Answer.INDETERMINATE)
        match self._ask(Query(attempt)):
            case [Found(answer)]:
                return answer
            case _:
                return QueryResult(Answer.UNREACHABLE)

    def reverse(self, attempt: Attempt, reversal_id: str) -> PayResult:
        """Undo an attempt."""
        return self._undo(Reverse(attempt, reversal_id))

    def refund(self, attempt: Attempt, amount_minor: int, refund_id: str) -> PayResult:
        """Give an attempt's money back."""
        return self._undo(Refund(attempt, amount_minor, refund_id))

    def settle(self) -> SettleResult:
        """Settle nothing: this terminal needs no end of day."""
        return SettleResult(Outcome.APPROVED)

    def _undo(self, word: Reverse | Refund) -> PayResult:
        if self._terminal.is_away:
            return _NOT_SENT
        match self._ask(word):
            case [Undone(result)]:
                return result
            case _:
                return _UNKNOWN

    def _ask(self, word: ToTerminal) -> list[Said]:
        if self._terminal.is_away or self._terminal.strikes(0.3):
            return []
        return self._terminal.say(word)

    def _read(self, link: Link, until_ms: int) -> Said | None:
        self._schedule.go_on(
            (until_ms - self._schedule.now_ms) / 1000,
            lambda: bool(link.heard) or link.is_broken,
        )
        if link.heard:
            return link.heard.popleft()
        return None
