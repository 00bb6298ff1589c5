"""Turns text from data into bytes a receipt printer may see.

Everything that comes from outside (product names, a terminal's receipt lines,
a shop's address) passes `encode`, and nothing else writes text. No byte below
0x20 leaves it: such a byte is a command to the printer (open the drawer, cut,
reset), and python-escpos lets them through.
"""

from __future__ import annotations

import unicodedata
from functools import cache

# Epson's numbers for `ESC t`. The first page that knows a character is used, so
# the order keeps switches rare: Western Europe with euro sign and lines first.
CODE_PAGES = (
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
FIRST_PAGE = CODE_PAGES[0][0]
UNPRINTABLE = "?"
SELECT_CODE_PAGE = b"\x1bt"


def clean(text: str) -> str:
    """Return `text` composed (NFC) and without control or format characters.

    Controls, format marks, surrogates and unassigned code points become "?";
    every separator becomes a space. Cleaning twice changes nothing more.
    """
    return "".join(_clean_character(c) for c in unicodedata.normalize("NFC", text))


def columns(text: str) -> int:
    """Return how many character cells cleaned text takes on the paper."""
    return sum(_columns(character) for character in text)


def encode(text: str, page: int = FIRST_PAGE) -> tuple[bytes, int]:
    """Return the bytes that print `text`, and the code page selected after them.

    `page` is the one selected now. A character that no code page has is printed
    as its base letter, or as "?" in each of its cells, so that columns stay.
    """
    written = bytearray()
    for character in clean(text):
        for printable in _fallback(character):
            place = _place(printable, page)
            if place is None:
                continue
            byte, wanted = place
            if wanted != page:
                written += SELECT_CODE_PAGE + bytes([wanted])
                page = wanted
            written.append(byte)
    return bytes(written), page


def _clean_character(character: str) -> str:
    category = unicodedata.category(character)
    if category.startswith("C"):
        return UNPRINTABLE
    return " " if category.startswith("Z") else character


def _columns(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _place(character: str, page: int) -> tuple[int, int] | None:
    """Return a character's byte and code page, preferring the page selected now."""
    if character.isascii():
        return ord(character), page
    if character in (here := _page(page)):
        return here[character], page
    for number, _ in CODE_PAGES:
        if character in (there := _page(number)):
            return there[character], number
    return None


@cache
def _page(number: int) -> dict[str, int]:
    codec = dict(CODE_PAGES)[number]
    characters = {}
    # Only the upper half: the lower is ASCII, and below 0x20 codecs differ from
    # printers.
    for byte in range(0x80, 0x100):
        character = bytes([byte]).decode(codec, errors="ignore")
        # Code page 1252 and its like keep a few control characters up there.
        if character and not unicodedata.category(character).startswith("C"):
            characters[character] = byte
    return characters


@cache
def _fallback(character: str) -> str:
    """Return what stands for a character: itself, its base letter, or "?"s."""
    if _place(character, FIRST_PAGE) is not None:
        return character
    apart = unicodedata.normalize("NFKD", character)
    base, marks = apart[0], apart[1:]
    is_accented = columns(marks) == 0 and columns(base) == columns(character)
    if is_accented and _place(base, FIRST_PAGE) is not None:
        return clean(base)
    return UNPRINTABLE * _columns(character)
