"""A release that was good once and starts no more gives way to the one before."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from simulated_machine import Release, WentDown
from updated import Kiosk

from kiosk.updater.bootloader import Slot, Ustate
from kiosk.updater.gate import Gate
from kiosk.updater.store import Attempts, Phase
from kiosk.updater.words import Reason


@pytest.fixture
def kept(kiosk: Kiosk) -> Kiosk:
    """A machine whose second release is good, with the first behind it."""
    return kiosk.give().live()


def break_it(kiosk: Kiosk, **how: object) -> None:
    kiosk.machine.slots[Slot.B] = replace(kiosk.machine.release, **how)


def starts(kiosk: Kiosk) -> int:
    return Attempts(kiosk.folders.attempts).count


def test_a_good_start_counts_for_nothing(kept: Kiosk) -> None:
    for _ in range(5):
        kept.machine.boot()
        kept.one_start()
    assert starts(kept) == 0
    assert kept.machine.slot is Slot.B


def test_the_third_start_without_a_picture_gives_way(kept: Kiosk) -> None:
    break_it(kept, draws=False)
    before = kept.machine.starts
    kept.machine.boot()
    kept.live()
    assert kept.machine.slot is Slot.A
    assert kept.machine.starts - before == 4
    assert kept.status.phase is Phase.FALLEN_BACK
    assert kept.status.reason is Reason.FAILED_STARTS
    assert kept.status.words.startswith("Fell back from release 2.0.0.")
    assert kept.status.failed == {"2.0.0": "failed_starts"}
    assert {e.ustate for e in kept.machine.environments} == {Ustate.OK}


def test_starts_that_end_before_the_gate_are_counted_by_the_next(kept: Kiosk) -> None:
    gate = Gate(kept.machine, kept.folders)
    for _ in range(3):
        kept.machine.boot()
        gate.count_start()
    kept.machine.boot()
    with pytest.raises(WentDown):
        gate.count_start()
    kept.machine.boot()
    assert kept.machine.slot is Slot.A
    kept.live()
    assert kept.status.phase is Phase.FALLEN_BACK


def test_a_broken_device_is_no_reason_to_leave_a_good_release(kept: Kiosk) -> None:
    break_it(kept, broken=("scanner", "printer"))
    for _ in range(5):
        kept.machine.boot()
        kept.one_start()
    assert kept.machine.slot is Slot.B


def test_with_nothing_to_fall_back_to_it_does_not_restart_for_ever(
    kiosk: Kiosk,
) -> None:
    kiosk.machine.slots[Slot.A] = Release("1.0.0", draws=False)
    for _ in range(6):
        kiosk.machine.boot()
        kiosk.one_start()
    assert kiosk.machine.slot is Slot.A


def test_when_neither_starts_it_ends_with_the_newer(kept: Kiosk) -> None:
    break_it(kept, draws=False)
    kept.machine.slots[Slot.A] = Release("1.0.0", draws=False)
    kept.machine.boot()
    kept.live()
    assert kept.machine.slot is Slot.B
    assert kept.status.reason is Reason.FAILED_STARTS
    assert "does not work either" in kept.status.detail
    for _ in range(3):
        kept.machine.boot()
        kept.one_start()


def test_the_release_that_failed_is_not_taken_again(kept: Kiosk) -> None:
    break_it(kept, draws=False)
    kept.machine.boot()
    kept.live()
    kept.give().live()
    assert kept.status.reason is Reason.FAILED_BEFORE
