"""Turns words, buttons and drawings into pieces of exact places.

One look for every button, field and heading stands here; which of them goes where is
`layout.py`'s. Pure, and imports no Kivy.
"""

from __future__ import annotations

from kiosk.ui.environment import Panel
from kiosk.ui.pieces import Art, Box, Ink, Piece, Place, Skin
from kiosk.ui.theme import CAPITAL, LINE, Colour, Theme
from kiosk.ui.typeset import Setting, drawable, elided, set_in, width
from kiosk.ui.view import Banner, Button

# How a kind of button looks: fill, border, words, fill when pressed.
_LOOKS = {
    "primary": ("green", "green", "card", "ink"),
    "chosen": ("blue", "blue", "card", "ink"),
    "stop": ("card", "red", "red", "red_soft"),
}
_PLAIN = ("card", "border", "ink", "blue_soft")

# What stands behind a heading's icon, and the icon's own colour, by tone.
TONES = {
    "": ("blue_soft", "blue"),
    "pay": ("blue_soft", "blue"),
    "good": ("green_soft", "green"),
    "wait": ("amber_soft", "ink"),
    "alert": ("red_soft", "red"),
}


class Composer:
    """Collects the pieces of one screen, in millimetres from the top left."""

    def __init__(self, panel: Panel, theme: Theme) -> None:
        self.panel, self.theme = panel, theme
        self.scale = panel.px_per_mm
        self.pieces: list[Piece] = []

    # -- lengths -----------------------------------------------------------

    @property
    def glass(self) -> Box:
        """The whole panel."""
        return Box(
            0, 0, self.panel.width_px / self.scale, self.panel.height_px / self.scale
        )

    @property
    def is_wide(self) -> bool:
        """Is the panel wider than high?"""
        return self.panel.width_px > self.panel.height_px

    def px(self, mm: float) -> int:
        """Return a length in whole pixels."""
        return round(mm * self.scale)

    def type_px(self, capital_mm: float) -> int:
        """Return the font size whose capitals are that high."""
        return round(capital_mm * self.scale / CAPITAL)

    def line_mm(self, capital_mm: float) -> float:
        """Return how high a line of that type is."""
        return self.type_px(capital_mm) * LINE / self.scale

    def place(self, box: Box) -> Place:
        """Return a box in pixels, counted from the bottom left."""
        left, right = self.px(box.x), self.px(box.x + box.w)
        top, bottom = self.px(box.y), self.px(box.y + box.h)
        return Place(left, self.panel.height_px - bottom, right - left, bottom - top)

    def colour(self, role: str) -> Colour:
        """Return a colour by its role."""
        colour: Colour = getattr(self.theme, role)
        return colour

    def skin(
        self, fill: str, border: str = "", line: int = 1, radius: float = -1
    ) -> Skin:
        """Return a rounded rectangle in the theme's colours."""
        corner = self.theme.radius if radius < 0 else radius
        return Skin(
            self.colour(fill),
            self.colour(border) if border else "",
            self.px(corner),
            line,
        )

    # -- pieces ------------------------------------------------------------

    def sheet(self, key: str, box: Box, fill: str = "card", border: str = "") -> None:
        """A card without words."""
        self.pieces.append(Piece(key, self.place(box), self.skin(fill, border)))

    def setting(
        self, text: str, box: Box, capital: float, *, bold: bool = False
    ) -> Setting:
        """Set words into a box; they shrink before they are cut."""
        return set_in(
            text,
            float(self.px(box.w)),
            float(self.px(box.h)),
            self.type_px(capital),
            self.type_px(self.theme.least),
            bold,
        )

    def height(
        self, text: str, room: float, capital: float, *, bold: bool = False
    ) -> float:
        """Return how many millimetres words need at a width."""
        if not text:
            return 0
        setting = self.setting(text, Box(0, 0, room, 400), capital, bold=bold)
        return setting.height / self.scale

    def words(
        self,
        key: str,
        box: Box,
        text: str,
        capital: float,
        *,
        bold: bool = False,
        colour: str = "ink",
        align: str = "left",
        valign: str = "middle",
    ) -> None:
        """Words on the background or on a card."""
        if not text:
            return
        place = self.place(box)
        inks = self.inks(
            Box(0, 0, box.w, box.h),
            text,
            capital,
            bold=bold,
            colour=colour,
            align=align,
            valign=valign,
        )
        self.pieces.append(Piece(key, place, None, inks, speech=text))

    def inks(
        self,
        box: Box,
        text: str,
        capital: float,
        *,
        bold: bool = False,
        colour: str = "ink",
        align: str = "left",
        valign: str = "middle",
    ) -> tuple[Ink, ...]:
        """Return words set line by line; `box` is inside a piece, from its top left.

        The result counts from the top, as negative `y`: `piece` turns it over.
        """
        setting = self.setting(text, box, capital, bold=bold)
        line = round(setting.px * LINE)
        total = line * len(setting.lines)
        top = self.px(box.y)
        spare = self.px(box.h) - total
        top += {"top": 0, "middle": spare // 2, "bottom": spare}[valign]
        return tuple(
            Ink(
                words,
                self.px(box.x),
                -(top + line * (n + 1)),
                self.px(box.w),
                line,
                setting.px,
                self.colour(colour),
                bold,
                align,
                setting.is_cut,
            )
            for n, words in enumerate(setting.lines)
        )

    def art(self, box: Box, name: str, colour: str) -> Art:
        """Return a drawing inside a piece, from its top left."""
        side = self.px(min(box.w, box.h))
        middle = box.middle(side / self.scale, side / self.scale)
        return Art(
            name,
            self.px(middle.x),
            -(self.px(middle.y) + side),
            side,
            side,
            self.colour(colour),
        )

    def picture(self, key: str, box: Box, name: str, tone: str, share: float) -> None:
        """A heading's drawing on a soft round."""
        soft, strong = TONES[tone]
        side = min(box.w, box.h)
        round_box = box.middle(side, side)
        inner = Box(0, 0, side, side).middle(side * share, side * share)
        self.pieces.append(
            Piece(
                key,
                self.place(round_box),
                self.skin(soft, radius=side / 2 - 0.1),
                (self.art(inner, name, strong),),
            )
        )

    def banner(self, box: Box, banner: Banner) -> None:
        """A bar across the top."""
        fill, ink = {
            "warning": ("amber", "ink"),
            "calm": ("blue_soft", "ink"),
            "training": ("blue", "card"),
        }[banner.kind]
        margin = self.theme.margin
        side = box.h * 0.6
        parts: list[Ink | Art] = []
        if banner.icon:
            icon = Box(margin, (box.h - side) / 2, side, side)
            parts.append(self.art(icon, banner.icon, ink))
        room = Box(margin + side + 3, 0, box.w - 2 * margin - side - 3, box.h)
        parts += self.inks(room, banner.text, self.theme.small, bold=True, colour=ink)
        self.pieces.append(
            Piece(
                f"banner_{banner.name}",
                self.place(box),
                self.skin(fill, radius=0),
                tuple(parts),
                speech=banner.text,
            )
        )

    # -- buttons -----------------------------------------------------------

    def button(self, box: Box, button: Button, capital: float = 0) -> None:
        """A button, in the look of its kind."""
        fill, border, ink, pressed = _LOOKS.get(button.kind, _PLAIN)
        inner = Box(0, 0, box.w, box.h)
        size = capital or (
            self.theme.prompt if button.kind == "primary" else self.theme.body
        )
        match button.kind:
            case "tile":
                parts = self._tile(inner, button)
            case "row":
                parts = self.row_parts(inner, button, size)
            case "key":
                parts = self._key(inner, button)
            case "big":
                parts = self._big(inner, button)
            case _:
                parts = self._plain(inner, button, size, ink)
        line = 2 if button.kind in {"plain", "big", "stop"} else 1
        self.pieces.append(
            Piece(
                button.name,
                self.place(box),
                self.skin(fill, border, line),
                parts,
                pressed=self.skin(pressed, border, line),
                button=button,
                speech=button.spoken,
            )
        )

    def _plain(
        self, box: Box, button: Button, size: float, ink: str
    ) -> tuple[Ink | Art, ...]:
        """An icon and words, together in the middle."""
        side = min(box.h * 0.42, size * 1.9) if button.icon else 0
        is_narrow = box.w < 50
        gap = (2 if is_narrow else 3) if side and button.label else 0
        room = box.inset(2.5 if is_narrow else 4, 1.5)
        spare = max(1.0, room.w - side - gap)
        label = button.label + (f"  ({button.detail})" if button.detail else "")
        setting = self.setting(label, Box(0, 0, spare, room.h), size, bold=True)
        bold_px = max(
            (width(line, setting.px, True) for line in setting.lines), default=0
        )
        words = min(spare, bold_px / self.scale + 0.5)
        left = (box.w - side - gap - words) / 2
        parts: list[Ink | Art] = []
        if side:
            icon = Box(left, (box.h - side) / 2, side, side)
            parts.append(self.art(icon, button.icon, ink))
        if label:
            at = Box(left + side + gap, room.y, words + 0.5, room.h)
            align = "left" if side else "center"
            parts += self.inks(at, label, size, bold=True, colour=ink, align=align)
        return tuple(parts)

    def _tile(self, box: Box, button: Button) -> tuple[Ink | Art, ...]:
        """A picture with its name and price under it."""
        inner = box.inset(3, 3)
        has_price = bool(button.detail)
        price_h = self.line_mm(self.theme.small) if has_price else 0
        name_h = self.line_mm(self.theme.body) * (2 if inner.h > 42 else 1)
        picture, rest = inner.top(max(8.0, inner.h - name_h - price_h - 1), 1)
        name, price = rest.top(name_h)
        side = min(picture.w, picture.h)
        parts: list[Ink | Art] = [
            self.art(picture.middle(side, side), button.icon, "blue")
        ]
        parts += self.inks(
            name, button.label, self.theme.body, bold=True, align="center"
        )
        if has_price:
            parts += self.inks(
                price, button.detail, self.theme.small, colour="muted", align="center"
            )
        return tuple(parts)

    def row_parts(self, box: Box, button: Button, size: float) -> tuple[Ink | Art, ...]:
        """An icon, a name with what is known of it, and an amount at the right."""
        inner = box.inset(5, 1.5)
        parts: list[Ink | Art] = []
        if button.icon:
            side = min(inner.h, 9.0)
            icon, inner = inner.left(side, 5)
            red = "red" if button.icon == "minus" else "blue"
            parts.append(self.art(icon, button.icon, red))
        if button.amount:
            amount_px = width(drawable(button.amount), self.type_px(size), True)
            right, inner = inner.right(amount_px / self.scale + 1, 5)
            parts += self.inks(right, button.amount, size, bold=True, align="right")
        if button.detail:
            name, detail = inner.top(inner.h * 0.54)
            parts += self.line_of(name, button.label, size, bold=True, valign="bottom")
            parts += self.line_of(
                detail, button.detail, self.theme.small, colour="muted"
            )
        else:
            parts += self.line_of(inner, button.label, size, bold=True)
        return tuple(parts)

    def line_of(
        self,
        box: Box,
        text: str,
        capital: float,
        *,
        bold: bool = False,
        colour: str = "ink",
        valign: str = "middle",
    ) -> tuple[Ink, ...]:
        """One line of data: too long, it shrinks, then ends in an ellipsis."""
        text, room = drawable(text), float(self.px(box.w))
        px, least = self.type_px(capital), self.type_px(self.theme.least)
        while px > least and width(text, px, bold) > room:
            px -= 1
        one = elided(text, px, bold, room)
        line = round(px * LINE)
        spare = self.px(box.h) - line
        top = self.px(box.y) + (spare // 2 if valign == "middle" else spare)
        return (
            Ink(
                one,
                self.px(box.x),
                -(top + line),
                self.px(box.w),
                line,
                px,
                self.colour(colour),
                bold,
                is_cut=one != text,
            ),
        )

    def _key(self, box: Box, button: Button) -> tuple[Ink | Art, ...]:
        if button.icon:
            side = min(box.h, box.w) * 0.4
            return (self.art(box.middle(side, side), button.icon, "ink"),)
        size = self.theme.prompt if min(box.w, box.h) >= 19 else self.theme.body + 0.8
        return self.inks(box, button.label, size, bold=True, align="center")

    def _big(self, box: Box, button: Button) -> tuple[Ink | Art, ...]:
        inner = box.inset(4, 4)
        words_h = self.line_mm(self.theme.body + 0.6) * 1.1
        picture, label = inner.top(inner.h - words_h)
        side = min(picture.w, picture.h) * 0.62
        return (
            self.art(picture.middle(side, side), button.icon, "blue"),
            *self.inks(
                label,
                button.label,
                self.theme.body + 0.6,
                bold=True,
                align="center",
            ),
        )
