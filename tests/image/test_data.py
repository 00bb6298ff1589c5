"""DATA opens to this machine as it was set up, and to nothing else.

In order: each test goes on where the one before it left the machine.
"""

from __future__ import annotations

import shutil

from appliance_screen import PICTURE, like
from imagebuild.stand import Stand

OPENED = r"Finished systemd-cryptsetup@data"
SHUT = r"Failed to start systemd-cryptsetup@data"
BOOT_SECONDS = 420.0


def test_the_first_start_makes_data_and_seals_its_recovery_key(stand: Stand) -> None:
    stand.machine.start()
    stand.machine.wait_for(OPENED, BOOT_SECONDS)
    stand.machine.wait_for("Finished stillopen-escrow", BOOT_SECONDS)
    stand.machine.kill()


def test_a_word_more_on_the_command_line_leaves_data_shut(stand: Stand) -> None:
    stand.machine.more_words = "stillopen.stranger=1"
    stand.machine.start()
    stand.machine.wait_for(SHUT, BOOT_SECONDS)
    stand.wait_until_shown("data-shut", like("out-of-service", PICTURE), BOOT_SECONDS)
    stand.machine.kill()


def test_without_it_data_opens_again(stand: Stand) -> None:
    stand.machine.more_words = ""
    stand.machine.start()
    stand.machine.wait_for(OPENED, BOOT_SECONDS)
    stand.machine.kill()


def test_another_tpm_leaves_data_shut(stand: Stand) -> None:
    shutil.rmtree(stand.machine.folder / "tpm")
    stand.machine.start()
    stand.machine.wait_for(SHUT, BOOT_SECONDS)
