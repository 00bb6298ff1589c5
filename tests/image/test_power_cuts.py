"""The plug is pulled in the first start, in a payment, in a download and in an install.

An idle machine's and an open basket's cuts are in `test_selling.py` and
`test_updating.py`. In order: each test goes on where the one before it left the machine.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from appliance_bundles import publish
from appliance_hand import ANSWER_SECONDS, kept, press, sales, show_card
from appliance_screen import START_BUTTON, has_lines, like
from appliance_setup import claim_code
from imagebuild import figures
from imagebuild.machine import until
from imagebuild.stand import Stand

BOOT_SECONDS = 420.0
# Asked again and again until the terminal's last word is sure.
SETTLED_SECONDS = 300.0
INSTALL_SECONDS = 1500.0
MILK = "9520000000011"
MILK_MINOR = 129
# The partitions are made; the file systems; the recovery key.
FIRST_START = (
    "Starting systemd-repart",
    "Finished systemd-repart",
    "Starting stillopen-escrow",
)


@pytest.mark.parametrize("words", FIRST_START)
def test_in_the_first_start(blank: Stand, words: str) -> None:
    blank.machine.start()
    blank.machine.wait_for(words, BOOT_SECONDS)
    blank.machine.kill()


def test_the_first_start_is_made_good_by_the_next(blank: Stand) -> None:
    blank.machine.start()
    assert claim_code(blank, BOOT_SECONDS)
    blank.machine.wait_for("Finished stillopen-escrow", BOOT_SECONDS)
    blank.machine.kill()
    figures.record("cut-first-start", len(FIRST_START), "cuts")


def test_while_the_terminal_waits_for_a_card(stand: Stand) -> None:
    _starts(stand)
    _to_the_card(stand)
    stand.machine.kill()
    stand.machine.start()
    stand.wait_until_shown("basket-back", has_lines(1), BOOT_SECONDS)
    assert kept(stand) == []


def test_right_after_the_card_was_charged(stand: Stand) -> None:
    press(stand, "scanning", "pay")
    show_card(stand)
    until(lambda: kept(stand) == [MILK_MINOR], ANSWER_SECONDS, "a charge")
    stand.machine.kill()
    stand.machine.start()
    until(lambda: len(sales(stand)) == 1, BOOT_SECONDS + SETTLED_SECONDS, "the sale")
    assert list(sales(stand).values()) == kept(stand) == [MILK_MINOR]
    figures.record("cut-payment", 2, "cuts")


def test_in_a_download(stand: Stand) -> None:
    stand.wait_until_shown("idle", like("attract", START_BUTTON), SETTLED_SECONDS)
    publish(Path(os.environ["STILLOPEN_NEXT"]), stand.releases)
    until(lambda: _is_fetching(stand), INSTALL_SECONDS, "a download")
    stand.machine.kill()
    stand.fetched.clear()
    stand.machine.start()
    until(lambda: _is_fetching(stand), INSTALL_SECONDS, "the download again")
    figures.record("cut-download", 1, "cuts")


def test_in_an_install(stand: Stand) -> None:
    stand.machine.wait_for("is written to slot b", INSTALL_SECONDS)
    stand.machine.kill()
    stand.machine.start()
    stand.machine.wait_for("Starting C:BOOT0:k.efi", BOOT_SECONDS)
    stand.machine.wait_for("Starting C:BOOT1:k.efi", INSTALL_SECONDS)
    stand.machine.wait_for(r"release \S+ is kept", INSTALL_SECONDS)
    assert list(sales(stand).values()) == kept(stand) == [MILK_MINOR]
    figures.record("cut-install", 1, "cuts")


def _starts(stand: Stand) -> None:
    stand.machine.start()
    stand.wait_until_shown("idle", like("attract", START_BUTTON), BOOT_SECONDS)


def _to_the_card(stand: Stand) -> None:
    stand.scan(MILK)
    stand.wait_until_shown("scanned", has_lines(1), ANSWER_SECONDS)
    press(stand, "scanning", "pay")


def _is_fetching(stand: Stand) -> bool:
    return any(path.endswith(".swu") for path in stand.fetched)
