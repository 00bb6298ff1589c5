"""The plug is pulled, or the updater killed, at every step: it goes on right after."""

from __future__ import annotations

from pathlib import Path

import pytest
from simulated_machine import PowerCut, Release, WentDown
from updated import Kiosk

from kiosk.updater.bootloader import Slot
from kiosk.updater.store import Phase
from kiosk.updater.words import Reason

GOOD, BAD = Release("2.0.0"), Release("2.0.0", journal="entry 7 is bad")


def fresh(folder: Path, release: Release) -> Kiosk:
    folder.mkdir()
    kiosk = Kiosk(folder).give()
    kiosk.machine.behaviours["2.0.0"] = release
    return kiosk


def cuts(folder: Path, release: Release) -> list[int]:
    """Return at which calls to cut: all, but of the gate's many looks only some."""
    kiosk = fresh(folder / "whole", release)
    before = kiosk.machine.calls
    kiosk.live()
    total = kiosk.machine.calls - before
    assert total > 100
    return sorted({*range(1, 50), *range(50, total, 17), *range(total - 30, total + 1)})


def cut(kiosk: Kiosk, at: int, *, is_power_cut: bool) -> None:
    """Let an update be cut off once, at that call, and go on to its end."""
    kiosk.machine.cut_at = kiosk.machine.calls + at
    was_cut = False
    for _ in range(10):
        try:
            kiosk.one_start()
        except PowerCut:
            was_cut = True
            if is_power_cut:
                kiosk.machine.boot()
            # Otherwise systemd starts the unit again, in the same start.
        except WentDown:
            kiosk.machine.boot()
        else:
            assert was_cut
            return
    raise AssertionError("it never ends")


@pytest.mark.parametrize("is_power_cut", [True, False])
def test_a_good_release_is_kept_wherever_it_is_cut_off(
    tmp_path: Path, is_power_cut: bool
) -> None:
    fell_back = 0
    for at in cuts(tmp_path, GOOD):
        kiosk = fresh(tmp_path / str(at), GOOD)
        cut(kiosk, at, is_power_cut=is_power_cut)
        if kiosk.status.phase is Phase.FALLEN_BACK:
            # A cut during its check is told from a bad release: it may come again.
            assert is_power_cut
            assert kiosk.status.reason is Reason.NEVER_FINISHED
            assert kiosk.machine.slot is Slot.A
            fell_back += 1
            kiosk.give().live()
        assert kiosk.status.phase is Phase.KEPT, at
        assert kiosk.machine.slot is Slot.B
        assert kiosk.machine.release.name == "2.0.0"
        assert not list(kiosk.folders.inbox.iterdir())
    assert (fell_back > 0) is is_power_cut


@pytest.mark.parametrize("is_power_cut", [True, False])
def test_a_bad_release_is_left_wherever_it_is_cut_off(
    tmp_path: Path, is_power_cut: bool
) -> None:
    for at in cuts(tmp_path, BAD):
        kiosk = fresh(tmp_path / str(at), BAD)
        cut(kiosk, at, is_power_cut=is_power_cut)
        assert kiosk.status.phase is Phase.FALLEN_BACK, at
        assert kiosk.machine.slot is Slot.A
        assert "2.0.0" in kiosk.status.failed


def test_a_write_that_is_cut_off_again_and_again_is_given_up(kiosk: Kiosk) -> None:
    kiosk.give()
    for _ in range(3):
        install = kiosk.machine.install

        def broken(*args: object, **rest: object) -> None:
            raise PowerCut

        kiosk.machine.install = broken  # type: ignore[method-assign,assignment]
        with pytest.raises(PowerCut):
            kiosk.one_start()
        kiosk.machine.install = install  # type: ignore[method-assign]
        kiosk.machine.boot()
    kiosk.live()
    assert kiosk.status.phase is Phase.REFUSED
    assert kiosk.status.reason is Reason.WRITE_FAILED
    assert kiosk.machine.slot is Slot.A
