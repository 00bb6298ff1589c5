"""The made-up panel's reports hold fingers where Windows' sample panel has them."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest
import usb_liar
import usb_touch
from imagebuild.machine import until
from usb_liar import Packet, Plug
from usb_touch import FAR, Contact, Fingers

PANEL = usb_touch.panel(0x04E7, 0x2902, ("03:00:00",), 10)


def _input_bits(report: bytes) -> dict[int, int]:
    """How many bits each input report has, after its descriptor (HID 1.11, 6.2.2)."""
    bits: dict[int, int] = {}
    size = count = number = at = 0
    while at < len(report):
        head = report[at]
        length = (0, 1, 2, 4)[head & 3]
        value = int.from_bytes(report[at + 1 : at + 1 + length], "little")
        match head & 0xFC:
            case 0x74:
                size = value
            case 0x94:
                count = value
            case 0x84:
                number = value
            case 0x80:
                bits[number] = bits.get(number, 0) + size * count
            case _:
                pass
        at += 1 + length
    return bits


@pytest.mark.parametrize("most", [5, 10])
def test_its_report_is_as_long_as_it_says(most: int):
    panel = usb_touch.panel(1, 2, ("03:00:00",), most)
    told = usb_touch.told([], most, 0)
    assert _input_bits(panel.report) == {1: 8 * (len(told) - 1)}
    # A full-speed interrupt endpoint's largest packet (USB 2.0, 5.7.3).
    assert len(told) <= 64


def test_it_says_how_many_fingers_it_tells_of():
    most, certified = PANEL.features
    assert most == bytes([2, 10])
    assert (certified[0], len(certified)) == (3, 257)


def test_a_finger_has_its_number_and_its_place():
    told = usb_touch.told([Contact(3, 512, 384)], 10, 0x12345)
    assert told[:3] == bytes([1, 1, 3])
    x, y = struct.unpack_from("<HH", told, 3)
    assert (x * 1024 // FAR, y * 768 // FAR) == (512, 384)
    assert told[-3:] == bytes.fromhex("4523 01")


def test_the_corners_are_on_the_glass():
    told = usb_touch.told([Contact(0, 0, 0), Contact(1, 1023, 767)], 5, 0)
    places = [struct.unpack_from("<HH", told, at) for at in (3, 9)]
    assert all(0 < place < FAR for pair in places for place in pair)
    assert places[0] < places[1]


def test_a_lifted_finger_is_told_of_once_more():
    told = usb_touch.told([Contact(0, 9, 9, is_down=False)], 5, 0)
    assert (told[1], told[-1]) == (0, 1)


def test_it_tells_of_no_more_fingers_than_it_has_room_for():
    five = [Contact(n, n, n) for n in range(5)]
    assert usb_touch.told(five, 5, 0)[-1] == 5
    with pytest.raises(ValueError, match="tells of 5 fingers, not of 6"):
        usb_touch.told([*five, Contact(5, 5, 5)], 5, 0)


def test_only_a_finger_on_the_glass_can_move(tmp_path: Path):
    fingers = Fingers(Plug(tmp_path / "plug", PANEL), 10)
    fingers.down({0: (1, 1)})
    fingers.move({0: (2, 2)})
    with pytest.raises(ValueError, match="finger on the glass"):
        fingers.move({1: (3, 3)})


def test_a_finger_is_told_of_again_and_again_until_it_is_lifted(tmp_path: Path):
    with (
        Plug(tmp_path / "plug", usb_touch.panel(1, 2, ("03:00:00",), 5)) as plug,
        socket.socket(socket.AF_UNIX) as link,
        link.makefile("rb") as reader,
        Fingers(plug, 5) as fingers,
    ):

        def is_down() -> bool:
            return bool(reader.read(16 + 4 + 34)[20 + 1])

        link.connect(str(plug.path))
        link.sendall(usb_liar.hello())
        link.sendall(usb_liar.written(Packet(usb_liar.START_INTERRUPTS, b"\x81")))
        reader.read(80 + 16 + 132 + 16 + 160 + 16 + 10 + 16 + 2)
        until(lambda: plug.polled_seconds > 0, 5, "a panel that is asked")
        fingers.down({0: (9, 9)})
        assert [is_down() for _ in range(3)] == [True] * 3
        fingers.up()
        while is_down():
            pass
