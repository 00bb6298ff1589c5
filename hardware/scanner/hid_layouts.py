"""Which key types which character, for the layouts that scanners are set to.

Key codes are the kernel's (`linux/input-event-codes.h`). Only ASCII is here: a label
has no other characters, so a key that types another one types nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import msgspec

PLAIN, SHIFT, ALTGR = 0, 1, 2
Layout: TypeAlias = Literal["us", "de", "fr"]
Key: TypeAlias = tuple[int, int]

# First codes of the four rows, and the key beside the left Shift.
_ROWS = (2, 16, 30, 43)
_BESIDE_SHIFT = 86
_SPACE = 57
# The number block types the same on all three layouts.
_PAD = {71: "7", 72: "8", 73: "9", 74: "-", 75: "4", 76: "5", 77: "6", 78: "+",
        79: "1", 80: "2", 81: "3", 82: "0", 83: ".", 98: "/", 55: "*"}  # fmt: skip

# A blank is a key whose character is no ASCII.
_PLAIN_ROWS: dict[str, tuple[str, str, str, str, str]] = {
    "us": ("1234567890-=", "qwertyuiop[]", "asdfghjkl;'`", "\\zxcvbnm,./", "\\"),
    "de": ("1234567890 \0", "qwertzuiop +", "asdfghjkl  ^", "#yxcvbnm,.-", "<"),
    "fr": ("& \"'(- _  )=", "azertyuiop^$", "qsdfghjklm  ", "*wxcvbn,;:!", "<"),
}
_SHIFT_ROWS: dict[str, tuple[str, str, str, str, str]] = {
    "us": ("!@#$%^&*()_+", "QWERTYUIOP{}", 'ASDFGHJKL:"~', "|ZXCVBNM<>?", "|"),
    "de": ('!" $%&/()=?`', "QWERTZUIOP *", "ASDFGHJKL   ", "'YXCVBNM;:_", ">"),
    "fr": ("1234567890 +", "AZERTYUIOP  ", "QSDFGHJKLM% ", " WXCVBN?./ ", ">"),
}
_ALTGR_KEYS: dict[str, dict[int, str]] = {
    "us": {},
    "de": {8: "{", 9: "[", 10: "]", 11: "}", 12: "\\", 16: "@", 27: "~", 86: "|"},
    "fr": {3: "~", 4: "#", 5: "{", 6: "[", 7: "|", 8: "`", 9: "\\", 10: "^", 11: "@",
           12: "]", 13: "}"},
}  # fmt: skip
# Dead keys type with the space that follows them, as the operating systems have it.
_DEAD: dict[str, frozenset[Key]] = {
    "us": frozenset(),
    "de": frozenset({(41, PLAIN), (13, SHIFT)}),
    "fr": frozenset({(26, PLAIN), (3, ALTGR), (8, ALTGR)}),
}


class KeyMap(msgspec.Struct, frozen=True):
    """A layout: what each key and level types, and which of them wait for a space."""

    characters: dict[Key, str]
    dead: frozenset[Key]


def key_map(layout: Layout) -> KeyMap:
    """Return what keys type on a layout."""
    characters: dict[Key, str] = {
        **dict(_rows(_PLAIN_ROWS[layout], PLAIN)),
        **dict(_rows(_SHIFT_ROWS[layout], SHIFT)),
        **{(code, ALTGR): typed for code, typed in _ALTGR_KEYS[layout].items()},
    }
    for code, typed in _PAD.items():
        characters[code, PLAIN] = characters[code, SHIFT] = typed
    characters[_SPACE, PLAIN] = characters[_SPACE, SHIFT] = " "
    return KeyMap(characters, _DEAD[layout])


def _rows(rows: tuple[str, ...], level: int) -> Iterator[tuple[Key, str]]:
    for first, row in zip((*_ROWS, _BESIDE_SHIFT), rows, strict=True):
        for place, typed in enumerate(row):
            if typed not in " \0":
                yield (first + place, level), typed
