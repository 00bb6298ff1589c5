"""Turns laid-out rows into ESC/POS bytes, with python-escpos' commands.

The only text in the result comes from `encode`, and dots from `picture.raster`; every
other byte is a command written here. Reads no file but the machine's fonts.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
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
from PIL import Image

from hardware.ports import Align, Cut, LinearCode, PrintRow, QrCode
from hardware.printer.encode import (
    CODE_PAGES,
    SELECT_CODE_PAGE,
    CodePages,
    clean,
    encode,
)
from hardware.printer.layout import PaperLine, lay_out, set_line
from hardware.printer.picture import centred, qr_picture, raster
from hardware.printer.typeset import DOTS_PER_CELL, draw

# `FS .`: some printers wake up reading two bytes as one Chinese character.
KANJI_OFF = b"\x1c."
INITIALIZE = HW_INIT
# `GS V B 0`: feed to the knife and cut.
CUT = b"\x1dVB\x00"
FEED_DOTS = b"\x1bJ"
TALL = TXT_SIZE + b"\x01"
NORMAL_SIZE = TXT_SIZE + b"\x00"
# Epson's `ESC ( A`, functions 98 and 99: no beep at open cover, no paper, either kind of
# error, and near end (c = 255). t1 and t2 must be there and mean nothing then.
BEEPER_OFF = b"".join(
    b"\x1b(A\x07\x00" + bytes([function, cause, 1, 100, 255, 1, 1])
    for function, cause in ((98, 48), (98, 49), (98, 50), (98, 51), (99, 48))
)
# Code 128: 11 modules a character, start, check and stop add 35, two quiet
# zones of 10 each; bars two dots wide still read on a worn printing head.
BAR_DOTS = 2
BAR_HEIGHT_DOTS = 80
# Version 40 at level M holds 2,331 bytes; four lines of a link are plenty.
LONGEST_QR_BYTES = 1000


class Model(msgspec.Struct, frozen=True):
    """What the printer at hand is and can do.

    `width` is that of its paper, in character cells. One that has no QR codes of its
    own gets them as dots. `is_beeper_off`: it knows Epson's `ESC ( A`, and is told not
    to beep when it runs out of paper or is opened.
    """

    width: int
    pages: CodePages = CODE_PAGES
    has_qr: bool = True
    is_beeper_off: bool = False

    @property
    def dots(self) -> int:
        """How many dots its paper is wide."""
        return self.width * DOTS_PER_CELL


def compose(
    rows: Iterable[PrintRow], model: Model, logo: Image.Image | None = None
) -> bytes:
    """Return the bytes that print `rows`, under the shop's logo if there is one."""
    pen = _Pen(model)
    if logo is not None:
        pen.picture(logo)
    for laid in lay_out(rows, model.width):
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

    def __init__(self, model: Model) -> None:
        self._model = model
        self._escpos = Dummy()
        self._page = model.pages[0][0]
        self._put(INITIALIZE + KANJI_OFF + SELECT_CODE_PAGE + bytes([self._page]))
        if model.is_beeper_off:
            self._put(BEEPER_OFF)

    @property
    def written(self) -> bytes:
        return bytes(self._escpos.output)

    def line(self, line: PaperLine) -> None:
        drawn = draw(line, self._model.width, self._model.pages)
        if drawn is not None:
            self._put(raster(drawn))
            return
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

    def picture(self, picture: Image.Image) -> None:
        self._put(raster(centred(picture, self._model.dots)))

    def qr(self, text: str) -> None:
        content = clean(text)
        if not content:
            return
        if len(content.encode()) > LONGEST_QR_BYTES:
            raise ValueError(
                f"{len(content.encode())} bytes are too many for a QR code"
            )
        # A longer text has more modules: smaller ones keep it on the paper.
        size = 6 if len(content.encode()) <= 80 else 4 if len(content) <= 250 else 3
        if not self._model.has_qr:
            self.picture(qr_picture(content, size, self._model.dots))
            return
        self._put(TXT_STYLE["align"]["center"])
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
        if modules * BAR_DOTS > self._model.dots:
            # Too long for this paper as bars; a QR code carries it as well.
            self.qr(content)
            for below in set_line(content, "", self._model.width):
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
        self._put(CUT)

    def _text(self, text: str) -> None:
        encoded, self._page = encode(text, self._page, self._model.pages)
        self._put(encoded)

    def _put(self, data: bytes) -> None:
        # python-escpos' documented way for bytes of one's own; `text` is never
        # used, because it lets control characters through.
        self._escpos._raw(data)
