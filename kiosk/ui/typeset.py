"""How wide words are, where they break and which characters can be drawn at all.

Measures with the font files themselves, so that no line is clipped on the glass.
Imports no Kivy.
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from fontTools.ttLib import TTFont
from PIL import ImageFont

from kiosk.ui.environment import FONTS
from kiosk.ui.theme import LINE

# SDL rounds each glyph to whole pixels; the file's own widths are a little less.
_SLACK = 1.02


class Setting(msgspec.Struct, frozen=True):
    """Words set into a box: the size, the lines, and whether some had to go."""

    px: int
    lines: tuple[str, ...]
    is_cut: bool = False

    @property
    def height(self) -> float:
        """How high the lines are."""
        return len(self.lines) * self.px * LINE


@lru_cache(maxsize=1)
def characters() -> frozenset[int]:
    """Return the code points that both fonts can draw."""
    sets = []
    for path in FONTS.values():
        with TTFont(path, lazy=True) as font:
            sets.append(frozenset(font.getBestCmap()))
    return frozenset.intersection(*sets)


@lru_cache(maxsize=8192)
def drawable(text: str) -> str:
    """Return the text without what the font cannot draw; a box says nothing."""
    if text.isascii():
        return text
    known = characters()
    return " ".join("".join(c for c in text if ord(c) in known).split())


@lru_cache(maxsize=16384)
def width(text: str, px: int, bold: bool) -> float:
    """Return how many pixels wide a line is."""
    return _font(px, bold).getlength(text) * _SLACK


@lru_cache(maxsize=8192)
def elided(text: str, px: int, bold: bool, room: float) -> str:
    """Return the line, shortened by an ellipsis when it is too long."""
    if width(text, px, bold) <= room:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if width(text[:middle].rstrip() + "…", px, bold) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low].rstrip() + "…"


@lru_cache(maxsize=4096)
def set_in(
    text: str, room: float, height: float, px: int, least: int, bold: bool
) -> Setting:
    """Set words into a box, as large as wanted, or smaller, but never below `least`.

    What does not fit even then is cut, and says so.
    """
    text = drawable(text)
    size = px
    while True:
        lines = _wrapped(text, size, bold, room)
        fits = all(width(line, size, bold) <= room for line in lines)
        if fits and len(lines) * size * LINE <= height + 1:
            return Setting(size, _balanced(lines, text, size, bold, room))
        if size <= least:
            break
        size = max(least, min(size - 1, int(size * 0.95)))
    most = max(1, int((height + 1) / (size * LINE)))
    kept = [elided(line, size, bold, room) for line in lines[:most]]
    if len(lines) > most:
        kept[-1] = elided(f"{kept[-1].rstrip('…')} {lines[most]}", size, bold, room)
    return Setting(size, tuple(kept), is_cut=True)


def _wrapped(text: str, px: int, bold: bool, room: float) -> tuple[str, ...]:
    lines: list[str] = []
    for word in text.split(" "):
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width(longer, px, bold) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    return tuple(lines)


def _balanced(
    lines: tuple[str, ...], text: str, px: int, bold: bool, room: float
) -> tuple[str, ...]:
    """Break into as many lines of like length, so that no word is left alone."""
    if len(lines) < 2:
        return lines
    low, high = room / len(lines), room
    while high - low > px / 2:
        middle = (low + high) / 2
        tried = _wrapped(text, px, bold, middle)
        if len(tried) == len(lines) and all(
            width(line, px, bold) <= middle for line in tried
        ):
            lines, high = tried, middle
        else:
            low = middle
    return lines


@lru_cache(maxsize=64)
def _font(px: int, bold: bool) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(
        FONTS["bold" if bold else "regular"], px, layout_engine=ImageFont.Layout.BASIC
    )
