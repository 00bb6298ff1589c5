"""What the updater keeps on disk, when the disk does not keep it well."""

from __future__ import annotations

from pathlib import Path

import pytest
from updated import Kiosk

from kiosk.updater.store import Attempts, Phase, State, Store
from kiosk.updater.updater import put_into_inbox
from kiosk.updater.words import Reason


def test_a_state_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_bytes(b"\0\0\0")
    assert Store(tmp_path).load() == State()


def test_a_count_that_cannot_be_read_is_none(tmp_path: Path) -> None:
    attempts = Attempts(tmp_path / "boot-attempts")
    assert attempts.count == 0
    (tmp_path / "boot-attempts").write_bytes(b"\xff")
    assert attempts.count == 0
    assert attempts.add() == 1


def test_with_its_state_lost_in_a_trial_the_machine_still_keeps_what_works(
    kiosk: Kiosk,
) -> None:
    kiosk.give()
    boot = kiosk.machine.boot

    def boot_and_lose() -> None:
        boot()
        (kiosk.folders.own / "state.json").unlink(missing_ok=True)

    kiosk.machine.boot = boot_and_lose  # type: ignore[method-assign]
    kiosk.live()
    assert kiosk.machine.release.name == "2.0.0"
    assert kiosk.machine.environments[1].ustate == 0


def test_others_may_read_the_status_and_nobody_the_state(kiosk: Kiosk) -> None:
    kiosk.give().live()
    own = kiosk.folders.own
    assert (own / "status.json").stat().st_mode & 0o777 == 0o644
    assert (own / "state.json").stat().st_mode & 0o777 == 0o600


def test_a_stick_goes_through_the_same_steps(kiosk: Kiosk, tmp_path: Path) -> None:
    kiosk.give()
    stick = tmp_path / "stick"
    stick.mkdir()
    (kiosk.folders.inbox / "update.swu").rename(stick / "stillopen-2.0.0.SWU")
    put_into_inbox(stick / "stillopen-2.0.0.SWU", kiosk.folders)
    kiosk.live()
    assert kiosk.status.phase is Phase.KEPT


@pytest.mark.parametrize("reason", Reason)
def test_each_reason_has_words_for_a_person(reason: Reason) -> None:
    assert reason.words.endswith(".")
