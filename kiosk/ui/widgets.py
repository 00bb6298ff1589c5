"""The few widgets the screen is made of: slab, button, meter, list and its rows.

Each shows a `Piece` and changes only what differs from the one before. None decides.
"""

from __future__ import annotations

from typing import Any

from kivy.clock import Clock
from kivy.graphics import (
    BorderImage,
    Color,
    PopMatrix,
    PushMatrix,
    Rectangle,
    Translate,
)
from kivy.uix.recycleboxlayout import RecycleBoxLayout
from kivy.uix.recycleview import RecycleView
from kivy.uix.recycleview.views import RecycleDataViewBehavior
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


class RowView(RecycleDataViewBehavior, Widget):
    """One line of the list."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.row: Row | None = None
        self._shown: tuple[object, ...] = ()
        self._drawn: list[tuple[Any, Any]] = []
        with self.canvas:
            PushMatrix()
            self._at = Translate()
            self._back_colour = Color(1, 1, 1, 0)
            self._back = Rectangle()
            self._line_colour = Color(*rgba(THEME.hairline))
            self._line = Rectangle(pos=(0, 0))
            # count, name, detail, amount
            self._drawn = [(Color(), Rectangle()) for _ in range(4)]
            PopMatrix()
        self.fbind("pos", self._moved)

    def _moved(self, *_: object) -> None:
        self._at.xy = self.pos

    def refresh_view_attrs(self, view: Rows, index: int, data: dict[str, Row]) -> None:
        """Show the line that now stands here."""
        self.show(data["row"], index == view.newest, view.width, view.row_px)

    def show(self, row: Row, is_newest: bool, width: float, height: int) -> None:
        """Draw a line, if it is not the one drawn already."""
        shown = (row, is_newest, width, height)
        if shown == self._shown:
            return
        self._shown, self.row = shown, row
        self._back.size = (width, height)
        self._back_colour.rgba = rgba(THEME.blue_soft) if is_newest else (1, 1, 1, 0)
        self._line.size = (width, 1)
        for (colour, rectangle), part in zip(
            self._drawn, row_parts(row, is_newest, round(width), height)
        ):
            draw_part(colour, rectangle, part, 0, 0)


class Rows(RecycleView):
    """The basket's list. Data is appended to, never rebuilt."""

    data: Any

    def __init__(self, row_px: int, **kwargs: Any) -> None:
        super().__init__(
            size_hint=(None, None),
            bar_width=0,
            do_scroll_x=False,
            effect_cls="ScrollEffect",
            **kwargs,
        )
        self.row_px = row_px
        self.newest = -1
        self.piece: Piece | None = None
        self._rows: tuple[Row, ...] = ()
        self._layout = RecycleBoxLayout(
            orientation="vertical",
            default_size=(None, row_px),
            default_size_hint=(1, None),
            size_hint=(1, None),
        )
        self._layout.bind(minimum_height=self._layout.setter("height"))
        self.add_widget(self._layout)
        self.viewclass = RowView

    def show(self, piece: Piece) -> None:
        """Show the rows; only those from the first that differs are touched."""
        before, self.piece = self.piece, piece
        if before is None or before.place != piece.place:
            self.pos = piece.place.x, piece.place.y
            self.size = piece.place.w, piece.place.h
        self._mark(piece.newest)
        new, old = piece.rows, self._rows
        if new == old:
            return
        same = _common(old, new)
        self._rows = new
        if same == len(old):
            self.data.extend({"row": row} for row in new[same:])
        else:
            self.data = [{"row": row} for row in new]
        if len(new) > len(old):
            self.scroll_y = 0

    def _mark(self, newest: int) -> None:
        if newest == self.newest:
            return
        old, self.newest = self.newest, newest
        for index in (old, newest):
            shown = self.view_adapter.get_visible_view(index)
            if shown is not None and shown.row is not None:
                shown.show(shown.row, index == newest, self.width, self.row_px)

    def leaf(self, rows: int) -> None:
        """Scroll by so many rows; down is positive."""
        hidden = self._layout.height - self.height
        if hidden > 0:
            moved = self.scroll_y - rows * self.row_px / hidden
            self.scroll_y = min(1.0, max(0.0, moved))


def _common(old: tuple[Row, ...], new: tuple[Row, ...]) -> int:
    """Return how many rows at the start are the same."""
    for n, (one, other) in enumerate(zip(old, new)):
        if one != other:
            return n
    return min(len(old), len(new))
