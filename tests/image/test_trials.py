"""Releases that start and are not healthy: after ten minutes the older one sells on.

In order: each test goes on where the one before it left the machine.
"""

from __future__ import annotations

import os
from pathlib import Path

from appliance_bundles import FRAMELESS, publish, with_words
from appliance_hand import PAYMENT_SECONDS, kept, sales, sell
from appliance_screen import START_BUTTON, like
from imagebuild.machine import until
from imagebuild.stand import UPS_CABLE, Stand

BOOT_SECONDS = 420.0
# Found within two minutes, fetched through an emulated card, hashed twice, written.
INSTALL_SECONDS = 1500.0
# Ten minutes to be healthy, and the way down.
TRIAL_SECONDS = 900.0
RESTART_SECONDS = 400.0
MILK, BREAD = "9520000000011", "9520000000028"
NOT_HEALTHY = "not healthy, the machine falls back"


def test_a_release_that_shows_no_frame_is_left(stand: Stand, tmp_path: Path) -> None:
    stand.machine.start()
    stand.wait_until_shown("before", like("attract", START_BUTTON), BOOT_SECONDS)
    publish(with_words("98.0.0", FRAMELESS, tmp_path), stand.releases)
    stand.machine.wait_for("Starting C:BOOT1:k.efi", INSTALL_SECONDS)
    seen = len(stand.machine.said)
    stand.machine.wait_for(NOT_HEALTHY, TRIAL_SECONDS, seen)
    stand.machine.wait_for("Starting C:BOOT0:k.efi", RESTART_SECONDS, seen)
    stand.wait_until_shown("left", like("attract", START_BUTTON), BOOT_SECONDS)


def test_one_under_which_a_device_is_gone_sells_until_it_is_left(
    stand: Stand,
) -> None:
    seen = len(stand.machine.said)
    publish(Path(os.environ["STILLOPEN_NEXT"]), stand.releases)
    stand.machine.wait_for("Starting C:BOOT1:k.efi", INSTALL_SECONDS, seen)
    stand.machine.tell("device_del", id=UPS_CABLE)
    stand.wait_until_shown("newer", like("attract", START_BUTTON), BOOT_SECONDS)
    sell(stand, MILK)
    stand.machine.wait_for(f"{NOT_HEALTHY}: .*ups worked before", TRIAL_SECONDS, seen)


def test_the_older_release_goes_on_with_what_the_newer_one_wrote(
    stand: Stand,
) -> None:
    seen = stand.machine.said.rindex(NOT_HEALTHY)
    stand.machine.wait_for("Starting C:BOOT0:k.efi", RESTART_SECONDS, seen)
    stand.wait_until_shown("older", like("attract", START_BUTTON), BOOT_SECONDS)
    sell(stand, BREAD)
    until(lambda: len(sales(stand)) == 2, PAYMENT_SECONDS, "both at the back office")
    assert sorted(sales(stand).values()) == sorted(kept(stand))
