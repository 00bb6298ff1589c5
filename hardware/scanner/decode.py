"""A grey picture -> the codes that are accepted in it, by several readers' votes.

A pure function over pixels: no camera, no file, no catalogue. It will never accept
a code that one reader saw once unless the code corrects its own errors, and never
one of two different numbers at the same place unless the votes are clear.

Formats: EAN, UPC, Code 128, ITF-14, DataBar, QR, Data Matrix. Code 39 and other
ITF have no check of their own and no place in a shop. DataBar and the matrix codes
are left to zxing-cpp: zbar's readers of them had memory faults (CVE-2023-40889 and
CVE-2023-40890).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import cv2
import msgspec
import numpy as np
import numpy.typing as npt
import zxingcpp
from pyzbar import pyzbar

from hardware.scanner.camera_wire import MOST_CODES, Code, is_same_place
from hardware.scanner.label import LONGEST_LABEL, expand_upc_e, is_gtin

Grey: TypeAlias = npt.NDArray[np.uint8]
# What brings a picture's points back to the frame it was cut from.
_Affine: TypeAlias = npt.NDArray[np.float64]

# Of all sizes tried this reads best; more pixels cost time and add wrong reads.
WORKING_SIZE = 1280
# The votes that accept a code: two that concur, and more than twice any rival's.
ENOUGH_VOTES = 2
# Straightened cuttings of larger things than this are no label in the hand.
_MOST_PIXELS = 3_000_000
_MOST_PLACES = 4

_FORMATS = zxingcpp.BarcodeFormats(
    [
        zxingcpp.BarcodeFormat.EAN13,
        zxingcpp.BarcodeFormat.EAN8,
        zxingcpp.BarcodeFormat.UPCA,
        zxingcpp.BarcodeFormat.UPCE,
        zxingcpp.BarcodeFormat.Code128,
        zxingcpp.BarcodeFormat.ITF,
        zxingcpp.BarcodeFormat.DataBar,
        zxingcpp.BarcodeFormat.QRCode,
        zxingcpp.BarcodeFormat.DataMatrix,
    ]
)
_ZBAR_SYMBOLS = [
    pyzbar.ZBarSymbol.EAN13,
    pyzbar.ZBarSymbol.EAN8,
    pyzbar.ZBarSymbol.UPCA,
    pyzbar.ZBarSymbol.UPCE,
    pyzbar.ZBarSymbol.CODE128,
    pyzbar.ZBarSymbol.I25,
]
# One name per format, whichever reader found it.
_NAMES = {
    "EAN-13": "ean13",
    "EAN13": "ean13",
    "UPCA": "ean13",
    "UPC-A": "ean13",
    "EAN-8": "ean8",
    "EAN8": "ean8",
    "UPC-E": "upce",
    "UPCE": "upce",
    "Code 128": "code128",
    "CODE128": "code128",
    "ITF": "itf",
    "I25": "itf",
    "ITF-14": "itf",
    "QR Code": "qrcode",
    "Data Matrix": "datamatrix",
}
_GTIN_KINDS = frozenset({"ean13", "ean8", "upce", "itf"})
# These correct or strongly check themselves (Reed-Solomon; modulo 211): one is enough.
_SURE_KINDS = frozenset({"qrcode", "datamatrix", "databar-exp"})


class _Reading(msgspec.Struct, frozen=True):
    """One reader's reading of one code."""

    kind: str
    symbology: str
    text: str
    norm: str
    box: tuple[int, int, int, int]
    reader: str


def decode(grey: Grey) -> list[Code]:
    """Return the codes accepted in one frame, top to bottom.

    Cheap readers go first; the dear ones look only while something that looks like
    a code is not settled.
    """
    grey, scale = _at_working_size(grey)
    readings: list[_Reading] = []
    for look in _ladder(grey, readings):
        readings.extend(look())
        if _is_settled(readings):
            break
    codes = [
        code
        for place in _places(readings)
        if (code := _winner(place, scale)) is not None
    ]
    return sorted(codes, key=lambda code: code.box[1])[:MOST_CODES]


def _ladder(
    grey: Grey, readings: list[_Reading]
) -> Iterator[Callable[[], list[_Reading]]]:
    """Yield one look after the other; reads `readings` to choose the next."""
    yield lambda: _zxing(grey)
    spots = _located(grey)
    if not readings and not spots:
        # Codes that are large or light on dark; a quarter of the pixels.
        half = _scaled(grey, 0.5)
        yield lambda: _zxing(half, 2.0 * _STAY, everything=True)
        if not readings:
            return
    spots.extend(_spots_of(readings, spots))
    yield lambda: _cut(grey, spots, 2.0, _zxing) + _cut(grey, spots, 1.0, _zbar)
    yield lambda: _zbar(grey)
    larger = _scaled(grey, 1.6)
    yield lambda: _zbar(larger, _STAY / 1.6) + _zxing(larger, _STAY / 1.6)


# -- readers -----------------------------------------------------------------

_STAY: _Affine = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])


def _zxing(
    grey: Grey, back: _Affine = _STAY, everything: bool = False
) -> list[_Reading]:
    """Read with zxing-cpp. `everything` adds light on dark and smaller copies."""
    found = zxingcpp.read_barcodes(
        grey,
        formats=_FORMATS,
        try_downscale=everything,
        try_invert=everything,
        text_mode=zxingcpp.TextMode.Plain,
    )
    readings = []
    for one in found[:MOST_CODES]:
        at = one.position
        corners = [
            (p.x, p.y)
            for p in (at.top_left, at.top_right, at.bottom_right, at.bottom_left)
        ]
        name = str(one.format)
        if name.startswith("DataBar"):
            kind = "databar-exp" if "Expanded" in name else "databar"
        else:
            kind = _NAMES.get(name, "")
        reading = _reading(
            "zxing", kind, one.symbology_identifier, one.text, _box(corners, back)
        )
        if reading is not None:
            readings.append(reading)
    return readings


def _zbar(grey: Grey, back: _Affine = _STAY) -> list[_Reading]:
    """Read linear codes with zbar, which turns and forgives where zxing does not."""
    readings = []
    for one in pyzbar.decode(grey, symbols=_ZBAR_SYMBOLS)[:MOST_CODES]:
        kind = _NAMES.get(one.type, "")
        corners = [(p.x, p.y) for p in one.polygon] or _corners(*one.rect)
        text = one.data.decode("utf-8", errors="replace")
        # zbar does not say whether a Code 128 began with FNC1.
        symbology = {"ean13": "]E0", "upce": "]E0", "ean8": "]E4", "itf": "]I1"}
        if kind == "upce" and len(text) == 8:
            text = expand_upc_e(text).zfill(13)
        if one.type == "UPCA":
            text = text.zfill(13)
        reading = _reading(
            "zbar", kind, symbology.get(kind, ""), text, _box(corners, back)
        )
        if reading is not None:
            readings.append(reading)
    return readings


def _reading(
    reader: str, kind: str, symbology: str, text: str, box: tuple[int, int, int, int]
) -> _Reading | None:
    """Return a reading in the form all readers share, or None for what is no label."""
    if kind in _GTIN_KINDS:
        if not is_gtin(text) or (kind == "itf" and len(text) != 14):
            return None
        norm = text.zfill(14)
    elif kind == "databar":
        norm = text[2:] if len(text) == 16 and text.startswith("01") else text
    else:
        norm = text.replace("\x1d", "").replace("\r\n", "\n").strip()
    if not kind or not norm or len(text) > LONGEST_LABEL:
        return None
    return _Reading(kind, symbology, text, norm, box, reader)


# -- places ------------------------------------------------------------------


def _located(grey: Grey) -> list[npt.NDArray[np.float32]]:
    """Return the corners of what looks like a linear code, at any angle.

    OpenCV finds codes well and must not decide what they say: it made a false EAN
    of every fifth Code 128.
    """
    found, corners = cv2.barcode.BarcodeDetector().detect(grey)
    return [quad.astype(np.float32) for quad in corners[:_MOST_PLACES]] if found else []


def _spots_of(
    readings: list[_Reading], spots: list[npt.NDArray[np.float32]]
) -> list[npt.NDArray[np.float32]]:
    """Return the places of readings that the locator did not see."""
    seen = [_box([(float(x), float(y)) for x, y in quad], _STAY) for quad in spots]
    missed = []
    for reading in readings[:_MOST_PLACES]:
        left, top, right, bottom = reading.box
        if reading.kind in _SURE_KINDS:
            continue
        if any(is_same_place(reading.box, box) for box in seen):
            continue
        around = _corners(left, top, right - left, bottom - top)
        missed.append(np.array(around, dtype=np.float32))
    return missed


def _cut(
    grey: Grey,
    spots: list[npt.NDArray[np.float32]],
    enlarged: float,
    read: Callable[[Grey, _Affine], list[_Reading]],
) -> list[_Reading]:
    """Cut each place out, turned upright both ways, and read it."""
    readings: list[_Reading] = []
    for quad in spots:
        (x, y), (width, height), angle = cv2.minAreaRect(quad)
        for w, h, turn in ((width, height, angle), (height, width, angle + 90)):
            # A quarter of the width on each side gives the quiet zones back.
            columns = int((w * 1.5 + 20) * enlarged)
            rows = int((h + 10) * enlarged)
            if columns * rows > _MOST_PIXELS or min(columns, rows) < 10:
                continue
            there = cv2.getRotationMatrix2D((x, y), turn, enlarged)
            there[0, 2] += columns / 2 - x
            there[1, 2] += rows / 2 - y
            cutting = cv2.warpAffine(
                grey,
                there,
                (columns, rows),
                flags=cv2.INTER_CUBIC,
                borderMode=cv2.BORDER_REPLICATE,
            ).astype(np.uint8, copy=False)
            back = cv2.invertAffineTransform(there).astype(np.float64, copy=False)
            readings += read(cutting, back)
    return readings


def _places(readings: list[_Reading]) -> list[list[_Reading]]:
    """Group readings by where they are."""
    places: list[list[_Reading]] = []
    for reading in readings:
        for place in places:
            if any(is_same_place(reading.box, other.box) for other in place):
                place.append(reading)
                break
        else:
            places.append([reading])
    return places


# -- votes -------------------------------------------------------------------


def _tallied(place: list[_Reading]) -> list[tuple[str, int]]:
    """Return each number read at a place with its votes, most first."""
    # Both readers see a UPC-E in half of an EAN-13, zbar in half of anything: it
    # counts where zxing-cpp sees it too, and never beside an EAN-13.
    of_upce = {reading.reader for reading in place if reading.kind == "upce"}
    if "zxing" not in of_upce or any(reading.kind == "ean13" for reading in place):
        place = [reading for reading in place if reading.kind != "upce"]
    votes: dict[str, int] = {}
    for reading in place:
        sure = ENOUGH_VOTES if reading.kind in _SURE_KINDS else 1
        votes[reading.norm] = votes.get(reading.norm, 0) + sure
    return sorted(votes.items(), key=lambda vote: -vote[1])


def _is_settled(readings: list[_Reading]) -> bool:
    """Tell whether further looks could not change a thing."""
    tallies = [_tallied(place) for place in _places(readings)]
    return bool(tallies) and all(
        len(tally) == 1 and tally[0][1] >= ENOUGH_VOTES for tally in tallies
    )


def _winner(place: list[_Reading], scale: float) -> Code | None:
    """Return the code that a place's votes accept, in the frame's own pixels."""
    tally = _tallied(place)
    if not tally:
        return None
    norm, votes = tally[0]
    rival = tally[1][1] if len(tally) > 1 else 0
    if votes < max(ENOUGH_VOTES, 2 * rival + 1):
        return None
    agreed = [reading for reading in place if reading.norm == norm]
    # zxing-cpp knows the symbology where zbar does not.
    best = max(agreed, key=lambda reading: len(reading.symbology))
    left, top, right, bottom = (round(edge / scale) for edge in best.box)
    return Code(
        best.kind, best.symbology, best.text, norm, (left, top, right, bottom), votes
    )


# -- pixels ------------------------------------------------------------------


def _at_working_size(grey: Grey) -> tuple[Grey, float]:
    scale = min(1.0, WORKING_SIZE / max(grey.shape))
    return (
        (np.ascontiguousarray(grey), 1.0)
        if scale == 1
        else (
            _scaled(grey, scale),
            scale,
        )
    )


def _scaled(grey: Grey, scale: float) -> Grey:
    size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.ascontiguousarray(cv2.resize(grey, size, interpolation=way))


def _corners(
    left: float, top: float, width: float, height: float
) -> list[tuple[float, float]]:
    right, bottom = left + width, top + height
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def _box(
    corners: Sequence[tuple[float, float]], back: _Affine
) -> tuple[int, int, int, int]:
    """Return the upright box around corners, brought back to the frame."""
    xs = [back[0, 0] * x + back[0, 1] * y + back[0, 2] for x, y in corners]
    ys = [back[1, 0] * x + back[1, 1] * y + back[1, 2] for x, y in corners]
    return round(min(xs)), round(min(ys)), round(max(xs)), round(max(ys))
