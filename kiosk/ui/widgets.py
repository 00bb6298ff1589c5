"""The few widgets the screen is made of: slab, button, meter, list and its rows.

Each shows a `Piece` and changes only what differs from the one before. None decides.
"""

from __future__ import annotations

from typing import Any

from kivy.clock import Clock
from kivy.graphics import (
    BorderImage,
    Color,
    InstructionGroup,
    PopMatrix,
    PushMatrix,
    Rectangle,
    Translate,
)
from kivy.uix.widget import Widget

from kiosk.ui import textures
from kiosk.ui.pieces import Art, Ink, Piece, Skin
from kiosk.ui.rows import row_parts
from kiosk.ui.theme import THEME, rgba
from kiosk.ui.view import Row


class Slab(Widget):
    """A card, words, a drawing, or all three."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(size_hint=(None, None), **kwargs)
        self.piece: Piece | None = None
        self._signature: tuple[object, ...] = ()
        self._skin: Any = None
        self._drawn: list[tuple[Any, Any]] = []

    def show(self, piece: Piece) -> None:
        """Show a piece; what is the same as before is left alone."""
        before, self.piece = self.piece, piece
        if before == piece:
            return
        if before is None or before.place != piece.place:
            self.pos = piece.place.x, piece.place.y
            self.size = piece.place.w, piece.place.h
        self.draw(piece.skin)

    def draw(self, skin: Skin | None) -> None:
        """Draw the piece with a skin, in place where its shape allows."""
        piece = self.piece
        if piece is None:
            return
        signature = (skin is not None, len(piece.parts))
        if signature != self._signature:
            self._build(signature)
        if skin is not None:
            self._skin.pos, self._skin.size = self.pos, self.size
            self._skin.texture = textures.skin(
                skin.radius, skin.fill, skin.border, skin.line
            )
            edge = skin.radius + 1
            self._skin.border = (edge, edge, edge, edge)
        for (colour, rectangle), part in zip(self._drawn, piece.parts):
            draw_part(colour, rectangle, part, self.x, self.y)

    def _build(self, signature: tuple[object, ...]) -> None:
        self._signature = signature
        self._drawn = []
        self.canvas.clear()
        with self.canvas:
            if signature[0]:
                Color(1, 1, 1, 1)
                self._skin = BorderImage(auto_scale="off")
            parts = self.piece.parts if self.piece else ()
            self._drawn = [(Color(), Rectangle()) for _ in parts]


def draw_part(colour: Any, rectangle: Any, part: Ink | Art, x: float, y: float) -> None:
    """Put a part's texture where it belongs, `x`, `y` being its piece's corner."""
    if isinstance(part, Art):
        rectangle.texture = textures.picture(part.name, part.w, part.colour)
        rectangle.pos, rectangle.size = (x + part.x, y + part.y), (part.w, part.h)
        colour.rgba = (1, 1, 1, 1)
        return
    if not part.text:
        rectangle.size = (0, 0)
        return
    texture = textures.text(part.text, part.px, part.bold)
    width, height = texture.size
    spare = part.w - width
    left = {"left": 0, "center": spare // 2, "right": spare}[part.align]
    rectangle.texture = texture
    rectangle.size = (width, height)
    rectangle.pos = (x + part.x + left, y + part.y + (part.h - height) // 2)
    colour.rgba = rgba(part.colour)


class Press(Slab):
    """A button. Whether a touch counts is the screen's to say."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.appeared_at = 0.0

    def press(self, is_down: bool) -> None:
        """Show that a finger is on it."""
        if self.piece is not None:
            self.draw(self.piece.pressed if is_down else self.piece.skin)


class Meter(Slab):
    """A bar that runs out while a question waits. It only shows; the lane counts."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._began = Clock.get_time()
        self._tick = Clock.schedule_interval(self._shrink, 0.25)

    def _shrink(self, _dt: float) -> bool:
        if self.parent is None or self.piece is None or self._skin is None:
            return self.parent is not None
        left = 1 - (Clock.get_time() - self._began) / self.piece.seconds
        least = 2.0 * (self.piece.skin.radius if self.piece.skin else 0) + 2
        self._skin.size = (max(least, self.width * left), self.height)
        return True


class Line:
    """One row of the list as drawn. It is moved without being drawn anew."""

    def __init__(self) -> None:
        self.row: Row | None = None
        self.parts: tuple[Ink, ...] = ()
        self._shown: tuple[object, ...] = ()
        self.group = InstructionGroup()
        self._at = Translate()
        self._back_colour, self._back = Color(1, 1, 1, 0), Rectangle()
        self._rule = Rectangle()
        # count, name, detail, amount
        self._drawn = [(Color(), Rectangle()) for _ in range(4)]
        for instruction in (
            PushMatrix(),
            self._at,
            self._back_colour,
            self._back,
            Color(*rgba(THEME.hairline)),
            self._rule,
            *(each for pair in self._drawn for each in pair),
            PopMatrix(),
        ):
            self.group.add(instruction)

    def show(self, row: Row, is_newest: bool, width: int, height: int) -> None:
        """Draw a row, if it is not the one drawn already."""
        shown = (row, is_newest, width, height)
        if shown == self._shown:
            return
        self._shown, self.row = shown, row
        self._back.size = (width, height)
        self._back_colour.rgba = rgba(THEME.blue_soft) if is_newest else (1, 1, 1, 0)
        self._rule.size = (width, 1)
        self.parts = row_parts(row, is_newest, width, height)
        for (colour, rectangle), part in zip(self._drawn, self.parts):
            draw_part(colour, rectangle, part, 0, 0)

    def move(self, x: float, y: float) -> None:
        """Put it there."""
        if tuple(self._at.xy) != (x, y):
            self._at.xy = (x, y)


class Rows(Widget):
    """The basket's list: as many lines as there is room for, whatever its length.

    Kivy's RecycleView needs three frames to append a row and stretches its lines out
    of sight; whole rows and no clipping make one frame of it.
    """

    def __init__(self, row_px: int, **kwargs: Any) -> None:
        super().__init__(size_hint=(None, None), **kwargs)
        self.row_px = row_px
        self.piece: Piece | None = None
        self.first = 0
        self.lines: list[Line] = []
        self._in_sight: set[int] = set()
        self._finger: tuple[float, int] = (0, 0)

    def show(self, piece: Piece) -> None:
        """Show the rows; a longer list shows its end."""
        before, self.piece = self.piece, piece
        if before == piece:
            return
        if before is None or before.place != piece.place:
            self.pos = piece.place.x, piece.place.y
            self.size = piece.place.w, piece.place.h
            self.canvas.clear()
            self.lines = [Line() for _ in range(max(1, piece.place.h // self.row_px))]
            self._in_sight = set()
            self.first = self._last_first
        elif len(piece.rows) > len(before.rows):
            self.first = self._last_first
        self._draw()

    @property
    def _last_first(self) -> int:
        rows = self.piece.rows if self.piece else ()
        return max(0, len(rows) - len(self.lines))

    def _draw(self) -> None:
        piece = self.piece
        if piece is None:
            return
        self.first = min(max(0, self.first), self._last_first)
        count = len(self.lines)
        in_sight = range(self.first, min(self.first + count, len(piece.rows)))
        for index in in_sight:
            # The same row keeps its line while the list moves by.
            line = self.lines[index % count]
            line.show(
                piece.rows[index],
                index == piece.newest,
                piece.place.w,
                self.row_px,
            )
            line.move(self.x, self.top - (index - self.first + 1) * self.row_px)
        wanted = {index % count for index in in_sight}
        for slot in wanted - self._in_sight:
            self.canvas.add(self.lines[slot].group)
        for slot in self._in_sight - wanted:
            self.canvas.remove(self.lines[slot].group)
        self._in_sight = wanted

    @property
    def visible(self) -> list[Line]:
        """The lines in sight."""
        return [self.lines[slot] for slot in sorted(self._in_sight)]

    def leaf(self, rows: int) -> None:
        """Move on by so many rows; later ones are positive."""
        self.first += rows
        self._draw()

    def take(self, y: float) -> None:
        """A finger was put on the list."""
        self._finger = (y, self.first)

    def drag(self, y: float) -> None:
        """The finger moved: the rows go with it."""
        began, first = self._finger
        moved = first + round((y - began) / self.row_px)
        if moved != self.first:
            self.leaf(moved - self.first)
