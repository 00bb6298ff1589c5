"""A keypad beside the screen: chosen, grabbed, unplugged, and nothing but its keys."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hid_keyboard import ENTER, F2, LEFT_ALT, HidKeyboard, chord, press
from hypothesis import given
from hypothesis import strategies as st

from hardware.input_device import (
    EV_KEY,
    EV_SYN,
    SYN_DROPPED,
    Choice,
    InputDevice,
    KeyEvent,
    events,
)
from hardware.keypad.hid_keypad import HidKeypad
from hardware.keypad.keys import USUAL_CODES, KeypadKeys, Pressed, codes_of
from hardware.ports import TAMPERING, DeviceState, Health, KeypadKey, KeyPress
from hardware.simulated.keypad import SimulatedKeypad
from kiosk.domain.events import HelpPressed
from kiosk.health import listener

SECONDS = 10
USB = "2047:09d0"
UP, F1, F13 = 103, 59, 183
# The bitmap of a device that has F13 to F24 (183 to 194) and no Enter.
ONLY_F13_TO_F24 = "7 ff80000000000000 0 0"


class Desk:
    """The keypad on the desk, the driver behind it, and what the lane heard."""

    def __init__(self, folder: Path, codes: dict[str, int]) -> None:
        self.keypad = HidKeyboard(folder, "event5", USB)
        self.grabbed: list[int] = []
        self.heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.driver = HidKeypad(
            lambda: InputDevice(
                Choice(USB),
                self.grabbed.append,
                self.keypad.sysfs,
                self.keypad.dev,
                codes["select"],
            ),
            codes,
            reconnect_seconds=0.02,
        )

    def next(self) -> Any:
        return self.heard.get(timeout=SECONDS)

    def state(self, health: Health) -> DeviceState:
        while True:
            told = self.next()
            if isinstance(told, DeviceState) and told.health is health:
                return told


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    made = Desk(tmp_path, dict(USUAL_CODES))
    made.driver.open(made.heard.put)
    made.state(Health.ABSENT)
    made.keypad.plug()
    made.state(Health.READY)
    yield made
    made.driver.close()


def test_a_key_is_one_press(desk):
    desk.keypad.type([*press(UP), *press(ENTER), *press(F1)])
    assert [desk.next() for _ in range(3)] == [
        KeyPress(KeypadKey.UP),
        KeyPress(KeypadKey.SELECT),
        KeyPress(KeypadKey.HELP),
    ]
    assert len(desk.grabbed) == 1


def test_a_key_that_no_keypad_has_is_an_alarm_with_its_code(desk):
    desk.keypad.type(chord(LEFT_ALT, F2))
    state = desk.state(Health.DEGRADED)
    assert state.cause == TAMPERING
    assert state.detail == "2 keys are not in keys, the last has code 60"
    desk.keypad.type(press(UP))
    assert desk.next() == KeyPress(KeypadKey.UP)


def test_an_unplugged_keypad_is_found_again(desk):
    desk.keypad.unplug()
    desk.state(Health.ABSENT)
    desk.keypad.plug()
    desk.state(Health.READY)
    desk.keypad.type(press(UP))
    assert desk.next() == KeyPress(KeypadKey.UP)


def test_a_keypad_without_an_enter_key_is_found_by_its_own_select(tmp_path):
    desk = Desk(tmp_path, {"select": F13})
    desk.keypad.plug(keys=ONLY_F13_TO_F24)
    HidKeyboard(tmp_path, "event6", USB).plug(keys="e000000000000 0")
    desk.driver.open(desk.heard.put)
    desk.state(Health.READY)
    desk.keypad.type(press(F13))
    assert desk.next() == KeyPress(KeypadKey.SELECT)
    desk.driver.close()


def test_a_code_given_to_one_key_is_taken_from_another():
    codes = codes_of({"help": USUAL_CODES["select"], "faster": F13})
    pressed = KeypadKeys(codes).hear([*press(ENTER), *press(F13), *press(UP)])
    assert pressed.keys == (KeypadKey.HELP, KeypadKey.FASTER, KeypadKey.UP)


def test_the_help_key_calls_a_colleague_and_the_others_do_nothing_yet():
    posted: list[object] = []
    tell = listener("keypad", posted.append)
    tell(KeyPress(KeypadKey.UP))
    tell(KeyPress(KeypadKey.HELP))
    assert posted == [HelpPressed()]


def test_holding_a_key_is_no_second_press():
    held = [KeyEvent(EV_KEY, UP, 1), *[KeyEvent(EV_KEY, UP, 2)] * 30]
    assert KeypadKeys(USUAL_CODES).hear(held) == Pressed((KeypadKey.UP,))


def test_what_came_while_the_kernel_lost_events_is_no_press():
    keys = KeypadKeys(USUAL_CODES)
    lost = [KeyEvent(EV_SYN, SYN_DROPPED, 0), KeyEvent(EV_KEY, UP, 1)]
    assert keys.hear(lost) == Pressed()
    assert keys.hear([KeyEvent(EV_SYN, 0, 0), *press(UP)]) == Pressed((KeypadKey.UP,))


@given(st.lists(st.binary(max_size=480), max_size=8))
def test_any_bytes_of_a_device_are_presses_of_the_map_or_counted(pieces):
    keys = KeypadKeys(USUAL_CODES)
    for piece in pieces:
        found = list(events(piece))
        pressed = keys.hear(found)
        assert len(pressed.keys) + pressed.strange <= len(found)


@given(st.lists(st.tuples(st.integers(0, 767), st.integers(0, 2)), max_size=60))
def test_every_press_is_a_key_of_the_map_or_strange(codes):
    pressed = KeypadKeys(USUAL_CODES).hear(KeyEvent(EV_KEY, c, v) for c, v in codes)
    down = [code for code, value in codes if value == 1]
    known = [code for code in down if code in USUAL_CODES.values()]
    assert [USUAL_CODES[key.value] for key in pressed.keys] == known
    assert pressed.strange == len(down) - len(known)


def test_a_simulated_keypad_sends_the_same_key_twice_and_none_unplugged():
    heard: queue.SimpleQueue[Any] = queue.SimpleQueue()
    keypad = SimulatedKeypad()
    keypad.open(heard.put)
    assert heard.get(timeout=SECONDS) == DeviceState(Health.READY)
    keypad.press("down")
    keypad.press("down")
    down = KeyPress(KeypadKey.DOWN)
    assert [heard.get(timeout=SECONDS) for _ in range(2)] == [down, down]
    with pytest.raises(ValueError, match="sideways"):
        keypad.press("sideways")
    keypad.close()
    assert heard.empty()
