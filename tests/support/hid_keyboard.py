"""A keyboard-like device without a kernel: its node, its place in sysfs, its events.

The node is a FIFO, so that open, read and unplug are the operating system's own.
"""

from __future__ import annotations

import os
from pathlib import Path

from hardware.input_device import EV_KEY, EV_SYN, KeyEvent, packed
from hardware.scanner.hid_layouts import ALTGR, SHIFT, KeyMap

ENTER, SPACE, LEFT_SHIFT, ALTGR_CODE, LEFT_CTRL = 28, 57, 42, 100, 29
LEFT_ALT, SUPER, F2, SYSRQ, BRACKET = 56, 125, 60, 99, 27
# Keys 1 to 127, as a keyboard's bitmap stands in sysfs.
ALL_KEYS = "fffffffffffffff ffffffffffffffff fffffffffffffffe"


def press(code: int) -> list[KeyEvent]:
    """Return the events of a key that is pressed and let go."""
    sync = KeyEvent(EV_SYN, 0, 0)
    return [KeyEvent(EV_KEY, code, 1), sync, KeyEvent(EV_KEY, code, 0), sync]


def chord(held: int, code: int) -> list[KeyEvent]:
    """Return the events of a key pressed while another is held."""
    down, up = KeyEvent(EV_KEY, held, 1), KeyEvent(EV_KEY, held, 0)
    return [down, *press(code), up]


def typed(text: str, keys: KeyMap) -> list[KeyEvent]:
    """Return the events with which a scanner types a text on a layout."""
    by_character = {c: key for key, c in sorted(keys.characters.items(), reverse=True)}
    events: list[KeyEvent] = []
    for character in text:
        code, level = by_character[character]
        held = {SHIFT: LEFT_SHIFT, ALTGR: ALTGR_CODE}.get(level)
        events += press(code) if held is None else chord(held, code)
        if (code, level) in keys.dead:
            events += press(SPACE)
    return events


class HidKeyboard:
    """One device that can be plugged in, typed on and unplugged."""

    def __init__(self, folder: Path, node: str, usb: str, serial: str = "") -> None:
        self.sysfs, self.dev = folder / "sys", folder / "dev"
        self._node, self._usb, self._serial = node, usb, serial
        self._end: int | None = None

    def plug(self, keys: str = ALL_KEYS) -> None:
        """Put it in."""
        device = self.sysfs / self._node / "device"
        vendor, product = self._usb.split(":")
        for name, text in {
            "id/vendor": vendor,
            "id/product": product,
            "uniq": self._serial,
            "phys": f"usb-1.2/{self._node}",
            "capabilities/key": keys,
        }.items():
            path = device / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
        self.dev.mkdir(exist_ok=True)
        os.mkfifo(self.dev / self._node)
        # Both ways, so that it opens without a reader and keeps what is typed.
        self._end = os.open(self.dev / self._node, os.O_RDWR | os.O_NONBLOCK)

    def type(self, events: list[KeyEvent]) -> None:
        """Type events, however many."""
        assert self._end is not None
        os.write(self._end, b"".join(packed(event) for event in events))

    def unplug(self) -> None:
        """Pull it out: the node ends, and its place is empty."""
        assert self._end is not None
        os.close(self._end)
        self._end = None
        (self.dev / self._node).unlink()
        for path in sorted((self.sysfs / self._node).rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        (self.sysfs / self._node).rmdir()
