"""A scanner that types: chosen, grabbed, unplugged, and never a keyboard for anybody."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hid_keyboard import (
    BRACKET,
    ENTER,
    F2,
    LEFT_ALT,
    LEFT_CTRL,
    HidKeyboard,
    chord,
    press,
    typed,
)

from hardware.input_device import Choice, InputDevice
from hardware.ports import TAMPERING, DeviceState, Health, Scan
from hardware.scanner.hid_layouts import key_map
from hardware.scanner.hid_scanner import HidScanner

SECONDS = 10
USB = "05e0:1200"
US = key_map("us")


class Desk:
    """The scanner on the desk, the driver behind it, and what the lane heard."""

    def __init__(self, folder: Path, choice: Choice) -> None:
        self.folder = folder
        self.scanner = HidKeyboard(folder, "event3", USB)
        self.grabbed: list[int] = []
        self.may_grab = True
        self.heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.driver = HidScanner(
            lambda: InputDevice(
                choice, self._grab, self.scanner.sysfs, self.scanner.dev
            ),
            US,
            accepts_gs=True,
            reconnect_seconds=0.02,
        )

    def _grab(self, descriptor: int) -> None:
        if not self.may_grab:
            raise OSError(16, "Device or resource busy")
        self.grabbed.append(descriptor)

    def open(self) -> None:
        self.driver.open(self.heard.put)

    def next(self) -> Any:
        return self.heard.get(timeout=SECONDS)

    def state(self, health: Health) -> DeviceState:
        while True:
            told = self.next()
            if isinstance(told, DeviceState) and told.health is health:
                return told


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, Choice(USB))
    yield made
    made.driver.close()


@pytest.fixture
def ready(desk: Desk) -> Desk:
    desk.scanner.plug()
    desk.open()
    desk.state(Health.READY)
    return desk


def test_a_label_is_one_scan(ready):
    ready.scanner.type([*typed("4006381333931", US), *press(ENTER)])
    assert ready.next() == Scan(b"4006381333931")


def test_the_device_is_grabbed_before_anything_is_believed(ready):
    assert len(ready.grabbed) == 1


def test_an_identifier_is_split_off(ready):
    ready.scanner.type([*typed("]C1010400638133393110A", US), *press(ENTER)])
    assert ready.next() == Scan(b"010400638133393110A", "]C1")


def test_a_separator_typed_as_ctrl_bracket_is_kept(ready):
    ready.scanner.type(
        [
            *typed("10AB", US),
            *chord(LEFT_CTRL, BRACKET),
            *typed("21X", US),
            *press(ENTER),
        ]
    )
    assert ready.next() == Scan(b"10AB\x1d21X")


def test_a_barcode_made_to_type_commands_is_an_alarm_and_no_label(ready):
    ready.scanner.type(
        [*typed("40063", US), *chord(LEFT_ALT, F2), *typed("81", US), *press(ENTER)]
    )
    state = ready.state(Health.DEGRADED)
    assert state.cause == TAMPERING
    ready.scanner.type([*typed("4006381333931", US), *press(ENTER)])
    assert ready.next() == Scan(b"4006381333931")


def test_a_device_that_cannot_be_grabbed_is_not_read(desk):
    desk.may_grab = False
    desk.scanner.plug()
    desk.open()
    assert "for this lane alone" in desk.state(Health.ABSENT).detail
    desk.scanner.type([*typed("4006381333931", US), *press(ENTER)])
    desk.may_grab = True
    desk.state(Health.READY)


def test_an_unplugged_scanner_is_found_again(ready):
    ready.scanner.unplug()
    assert ready.state(Health.ABSENT).detail
    ready.scanner.plug()
    ready.state(Health.READY)
    ready.scanner.type([*typed("12345670", US), *press(ENTER)])
    assert ready.next() == Scan(b"12345670")


def test_another_keyboard_is_never_read(desk):
    other = HidKeyboard(desk.folder, "event7", "046d:c31c")
    other.plug()
    desk.open()
    detail = desk.state(Health.ABSENT).detail
    assert "no input device 05e0:1200" in detail
    assert "046d:c31c" in detail
    assert desk.grabbed == []


def test_of_two_alike_neither_is_guessed(desk):
    desk.scanner.plug()
    HidKeyboard(desk.folder, "event4", USB).plug()
    desk.open()
    assert "say which by serial or port" in desk.state(Health.ABSENT).detail
    assert desk.grabbed == []


def test_of_two_alike_the_serial_number_says_which(tmp_path):
    desk = Desk(tmp_path, Choice(USB, serial="B2"))
    desk.scanner.plug()
    second = HidKeyboard(tmp_path, "event4", USB, "B2")
    second.plug()
    desk.open()
    desk.state(Health.READY)
    second.type([*typed("12345670", US), *press(ENTER)])
    assert desk.next() == Scan(b"12345670")
    desk.driver.close()


def test_a_scanners_volume_keys_are_not_its_keyboard(desk):
    desk.scanner.plug()
    HidKeyboard(desk.folder, "event5", USB).plug(keys="e000000000000 0")
    desk.open()
    desk.state(Health.READY)
