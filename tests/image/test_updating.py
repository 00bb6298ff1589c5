"""A release comes over the network, is tried in the other slot, and is kept or left.

The release server is a folder behind a web server; the kiosk polls it by itself.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from appliance_screen import START_BUTTON, like
from imagebuild import bundle, keys, release
from imagebuild.stand import Stand

BOOT_SECONDS = 420.0
# Found within two minutes, fetched through an emulated card, hashed twice, written.
INSTALL_SECONDS = 1500.0
CACHE = Path("var/image")
FLEET_KEY = CACHE / "keys/development/fleet.key"


def _publish(bundle: Path, folder: Path) -> None:
    command = [sys.executable, "-m", "kiosk", "fleet", "publish", str(bundle)]
    command += ["--to", str(folder), "--key", str(FLEET_KEY)]
    subprocess.run(command, check=True)


def test_a_release_is_fetched_tried_and_kept(stand: Stand) -> None:
    stand.machine.start()
    stand.wait_until_shown("before", like("attract", START_BUTTON), BOOT_SECONDS)
    _publish(Path(os.environ["STILLOPEN_NEXT"]), stand.releases)
    stand.machine.wait_for("Starting C:BOOT1:k.efi", INSTALL_SECONDS)
    stand.wait_until_shown("after", like("attract", START_BUTTON), BOOT_SECONDS)
    stand.machine.wait_for(r"release \S+ is kept", 900)


def test_a_kept_release_starts_again_after_a_pulled_plug(stand: Stand) -> None:
    stand.machine.kill()
    stand.machine.start()
    stand.wait_until_shown("again", like("attract", START_BUTTON), BOOT_SECONDS)
    assert "Starting C:BOOT1:k.efi" in stand.machine.said
    assert "Starting C:BOOT0" not in stand.machine.said


def test_a_release_that_hangs_in_its_first_start_is_left_without_a_hand(
    stand: Stand, tmp_path: Path
) -> None:
    broken = tmp_path / "root.img"
    (root,) = CACHE.glob("root-*/root.img")
    content = bytearray(root.read_bytes())
    content[64] ^= 1
    broken.write_bytes(content)
    (kernel,) = CACHE.glob("signed-*/kernel.efi")
    target = tmp_path / "stillopen-99.0.1.swu"
    words = release.Words("99.0.1", "development", "broken")
    bundle.pack(broken, kernel, words, keys.chosen("development"), target)
    _publish(target, stand.releases)
    stand.machine.wait_for("Starting C:BOOT0:k.efi", INSTALL_SECONDS)
    stand.machine.wait_for("(?s)Starting C:BOOT0.*Starting C:BOOT1:k.efi", 400)
    stand.wait_until_shown("fallen-back", like("attract", START_BUTTON), BOOT_SECONDS)
