"""Makes raster commands of pictures: lines drawn as dots, a shop's logo, QR codes.

Bounded: no picture is larger than a receipt has room for. Nothing of a picture can be
taken for a real-time request.
"""

from __future__ import annotations

import re
from pathlib import Path

import qrcode
from PIL import Image, ImageOps

RASTER = b"\x1dv0\x00"
# Low enough for the memory of the smallest printers.
BAND_DOTS = 128
LOGO_HEIGHT_DOTS = 400
# A logo is a drawing, not a photograph of the shop.
LOGO_PIXELS = 16_000_000
# Epson on DLE EOT, DLE ENQ and DLE DC4: they are obeyed also in the middle of other
# commands' data. One dot more after these sixteen breaks the request.
_REAL_TIME = re.compile(rb"\x10(?=[\x04\x05\x14])")


class NoPicture(Exception):
    """A picture file cannot be printed. The words are the technician's."""


def raster(picture: Image.Image) -> bytes:
    """Return the commands that print a picture of mode "1", where set is black."""
    across = -(-picture.width // 8)
    commands = bytearray()
    for top in range(0, picture.height, BAND_DOTS):
        bottom = min(top + BAND_DOTS, picture.height)
        band = picture.crop((0, top, across * 8, bottom))
        size = across.to_bytes(2, "little") + (bottom - top).to_bytes(2, "little")
        commands += RASTER + size + _REAL_TIME.sub(b"\x18", band.tobytes())
    return bytes(commands)


def logo(path: Path, width_dots: int) -> Image.Image:
    """Return a shop's logo as dots, no wider than the paper. Raises `NoPicture`.

    Transparent places stay white; grey is dithered.
    """
    try:
        with Image.open(path) as read:
            if read.width * read.height > LOGO_PIXELS:
                raise NoPicture(f"{path} has too many pixels")
            colours = read.convert("RGBA")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise NoPicture(f"{path}: {error}") from error
    sheet = Image.new("RGBA", colours.size, "white")
    sheet.alpha_composite(colours)
    grey = ImageOps.invert(sheet.convert("L"))
    shrink = min(1.0, width_dots / grey.width, LOGO_HEIGHT_DOTS / grey.height)
    size = (max(1, round(grey.width * shrink)), max(1, round(grey.height * shrink)))
    return grey.resize(size).convert("1", dither=Image.Dither.FLOYDSTEINBERG)


def qr_picture(text: str, size: int, width_dots: int) -> Image.Image:
    """Return a QR code of level M with its margin, in modules of `size` dots.

    Smaller modules where it would not fit the paper.
    """
    code = qrcode.QRCode(error_correction=qrcode.constants.ERROR_CORRECT_M, border=4)
    code.add_data(text.encode())
    matrix = code.get_matrix()
    side = len(matrix)
    picture = Image.new("1", (side, side), 0)
    picture.putdata([255 * dark for row in matrix for dark in row])
    dots = side * max(1, min(size, width_dots // side))
    return picture.resize((dots, dots), Image.Resampling.NEAREST)


def centred(picture: Image.Image, width_dots: int) -> Image.Image:
    """Return a picture in the middle of the paper's width."""
    whole = Image.new("1", (width_dots, picture.height), 0)
    whole.paste(picture, ((width_dots - picture.width) // 2, 0))
    return whole
