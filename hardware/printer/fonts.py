"""Finds a font for what a printer's own letters lack: Debian's packages, no others.

Knows files and the characters in them; draws nothing.
"""

from __future__ import annotations

import logging
import unicodedata
from functools import cache
from importlib.resources import as_file, files
from pathlib import Path

import msgspec
from fontTools.ttLib import TTFont, TTLibError
from PIL import ImageFont

from hardware.printer.encode import has_codes_for

log = logging.getLogger(__name__)

FOLDER = Path("/usr/share/fonts")
_NOTO = "truetype/noto/NotoSans{}-Regular.ttf"
# In this order: what comes first draws a character that several fonts have. Sizes
# are in dots for a line 30 dots high; Chinese is as wide as two of its cells.
_CANDIDATES: tuple[tuple[str, int], ...] = (
    *(
        (_NOTO.format(script), 22)
        for script in (
            "Arabic",
            "Hebrew",
            "Thai",
            "Devanagari",
            "Bengali",
            "Gurmukhi",
            "Gujarati",
            "Tamil",
            "Telugu",
            "Kannada",
            "Malayalam",
            "Sinhala",
            "Khmer",
            "Lao",
            "Myanmar",
            "Georgian",
            "Armenian",
            "Ethiopic",
        )
    ),
    ("truetype/wqy/wqy-microhei.ttc", 24),
    ("opentype/noto/NotoSansCJK-Regular.ttc", 23),
    ("truetype/droid/DroidSansFallbackFull.ttf", 24),
    ("truetype/dejavu/DejaVuSans.ttf", 20),
)
# Twelve dots a letter, as wide as the printer's own.
_OWN_DOTS = 20


class Font(msgspec.Struct, frozen=True):
    """A font file, the size it is drawn in, and what it has."""

    path: str
    dots: int
    characters: frozenset[int]

    def __hash__(self) -> int:
        return hash(self.path)


def fonts_of(text: str, folder: Path = FOLDER) -> list[Font | None]:
    """Return the font that draws each character; None where no font has it.

    A mark stays with its letter, and what has no shape of its own (spaces, joiners)
    with what came before.
    """
    chosen: list[Font | None] = []
    for character in text:
        before = chosen[-1] if chosen else None
        chosen.append(_font_of(character, before, folder))
    return chosen


@cache
def opened(font: Font, times: int) -> ImageFont.FreeTypeFont:
    """Return the font in its size, or in a multiple of it."""
    return ImageFont.truetype(
        font.path, font.dots * times, layout_engine=ImageFont.Layout.RAQM
    )


@cache
def own_font() -> Font:
    """Return the font that looks like the printer's own letters."""
    # It comes with python-barcode, which comes with python-escpos: always there.
    with as_file(files("barcode") / "fonts" / "DejaVuSansMono.ttf") as path:
        return _load(path, _OWN_DOTS) or Font(str(path), _OWN_DOTS, frozenset())


def _font_of(character: str, before: Font | None, folder: Path) -> Font | None:
    code = ord(character)
    category = unicodedata.category(character)
    if before is not None and (
        category[0] in "CZ" or (category[0] == "M" and code in before.characters)
    ):
        return before
    if has_codes_for(character):
        return own_font()
    for font in _installed(folder):
        if code in font.characters:
            return font
    return own_font() if code in own_font().characters else None


@cache
def _installed(folder: Path) -> tuple[Font, ...]:
    found = (_load(folder / name, dots) for name, dots in _CANDIDATES)
    return tuple(font for font in found if font is not None)


def _load(path: Path, dots: int) -> Font | None:
    try:
        with TTFont(path, fontNumber=0, lazy=True) as font:
            return Font(str(path), dots, frozenset(font.getBestCmap()))
    except FileNotFoundError:
        return None
    except (OSError, TTLibError) as error:
        log.warning("the font %s cannot be read: %s", path, error)
        return None
