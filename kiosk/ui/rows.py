"""How a row of the basket's list is set: count, name, what is known of it, amount.

Pure, and remembered: the same row is set once however often it scrolls by.
"""

from __future__ import annotations

from functools import lru_cache

from kiosk.ui.pieces import Ink
from kiosk.ui.theme import CAPITAL, LINE, THEME
from kiosk.ui.typeset import drawable, elided, width
from kiosk.ui.view import Row

# Shares of the row's height: type, and the frame left and right.
_TYPE = THEME.body / CAPITAL / THEME.row
_SMALL = THEME.small / CAPITAL / THEME.row
_FRAME = 5 / THEME.row
_COUNT = 14 / THEME.row


@lru_cache(maxsize=2048)
def row_parts(row: Row, is_newest: bool, room: int, height: int) -> tuple[Ink, ...]:
    """Return the words of a row: count, name, detail, amount, from its bottom left."""
    px, small = round(height * _TYPE), round(height * _SMALL)
    line, small_line = round(px * LINE), round(small * LINE)
    frame, count_w = round(height * _FRAME), round(height * _COUNT)
    is_extra = row.kind in {"discount", "deposit"}
    bold = is_newest or row.kind == "discount"
    colour = {"discount": THEME.green, "deposit": THEME.muted}.get(row.kind, THEME.ink)
    y = (height - line) // 2
    amount_w = round(width(row.amount, px, True)) + 2
    left = frame + count_w
    free = room - left - frame - amount_w - frame
    detail = drawable(row.detail)
    # Detail stands behind the name where there is room for both.
    detail_w = round(width(detail, small, False)) + 2 if detail else 0
    name_room = free - (detail_w + frame if detail else 0)
    name = elided(drawable(row.name), px, bold, float(max(name_room, height)))
    name_w = round(width(name, px, bold)) + 2
    count_bold = is_newest and not is_extra
    return (
        Ink(row.count, frame, y, count_w, line, px, THEME.muted, count_bold),
        Ink(name, left, y, name_w, line, px, colour, bold),
        Ink(
            detail,
            left + name_w + frame,
            # On the same base line as the name: both fonts sink by the same share.
            y + round((line - small_line) * 0.215),
            detail_w,
            small_line,
            small,
            THEME.muted,
        ),
        Ink(
            row.amount,
            room - frame - amount_w,
            y,
            amount_w,
            line,
            px,
            colour,
            is_newest or not is_extra,
            "right",
        ),
    )
