"""Draws what an ESC/POS printer would put on paper, dot for dot.

Knows commands and a roll of paper; knows no socket, no fault and no file.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from functools import cache
from importlib.resources import as_file, files

import qrcode
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from hardware.printer.encode import CODE_PAGES, columns
from hardware.simulated.code128 import modules
from hardware.simulated.escpos_parse import Command, Feed, Piece, Text

# 8 dots a millimetre, as receipt printers have; drawn twice as fine for the eye.
DOTS_OF_PAPER = {80: 576, 58: 384}
MARGIN_DOTS = 32
SCALE = 2
CELL_DOTS = 12
CELL_HEIGHT_DOTS = 24
LINE_DOTS = 30
INK = (38, 36, 44)
PAPER = (253, 252, 248)
TOOTH_DOTS = 8
SHADOW_DOTS = 14
QR_LEVELS = {
    48: qrcode.constants.ERROR_CORRECT_L,
    49: qrcode.constants.ERROR_CORRECT_M,
    50: qrcode.constants.ERROR_CORRECT_Q,
    51: qrcode.constants.ERROR_CORRECT_H,
}


@dataclass(frozen=True)
class PieceOfPaper:
    """What hung from the printer when it was cut or torn off."""

    strips: list[Image.Image]
    width_dots: int
    text: str

    def picture(self) -> Image.Image:
        """Draw it with its edges. Takes a good part of a second."""
        return _finish(self.strips, self.width_dots)


class Paper:
    """The piece of paper between two cuts, and what the printer is set to."""

    def __init__(self, width_mm: int) -> None:
        self._width = DOTS_OF_PAPER[width_mm]
        self._strips: list[Image.Image] = []
        self._words: list[str] = []
        self._line: list[tuple[str, bool, int, int]] = []
        self._qr = b""
        self.reset()

    @property
    def text(self) -> str:
        """What a reader would see, one line of paper to a line."""
        return "".join(word + "\n" for word in self._words)

    @property
    def is_blank(self) -> bool:
        """Whether nothing was printed since the last cut."""
        return not self._words and not self._line

    def reset(self) -> None:
        """`ESC @`: forget every setting."""
        self._page, self._align, self._bold, self._size = 0, 0, False, 0
        self._line_dots = LINE_DOTS
        self._bar_height, self._bar_dots, self._bar_text = 162, 3, 0
        self._qr_dots, self._qr_level = 3, 48
        self._line.clear()

    def take(self, piece: Piece) -> None:
        """Print, set or ignore one piece of the stream."""
        match piece:
            case Text(data):
                self._type(data.decode(_codec(self._page), errors="replace"))
            case Feed():
                self._feed()
            case Command(name, arguments):
                self._obey(name, arguments)

    def tear_off(self) -> PieceOfPaper:
        """Return the piece as it hangs from the printer, and begin a new one."""
        if self._line:
            self._feed()
        torn = PieceOfPaper(self._strips, self._width, self.text)
        self._strips, self._words = [], []
        return torn

    def _obey(self, name: str, arguments: bytes) -> None:
        number = arguments[0] if arguments else 0
        match name:
            case "ESC @":
                self.reset()
            case "ESC t":
                self._page = number
            case "ESC a":
                self._align = number % 48
            case "ESC E" | "ESC G":
                self._bold = bool(number & 1)
            case "ESC !":
                self._bold = bool(number & 0x08)
                self._size = (number >> 4 & 1) | (number & 0x20) >> 1
            case "GS !":
                self._size = number
            case "ESC 2":
                self._line_dots = LINE_DOTS
            case "ESC 3":
                self._line_dots = number
            case "ESC d":
                for _ in range(number):
                    self._feed()
            case "ESC J":
                self._strips.append(self._blank(number))
            case "GS h":
                self._bar_height = number
            case "GS w":
                self._bar_dots = number
            case "GS H":
                self._bar_text = number % 48
            case "GS k":
                self._bars(arguments)
            case "GS (":
                self._two_dimensional(arguments)
            case "GS v":
                self._raster(arguments)
            case _:
                # Nothing that shows on paper.
                pass

    def _type(self, text: str) -> None:
        for character in text:
            cells = columns(character) * (1 + (self._size >> 4 & 7))
            used = sum(entry[3] for entry in self._line)
            if (used + cells) * CELL_DOTS > self._width:
                # As real printers do: a full line prints itself.
                self._feed()
            self._line.append((character, self._bold, self._size, cells))

    def _feed(self) -> None:
        line, self._line = list(self._line), []
        self._words.append("".join(entry[0] for entry in line).rstrip())
        tallest = max((1 + (size & 7) for _, _, size, _ in line), default=1)
        extra = CELL_HEIGHT_DOTS * (tallest - 1)
        strip = self._blank(self._line_dots + extra)
        used = sum(cells for *_, cells in line) * CELL_DOTS
        left = {1: (self._width - used) // 2, 2: self._width - used}.get(self._align, 0)
        for character, bold, size, cells in line:
            high = 1 + (size & 7)
            glyph = _glyph(character, bold, cells, high)
            bottom = self._line_dots + extra - (LINE_DOTS - CELL_HEIGHT_DOTS) // 2
            strip.paste(
                255,
                (left * SCALE, bottom * SCALE - glyph.height),
                glyph,
            )
            left += cells * CELL_DOTS
        self._strips.append(strip)

    def _blank(self, height_dots: int) -> Image.Image:
        return Image.new("L", (self._width * SCALE, max(1, height_dots) * SCALE), 0)

    def _place(self, picture: Image.Image) -> None:
        """Put a picture of one pixel a dot on the paper, as it is aligned."""
        room = self._width - picture.width
        if room < 0:
            # A printer leaves out what does not fit beside its edges.
            return
        left = {1: room // 2, 2: room}.get(self._align, 0)
        strip = Image.new("L", (self._width, picture.height), 0)
        strip.paste(picture, (left, 0))
        self._strips.append(
            strip.resize((self._width * SCALE, picture.height * SCALE), 0)
        )

    def _bars(self, arguments: bytes) -> None:
        if arguments[0] != 73:
            self._words.append("[barcode of another kind]")
            return
        try:
            bars, text = modules(arguments[2:])
        except ValueError as error:
            self._words.append(f"[no barcode: {error}]")
            return
        picture = Image.new("L", (len(bars), 1), 0)
        picture.putdata([255 * int(bar) for bar in bars])
        size = (len(bars) * self._bar_dots, self._bar_height)
        self._place(picture.resize(size, 0))
        if self._bar_text & 2:
            bold, size_before = self._bold, self._size
            self._bold, self._size = False, 0
            self._type(text)
            self._feed()
            self._bold, self._size = bold, size_before
        else:
            self._words.append(text)

    def _two_dimensional(self, arguments: bytes) -> None:
        if arguments[:1] != b"k" or arguments[3:4] != b"1":
            return
        function, data = arguments[4], arguments[5:]
        match function:
            case 67:
                self._qr_dots = data[0]
            case 69:
                self._qr_level = data[0]
            case 80:
                self._qr = data[1:]
            case 81:
                code = qrcode.QRCode(
                    error_correction=QR_LEVELS[self._qr_level], border=0
                )
                code.add_data(self._qr)
                matrix = code.get_matrix()
                picture = Image.new("L", (len(matrix), len(matrix)), 0)
                picture.putdata([255 * dark for row in matrix for dark in row])
                side = len(matrix) * self._qr_dots
                self._place(picture.resize((side, side), 0))
                self._words.append(f"[QR {self._qr.decode(errors='replace')}]")
            case _:
                pass

    def _raster(self, arguments: bytes) -> None:
        width = arguments[2] + 256 * arguments[3]
        height = arguments[4] + 256 * arguments[5]
        if width and height:
            bits = Image.frombytes("1", (width * 8, height), arguments[6:])
            self._place(bits.convert("L"))
            self._words.append("[picture]")


def _codec(page: int) -> str:
    return dict(CODE_PAGES).get(page, "cp437")


@cache
def _font(pixels: int) -> ImageFont.FreeTypeFont:
    # Comes with python-barcode, which comes with python-escpos: always there.
    with as_file(files("barcode") / "fonts" / "DejaVuSansMono.ttf") as path:
        return ImageFont.truetype(str(path), pixels)


@cache
def _glyph(character: str, bold: bool, cells: int, high: int) -> Image.Image:
    """Return a character as a mask; lines are drawn edge to edge, as in the ROM."""
    size = (CELL_DOTS * SCALE * max(1, cells), CELL_HEIGHT_DOTS * SCALE * high)
    cell = (CELL_DOTS * SCALE, CELL_HEIGHT_DOTS * SCALE)
    mask = Image.new("L", cell, 0)
    pen = ImageDraw.Draw(mask)
    if character == "─":
        pen.rectangle((0, cell[1] // 2 - 1, cell[0], cell[1] // 2), fill=255)
    else:
        # A bold character is struck again, half a dot aside.
        for left in (0, 1, 2) if bold else (0,):
            pen.text((left, 19 * SCALE), character, 255, _font(20 * SCALE), anchor="ls")
    return mask if cell == size else mask.resize(size, Image.Resampling.LANCZOS)


def _finish(strips: list[Image.Image], width: int) -> Image.Image:
    """Glue the strips to one receipt with torn edges, a grain and a shadow."""
    margin, tooth, shadow = (n * SCALE for n in (MARGIN_DOTS, TOOTH_DOTS, SHADOW_DOTS))
    above, below = 3 * tooth, 5 * tooth
    inner = sum(strip.height for strip in strips)
    size = (width * SCALE + 2 * margin, inner + above + below)
    ink = Image.new("L", size, 0)
    top = above
    for strip in strips:
        ink.paste(strip, (margin, top))
        top += strip.height
    sheet = Image.new("RGB", size, PAPER)
    sheet.paste((228, 225, 214), (0, 0), _grain(size))
    sheet.paste(INK, (0, 0), ink.point(lambda v: v * 245 // 255))
    outline = _torn_outline(size, tooth)
    whole = (size[0] + 2 * shadow, size[1] + 2 * shadow)
    cast = Image.new("L", whole, 0)
    cast.paste(outline.point(lambda v: v * 90 // 255), (shadow, shadow + SCALE * 3))
    picture = Image.new("RGBA", whole, (0, 0, 0, 0))
    # Blurred small: a shadow has no detail, and receipts can be metres long.
    small = cast.resize((whole[0] // 4, whole[1] // 4))
    soft = small.filter(ImageFilter.GaussianBlur(shadow // 12))
    picture.putalpha(soft.resize(whole))
    picture.paste(sheet, (shadow, shadow), outline)
    return picture


@cache
def _grain_tile() -> Image.Image:
    # Seeded, so that a receipt is always the same picture.
    side = 512
    noise = Image.frombytes("L", (side, side), random.Random(1).randbytes(side**2))
    soft = noise.filter(ImageFilter.GaussianBlur(2))
    return soft.point(lambda value: abs(value - 128) // 2)


def _grain(size: tuple[int, int]) -> Image.Image:
    """Thermal paper is never quite even: return where it is greyer."""
    tile, grain = _grain_tile(), Image.new("L", size)
    for top in range(0, size[1], tile.height):
        for left in range(0, size[0], tile.width):
            grain.paste(tile, (left, top))
    return grain


def _torn_outline(size: tuple[int, int], tooth: int) -> Image.Image:
    """Return the paper's shape: straight sides, zig-zag where the knife went."""
    outline = Image.new("L", size, 0)
    width, height = size
    teeth = round(width / (2 * tooth))
    step = width / (2 * teeth)
    top = [(i * step, tooth if i % 2 == 0 else 0) for i in range(2 * teeth + 1)]
    bottom = [(x, height - 1 - y) for x, y in reversed(top)]
    ImageDraw.Draw(outline).polygon([*top, *bottom], fill=255)
    return outline
