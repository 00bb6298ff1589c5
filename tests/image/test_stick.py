"""Updates by a technician's USB stick: bad ones are refused in words, a good one runs.

In order: each test goes on where the one before it left the machine. Words are read off
the glass by Tesseract, as a technician would.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import appliance_bundles as made
import appliance_stick as stick
import pytest
from appliance_hand import ANSWER_SECONDS, press, sign_on
from appliance_screen import SERVICE, START_BUTTON, TABS, like, says
from build import this_release
from imagebuild.stand import Stand

BOOT_SECONDS = 420.0
COPY_SECONDS = 300.0
VERDICT_SECONDS = 60.0
INSTALL_SECONDS = 900.0
# Newer than what runs, so that nothing else is wrong with it.
NEW = "98.0.0"
Make = Callable[[str, Path], Path]
BAD: dict[str, tuple[Make, str, str]] = {
    "truncated": (made.truncated, NEW, "is not complete"),
    "tampered": (made.tampered, NEW, "was changed after it was made"),
    "unsigned": (made.unsigned, NEW, "is not signed"),
    "of-a-stranger": (made.of_a_stranger, NEW, "a key that is not trusted here"),
    "other-hardware": (made.for_other_hardware, NEW, "is for other hardware"),
    "older": (made.small, "0.0.1", "is older than what runs"),
    "once-more": (made.small, this_release(), "runs already"),
}


@pytest.fixture
def service(stand: Stand) -> Stand:
    """The machine with its service screen open: a session that nobody uses ends."""
    if not stand.machine.is_running:
        stand.machine.start()
        stand.wait_until_shown("idle", like("attract", START_BUTTON), BOOT_SECONDS)
    if like("attract", START_BUTTON)(stand.picture("before-service")):
        sign_on(stand)
        stand.tap(*SERVICE)
        stand.wait_until_shown("service", like("service", TABS), ANSWER_SECONDS)
    return stand


@pytest.mark.parametrize("name", BAD)
def test_a_bad_update_is_refused_and_the_glass_says_why(
    service: Stand, name: str, tmp_path: Path
) -> None:
    make, number, why = BAD[name]
    _handed_over(service, make(number, tmp_path), tmp_path)
    is_refused = says(number, "refused", why)
    service.wait_until_shown(f"refused-{name}", is_refused, VERDICT_SECONDS)


def test_after_all_that_a_good_one_is_taken(service: Stand, tmp_path: Path) -> None:
    _handed_over(service, Path(os.environ["STILLOPEN_NEXT"]), tmp_path)
    is_written = says("99.0.0", "waits for a quiet moment")
    service.wait_until_shown("stick-written", is_written, INSTALL_SECONDS)
    # Nobody is at the lane any more: it closes for the restart by itself.
    press(service, "service_system", "leave")
    service.machine.wait_for("Starting C:BOOT1:k.efi", INSTALL_SECONDS)
    service.wait_until_shown("new", like("attract", START_BUTTON), BOOT_SECONDS)
    service.machine.wait_for(r"release 99\.0\.0 is kept", INSTALL_SECONDS)


def _handed_over(stand: Stand, update: Path, folder: Path) -> None:
    """Plug a stick with an update in, and let the service screen take it."""
    press(stand, "service_system", "tab_work")
    with stick.plugged(stand.machine, stick.with_file(update, folder / "stick.img")):
        press(stand, "service_work", "update")
        is_taken = says("You can take the stick out")
        stand.wait_until_shown("handed-over", is_taken, COPY_SECONDS)
    press(stand, "service_done_update", "ok")
    press(stand, "service_work", "tab_system")
