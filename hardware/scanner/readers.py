"""The readers of codes, brought to one form: pixels in, readings out.

zxing-cpp reads perspective and every format; zbar reads turned and faint linear
codes; our own reads blurred EAN and UPC. Which reading is believed is decided
elsewhere (`ballot`).

Formats: EAN, UPC, Code 128, ITF-14, DataBar, QR, Data Matrix. Code 39 and other
ITF have no check of their own and no place in a shop. DataBar and the matrix codes
are left to zxing-cpp: zbar's readers of them had memory faults (CVE-2023-40889 and
CVE-2023-40890).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt
import zxingcpp
from pyzbar import pyzbar

from hardware.scanner.camera_wire import MOST_CODES, Box
from hardware.scanner.ean_lines import MARGIN, STRIP_COLUMNS, read_strip
from hardware.scanner.label import LONGEST_LABEL, expand_upc_e, is_gtin
from hardware.scanner.spots import Grey, Quad, straightened

# What brings a picture's points back to the frame it was cut from.
Affine: TypeAlias = npt.NDArray[np.float64]

STAY: Affine = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])

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
SURE_KINDS = frozenset({"qrcode", "datamatrix", "databar-exp"})

LINES = "lines"
# How far our own reader's number must lead, by kind. Of the 706 pictures of the
# conformance set a wrong number reached 0.08, 0.29 and 0.13. Half an EAN-13 looks like
# the other two.
_LEADS = {"ean13": 0.15, "upce": 0.3, "ean8": 0.6}
LINE_KINDS = tuple(_LEADS)
_MOST_UNEXPLAINED = 0.1
_FEWEST_AGREEING = 0.5


class Reading(msgspec.Struct, frozen=True):
    """One reader's reading of one code."""

    kind: str
    symbology: str
    text: str
    norm: str
    box: Box
    reader: str


def read_zxing(
    grey: Grey, back: Affine = STAY, everything: bool = False
) -> list[Reading]:
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
        reading = reading_of(
            "zxing", kind, one.symbology_identifier, one.text, box_of(corners, back)
        )
        if reading is not None:
            readings.append(reading)
    return readings


def read_zbar(grey: Grey, back: Affine = STAY) -> list[Reading]:
    """Read linear codes with zbar, which turns and forgives where zxing does not."""
    readings = []
    for one in pyzbar.decode(grey, symbols=_ZBAR_SYMBOLS)[:MOST_CODES]:
        kind = _NAMES.get(one.type, "")
        corners = [(p.x, p.y) for p in one.polygon] or corners_of(*one.rect)
        text = one.data.decode("utf-8", errors="replace")
        # zbar does not say whether a Code 128 began with FNC1.
        symbology = {"ean13": "]E0", "upce": "]E0", "ean8": "]E4", "itf": "]I1"}
        if kind == "upce" and len(text) == 8:
            text = expand_upc_e(text).zfill(13)
        if one.type == "UPCA":
            text = text.zfill(13)
        reading = reading_of(
            "zbar", kind, symbology.get(kind, ""), text, box_of(corners, back)
        )
        if reading is not None:
            readings.append(reading)
    return readings


def reading_of(
    reader: str, kind: str, symbology: str, text: str, box: Box
) -> Reading | None:
    """Return a reading in the form all readers share, or None for what is no label."""
    if kind in _GTIN_KINDS:
        if not is_gtin(text) or (kind == "itf" and len(text) != 14):
            return None
        norm = text.zfill(14)
    elif kind == "databar":
        norm = text[2:] if len(text) == 16 and text.startswith("01") else text
    else:
        norm = text.replace("\x1d", "").replace("\r\n", "\n").strip()
    if kind == "databar-exp":
        # An element string is bare without brackets: people write them around the
        # identifiers, and one in the data cannot be told from those any more.
        norm = norm.replace("(", "").replace(")", "")
    if not kind or not norm or len(text) > LONGEST_LABEL:
        return None
    return Reading(kind, symbology, text, norm, box, reader)


def read_lines(grey: Grey, spot: Quad, kind: str) -> Reading | None:
    """Read the label at a spot with our own reader, where that is sure of it.

    `kind` is one of `LINE_KINDS`: what kind of label is looked for.
    """
    found = read_strip(straightened(grey, spot, STRIP_COLUMNS, MARGIN), kind)
    if (
        found is None
        or found.lead < _LEADS[kind]
        or found.unexplained > _MOST_UNEXPLAINED
        or found.agreeing < _FEWEST_AGREEING
    ):
        return None
    symbology = "]E4" if kind == "ean8" else "]E0"
    box = box_of([(float(x), float(y)) for x, y in spot], STAY)
    return reading_of(LINES, kind, symbology, found.text, box)


def corners_of(
    left: float, top: float, width: float, height: float
) -> list[tuple[float, float]]:
    right, bottom = left + width, top + height
    return [(left, top), (right, top), (right, bottom), (left, bottom)]


def box_of(corners: Sequence[tuple[float, float]], back: Affine) -> Box:
    """Return the upright box around corners, brought back to the frame."""
    xs = [back[0, 0] * x + back[0, 1] * y + back[0, 2] for x, y in corners]
    ys = [back[1, 0] * x + back[1, 1] * y + back[1, 2] for x, y in corners]
    return round(min(xs)), round(min(ys)), round(max(xs)), round(max(ys))
