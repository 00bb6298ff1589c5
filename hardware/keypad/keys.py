"""Key events of an audio navigation keypad -> presses, and what no keypad types. Pure.

Which code a key sends is set in the keypad itself, so it is learnt and never guessed:
the map comes from the settings. It will never pass a key on that is not in the map.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from hardware.input_device import EV_KEY, EV_SYN, SYN_DROPPED, KeyEvent
from hardware.ports import KeypadKey

# `linux/input-event-codes.h`: arrows, Enter, F1 and the volume keys.
USUAL_CODES: Mapping[str, int] = {
    "up": 103,
    "down": 108,
    "left": 105,
    "right": 106,
    "select": 28,
    "help": 59,
    "volume_up": 115,
    "volume_down": 114,
}
_PRESSED = 1


def codes_of(given: Mapping[str, int]) -> dict[str, int]:
    """Return the code of each key: those given, and the usual ones not given away."""
    codes = dict(given)
    for name, code in USUAL_CODES.items():
        if name not in codes and code not in given.values():
            codes[name] = code
    return codes


class Pressed(msgspec.Struct, frozen=True):
    """What came of events: keys in order, how many were no key of a keypad, and the
    code of the last of those (0: none)."""

    keys: tuple[KeypadKey, ...] = ()
    strange: int = 0
    strange_code: int = 0


class KeypadKeys:
    """What one keypad pressed. Remembers only whether the kernel lost events."""

    def __init__(self, codes: Mapping[str, int]) -> None:
        self._keys = {code: KeypadKey(name) for name, code in codes.items()}
        self._is_lost = False

    def hear(self, events: Iterable[KeyEvent]) -> Pressed:
        """Take events; return what came of them."""
        keys: list[KeypadKey] = []
        strange = strange_code = 0
        for event in events:
            if event.kind == EV_SYN:
                # Lost events end with a plain SYN (kernel: event-codes.rst).
                self._is_lost = event.code == SYN_DROPPED
            elif event.kind != EV_KEY or event.value != _PRESSED or self._is_lost:
                continue
            elif event.code in self._keys:
                keys.append(self._keys[event.code])
            else:
                strange, strange_code = strange + 1, event.code
        return Pressed(tuple(keys), strange, strange_code)
