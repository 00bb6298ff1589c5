"""What may be kept of a ZVT message: everything but card data. Pure.

card-terminals.md, section 10; PCI DSS 3.3: tracks, codes and chip data are never
stored, a card number only with its middle hidden. Nothing outside this package's
codec sees a message before it went through here.
"""

from __future__ import annotations

from msgspec.structs import replace

from hardware.terminal.redact import mask, redact_text
from hardware.terminal.zvt_fields import Bitmaps
from hardware.terminal.zvt_tlv import Tlv, Tree

PAN = 0x22
# Expiry, tracks 1 to 3, chip data, security code, card sequence, EF info.
DROPPED = frozenset({0x0E, 0x17, 0x23, 0x24, 0x2D, 0x2E, 0x3A, 0xA7, 0xD1, 0xAF})
# Tracks, card number, card ids, IBAN and its kin.
DROPPED_TAGS = frozenset(
    {0x1F08, 0x1F09, 0x1F0A, 0x1F1A, 0x1F14, 0x4C, 0x1F5E, 0x1F5F, 0x1F31, 0x1F3E}
)
# Texts that terminals print or show: line, and the two EMV blocks for receipts.
_TEXT_TAGS = frozenset({0x07, 0x46, 0x47, 0x1F17})
_TEXTS = frozenset({0x3C, 0x8B, *range(0xE1, 0xE9), *range(0xF1, 0xF9)})


def redact(bitmaps: Bitmaps) -> tuple[Bitmaps, str]:
    """Return the bitmaps without card data, and the card number with its middle hidden
    (empty where there is none)."""
    pan = ""
    kept: list[tuple[int, bytes]] = []
    before_tlv = 0
    for place, (name, value) in enumerate(bitmaps.values):
        if name == PAN:
            pan = masked_pan(value)
        elif name not in DROPPED:
            kept.append((name, _text(value) if name in _TEXTS else value))
            if bitmaps.tlv_at is not None and place < bitmaps.tlv_at:
                before_tlv += 1
    return (
        replace(
            bitmaps,
            values=tuple(kept),
            tlv=_redacted(bitmaps.tlv),
            tlv_at=None if bitmaps.tlv_at is None else before_tlv,
        ),
        pan,
    )


def masked_pan(value: bytes) -> str:
    """Return BMP 22 as it may be shown. Nibble E is a digit that the terminal hid
    already, F fills up, D would begin a track."""
    shown = ""
    for nibble in value.hex():
        if nibble in "df":
            break
        shown += "*" if not nibble.isdecimal() else nibble
    return mask(shown)


def _redacted(tree: Tree) -> Tree:
    return tuple(
        replace(
            tlv,
            value=_redacted(tlv.value)
            if isinstance(tlv.value, tuple)
            else _text(tlv.value)
            if tlv.tag in _TEXT_TAGS
            else tlv.value,
        )
        for tlv in tree
        if not _is_dropped(tlv)
    )


def _is_dropped(tlv: Tlv) -> bool:
    return tlv.tag in DROPPED_TAGS


def _text(value: bytes) -> bytes:
    # Card numbers are ASCII digits in every code page a terminal uses.
    return redact_text(value.decode("latin-1")).encode("latin-1")
