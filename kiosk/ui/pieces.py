"""What a layout is made of: places on the glass in pixels, and what is drawn there.

Values only, so that a layout can be compared with the one before and only what
changed is drawn anew.
"""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from kiosk.ui.theme import Colour
from kiosk.ui.view import Button, Row


class Box(NamedTuple):
    """A place in millimetres, from the top left."""

    x: float
    y: float
    w: float
    h: float

    def top(self, h: float, gap: float = 0) -> tuple[Box, Box]:
        """Cut `h` off the top; return it and the rest below the gap."""
        return Box(self.x, self.y, self.w, h), Box(
            self.x, self.y + h + gap, self.w, max(0.0, self.h - h - gap)
        )

    def bottom(self, h: float, gap: float = 0) -> tuple[Box, Box]:
        """Cut `h` off the bottom; return it and the rest above the gap."""
        return Box(self.x, self.y + self.h - h, self.w, h), Box(
            self.x, self.y, self.w, max(0.0, self.h - h - gap)
        )

    def left(self, w: float, gap: float = 0) -> tuple[Box, Box]:
        """Cut `w` off the left; return it and the rest."""
        return Box(self.x, self.y, w, self.h), Box(
            self.x + w + gap, self.y, max(0.0, self.w - w - gap), self.h
        )

    def right(self, w: float, gap: float = 0) -> tuple[Box, Box]:
        """Cut `w` off the right; return it and the rest."""
        return Box(self.x + self.w - w, self.y, w, self.h), Box(
            self.x, self.y, max(0.0, self.w - w - gap), self.h
        )

    def inset(self, dx: float, dy: float) -> Box:
        """Return the box without a frame."""
        return Box(self.x + dx, self.y + dy, self.w - 2 * dx, self.h - 2 * dy)

    def middle(self, w: float, h: float) -> Box:
        """Return a smaller box in its middle."""
        return Box(self.x + (self.w - w) / 2, self.y + (self.h - h) / 2, w, h)

    def grid(self, columns: int, rows: int, gap: float) -> list[Box]:
        """Return its cells, row by row."""
        w = (self.w - gap * (columns - 1)) / columns
        h = (self.h - gap * (rows - 1)) / rows
        return [
            Box(self.x + c * (w + gap), self.y + r * (h + gap), w, h)
            for r in range(rows)
            for c in range(columns)
        ]


class Place(NamedTuple):
    """A place in pixels, from the bottom left, as Kivy counts."""

    x: int
    y: int
    w: int
    h: int


class Skin(msgspec.Struct, frozen=True):
    """A rounded rectangle."""

    fill: Colour
    border: Colour = ""
    radius: int = 0
    line: int = 1


class Ink(msgspec.Struct, frozen=True):
    """Words at a place inside their piece. `x` and `y` from its bottom left."""

    text: str
    x: int
    y: int
    w: int
    h: int
    px: int
    colour: Colour
    bold: bool = False
    align: str = "left"
    is_cut: bool = False


class Art(msgspec.Struct, frozen=True):
    """A drawing at a place inside its piece."""

    name: str
    x: int
    y: int
    w: int
    h: int
    colour: Colour


class Piece(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing on the glass. With a button it can be tapped; with rows it is the
    basket's list; with seconds a bar that runs out; a finder shows what the camera sees."""

    key: str
    place: Place
    skin: Skin | None = None
    parts: tuple[Ink | Art, ...] = ()
    pressed: Skin | None = None
    button: Button | None = None
    rows: tuple[Row, ...] = ()
    newest: int = -1
    is_list: bool = False
    seconds: float = 0
    is_finder: bool = False
    speech: str = ""
