"""Real pictures of labels: how many are read, and that wrong numbers are not.

Tests take a seeded sample. The whole set, with the readers alone beside our ladder:

    .venv/bin/python tests/conformance/test_barcode_pictures.py
"""

from __future__ import annotations

import csv
import random
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import msgspec
import pytest
import zxingcpp
from pyzbar import pyzbar

from hardware.scanner.decode import LIVE_SECONDS, decode
from hardware.scanner.label import expand_upc_e
from hardware.scanner.pictures import Grey, Unreadable, load_picture

DATA = Path(__file__).parents[2].parent / "shared" / "data" / "barcodes"
PHOTOGRAPHS_OF_EAN = {"ean13", "ean8", "upca", "upce", "ean13+addon", "upca+addon"}
SAMPLE = 60

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason=f"no {DATA.name}/ of data")


class Picture(msgspec.Struct, frozen=True):
    """A picture and what it truly says; `norm` is empty where it has no code."""

    file: str
    symbology: str
    norm: str
    also: frozenset[str]
    is_photo: bool

    def load(self) -> Grey:
        grey = load_picture(DATA / "photos" / self.file)
        assert not isinstance(grey, Unreadable), grey.reason
        return grey


def pictures() -> list[Picture]:
    with (DATA / "truth.csv").open(newline="", encoding="utf-8") as file:
        return [
            Picture(
                row["file"],
                row["symbology"],
                row["norm"],
                frozenset(row["also"].split("|")) - {""},
                row["kind"] == "photo",
            )
            for row in csv.DictReader(file)
        ]


def of_group(group: str) -> list[Picture]:
    chosen = {
        "EAN/UPC photographs": lambda p: (
            p.symbology in PHOTOGRAPHS_OF_EAN and p.is_photo
        ),
        "EAN-13 photographs": lambda p: p.symbology == "ean13" and p.is_photo,
        "QR": lambda p: "qrcode" in p.symbology,
        "Data Matrix": lambda p: "datamatrix" in p.symbology,
        "Code 128": lambda p: p.symbology == "code128",
        "DataBar": lambda p: p.symbology.startswith("databar"),
        "no code": lambda p: p.symbology == "none",
    }[group]
    return [picture for picture in pictures() if chosen(picture)]


GROUPS = (
    "EAN/UPC photographs",
    "EAN-13 photographs",
    "QR",
    "Data Matrix",
    "Code 128",
    "DataBar",
    "no code",
)


class Score(msgspec.Struct, frozen=True):
    """How a reader did on a group of pictures."""

    pictures: int
    right: int
    wrong: tuple[str, ...]
    median_ms: float


def score(read: Callable[[Grey], set[str]], group: list[Picture]) -> Score:
    """Read each picture once; wrong are those with a number that is not there."""
    right = 0
    wrong: list[str] = []
    times: list[float] = []
    for picture in group:
        grey = picture.load()
        began = time.thread_time()
        norms = read(grey)
        times.append((time.thread_time() - began) * 1000)
        right += picture.norm in norms
        if norms - {picture.norm} - picture.also:
            wrong.append(picture.file)
    return Score(len(group), right, tuple(wrong), statistics.median(times))


def ladder(grey: Grey) -> set[str]:
    """Read a picture that comes alone, as `kiosk decode` does."""
    return {code.norm for code in decode(grey)}


def live_ladder(grey: Grey) -> set[str]:
    """Read one frame of many, as the lane's camera does."""
    return {code.norm for code in decode(grey, LIVE_SECONDS)}


def opencv_alone(grey: Grey) -> set[str]:
    """Read as OpenCV's barcode detector does; it knows EAN and UPC-A only."""
    found, texts, _, _ = cv2.barcode.BarcodeDetector().detectAndDecodeWithType(grey)
    return {text.zfill(14) for text in texts if text} if found else set()


def zxing_alone(grey: Grey) -> set[str]:
    """Read as zxing-cpp does when nothing is asked of it but our formats."""
    formats = zxingcpp.BarcodeFormats(
        [
            zxingcpp.BarcodeFormat.EANUPC,
            zxingcpp.BarcodeFormat.Code128,
            zxingcpp.BarcodeFormat.DataBar,
            zxingcpp.BarcodeFormat.QRCode,
            zxingcpp.BarcodeFormat.DataMatrix,
        ]
    )
    return {
        norm_of(str(found.format), found.text)
        for found in zxingcpp.read_barcodes(
            grey, formats=formats, text_mode=zxingcpp.TextMode.Plain
        )
    }


def pyzbar_alone(grey: Grey) -> set[str]:
    """Read as zbar does with the shop's linear codes and QR."""
    kinds = ("EAN13", "EAN8", "UPCA", "UPCE", "CODE128", "QRCODE")
    symbols = [pyzbar.ZBarSymbol[kind] for kind in kinds]
    return {
        norm_of(found.type, found.data.decode("utf-8", "replace"))
        for found in pyzbar.decode(grey, symbols=symbols)
    }


def norm_of(kind: str, text: str) -> str:
    match kind.replace("-", "").replace(" ", "").upper():
        case "UPCE" if len(text) == 8:
            return expand_upc_e(text).zfill(14)
        case "EAN13" | "EAN8" | "UPCA" | "UPCE":
            return text.zfill(14)
        case name if name.startswith("DATABAR") and "EXP" not in name:
            return text[2:] if text.startswith("01") else text
        case _:
            return text.replace("\x1d", "").replace("\r\n", "\n").strip()


def sample(group: str, size: int = SAMPLE) -> list[Picture]:
    whole = of_group(group)
    return random.Random(20261123).sample(whole, min(size, len(whole)))


@pytest.fixture(autouse=True)
def one_thread():
    cv2.setNumThreads(1)


def test_photographs_of_packs_are_read_and_hardly_one_is_read_wrong():
    result = score(ladder, sample("EAN/UPC photographs"))
    # 93 % of the whole set; a sample of 60 may lie 4 % below.
    assert result.right >= 0.89 * result.pictures
    assert len(result.wrong) <= 1


@pytest.mark.parametrize(
    ("group", "share"),
    [("QR", 0.88), ("Data Matrix", 0.92), ("Code 128", 0.88), ("DataBar", 0.93)],
)
def test_other_shop_codes_are_read(group, share):
    result = score(ladder, sample(group, 30))
    assert result.right >= share * result.pictures


def test_a_picture_without_a_readable_code_gives_none():
    assert score(ladder, of_group("no code")).wrong == ()


def main() -> None:
    """Print the table for the whole set."""
    cv2.setNumThreads(1)
    readers = {
        "our ladder": ladder,
        "ours, live": live_ladder,
        "zxing-cpp": zxing_alone,
        "pyzbar": pyzbar_alone,
        "OpenCV": opencv_alone,
    }
    print(f"{'':22}" + "".join(f"{name:>26}" for name in readers))
    print(f"{'':22}" + f"{'right %  wrong  median ms':>26}" * len(readers))
    for group in GROUPS:
        chosen = of_group(group)
        cells = []
        for read in readers.values():
            result = score(read, chosen)
            # Of a picture without a code nothing can be right.
            share = (
                "-" if group == "no code" else f"{100 * result.right / len(chosen):.1f}"
            )
            cells.append(f"{share:>10}{len(result.wrong):>7}{result.median_ms:>9.1f}")
        print(f"{group + f' ({len(chosen)})':22}" + "".join(cells))


if __name__ == "__main__":
    main()
