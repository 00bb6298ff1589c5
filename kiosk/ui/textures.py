"""Textures for words, drawings and rounded corners, each made once and kept a while.

Text is never markup: a product's name cannot format, link or break the screen.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import qrcode
from kivy.core.text import Label as CoreLabel
from kivy.core.text import LabelBase
from kivy.graphics.texture import Texture
from PIL import Image, ImageOps

from kiosk.ui.drawings import drawing, rounded
from kiosk.ui.environment import FONTS, check_fonts

# Kivy's own default name: whatever draws text without being told gets Noto Sans.
FONT = "Roboto"
# Characters; an address of a receipt is shorter.
_LONG_QR = 150


def register_fonts() -> None:
    """Make Noto Sans the screen's font; raises FontMissing in the operator's words."""
    check_fonts()
    LabelBase.register(FONT, str(FONTS["regular"]), fn_bold=str(FONTS["bold"]))


# The fullest screen has about 100 texts; a texture's memory is the machine's own
# where there is no graphics chip.
@lru_cache(maxsize=512)
def text(words: str, px: int, bold: bool) -> Any:
    """Return a line of white words; the colour is the drawing's."""
    label = CoreLabel(
        text=words, font_size=px, font_name=FONT, bold=bold, color=(1, 1, 1, 1)
    )
    label.refresh()
    return label.texture


@lru_cache(maxsize=64)
def picture(name: str, px: int, colour: str) -> Any:
    """Return a drawing or, for `qr:` and an address, its code."""
    if name.startswith("qr:"):
        return _texture(_qr(name.removeprefix("qr:"), px), smooth=False)
    return _texture(drawing(name, px, colour))


@lru_cache(maxsize=32)
def skin(radius: int, fill: str, border: str, line: int) -> Any:
    """Return a rounded rectangle to be stretched by its middle."""
    return _texture(rounded(radius, fill, border, line))


def _texture(image: Image.Image, *, smooth: bool = True) -> Any:
    made = Texture.create(size=image.size, colorfmt="rgba")
    if not smooth:
        made.mag_filter = made.min_filter = "nearest"
    upright = ImageOps.flip(image.convert("RGBA"))
    made.blit_buffer(upright.tobytes(), colorfmt="rgba", bufferfmt="ubyte")
    return made


def _qr(address: str, px: int) -> Image.Image:
    # A long code is read off clean glass: larger modules help more than spare ones.
    level = "M" if len(address) <= _LONG_QR else "L"
    correction = getattr(qrcode.constants, f"ERROR_CORRECT_{level}")
    code = qrcode.QRCode(error_correction=correction, border=2, box_size=1)
    code.add_data(address)
    code.make(fit=True)
    modules = code.get_matrix()
    side = len(modules)
    image = Image.new("RGB", (side, side), "#FFFFFF")
    for y, line in enumerate(modules):
        for x, is_dark in enumerate(line):
            if is_dark:
                image.putpixel((x, y), (0, 0, 0))
    # Whole pixels for each module, or a phone sees bars of two widths.
    whole = side * max(1, px // side)
    large = image.resize((whole, whole), Image.Resampling.NEAREST)
    canvas = Image.new("RGB", (px, px), "#FFFFFF")
    canvas.paste(large, ((px - whole) // 2, (px - whole) // 2))
    return canvas
