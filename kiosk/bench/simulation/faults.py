"""What befalls a lane: power, disk, clock, network, devices, and the server's luck.

Each kind comes on its own; a run draws which kinds it has and how often. After
`heal` nothing befalls the lane any more, and everything is plugged in again.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import TYPE_CHECKING

import apsw

from kiosk.bench.simulation.disk import PowerCut
from kiosk.domain.events import (
    DayEnded,
    DeviceChanged,
    DirectiveReceived,
    Event,
    PowerChanged,
    ReversalResult,
    TenderQueried,
    TenderResult,
)
from kiosk.domain.modes import intervention

if TYPE_CHECKING:
    from kiosk.bench.simulation.day import Day

YEAR_MS = 365 * 24 * 3600 * 1000
HOUR_MS = 3600 * 1000

# A lane that is killed more often than this in a day sells nothing any more.
_MOST_ENDS = 10

KINDS = (
    "cut",
    "torn",
    "effect",
    "kill",
    "battery",
    "disk_full",
    "disk_error",
    "clock",
    "network",
    "restore",
    "devices",
    "terminal",
    "answers",
    "directives",
    "day",
    "restless",
    "poison",
)


class Killed(BaseException):
    """The program is gone, the machine is not: a SIGKILL, or a bug's end."""


class Faults:
    """The accidents of one day."""

    def __init__(self, day: Day, random: Random) -> None:
        self.is_restored_since_contact = False
        self._day = day
        self._random = random
        self._has_healed = False
        self._effect: tuple[str, int] | None = None
        self._will_be_off: float | None = None
        kinds = type(day).trouble
        if kinds is None:
            share = random.choice((0.0, 0.2, 0.5, 0.5, 1.0))
            kinds = tuple(k for k in KINDS if random.random() < share)
        self.kinds = kinds
        # How often, against each other, in seconds between two.
        self._pace = random.choice((60.0, 150.0, 300.0, 300.0, 600.0))
        self.restless = 0.04 if "restless" in kinds else 0.003
        day.terminal.trouble = 0.12 if "terminal" in kinds else 0.0
        day.machine.printer.trouble = 0.15 if "devices" in kinds else 0.0
        day.office.trouble = 0.15 if "network" in kinds else 0.0

    def begin(self) -> None:
        """Let things happen from now on."""
        deeds: dict[str, Callable[[], None]] = {
            "cut": self._cut,
            "torn": self._cut_in_write,
            "effect": self._cut_at_effect,
            "kill": self._kill,
            "battery": self._battery,
            "disk_full": self._disk_full,
            "disk_error": self._disk_error,
            "clock": self._clock,
            "network": self._network,
            "restore": self._restore,
            "devices": self._devices,
            "terminal": self._unplug_terminal,
            "directives": self._directive,
            "day": self._day_ends,
            "poison": self._poison,
        }
        for kind, deed in deeds.items():
            if kind in self.kinds:
                self._again(deed)

    def heal(self) -> None:
        """End all trouble: network, devices, disk, mains, honest people."""
        self._has_healed = True
        day, machine = self._day, self._day.machine
        self._effect = None
        self._calm_disk()
        day.disk.capacity = None
        day.terminal.trouble = 0.0
        machine.printer.trouble = 0.0
        day.office.trouble = 0.0
        day.office.is_cut = False
        for device in machine.devices:
            self._device(device, "ready")
        self._power("mains")
        machine.post(DirectiveReceived("healed", "resume"))
        if machine.runner is None:
            # It is told once it runs: a pause is kept in the journal.
            self._after(60, lambda: machine.post(DirectiveReceived("healed", "resume")))
        # A lane that is off hears nothing: the office says it until it is heard.
        for seconds in (300, 900, 1800, 3000):
            self._after(
                seconds, lambda: machine.post(DirectiveReceived("healed", "resume"))
            )

    # -- what the day asks ---------------------------------------------------

    def power_is_gone(self) -> float:
        """Take the power from disk and terminal; return how long it is gone."""
        day, random = self._day, self._random
        self._calm_disk()
        self._effect = None
        day.disk.cut(random, random.choice(("torn", "torn", "none", "all")))
        off = self._will_be_off
        self._will_be_off = None
        if off is None:
            off = random.choice((8.0, 20.0, 60.0, 170.0, 190.0, 400.0))
        if random.random() < 0.5:
            day.terminal.lose_power(off + random.uniform(0, 120))
        day.machine.power = "mains"
        return off

    def at_effect(self, when: str) -> None:
        """Cut the power around a command, where that was planned."""
        if self._effect is None or self._effect[0] != when:
            return
        _, left = self._effect
        self._effect = (when, left - 1)
        if left <= 1:
            self._effect = None
            self._day.tell("world", f"cuts the power {when} an effect")
            raise PowerCut

    def delay_of(self, event: Event) -> float:
        """Say how late a device's answer comes; let some come a second time."""
        if "answers" not in self.kinds or self._has_healed:
            return 0.0
        is_money = isinstance(event, TenderResult | TenderQueried | ReversalResult)
        if self._random.random() < (0.3 if is_money else 0.1):
            # Soon, or when everybody has forgotten it, whoever runs then.
            again = self._random.choice((0.01, 1, 5, 40, 600, 3600))
            self._after(again, lambda: self._day.machine.post(event))
        if self._random.random() < 0.03:
            return self._random.choice((0.5, 12.0, 70.0, 400.0))
        return 0.0

    def shutdown_ordered(self) -> None:
        """The lane asked for a safe shutdown: the machine does it."""
        self._after(2, self._shut_down)

    # -- kinds ---------------------------------------------------------------

    def _again(self, deed: Callable[[], None]) -> None:
        def happen() -> None:
            if self._has_healed:
                return
            self._again(deed)
            tally = self._day.tally
            is_quiet = tally.power_cuts + tally.kills < _MOST_ENDS
            if is_quiet or deed not in (
                self._cut,
                self._cut_in_write,
                self._cut_at_effect,
                self._kill,
                self._disk_error,
            ):
                deed()

        self._after(self._random.expovariate(1 / (self._pace * 2)), happen)

    def _after(self, seconds: float, do: Callable[[], None]) -> None:
        self._day.schedule.after(seconds * 1000, do)

    def _cut(self) -> None:
        if self._day.machine.runner is not None:
            self._day.tell("world", "cuts the power")
            raise PowerCut

    def _cut_in_write(self) -> None:
        """The power goes in the middle of one of the next writes or flushes."""
        disk = self._day.disk
        left = self._random.randint(1, 60)

        def count_down() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                # The flush takes its time; devices and workers go on meanwhile.
                if self._day.machine.is_handling and self._random.random() < 0.5:
                    self._day.schedule.go_on(0.3, lambda: False)
                disk.is_dead = True
                self._day.tell("world", "cuts the power in the middle of a write")
                raise PowerCut

        disk.before_write = count_down
        disk.before_sync = count_down

    def _cut_at_effect(self) -> None:
        when = self._random.choice(("before", "after"))
        self._effect = (when, self._random.randint(1, 12))

    def _kill(self) -> None:
        if self._day.machine.runner is not None:
            self._day.tell("world", "kills the program")
            raise Killed

    def _battery(self) -> None:
        self._power("battery")
        draw = self._random.random()
        if draw < 0.6:
            self._after(self._random.uniform(1, 200), lambda: self._power("mains"))
        else:
            self._after(self._random.uniform(5, 300), lambda: self._power("low"))

    def _shut_down(self) -> None:
        if self._day.machine.power == "mains" or self._day.machine.runner is None:
            return
        self._will_be_off = self._random.choice((60.0, 600.0))
        self._day.tell("world", "shuts the machine down")
        raise PowerCut

    def _power(self, source: str) -> None:
        if self._has_healed:
            source = "mains"
        machine = self._day.machine
        machine.power = source
        machine.post(PowerChanged(source))

    def _disk_full(self) -> None:
        disk = self._day.disk
        disk.capacity = disk.held_bytes + self._random.choice(
            (20_000, 100_000, 900_000)
        )

        def freed() -> None:
            disk.capacity = None

        self._after(self._random.uniform(30, 400), freed)

    def _disk_error(self) -> None:
        left = self._random.randint(1, 40)
        disk = self._day.disk

        def count_down() -> None:
            nonlocal left
            left -= 1
            if left == 0:
                self._day.tell("world", "lets the disk fail")
                raise apsw.IOError("simulated disk error")

        if self._random.random() < 0.5:
            disk.before_write = count_down
        else:
            disk.before_sync = count_down

    def _calm_disk(self) -> None:
        disk = self._day.disk
        disk.before_write = disk.before_sync = _calm

    def _clock(self) -> None:
        clock = self._day.machine.clock
        self._day.tally.clock_jumps += 1
        jump = self._random.choice((-YEAR_MS, HOUR_MS, -HOUR_MS, YEAR_MS, 90_000))
        # Somebody sets it right again, sooner or later.
        if clock.jumped_ms:
            jump = -clock.jumped_ms
        self._day.tell("world", f"sets the clock by {jump / 1000:.0f} s")
        clock.jumped_ms += jump

    def _network(self) -> None:
        office = self._day.office
        office.is_cut = True

        def back() -> None:
            office.is_cut = False

        self._after(self._random.uniform(10, 900), back)

    def _restore(self) -> None:
        office = self._day.office
        if self._random.random() < 0.6:
            office.back_up()
        elif office.restore():
            self._day.tell("world", "restores the server from a backup")
            self.is_restored_since_contact = True

    def _devices(self) -> None:
        device = self._random.choice(("scanner", "printer", "scale", "light"))
        self._device(device, self._random.choice(("absent", "degraded")))
        self._after(self._random.uniform(5, 200), lambda: self._device(device, "ready"))

    def _device(self, device: str, health: str) -> None:
        machine = self._day.machine
        if self._has_healed:
            health = "ready"
        machine.devices[device] = health
        machine.post(DeviceChanged(device, health))

    def _unplug_terminal(self) -> None:
        seconds = self._random.choice((2.0, 20.0, 200.0))
        if self._random.random() < 0.3:
            self._day.terminal.lose_power(seconds)
        else:
            self._day.terminal.unplug(seconds)
        if seconds > 10:
            self._device("terminal", "absent")
            self._after(seconds, lambda: self._device("terminal", "ready"))

    def _directive(self) -> None:
        lane = self._day.machine.lane
        if lane is None or self._day.office.is_cut:
            return
        number = f"d{self._random.getrandbits(32):08x}"
        post = self._day.machine.post
        waiting = intervention(lane.mode)
        if waiting is not None and self._random.random() < 0.7:
            order = self._random.choice(("approve", "approve", "refuse"))
            asked = waiting.asked - (self._random.random() < 0.1)
            post(DirectiveReceived(number, order, "console", asked))
        else:
            post(DirectiveReceived(number, "pause"))
            delay = self._random.uniform(5, 60)
            self._after(delay, lambda: post(DirectiveReceived(number + "r", "resume")))

    def _day_ends(self) -> None:
        self._day.machine.post(DayEnded("2026-05-04"))

    def _poison(self) -> None:
        """A later release ran for a moment, wrote what this one cannot read, and fell
        back."""
        machine = self._day.machine
        if machine.runner is None or machine.is_handling or machine.journal is None:
            return
        entry = machine.journal.append(
            "FromTheFuture",
            b'{"event":{"type":"FromTheFuture","what":[1,2]},"version":2}',
            at_ms=machine.clock.now_ms(),
            mono_ms=machine.clock.mono_ms(),
            boot_id=machine.clock.boot_id,
        )
        self._day.appended(entry, None)
        self._day.forget_live()
        raise Killed


def _calm() -> None:
    return None
