"""Holds labels up to a camera that looks into a folder.

The camera process runs as it does in a shop, with `watch:DIR` as its source: it
shows each picture for some frames, then takes it away. Draws its own labels; it
will never hand the lane a number past the camera.
"""

from __future__ import annotations

from pathlib import Path
from typing import TypeAlias

import cv2
import numpy as np
import numpy.typing as npt
import zxingcpp

Grey: TypeAlias = npt.NDArray[np.uint8]

_FORMATS = {
    "ean13": zxingcpp.BarcodeFormat.EAN13,
    "ean8": zxingcpp.BarcodeFormat.EAN8,
    "upca": zxingcpp.BarcodeFormat.UPCA,
    "upce": zxingcpp.BarcodeFormat.UPCE,
    "code128": zxingcpp.BarcodeFormat.Code128,
    "databar": zxingcpp.BarcodeFormat.DataBarOmni,
    "databar-exp": zxingcpp.BarcodeFormat.DataBarExp,
    "qrcode": zxingcpp.BarcodeFormat.QRCode,
    "datamatrix": zxingcpp.BarcodeFormat.DataMatrix,
}


def draw_label(
    text: str, symbology: str = "ean13", scale: int = 3, is_gs1: bool = False
) -> Grey:
    """Return a label as a grey picture with its quiet zones.

    GS1 element strings are given with brackets: `(01)09506000134352(10)AB`.
    """
    options = {"gs1": True} if is_gs1 else {}
    code = zxingcpp.create_barcode(text, _FORMATS[symbology], **options)
    return np.array(zxingcpp.write_barcode_to_image(code, scale=scale), dtype=np.uint8)


def draw_pack(
    labels: list[Grey], size: tuple[int, int] = (1280, 720), turned_degrees: float = 0.0
) -> Grey:
    """Return a frame with labels on it, one below the other, turned as asked."""
    width, height = size
    frame = np.full((height, width), 190, np.uint8)
    top = max(0, height - sum(label.shape[0] + 20 for label in labels)) // 2
    for label in labels:
        rows, columns = label.shape
        left = (width - columns) // 2
        frame[top : top + rows, left : left + columns] = label
        top += rows + 20
    if turned_degrees:
        turn = cv2.getRotationMatrix2D((width / 2, height / 2), turned_degrees, 1.0)
        frame = cv2.warpAffine(
            frame, turn, size, flags=cv2.INTER_LINEAR, borderValue=190
        ).astype(np.uint8, copy=False)
    return frame


class SimulatedCamera:
    """A folder in which pictures are held up."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._shown = 0
        folder.mkdir(parents=True, exist_ok=True)

    @property
    def source(self) -> str:
        """The camera source that looks into this folder."""
        return f"watch:{self.folder}"

    def hold_up(self, picture: Grey) -> Path:
        """Hold a picture up; its file is gone once it was shown."""
        self._shown += 1
        path = self.folder / f"{self._shown:06d}.png"
        aside = path.with_suffix(".new")
        encoded = cv2.imencode(".png", picture)[1]
        aside.write_bytes(encoded.tobytes())
        # Renamed in one step: the camera never sees half a picture.
        aside.replace(path)
        return path

    def hold_up_label(self, text: str, symbology: str = "ean13") -> Path:
        """Hold up a pack with one label."""
        return self.hold_up(draw_pack([draw_label(text, symbology)]))
