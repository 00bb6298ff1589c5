"""Turns text from data into bytes a receipt printer may see.

Everything that comes from outside (product names, a terminal's receipt lines,
a shop's address) passes `encode`, and nothing else writes text. No byte below
0x20 leaves it: such a byte is a command to the printer (open the drawer, cut,
reset), and python-escpos lets them through.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache
from typing import TypeAlias

# A printer's code pages: its number for `ESC t`, and what it holds. The first page
# that knows a character is used, so the order keeps switches rare.
CodePages: TypeAlias = tuple[tuple[int, str], ...]

# Epson's numbers. Western Europe with euro sign and lines comes first.
CODE_PAGES: CodePages = (
    (19, "cp858"),
    (0, "cp437"),
    (16, "cp1252"),
    (18, "cp852"),
    (45, "cp1250"),
    (17, "cp866"),
    (46, "cp1251"),
    (47, "cp1253"),
    (48, "cp1254"),
    (51, "cp1257"),
)
# Arabic and Persian words are spelt with joiners, and marks of direction come with
# names in right-to-left scripts. They take no cell and are never sent as bytes.
ZERO_WIDTH = frozenset("\u200c\u200d\u200e\u200f\u061c")
UNPRINTABLE = "?"
SELECT_CODE_PAGE = b"\x1bt"


def clean(text: str) -> str:
    """Return `text` composed (NFC) and without control or format characters.

    Controls, format marks, surrogates and unassigned code points become "?", joiners
    and plain marks of direction stay; every separator becomes a space. Cleaning twice
    changes nothing more.
    """
    return "".join(_clean_character(c) for c in unicodedata.normalize("NFC", text))


def columns(text: str) -> int:
    """Return how many character cells cleaned text takes on the paper."""
    return sum(_columns(character) for character in text)


def encode(
    text: str, page: int | None = None, pages: CodePages = CODE_PAGES
) -> tuple[bytes, int]:
    """Return the bytes that print `text`, and the code page selected after them.

    `page` is the one selected now, by default the first. A character that no code
    page has is printed as its base letter, or as "?" in each of its cells, so that
    columns stay.
    """
    page = pages[0][0] if page is None else page
    written = bytearray()
    for character in clean(text):
        for printable in _fallback(character, pages):
            place = _place(printable, page, pages)
            if place is None:
                continue
            byte, wanted = place
            if wanted != page:
                written += SELECT_CODE_PAGE + bytes([wanted])
                page = wanted
            written.append(byte)
    return bytes(written), page


def has_codes_for(text: str, pages: CodePages = CODE_PAGES) -> bool:
    """Whether code pages can print cleaned text, accents of rare letters aside."""
    return all(
        character == UNPRINTABLE or UNPRINTABLE not in _fallback(character, pages)
        for character in text
    )


def _clean_character(character: str) -> str:
    if character in ZERO_WIDTH:
        return character
    category = unicodedata.category(character)
    if category.startswith("C"):
        return UNPRINTABLE
    return " " if category.startswith("Z") else character


def _columns(character: str) -> int:
    if character in ZERO_WIDTH or unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _place(character: str, page: int, pages: CodePages) -> tuple[int, int] | None:
    """Return a character's byte and code page, preferring the page selected now."""
    if character.isascii():
        return ord(character), page
    here = dict(pages).get(page)
    if here is not None and character in (bytes_of := _upper_half(here)):
        return bytes_of[character], page
    for number, codec in pages:
        if character in (bytes_of := _upper_half(codec)):
            return bytes_of[character], number
    return None


@cache
def _upper_half(codec: str) -> Mapping[str, int]:
    characters = {}
    # Only the upper half: the lower is ASCII, and below 0x20 codecs differ from
    # printers.
    for byte in range(0x80, 0x100):
        character = bytes([byte]).decode(codec, errors="ignore")
        # Code page 1252 and its like keep a few control characters up there.
        if (
            character
            and character not in ZERO_WIDTH
            and _clean_character(character) == character
        ):
            characters[character] = byte
    return characters


@cache
def _fallback(character: str, pages: CodePages) -> str:
    """Return what stands for a character: itself, its base letter, or "?"s."""
    first = pages[0][0]
    if _place(character, first, pages) is not None:
        return character
    apart = unicodedata.normalize("NFKD", character)
    base, marks = apart[0], apart[1:]
    is_accented = columns(marks) == 0 and columns(base) == columns(character)
    if is_accented and _place(base, first, pages) is not None:
        return clean(base)
    return UNPRINTABLE * _columns(character)
