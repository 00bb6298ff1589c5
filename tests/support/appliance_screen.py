"""What the booted machine's screen shows, told from its pixels.

Pictures are compared by region with those that `image-build/screenshots` keeps, and the
lines of a basket are counted. Words are read by Tesseract, in English.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from functools import cache
from io import BytesIO
from pathlib import Path

from msgspec.structs import replace
from PIL import Image, ImageChops, ImageStat

from kiosk.machine import DEVELOPMENT
from kiosk.ui.environment import Panel
from kiosk.ui.gallery import views
from kiosk.ui.layout import arrange
from kiosk.ui.presenter import present
from kiosk.ui.service_gallery import MACHINE

SCREENSHOTS = Path(__file__).parents[2] / "image-build" / "screenshots"
Box = tuple[int, int, int, int]
# Places on the glass of 1024 x 768 pixels, as the development variant has it.
START_BUTTON: Box = (546, 234, 1000, 402)
BATTERY_BANNER: Box = (0, 32, 1024, 64)
RECEIPT_BUTTONS: Box = (24, 530, 1000, 676)
OFFLINE_BANNER: Box = (0, 32, 1024, 64)
# The check mark of a terminal that was tried.
TRIED: Box = (400, 150, 620, 350)
TABS: Box = (20, 70, 1004, 150)
PICTURE: Box = (380, 40, 640, 310)
STAFF_MENU: Box = (440, 290, 1004, 520)
# Where a technician at an idle lane finds Service.
SERVICE = (858, 454)
# As the tests' lane.toml has it.
_PANEL = Panel(1024, 768, 15.0)
_DEVELOPMENT = replace(MACHINE, release=replace(MACHINE.release, variant=DEVELOPMENT))
# A frame that differs by more in the mean, of 255, shows something else.
_LARGEST_DIFFERENCE = 6.0
# A basket's lines: their prices' column, the first line's top, each line's height.
_PRICES = (500, 570)
_FIRST_TOP, _HEIGHT = 127, 47
_ROWS = 12
_INK = 110


def like(name: str, box: Box) -> Callable[[Image.Image], bool]:
    """Return what tells whether a picture shows, in that box, what a kept one does."""
    with Image.open(SCREENSHOTS / f"{name}.png") as kept:
        wanted = kept.convert("RGB").crop(box)

    def is_like(picture: Image.Image) -> bool:
        if picture.size != (1024, 768):
            return False
        apart = ImageChops.difference(picture.crop(box), wanted)
        return max(ImageStat.Stat(apart).mean) < _LARGEST_DIFFERENCE

    return is_like


def lines(picture: Image.Image) -> int:
    """Return how many lines the basket on a picture has (0: none, or no basket)."""
    if picture.size != (1024, 768) or not like("scanning", (620, 640, 660, 670))(
        picture
    ):
        return 0
    grey = picture.convert("L")
    count = 0
    for row in range(_ROWS):
        top = _FIRST_TOP + row * _HEIGHT
        darkest, _ = grey.crop((_PRICES[0], top, _PRICES[1], top + 40)).getextrema()
        count += isinstance(darkest, int) and darkest < _INK
    return count


def has_lines(count: int) -> Callable[[Image.Image], bool]:
    """Return what tells whether a picture's basket has that many lines."""
    return lambda picture: lines(picture) == count


def words(picture: Image.Image) -> str:
    """Return what is written on a picture, in one line."""
    # The lane's letters are small for a reader of scanned pages.
    large = picture.convert("L").resize((picture.width * 2, picture.height * 2))
    content = BytesIO()
    large.save(content, "png")
    read = ["tesseract", "-", "-", "--psm", "11"]
    # Its threads wait for each other, for seconds, where machines take all processors.
    alone = {**os.environ, "OMP_THREAD_LIMIT": "1"}
    done = subprocess.run(
        read, input=content.getvalue(), capture_output=True, check=True, env=alone
    )
    return " ".join(done.stdout.decode().split())


def says(*wanted: str) -> Callable[[Image.Image], bool]:
    """Return what tells whether all these words are on a picture."""

    def is_said(picture: Image.Image) -> bool:
        read = words(picture)
        return all(one in read for one in wanted)

    return is_said


def is_bright(picture: Image.Image) -> bool:
    """Tell whether a lane draws: its glass is bright, a starting machine's is not."""
    return ImageStat.Stat(picture.convert("L")).mean[0] > 128


def has_label(at: tuple[int, int]) -> Callable[[Image.Image], bool]:
    """Return what tells whether something is written or drawn there: a button's label."""
    x, y = at

    def is_drawn(picture: Image.Image) -> bool:
        if not is_bright(picture):
            # Firmware's, or a kernel's.
            return False
        label = picture.convert("L").crop((x - 70, y - 30, x + 70, y + 30))
        darkest, brightest = ImageStat.Stat(label).extrema[0]
        return brightest - darkest > _INK

    return is_drawn


def answered(before: Image.Image) -> Callable[[Image.Image], bool]:
    """Return what tells whether the glass shows something else, three times in a row: a
    button that is only seen pressed is back as it was by then."""
    seen = [0]

    def is_other(picture: Image.Image) -> bool:
        apart = ImageChops.difference(picture, before).getbbox()
        seen[0] = seen[0] + 1 if apart else 0
        return seen[0] > 2

    return is_other


@cache
def place(view: str, button: str, banners: int = 0) -> tuple[int, int]:
    """Return where on the glass a View of the gallery has a button.

    Every screen has the development variant's bar; `banners` says how many more are up.
    """
    for name, lane, local in views():
        if name == view:
            shown = present(lane, local, machine=_DEVELOPMENT)
            bars = shown.banners[:1] * (1 + banners)
            pieces = arrange(replace(shown, banners=bars), _PANEL)
            for piece in pieces:
                if piece.button is not None and piece.button.name == button:
                    x, y, w, h = piece.place
                    return x + w // 2, _PANEL.height_px - y - h // 2
    raise LookupError(f"{view} has no button {button}")
