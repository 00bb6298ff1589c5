"""The simulator itself: each of these bugs, planted at a seam, is found.

A simulation that finds nothing proves something only when it finds these. Each test
names its trouble and how many days the bug may hide; the same days without the bug
must pass.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from hardware import ports
from kiosk.backoffice.intake import Intake
from kiosk.backoffice.store import Book
from kiosk.bench.simulation.day import Day
from kiosk.bench.simulation.disk import SimulatedDisk
from kiosk.bench.simulation.machine import Machine
from kiosk.bench.simulation.office import Office
from kiosk.bench.simulation.schedule import Clock, Ids
from kiosk.bench.simulation.story import Violation
from kiosk.domain.effects import Command, PrepareTender, PrintReceipt
from kiosk.domain.events import Event, ReversalResult, TenderResult, TimeLimitReached
from kiosk.domain.lane import advance
from kiosk.domain.state import Lane
from kiosk.domain.tender import Attempt, Outcome
from kiosk.effects import Effects
from kiosk.records.chain import Entry, Head
from kiosk.records.journal import Journal
from kiosk.records.rotation import JournalDirectory
from kiosk.runner import LaneRunner, Recorded, recover
from kiosk.sync.push import Entries, Post, Save, TooLarge, fitting, hello_of, push, sync
from kiosk.sync.wire import Batch, Held, Hello, Refusal, Welcome


def finds(kind: type[Day], days: int, first: int = 1) -> str:
    """Play days until one breaks a promise; return which.

    `first` is a day that shows it at once: what is rare would take seconds to find.
    """
    for seed in range(first, first + days):
        try:
            kind(seed).run()
        except Violation as violation:
            return str(violation)
    pytest.fail(f"the bug was not found in {days} days")


def with_effects(kind: type[Effects]) -> type[Machine]:
    class Broken(Machine):
        make_effects = kind

    return Broken


# -- the journal -------------------------------------------------------------


class LyingDisk(SimulatedDisk):
    """Says that it flushed, and did not."""

    def flush(self, inode: Any) -> None:
        self.before_sync()


def test_a_skipped_flush_is_found() -> None:
    class Planted(Day):
        make_disk = LyingDisk
        trouble = ("cut",)

    # A cut takes single entries, or the pages that make the file a journal at all.
    found = finds(Planted, 10)
    assert "was on disk and is gone" in found or "cannot be read" in found


class CarelessDirectory(JournalDirectory):
    """Opens the journal with a setting that trusts the operating system."""

    def open_current(self, key: Any) -> Journal | None:
        journal = super().open_current(key)
        if journal is not None:
            journal._db.pragma("synchronous", 0)
        return journal


class CarelessMachine(Machine):
    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        folder = self.directory
        self.directory = CarelessDirectory(
            folder.path, vfs=folder.vfs, folder=folder.folder
        )


def test_a_journal_with_synchronous_off_is_found() -> None:
    class Planted(Day):
        make_machine = CarelessMachine
        trouble = ("cut",)

    assert "was on disk and is gone" in finds(Planted, 20)


class EagerRunner(LaneRunner):
    """Carries effects out before their entry is on disk."""

    def _take(self, event: Event, carry_out: bool = True) -> None:
        for effect in advance(self._lane, event)[1] if carry_out else []:
            if isinstance(effect, Command):
                self._carry_out(effect)
        super()._take(event, carry_out=False)


def test_an_effect_before_its_entry_is_found() -> None:
    class Eager(Machine):
        make_runner = EagerRunner

    class Planted(Day):
        make_machine = Eager
        trouble = ("torn",)

    assert "without an entry" in finds(Planted, 60, first=42)


# -- recovery ----------------------------------------------------------------


def forgetful(**forgotten: Any) -> type[Machine]:
    """Return a machine that forgets a part of the lane when it starts."""

    def without(entries: Any, start: Lane | None = None) -> Lane:
        recorded: list[Recorded] = list(entries)
        return replace(recover(recorded, start), **forgotten)

    class Forgetful(Machine):
        recover = staticmethod(without)

    return Forgetful


@pytest.mark.parametrize(
    ("forgotten", "empty", "first"),
    [
        ("ledger", {}, 1),
        ("pins", {}, 1),
        ("receipts_owed", (), 26),
        ("suspended", (), 5),
    ],
)
def test_what_recovery_forgets_is_found(forgotten: str, empty: Any, first: int) -> None:
    class Planted(Day):
        make_machine = forgetful(**{forgotten: empty})
        trouble = ("cut", "restless", "battery", "kill")

    assert f"differs in {forgotten}" in finds(Planted, 60, first)


class ForgetfulPrinter(Effects):
    """Prints no receipt that is owed since before the start."""

    def carry_out(self, effect: Command) -> None:
        if not (isinstance(effect, PrintReceipt) and effect.is_copy):
            super().carry_out(effect)


def test_a_receipt_that_nobody_prints_is_found() -> None:
    class Planted(Day):
        make_machine = with_effects(ForgetfulPrinter)
        trouble = ("cut", "effect")

    assert "owed" in finds(Planted, 120, first=6)


# -- money -------------------------------------------------------------------


class HastyDecline(Effects):
    """Takes silence of the terminal for a no."""

    def __init__(
        self, devices: Any, post: Callable[[Event], None], *rest: Any, **more: Any
    ) -> None:
        def decline(event: Event) -> None:
            if isinstance(event, TenderResult) and (
                event.result.outcome is Outcome.UNKNOWN
            ):
                declined = replace(event.result, outcome=Outcome.DECLINED)
                event = replace(event, result=declined)
            post(event)

        super().__init__(devices, decline, *rest, **more)


def test_an_unknown_outcome_taken_for_a_decline_is_found() -> None:
    class Planted(Day):
        make_machine = with_effects(HastyDecline)
        trouble = ("terminal",)

    # Either the shopper paid again, or the late approval belongs to nothing.
    assert "the card paid" in finds(Planted, 30)


class SecondAsking(Effects):
    """Asks the terminal for the money again instead of asking how it ended."""

    def _query(self, attempt: Attempt) -> None:
        self._authorize(attempt)


def test_a_query_that_authorizes_again_is_found() -> None:
    class Planted(Day):
        make_machine = with_effects(SecondAsking)
        trouble = ("cut", "terminal")

    assert "was asked for again" in finds(Planted, 20)


class OpenTicket:
    """Lets the terminal's worker go on before anything is on disk."""

    def set(self) -> None:
        pass

    def wait(self, timeout: float) -> bool:
        return True


class HastyAcknowledgement(Effects):
    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **{**more, "ticket": OpenTicket})


def test_an_acknowledgement_before_the_entry_is_found() -> None:
    class Planted(Day):
        make_machine = with_effects(HastyAcknowledgement)
        trouble = ()

    assert "acknowledged without an entry" in finds(Planted, 1)


class NoIntent(Effects):
    """Asks for the money first and writes it down afterwards."""

    def _prepare(self, wanted: PrepareTender) -> None:
        tender = wanted.tender
        figures = tender.figures
        self._devices.terminal.pay(
            ports.Attempt(
                tender.attempt_id,
                figures.total_minor,
                figures.currency,
                ports.Watermark("SIM-0001", 0),
            ),
            _DeafSink(),
        )
        super()._prepare(wanted)


class _DeafSink:
    def moment(self, moment: ports.TerminalMoment) -> None:
        pass

    def result(self, result: ports.PayResult) -> bool:
        return True


def test_a_payment_without_an_intent_is_found() -> None:
    class Planted(Day):
        make_machine = with_effects(NoIntent)
        trouble = ()

    assert "was asked without an entry" in finds(Planted, 1)


class NewRefundEachTime(Effects):
    """Repeats a refund whose answer was lost under an id of its own."""

    count = 0

    def _refund(self, attempt: Attempt, refund_id: str) -> None:
        NewRefundEachTime.count += 1
        told: list[Event] = []
        post, self._post = self._post, told.append
        super()._refund(attempt, f"{refund_id}-{NewRefundEachTime.count}")
        self._post = post
        for event in told:
            if isinstance(event, ReversalResult):
                post(replace(event, reversal_id=refund_id))


def test_a_refund_repeated_under_a_new_id_is_found() -> None:
    class Planted(Day):
        make_machine = with_effects(NewRefundEachTime)
        trouble = ("terminal",)

        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self.attendant.returns = 1.0
            self.attendant.boredom = 0.6
            self.terminal.undo_trouble = 6.0

    assert "the card paid 0, the journal sold" in finds(Planted, 60)


class ClockIds(Ids):
    """Makes ids of the wall clock's minutes."""

    def __init__(self, random: Random, clock: Clock) -> None:
        super().__init__(random, clock)
        self._clock = clock

    def new(self) -> str:
        return f"{self._clock.now_ms() // 60_000:x}"


def test_ids_from_the_clock_are_found() -> None:
    class Clocked(Machine):
        make_ids = ClockIds

    class Planted(Day):
        make_machine = Clocked
        trouble = ("clock",)

    assert finds(Planted, 20)


# -- sync --------------------------------------------------------------------


def trusting_sync(
    entries: Entries,
    lane_id: str,
    acknowledged: Head,
    say_hello: Callable[[Hello], Welcome],
    post: Post,
    save: Save,
) -> Head:
    """Take any number the server says."""
    held = say_hello(hello_of(entries, lane_id, acknowledged)).held
    save(held)
    while batch := fitting(entries.after(held.seq, 100)):
        match post(held, batch):
            case TooLarge():
                return held
            case Held(answer):
                held = answer
                save(held)
    return held


def test_a_trusted_reply_is_found() -> None:
    class Trusting(Office):
        contact = staticmethod(trusting_sync)

    class Planted(Day):
        make_office = Trusting
        trouble = ("network",)

    assert "counts as acknowledged and is not held" in finds(Planted, 30)


def mute_sync(
    entries: Entries,
    lane_id: str,
    acknowledged: Head,
    say_hello: Callable[[Hello], Welcome],
    post: Post,
    save: Save,
) -> Head:
    """Say no hello."""
    return push(entries, acknowledged, post, save)


def test_a_hello_left_out_is_found() -> None:
    class Mute(Office):
        contact = staticmethod(mute_sync)

    class Planted(Day):
        make_office = Mute
        trouble = ("restore",)

    assert "server" in finds(Planted, 40, first=9)


class IdleRestore(Day):
    """The server is put back to this morning when the lane has nothing to send."""

    trouble = ()

    def _heal(self) -> None:
        self.office.back_up()
        super()._heal()
        self.office.restore()
        self.faults.is_restored_since_contact = True
        self._until(lambda: False, 600)


def politely_silent_sync(
    entries: Entries,
    lane_id: str,
    acknowledged: Head,
    say_hello: Callable[[Hello], Welcome],
    post: Post,
    save: Save,
) -> Head:
    """Say hello only when there is something to send."""
    if acknowledged == entries.head:
        return acknowledged
    return sync(entries, lane_id, acknowledged, say_hello, post, save)


def test_a_hello_only_with_data_is_found() -> None:
    """The rarest: the server is restored when the lane has nothing more to send."""

    class Polite(Office):
        contact = staticmethod(politely_silent_sync)

    class Planted(IdleRestore):
        make_office = Polite

    IdleRestore(1).run()
    assert "counts as acknowledged and is not held" in finds(Planted, 1)


class DoubleIntake(Intake):
    """Takes each batch as new."""

    def _hold(
        self, book: Book, batch: Batch, entries: list[Entry], now_ms: int
    ) -> Held | Refusal:
        branch = book.begin_branch(batch.lane_id, batch.epoch, batch.before)
        book.extend(branch, entries, now_ms)
        return Held(Head(entries[-1].seq, entries[-1].digest))


def test_a_server_that_takes_twice_is_found() -> None:
    class Double(Office):
        make_intake = DoubleIntake

    class Planted(Day):
        make_office = Double
        trouble = ("network",)

    assert "server" in finds(Planted, 20)


# -- the lane ----------------------------------------------------------------


class DeafRunner(LaneRunner):
    """Drops what the terminal's question timer says: nobody asks again."""

    def handle(self, item: Any) -> None:
        if not (isinstance(item, TimeLimitReached) and item.name.startswith("query:")):
            super().handle(item)


def test_a_payment_that_nobody_asks_about_again_is_found() -> None:
    class Deaf(Machine):
        make_runner = DeafRunner

    class Planted(Day):
        make_machine = Deaf
        trouble = ("terminal",)

        def __init__(self, *args: Any, **more: Any) -> None:
            super().__init__(*args, **more)
            self.attendant.settles = False

    assert "never came to rest" in finds(Planted, 20)
