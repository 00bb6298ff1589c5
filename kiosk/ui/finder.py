"""The camera's live picture: the freshest frame, with the labels found in it outlined.

Holds one frame and one texture, however fast the camera is. Reads no label: what is
outlined was found by the driver. Never opens a compressed picture.
"""

from __future__ import annotations

from typing import Any

from kivy.graphics import Color, Line, Rectangle
from kivy.graphics.texture import Texture
from kivy.uix.widget import Widget
from PIL import Image

from hardware.ports import Viewfinder
from kiosk.ui.pieces import Piece
from kiosk.ui.theme import THEME, rgba

# More labels than this in one small picture help nobody to aim.
_MOST_OUTLINES = 4
_OUTLINE_PX = 5
_ROUNDING_PX = 3


class Finder(Widget):
    """A frame in its place, as large as fits, on black. Used by Kivy's thread only."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(size_hint=(None, None), **kwargs)
        self.piece: Piece | None = None
        self.frame: Viewfinder | None = None
        self._texture: Any = None
        with self.canvas:
            Color(0, 0, 0, 1)
            self._ground = Rectangle(size=(0, 0))
            Color(1, 1, 1, 1)
            self._picture = Rectangle(size=(0, 0))
            self._outlines = []
            for _ in range(_MOST_OUTLINES):
                # White under green: seen on black bars and on white paper alike.
                Color(*rgba(THEME.card))
                under = Line(points=[], width=_OUTLINE_PX / 2 + 2, close=True)
                Color(*rgba(THEME.green))
                over = Line(points=[], width=_OUTLINE_PX / 2, close=True)
                self._outlines.append((under, over))

    def show(self, piece: Piece) -> None:
        """Take a place on the glass."""
        before, self.piece = self.piece, piece
        if before == piece:
            return
        self.pos = piece.place.x, piece.place.y
        self.size = piece.place.w, piece.place.h
        self._ground.pos, self._ground.size = self.pos, self.size
        self._draw()

    def see(self, frame: Viewfinder) -> None:
        """Show a frame instead of the one before."""
        self.frame = frame
        size = (frame.width, frame.height)
        if self._texture is None or tuple(self._texture.size) != size:
            self._texture = Texture.create(size=size, colorfmt="rgba")
            self._texture.flip_vertical()
        # A row of grey need not end at a whole word of memory; one of OpenGL's must.
        pixels = Image.frombytes("L", size, frame.grey).convert("RGBA").tobytes()
        self._texture.blit_buffer(pixels, colorfmt="rgba", bufferfmt="ubyte")
        self._draw()

    def _draw(self) -> None:
        frame = self.frame
        if frame is None or self._texture is None:
            return
        scale = min(self.width / frame.width, self.height / frame.height)
        wide, high = frame.width * scale, frame.height * scale
        # The place is of whole pixels: what it lacks to the shape is no black edge.
        wide = self.width if self.width - wide < _ROUNDING_PX else wide
        high = self.height if self.height - high < _ROUNDING_PX else high
        left = self.x + (self.width - wide) / 2
        low = self.y + (self.height - high) / 2
        self._picture.texture = self._texture
        self._picture.pos, self._picture.size = (left, low), (wide, high)
        found = frame.outlines[:_MOST_OUTLINES]
        for n, lines in enumerate(self._outlines):
            points: list[float] = []
            for x, y in found[n] if n < len(found) else ():
                points += [left + x * wide, low + (1 - y) * high]
            for line in lines:
                line.points = points if len(points) >= 4 else []
