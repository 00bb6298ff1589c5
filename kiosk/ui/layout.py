"""Where everything of a View goes on a panel: information up, controls down.

Pure: a View and a panel in, pieces out, in the order they are drawn. Portrait stacks
a heading over its work; landscape sets them side by side, since 15.6 inches are only
194 mm high.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from kiosk.ui.cards import modal, notice
from kiosk.ui.composer import Composer
from kiosk.ui.environment import Panel
from kiosk.ui.heading import field_at, heading
from kiosk.ui.pieces import Art, Box, Ink, Piece
from kiosk.ui.service_layout import service
from kiosk.ui.theme import THEME, Theme
from kiosk.ui.view import Button, Layout, View
from kiosk.ui.words import words

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
        self.is_wide = composer.is_wide
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
            case Layout.SERVICE:
                service(self.c, view, self.body, self._grid)
        if view.card and view.card.is_modal:
            modal(self.c, view.card)

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
            left = notice(self.c, left, view.card)
        heading(self.c, view, left)

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
        if view.has_finder:
            head, area = area.top(30 if self.is_wide else 42, 3)
            head = self._finder(head)
        else:
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
            area = notice(self.c, area, view.card)
        self._list(area)

    def _finder(self, head: Box) -> Box:
        """What the camera sees, at the right of the heading; return the rest."""
        # Cameras see 16 by 9; another shape stands on black.
        place, rest = head.right(head.h * 16 / 9, 5)
        spoken = words(self.view.language).t("What the camera sees")
        self.c.pieces.append(
            Piece(
                "finder",
                self.c.place(place),
                is_finder=True,
                speech=spoken,
            )
        )
        return rest

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
        heading(self.c, view, self.body)

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
            field_at(self.c, view, field, view.field)
        if view.tabs:
            tabs, rest = rest.top(16 if self.is_wide else 19, gap)
            for cell, tab in zip(tabs.grid(len(view.tabs), 1, gap), view.tabs):
                self.c.button(cell, tab)
        self._tile_grid(rest)

    def _tiles_heading(self, head: Box) -> None:
        view, t = self.view, self.theme
        if view.field and self.is_wide:
            title, field = head.left(head.w * 0.4, 5)
            field_at(self.c, view, field, view.field)
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
            above, work = self.body, right
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
            work, above = self.body.bottom(max(need, 20.0), gap * 2)
        heading(self.c, view, above)
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
            field_at(self.c, view, field, view.field)
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
