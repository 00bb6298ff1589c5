"""Where everything of a View goes on a panel: information up, controls down.

Pure: a View and a panel in, pieces out, in the order they are drawn. Portrait stacks
a heading over its work; landscape sets them side by side, since 15.6 inches are only
194 mm high.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from kiosk.ui.composer import Composer
from kiosk.ui.environment import Panel
from kiosk.ui.pieces import Art, Box, Ink, Piece
from kiosk.ui.theme import THEME, Theme
from kiosk.ui.view import Button, Card, Field, Layout, View
from kiosk.ui.words import words

_MOST_LINES = 3
_SLOTS = ("help", "lang", "staff")


def arrange(view: View, panel: Panel, theme: Theme = THEME) -> tuple[Piece, ...]:
    """Return the pieces of a View, in the order they are drawn."""
    at = _Arrangement(view, Composer(panel, theme))
    at.lay_out()
    return tuple(_turned(piece) for piece in at.c.pieces)


def row_height(panel: Panel, theme: Theme = THEME) -> int:
    """Return the height of a row of the basket's list, in pixels."""
    return round(theme.row * panel.px_per_mm)


def _turned(piece: Piece) -> Piece:
    """Count the parts' height from the bottom of their piece, as Kivy does."""
    height = piece.place.h
    parts: list[Ink | Art] = [replace(part, y=part.y + height) for part in piece.parts]
    return replace(piece, parts=tuple(parts))


class _Arrangement:
    """One View on its way to the glass."""

    def __init__(self, view: View, composer: Composer) -> None:
        self.view, self.c, self.theme = view, composer, composer.theme
        self.body = composer.glass
        self.is_wide = composer.glass.w > composer.glass.h
        self.gap = self.theme.gap

    def lay_out(self) -> None:
        view = self.view
        for banner in view.banners:
            bar, self.body = self.body.top(9.5 if self.is_wide else 12)
            self.c.banner(bar, banner)
        margin = 7 if self.is_wide else self.theme.margin
        self.body = self.body.inset(margin, margin)
        match view.layout:
            case Layout.WELCOME:
                self._welcome()
            case Layout.BASKET:
                self._basket()
            case Layout.MESSAGE:
                self._message()
            case Layout.TILES:
                self._tiles()
            case Layout.KEYS | Layout.CHOICES | Layout.MENU:
                self._work()
        if view.card and view.card.is_modal:
            self._modal(view.card)

    # -- pieces that several layouts share ---------------------------------

    def _footer(self) -> None:
        """Help, language, staff: each in its own third, whichever are there."""
        if not self.view.footer:
            return
        foot, self.body = self.body.bottom(15 if self.is_wide else 17, self.gap + 1)
        self._footer_in(foot)

    def _footer_in(self, foot: Box) -> None:
        cells = foot.grid(3, 1, self.gap)
        # Half a screen is narrow: then all three are small, not one of them.
        narrow = cells[0].w < 50
        size = self.theme.least + 0.3 if narrow else self.theme.small
        for button in self.view.footer:
            slot = next(
                (n for n, s in enumerate(_SLOTS) if button.name.startswith(s)), 0
            )
            self.c.button(cells[slot], button, size)

    def _grid(self, box: Box, buttons: Sequence[Button], columns: int) -> None:
        """Buttons in a grid; one that would stand alone takes the whole first row."""
        rows = max(1, -(-len(buttons) // columns))
        cells = box.grid(columns, rows, self.gap)
        if columns == 2 and len(buttons) % 2:
            first, second = cells[:2]
            wide = Box(first.x, first.y, second.x + second.w - first.x, first.h)
            cells = [wide, *cells[2:]]
        for cell, button in zip(cells, buttons):
            self.c.button(cell, button)

    def _heading(self, box: Box) -> None:
        """The drawing, the question and what belongs to it, in the middle of a box."""
        view, t, c = self.view, self.theme, self.c
        room = box.w if not self.is_wide else box.w - 4
        # Portrait has the height, and is read standing: messages may be large.
        large = 1.18 if view.layout is Layout.MESSAGE and not self.is_wide else 1.0
        title_cap = t.title * large if not self.is_wide else 8
        sizes = {
            "title": (view.title, title_cap, True, "ink"),
            "big": (view.big, t.total * large, True, "ink"),
            "text": (view.text, (t.prompt - 0.8) * large, False, "ink"),
            "detail": (view.detail, t.body, False, "muted"),
        }
        if self.view.layout is Layout.WELCOME:
            sizes["title"] = (view.title, t.welcome, True, "ink")
            sizes["big"] = (view.big, t.prompt, True, "blue")
            sizes["text"] = (view.text, t.prompt + 0.5, False, "ink")
        order = ["title", "big", "text", "detail"]
        if view.tone == "pay":
            order = ["big", "title", "text", "detail"]
        if view.layout is Layout.WELCOME:
            order = ["big", "title", "text", "detail"]
        if view.tone == "good" and view.big:
            order = ["big", "title", "text", "detail"]
        heights = {
            # A name of 300 characters must not push the controls off the glass.
            key: min(c.height(text, room, cap, bold=bold), _MOST_LINES * c.line_mm(cap))
            for key, (text, cap, bold, _) in sizes.items()
        }
        gap = 4.0
        words = sum(h + gap for h in heights.values() if h)
        row_h = 20.0
        most_rows = max(0, int((box.h - words) // row_h))
        rows = view.rows[:most_rows] if view.layout is not Layout.BASKET else ()
        words += len(rows) * row_h + (gap if rows else 0)
        pictures_h = 46.0 if view.pictures and box.h - words > 46 else 0.0
        words += pictures_h
        spare = box.h - words
        side = 0.0
        if view.qr:
            side = min(90.0, spare - gap, room)
        elif view.icon:
            most = 58.0 if self.is_wide else 76.0 * large**2
            side = min(most, spare - gap * 2, room * 0.5)
            if side < 22:
                side = 0.0
        total = words + (side + gap * 2 if side else 0)
        y = box.y + max(0.0, (box.h - total) / 2)
        if side and view.qr:
            self._qr(Box(box.x, y, box.w, side))
        elif side:
            c.picture("icon", Box(box.x, y, box.w, side), view.icon, view.tone, 0.56)
        if side:
            y += side + gap * 2
        for key in order:
            text, cap, bold, colour = sizes[key]
            if not text:
                continue
            at = Box(box.x + (box.w - room) / 2, y, room, heights[key] + 0.5)
            c.words(key, at, text, cap, bold=bold, colour=colour, align="center")
            y += heights[key] + gap
        y += gap if rows else 0
        for n, row in enumerate(rows):
            at = Box(box.x, y, box.w, row_h - 2).middle(
                min(box.w - 8, 220.0), row_h - 2
            )
            button = Button(
                f"row_{n}", row.name, kind="row", detail=row.detail, amount=row.amount
            )
            inner = Box(0, 0, at.w, at.h)
            parts = c.row_parts(inner, button, t.body)
            c.pieces.append(
                Piece(
                    button.name, c.place(at), c.skin("card"), parts, speech=row.speech
                )
            )
            y += row_h
        if pictures_h:
            self._pictures(Box(box.x, y + 6, box.w, pictures_h - 6))

    def _pictures(self, box: Box) -> None:
        count = len(self.view.pictures)
        strip = box.middle(min(box.w, count * 62.0), box.h)
        for n, (cell, (icon, text)) in enumerate(
            zip(strip.grid(count, 1, self.gap), self.view.pictures)
        ):
            picture, label = cell.top(cell.h - 11, 1)
            side = min(picture.w, picture.h)
            self.c.pieces.append(
                Piece(
                    f"picture_{n}",
                    self.c.place(cell),
                    None,
                    (
                        self.c.art(
                            Box((cell.w - side) / 2, 0, side, side).middle(
                                side * 0.78, side * 0.78
                            ),
                            icon,
                            "green" if self.view.tone == "good" else "blue",
                        ),
                        *self.c.inks(
                            Box(0, label.y - cell.y, cell.w, label.h),
                            text,
                            self.theme.body,
                            align="center",
                        ),
                    ),
                    speech=text,
                )
            )

    def _qr(self, box: Box) -> None:
        side = min(box.w, box.h)
        at = box.middle(side, side)
        inner = Box(0, 0, side, side).inset(5, 5)
        self.c.pieces.append(
            Piece(
                "qr",
                self.c.place(at),
                self.c.skin("card", "hairline"),
                (self.c.art(inner, f"qr:{self.view.qr}", "ink"),),
                speech=self.view.title,
            )
        )

    def _field(self, box: Box, field: Field) -> None:
        c, t = self.c, self.theme
        text = field.text or field.hint
        cap = t.total if field.is_masked or box.h >= 24 else t.prompt
        if not field.text:
            cap = t.prompt - 0.5
        inner = Box(0, 0, box.w, box.h).inset(6, 1)
        parts = c.inks(
            inner,
            text,
            cap,
            bold=bool(field.text),
            colour="ink" if field.text else "muted",
            align="center" if self.view.layout is Layout.KEYS else "left",
        )
        spoken = field.hint if field.is_masked else text
        c.pieces.append(
            Piece(
                "field", c.place(box), c.skin("card", "blue", 3), parts, speech=spoken
            )
        )

    # -- layouts -----------------------------------------------------------

    def _welcome(self) -> None:
        view, gap = self.view, self.gap
        if self.is_wide:
            left, right = self.body.left(self.body.w * 0.5, 10)
            self.body = right
            self._footer()
            rows = -(-len(view.buttons) // 2)
            if rows:
                grid, self.body = self.body.bottom(
                    rows * 21 + (rows - 1) * gap, gap * 2
                )
                self._grid(grid, view.buttons, 2)
            if view.primary:
                start = self.body.middle(self.body.w, min(50.0, self.body.h))
                self.c.button(start, view.primary, 9)
        else:
            self._footer()
            rows = -(-len(view.buttons) // 2)
            if rows:
                grid, self.body = self.body.bottom(
                    rows * 24 + (rows - 1) * gap, gap * 2
                )
                self._grid(grid, view.buttons, 2)
            if view.primary:
                start, self.body = self.body.bottom(44, gap * 2)
                self.c.button(start, view.primary, 9)
            left = self.body
        if view.card:
            left = self._notice(left, view.card)
        self._heading(left)

    def _basket(self) -> None:
        view, gap, t = self.view, self.gap, self.theme
        if self.is_wide:
            left, self.body = self.body.left(self.body.w * 0.575, 6)
        else:
            left = self.body
        self._footer()
        if view.primary:
            pay, self.body = self.body.bottom(30 if self.is_wide else 36, gap + 1)
            self.c.button(pay, view.primary, 8)
        rows = -(-len(view.buttons) // 2)
        height = 22 if self.is_wide else 23
        grid, self.body = self.body.bottom(rows * height + (rows - 1) * gap, gap + 1)
        self._grid(grid, view.buttons, 2)
        if view.total:
            need = 34.0
            if self.is_wide:
                # The total begins where the list does, if bars leave it room.
                need = max(self.body.h - 19, min(self.body.h, 36.0))
            total, self.body = self.body.bottom(need, gap + 1)
            self._total(total)
        area = left if self.is_wide else self.body
        head, area = area.top(16, 3)
        icon, title = head.left(12, 5)
        self.c.pieces.append(
            Piece(
                "icon",
                self.c.place(icon),
                None,
                (self.c.art(Box(0, 0, icon.w, icon.h), view.icon, "blue"),),
            )
        )
        self.c.words("title", title, view.title, t.prompt + 0.6, bold=True)
        if view.card and not view.card.is_modal:
            area = self._notice(area, view.card)
        self._list(area)

    def _total(self, box: Box) -> None:
        view, c, t = self.view, self.c, self.theme
        total = view.total
        if total is None:
            return
        inner = Box(0, 0, box.w, box.h).inset(6, 3)
        amount_box, low = inner, Box(0, 0, 0, 0)
        parts: list[Ink | Art] = []
        if total.detail:
            amount_box, low = inner.top(inner.h * 0.58, 1)
        count, amount = amount_box.left(amount_box.w * 0.36, 2)
        parts += c.inks(count, total.count, t.body + 0.4, colour="muted")
        parts += c.inks(amount, total.amount, t.total, bold=True, align="right")
        if total.detail:
            parts += c.inks(low, total.detail, t.small, bold=True, colour="green")
        c.pieces.append(
            Piece(
                "total",
                c.place(box),
                c.skin("card", "hairline"),
                tuple(parts),
                speech=", ".join(
                    p for p in (total.count, total.amount, total.detail) if p
                ),
            )
        )

    def _list(self, area: Box) -> None:
        view, c = self.view, self.c
        c.sheet("list_card", area, "card", "hairline")
        if not view.rows:
            side = min(area.w, area.h) * 0.42
            top = Box(area.x, area.y, area.w, area.h * 0.78)
            c.picture("empty", top.middle(side, side), "basket", "", 0.5)
            low = Box(area.x + 6, area.y + area.h * 0.74, area.w - 12, area.h * 0.2)
            c.words(
                "detail",
                low,
                view.detail,
                self.theme.body,
                colour="muted",
                align="center",
            )
            return
        inner = area.inset(1, 2)
        is_long = len(view.rows) * self.theme.row > inner.h
        if is_long:
            rail, inner = inner.right(17, 1)
            spoken = words(view.language)
            up, down = rail.inset(1, 1).top(18)[0], rail.inset(1, 1).bottom(18)[0]
            c.button(up, Button("list_up", "", spoken.t("Up"), kind="key", icon="up"))
            c.button(
                down, Button("list_down", "", spoken.t("Down"), kind="key", icon="down")
            )
        c.pieces.append(
            Piece(
                "list",
                c.place(inner),
                rows=view.rows,
                newest=view.newest,
                is_list=True,
                speech=view.title,
            )
        )

    def _message(self) -> None:
        view, gap = self.view, self.gap
        self._footer()
        if view.primary and not self.is_wide:
            box, self.body = self.body.bottom(36, gap + 1)
            self.c.button(box, view.primary)
        buttons = view.buttons
        is_big = any(b.kind == "big" for b in buttons)
        if self.is_wide and (buttons or view.primary):
            both = (*buttons, view.primary) if view.primary else buttons
            row, self.body = self.body.bottom(44 if is_big else 26, gap + 2)
            count = max(len(both), 1)
            room = row if count > 1 else row.middle(min(row.w, 150.0), row.h)
            for cell, button in zip(room.grid(count, 1, gap), both):
                self.c.button(cell, button, 5.6)
        elif is_big:
            row, self.body = self.body.bottom(66, gap + 2)
            for cell, button in zip(row.grid(len(buttons), 1, gap), buttons):
                self.c.button(cell, button)
        elif buttons:
            height = len(buttons) * 25 + (len(buttons) - 1) * gap
            stack, self.body = self.body.bottom(height, gap + 2)
            for cell, button in zip(stack.grid(1, len(buttons), gap), buttons):
                self.c.button(cell, button, 5.6)
        self._heading(self.body)

    def _tiles(self) -> None:
        view, gap = self.view, self.gap
        if self.is_wide:
            foot, self.body = self.body.bottom(15.5, gap)
            all_low = (*view.buttons, *view.footer)
            for cell, button in zip(foot.grid(max(4, len(all_low)), 1, gap), all_low):
                self.c.button(cell, button, self.theme.small)
        else:
            self._footer()
            columns = 3 if len(view.buttons) in {3, 5} else 2
            columns = len(view.buttons) if len(view.buttons) <= 3 else columns
            rows = -(-len(view.buttons) // columns)
            low, self.body = self.body.bottom(rows * 21 + (rows - 1) * gap, gap + 2)
            self._grid(low, view.buttons, columns)
        if view.keys:
            each = 17.5 if self.is_wide else 25
            keys, self.body = self.body.bottom(
                len(view.keys) * each + (len(view.keys) - 1) * 3, gap + 2
            )
            self._keyboard(keys)
        head, rest = self.body.top(18 if self.is_wide else 24, 3)
        self._tiles_heading(head)
        if view.field and not self.is_wide:
            field, rest = rest.top(24, gap)
            self._field(field, view.field)
        if view.tabs:
            tabs, rest = rest.top(16 if self.is_wide else 19, gap)
            for cell, tab in zip(tabs.grid(len(view.tabs), 1, gap), view.tabs):
                self.c.button(cell, tab)
        self._tile_grid(rest)

    def _tiles_heading(self, head: Box) -> None:
        view, t = self.view, self.theme
        if view.field and self.is_wide:
            title, field = head.left(head.w * 0.4, 5)
            self._field(field, view.field)
            self.c.words("title", title, view.title, t.prompt + 0.6, bold=True)
            return
        if view.big:
            weight, head = head.right(min(80.0, head.w * 0.34), 4)
            self.c.pieces.append(
                Piece(
                    "big",
                    self.c.place(weight),
                    self.c.skin("blue_soft"),
                    self.c.inks(
                        Box(0, 0, weight.w, weight.h).inset(3, 1),
                        view.big,
                        t.prompt + 0.6,
                        bold=True,
                        colour="blue",
                        align="center",
                    ),
                    speech=view.big,
                )
            )
        self.c.words("title", head, view.title, t.prompt + 0.6, bold=True)

    def _tile_grid(self, rest: Box) -> None:
        view, gap = self.view, self.gap
        if not view.choices:
            self.c.words(
                "text",
                rest.middle(rest.w * 0.8, min(rest.h, 40.0)),
                view.text,
                self.theme.prompt - 1,
                colour="muted",
                align="center",
            )
            return
        columns = 6 if self.is_wide else 3
        slots = 6 if view.keys else 12
        rows = slots // columns
        height = min(rest.h, rows * 78.0 + (rows - 1) * gap)
        area = rest.top(height)[0]
        for cell, button in zip(area.grid(columns, rows, gap), view.choices):
            self.c.button(cell, button)

    def _keyboard(self, box: Box) -> None:
        """Letters in even columns; what a row has left goes to its last key."""
        columns = max(len(row) for row in self.view.keys)
        lines = box.grid(1, len(self.view.keys), 3)
        for line, row in zip(lines, self.view.keys):
            cells = line.grid(columns, 1, 3)
            for n, key in enumerate(row):
                cell = cells[n]
                if n == len(row) - 1:
                    cell = Box(cell.x, cell.y, line.x + line.w - cell.x, cell.h)
                self.c.button(cell, key)

    def _work(self) -> None:
        """A heading, and beside or under it keys, rows or a menu."""
        view, gap = self.view, self.gap
        if self.is_wide:
            left, right = self.body.left(self.body.w * 0.37, 10)
            self.body = left
            foot = view.footer
            if foot:
                strip, self.body = self.body.bottom(15, gap)
                self._short_footer(strip)
            if view.buttons:
                height = len(view.buttons) * 18 + (len(view.buttons) - 1) * gap
                low, self.body = self.body.bottom(height, gap)
                self._grid(low, view.buttons, 1)
            heading, work = self.body, right
        else:
            self._footer()
            if view.buttons:
                columns = min(3 if len(view.buttons) == 3 else 2, len(view.buttons))
                rows = -(-len(view.buttons) // columns)
                low, self.body = self.body.bottom(rows * 22 + (rows - 1) * gap, gap + 2)
                self._grid(low, view.buttons, columns)
            need = {
                Layout.KEYS: 30 + gap + 4 * 30 + 3 * gap + gap + 36,
                Layout.CHOICES: 5 * 24 + 4 * gap,
                Layout.MENU: -(-len(view.choices) // 2) * 28.0
                + (-(-len(view.choices) // 2) - 1) * gap
                + (36 + gap if view.primary else 0),
            }[view.layout]
            work, heading = self.body.bottom(max(need, 20.0), gap * 2)
        self._heading(heading)
        match view.layout:
            case Layout.KEYS:
                self._keys(work)
            case Layout.CHOICES:
                self._choices(work)
            case _:
                self._menu(work)

    def _short_footer(self, strip: Box) -> None:
        cells = strip.grid(len(self.view.footer), 1, self.gap)
        for cell, button in zip(cells, self.view.footer):
            self.c.button(cell, button, self.theme.small)

    def _keys(self, work: Box) -> None:
        view, gap = self.view, self.gap
        room = work.middle(min(work.w, 200.0 if self.is_wide else 190.0), work.h)
        low, room = room.bottom(28 if self.is_wide else 36, gap)
        if view.primary:
            self.c.button(low, view.primary)
        if view.field:
            field, room = room.top(24 if self.is_wide else 30, gap)
            self._field(field, view.field)
        cells = room.grid(3, len(view.keys), gap)
        flat = [key for row in view.keys for key in row]
        for cell, key in zip(cells, flat):
            self.c.button(cell, key)

    def _choices(self, work: Box) -> None:
        count = 5
        height = min(work.h, count * 30.0)
        area = work.middle(work.w, height) if self.is_wide else work
        for cell, choice in zip(area.grid(1, count, self.gap), self.view.choices):
            self.c.button(cell, choice)

    def _menu(self, work: Box) -> None:
        view, gap = self.view, self.gap
        if view.primary:
            low, work = work.bottom(28 if self.is_wide else 36, gap)
            self.c.button(low, view.primary)
        rows = max(1, -(-len(view.choices) // 2))
        height = min(work.h, rows * 28.0 + (rows - 1) * gap)
        area = work.middle(work.w, height) if self.is_wide else work.bottom(height)[0]
        if view.primary and self.is_wide:
            area = work.bottom(height)[0]
        self._grid(area, view.choices, 2)

    # -- cards -------------------------------------------------------------

    def _notice(self, area: Box, card: Card) -> Box:
        """A polite word below what it is about; return what is left above it."""
        c, t = self.c, self.theme
        room = area.w - 10 - 38 - 18
        need = (
            c.height(card.title, room, t.body + 0.6, bold=True)
            + c.height(card.text, room, t.body)
            + 14
        )
        at, area = area.bottom(min(area.h * 0.62, max(need, 44.0)), self.gap)
        self._card(at, card, "amber_soft", "amber")
        return area

    def _card(self, at: Box, card: Card, fill: str, border: str) -> None:
        c, t = self.c, self.theme
        buttons = at.inset(5, 5).right(34.0)[0]
        inner = Box(0, 0, at.w, at.h).inset(5, 4)
        if card.buttons:
            inner = inner.left(inner.w - 34 - 4)[0]
        icon, inner = inner.left(13, 5)
        title_h = min(
            inner.h * 0.6, c.height(card.title, inner.w, t.body + 0.6, bold=True) + 0.5
        )
        text_h = min(inner.h - title_h - 2, c.height(card.text, inner.w, t.body) + 0.5)
        y = inner.y + (inner.h - title_h - text_h - 2) / 2
        parts: list[Ink | Art] = [c.art(icon, card.icon, "ink")]
        parts += c.inks(
            Box(inner.x, y, inner.w, title_h), card.title, t.body + 0.6, bold=True
        )
        if card.text:
            parts += c.inks(
                Box(inner.x, y + title_h + 2, inner.w, text_h), card.text, t.body
            )
        c.pieces.append(
            Piece(
                card.name,
                c.place(at),
                c.skin(fill, border, 3),
                tuple(parts),
                speech=f"{card.title} {card.text}".strip(),
            )
        )
        for button in card.buttons:
            self.c.button(buttons.middle(34, min(buttons.h, 26.0)), button)

    def _modal(self, card: Card) -> None:
        """A question before everything else; what is behind waits, and is dead."""
        c, t, gap = self.c, self.theme, self.gap
        c.pieces = [replace(p, key=f"behind_{p.key}", button=None) for p in c.pieces]
        glass = c.glass
        c.pieces.append(Piece("shade", c.place(glass), c.skin("shade", radius=0)))
        w = min(glass.w - 24, 240.0)
        h = 150.0 if not self.is_wide else 140.0
        box = glass.middle(w, h)
        if not self.is_wide:
            box = Box(box.x, glass.h - h - 60, w, h)
        c.sheet(card.name + "_card", box, "card")
        inner = box.inset(10, 9)
        for button in reversed(card.buttons):
            low, inner = inner.bottom(34, gap)
            c.button(low, button)
        if card.seconds:
            bar, inner = inner.bottom(5, gap + 1)
            c.pieces.append(
                Piece(
                    "meter",
                    c.place(bar),
                    c.skin("blue", radius=2.4),
                    seconds=card.seconds,
                    speech=card.text,
                )
            )
        icon, inner = inner.left(26, 7)
        c.picture("card_icon", icon, card.icon, "wait", 0.56)
        title, text = inner.top(inner.h * 0.5, 1)
        c.words(
            "card_title", title, card.title, t.prompt + 0.6, bold=True, valign="bottom"
        )
        c.words("card_text", text, card.text, t.body + 0.4, valign="top")
