"""Finds and grabs one keyboard-like device of the kernel's, chosen and never guessed.

`linux/input.h`: events of 24 bytes, EVIOCGRAB for exclusive use, so that nothing such a
device types reaches a console, a compositor or the lane's screen, and EVIOCSCLOCKID, so
that events tell when they came by a clock that nobody sets. The kernel interface
is used directly: the evdev package has no wheel for ARM, and five calls are needed.
Knows nothing of what keys mean.
"""

from __future__ import annotations

import fcntl
import os
import select
import struct
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

SYSFS = Path("/sys/class/input")
DEV = Path("/dev/input")

# EVIOCGRAB: _IOW('E', 0x90, int).
_EVIOCGRAB = 0x40044590
# EVIOCSCLOCKID: _IOW('E', 0xa0, int).
_EVIOCSCLOCKID = 0x400445A0
_EVENT = struct.Struct("llHHi")
KEY_ENTER = 28
_READ_EVENTS = 64

EV_SYN, EV_KEY = 0, 1
SYN_DROPPED = 3


class KeyEvent(msgspec.Struct, frozen=True):
    """One event of a device: its type, code and value (1 press, 0 release, 2 repeat), and
    when the kernel had it (monotonic), however late it was read."""

    kind: int
    code: int
    value: int
    at_seconds: float = 0.0


class Choice(msgspec.Struct, frozen=True):
    """Which device: vendor and product as `05e0:1200`, and where two are alike, its
    serial number or the port it is plugged into (`usb-...-1.2/input0`)."""

    usb: str
    serial: str = ""
    port: str = ""

    def __str__(self) -> str:
        more = [f"serial {self.serial}"] if self.serial else []
        more += [f"port {self.port}"] if self.port else []
        return " ".join([self.usb, *more])


class NotChosen(OSError):
    """No device, or more than one, is the one that was chosen."""


def find(choice: Choice, sysfs: Path = SYSFS, needs: int = KEY_ENTER) -> str:
    """Return the name of the event node that was chosen (`event3`), of those that have
    the key `needs`: one device may have another node for its volume keys.

    Raises `NotChosen` with the installer's words.
    """
    there = list(_keyboards(sysfs, needs))
    found = [name for name, one in there if _is_chosen(one, choice)]
    if len(found) == 1:
        return found[0]
    if not found:
        known = ", ".join(sorted({one["usb"] for _, one in there})) or "none"
        raise NotChosen(f"no input device {choice} is there (there are: {known})")
    ports = ", ".join(sorted(one["port"] for name, one in there if name in found))
    raise NotChosen(
        f"{len(found)} input devices are {choice}; say which by serial or port ({ports})"
    )


def grab(descriptor: int) -> None:
    """Take a device for this process alone, as long as it is open (EVIOCGRAB); its
    events tell monotonic time from then on."""
    fcntl.ioctl(descriptor, _EVIOCGRAB, 1)
    clock = struct.pack("i", time.CLOCK_MONOTONIC)
    fcntl.ioctl(descriptor, _EVIOCSCLOCKID, clock)


class InputDevice:
    """One grabbed device. Whatever breaks is an OSError; so is a device that left."""

    def __init__(
        self,
        choice: Choice,
        grab_it: Callable[[int], None] = grab,
        sysfs: Path = SYSFS,
        dev: Path = DEV,
        needs: int = KEY_ENTER,
    ) -> None:
        path = dev / find(choice, sysfs, needs)
        self._descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        try:
            grab_it(self._descriptor)
        except OSError as error:
            os.close(self._descriptor)
            raise OSError(
                f"{path} cannot be taken for this lane alone ({error.strerror}):"
                " another program has it"
            ) from error

    def read(self, seconds: float) -> list[KeyEvent]:
        """Return the events that came, none when nothing did in time."""
        ready, _, _ = select.select([self._descriptor], [], [], seconds)
        if not ready:
            return []
        received = os.read(self._descriptor, _EVENT.size * _READ_EVENTS)
        if not received:
            raise OSError("the input device is gone")
        return list(events(received))

    def close(self) -> None:
        """Let go; the kernel ends the grab."""
        os.close(self._descriptor)


def events(received: bytes) -> Iterator[KeyEvent]:
    """Yield the events in bytes from a device; a cut one at the end is left out."""
    whole = len(received) // _EVENT.size * _EVENT.size
    for seconds, micros, kind, code, value in _EVENT.iter_unpack(received[:whole]):
        yield KeyEvent(kind, code, value, seconds + micros / 1e6)


def packed(event: KeyEvent) -> bytes:
    """Return an event as the kernel gives it out."""
    micros = round(event.at_seconds * 1e6)
    return _EVENT.pack(*divmod(micros, 10**6), event.kind, event.code, event.value)


def _keyboards(sysfs: Path, needs: int) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the event nodes that have a key, with what tells them apart."""
    for node in sorted(sysfs.glob("event*")):
        device = node / "device"
        keys = _text(device / "capabilities" / "key")
        if keys and _has_key(keys, needs):
            vendor = _text(device / "id" / "vendor")
            product = _text(device / "id" / "product")
            yield (
                node.name,
                {
                    "usb": f"{vendor}:{product}",
                    "serial": _text(device / "uniq"),
                    "port": _text(device / "phys"),
                },
            )


def _is_chosen(one: dict[str, str], choice: Choice) -> bool:
    return (
        one["usb"] == choice.usb.lower()
        and choice.serial in ("", one["serial"])
        and choice.port in ("", one["port"])
    )


def _has_key(bitmap: str, key: int) -> bool:
    # Words of 64 bits, the highest first, each in hexadecimal (sysfs).
    words = bitmap.split()
    place = len(words) - 1 - key // 64
    try:
        return place >= 0 and bool(int(words[place], 16) >> key % 64 & 1)
    except ValueError:
        return False


def _text(path: Path) -> str:
    try:
        return path.read_text(errors="replace").strip()
    except OSError:
        return ""
