"""Sets receipt rows in a fixed width, without a printer in sight.

Pure: rows in, lines of known width out. Every text is cleaned here, so what is
measured is what is printed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import TypeAlias

import msgspec

from hardware.ports import Align, Cut, LinearCode, PrintRow, QrCode, Rule, TextLine
from hardware.printer.bidi import is_rtl
from hardware.printer.encode import clean, columns

# Font A is 12 dots wide; 80 mm paper prints 576 dots, 58 mm paper 384.
WIDTH_OF_PAPER = {80: 48, 58: 32}


class PaperLine(msgspec.Struct, frozen=True):
    """One line as it stands on the paper, no wider than the paper.

    `right` is what of `text` stands at the right edge. `is_rtl` says that the row's
    left text reads from the right, also where this line of it begins in Latin.
    """

    text: str
    strong: bool = False
    tall: bool = False
    align: Align = Align.LEFT
    right: str = ""
    is_rtl: bool = False

    @property
    def left(self) -> str:
        """What stands at the left edge, with its indent."""
        return self.text[: len(self.text) - len(self.right)].rstrip()


Laid: TypeAlias = PaperLine | QrCode | LinearCode | Cut


def lay_out(rows: Iterable[PrintRow], width: int) -> Iterator[Laid]:
    """Yield what the paper shows, top to bottom, in `width` character cells."""
    for row in rows:
        match row:
            case TextLine():
                reads_from_right = is_rtl(row.left)
                for text, right in _set(row.left, row.right, width):
                    yield PaperLine(
                        text, row.strong, row.tall, row.align, right, reads_from_right
                    )
            case Rule():
                yield PaperLine("─" * width)
            case QrCode() | LinearCode() | Cut():
                yield row


def set_line(left: str, right: str, width: int) -> Sequence[str]:
    """Return one or more lines with `right` whole at the paper's right edge.

    Left text wraps beside the right column, so that amounts stand alone. Its
    leading spaces are an indent that the wrapped lines share.
    """
    return [text for text, _ in _set(left, right, width)]


def as_text(rows: Iterable[PrintRow], width: int) -> str:
    """Set rows as plain text, for the screen, the journal and tests."""
    lines = []
    for laid in lay_out(rows, width):
        match laid:
            case PaperLine(text=text, align=Align.CENTER):
                lines.append(" " * ((width - columns(text)) // 2) + text)
            case PaperLine(text=text):
                lines.append(text)
            case QrCode(text=text):
                lines.append(f"[QR {clean(text)}]")
            case LinearCode(text=text):
                lines.append(f"[|| {clean(text)} ||]")
            case Cut():
                lines.append("- " * (width // 2))
    return "".join(line.rstrip() + "\n" for line in lines)


def _set(left: str, right: str, width: int) -> list[tuple[str, str]]:
    """Return whole lines, each with what of it stands at the right edge."""
    left, right = clean(left).rstrip(), clean(right).strip()
    if not right:
        return [(text, "") for text in _wrap(left, width)]
    room = width - columns(right) - 1
    if room < width // 2:
        # So wide a right column would squeeze the left: it gets lines of its own.
        above = _wrap(left, width) if left.strip() else []
        last = [(_push("", piece, width), piece) for piece in _wrap(right, width)]
        return [*((text, "") for text in above), *last]
    *above, beside = _wrap(left, room)
    return [*((text, "") for text in above), (_push(beside, right, width), right)]


def _push(left: str, right: str, width: int) -> str:
    return left + " " * (width - columns(left) - columns(right)) + right


def _wrap(text: str, width: int) -> list[str]:
    """Break cleaned text at spaces; a word longer than a line is cut in pieces."""
    if columns(text) <= width:
        return [text]
    indent = " " * min(len(text) - len(text.lstrip(" ")), width // 4)
    lines, line = [], indent
    for word in text.split():
        joined = f"{line} {word}" if line != indent else indent + word
        if columns(joined) <= width:
            line = joined
            continue
        if line != indent:
            lines.append(line)
        pieces = _pieces(word, width - len(indent))
        lines += [indent + piece for piece in pieces[:-1]]
        line = indent + pieces[-1]
    return [*lines, line]


def _pieces(word: str, width: int) -> list[str]:
    """Cut a word: between Chinese characters, and within Latin only if it must be."""
    pieces = [""]
    for unit in _units(word):
        if pieces[-1] and columns(pieces[-1] + unit) > width >= columns(unit):
            pieces.append("")
        for character in unit:
            if columns(pieces[-1] + character) > width:
                pieces.append("")
            pieces[-1] += character
    return pieces


def _units(word: str) -> Iterator[str]:
    """Yield each wide character by itself, and what stands between them whole."""
    for is_wide, characters in groupby(word, lambda c: columns(c) == 2):
        if is_wide:
            yield from characters
        else:
            yield "".join(characters)
