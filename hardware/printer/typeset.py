"""Draws a line that the printer has no letters for, as dots across the paper.

Arabic and Hebrew, shaped and ordered; Chinese, Thai and what else Debian's fonts
have. Draws lines of text only: `picture.py` makes bytes of them.
"""

from __future__ import annotations

import logging
from pathlib import Path

from PIL import Image, ImageChops, ImageDraw, features

from hardware.ports import Align
from hardware.printer import bidi
from hardware.printer.encode import UNPRINTABLE, CodePages, columns, has_codes_for
from hardware.printer.fonts import FOLDER, Font, fonts_of, opened, own_font
from hardware.printer.layout import PaperLine

log = logging.getLogger(__name__)

DOTS_PER_CELL = 12
# As the printer's own lines are: letters of 24 dots in a line of 30.
LINE_DOTS = 30
BASELINE_DOTS = 22
# Drawn so much larger and made smaller: a printer knows no grey.
FINER = 2
# What is darker becomes a dot. Thin strokes must not break.
DARK = 100


def draw(
    line: PaperLine, width: int, pages: CodePages, folder: Path = FOLDER
) -> Image.Image | None:
    """Return a line as dots (mode "1", set is black) as wide as the paper.

    None when the printer's own letters do as well: it has codes for all of the text,
    or this machine has no font for the rest of it.
    """
    if has_codes_for(line.text, pages) or not _can_draw():
        return None
    drawn = _Drawn(folder)
    left, right = drawn.known(line.left), drawn.known(line.right)
    if has_codes_for(left + right, pages):
        return None
    high = 2 if line.tall else 1
    whole = width * DOTS_PER_CELL
    band = Image.new("1", (whole, LINE_DOTS * high), 0)
    right_room = columns(right) * DOTS_PER_CELL
    left_room = whole - right_room - (DOTS_PER_CELL if right else 0)
    text = left.lstrip(" ")
    indent = (len(left) - len(text)) * DOTS_PER_CELL
    if text:
        strip = drawn.strip(text, line.is_rtl, high, line.strong, left_room - indent)
        at = (whole - strip.width) // 2 if line.align is Align.CENTER else indent
        band.paste(1, (at, 0), strip)
    if right:
        is_rtl = bidi.is_rtl(right)
        strip = drawn.strip(right, is_rtl, high, line.strong, right_room)
        band.paste(1, (whole - strip.width, 0), strip)
    return band


class _Drawn:
    """Draws with the fonts of one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def known(self, text: str) -> str:
        """Return text with "?" for what no font has, in each of its cells."""
        fonts = fonts_of(text, self._folder)
        missing = {c for c, font in zip(text, fonts) if font is None and columns(c)}
        if missing:
            names = " ".join(f"U+{ord(c):04X}" for c in sorted(missing)[:8])
            log.warning("no font here has %s: printed as '?'", names)
        return "".join(
            UNPRINTABLE * columns(c) if font is None else c
            for c, font in zip(text, fonts)
        )

    def strip(
        self, text: str, is_rtl: bool, high: int, strong: bool, room: int
    ) -> Image.Image:
        """Return text as dots, no wider than `room`: condensed where it must be."""
        pieces = [
            _piece(piece, font, run.is_rtl, high)
            for run in bidi.visual_runs(text, is_rtl)
            for piece, font in self._of_one_font(run)
        ]
        size = (sum(piece.width for piece in pieces) or 1, pieces[0].height)
        ink = Image.new("L", size, 0)
        left = 0
        for piece in pieces:
            ink.paste(piece, (left, 0))
            left += piece.width
        ink = _in_line(ink, LINE_DOTS * FINER * high)
        wide = max(1, min(-(-ink.width // (FINER * high)), room - strong))
        small = ink.resize((wide, ink.height // FINER), Image.Resampling.BOX)
        dots = small.point(lambda grey: 255 * (grey >= DARK))
        if strong:
            # Struck again a dot aside, as a printer does.
            whole = Image.new("L", (dots.width + 1, dots.height), 0)
            whole.paste(dots, (1, 0))
            dots = ImageChops.lighter(whole, dots.crop((0, 0, *whole.size)))
        return dots.convert("1", dither=Image.Dither.NONE)

    def _of_one_font(self, run: bidi.Run) -> list[tuple[str, Font]]:
        """Split a run where the font changes, from left to right."""
        pieces: list[tuple[str, Font]] = []
        for character, font in zip(run.text, fonts_of(run.text, self._folder)):
            font = font or own_font()
            if pieces and pieces[-1][1].path == font.path:
                pieces[-1] = (pieces[-1][0] + character, font)
            else:
                pieces.append((character, font))
        return pieces[::-1] if run.is_rtl else pieces


def _piece(text: str, font: Font, is_rtl: bool, high: int) -> Image.Image:
    """Draw text of one font and direction, larger than it will be."""
    times = FINER * high
    face = opened(font, times)
    direction = "rtl" if is_rtl else "ltr"
    wide = max(1, round(face.getlength(text, direction=direction)))
    # A line of room above and below for marks upon marks.
    piece = Image.new("L", (wide, 3 * LINE_DOTS * times), 0)
    baseline = (LINE_DOTS + BASELINE_DOTS) * times
    ImageDraw.Draw(piece).text(
        (0, baseline), text, 255, face, anchor="ls", direction=direction
    )
    return piece


def _in_line(ink: Image.Image, height: int) -> Image.Image:
    """Return the middle third, moved or made lower so that it holds all of the ink."""
    _, top, _, bottom = ink.getbbox() or (0, height, 0, height)
    if bottom - top > height:
        return ink.crop((0, top, ink.width, bottom)).resize((ink.width, height))
    start = min(max(height, bottom - height), top)
    return ink.crop((0, start, ink.width, start + height))


def _can_draw() -> bool:
    if features.check("raqm") and bidi.is_there():
        return True
    log.warning("libfribidi0 is missing: scripts without a code page print as '?'")
    return False
