"""A lane with its real runner and effects, a journal that outlives it, and the
simulated terminal's core: on one thread, in virtual time, so that the plug can be
pulled at any line and everything started again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from played import ANA, BEN, NOON, RULES

from hardware import ports
from hardware.simulated.terminal_core import TerminalCore
from hardware.simulated.terminal_plan import TerminalSettings
from hardware.simulated.terminal_store import Kind, MemoryStore, TxState
from hardware.simulated.terminal_wire import (
    Ack,
    AskMark,
    Confirmed,
    Found,
    Mark,
    Moment,
    Pay,
    Query,
    Refund,
    Result,
    Reverse,
    Undone,
)
from kiosk.domain import body as bodies
from kiosk.domain.effects import MoneyReturned, SaleMade, SaleUndone
from kiosk.domain.events import (
    Event,
    RosterChanged,
    RulesChanged,
    StateCarried,
    TimeLimitReached,
)
from kiosk.domain.state import Closed, Idle
from kiosk.effects import Devices, Effects
from kiosk.runner import LaneRunner, recover


class PlugPulled(BaseException):
    """The mains are gone: nothing after this line happens."""


class Plug:
    """Pulls itself the next time a named point is reached."""

    def __init__(self) -> None:
        self.at = ""

    def here(self, point: str) -> None:
        if point == self.at:
            self.at = ""
            raise PlugPulled(point)


class Entry:
    """One entry on the disk."""

    def __init__(self, seq: int, kind: str, body: bytes, at_ms: int) -> None:
        self.seq = seq
        self.kind = kind
        self.body = body
        self.at_ms = at_ms


class Disk:
    """The journal: what `append` took is there after any cut."""

    def __init__(self, plug: Plug) -> None:
        self.entries: list[Entry] = []
        self._plug = plug

    def append(self, kind: str, body: bytes, *, at_ms: int, **_: Any) -> Entry:
        self._plug.here(f"before {kind} is on disk")
        entry = Entry(len(self.entries) + 1, kind, body, at_ms)
        self.entries.append(entry)
        self._plug.here(f"after {kind} is on disk")
        return entry

    def facts(self, *kinds: type[Any]) -> list[Any]:
        """Return every fact of these kinds, as a report would fold them."""
        found = []
        for entry in self.entries:
            body = bodies.decode(entry.body)
            assert body is not None
            found += [f for f in body.facts if isinstance(f, kinds)]
        return found


class Clock:
    """Time that passes when it is told to."""

    boot_id = "boot"

    def __init__(self) -> None:
        self.ms = NOON

    @property
    def seconds(self) -> float:
        return (self.ms - NOON) / 1000

    def now_ms(self) -> int:
        return self.ms

    def mono_ms(self) -> int:
        return self.ms - NOON


class Ids:
    """Ids in order."""

    def __init__(self) -> None:
        self._last = 0

    def new(self) -> str:
        self._last += 1
        return f"id{self._last}"

    def draw(self) -> int:
        return 9999


class Terminal:
    """A driver over the simulated terminal's core, without a wire."""

    def __init__(self, clock: Clock, plug: Plug, settings: TerminalSettings) -> None:
        self._clock = clock
        self._plug = plug
        self._settings = settings
        self._store = MemoryStore()
        self.core = TerminalCore(self._store, settings)
        self.is_reachable = True
        # Every financial command that reached it.
        self.commands: list[tuple[str, str]] = []

    def loses_power(self) -> None:
        """What it kept stays, what was under way does not."""
        self.core = TerminalCore(self._store, self._settings)

    def kept_minor(self) -> int:
        """What shoppers paid in the end, by the terminal's own ledger."""
        return sum(
            it.kept_minor for it in self.core.ledger() if it.kind is not Kind.REVERSAL
        )

    def time_passes(self) -> None:
        self.core.advance(self._clock.seconds)

    def open(self, emit: Callable[[ports.DeviceState], None]) -> None:
        pass

    def close(self) -> None:
        pass

    def capabilities(self) -> ports.Capabilities:
        return ports.Capabilities(ports.Recovery.BY_ID)

    def watermark(self) -> ports.Watermark | None:
        match self._ask(AskMark()):
            case Mark(watermark):
                return watermark
            case _:
                return None

    def pay(self, attempt: ports.Attempt, sink: ports.PaymentSink) -> ports.PayResult:
        unknown = ports.PayResult(ports.Outcome.UNKNOWN)
        if not self.is_reachable:
            return ports.PayResult(ports.Outcome.NOT_SENT)
        self._plug.here("before a byte is sent")
        self.commands.append(("pay", attempt.attempt_id))
        said = deque(self.core.handle(self._clock.seconds, Pay(attempt)))
        self._plug.here("after the command is sent")
        final: ports.PayResult | None = None
        for _ in range(200):
            if not self.is_reachable:
                return unknown
            while said:
                match said.popleft():
                    case Moment(_, moment):
                        sink.moment(moment)
                        self._plug.here(f"at {moment.value}")
                    case Result(attempt_id, result) if final is None:
                        self._plug.here("before the result is received")
                        if not sink.result(result):
                            return unknown
                        self._plug.here("before the result is acknowledged")
                        final = result
                        said += self.core.handle(self._clock.seconds, Ack(attempt_id))
                        self._plug.here("after the result is acknowledged")
                    case Confirmed() if final is not None:
                        self._plug.here("after the dialogue is closed")
                        return final
                    case _:
                        pass
            self._clock.ms += 1_000
            said += self.core.advance(self._clock.seconds)
        return unknown

    def cancel(self, attempt_id: str) -> None:
        pass

    def query(self, attempt: ports.Attempt) -> ports.QueryResult:
        match self._ask(Query(attempt)):
            case Found(answer):
                return answer
            case _:
                return ports.QueryResult(ports.Answer.UNREACHABLE)

    def reverse(self, attempt: ports.Attempt, reversal_id: str) -> ports.PayResult:
        return self._undo("reverse", reversal_id, Reverse(attempt, reversal_id))

    def refund(
        self, attempt: ports.Attempt, amount_minor: int, refund_id: str
    ) -> ports.PayResult:
        word = Refund(attempt, amount_minor, refund_id)
        return self._undo("refund", refund_id, word)

    def settle(self) -> ports.SettleResult:
        return ports.SettleResult(ports.Outcome.APPROVED)

    def _undo(self, kind: str, undo_id: str, word: Any) -> ports.PayResult:
        self._plug.here("before money is given back")
        if self.is_reachable:
            self.commands.append((kind, undo_id))
        answer = self._ask(word)
        self._plug.here("after money is given back")
        match answer:
            case Undone(result):
                return result
            case _:
                return ports.PayResult(ports.Outcome.UNKNOWN)

    def _ask(self, word: Any) -> Any:
        if not self.is_reachable:
            return None
        said = self.core.handle(self._clock.seconds, word)
        return said[0] if said else None


class Printer:
    """Paper that remembers, and may run out."""

    def __init__(self, plug: Plug) -> None:
        self._plug = plug
        self.printed: list[Sequence[ports.PrintRow]] = []
        self.has_paper = True

    def open(self, emit: Callable[[ports.DeviceState], None]) -> None:
        pass

    def print(self, rows: Sequence[ports.PrintRow]) -> None:
        self._plug.here("while the receipt is printed")
        if not self.has_paper:
            raise ports.PrinterTrouble("paper out")
        self.printed.append(rows)

    def close(self) -> None:
        pass


class Still:
    """A light and a UPS about which nothing happens."""

    def __init__(self) -> None:
        self.shutdowns = 0

    def open(self, emit: Callable[[Any], None]) -> None:
        pass

    def close(self) -> None:
        pass

    def show(self, light: ports.Light) -> None:
        pass

    def order_shutdown(self) -> None:
        self.shutdowns += 1


class Delays:
    """The limits that run, by name."""

    def __init__(self) -> None:
        self.running: dict[str, tuple[int, float]] = {}

    def set(self, name: str, generation: int, seconds: float) -> None:
        self.running[name] = (generation, seconds)

    def cancel(self, name: str) -> None:
        self.running.pop(name, None)


class Plugged:
    """The whole lane. `pull` it, and `start` it again on the same disk."""

    def __init__(self, **terminal: Any) -> None:
        self.plug = Plug()
        self.clock = Clock()
        self.ids = Ids()
        self.disk = Disk(self.plug)
        settings = TerminalSettings(present_after_seconds=2.0, **terminal)
        self.terminal = Terminal(self.clock, self.plug, settings)
        self.printer = Printer(self.plug)
        self.ups = Still()
        self.days: list[StateCarried] = []
        self.inbox: deque[Event] = deque()
        self.jobs: deque[Callable[[], None]] = deque()
        self._begin()
        self.runner.handle(RulesChanged(RULES))
        self.runner.handle(RosterChanged(1, (ANA, BEN)))
        self.runner.start("test", 0)
        self.settle()

    def _begin(self) -> None:
        self.inbox.clear()
        self.jobs.clear()
        self.delays = Delays()
        self.effects = Effects(
            Devices(
                terminal=self.terminal,
                printer=self.printer,
                light=Still(),
                ups=self.ups,
            ),
            self.inbox.append,
            self.delays,
            receipt=lambda sale, is_copy: [
                ports.TextLine(str(sale.sale_seq), "copy" if is_copy else "")
            ],
            slip=lambda code, figures: [ports.TextLine(code)],
            check_pin=lambda attendant, nonce: attendant == "7",
            sound=lambda sound: None,
            worker=lambda name: _Jobs(self.jobs),
            ticket=lambda: _Ticket(self),
        )
        self.runner = LaneRunner(
            recover(self.disk.entries),
            self.disk,
            self.clock,
            self.ids,
            translate=lambda asked, lane, now_ms: None,
            carry_out=self.effects.carry_out,
            show=lambda lane: None,
            on_disk=self.effects.on_disk,
            begin_day=self._begin_day,
        )

    def _begin_day(self, carried: StateCarried, now_ms: int) -> Disk:
        self.plug.here("before the next file begins")
        self.days.append(carried)
        self.disk.append("StateCarried", bodies.encode(carried, ()), at_ms=now_ms)
        return self.disk

    @property
    def mode(self) -> Any:
        return self.runner.lane.mode

    def do(self, *events: Event) -> Plugged:
        """Post events, one after the other, each with all that comes of it."""
        for event in events:
            self.inbox.append(event)
            self.settle()
        return self

    def settle(self) -> None:
        """Handle everything that was posted and asked for. No limit runs out."""
        while self.inbox or self.jobs:
            if self.inbox:
                self.runner.handle(self.inbox.popleft())
            else:
                self.jobs.popleft()()

    def pull(self, point: str, *events: Event) -> None:
        """Do this, and lose power at that point."""
        self.plug.at = point
        try:
            self.do(*events)
        except PlugPulled:
            return
        raise AssertionError(f"the lane never came to {point!r}")

    def start(self, after_seconds: float = 10) -> None:
        """Power is back: the program begins again, on the disk as it is."""
        self.clock.ms += int(after_seconds * 1000)
        self.terminal.time_passes()
        last_ms = self.disk.entries[-1].at_ms
        self._begin()
        self.runner.start("test", last_ms)
        self.settle()

    def time_is_up(self, name: str) -> None:
        generation, seconds = self.delays.running.pop(name)
        self.clock.ms += int(seconds * 1000)
        self.terminal.time_passes()
        self.do(TimeLimitReached(name, generation))

    def come_to_rest(self) -> None:
        """Let every limit run out, the shortest first, until the lane is free."""
        for _ in range(100):
            is_open = any(a.stage.is_open for a in self.runner.lane.ledger.values())
            if isinstance(self.mode, Idle | Closed) and not is_open:
                return
            running = self.delays.running
            self.time_is_up(min(running, key=lambda name: running[name][1]))
        raise AssertionError(f"no rest: {self.mode}")

    # -- the truth ---------------------------------------------------------------

    def sold_minor(self) -> int:
        """What the journal says was sold and not given back."""
        sold = sum(f.sale.figures.total_minor for f in self.disk.facts(SaleMade))
        undone = sum(f.figures.total_minor for f in self.disk.facts(SaleUndone))
        return int(sold - undone)

    def open_minor(self) -> int:
        return sum(i.amount_minor for i in self.runner.lane.open_items)

    def check_money(self) -> None:
        """The terminal's money is the journal's, and nothing was asked for twice."""
        assert self.terminal.kept_minor() == self.sold_minor() + self.open_minor()
        paid = [name for kind, name in self.terminal.commands if kind == "pay"]
        assert len(paid) == len(set(paid)), "a payment was sent twice"
        returned = self.disk.facts(MoneyReturned)
        assert len(returned) == len({f.attempt_id for f in returned})


class _Jobs:
    """Jobs that wait until the test lets them be done."""

    def __init__(self, jobs: deque[Callable[[], None]]) -> None:
        self._jobs = jobs

    def give(self, job: Callable[[], None]) -> None:
        self._jobs.append(job)


class _Ticket:
    """A ticket whose waiting lets the lane write what was posted."""

    def __init__(self, lane: Plugged) -> None:
        self._lane = lane
        self._is_set = False

    def set(self) -> None:
        self._is_set = True

    def wait(self, timeout: float) -> bool:
        while self._lane.inbox and not self._is_set:
            self._lane.runner.handle(self._lane.inbox.popleft())
        return self._is_set


def reversed_at(terminal: Terminal) -> list[str]:
    """Return the payments that the terminal took back."""
    return [
        it.id
        for it in terminal.core.ledger()
        if it.state in (TxState.REVERSED, TxState.AUTO_REVERSED)
    ]
