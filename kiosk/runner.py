"""The one queue, and the order that makes a lane trustworthy:
event -> advance -> journal -> effects -> screen.

`LaneRunner` owns the lane's state and nobody else may change it. It never talks to
a device: effects do, and what comes of them is posted back.
"""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterable
from typing import Protocol, TypeAlias

from msgspec.structs import replace

from kiosk.asked import Asked
from kiosk.domain import body as bodies
from kiosk.domain.effects import FACTS, BasketParked, CloseDay, Command, SaleMade
from kiosk.domain.events import (
    ClockDistrusted,
    DayEnded,
    Event,
    ItemFound,
    ItemUnknown,
    PayPressed,
    Restarted,
    SaleReturned,
    StartPressed,
    StateCarried,
    TenderSettled,
    TrainingStarted,
)
from kiosk.domain.lane import advance, encode_state, is_of_training, resume
from kiosk.domain.state import Idle, Lane, Training

# A start folds at most this many sales; the state is written again after them.
_SALES_BETWEEN_STATES = 50
# A clock this little behind the last entry is ordinary drift being mended by NTP.
_CLOCK_TOLERANCE_MS = 5_000


class Appended(Protocol):
    """What the runner reads of an entry."""

    @property
    def seq(self) -> int: ...


class Journal(Protocol):
    """Where entries go. On disk when `append` returns."""

    def append(
        self,
        kind: str,
        body: bytes,
        *,
        at_ms: int,
        mono_ms: int,
        boot_id: str,
        training: bool = False,
        sign: bool = False,
    ) -> Appended: ...


class Clock(Protocol):
    """Wall and monotonic time, and the id of this boot."""

    boot_id: str

    def now_ms(self) -> int: ...

    def mono_ms(self) -> int: ...


class Ids(Protocol):
    """Where ids and draws come from: random on a lane, seeded in a simulation."""

    def new(self) -> str: ...

    def draw(self) -> int: ...


Post: TypeAlias = Event | Asked


class LaneRunner:
    """Owns the lane's state.

    `translate` makes an event of what screens and scanners ask, or nothing.
    `carry_out` takes one command and returns at once. `show` hands a state to the
    screen. `on_disk` hears of each event once its entry is on disk. `begin_day`
    begins the next journal file, which opens with the state it is given.
    """

    def __init__(
        self,
        lane: Lane,
        journal: Journal,
        clock: Clock,
        ids: Ids,
        *,
        translate: Callable[[Asked, Lane, int], Event | None],
        carry_out: Callable[[Command], None],
        show: Callable[[Lane], None],
        on_disk: Callable[[Event], None],
        begin_day: Callable[[StateCarried, int], Journal],
    ) -> None:
        self._lane = lane
        self._journal = journal
        self._clock = clock
        self._ids = ids
        self._translate = translate
        self._carry_out = carry_out
        self._show = show
        self._on_disk = on_disk
        self._begin_day = begin_day
        self._inbox: queue.SimpleQueue[Post | None] = queue.SimpleQueue()
        self._sales = 0
        self._begun_ms: int | None = None

    @property
    def lane(self) -> Lane:
        """The state after the last entry. Read only; from the lane's thread."""
        return self._lane

    def post(self, item: Post) -> None:
        """Take an event, or something asked, from any thread. Returns at once."""
        self._inbox.put(item)

    def stop(self) -> None:
        """Let `run` return once what was posted before is handled."""
        self._inbox.put(None)

    def run(self) -> None:
        """Handle what is posted, for as long as the lane is open."""
        while (item := self._inbox.get()) is not None:
            self._begun_ms = self._clock.mono_ms()
            self.handle(item)
            self._begun_ms = None

    def busy_seconds(self) -> float:
        """Return for how long one event has been in hand, from any thread; 0: none is."""
        begun_ms = self._begun_ms
        return 0.0 if begun_ms is None else (self._clock.mono_ms() - begun_ms) / 1000

    def start(self, release: str, last_entry_ms: int) -> None:
        """Say that the program began, and carry out what is still owed."""
        now_ms = self._clock.now_ms()
        if now_ms < last_entry_ms - _CLOCK_TOLERANCE_MS:
            self._take(ClockDistrusted(now_ms))
        down_ms = max(now_ms - last_entry_ms, 0) if last_entry_ms else 0
        self._take(Restarted(release, self._clock.boot_id, down_ms, now_ms), False)
        for effect in resume(self._lane):
            if not isinstance(effect, FACTS):
                self._carry_out(effect)
        self._show(self._lane)

    def handle(self, item: Post) -> None:
        """Handle one thing that was posted."""
        now_ms = self._clock.now_ms()
        if isinstance(item, Asked):
            event = self._translate(item, self._lane, now_ms)
            if event is None:
                return
        else:
            event = item
        lane = self._lane
        if lane.is_clock_trusted and now_ms < lane.last_ms - _CLOCK_TOLERANCE_MS:
            self._take(ClockDistrusted(now_ms))
        self._take(self._stamped(event, now_ms))

    def _take(self, event: Event, carry_out: bool = True) -> None:
        before = self._lane
        lane, effects = advance(before, event)
        facts = tuple(e for e in effects if isinstance(e, FACTS))
        entry = self._journal.append(
            type(event).__name__,
            bodies.encode(event, facts),
            at_ms=self._clock.now_ms(),
            mono_ms=self._clock.mono_ms(),
            boot_id=self._clock.boot_id,
            training=is_of_training(before, event)
            or (isinstance(event, TrainingStarted) and isinstance(lane.mode, Training)),
            sign=isinstance(event, DayEnded)
            or any(isinstance(f, SaleMade | BasketParked) for f in facts),
        )
        if entry.seq != lane.seq:
            raise RuntimeError(f"entry {entry.seq} holds the lane's event {lane.seq}")
        self._lane = lane
        self._on_disk(event)
        day_ends = False
        for effect in effects:
            match effect:
                case CloseDay():
                    day_ends = True
                case SaleMade():
                    self._sales += 1
                case _ if isinstance(effect, FACTS) or not carry_out:
                    pass
                case _:
                    self._carry_out(effect)
        if day_ends:
            self._next_file()
        elif self._sales >= _SALES_BETWEEN_STATES and isinstance(lane.mode, Idle):
            self._sales = 0
            self._take(StateCarried(encode_state(lane)))
        self._show(self._lane)

    def _next_file(self) -> None:
        lane = self._lane
        carried = StateCarried(encode_state(lane))
        self._journal = self._begin_day(carried, self._clock.now_ms())
        self._lane, _ = advance(lane, carried)
        self._sales = 0

    def _stamped(self, event: Event, now_ms: int) -> Event:
        """Give an event its time and its ids."""
        if getattr(event, "at_ms", None) == 0:
            event = replace(event, at_ms=now_ms)
        match event:
            case ItemFound() | ItemUnknown() | StartPressed() if not event.basket_id:
                return replace(event, basket_id=self._ids.new())
            case PayPressed(attempt_id=""):
                return replace(event, attempt_id=self._ids.new(), draw=self._ids.draw())
            case TenderSettled() | SaleReturned() if not event.reversal_id:
                return replace(event, reversal_id=self._ids.new())
            case _:
                return event


class Recorded(Protocol):
    """What recovery reads of an entry."""

    @property
    def seq(self) -> int: ...

    @property
    def body(self) -> bytes: ...


def recover(entries: Iterable[Recorded], start: Lane | None = None) -> Lane:
    """Return where the lane was after `entries`. Nothing is carried out.

    An entry of a later release that this one cannot read is passed over: it keeps
    its number, and staff are called when a basket is open.
    """
    lane = start or Lane()
    for entry in entries:
        body = bodies.decode(entry.body)
        if body is None:
            lane = replace(lane, seq=entry.seq, called="other")
            continue
        lane, _ = advance(replace(lane, seq=entry.seq - 1), body.event)
    return lane
