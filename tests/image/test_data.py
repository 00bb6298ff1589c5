"""DATA opens to this machine as it was set up, and to nothing else.

In order: each test goes on where the one before it left the machine.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from appliance_disk import OfflineDisk
from appliance_screen import PICTURE, like
from imagebuild.stand import Stand

from kiosk.escrow import opened

ESCROW = Path("var/image/keys/development/escrow.key")

OPENED = r"Finished systemd-cryptsetup@data"
SHUT = r"Failed to start systemd-cryptsetup@data"
BOOT_SECONDS = 420.0


def test_the_first_start_makes_data_and_seals_its_recovery_key(blank: Stand) -> None:
    blank.machine.start()
    blank.machine.wait_for(OPENED, BOOT_SECONDS)
    blank.machine.wait_for("Finished stillopen-escrow", BOOT_SECONDS)
    blank.machine.kill()


def test_a_word_more_on_the_command_line_leaves_data_shut(blank: Stand) -> None:
    blank.machine.more_words = "stillopen.stranger=1"
    blank.machine.start()
    blank.machine.wait_for(SHUT, BOOT_SECONDS)
    blank.wait_until_shown("data-shut", like("out-of-service", PICTURE), BOOT_SECONDS)
    blank.machine.kill()


def test_without_it_data_opens_again(blank: Stand) -> None:
    blank.machine.more_words = ""
    blank.machine.start()
    blank.machine.wait_for(OPENED, BOOT_SECONDS)
    blank.machine.kill()


def test_another_tpm_leaves_data_shut(blank: Stand) -> None:
    shutil.rmtree(blank.machine.folder / "tpm")
    blank.machine.start()
    blank.machine.wait_for(SHUT, BOOT_SECONDS)
    blank.wait_until_shown("another-tpm", like("out-of-service", PICTURE), BOOT_SECONDS)
    blank.machine.kill()


def test_the_owner_opens_what_the_lost_tpm_would_not(
    blank: Stand, tmp_path: Path
) -> None:
    disk = OfflineDisk(blank.machine.folder / "disk.qcow2", tmp_path)
    escrow = disk.state_file("recovery-key.escrow").decode()
    key = opened(escrow, ESCROW.read_bytes())
    assert disk.opens(key)
    assert not disk.opens(key[:-1] + ("b" if key[-1] != "b" else "c"))
