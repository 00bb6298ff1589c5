"""What the caretaker renders at each start, and how it reads lsblk and usbguard."""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.caretaker import network, usb
from kiosk.caretaker.outside import StickAt
from kiosk.caretaker.places import Places
from kiosk.caretaker.rendering import render
from kiosk.domain.network import NetworkSetting

DEFAULT = Path("ansible/roles/lane/files/lane.toml").read_text(encoding="utf-8")
OWN = DEFAULT.replace('"lane-1"', '"corner-7"')


@pytest.fixture
def places(tmp_path) -> Places:
    (tmp_path / "config").mkdir()
    (tmp_path / "defaults").mkdir()
    (tmp_path / "defaults" / "lane.toml").write_text(DEFAULT)
    return Places(
        config=tmp_path / "config",
        defaults=tmp_path / "defaults",
        run=tmp_path / "run" / "stillopen",
        networkd=tmp_path / "run" / "network",
    )


def own_settings(places: Places, text: str) -> None:
    (places.config / "lane.toml").write_text(text)


def test_a_fresh_machine_runs_by_the_roots_own_settings(places):
    assert render(places)
    assert places.lane_toml.read_text() == DEFAULT
    assert places.lane_toml.stat().st_mode & 0o777 == 0o640
    assert not places.network_unit.exists()


def test_an_enrolled_machine_runs_by_its_own(places):
    own_settings(places, OWN)
    assert render(places)
    assert places.lane_toml.read_text() == OWN


@pytest.mark.parametrize("bad", ["lane_id = ", "", OWN + '\n[colours]\nred = "1"\n'])
def test_settings_that_no_lane_can_run_by_are_left_aside(places, caplog, bad):
    own_settings(places, bad)
    assert not render(places)
    assert places.lane_toml.read_text() == DEFAULT
    assert "is left aside" in caplog.text
    assert "lane is run by" in caplog.text


def test_what_was_set_for_a_card_is_rendered_again(places):
    setting = NetworkSetting("enp1s0", "10.0.0.5/16", "10.0.0.1", ("10.0.0.2",))
    places.network_toml.write_text(network.to_toml(setting))
    assert render(places)
    assert places.network_unit.read_text() == network.to_unit(setting)


@pytest.mark.parametrize(
    "bad",
    [
        "interface = 5",
        'interface = "e"\naddress = "10.0.0.5/16\\nGateway=1.2.3.4"',
        "\x00",
    ],
)
def test_a_network_file_that_cannot_be_leaves_dhcp(places, bad):
    places.networkd.mkdir(parents=True)
    places.network_unit.write_text("old")
    places.network_toml.write_text(bad)
    assert not render(places)
    assert not places.network_unit.exists()
    assert places.lane_toml.read_text() == DEFAULT


# -- lsblk, usbguard ---------------------------------------------------------------

# As lsblk 2.41 prints them: the inner disk, a stick with a partition table, one
# without, and a USB disk of another system.
LSBLK = b"""{"blockdevices": [
 {"path":"/dev/sda","type":"disk","fstype":null,"tran":"sata","children":[
  {"path":"/dev/sda1","type":"part","fstype":"vfat","tran":null}]},
 {"path":"/dev/sdb","type":"disk","fstype":null,"tran":"usb","children":[
  {"path":"/dev/sdb1","type":"part","fstype":"exfat","tran":null},
  {"path":"/dev/sdb2","type":"part","fstype":"ext4","tran":null}]},
 {"path":"/dev/sdc","type":"disk","fstype":"vfat","tran":"usb"},
 {"path":"/dev/sdd","type":"disk","fstype":"ntfs","tran":"usb"},
 {"path":"/dev/sr0","type":"rom","fstype":"vfat","tran":"usb"}]}"""


def test_only_fat_and_exfat_on_usb_disks_are_sticks():
    assert usb.sticks(LSBLK) == (
        StickAt("/dev/sdb1", "exfat"),
        StickAt("/dev/sdc", "vfat"),
    )


@pytest.mark.parametrize("text", [b"", b"[]", b'{"blockdevices":[{"path":1}]}'])
def test_what_lsblk_cannot_have_said_holds_no_stick(text):
    assert usb.sticks(text) == ()


# As usbguard 1.1 prints them.
BLOCKED = """\
14: block id 0781:5581 serial "4C53" name "Ultra" hash "x=" parent-hash "y=" \
via-port "1-4" with-interface 08:06:50 with-connect-type "hotplug"
15: block id 0781:5582 serial "" name "UAS" hash "x=" parent-hash "y=" \
via-port "1-5" with-interface { 08:06:50 08:06:62 } with-connect-type "hotplug"
16: block id 16c0:0486 serial "" name "with-interface 08:06:50" hash "x=" \
parent-hash "y=" via-port "1-6" with-interface { 08:06:50 03:01:01 } \
with-connect-type "hotplug"
17: block id 046d:c31c serial "" name "Keyboard" hash "x=" parent-hash "y=" \
via-port "1-7" with-interface 03:01:01 with-connect-type "hotplug"
"""


def test_a_stick_that_is_a_keyboard_too_stays_out():
    assert usb.blocked_sticks(BLOCKED) == ("14", "15")
