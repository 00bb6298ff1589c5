"""A slot that was kept rots: the machine runs from the other one, and knows why."""

from __future__ import annotations

import pytest
from simulated_machine import NothingStarts, PowerCut, Release
from updated import Kiosk

from kiosk.updater.bootloader import Slot, Ustate
from kiosk.updater.store import Phase, Status
from kiosk.updater.words import Reason


@pytest.fixture
def kept(kiosk: Kiosk) -> Kiosk:
    """A machine whose second release is good, with the first behind it."""
    return kiosk.give().live()


def rot(kiosk: Kiosk, slot: Slot = Slot.B) -> Kiosk:
    kiosk.machine.rot(slot)
    kiosk.machine.boot()
    return kiosk.live()


def is_told(status: Status) -> bool:
    return (
        status.phase is Phase.FALLEN_BACK
        and status.reason is Reason.ROOT_UNREADABLE
        and status.release == "2.0.0"
        and status.running_release == "1.0.0"
        and status.words.startswith("Fell back to release 1.0.0. The root of")
        and not status.other_slot_is_good
    )


def test_the_other_release_runs_and_it_says_why(kept: Kiosk) -> None:
    rot(kept)
    assert kept.machine.slot is Slot.A
    assert is_told(kept.status)
    # The release did nothing wrong.
    assert kept.status.failed == {}


def test_what_became_of_it_does_not_change_with_further_starts(kept: Kiosk) -> None:
    rot(kept)
    told, starts = kept.status, kept.machine.starts
    for _ in range(3):
        kept.machine.boot()
        kept.live()
    assert kept.machine.starts == starts + 3
    assert kept.machine.installs == 1
    assert kept.status == told


def test_the_next_release_is_written_over_the_rot(kept: Kiosk) -> None:
    rot(kept).give("3.0.0").live()
    assert kept.machine.slot is Slot.B
    assert kept.status.phase is Phase.KEPT
    assert kept.status.running_release == "3.0.0"
    assert kept.status.other_slot_is_good


def test_the_same_release_brought_anew_is_written_anew(kept: Kiosk) -> None:
    rot(kept).give("2.0.0").live()
    assert kept.machine.slot is Slot.B
    assert kept.status.phase is Phase.KEPT
    assert kept.machine.installs == 2


def test_it_can_rot_again_after_it_was_written_anew(kept: Kiosk) -> None:
    rot(kept).give("2.0.0").live()
    rot(kept)
    assert is_told(kept.status)


def test_a_bundle_that_was_refused_before_does_not_hide_what_rotted(
    kept: Kiosk,
) -> None:
    kept.give("0.9.0").live()
    assert kept.status.reason is Reason.OLDER
    assert is_told(rot(kept).status)


def test_a_release_that_was_left_before_is_not_taken_for_rotten(kept: Kiosk) -> None:
    kept.machine.behaviours["3.0.0"] = Release("3.0.0", draws=False)
    kept.give("3.0.0").live()
    assert kept.status.reason is Reason.NOT_HEALTHY
    kept.machine.boot()
    kept.live()
    assert kept.status.reason is Reason.NOT_HEALTHY


def test_rot_in_a_trial_is_the_boot_loaders_to_leave(kept: Kiosk) -> None:
    kept.machine.behaviours["3.0.0"] = Release("3.0.0", is_rotten=True)
    kept.give("3.0.0").live()
    assert kept.machine.slot is Slot.B
    assert kept.status.reason is Reason.NEVER_FINISHED
    assert kept.status.running_release == "2.0.0"


def test_rot_in_both_slots_ends_and_changes_nothing_more(kept: Kiosk) -> None:
    kept.machine.rot(Slot.A)
    kept.machine.rot(Slot.B)
    for _ in range(3):
        with pytest.raises(NothingStarts):
            kept.machine.boot()
    newest, other = kept.machine.environments
    assert (newest.revision, newest.ustate) == (1, Ustate.OK)
    assert (other.revision, other.ustate) == (0, Ustate.FAILED)


def test_rot_without_a_second_release_ends_and_changes_nothing(kiosk: Kiosk) -> None:
    kiosk.live()
    kiosk.machine.rot(Slot.A)
    with pytest.raises(NothingStarts):
        kiosk.machine.boot()
    assert kiosk.machine.environments[0].revision == 1


def test_rot_before_the_write_began_is_not_taken_for_its_success(kept: Kiosk) -> None:
    kept.give("3.0.0")
    install = kept.machine.install

    def cut(*_: object, **__: object) -> None:
        kept.machine.install = install  # type: ignore[method-assign]
        raise PowerCut

    kept.machine.install = cut  # type: ignore[assignment,method-assign]
    with pytest.raises(PowerCut):
        kept.one_start()
    assert is_told(rot(kept).status)


def test_rot_after_a_rescue_is_told_of_the_slot_that_rotted(kept: Kiosk) -> None:
    kept.machine.slots[Slot.B] = Release("2.0.0", draws=False)
    kept.machine.boot()
    assert kept.live().status.phase is Phase.FALLEN_BACK
    kept.machine.slots[Slot.B] = Release("2.0.0")
    status = rot(kept, Slot.A).status
    assert status.reason is Reason.ROOT_UNREADABLE
    assert (status.release, status.running_release) == ("1.0.0", "2.0.0")
    # It runs, and yet it failed here: it is not taken as an update.
    assert kept.status.failed == {"2.0.0": "failed_starts"}


@pytest.mark.parametrize("at", range(1, 30))
def test_a_cut_after_the_fall_back_loses_nothing(kept: Kiosk, at: int) -> None:
    kept.machine.rot(Slot.B)
    kept.machine.boot()
    kept.machine.cut_at = kept.machine.calls + at
    assert is_told(kept.live().status)
