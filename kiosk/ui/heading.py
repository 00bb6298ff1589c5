"""How a View's heading is set: its drawing, its question and what belongs to it."""

from __future__ import annotations

from kiosk.ui.composer import Composer
from kiosk.ui.pieces import Box, Piece
from kiosk.ui.view import Button, Field, Layout, View

_MOST_LINES = 3


def heading(c: Composer, view: View, box: Box) -> None:
    """The drawing, the question and what belongs to it, in the middle of a box."""
    t = c.theme
    room = box.w if not c.is_wide else box.w - 4
    # Portrait has the height, and is read standing: messages may be large.
    large = 1.18 if view.layout is Layout.MESSAGE and not c.is_wide else 1.0
    title_cap = t.title * large if not c.is_wide else 8
    sizes = {
        "title": (view.title, title_cap, True, "ink"),
        "big": (view.big, t.total * large, True, "ink"),
        "text": (view.text, (t.prompt - 0.8) * large, False, "ink"),
        "detail": (view.detail, t.body, False, "muted"),
    }
    if view.layout is Layout.WELCOME:
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
        most = 58.0 if c.is_wide else 76.0 * large**2
        side = min(most, spare - gap * 2, room * 0.5)
        if side < 22:
            side = 0.0
    total = words + (side + gap * 2 if side else 0)
    y = box.y + max(0.0, (box.h - total) / 2)
    if side and view.qr:
        _qr(c, view, Box(box.x, y, box.w, side))
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
        at = Box(box.x, y, box.w, row_h - 2).middle(min(box.w - 8, 220.0), row_h - 2)
        button = Button(
            f"row_{n}", row.name, kind="row", detail=row.detail, amount=row.amount
        )
        inner = Box(0, 0, at.w, at.h)
        parts = c.row_parts(inner, button, t.body)
        c.pieces.append(
            Piece(button.name, c.place(at), c.skin("card"), parts, speech=row.speech)
        )
        y += row_h
    if pictures_h:
        _pictures(c, view, Box(box.x, y + 6, box.w, pictures_h - 6))


def _pictures(c: Composer, view: View, box: Box) -> None:
    count = len(view.pictures)
    strip = box.middle(min(box.w, count * 62.0), box.h)
    for n, (cell, (icon, text)) in enumerate(
        zip(strip.grid(count, 1, c.theme.gap), view.pictures)
    ):
        picture, label = cell.top(cell.h - 11, 1)
        side = min(picture.w, picture.h)
        c.pieces.append(
            Piece(
                f"picture_{n}",
                c.place(cell),
                None,
                (
                    c.art(
                        Box((cell.w - side) / 2, 0, side, side).middle(
                            side * 0.78, side * 0.78
                        ),
                        icon,
                        "green" if view.tone == "good" else "blue",
                    ),
                    *c.inks(
                        Box(0, label.y - cell.y, cell.w, label.h),
                        text,
                        c.theme.body,
                        align="center",
                    ),
                ),
                speech=text,
            )
        )


def _qr(c: Composer, view: View, box: Box) -> None:
    side = min(box.w, box.h)
    at = box.middle(side, side)
    inner = Box(0, 0, side, side).inset(5, 5)
    c.pieces.append(
        Piece(
            "qr",
            c.place(at),
            c.skin("card", "hairline"),
            (c.art(inner, f"qr:{view.qr}", "ink"),),
            speech=view.title,
        )
    )


def field_at(c: Composer, view: View, box: Box, field: Field) -> None:
    t = c.theme
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
        align="center" if view.layout is Layout.KEYS else "left",
    )
    spoken = field.hint if field.is_masked else text
    c.pieces.append(
        Piece("field", c.place(box), c.skin("card", "blue", 3), parts, speech=spoken)
    )
