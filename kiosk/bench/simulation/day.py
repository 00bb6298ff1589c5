"""One run: a lane's day of shoppers, everything that may befall it, and the checks.

All randomness comes from the seed; all time is virtual. What befalls the lane is
drawn anew for each run: some days are quiet, some have one kind of trouble, some all.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from random import Random

import msgspec

from hardware import ports
from kiosk.bench.simulation import checks, shop
from kiosk.bench.simulation.disk import PowerCut, SimulatedDisk
from kiosk.bench.simulation.faults import Faults, Killed
from kiosk.bench.simulation.machine import Failed, Hooks, Machine
from kiosk.bench.simulation.office import Office
from kiosk.bench.simulation.people import Attendant, Shopper, shown
from kiosk.bench.simulation.schedule import Schedule
from kiosk.bench.simulation.story import Story, Violation
from kiosk.bench.simulation.terminal import Terminal
from kiosk.domain import body as bodies
from kiosk.domain.effects import Command, Ignore
from kiosk.domain.events import (
    DayEnded,
    Event,
    NetworkChanged,
    TenderResult,
    TenderStarted,
)
from kiosk.domain.modes import unattended
from kiosk.domain.state import Complete, Idle, Lane
from kiosk.records.chain import Entry, Head
from kiosk.records.journal import JournalDamaged

_days = itertools.count(1)

# A lane that does not come to rest in so long, with everybody honest, never will.
_PATIENCE_SECONDS = 4 * 3600
_CONTACT_SECONDS = 90


class Tally(msgspec.Struct):
    """What a run, or many, had in it."""

    runs: int = 0
    shoppers: int = 0
    entries: int = 0
    sales: int = 0
    power_cuts: int = 0
    kills: int = 0
    unknown: int = 0
    given_back: int = 0
    open_items: int = 0
    restores: int = 0
    messages_lost: int = 0
    clock_jumps: int = 0
    disk_failures: int = 0

    def add(self, other: Tally) -> None:
        """Count another run in."""
        for name in self.__struct_fields__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Day(Hooks):
    """One lane's day. `run` plays it; a `Violation` says what went wrong.

    `make_machine`, `make_office` and `make_disk` are seams for the tests of the
    simulator; `trouble` narrows what befalls the lane to the kinds named.
    """

    make_machine: Callable[..., Machine] = Machine
    make_office: Callable[..., Office] = Office
    make_disk: Callable[[str], SimulatedDisk] = SimulatedDisk
    trouble: tuple[str, ...] | None = None

    def __init__(self, seed: int, shoppers: int = 20, kept: int = 60) -> None:
        random = Random(f"stillopen/{seed}")
        self.random = random
        self.story = Story(kept)
        self.tally = Tally(runs=1)
        self.schedule = Schedule()
        kind = type(self)
        self.disk = kind.make_disk(f"simulated-{next(_days)}")
        self.terminal = Terminal(self.schedule, Random(random.random()))
        self.machine: Machine = kind.make_machine(
            self.schedule,
            Random(random.random()),
            self.disk,
            self.terminal,
            shop.rules(random),
            self,
            lambda: self.faults.shutdown_ordered(),
        )
        self.office: Office = kind.make_office(
            self.schedule,
            Random(random.random()),
            self.machine,
        )
        self.attendant = Attendant(
            Random(random.random()),
            self.machine,
            self.terminal,
        )
        self.faults: Faults = Faults(self, Random(random.random()))
        self.written = Head(0, "")
        self._shoppers_left = shoppers
        self._shopper: Shopper | None = None
        self._live: Lane | None = None
        self._on_disk: set[tuple[str, str]] = set()
        self._told_paid: dict[int, str] = {}
        self._is_healing = False
        self._is_foreign = False
        self._was_met = False

    # -- the run -------------------------------------------------------------

    def run(self) -> Tally:
        """Play the day, heal it, and check it."""
        self.schedule.after(0, self._boot)
        self.schedule.after(3_000, self._look)
        self.schedule.after(5_000, self._contact)
        self.faults.begin()
        self._until(lambda: self._shoppers_left == 0 and self._shopper is None, 1e6)
        self._heal()
        self._check()
        return self.tally

    def tell(self, who: str, what: object) -> None:
        """Remember something for the story."""
        self.story.tell(self.schedule.now_ms, who, what)

    def _until(self, is_done: Callable[[], bool], seconds: float) -> bool:
        deadline_ms = self.schedule.now_ms + int(seconds * 1000)
        while not is_done():
            left = (deadline_ms - self.schedule.now_ms) / 1000
            if left <= 0:
                return False
            try:
                self.schedule.go_on(left, is_done)
            except PowerCut:
                self._end(is_cut=True)
            except Killed:
                self._end(is_cut=False)
            except Failed as failed:
                self._disk_failed(failed.error)
            except OSError as error:
                self._disk_failed(error)
        return True

    def _disk_failed(self, error: OSError) -> None:
        if isinstance(error, JournalDamaged):
            raise Violation(f"the journal cannot be read: {error}") from error
        self.tell("journal", f"failed: {error}")
        self.tally.disk_failures += 1
        self._end(is_cut=False)

    def _end(self, *, is_cut: bool) -> None:
        """The program ended somewhere; it will be started again."""
        if self.machine.runner is not None:
            self._live = None if self._is_foreign else self.machine.runner.lane
        self._is_foreign = False
        self.machine.end()
        # systemd waits longer for a program that does not even start.
        off_seconds = 10.0 if self.machine.is_up else 40.0
        if is_cut:
            self.tally.power_cuts += 1
            off_seconds = self.faults.power_is_gone()
        else:
            self.tally.kills += 1
            self.disk.kill()
        self.machine.let_go()
        self.tell(
            "machine", f"{'power cut' if is_cut else 'ended'}, {off_seconds:.0f} s"
        )
        self.schedule.after(off_seconds * 1000, self._boot)

    def _boot(self) -> None:
        if self.machine.runner is not None:
            return
        self.tell("machine", "starts")
        self.machine.boot()

    # -- people and the network ----------------------------------------------

    def _look(self) -> None:
        lane = self.machine.lane
        pause = (700, 2600) if lane is not None else (5_000, 20_000)
        self.schedule.after(self.random.uniform(*pause), self._look)
        if lane is None or self.machine.is_handling:
            return
        now_ms = self.machine.clock.now_ms()
        if not self._is_healing:
            if self._shopper is None and self._shoppers_left > 0:
                self._shoppers_left -= 1
                self.tally.shoppers += 1
                wants = self.random.choice((1, 1, 2, 2, 3, 4, 6))
                steadiness = 1 - self.faults.restless
                self._shopper = Shopper(self.random, wants, steadiness)
            if self._shopper is not None:
                deed = self._shopper.look(lane, now_ms)
                if self._shopper.is_gone:
                    self._shopper = None
                if deed is not None:
                    self.machine.post(deed)
                    return
        if self._is_healing or self.random.random() < 0.35:
            self.attendant.look(lane, now_ms)

    def _contact(self) -> None:
        self.schedule.after(_CONTACT_SECONDS * 1000, self._contact)
        if self.machine.runner is None or self.machine.is_handling:
            return
        self._was_met = self.office.meet()
        if self._was_met != self.machine.is_online:
            self.machine.is_online = self._was_met
            self.machine.post(NetworkChanged(self._was_met))
        if self.office.acknowledged.seq and not self.office.holds(
            self.office.acknowledged
        ):
            if self.faults.is_restored_since_contact and not self._was_met:
                return
            raise Violation(
                f"entry {self.office.acknowledged.seq} counts as acknowledged and "
                "is not held"
            )
        self.faults.is_restored_since_contact = False

    # -- hooks ---------------------------------------------------------------

    def appended(self, entry: Entry, event: Event | None) -> None:
        """Remember what must never be lost again."""
        self.written = Head(entry.seq, entry.digest)
        self.tally.entries += 1
        self._note(entry)

    def recovered(self, lane: Lane, entries: list[Entry]) -> None:
        """Hold the journal to what was on disk, and recovery to what was live."""
        last = Head(entries[-1].seq, entries[-1].digest) if entries else Head(0, "")
        if self.written.seq and last != self.written:
            found = next((e for e in entries if e.seq == self.written.seq), None)
            if last.seq < self.written.seq or (
                found is not None and found.digest != self.written.digest
            ):
                raise Violation(
                    f"entry {self.written.seq} was on disk and is gone: the journal "
                    f"ends at {last.seq}"
                )
        self.written = last
        for entry in entries:
            self._note(entry)
        live = self._live
        if live is not None and lane.seq == live.seq:
            checks.compare(live, lane, "recovered from the journal, the lane differs")
        elif live is not None and not live.seq < lane.seq <= live.seq + 2:
            raise Violation(f"the lane was at {live.seq} and came back at {lane.seq}")

    def before_effect(self, command: Command) -> None:
        """Let the power go between entry and effect."""
        if not isinstance(command, Ignore):
            self.tell("effect", command)
        self.faults.at_effect("before")

    def after_effect(self, command: Command) -> None:
        """Let the power go between effect and answer."""
        self.faults.at_effect("after")

    def shown(self, lane: Lane) -> None:
        """Remember which sales the shopper was told are paid."""
        if lane.seq != self.written.seq:
            raise Violation(
                f"the screen shows entry {lane.seq}, the journal is at "
                f"{self.written.seq}"
            )
        mode = unattended(lane.mode)
        if isinstance(mode, Complete):
            self._told_paid[mode.sale.sale_seq] = mode.sale.attempt_id

    def paying(self, attempt: ports.Attempt) -> None:
        """R1 and R2: the intent is on disk, and the terminal is asked once."""
        self.tell("terminal", f"asked for {attempt.amount_minor}: {attempt.attempt_id}")
        if ("TenderStarted", attempt.attempt_id) not in self._on_disk:
            raise Violation(f"attempt {attempt.attempt_id} was asked without an entry")
        if self.terminal.was_asked(attempt.attempt_id):
            raise Violation(f"attempt {attempt.attempt_id} was asked for again")

    def acknowledging(self, attempt: ports.Attempt) -> None:
        """R4: the result is on disk before the terminal hears of it."""
        if ("TenderResult", attempt.attempt_id) not in self._on_disk:
            raise Violation(
                f"attempt {attempt.attempt_id} was acknowledged without an entry"
            )

    def delay_of(self, event: Event) -> float:
        """Let answers come late, twice, and tomorrow."""
        return self.faults.delay_of(event)

    def _note(self, entry: Entry) -> None:
        if entry.kind in ("TenderStarted", "TenderResult"):
            body = bodies.decode(entry.body)
            match body.event if body else None:
                case TenderStarted(tender=tender):
                    self._on_disk.add(("TenderStarted", tender.attempt_id))
                case TenderResult(attempt_id=attempt_id):
                    self._on_disk.add(("TenderResult", attempt_id))
                case _:
                    pass
        self.tell(f"{entry.seq}", entry.body[:300].decode(errors="replace"))

    def forget_live(self) -> None:
        """Expect no more that recovery finds what was live: more was written."""
        self._live = None
        self._is_foreign = True

    # -- the end -------------------------------------------------------------

    def _heal(self) -> None:
        self.tell("world", "heals")
        self.faults.heal()
        self._is_healing = True
        self._shopper = None
        self.attendant.is_steady = True
        if not self._until(self._is_at_rest, _PATIENCE_SECONDS):
            lane = self.machine.lane
            mode = type(shown(lane).mode).__name__ if lane else "off"
            raise Violation(f"the lane never came to rest: {mode}: {self._unrest()}")
        self.machine.post(DayEnded("2026-05-04"))
        self._until(lambda: False, 30)
        if not self._until(self._is_held, _PATIENCE_SECONDS):
            raise Violation(
                f"the server never held everything: {self.office.acknowledged.seq} of "
                f"{self.written.seq}"
            )

    def _unrest(self) -> str:
        lane = self.machine.lane
        if lane is None:
            return "no program runs"
        found = []
        if not isinstance(lane.mode, Idle):
            found.append(repr(lane.mode)[:300])
        found += [f"open item {item.attempt_id}" for item in lane.open_items]
        found += [
            f"attempt {a.attempt_id} {a.stage.value}"
            for a in lane.ledger.values()
            if a.stage.is_open
        ]
        found += [
            f"receipt {o.sale.sale_seq} owed"
            for o in lane.receipts_owed
            if not o.is_failed
        ]
        found += [f"basket {s.code} suspended" for s in lane.suspended]
        if not lane.is_clock_trusted:
            found.append("the clock is not trusted")
        return "; ".join(found)

    def _is_at_rest(self) -> bool:
        return self.machine.lane is not None and not self._unrest()

    def _is_held(self) -> bool:
        return (
            self._was_met
            and self._is_at_rest()
            and self.office.acknowledged == self.written
        )

    def _check(self) -> None:
        machine = self.machine
        lane = machine.lane
        if lane is None or machine.journal is None:
            raise Violation("the lane's program is not running")
        checks.same_as_recovered(lane, machine)
        entries = checks.journal_is_whole(machine, self.office)
        checks.server_holds_all(entries, self.office)
        account = checks.Account(entries)
        for sale_seq, attempt_id in self._told_paid.items():
            if sale_seq not in account.sales:
                raise Violation(
                    f"the shopper was told that {attempt_id} is paid; entry {sale_seq} "
                    "is no sale"
                )
        checks.money_is_right(account, self.terminal, self.office)
        tally = self.tally
        tally.sales += len(account.sales)
        tally.given_back += len(account.undone)
        tally.restores += self.office.restores
        tally.messages_lost += self.office.messages_lost
        for entry in entries:
            tally.open_items += b'"OpenItemMade"' in entry.body
            tally.unknown += entry.kind == "TenderResult" and b'"unknown"' in entry.body
