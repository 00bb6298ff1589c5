"""How many labels are read and how many wrong: our ladder and the engines alone.

Prints the table of hardware/README.md, in about ten minutes on one core:

    .venv/bin/python tests/support/barcode_table.py

Photographs are those of the data folder, frames are made up from seeds. All readers
see the same pictures in the same run, in one thread; times are processor time.
"""

from __future__ import annotations

import csv
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias, TypeVar

import cv2
import msgspec
import zxingcpp
from made_frames import DISTORTIONS, empty_frame, made_frame, pack_without_label
from pyzbar import pyzbar

from hardware.scanner.decode import LIVE_SECONDS, decode
from hardware.scanner.label import expand_upc_e
from hardware.scanner.pictures import Grey, Unreadable, load_picture
from hardware.scanner.spots import located

SHARED = Path(__file__).parents[2].parent / "shared" / "data"
DATA = SHARED / "barcodes"
PHOTOGRAPHS_OF_EAN = {"ean13", "ean8", "upca", "upce", "ean13+addon", "upca+addon"}
FRAMES = 50
Reader: TypeAlias = Callable[[Grey], set[str]]


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
    groups: dict[str, Callable[[Picture], bool]] = {
        "EAN/UPC photographs": lambda p: (
            p.symbology in PHOTOGRAPHS_OF_EAN and p.is_photo
        ),
        "EAN-13 photographs": lambda p: p.symbology == "ean13" and p.is_photo,
        "QR": lambda p: "qrcode" in p.symbology,
        "Data Matrix": lambda p: "datamatrix" in p.symbology,
        "Code 128": lambda p: p.symbology == "code128",
        "DataBar": lambda p: p.symbology == "databar",
        "DataBar Expanded": lambda p: p.symbology.startswith("databar-exp"),
        "no code": lambda p: p.symbology == "none",
    }
    return [picture for picture in pictures() if groups[group](picture)]


GROUPS = (
    "EAN/UPC photographs",
    "EAN-13 photographs",
    "QR",
    "Data Matrix",
    "Code 128",
    "DataBar",
    "DataBar Expanded",
    "no code",
)


class Score(msgspec.Struct, frozen=True):
    """How a reader did on a group of pictures."""

    pictures: int
    right: int
    wrong: tuple[str, ...]
    median_ms: float


_Read = TypeVar("_Read")


def timed(work: Callable[[Grey], _Read], grey: Grey) -> tuple[_Read, float]:
    """Return what a reader says, and its processor time in ms."""
    began = time.thread_time()
    said = work(grey)
    return said, (time.thread_time() - began) * 1000


def score(read: Reader, group: list[Picture]) -> Score:
    """Read each picture once; wrong are those with a number that is not there."""
    right = 0
    wrong: list[str] = []
    times: list[float] = []
    for picture in group:
        norms, taken = timed(read, picture.load())
        times.append(taken)
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
        case name if name.startswith("DATABAR"):
            # The truth is bare of brackets, those that are data too.
            return text.replace("\x1d", "").replace("(", "").replace(")", "")
        case _:
            return text.replace("\x1d", "").replace("\r\n", "\n").strip()


READERS: dict[str, Reader] = {
    "our ladder": ladder,
    "ours, live": live_ladder,
    "zxing-cpp": zxing_alone,
    "pyzbar": pyzbar_alone,
    "OpenCV": opencv_alone,
}


def score_frames(read: Reader, distortion: str, count: int = FRAMES) -> Score:
    """Read made-up frames of one distortion, each once."""
    right = 0
    wrong: list[str] = []
    times: list[float] = []
    for seed in range(count):
        frame = made_frame(distortion, seed)
        norms, taken = timed(read, frame.grey)
        times.append(taken)
        right += frame.norm in norms
        if norms - {frame.norm}:
            wrong.append(f"{distortion} {seed}")
    return Score(count, right, tuple(wrong), statistics.median(times))


def median_ms(work: Callable[[Grey], object], frames: list[Grey]) -> float:
    return statistics.median(timed(work, frame)[1] for frame in frames)


def median_ratio(
    work: Callable[[Grey], object],
    floor: Callable[[Grey], object],
    frames: list[Grey],
) -> float:
    """Return how many times the floor's time a frame takes.

    Both take each frame in turn, so that a machine which is busy for a while is busy
    for both.
    """
    return statistics.median(
        timed(work, frame)[1] / timed(floor, frame)[1] for frame in frames
    )


def _row(name: str, scores: list[Score]) -> str:
    cells = []
    for one in scores:
        share = f"{100 * one.right / one.pictures:.1f}" if name != "no code" else "-"
        cells.append(f" {share} / {len(one.wrong)} / {one.median_ms:.0f} ")
    return f"| {name} ({scores[0].pictures}) |" + "|".join(cells) + "|"


def main() -> None:
    """Print the tables as they stand in the README."""
    cv2.setNumThreads(1)
    print("| right % / wrong / median ms |" + "".join(f" {n} |" for n in READERS))
    print("|---|" + "---|" * len(READERS))
    for group in GROUPS:
        scores = [score(read, of_group(group)) for read in READERS.values()]
        print(_row(group, scores), flush=True)
    whole: list[list[Score]] = []
    for distortion in DISTORTIONS:
        scores = [score_frames(read, distortion) for read in READERS.values()]
        whole.append(scores)
        print(_row(f"frames, {distortion}", scores), flush=True)
    sums = [_sum(list(column)) for column in zip(*whole, strict=True)]
    print(_row("all frames", sums))
    print()
    for name, frames in (
        ("empty place", [empty_frame(seed) for seed in range(20)]),
        ("pack without label", [pack_without_label(seed) for seed in range(20)]),
    ):
        ours, locator = median_ms(live_ladder, frames), median_ms(located, frames)
        print(
            f"{name}: ours, live {ours:.1f} ms, OpenCV's locator alone {locator:.1f} ms"
            f" ({ours / locator:.2f} times)"
        )


def _sum(scores: list[Score]) -> Score:
    return Score(
        sum(one.pictures for one in scores),
        sum(one.right for one in scores),
        tuple(name for one in scores for name in one.wrong),
        statistics.median(one.median_ms for one in scores),
    )


if __name__ == "__main__":
    main()
