"""How the service screen is set: a heading, tabs, a table of facts or deeds, and keys.

Facts are for a technician at arm's length: they may be smaller than a shopper's words,
and the rows share the height that there is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from kiosk.ui.composer import Composer
from kiosk.ui.pieces import Art, Box, Ink, Piece
from kiosk.ui.view import Button, Row, View

_ROW_MM = 17.0
_CHOICE_MM = 30.0


def service(
    c: Composer,
    view: View,
    body: Box,
    grid: Callable[[Box, Sequence[Button], int], None],
) -> None:
    """Lay a service View out in a box; `grid` puts buttons into columns."""
    gap, t = c.theme.gap, c.theme
    head, body = body.top(14 if c.is_wide else 20, gap)
    icon, title = head.left(head.h * 0.8, 4)
    c.pieces.append(
        Piece(
            "icon",
            c.place(icon),
            None,
            (c.art(Box(0, 0, icon.w, icon.h), view.icon, "blue"),),
        )
    )
    c.words("title", title, view.title, t.prompt, bold=True)
    tabs, body = body.top(16 if c.is_wide else 20, gap)
    for cell, tab in zip(tabs.grid(len(view.tabs), 1, 2.5), view.tabs):
        c.button(cell, tab, t.small)
    columns = min(4 if c.is_wide else 2, max(2, len(view.buttons)))
    lines = -(-len(view.buttons) // columns)
    height = 17.0 if c.is_wide else 22.0
    low, body = body.bottom(lines * height + (lines - 1) * gap, gap + 1)
    for cell, button in zip(low.grid(columns, lines, gap), view.buttons):
        c.button(cell, button, t.small)
    if view.choices:
        rows = -(-len(view.choices) // 2)
        most = rows * _CHOICE_MM + (rows - 1) * gap
        grid(body.top(min(body.h, most))[0], view.choices, 2)
    if view.rows:
        _table(c, view.rows, body)


def _table(c: Composer, rows: tuple[Row, ...], body: Box) -> None:
    """Names at the left, what is so at the right; `long` rows take two heights."""
    weights = [2 if row.kind == "long" else 1 for row in rows]
    each = min(_ROW_MM, (body.h - 4) / sum(weights))
    card, _ = body.top(each * sum(weights) + 4)
    c.sheet("table", card, "card", "hairline")
    y = card.y + 2
    for n, (row, weight) in enumerate(zip(rows, weights)):
        at = Box(card.x, y, card.w, each * weight)
        y += at.h
        parts = _row(c, Box(0, 0, at.w, at.h).inset(5, 0.6), row)
        c.pieces.append(Piece(f"row_{n}", c.place(at), None, parts, speech=row.speech))


def _row(c: Composer, box: Box, row: Row) -> tuple[Ink | Art, ...]:
    t = c.theme
    name, value = box.left(box.w * 0.26, 3)
    parts = [*c.line_of(name, row.name, t.small, colour="muted")]
    if row.detail:
        detail, value = value.left(box.w * 0.22, 3)
        parts += c.line_of(detail, row.detail, t.small, colour="muted")
    colour = "red" if row.kind == "bad" else "ink"
    # One line where it fits; else smaller, over two.
    fits = len(c.setting(row.amount, value, t.small, bold=True).lines) == 1
    size = t.small if fits else t.least
    return (*parts, *c.inks(value, row.amount, size, bold=True, colour=colour))
