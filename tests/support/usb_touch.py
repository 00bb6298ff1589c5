"""A multi-touch panel that tests made up, on the wire of `usb_liar`.

Tells of fingers as panels that Windows certified do (HID Usage Tables 1.5, part 16): all
of them in one report, again and again for as long as one is down. Knows the glass's
pixels and nothing of what is shown there.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Iterable, Mapping
from threading import Event, Lock, Thread
from typing import NamedTuple, Self

from usb_liar import Plug, Pretended

GLASS = (1024, 768)
# The largest coordinate of either axis.
FAR = 0x7FFF
# Linux lets go of all fingers of such a panel that is silent for 100 ms
# (hid-multitouch.c, MT_QUIRK_STICKY_FINGERS).
REPEAT_SECONDS = 0.03
# An emulated lane may draw twice a second: a finger that came and went between two frames
# may be taken for a ghost (kiosk/ui/touches.py).
HELD_SECONDS = 0.6
_TOUCH, _MOST, _CERTIFIED = 1, 2, 3
# A touch screen, its report 1.
_HEAD = bytes.fromhex("050d 0904 a101 8501")
# One finger: tip switch and seven empty bits, contact identifier, X and Y in a tenth of
# a millimetre, on a glass of 15 inches.
_FINGER = bytes.fromhex(
    "050d 0922 a102 0942 1500 2501 7501 9501 8102 9507 8103 0951 257f 7508 9501 8102"
    "0501 26ff7f 7510 550e 6511 3500 46e80b 0930 8102 46ee08 0931 8102 c0"
)
# Scan time in units of 100 us, contact count; as features contact count maximum, and the
# 256 bytes that Windows asks a certified panel for.
_TAIL = bytes.fromhex(
    "050d 550c 660110 47ffff0000 27ffff0000 7510 9501 0956 8102"
    "5500 6500 4500 0954 257f 7508 8102 8502 0955 b102"
    "8503 0600ff 09c5 26ff00 7508 960001 b102 c0"
)


class Contact(NamedTuple):
    """One finger in a report, in pixels from the top left."""

    finger: int
    x: int
    y: int
    is_down: bool = True


def panel(vendor: int, product: int, kinds: tuple[str, ...], most: int) -> Pretended:
    """Return a panel that tells of so many fingers at once."""
    report = _HEAD + _FINGER * most + _TAIL
    features = (bytes([_MOST, most]), bytes([_CERTIFIED]) + bytes(256))
    return Pretended(vendor, product, kinds, "Touch", report, features)


def told(contacts: Iterable[Contact], most: int, ticks: int) -> bytes:
    """Return the report of these fingers. Raises `ValueError` where they are too many."""
    fingers = [_finger(contact) for contact in contacts]
    if len(fingers) > most:
        raise ValueError(f"this panel tells of {most} fingers, not of {len(fingers)}")
    room = b"".join(fingers).ljust(6 * most, b"\0")
    return bytes([_TOUCH]) + room + struct.pack("<HB", ticks & 0xFFFF, len(fingers))


def _finger(contact: Contact) -> bytes:
    places = [
        # The middle of the pixel.
        (2 * pixel + 1) * FAR // (2 * pixels)
        for pixel, pixels in zip((contact.x, contact.y), GLASS)
    ]
    return struct.pack("<BBHH", contact.is_down, contact.finger, *places)


class Fingers:
    """The fingers on a plugged panel. It tells of them until they are lifted."""

    def __init__(self, plug: Plug, most: int) -> None:
        self._plug, self._most = plug, most
        self._down: dict[int, Contact] = {}
        self._changing = Lock()
        self._is_over = Event()
        self._thread = Thread(target=self._repeat, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def down(self, places: Mapping[int, tuple[int, int]]) -> None:
        """Put these fingers on the glass, all at once."""
        self._put(places)

    def move(self, places: Mapping[int, tuple[int, int]]) -> None:
        """Move fingers that are there. Raises `ValueError` for one that is not."""
        if not places.keys() <= self._down.keys():
            raise ValueError("only a finger on the glass can move")
        self._put(places)

    def up(self) -> None:
        """Lift all fingers at once."""
        with self._changing:
            self._tell([one._replace(is_down=False) for one in self._down.values()])
            self._down = {}

    def tap(self, x: int, y: int) -> None:
        """Touch the glass there with one finger."""
        self.hold({0: (x, y)})

    def hold(self, places: Mapping[int, tuple[int, int]]) -> None:
        """Touch the glass there with these fingers at once, and lift them."""
        self.down(places)
        self._is_over.wait(HELD_SECONDS)
        self.up()

    def _put(self, places: Mapping[int, tuple[int, int]]) -> None:
        with self._changing:
            put = {one: Contact(one, *place) for one, place in places.items()}
            down = self._down | put
            self._tell(down.values())
            self._down = down

    def _repeat(self) -> None:
        while not self._is_over.wait(REPEAT_SECONDS):
            with self._changing:
                if self._down:
                    self._tell(self._down.values())

    def _tell(self, contacts: Iterable[Contact]) -> None:
        # Of 100 us, as its report says.
        ticks = int(time.monotonic() * 10_000)
        self._plug.push(told(contacts, self._most, ticks))
