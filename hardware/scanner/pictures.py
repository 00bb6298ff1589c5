"""Where frames come from: a camera, a video, a folder, one picture file.

Everything is bounded before it is unpacked. It will never decide what a picture
says, and writes nothing; of a watched folder it takes away what it has shown.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import cv2
import msgspec
import numpy as np
import numpy.typing as npt
from PIL import Image

from hardware.scanner.source import Source

Grey: TypeAlias = npt.NDArray[np.uint8]

FRAME_SIZE = (1280, 720)
MOST_FILE_BYTES = 32 * 1024 * 1024
MOST_PIXELS = 50_000_000
PICTURE_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "PPM", "TIFF")
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".gif", ".pgm"})
# What a camera shows of an empty scanning place.
_EMPTY = 190


class SourceLost(OSError):
    """The camera, video or folder is not there, or no longer."""


class Unreadable(msgspec.Struct, frozen=True):
    """A file that is no picture we take. `reason` is for the one who gave it."""

    reason: str


def load_picture(path: Path) -> Grey | Unreadable:
    """Return a picture file in grey, on white where it is transparent."""
    try:
        size = path.stat().st_size
        if size > MOST_FILE_BYTES:
            return Unreadable(f"file of {size} bytes, at most {MOST_FILE_BYTES}")
        with Image.open(path, formats=PICTURE_FORMATS) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                return Unreadable(
                    f"picture of {picture.width} x {picture.height} pixels,"
                    f" at most {MOST_PIXELS} in all"
                )
            if picture.has_transparency_data:
                whole = picture.convert("RGBA")
                white = Image.new("RGBA", whole.size, "white")
                return np.asarray(Image.alpha_composite(white, whole).convert("L"))
            return np.asarray(picture.convert("L"))
    except FileNotFoundError:
        return Unreadable("no such file")
    except Image.DecompressionBombError:
        return Unreadable(f"more than {MOST_PIXELS} pixels")
    except (OSError, SyntaxError, ValueError, struct.error, MemoryError) as error:
        # Pillow raises each of these for one kind of broken file or another.
        return Unreadable(f"not a picture: {type(error).__name__}")


def frames(source: Source, is_looping: bool, shown_frames: int) -> Iterator[Grey]:
    """Yield frames in grey; raises `SourceLost`. A video or folder may end."""
    match source.kind:
        case "device":
            return _of_capture(_camera(source.place))
        case "video":
            return _of_video(source.place, is_looping)
        case "folder":
            return _of_folder(Path(source.place), is_looping, shown_frames)
        case _:
            return _of_watched(Path(source.place), shown_frames)


def _camera(device: str) -> cv2.VideoCapture:
    if not Path(device).exists():
        raise SourceLost(f"{device} is not there")
    capture = cv2.VideoCapture(device, cv2.CAP_V4L2)
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, FRAME_SIZE[0])
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, FRAME_SIZE[1])
    # An old frame shows what is no longer held up.
    capture.set(cv2.CAP_PROP_BUFFERSIZE, 1)
    return capture


def _of_video(path: str, is_looping: bool) -> Iterator[Grey]:
    while True:
        if not Path(path).is_file():
            raise SourceLost(f"{path} is not there")
        try:
            yield from _of_capture(cv2.VideoCapture(path))
        except SourceLost:
            # A video has no other way to end.
            pass
        if not is_looping:
            return


def _of_capture(capture: cv2.VideoCapture) -> Iterator[Grey]:
    try:
        if not capture.isOpened():
            raise SourceLost("the camera cannot be opened")
        while True:
            is_read, colour = capture.read()
            if not is_read:
                raise SourceLost("the camera gives no picture")
            yield cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY).astype(np.uint8, copy=False)
    finally:
        capture.release()


def _of_folder(folder: Path, is_looping: bool, shown_frames: int) -> Iterator[Grey]:
    while True:
        for path in _pictures_in(folder):
            picture = load_picture(path)
            if not isinstance(picture, Unreadable):
                yield from _held_up(picture, shown_frames)
        if not is_looping:
            return
        yield _empty()


def _of_watched(folder: Path, shown_frames: int) -> Iterator[Grey]:
    while True:
        pictures = _pictures_in(folder)
        if not pictures:
            yield _empty()
            continue
        picture = load_picture(pictures[0])
        if not isinstance(picture, Unreadable):
            yield from _held_up(picture, shown_frames)
        pictures[0].unlink(missing_ok=True)
        yield _empty()


def _pictures_in(folder: Path) -> list[Path]:
    try:
        found = [Path(entry.path) for entry in os.scandir(folder) if entry.is_file()]
    except OSError as error:
        raise SourceLost(f"{folder}: {error.strerror}") from error
    return sorted(path for path in found if path.suffix.lower() in SUFFIXES)


def _empty() -> Grey:
    return np.full((FRAME_SIZE[1], FRAME_SIZE[0]), _EMPTY, np.uint8)


def _held_up(picture: Grey, shown_frames: int) -> Iterator[Grey]:
    """Yield a picture as a hand holds it up: no two frames are quite the same."""
    width, height = FRAME_SIZE
    # A hand's breadth of the empty place stays around it.
    scale = min(1.0, (width - 40) / picture.shape[1], (height - 40) / picture.shape[0])
    columns = max(1, round(picture.shape[1] * scale))
    rows = max(1, round(picture.shape[0] * scale))
    small = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_AREA)
    for n in range(shown_frames):
        frame = _empty()
        left = (width - columns) // 2 + (n * 3) % 7 - 3
        top = (height - rows) // 2 + (n * 5) % 11 - 5
        frame[top : top + rows, left : left + columns] = small
        yield frame
