"""Turns laid-out rows into ESC/POS bytes, with python-escpos' commands.

Pure. The only text in the result comes from `encode`; every other byte is a
command written here.
"""

from __future__ import annotations

from collections.abc import Iterable

from escpos.constants import (
    BARCODE_FONT_A,
    BARCODE_HEIGHT,
    BARCODE_TXT_BLW,
    BARCODE_TYPE_B,
    BARCODE_WIDTH,
    HW_INIT,
    QR_ECLEVEL_M,
    TXT_SIZE,
    TXT_STYLE,
)
from escpos.printer import Dummy

from hardware.ports import Align, Cut, LinearCode, PrintRow, QrCode
from hardware.printer.encode import FIRST_PAGE, SELECT_CODE_PAGE, clean, encode
from hardware.printer.layout import PaperLine, lay_out, set_line

# `FS .`: some printers wake up reading two bytes as one Chinese character.
KANJI_OFF = b"\x1c."
FEED_DOTS = b"\x1bJ"
DOTS_PER_CELL = 12
TALL = TXT_SIZE + b"\x01"
NORMAL_SIZE = TXT_SIZE + b"\x00"
# Code 128: 11 modules a character, start, check and stop add 35, two quiet
# zones of 10 each; bars two dots wide still read on a worn printing head.
BAR_DOTS = 2
BAR_HEIGHT_DOTS = 80
# Version 40 at level M holds 2,331 bytes; four lines of a link are plenty.
LONGEST_QR_BYTES = 1000


def compose(rows: Iterable[PrintRow], width: int) -> bytes:
    """Return the bytes that print `rows` on paper of `width` character cells."""
    pen = _Pen(width)
    for laid in lay_out(rows, width):
        match laid:
            case PaperLine():
                pen.line(laid)
            case QrCode(text=text):
                pen.qr(text)
            case LinearCode(text=text):
                pen.bars(text)
            case Cut():
                pen.cut()
    return pen.written


class _Pen:
    """Writes commands, and remembers what the printer is set to."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._escpos = Dummy()
        self._page = FIRST_PAGE
        self._put(HW_INIT + KANJI_OFF + SELECT_CODE_PAGE + bytes([FIRST_PAGE]))

    @property
    def written(self) -> bytes:
        return bytes(self._escpos.output)

    def line(self, line: PaperLine) -> None:
        if line.align is Align.CENTER:
            self._put(TXT_STYLE["align"]["center"])
        if line.strong:
            self._put(TXT_STYLE["bold"][True])
        if line.tall:
            self._put(TALL)
        self._text(line.text)
        self._put(b"\n")
        if line.tall:
            self._put(NORMAL_SIZE)
        if line.strong:
            self._put(TXT_STYLE["bold"][False])
        if line.align is Align.CENTER:
            self._put(TXT_STYLE["align"]["left"])

    def qr(self, text: str) -> None:
        content = clean(text)
        if not content:
            return
        if len(content.encode()) > LONGEST_QR_BYTES:
            raise ValueError(
                f"{len(content.encode())} bytes are too many for a QR code"
            )
        self._put(TXT_STYLE["align"]["center"])
        # A longer text has more modules: smaller ones keep it on the paper.
        size = 6 if len(content.encode()) <= 80 else 4 if len(content) <= 250 else 3
        # The standard wants four modules of white around it.
        quiet = FEED_DOTS + bytes([4 * size])
        self._put(quiet)
        self._escpos.qr(content, ec=QR_ECLEVEL_M, size=size, native=True)
        self._put(quiet + TXT_STYLE["align"]["left"])

    def bars(self, text: str) -> None:
        content = "".join(c if c.isascii() else "?" for c in clean(text))
        if not content:
            return
        modules = 11 * len(content) + 35 + 20
        if modules * BAR_DOTS > self._width * DOTS_PER_CELL:
            # Too long for this paper as bars; a QR code carries it as well.
            self.qr(content)
            for below in set_line(content, "", self._width):
                self.line(PaperLine(below, align=Align.CENTER))
            return
        data = b"{B" + content.replace("{", "{{").encode("ascii")
        self._put(TXT_STYLE["align"]["center"])
        self._put(BARCODE_HEIGHT + bytes([BAR_HEIGHT_DOTS]))
        self._put(BARCODE_WIDTH + bytes([BAR_DOTS]))
        self._put(BARCODE_FONT_A + BARCODE_TXT_BLW)
        self._put(BARCODE_TYPE_B["CODE128"] + bytes([len(data)]) + data)
        self._put(TXT_STYLE["align"]["left"])

    def cut(self) -> None:
        # `feed=False` is `GS V B 0`, which itself feeds to the knife.
        self._escpos.cut(feed=False)

    def _text(self, text: str) -> None:
        encoded, self._page = encode(text, self._page)
        self._put(encoded)

    def _put(self, data: bytes) -> None:
        # python-escpos' documented way for bytes of one's own; `text` is never
        # used, because it lets control characters through.
        self._escpos._raw(data)
