"""A release comes over the network, is tried in the other slot, and is kept or left.

The release server is a folder behind a web server; the kiosk polls it by itself.
Releases that start and are not healthy are in `test_trials.py`. In order: each test goes
on where the one before it left the machine.
"""

from __future__ import annotations

import os
from pathlib import Path

from appliance_bundles import HANGS, publish, with_words
from appliance_screen import START_BUTTON, like
from imagebuild import figures
from imagebuild.stand import Stand

BOOT_SECONDS = 420.0
# Found within two minutes, fetched through an emulated card, hashed twice, written.
INSTALL_SECONDS = 1500.0
# Ten minutes to be healthy, and the way down.
TRIAL_SECONDS = 900.0


def test_a_release_is_fetched_tried_and_kept(stand: Stand) -> None:
    stand.machine.start()
    stand.wait_until_shown("before", like("attract", START_BUTTON), BOOT_SECONDS)
    published = stand.machine.seconds
    publish(Path(os.environ["STILLOPEN_NEXT"]), stand.releases)
    stand.machine.wait_for("Starting C:BOOT1:k.efi", INSTALL_SECONDS)
    stand.wait_until_shown("after", like("attract", START_BUTTON), BOOT_SECONDS)
    figures.record("update", stand.machine.seconds - published, "s")
    stand.machine.wait_for(r"release \S+ is kept", TRIAL_SECONDS)


def test_a_kept_release_starts_again_after_a_pulled_plug(stand: Stand) -> None:
    stand.machine.kill()
    stand.machine.start()
    stand.wait_until_shown("again", like("attract", START_BUTTON), BOOT_SECONDS)
    assert "Starting C:BOOT1:k.efi" in stand.machine.said
    assert "Starting C:BOOT0" not in stand.machine.said
    figures.record("cut-idle", 1, "cuts")


def test_a_release_that_hangs_in_its_first_start_is_left_without_a_hand(
    stand: Stand, tmp_path: Path
) -> None:
    # Earlier starts are in the same log: only what comes after now counts.
    seen = len(stand.machine.said)
    publish(with_words("99.0.1", HANGS, tmp_path), stand.releases)
    begun = stand.machine.wait_for("Starting C:BOOT0:k.efi", INSTALL_SECONDS, seen)
    seen = len(stand.machine.said)
    stand.machine.wait_for("Starting C:BOOT1:k.efi", 400, seen)
    stand.wait_until_shown("fallen-back", like("attract", START_BUTTON), BOOT_SECONDS)
    figures.record("fall-back", stand.machine.seconds - begun, "s")
