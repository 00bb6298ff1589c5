"""The one screen, alive as long as the program: shows Views and reports taps."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from kivy.uix.widget import Widget

from hardware.ports import Viewfinder
from kiosk.ui.environment import Panel
from kiosk.ui.finder import Finder
from kiosk.ui.layout import arrange, row_height
from kiosk.ui.pieces import Piece
from kiosk.ui.theme import THEME
from kiosk.ui.touches import Touches
from kiosk.ui.view import Button, View
from kiosk.ui.widgets import Meter, Press, Rows, Slab

Shown = Slab | Rows | Finder

# A tap on the arrows beside a long list moves it by so many rows.
LEAF_ROWS = 5


class Screen(Widget):
    """Everything on the glass. `show` is its only input, `on_tap` its only output."""

    def __init__(
        self,
        panel: Panel,
        on_tap: Callable[[Button], None],
        now: Callable[[], float],
        frame_seconds: Callable[[], float],
        **kwargs: Any,
    ) -> None:
        super().__init__(
            size_hint=(None, None), size=(panel.width_px, panel.height_px), **kwargs
        )
        self.panel = panel
        self.view: View | None = None
        self._on_tap, self._now = on_tap, now
        self._frame_seconds = frame_seconds
        self._touches = Touches()
        self._shown: dict[str, Shown] = {}
        self._held: dict[object, Press] = {}
        self._dragged: dict[object, Rows] = {}

    # -- showing -----------------------------------------------------------

    def show(self, view: View) -> None:
        """Show a View; only what differs from the one before is drawn."""
        if view == self.view:
            return
        self.view = view
        pieces = arrange(view, self.panel, THEME)
        shown = {piece.key: self._widget(piece) for piece in pieces}
        if list(shown.items()) != list(self._shown.items()):
            self._place(shown)
        self._shown = shown
        for piece in pieces:
            shown[piece.key].show(piece)

    def see(self, frame: Viewfinder) -> None:
        """Show what the camera sees, where the View has a place for it."""
        finder = self._shown.get("finder")
        if isinstance(finder, Finder):
            finder.see(frame)

    def _widget(self, piece: Piece) -> Shown:
        """Return the widget that shows a piece: the one from before, if it can."""
        old = self._shown.get(piece.key)
        if piece.is_list:
            return old if isinstance(old, Rows) else Rows(row_height(self.panel))
        if piece.is_finder:
            return old if isinstance(old, Finder) else Finder()
        kind = Press if piece.button else Meter if piece.seconds else Slab
        if old is None or type(old) is not kind:
            old = kind()
        elif not isinstance(old, Press) or not _is_another(old.piece, piece):
            return old
        if isinstance(old, Press):
            old.appeared_at = self._now()
        return old

    def _place(self, shown: dict[str, Shown]) -> None:
        """Put the widgets in order; those that stay in order are not moved."""
        self.clear_widgets()
        for widget in shown.values():
            self.add_widget(widget)

    # -- touching ----------------------------------------------------------

    def on_touch_down(self, touch: Any) -> bool:
        """Find what is under the finger; nothing behind a card can be hit."""
        if not self._touches.down(touch.uid, self._now()):
            for press in self._held.values():
                press.press(False)
            self._held.clear()
            self._dragged.clear()
            return True
        hit = self._under(touch)
        if isinstance(hit, Press):
            self._held[touch.uid] = hit
            hit.press(True)
        elif isinstance(hit, Rows):
            hit.take(touch.y)
            self._dragged[touch.uid] = hit
        return True

    def on_touch_move(self, touch: Any) -> bool:
        """A finger that leaves its button presses it no more."""
        held = self._held.get(touch.uid)
        if held is not None and not held.collide_point(*touch.pos):
            held.press(False)
            del self._held[touch.uid]
        elif touch.uid in self._dragged:
            self._dragged[touch.uid].drag(touch.y)
        return True

    def on_touch_up(self, touch: Any) -> bool:
        """A finger that leaves the glass on its button has tapped it."""
        now = self._now()
        is_tap = self._touches.up(touch.uid, now, self._frame_seconds())
        held = self._held.pop(touch.uid, None)
        self._dragged.pop(touch.uid, None)
        if held is None:
            return True
        held.press(False)
        button = held.piece.button if held.piece else None
        if not is_tap or button is None or held.parent is not self:
            return True
        if held.collide_point(*touch.pos) and self._touches.counts(
            button.name,
            now,
            appeared_at=held.appeared_at,
            is_guarded=button.is_guarded,
            is_key=button.kind == "key",
        ):
            self._tap(button)
        return True

    def _under(self, touch: Any) -> Shown | None:
        for widget in reversed(self._shown.values()):
            if widget.collide_point(*touch.pos) and _stops(widget):
                return widget
        return None

    def _tap(self, button: Button) -> None:
        if button.name in {"list_up", "list_down"}:
            rows = self._shown.get("list")
            if isinstance(rows, Rows):
                rows.leaf(LEAF_ROWS if button.name == "list_down" else -LEAF_ROWS)
        self._on_tap(button)

    # -- looking at it -----------------------------------------------------

    def controls(self) -> list[tuple[str, int, int]]:
        """Return what can be tapped now: name and middle, pixels from the top left."""
        return [
            (
                widget.piece.button.name,
                round(widget.center_x),
                round(self.panel.height_px - widget.center_y),
            )
            for widget in self._shown.values()
            if isinstance(widget, Press) and widget.piece and widget.piece.button
        ]

    @property
    def shown(self) -> list[Shown]:
        """What is on the glass, in the order it is drawn."""
        return list(self._shown.values())


def _is_another(before: Piece | None, after: Piece) -> bool:
    """Is a button that stays where it was for something else now?"""
    if before is None or before.button is None or after.button is None:
        return True
    return type(before.button.post) is not type(after.button.post)


def _stops(widget: Shown) -> bool:
    """Does a touch end here? Words lie on things; cards and buttons are things."""
    if isinstance(widget, Press | Rows):
        return True
    return widget.piece is not None and widget.piece.skin is not None
