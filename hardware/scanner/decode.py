"""A grey picture -> the codes that are accepted in it: a ladder of looks, then a vote.

A pure function over pixels: no camera, no file, no catalogue. Each rung of the ladder
is dearer than the one before and is climbed only while something that looks like a
code is not settled and the budget lasts. What is accepted is the ballot's to say.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from typing import TypeAlias

import cv2
import msgspec
import numpy as np

from hardware.scanner.ballot import is_clear, places, vote
from hardware.scanner.camera_wire import Box, Code, is_same_place
from hardware.scanner.readers import (
    LINE_KINDS,
    STAY,
    SURE_KINDS,
    Affine,
    Reading,
    box_of,
    corners_of,
    read_lines,
    read_zbar,
    read_zxing,
)
from hardware.scanner.spots import (
    MOST_SPOTS,
    Grey,
    Quad,
    is_blank,
    located,
    located_by_edges,
    upright,
)

# Of all sizes tried this reads best; more pixels cost time and add wrong reads.
WORKING_SIZE = 1280
# What a live frame may take before no further look is begun: the next frame may show
# the label better. A label that the first rungs read takes a fifth of it.
LIVE_SECONDS = 0.08
# Straightened cuttings of larger things than this are no label in the hand.
_MOST_PIXELS = 3_000_000
# Matrix codes in pictures smaller than this are tried enlarged too.
_SMALL = 500
EDGE_PIXELS = 5.0
_FEW_READINGS = 3


def decode(grey: Grey, budget_seconds: float = math.inf) -> list[Code]:
    """Return the codes accepted in one frame, top to bottom.

    No further look is begun when this thread has worked for `budget_seconds`; a
    picture that comes alone is given all the time it needs, two seconds at the worst.
    """
    give_up_at = time.thread_time() + budget_seconds
    scale = min(1.0, WORKING_SIZE / max(grey.shape))
    grey = _scaled(grey, scale) if scale < 1.0 else np.ascontiguousarray(grey)
    if min(grey.shape) < 8:
        return []
    readings = look(grey, give_up_at)
    if budget_seconds == math.inf:
        readings += _doubted(grey, readings)
    codes = vote(readings)
    return [_at_scale(code, scale) for code in codes] if scale < 1.0 else codes


def _doubted(grey: Grey, readings: list[Reading]) -> list[Reading]:
    """Return what our own reader says of labels that few readings settled.

    zxing-cpp and zbar measure edges both, and have made the same wrong number of one
    small label. No second frame confirms a picture that comes alone.
    """
    spots = located(grey)
    return [
        reading
        for place in places(readings)
        if is_clear(place)
        and len(place) <= _FEW_READINGS
        and place[0].kind in LINE_KINDS
        and (spot := _spot_under(place[0], spots)) is not None
        and (reading := read_lines(grey, spot, place[0].kind)) is not None
    ]


def look(grey: Grey, give_up_at: float = math.inf) -> list[Reading]:
    """Return all readings of a frame; `give_up_at` is this thread's processor time."""
    if is_blank(grey):
        return []
    readings = read_zxing(grey)
    spots = located(grey)
    if not readings:
        # Codes that are large or light on dark; a quarter of the pixels.
        readings = read_zxing(_scaled(grey, 0.5), STAY * 2.0, everything=True)
    readings = _snapped(readings, spots)
    for rung in (_by_zbar, _enlarged, _by_lines, _by_edges, _whole, _larger, _matrix):
        # Two labels may be in view: all that was seen is looked at closer first.
        if rung not in (_by_zbar, _enlarged) and _is_settled(readings, spots):
            break
        for more in rung(grey, spots, list(readings)):
            readings += _snapped(more, spots)
            if time.thread_time() >= give_up_at:
                return readings
    return readings


# -- rungs -------------------------------------------------------------------

# Each yields what it read, spot by spot.
_Rung: TypeAlias = Iterator[list[Reading]]


def _by_zbar(grey: Grey, spots: list[Quad], readings: list[Reading]) -> _Rung:
    for spot in _unsettled_spots(spots, readings):
        yield _cut(grey, spot, 1.0, read_zbar)


def _enlarged(grey: Grey, spots: list[Quad], readings: list[Reading]) -> _Rung:
    for spot in _unsettled_spots(spots, readings):
        yield _cut(grey, spot, 2.0, read_zxing)


def _by_lines(grey: Grey, spots: list[Quad], readings: list[Reading]) -> _Rung:
    """Give unsettled spots to the reader of blurred labels, the usual kind first."""
    others = [
        one
        for one in readings
        if one.kind not in LINE_KINDS and one.kind not in SURE_KINDS
    ]
    wanted = [
        spot
        for spot in _unsettled_spots(spots, readings)
        if not any(is_same_place(one.box, _box_of_quad(spot)) for one in others)
    ]
    for kind in LINE_KINDS:
        for spot in wanted:
            found = read_lines(grey, spot, kind)
            if found is not None:
                wanted = [other for other in wanted if other is not spot]
            yield [found] if found is not None else []


def _by_edges(grey: Grey, spots: list[Quad], readings: list[Reading]) -> _Rung:
    """Look at spots that OpenCV's detector did not find."""
    others = _unsettled_spots(located_by_edges(grey), readings)
    yield from _by_zbar(grey, others, [])
    yield from _enlarged(grey, others, [])
    yield from _by_lines(grey, others, [])


def _whole(grey: Grey, spots: list[Quad], readings: list[Reading]) -> _Rung:
    if spots or readings:
        yield read_zbar(grey)


def _larger(grey: Grey, spots: list[Quad], readings: list[Reading]) -> _Rung:
    if spots or readings:
        yield read_zbar(_scaled(grey, 1.6), STAY / 1.6)
        yield read_zxing(_scaled(grey, 2.0), STAY / 2.0)


def _matrix(grey: Grey, spots: list[Quad], readings: list[Reading]) -> _Rung:
    """Try harder for codes that correct themselves: none of these readings is wrong."""
    if readings:
        return
    size = 2.0 if max(grey.shape) < _SMALL else 1.0
    large = _scaled(grey, size) if size > 1 else grey
    around = max(3, min(large.shape) // 8 | 1)
    local = cv2.adaptiveThreshold(
        large, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, around, 5
    )
    for changed in (large, cv2.GaussianBlur(large, (0, 0), 1.2), local):
        as_bytes = np.asarray(changed, dtype=np.uint8)
        found = read_zxing(as_bytes, STAY / size, everything=True)
        sure = [reading for reading in found if reading.kind in SURE_KINDS]
        yield sure
        if sure:
            return


# -- spots -------------------------------------------------------------------


_Reader: TypeAlias = Callable[[Grey, Affine], list[Reading]]


def _cut(grey: Grey, spot: Quad, enlarged: float, read: _Reader) -> list[Reading]:
    """Cut a spot out with its bars upright, and read it."""
    turn, (x, y), (width, height) = upright(grey, spot)
    # A quarter of the width on each side gives the quiet zones back.
    columns = int((width * 1.5 + 20) * enlarged)
    rows = int((height + 10) * enlarged)
    if columns * rows > _MOST_PIXELS or min(columns, rows) < 10:
        return []
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
    return read(cutting, back)


def _snapped(readings: list[Reading], spots: list[Quad]) -> list[Reading]:
    """Return linear readings with the place of the label they lie on.

    A reader tells one thin line of a label; two labels may stand close together.
    """
    return [
        msgspec.structs.replace(reading, box=_box_of_quad(spot))
        if (spot := _spot_under(reading, spots)) is not None
        else reading
        for reading in readings
    ]


def _spot_under(reading: Reading, spots: list[Quad]) -> Quad | None:
    if reading.kind in SURE_KINDS:
        return None
    left, top, right, bottom = reading.box
    middle = ((left + right) / 2, (top + bottom) / 2)
    inside = [
        (cv2.pointPolygonTest(spot, middle, True), n) for n, spot in enumerate(spots)
    ]
    depth, nearest = max(inside, default=(-1.0, 0))
    # The line may be the label's very edge.
    return spots[nearest] if spots and depth >= -EDGE_PIXELS else None


def _unsettled_spots(spots: list[Quad], readings: list[Reading]) -> list[Quad]:
    """Return where a closer look is due: seen and not settled, or read but once."""
    settled: list[Reading] = []
    open_: list[Reading] = []
    for place in places(readings):
        linear = [one for one in place if one.kind not in SURE_KINDS]
        (settled if is_clear(place) else open_).extend(linear)
    wanted = [
        spot
        for spot in spots
        if not any(is_same_place(one.box, _box_of_quad(spot)) for one in settled)
    ]
    for one in open_:
        if not any(is_same_place(one.box, _box_of_quad(spot)) for spot in wanted):
            left, top, right, bottom = one.box
            around = corners_of(left, top, right - left, bottom - top)
            wanted.append(np.array(around, dtype=np.float32))
    return wanted[:MOST_SPOTS]


def _is_settled(readings: list[Reading], spots: list[Quad]) -> bool:
    """Tell whether further looks would change nothing.

    A QR code that is settled does not settle the linear code beside it: packs
    carry one for marketing.
    """
    found = places(readings)
    if not found or not all(is_clear(place) for place in found):
        return False
    has_linear = any(one.kind not in SURE_KINDS for one in readings)
    return has_linear or not spots


def _box_of_quad(quad: Quad) -> Box:
    return box_of([(float(x), float(y)) for x, y in quad], STAY)


# -- pixels ------------------------------------------------------------------


def _at_scale(code: Code, scale: float) -> Code:
    left, top, right, bottom = (round(edge / scale) for edge in code.box)
    return msgspec.structs.replace(code, box=(left, top, right, bottom))


def _scaled(grey: Grey, scale: float) -> Grey:
    size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.ascontiguousarray(cv2.resize(grey, size, interpolation=way))
