"""What `kiosk decode` does: reads picture files as a camera would, one frame each.

Prints what is accepted without a catalogue. It will never end in a traceback for a
broken file.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import cv2
import msgspec

from hardware.scanner.decode import decode
from hardware.scanner.pictures import Unreadable, load_picture


class DecodedCode(msgspec.Struct, frozen=True):
    """One accepted code: `norm` is the GTIN-14, or the bare element string or text."""

    symbology: str
    text: str
    norm: str


class DecodedFile(msgspec.Struct, frozen=True, omit_defaults=True):
    """What was read in one file, and how long the reading took."""

    file: str
    codes: tuple[DecodedCode, ...]
    ms: float
    error: str = ""


def decode_files(paths: Iterable[Path]) -> Iterator[DecodedFile]:
    """Yield what each picture says, in order; a broken file has `error`."""
    # One thread, as the lane's camera process has.
    cv2.setNumThreads(1)
    for path in paths:
        picture = load_picture(path)
        if isinstance(picture, Unreadable):
            yield DecodedFile(str(path), (), 0.0, picture.reason)
            continue
        began = time.perf_counter()
        codes = tuple(
            DecodedCode(code.kind, code.text, code.norm) for code in decode(picture)
        )
        yield DecodedFile(
            str(path), codes, round((time.perf_counter() - began) * 1000, 1)
        )


def as_json_line(decoded: DecodedFile) -> str:
    """Return the line that `kiosk decode --json` prints."""
    return msgspec.json.encode(decoded).decode()


def as_words(decoded: DecodedFile) -> str:
    """Return the line that `kiosk decode` prints for people."""
    if decoded.error:
        return f"{decoded.file}: {decoded.error}"
    # A code may carry line ends and escape sequences: a terminal gets neither.
    found = ", ".join(f"{code.symbology} {code.text!r}" for code in decoded.codes)
    return f"{decoded.file}: {found or 'no code'} ({decoded.ms} ms)"
