"""A picture for a lane that cannot start: "closed", straight to the frame buffer.

Needs no Kivy, no settings and no journal, since one of them is what failed; asks for
nothing and reads no key. Run as `python3 -P -m kiosk.closed_picture`.
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import signal
import struct
import sys
import threading
import tomllib
from pathlib import Path

import msgspec
from PIL import Image, ImageDraw, ImageFont

log = logging.getLogger(__name__)

FRAME_BUFFER = Path("/dev/fb0")
SETTINGS = (Path("/run/stillopen/lane.toml"), Path("/etc/stillopen/lane.toml"))
# Both at once: nobody is there to choose a language.
SENTENCES = (
    ("This checkout is closed.", "Please use another one."),
    ("Diese Kasse ist geschlossen.", "Bitte nehmen Sie eine andere."),
)
_FONTS = Path("/usr/share/fonts/truetype/noto")
_GROUND, _INK, _QUIET, _STOP = "#10202E", "#FFFFFF", "#9FB2C1", "#C8372D"
# The kernel may write a line over it, and a screen may be plugged in again.
_REDRAW_SECONDS = 5.0

# linux/fb.h: how the screen is made.
_GET_VARIABLE, _GET_FIXED = 0x4600, 0x4602
_VARIABLE_SIZE, _FIXED_SIZE = 160, 80
# xres, yres, virtual ones, offsets, bits, grey; red, green, blue: offset, length, msb.
_VARIABLE = struct.Struct("8I 9I")
# After id, start, length and kinds: the bytes of a line, at 48 with the C compiler's gaps.
_LINE_LENGTH = struct.Struct("48x I")


class Geometry(msgspec.Struct, frozen=True):
    """A frame buffer: its size, its lines in bytes and where each colour's bits are."""

    width: int
    height: int
    line_bytes: int
    bits: int = 32
    # Where red, green and blue begin, and how many bits each has.
    shifts: tuple[int, int, int] = (16, 8, 0)
    lengths: tuple[int, int, int] = (8, 8, 8)
    # Where the shown part begins, in lines from the first.
    first_line: int = 0


class NoPicture(Exception):
    """The screen cannot be drawn on."""


def picture(width: int, height: int, lane_id: str) -> Image.Image:
    """Return the picture, for any screen: upright, wide or small."""
    image = Image.new("RGB", (width, height), _GROUND)
    draw = ImageDraw.Draw(image)
    unit = min(width, height) / 100
    # Icon, sentences and the air between them are 88 units high.
    top = (height - 88 * unit) / 2
    _stop_sign(draw, width / 2, top + 17 * unit, 16 * unit)
    y = top + 42 * unit
    for number, sentence in enumerate(SENTENCES):
        for line, words in enumerate(sentence):
            size = (6.4 if number == 0 else 5.2) * unit
            ink = _INK if number == 0 else _QUIET
            _line(draw, words, y, width, size, ink, is_bold=line == 0)
            y += size * 1.4
        y += 6 * unit
    if lane_id:
        _line(draw, lane_id, height - 5 * unit, width, 2.6 * unit, _QUIET)
    return image


def _stop_sign(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float) -> None:
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=_STOP)
    long, high = radius * 0.62, radius * 0.17
    bar = (x - long, y - high, x + long, y + high)
    draw.rounded_rectangle(bar, radius=high / 3, fill=_INK)


def _line(
    draw: ImageDraw.ImageDraw,
    words: str,
    y: float,
    width: int,
    size: float,
    ink: str,
    *,
    is_bold: bool = False,
) -> None:
    font = _font(size, is_bold=is_bold)
    # A long lane id on a narrow screen: smaller, never cut.
    fits = min(1.0, 0.94 * width / max(1.0, font.getlength(words)))
    if fits < 1:
        font = _font(size * fits, is_bold=is_bold)
    draw.text((width / 2, y), words, font=font, fill=ink, anchor="mm")


def _font(
    size: float, *, is_bold: bool
) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    file = _FONTS / f"NotoSans-{'Bold' if is_bold else 'Regular'}.ttf"
    whole = max(6, round(size))
    if file.is_file():
        return ImageFont.truetype(str(file), whole)
    return ImageFont.load_default(whole)


def as_bytes(image: Image.Image, screen: Geometry) -> bytes:
    """Return the picture as the frame buffer keeps it. Raises `NoPicture`."""
    if screen.bits == 32 and set(screen.lengths) == {8}:
        rows = _rows_of_bytes(image, screen)
    elif screen.bits == 16:
        rows = _rows_of_words(image, screen)
    else:
        raise NoPicture(f"a screen of {screen.bits} bits is not known")
    gap = bytes(max(0, screen.line_bytes - screen.width * screen.bits // 8))
    return b"".join(row + gap for row in rows)


def _rows_of_bytes(image: Image.Image, screen: Geometry) -> list[bytes]:
    planes = dict(zip(screen.shifts, image.split(), strict=True))
    spare = Image.new("L", image.size, 255)
    ordered = [planes.get(shift, spare) for shift in (0, 8, 16, 24)]
    whole = Image.merge("RGBA", ordered).tobytes()
    step = image.width * 4
    return [whole[at : at + step] for at in range(0, len(whole), step)]


def _rows_of_words(image: Image.Image, screen: Geometry) -> list[bytes]:
    rows = []
    parts = tuple(zip(screen.shifts, screen.lengths, strict=True))
    whole = image.tobytes()
    step = image.width * 3
    known: dict[bytes, bytes] = {}
    for at in range(0, len(whole), step):
        row = whole[at : at + step]
        pixels = (row[x : x + 3] for x in range(0, step, 3))
        rows.append(b"".join(known.get(p) or _word(p, parts, known) for p in pixels))
    return rows


def _word(
    pixel: bytes, parts: tuple[tuple[int, int], ...], known: dict[bytes, bytes]
) -> bytes:
    """Return one pixel of 16 bits, and remember it: the picture has few colours."""
    value = 0
    for level, (shift, length) in zip(pixel, parts, strict=True):
        value |= (level >> (8 - length)) << shift
    known[pixel] = struct.pack("=H", value)
    return known[pixel]


def geometry(descriptor: int) -> Geometry:
    """Ask the kernel how the screen is made. Raises `OSError` where it is none."""
    variable = bytearray(_VARIABLE_SIZE)
    fcntl.ioctl(descriptor, _GET_VARIABLE, variable)
    fixed = bytearray(_FIXED_SIZE)
    fcntl.ioctl(descriptor, _GET_FIXED, fixed)
    return geometry_of(bytes(variable), bytes(fixed))


def geometry_of(variable: bytes, fixed: bytes) -> Geometry:
    """Read the kernel's two descriptions of a frame buffer."""
    width, height, _, _, _, first, bits, _, *colours = _VARIABLE.unpack_from(variable)
    red, green, blue = colours[0:3], colours[3:6], colours[6:9]
    (line_bytes,) = _LINE_LENGTH.unpack_from(fixed)
    return Geometry(
        width,
        height,
        line_bytes,
        bits,
        (red[0], green[0], blue[0]),
        (red[1], green[1], blue[1]),
        first,
    )


def show(path: Path, lane_id: str, given: Geometry | None = None) -> None:
    """Draw once. Raises `OSError`, `NoPicture`. `given` where the file is no device."""
    with path.open("r+b", buffering=0) as screen:
        how = given or geometry(screen.fileno())
        left = as_bytes(picture(how.width, how.height, lane_id), how)
        screen.seek(how.first_line * how.line_bytes)
        while left:
            left = left[screen.write(left) :]


def lane_id_of(paths: tuple[Path, ...]) -> str:
    """Return what the lane is called in the first file that says so; it may be broken."""
    for path in paths:
        try:
            name = tomllib.loads(path.read_text(encoding="utf-8")).get("lane_id", "")
        except (OSError, ValueError):
            continue
        if isinstance(name, str) and name:
            return name[:40]
    return ""


def main() -> None:
    """Keep the picture on the screen for so many seconds, or until told to stop."""
    words = argparse.ArgumentParser(description="Show that this checkout is closed")
    words.add_argument("--seconds", type=float, default=600.0)
    asked = words.parse_args()
    logging.basicConfig(format="%(levelname)s %(message)s", stream=sys.stderr)
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    lane_id = lane_id_of(SETTINGS)
    told = ""
    for _ in range(max(1, round(asked.seconds / _REDRAW_SECONDS))):
        try:
            show(FRAME_BUFFER, lane_id)
        except (OSError, NoPicture) as error:
            if told != (told := str(error)):
                log.error("the closed picture cannot be shown: %s", error)
        if stop.wait(_REDRAW_SECONDS):
            break


if __name__ == "__main__":
    main()
