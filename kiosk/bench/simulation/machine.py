"""The lane's machine: its disk, its clocks, and the program that runs on it.

The program is the product's own: recovery, journal, rotation, `LaneRunner` and
`Effects`, joined as `kiosk.main` joins them. Only what blocks or sleeps is in virtual
time: workers, timers, tickets. `power_cut` and `kill` end it wherever it is.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeAlias

from hardware import ports
from hardware.ports import DeviceState, PrintRow
from kiosk.bench.simulation import shop
from kiosk.bench.simulation.disk import SimulatedDisk
from kiosk.bench.simulation.schedule import (
    Clock,
    Ids,
    Schedule,
    VirtualTicket,
    VirtualTimers,
    VirtualWorker,
)
from kiosk.bench.simulation.terminal import Terminal, TerminalDriver
from kiosk.domain import body as bodies
from kiosk.domain.effects import Command
from kiosk.domain.events import (
    DeviceChanged,
    Event,
    NetworkChanged,
    PinTried,
    PowerChanged,
    RosterChanged,
    RulesChanged,
    StateCarried,
)
from kiosk.domain.policy import Rules
from kiosk.domain.state import Lane
from kiosk.effects import Devices, Effects
from kiosk.lookup import PinVault, Resolver
from kiosk.records.chain import Entry
from kiosk.records.journal import Journal
from kiosk.records.keys import SigningKey
from kiosk.records.rotation import JournalDirectory, rotate
from kiosk.runner import LaneRunner, Post, recover

FOLDER = Path("journal")
RELEASE = "simulated"
# One key for all runs: it takes longer to make than a shopper takes to buy.
KEY = SigningKey.from_seed(bytes(range(32)))
# Less than this free, and the lane is told that its disk is full (`records.disk`).
ROOM_BYTES = 256 * 1024
_DISK_MS = 5_000
_CARRIED = ("StateCarried", "CarriedForward")


class Failed(BaseException):
    """The lane's thread met trouble with its disk: the program ends."""

    def __init__(self, error: OSError) -> None:
        super().__init__(str(error))
        self.error = error


MakeRunner: TypeAlias = Callable[..., LaneRunner]
MakeEffects: TypeAlias = Callable[..., Effects]


class Hooks:
    """Where the world may listen and interfere. A test replaces what it wants."""

    def appended(self, entry: Entry, event: Event | None) -> None:
        """An entry is in the journal."""

    def recovered(self, lane: Lane, entries: list[Entry]) -> None:
        """The journal was folded after a start."""

    def before_effect(self, command: Command) -> None:
        """A command is about to be carried out; may raise."""

    def after_effect(self, command: Command) -> None:
        """A command was given to its worker; may raise."""

    def shown(self, lane: Lane) -> None:
        """The screen shows this."""

    def paying(self, attempt: ports.Attempt) -> None:
        """The terminal is asked for money."""

    def acknowledging(self, attempt: ports.Attempt) -> None:
        """The terminal hears that its result is safe."""

    def delay_of(self, event: Event) -> float:
        """Return how many seconds late a device's answer comes to the lane."""
        return 0.0


class _WatchedJournal:
    """The journal as the runner writes it, and the hook that hears of each entry."""

    def __init__(self, journal: Journal, hooks: Hooks) -> None:
        self.journal = journal
        self._hooks = hooks

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
    ) -> Entry:
        entry = self.journal.append(
            kind,
            body,
            at_ms=at_ms,
            mono_ms=mono_ms,
            boot_id=boot_id,
            training=training,
            sign=sign,
        )
        self._hooks.appended(entry, None)
        return entry


class Printer:
    """A printer that works, fails, or never answers."""

    def __init__(self, schedule: Schedule, random: Random) -> None:
        self._schedule = schedule
        self._random = random
        self.trouble = 0.0
        self.printed = 0

    def open(self, emit: Callable[[DeviceState], None]) -> None:
        """Nothing to open."""

    def print(self, rows: object) -> None:
        """Print, or raise `PrinterTrouble`."""
        if self._random.random() < self.trouble:
            if self._random.random() < 0.3:
                # The driver hangs, and comes back after the lane has given up.
                self._schedule.go_on(self._random.uniform(50, 90), lambda: False)
            else:
                raise ports.PrinterTrouble("no paper")
        self.printed += 1

    def close(self) -> None:
        """Nothing to close."""


class _Light:
    def open(self, emit: Callable[[DeviceState], None]) -> None:
        pass

    def show(self, light: ports.Light) -> None:
        pass

    def close(self) -> None:
        pass


class _Ups:
    def __init__(self, ordered: Callable[[], None]) -> None:
        self._ordered = ordered

    def open(self, emit: Callable[[ports.Power | DeviceState], None]) -> None:
        pass

    def order_shutdown(self) -> None:
        self._ordered()

    def close(self) -> None:
        pass


class Machine:
    """One lane's machine. `runner` is None while no program runs.

    `make_runner`, `make_effects`, `make_ids` and `recover` are seams: the tests of the
    simulator put a broken part there.
    """

    make_runner: MakeRunner = LaneRunner
    make_effects: MakeEffects = Effects
    make_ids: Callable[[Random, Clock], Ids] = Ids
    recover = staticmethod(recover)

    def __init__(
        self,
        schedule: Schedule,
        random: Random,
        disk: SimulatedDisk,
        terminal: Terminal,
        rules: Rules,
        hooks: Hooks,
        order_shutdown: Callable[[], None],
    ) -> None:
        self.disk = disk
        self.clock = Clock(schedule)
        self.printer = Printer(schedule, random)
        self.runner: LaneRunner | None = None
        self.journal: Journal | None = None
        self.is_handling = False
        self.is_up = False
        self.boots = 0
        # What the world has told; a program that starts is told it again.
        self.devices: dict[str, str] = {}
        self.power = "mains"
        self.is_online = True
        self._schedule = schedule
        self._random = random
        self._ids = type(self).make_ids(random, self.clock)
        self._terminal = terminal
        self._rules = rules
        self._hooks = hooks
        self._order_shutdown = order_shutdown
        self._inbox: deque[Post] = deque()
        self._pins: dict[str, bool] = {}
        self._had_room: bool | None = None
        self._catalog = shop.ShopCatalog()
        self.directory = JournalDirectory(FOLDER, vfs=disk.vfs, folder=disk)

    @property
    def lane(self) -> Lane | None:
        """What the lane is showing, while there is a program."""
        return self.runner.lane if self.runner else None

    # -- start and end -------------------------------------------------------

    def boot(self) -> None:
        """Start the program: recover, say what is owed, take events."""
        self.boots += 1
        self.is_up = False
        self.clock.boot(f"boot-{self.boots}")
        self._inbox.clear()
        self._had_room = None
        self.is_handling = True
        self.journal = self.directory.open_current(KEY)
        if self.journal is None:
            epoch = self._ids.new()
            self.journal = self.directory.begin(
                lane_id=shop.LANE_ID, epoch=epoch, key=KEY
            )
        entries = list(self.journal.entries(self.journal.first_seq))
        begin = 0
        for index, entry in enumerate(entries):
            if entry.kind in _CARRIED:
                begin = index
        lane = type(self).recover(entries[begin:])
        self._hooks.recovered(lane, entries)
        runner = self._program(lane, self.journal)
        self.runner = runner
        if lane.rules is None or lane.rules.version != self._rules.version:
            runner.handle(RulesChanged(self._rules))
        runner.start(RELEASE, entries[-1].at_ms if entries else 0)
        self.is_handling = False
        self.is_up = True
        self.post(RosterChanged(1, shop.ROSTER))
        for device, health in self.devices.items():
            self.post(DeviceChanged(device, health))
        if self.power != "mains":
            self.post(PowerChanged(self.power))
        self.post(NetworkChanged(self.is_online))
        self._watch_disk()

    def end(self) -> None:
        """The program is gone, wherever it was; nothing it holds is flushed."""
        self.runner = None
        self.is_handling = False
        self._schedule.end_life()
        self._terminal.forget_links()

    def let_go(self) -> None:
        """Forget the journal's handle, once its disk knows of its end."""
        if self.journal is not None:
            # SQLite would fold its log in and remove it: a dead program does not.
            self.disk.is_dead = True
            self.journal.close()
            self.disk.is_dead = False
            self.journal = None

    def _program(self, lane: Lane, journal: Journal) -> LaneRunner:
        schedule, random = self._schedule, self._random
        driver = TerminalDriver(
            self._terminal, schedule, self._hooks.paying, self._hooks.acknowledging
        )
        effects = type(self).make_effects(
            Devices(driver, self.printer, _Light(), _Ups(self._order_shutdown)),
            self._hear,
            VirtualTimers(schedule, self.post),
            receipt=_no_rows,
            slip=_no_rows,
            check_pin=lambda attendant, nonce: self._pins.pop(nonce, False),
            sound=lambda sound: None,
            worker=lambda name: VirtualWorker(schedule, _delays(name, random)),
            ticket=lambda: VirtualTicket(schedule),
        )

        def carry_out(command: Command) -> None:
            self._hooks.before_effect(command)
            effects.carry_out(command)
            self._hooks.after_effect(command)

        return type(self).make_runner(
            lane,
            _WatchedJournal(journal, self._hooks),
            self.clock,
            self._ids,
            translate=Resolver(self._catalog, shop.LABELS, shop.TIMEZONE, PinVault()),
            carry_out=carry_out,
            show=self._hooks.shown,
            on_disk=effects.on_disk,
            begin_day=self._begin_day,
        )

    def _begin_day(self, carried: StateCarried, now_ms: int) -> _WatchedJournal:
        if self.journal is None:
            raise RuntimeError("a lane without a journal cannot close its day")
        self.journal = rotate(
            self.journal,
            self.directory,
            carry_forward=bodies.encode(carried, ()),
            at_ms=now_ms,
            mono_ms=self.clock.mono_ms(),
            boot_id=self.clock.boot_id,
        )
        for entry in self.journal.entries(self.journal.first_seq):
            self._hooks.appended(entry, carried)
        return _WatchedJournal(self.journal, self._hooks)

    # -- the one queue -------------------------------------------------------

    def post(self, item: Post) -> None:
        """Hand something to the lane, as screens and drivers do."""
        if self.runner is None:
            return
        self._inbox.append(item)
        self._schedule.after(1, self._take, of_lane=True)

    def try_pin(self, attendant: str, *, is_right: bool) -> None:
        """Let an attendant type a PIN."""
        nonce = self._ids.new()
        self._pins = {nonce: is_right}
        self.post(PinTried(attendant, nonce))

    def _hear(self, event: Event) -> None:
        delay_seconds = self._hooks.delay_of(event)
        if delay_seconds:
            self._schedule.after(
                delay_seconds * 1000, lambda: self.post(event), of_lane=True
            )
        else:
            self.post(event)

    def _take(self) -> None:
        if self.is_handling:
            # The lane's thread waits for its disk; the queue waits for the lane.
            self._schedule.after(1, self._take, of_lane=True)
            return
        if self._inbox and self.runner:
            self.is_handling = True
            try:
                self.runner.handle(self._inbox.popleft())
            except OSError as error:
                # From within a device's wait: no driver's `except` may take it.
                raise Failed(error) from error
            self.is_handling = False

    def _watch_disk(self) -> None:
        has_room = self.disk.free_bytes >= ROOM_BYTES
        if has_room != self._had_room:
            self._had_room = has_room
            self.post(DeviceChanged("disk", "ready" if has_room else "absent"))
        self._schedule.after(_DISK_MS, self._watch_disk, of_lane=True)


def _no_rows(*about: object) -> list[PrintRow]:
    return []


def _delays(name: str, random: Random) -> Callable[[], float]:
    """Return how long each job of a worker takes before its device has done it."""
    low, high = {
        "printer": (500, 3000),
        "pins": (150, 300),
        "terminal": (20, 200),
    }.get(name, (1, 5))
    return lambda: random.uniform(low, high)
