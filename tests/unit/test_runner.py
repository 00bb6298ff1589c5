"""The order that makes a lane trustworthy: journal, then effects, then the screen."""

from __future__ import annotations

from typing import Any

import pytest
from played import ANA, APPLES, BREAD, NOON, RULES

from kiosk.asked import CodeTyped
from kiosk.domain import body as bodies
from kiosk.domain.effects import Beep, Query, SaleMade, SetTimer
from kiosk.domain.events import (
    DayEnded,
    ItemFound,
    LabelUnreadable,
    PayPressed,
    PinChecked,
    PinTried,
    ReceiptChosen,
    Restarted,
    RosterChanged,
    RulesChanged,
    StaffPressed,
    StateCarried,
    TenderConfirmed,
    TenderResult,
    TenderStarted,
    TimeLimitReached,
    TrainingEnded,
    TrainingStarted,
)
from kiosk.domain.state import Idle, Lane, Paying, Scanning
from kiosk.domain.tender import CardResult, Outcome
from kiosk.runner import LaneRunner, recover

YEAR_MS = 365 * 86_400_000


class Entry:
    def __init__(self, seq: int, kind: str, body: bytes, about: dict[str, Any]) -> None:
        self.seq = seq
        self.kind = kind
        self.body = body
        self.about = about


class DiskFull(OSError):
    """No more room."""


class Rig:
    """A runner whose every step is written down, in order."""

    boot_id = "boot-1"

    def __init__(self, lane: Lane | None = None) -> None:
        self.steps: list[tuple[str, Any]] = []
        self.entries: list[Entry] = []
        self.shown: list[Lane] = []
        self.ms = NOON
        self.is_full = False
        self.skips_a_number = False
        self.ids = 0
        self.days: list[StateCarried] = []
        self.runner = LaneRunner(
            lane or Lane(),
            self,
            self,
            self,
            translate=self.translate,
            carry_out=lambda effect: self.steps.append(("effect", effect)),
            show=self.show,
            on_disk=lambda event: self.steps.append(("on disk", event)),
            begin_day=self.begin_day,
        )

    # The journal.

    def append(self, kind: str, body: bytes, **about: Any) -> Entry:
        if self.is_full:
            raise DiskFull("no space left")
        seq = len(self.entries) + (2 if self.skips_a_number else 1)
        entry = Entry(seq, kind, body, about)
        self.entries.append(entry)
        self.steps.append(("journal", kind))
        return entry

    # The clock and the ids.

    def now_ms(self) -> int:
        return self.ms

    def mono_ms(self) -> int:
        return 77

    def new(self) -> str:
        self.ids += 1
        return f"id-{self.ids}"

    def draw(self) -> int:
        return 4711

    # The rest.

    def translate(self, asked: Any, lane: Lane, now_ms: int) -> Any:
        if asked == CodeTyped("nothing"):
            return None
        return LabelUnreadable(f"{asked.code} at {now_ms}")

    def show(self, lane: Lane) -> None:
        self.shown.append(lane)
        self.steps.append(("show", lane.seq))

    def begin_day(self, carried: StateCarried, now_ms: int) -> Rig:
        self.days.append(carried)
        self.append("CarriedForward", bodies.encode(carried, ()))
        return self

    @property
    def lane(self) -> Lane:
        return self.runner.lane

    def kinds(self) -> list[str]:
        return [entry.kind for entry in self.entries]

    def started(self) -> Rig:
        self.runner.handle(RulesChanged(RULES))
        self.runner.start("r1", 0)
        self.steps.clear()
        return self

    def event(self, kind: type[Any]) -> Any:
        """Return the newest event of a kind, as it was written."""
        for entry in reversed(self.entries):
            body = bodies.decode(entry.body)
            if body and isinstance(body.event, kind):
                return body.event
        raise AssertionError(f"no {kind.__name__} was written")

    def pay(self) -> None:
        self.runner.handle(PayPressed())
        mode = self.lane.mode
        assert isinstance(mode, Paying)
        attempt_id = mode.tender.attempt_id
        self.runner.handle(TenderStarted(mode.tender, "T", 0))
        approved = CardResult(Outcome.APPROVED, mode.tender.amount_minor, "EUR")
        self.runner.handle(TenderResult(attempt_id, approved))
        self.runner.handle(TenderConfirmed(attempt_id))


@pytest.fixture
def rig():
    return Rig().started()


def test_the_journal_comes_first_then_effects_then_the_screen(rig):
    rig.runner.handle(ItemFound(BREAD))
    order = [step for step, _ in rig.steps]
    assert order[0] == "journal"
    assert order[1] == "on disk"
    assert order[-1] == "show"
    assert set(order[2:-1]) == {"effect"}
    assert ("effect", Beep("scanned")) in rig.steps


def test_what_cannot_be_written_has_not_happened(rig):
    before, shown = rig.lane, len(rig.shown)
    rig.is_full = True
    with pytest.raises(DiskFull):
        rig.runner.handle(ItemFound(BREAD))
    assert rig.lane is before
    assert rig.steps == []
    assert len(rig.shown) == shown


def test_a_journal_that_counts_otherwise_stops_the_lane(rig):
    rig.skips_a_number = True
    before = rig.lane
    with pytest.raises(RuntimeError, match="holds the lane's event"):
        rig.runner.handle(ItemFound(BREAD))
    assert rig.lane is before
    assert not [step for step in rig.steps if step[0] == "effect"]


def test_facts_are_written_and_not_carried_out(rig):
    rig.runner.handle(ItemFound(BREAD))
    rig.pay()
    body = bodies.decode(rig.entries[-1].body)
    assert body is not None
    assert [type(fact) for fact in body.facts] == [SaleMade]
    assert not [s for s, what in rig.steps if isinstance(what, SaleMade)]
    assert rig.entries[-1].about["sign"]


def test_an_event_is_stamped_when_it_is_taken(rig):
    rig.ms += 5_000
    rig.runner.handle(ItemFound(BREAD))
    found = rig.event(ItemFound)
    assert (found.at_ms, found.basket_id) == (NOON + 5_000, "id-1")
    rig.runner.handle(PayPressed())
    pressed = rig.event(PayPressed)
    assert (pressed.attempt_id, pressed.draw) == ("id-2", 4711)


def test_a_time_that_is_there_is_left_alone(rig):
    rig.runner.handle(ItemFound(BREAD, at_ms=NOON + 1, basket_id="mine"))
    assert rig.event(ItemFound).at_ms == NOON + 1
    assert rig.event(ItemFound).basket_id == "mine"


def test_entries_carry_both_clocks_and_the_boot(rig):
    rig.runner.handle(ItemFound(BREAD))
    about = rig.entries[-1].about
    assert (about["at_ms"], about["mono_ms"], about["boot_id"]) == (NOON, 77, "boot-1")


def test_what_is_asked_becomes_an_event_first(rig):
    rig.runner.handle(CodeTyped("4011"))
    assert rig.event(LabelUnreadable).reason == f"4011 at {NOON}"
    written = len(rig.entries)
    rig.runner.handle(CodeTyped("nothing"))
    assert len(rig.entries) == written


def test_posted_events_are_handled_in_order_until_the_stop(rig):
    rig.runner.post(ItemFound(BREAD))
    rig.runner.post(ItemFound(BREAD))
    rig.runner.stop()
    rig.runner.post(ItemFound(BREAD))
    rig.runner.run()
    assert rig.kinds()[-2:] == ["ItemFound", "ItemFound"]
    assert len(rig.lane.mode.basket.lines) == 2


class TestAClockThatJumpsBackAYear:
    @pytest.fixture
    def jumped(self, rig):
        rig.runner.handle(ItemFound(BREAD))
        rig.ms -= YEAR_MS
        return rig

    def test_it_is_distrusted_once_and_the_lane_sells_on(self, jumped):
        jumped.runner.handle(ItemFound(BREAD))
        jumped.runner.handle(ItemFound(BREAD))
        assert jumped.kinds().count("ClockDistrusted") == 1
        assert jumped.kinds()[-3:] == ["ClockDistrusted", "ItemFound", "ItemFound"]
        assert jumped.lane.figures.total_minor == 3 * 249
        jumped.pay()
        assert jumped.lane.mode.sale.figures.total_minor == 3 * 249

    def test_the_next_basket_begins_at_the_last_time_that_was_known(self, jumped):
        jumped.runner.handle(ItemFound(BREAD))
        jumped.pay()
        jumped.runner.handle(ReceiptChosen("none"))
        jumped.runner.handle(ItemFound(BREAD))
        assert jumped.lane.mode.basket.started_ms >= NOON

    def test_it_is_noticed_at_the_start_too(self, rig):
        again = Rig(recover(rig.entries))
        again.entries = [*rig.entries]
        again.ms = NOON - YEAR_MS
        again.runner.start("r1", NOON)
        assert again.kinds()[-2:] == ["ClockDistrusted", "Restarted"]
        assert again.event(Restarted).down_ms == 0
        assert not again.lane.is_clock_trusted

    def test_a_second_or_two_is_drift(self, rig):
        rig.runner.handle(ItemFound(BREAD))
        rig.ms -= 4_000
        rig.runner.handle(ItemFound(BREAD))
        assert "ClockDistrusted" not in rig.kinds()


class TestRecovery:
    def test_the_entries_bring_the_same_state_back(self, rig):
        for line in (BREAD, APPLES, BREAD):
            rig.runner.handle(ItemFound(line))
        assert recover(rig.entries) == rig.lane

    def test_nothing_is_carried_out_while_recovering(self, rig):
        rig.runner.handle(ItemFound(BREAD))
        rig.runner.handle(PayPressed())
        rig.runner.handle(TenderStarted(rig.lane.mode.tender, "T", 0))
        again = Rig(recover(rig.entries))
        again.entries = [*rig.entries]
        assert again.steps == []
        again.runner.start("r2", NOON)
        wanted = [what for step, what in again.steps if step == "effect"]
        assert [type(w) for w in wanted if not isinstance(w, SetTimer)][1:] == [Query]

    def test_how_long_it_was_dark_is_told(self, rig):
        again = Rig(recover(rig.entries))
        again.entries = [*rig.entries]
        again.ms = NOON + 60_000
        again.runner.start("r2", NOON)
        told = again.event(Restarted)
        assert (told.release, told.down_ms) == ("r2", 60_000)

    def test_kinds_of_a_later_release_are_passed_over_and_keep_their_number(self, rig):
        rig.runner.handle(ItemFound(BREAD))
        later = b'{"event":{"type":"DroneLanded","pads":2},"version":9}'
        rig.append("DroneLanded", later)
        lane = recover(rig.entries)
        assert lane.seq == len(rig.entries)
        assert isinstance(lane.mode, Scanning)
        assert lane.called == "other"

    @pytest.mark.parametrize("body", [b"", b"{", b"[]", b"\xff", b'{"event":3}'])
    def test_what_is_no_entry_is_passed_over(self, rig, body):
        rig.append("?", body)
        assert recover(rig.entries).seq == len(rig.entries)

    def test_unknown_fields_of_known_kinds_are_ignored(self, rig):
        body = bodies.encode(ItemFound(BREAD, basket_id="b", at_ms=NOON), ())
        newer = body.replace(b'"basket_id"', b'"drone":1,"basket_id"')
        assert newer != body
        rig.append("ItemFound", newer)
        assert recover(rig.entries).figures.total_minor == 249  # type: ignore[union-attr]


class TestTheDayEnds:
    def test_the_next_file_opens_with_the_state(self, rig):
        rig.runner.handle(ItemFound(BREAD))
        rig.pay()
        rig.runner.handle(ReceiptChosen("none"))
        rig.runner.handle(DayEnded("2026-11-23"))
        assert rig.days == []  # Not with a shopper at the lane.
        generation = rig.lane.timers["thanks"].generation
        rig.runner.handle(thanks(generation))
        rig.runner.handle(DayEnded("2026-11-23"))
        assert rig.kinds()[-2:] == ["DayEnded", "CarriedForward"]
        assert rig.lane.seq == len(rig.entries)
        fresh = recover([rig.entries[-1]])
        assert fresh == rig.lane
        assert len(fresh.recent_sales) == 1

    def test_it_is_signed(self, rig):
        rig.runner.handle(DayEnded("2026-11-23"))
        assert rig.entries[-2].about["sign"]

    def test_not_with_a_basket_open(self, rig):
        rig.runner.handle(ItemFound(BREAD))
        rig.runner.handle(DayEnded("2026-11-23"))
        assert rig.days == []

    def test_a_disk_that_is_full_begins_no_file(self, rig):
        rig.is_full = True
        with pytest.raises(DiskFull):
            rig.runner.handle(DayEnded("2026-11-23"))
        assert rig.days == []


def thanks(generation: int) -> TimeLimitReached:
    return TimeLimitReached("thanks", generation)


def test_after_fifty_sales_the_state_is_written_for_a_quick_start(rig):
    for _ in range(51):
        rig.runner.handle(ItemFound(BREAD))
        rig.pay()
        rig.runner.handle(ReceiptChosen("none"))
        rig.runner.handle(thanks(rig.lane.timers["thanks"].generation))
        assert isinstance(rig.lane.mode, Idle)
    at = rig.kinds().index("StateCarried")
    assert rig.kinds().count("StateCarried") == 1
    assert recover(rig.entries[at:]) == rig.lane == recover(rig.entries)


def test_training_marks_its_entries_from_the_first_to_the_last(rig):
    rig.runner.handle(RosterChanged(1, (ANA,)))
    sign_on(rig)
    rig.runner.handle(TrainingStarted("7"))
    rig.runner.handle(ItemFound(BREAD))
    sign_on(rig)
    rig.runner.handle(TrainingEnded("7"))
    rig.runner.handle(ItemFound(BREAD))
    assert not rig.entries[-1].about["training"]
    start = rig.kinds().index("TrainingStarted")
    end = rig.kinds().index("TrainingEnded")
    assert all(entry.about["training"] for entry in rig.entries[start : end + 1])
    assert not any(entry.about["training"] for entry in rig.entries[:start])


def sign_on(rig: Rig) -> None:
    rig.runner.handle(StaffPressed())
    rig.runner.handle(PinTried("7", "n"))
    rig.runner.handle(PinChecked("7", "n", True))
