"""One machine's day: it boots, scans, loses its plug and its mains.

In order: each test goes on where the one before it left the machine.
"""

from __future__ import annotations

import re

from appliance_hand import told_to_cut
from appliance_screen import BATTERY_BANNER, START_BUTTON, has_lines, like
from imagebuild import figures
from imagebuild.machine import until
from imagebuild.stand import Stand

BOOT_SECONDS = 420.0
BY_HAND = ("9520000000028", "9520000000035", "9520000000042", "9520000000059")
AFTER_KEYS = "9520000000080"
BY_CABLE = ("9520000000011", "9520000000066", "9520000000073")


def test_it_boots_from_the_shipped_disk_to_the_welcome(stand: Stand) -> None:
    stand.machine.start()
    stand.wait_until_shown("attract", like("attract", START_BUTTON), BOOT_SECONDS)
    said = stand.machine.said
    assert "Starting C:BOOT0:k.efi with watchdog" in said
    assert "systemd-repart" in said


def test_three_items_come_over_a_cable_and_four_from_a_scanner_that_types(
    stand: Stand,
) -> None:
    for number, code in enumerate(BY_CABLE, 1):
        stand.scan(code)
        stand.wait_until_shown("scanning", has_lines(number), 30)
    for number, code in enumerate(BY_HAND, 1 + len(BY_CABLE)):
        stand.type(code)
        stand.wait_until_shown("scanning", has_lines(number), 30)


def test_no_key_leads_out_of_the_lane(stand: Stand) -> None:
    for keys in (
        ("ctrl", "alt", "f2"),
        ("alt", "f4"),
        ("meta_l",),
        ("alt", "sysrq", "b"),
        ("ctrl", "alt", "delete"),
        ("ctrl", "c"),
        ("f1",),
    ):
        stand.machine.press(*keys)
    # A scan that comes after them all is taken like any other.
    stand.scan(AFTER_KEYS)
    stand.wait_until_shown("after-keys", has_lines(len(BY_HAND + BY_CABLE) + 1), 30)
    assert len(re.findall("Starting C:BOOT", stand.machine.said)) == 1
    assert "sysrq:" not in stand.machine.said.lower()


def test_a_pulled_plug_costs_no_item(stand: Stand) -> None:
    count = len(BY_CABLE) + len(BY_HAND) + 1
    stand.machine.kill()
    stand.machine.start()
    stand.wait_until_shown("after-the-plug", has_lines(count), BOOT_SECONDS)
    figures.record("cut-sale", 1, "cuts")


def test_on_battery_the_shopper_is_told_to_finish(stand: Stand) -> None:
    stand.ups.mains_lost()
    stand.wait_until_shown("battery", like("battery", BATTERY_BANNER), 60)


def test_a_low_battery_suspends_the_basket_and_cuts_the_power_itself(
    stand: Stand,
) -> None:
    stand.ups.battery_low()
    stand.machine.wait_for("Reached target poweroff.target", 120)
    said = stand.machine.said
    assert "Unmounted var.mount" in said
    assert "Failed unmounting" not in said
    until(lambda: told_to_cut(stand), 200, "a UPS that is told to cut")
