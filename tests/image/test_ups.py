"""What can go wrong with the mains, and with the UPS that should help.

In order: each test goes on where the one before it left the machine. NUT's own programs
run in the machine; the UPS at the other end of the cable remembers what it was told.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from appliance_hand import ANSWER_SECONDS, press, told_to_cut
from appliance_screen import (
    BATTERY_BANNER,
    START_BUTTON,
    has_label,
    has_lines,
    like,
    place,
)
from appliance_setup import GOODS, LANE, LANE_TOML, claim_code, fleet
from imagebuild.machine import until
from imagebuild.stand import Stand
from PIL import Image

OUT = Path(__file__).parents[2] / "var" / "test-image"
BOOT_SECONDS = 420.0
# The last sale may be finished, file systems are unmounted, the UPS is told.
DOWN_SECONDS = 300.0
BASKET = ("9520000000011", "9520000000028")
GO_ON = place("attract_resume", "resume_own")
DOWN = r"Reached target (poweroff|umount)\.target"


def test_mains_that_come_back_during_the_shutdown_stop_it_no_more(
    stand: Stand,
) -> None:
    _sells(stand)
    stand.ups.mains_lost()
    stand.wait_until_shown("battery", like("battery", BATTERY_BANNER), 60)
    stand.ups.battery_low()
    stand.machine.wait_for(DOWN, DOWN_SECONDS)
    stand.ups.mains_back()
    # Told to cut and to give current again, it does both, and the machine starts.
    until(lambda: told_to_cut(stand), DOWN_SECONDS, "a UPS that is told to cut")
    assert "Failed unmounting" not in stand.machine.said
    stand.machine.kill()


def test_the_basket_is_taken_up_again_after_it(stand: Stand) -> None:
    stand.machine.start()
    stand.wait_until_shown("kept-basket", _offers_the_basket, BOOT_SECONDS)
    press(stand, "attract_resume", "resume_own")
    stand.wait_until_shown("resumed", has_lines(len(BASKET)), ANSWER_SECONDS)


def test_a_cable_that_is_pulled_on_battery_counts_as_a_battery_that_ends(
    stand: Stand,
) -> None:
    told = len(stand.ups.shutdowns())
    stand.ups.mains_lost()
    stand.wait_until_shown("battery-again", like("battery", BATTERY_BANNER), 60)
    stand.ups.silence()
    stand.machine.wait_for(DOWN, DOWN_SECONDS)
    seen = len(stand.machine.said)
    # Nobody cuts the current, since nobody hears: the machine starts by itself.
    stand.ups.mains_back()
    stand.machine.wait_for("Starting C:BOOT0", DOWN_SECONDS, seen)
    stand.ups.speak()
    # It never came to the end of its battery: the basket was not put aside.
    stand.wait_until_shown("again", has_lines(len(BASKET)), BOOT_SECONDS)
    assert len(stand.ups.shutdowns()) == told


def test_the_machine_goes_down_on_a_low_battery_while_its_lane_is_dead(
    disk: Path,
) -> None:
    # A machine of its own: DATA opens only with the words that it was made with.
    folder = OUT / "ups-dead"
    shutil.rmtree(folder, ignore_errors=True)
    words = "systemd.mask=stillopen-lane.service"
    stand = Stand(disk, folder, GOODS, more_words=words)
    try:
        stand.machine.start()
        code = claim_code(stand, BOOT_SECONDS)
        fleet(stand, "approve", code, "--lane", LANE, "--settings", str(LANE_TOML))
        stand.machine.wait_for("Started nut-monitor", BOOT_SECONDS)
        stand.ups.mains_lost()
        stand.ups.battery_low()
        stand.machine.wait_for(DOWN, DOWN_SECONDS)
        until(lambda: told_to_cut(stand), DOWN_SECONDS, "a UPS told to cut")
        assert "Started stillopen-lane" not in stand.machine.said
    finally:
        stand.close()


def _offers_the_basket(picture: Image.Image) -> bool:
    return has_lines(0)(picture) and has_label(GO_ON)(picture)


def _sells(stand: Stand) -> None:
    stand.machine.start()
    stand.wait_until_shown("idle", like("attract", START_BUTTON), BOOT_SECONDS)
    for number, code in enumerate(BASKET, 1):
        stand.scan(code)
        stand.wait_until_shown("scanned", has_lines(number), ANSWER_SECONDS)
