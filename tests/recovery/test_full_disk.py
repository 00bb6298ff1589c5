"""A disk that is full, or cannot be written: the lane closes before it can lie, and a
sale in hand is finished (reliability.md 1.5).

A small file system is mounted for each test; where that is not permitted they skip.
"""

from __future__ import annotations

import subprocess

import pytest

MIB = 1024 * 1024
FAILED = 70


class SmallDisk:
    """A file system of 64 MiB that only the lane's folder is on."""

    def __init__(self, shop):
        self.shop = shop
        self._fill = shop.state / "somebody-elses-file"
        shop.state.mkdir()
        self._mount("-t", "tmpfs", "-o", "size=64m", "tmpfs")

    def _mount(self, *words):
        command = ["mount", *words, str(self.shop.state)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            pytest.skip(f"mounting is not permitted here: {done.stderr.strip()}")

    def fill(self, leave=0):
        """Let somebody else's file take all room but so much."""
        with self._fill.open("wb", buffering=0) as file:
            try:
                while file.write(b"\0" * 65536):
                    pass
            except OSError:
                pass
            file.truncate(max(file.tell() - leave, 0))

    def make_room(self):
        self._fill.unlink()

    def turn_read_only(self):
        self._mount("-o", "remount,ro")

    def unmount(self):
        subprocess.run(["umount", "-l", str(self.shop.state)], check=True)


@pytest.fixture
def disk(slow_shop):
    made = SmallDisk(slow_shop)
    yield made
    slow_shop.close()
    made.unmount()


@pytest.fixture
def refused(slow_shop, run_kiosk):
    def run():
        ended = run_kiosk("run", "--settings", str(slow_shop.settings))
        assert ended.returncode == FAILED, ended.stderr
        assert "Traceback" not in ended.stderr
        return ended.stderr

    return run


def pay(shop):
    assert shop.terminal.tell("present_card", wait_seconds=10)


def test_a_lane_without_room_for_a_basket_begins_none_until_there_is(disk):
    shop = disk.shop
    disk.fill(leave=MIB)
    shop.open(*shop.LIST)
    shop.until_shown("Closed")
    assert not (shop.state / "ballast").exists()
    disk.make_room()
    shop.until_shown("Paying", "waiting_for_card")
    # The reserve for a sale in hand is held again.
    assert (shop.state / "ballast").stat().st_size == 8 * MIB
    pay(shop)
    assert shop.ended() == 0
    shop.check_bought()


def test_a_sale_in_hand_is_finished_when_the_disk_fills_up(disk):
    shop = disk.shop
    shop.open(*shop.LIST)
    shop.until_shown("Paying", "waiting_for_card")
    # Each device has told how it is: nothing is written any more until the card comes.
    told = "after append DeviceChanged 4"
    shop.until(lambda: told in shop.steps(), "report of the last device")
    disk.fill()
    # The lane gives up its reserve for this shopper.
    shop.until_gone(shop.state / "ballast")
    pay(shop)
    assert shop.ended() == 0
    shop.check_bought()


def test_a_lane_that_comes_back_on_a_full_disk_still_finishes_the_sale(disk):
    shop = disk.shop
    lane = shop.open(*shop.LIST)
    shop.until_shown("Paying", "waiting_for_card")
    disk.fill()
    shop.kill(lane)
    pay(shop)
    assert shop.buy() == 0
    shop.check_bought()
    assert not (shop.state / "ballast").exists()


def test_a_lane_that_cannot_write_at_all_ends_and_says_so(disk, refused):
    shop = disk.shop
    shop.open(*shop.LIST)
    shop.until_shown("Paying", "waiting_for_card")
    (shop.state / "ballast").unlink()
    disk.fill()
    pay(shop)
    assert shop.ended() == FAILED
    said = shop.said()
    assert "the lane ends before it can lie" in said
    assert "the disk is full" in said
    assert "Traceback" not in said
    # What was shown is on disk, and nothing was sold that is not.
    shop.check_screen()
    assert shop.sales() == []
    assert "the disk is full" in refused()

    disk.make_room()
    assert shop.buy() == 0
    shop.check_bought()


def test_a_disk_that_turned_read_only_is_named_at_the_start(disk, refused):
    shop = disk.shop
    shop.open(*shop.LIST)
    shop.until_shown("Paying", "waiting_for_card")
    pay(shop)
    assert shop.ended() == 0
    disk.turn_read_only()
    words = refused()
    assert "read-only" in words
    assert str(shop.state) in words
