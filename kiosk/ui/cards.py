"""Words in front of the screen: a notice beside which one goes on, or a question."""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.ui.composer import Composer
from kiosk.ui.pieces import Art, Box, Ink, Piece
from kiosk.ui.view import Card


def notice(c: Composer, area: Box, card: Card) -> Box:
    """A polite word below what it is about; return what is left above it."""
    t = c.theme
    room = area.w - 10 - 38 - 18
    need = (
        c.height(card.title, room, t.body + 0.6, bold=True)
        + c.height(card.text, room, t.body)
        + 14
    )
    at, area = area.bottom(min(area.h * 0.62, max(need, 44.0)), c.theme.gap)
    _card(c, at, card, "amber_soft", "amber")
    return area


def _card(c: Composer, at: Box, card: Card, fill: str, border: str) -> None:
    t = c.theme
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
        c.button(buttons.middle(34, min(buttons.h, 26.0)), button)


def modal(c: Composer, card: Card) -> None:
    """A question before everything else; what is behind waits, and is dead."""
    t, gap = c.theme, c.theme.gap
    c.pieces = [replace(p, key=f"behind_{p.key}", button=None) for p in c.pieces]
    glass = c.glass
    c.pieces.append(Piece("shade", c.place(glass), c.skin("shade", radius=0)))
    w = min(glass.w - 24, 240.0)
    h = 150.0 if not c.is_wide else 140.0
    box = glass.middle(w, h)
    if not c.is_wide:
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
    c.words("card_title", title, card.title, t.prompt + 0.6, bold=True, valign="bottom")
    c.words("card_text", text, card.text, t.body + 0.4, valign="top")
