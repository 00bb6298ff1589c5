"""Puts runs of text in the order in which they stand on the paper, by fribidi.

Pure but for loading the library. Knows levels and directions (Unicode's UAX #9);
knows no font and shapes nothing.
"""

from __future__ import annotations

import ctypes
import unicodedata
from functools import cache

import msgspec

# The C library of Debian's libfribidi0; its interface has not changed since 1.0.
LIBRARY = "libfribidi.so.0"
# FriBidiParType, from fribidi-bidi-types.h.
LEFT_TO_RIGHT = 0x110
RIGHT_TO_LEFT = 0x111


class Run(msgspec.Struct, frozen=True):
    """Characters of one direction, in the order in which they are read."""

    text: str
    is_rtl: bool


def is_rtl(text: str) -> bool:
    """Whether text reads from the right: by its first letter of either kind."""
    for character in text:
        match unicodedata.bidirectional(character):
            case "L":
                return False
            case "R" | "AL":
                return True
            case _:
                pass
    return False


def is_there() -> bool:
    """Whether this machine has the library."""
    return _library() is not None


def visual_runs(text: str, base_is_rtl: bool) -> list[Run]:
    """Return the runs of a line from the left edge to the right.

    Without the library the text is one run from left to right.
    """
    levels = _levels(text, base_is_rtl)
    runs: list[tuple[int, str]] = []
    for character, level in zip(text, levels):
        if runs and runs[-1][0] == level:
            runs[-1] = (level, runs[-1][1] + character)
        else:
            runs.append((level, character))
    # Rule L2: from the highest level to 1, turn each stretch of at least that level.
    for least in range(max(levels, default=0), 0, -1):
        start = 0
        while start < len(runs):
            end = start
            while end < len(runs) and runs[end][0] >= least:
                end += 1
            runs[start:end] = reversed(runs[start:end])
            start = end + 1
    return [Run(characters, bool(level % 2)) for level, characters in runs]


def _levels(text: str, base_is_rtl: bool) -> list[int]:
    library = _library()
    if library is None or not text or (text.isascii() and not base_is_rtl):
        return [0] * len(text)
    count = len(text)
    characters = (ctypes.c_uint32 * count)(*map(ord, text))
    levels = (ctypes.c_int8 * count)()
    base = ctypes.c_uint32(RIGHT_TO_LEFT if base_is_rtl else LEFT_TO_RIGHT)
    highest = library.fribidi_log2vis(
        characters, count, ctypes.byref(base), None, None, None, levels
    )
    # Zero says that it ran out of memory.
    return list(levels) if highest else [0] * count


@cache
def _library() -> ctypes.CDLL | None:
    try:
        library = ctypes.CDLL(LIBRARY)
        library.fribidi_log2vis.restype = ctypes.c_int8
    except (OSError, AttributeError):
        return None
    library.fribidi_log2vis.argtypes = [
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_void_p,
    ]
    return library
