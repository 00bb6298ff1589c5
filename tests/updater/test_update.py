"""A new release: written while the lane sells, kept if it works, left if it does not."""

from __future__ import annotations

import pytest
from simulated_machine import Release

from kiosk.updater.bootloader import Slot
from kiosk.updater.store import Failed, Phase
from kiosk.updater.words import Reason


def test_a_release_that_works_is_kept(kiosk):
    kiosk.give().live()
    assert kiosk.machine.slot is Slot.B
    assert kiosk.status.phase is Phase.KEPT
    assert kiosk.status.running_release == "2.0.0"
    assert kiosk.status.other_slot_is_good
    assert kiosk.machine.leases == ["2.0.0"]
    assert kiosk.machine.starts == 2
    assert not list(kiosk.folders.inbox.iterdir())
    assert not kiosk.folders.bundle.exists()


def test_the_next_one_goes_to_the_slot_before(kiosk):
    kiosk.give("2.0.0").live()
    kiosk.give("3.0.0").live()
    assert kiosk.machine.slot is Slot.A
    assert kiosk.status.phase is Phase.KEPT
    assert kiosk.machine.slots[Slot.B].name == "2.0.0"


def test_the_restart_waits_for_the_shopper(kiosk):
    # The first look, before the write, takes the devices only.
    kiosk.machine.refusals = ["", "", "basket", "basket", "payment"]
    kiosk.give().live()
    assert kiosk.status.phase is Phase.KEPT
    assert kiosk.machine.leases == ["2.0.0"]
    assert kiosk.machine.refusals == []


def test_a_lane_that_does_not_answer_gives_no_lease_and_the_screen_says_so(kiosk):
    kiosk.give()
    kiosk.machine.lane_answers = False
    with pytest.raises(AssertionError, match="waits for ever"):
        kiosk.update()
    assert kiosk.status.waits_for == "silent"
    assert kiosk.status.phase is Phase.LEASE


def test_a_restart_that_does_not_come_is_asked_for_again(kiosk):
    kiosk.machine.restarts_come = False
    kiosk.machine.up = 200
    kiosk.give()
    with pytest.raises(AssertionError, match="waits for ever"):
        kiosk.update()
    assert len(kiosk.machine.leases) > 2
    assert kiosk.machine.installs == 1


BAD = {
    "no picture": (Release("2.0.0", draws=False), "the lane has shown no picture"),
    "a device": (
        Release("2.0.0", broken=("printer",)),
        "printer worked before and is absent now",
    ),
    "the journal": (Release("2.0.0", journal="entry 7 is bad"), "entry 7 is bad"),
    "a unit": (Release("2.0.0", failed_units=("ups.service",)), "ups.service failed"),
    "data": (Release("2.0.0", mounts_data=False), "data partition is not mounted"),
}


@pytest.mark.parametrize(("release", "why"), BAD.values(), ids=BAD.keys())
def test_a_release_that_does_not_work_is_left_with_its_reason(kiosk, release, why):
    kiosk.machine.behaviours["2.0.0"] = release
    kiosk.give().live()
    status = kiosk.status
    assert kiosk.machine.slot is Slot.A
    assert status.phase is Phase.FALLEN_BACK
    assert status.reason is Reason.NOT_HEALTHY
    assert status.words.startswith("Fell back to release 1.0.0.")
    assert why in status.detail
    assert status.failed == {"2.0.0": "not_healthy"}


def test_a_release_that_hangs_is_left_by_the_watchdog(kiosk):
    kiosk.machine.behaviours["2.0.0"] = Release("2.0.0", hangs=True)
    kiosk.give().live()
    assert kiosk.machine.slot is Slot.A
    assert kiosk.status.phase is Phase.FALLEN_BACK
    assert kiosk.status.reason is Reason.NEVER_FINISHED


def test_a_device_that_was_broken_before_is_no_reason_to_fall_back(kiosk):
    kiosk.machine.slots[Slot.A] = Release("1.0.0", broken=("printer",))
    kiosk.machine.behaviours["2.0.0"] = Release("2.0.0", broken=("printer",))
    kiosk.give().live()
    assert kiosk.status.phase is Phase.KEPT


def test_a_clock_that_fell_far_back_is_not_sane(kiosk):
    kiosk.give()
    boot = kiosk.machine.boot

    def boot_in_2000() -> None:
        boot()
        kiosk.machine.clock_ms = 946_684_800_000

    kiosk.machine.boot = boot_in_2000
    kiosk.live()
    assert kiosk.status.phase is Phase.FALLEN_BACK
    assert "clock" in kiosk.status.detail


def test_a_confirmation_that_is_not_taken_is_no_confirmation(kiosk):
    kiosk.machine.confirms = False
    kiosk.give().live()
    assert kiosk.machine.slot is Slot.A
    assert "confirmation" in kiosk.status.detail


def test_the_check_waits_up_to_ten_minutes(kiosk):
    kiosk.machine.behaviours["2.0.0"] = Release("2.0.0", journal="checking")
    waits: list[float] = []
    wait = kiosk.machine.wait

    def watched(seconds: float) -> None:
        waits.append(kiosk.machine.up)
        wait(seconds)

    kiosk.machine.wait = watched
    kiosk.give().live()
    assert 590 < max(waits) < 600


def test_a_release_that_failed_its_check_is_not_taken_again(kiosk):
    kiosk.machine.behaviours["2.0.0"] = Release("2.0.0", draws=False)
    kiosk.give().live()
    kiosk.give().live()
    assert kiosk.status.reason is Reason.FAILED_BEFORE
    assert kiosk.machine.installs == 1

    kiosk.give("2.0.1").live()
    assert kiosk.status.phase is Phase.KEPT


def test_one_that_was_only_cut_off_is_tried_once_more(kiosk):
    kiosk.machine.behaviours["2.0.0"] = Release("2.0.0", hangs=True)
    for _ in range(3):
        kiosk.give().live()
    assert kiosk.machine.installs == 2
    assert kiosk.state.failed == {"2.0.0": Failed(Reason.NEVER_FINISHED, 2)}
    assert kiosk.status.reason is Reason.FAILED_BEFORE


def test_nothing_is_taken_while_another_update_waits_for_its_restart(kiosk):
    kiosk.machine.start_next(1, 5)
    kiosk.give()
    kiosk.update()
    assert kiosk.status.reason is Reason.ANOTHER_WAITS
    assert kiosk.machine.installs == 0
