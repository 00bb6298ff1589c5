"""A grey picture -> the codes that are accepted in it, by several readers' votes.

A pure function over pixels: no camera, no file, no catalogue. It will never accept
a code that was read once, unless the code corrects its own errors, and never one of
two different numbers at the same place unless the votes are clear.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import msgspec
import numpy as np

from hardware.scanner.camera_wire import MOST_CODES, Box, Code, is_same_place
from hardware.scanner.ean_lines import read_label
from hardware.scanner.readers import (
    MOST_SPOTS,
    STAY,
    SURE_KINDS,
    Affine,
    Grey,
    Quad,
    Reading,
    box_of,
    corners_of,
    located,
    read_zbar,
    read_zxing,
    reading_of,
)

# Of all sizes tried this reads best; more pixels cost time and add wrong reads.
WORKING_SIZE = 1280
# The votes that accept a code: two that concur, and more than twice any rival's.
ENOUGH_VOTES = 2
# Eight bands of a label that agree weigh more than one rival reading, less than two.
LINES = "lines"
LINES_VOTES = 3
# Straightened cuttings of larger things than this are no label in the hand.
_MOST_PIXELS = 3_000_000
EDGE_PIXELS = 5.0


def decode(grey: Grey) -> list[Code]:
    """Return the codes accepted in one frame of many, top to bottom."""
    return _decoded(grey, look)


def decode_still(grey: Grey) -> list[Code]:
    """Return the codes accepted in a picture that comes alone, top to bottom.

    Labels that stay unread are given to the reader of blurred ones: half a second
    each, which a live camera spends better on its next frames.
    """
    return _decoded(grey, look_long)


def look_long(grey: Grey) -> list[Reading]:
    """Return all readings of a picture, those of blurred labels among them."""
    readings = look(grey)
    spots = _unsettled_spots(located(grey), readings)
    if not spots or _is_settled(readings, spots):
        return readings
    for spot in spots:
        fit = read_label(grey, spot)
        if fit is not None and fit.is_sure:
            box = _box_of_quad(spot)
            reading = reading_of(LINES, "ean13", "]E0", fit.text, box)
            readings += [reading] if reading is not None else []
    return readings


def _decoded(grey: Grey, look_at: Callable[[Grey], list[Reading]]) -> list[Code]:
    scale = min(1.0, WORKING_SIZE / max(grey.shape))
    grey = _scaled(grey, scale) if scale < 1.0 else np.ascontiguousarray(grey)
    if min(grey.shape) < 8:
        return []
    codes = vote(look_at(grey))
    return [_at_scale(code, scale) for code in codes] if scale < 1.0 else codes


def look(grey: Grey) -> list[Reading]:
    """Return all readings of a frame.

    Cheap readers go first; the dear ones look only while something that looks like
    a code is not settled.
    """
    readings = read_zxing(grey)
    whole = located(grey)
    if not readings:
        # Codes that are large or light on dark; a quarter of the pixels.
        readings = read_zxing(_scaled(grey, 0.5), STAY * 2.0, everything=True)
    if not readings and not whole:
        return []
    readings = _snapped(readings, whole)
    spots = _unsettled_spots(whole, readings)
    readings += _snapped(_cut(grey, spots, 2.0, read_zxing), whole)
    readings += _snapped(_cut(grey, spots, 1.0, read_zbar), whole)
    if _is_settled(readings, spots):
        return readings
    readings += _snapped(read_zbar(grey), whole)
    if _is_settled(readings, spots):
        return readings
    larger = _scaled(grey, 1.6)
    readings += _snapped(read_zbar(larger, STAY / 1.6), whole)
    readings += _snapped(read_zxing(larger, STAY / 1.6), whole)
    return readings


def vote(readings: list[Reading]) -> list[Code]:
    """Return the codes that the readings of one frame accept."""
    codes = [code for place in _places(readings) if (code := _winner(place))]
    return sorted(codes, key=lambda code: code.box[1])[:MOST_CODES]


# -- places ------------------------------------------------------------------


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
    for place in _places(readings):
        linear = [one for one in place if one.kind not in SURE_KINDS]
        (settled if _is_clear(place) else open_).extend(linear)
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


def _cut(
    grey: Grey,
    spots: list[Quad],
    enlarged: float,
    read: Callable[[Grey, Affine], list[Reading]],
) -> list[Reading]:
    """Cut each place out, turned upright both ways, and read it."""
    readings: list[Reading] = []
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


def _places(readings: list[Reading]) -> list[list[Reading]]:
    """Group readings that are of one label, or rivals for it."""
    places: list[list[Reading]] = []
    for reading in readings:
        for place in places:
            if any(_are_of_one_label(reading, other) for other in place):
                place.append(reading)
                break
        else:
            places.append([reading])
    return places


def _are_of_one_label(one: Reading, other: Reading) -> bool:
    if one.kind in SURE_KINDS or other.kind in SURE_KINDS:
        # Nobody mistakes one of these for something else: two that overlap, as
        # upright boxes of turned labels do, are two labels.
        return one.norm == other.norm
    return is_same_place(one.box, other.box)


def _box_of_quad(quad: Quad) -> Box:
    return box_of([(float(x), float(y)) for x, y in quad], STAY)


# -- votes -------------------------------------------------------------------


def _tallied(place: list[Reading]) -> list[tuple[str, int]]:
    """Return each number read at a place with its votes, most first."""
    # Both readers see a UPC-E in half of an EAN-13, zbar in half of anything: it
    # counts where zxing-cpp sees it too, and never beside an EAN-13.
    of_upce = {reading.reader for reading in place if reading.kind == "upce"}
    if "zxing" not in of_upce or any(reading.kind == "ean13" for reading in place):
        place = [reading for reading in place if reading.kind != "upce"]
    votes: dict[str, int] = {}
    for reading in place:
        votes[reading.norm] = votes.get(reading.norm, 0) + _weight(reading)
    return sorted(votes.items(), key=lambda vote: -vote[1])


def _weight(reading: Reading) -> int:
    if reading.reader == LINES:
        return LINES_VOTES
    return ENOUGH_VOTES if reading.kind in SURE_KINDS else 1


def _is_clear(place: list[Reading]) -> bool:
    """Tell whether a place has enough votes for one number and none for another."""
    tally = _tallied(place)
    return len(tally) == 1 and tally[0][1] >= ENOUGH_VOTES


def _is_settled(readings: list[Reading], spots: list[Quad]) -> bool:
    """Tell whether further looks would change nothing.

    A QR code that is settled does not settle the linear code beside it: packs
    carry one for marketing.
    """
    places = _places(readings)
    if not places or not all(_is_clear(place) for place in places):
        return False
    has_linear = any(one.kind not in SURE_KINDS for one in readings)
    return has_linear or not spots


def _winner(place: list[Reading]) -> Code | None:
    """Return the code that the votes of one place accept."""
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
    return Code(best.kind, best.symbology, best.text, norm, best.box, votes)


# -- pixels ------------------------------------------------------------------


def _at_scale(code: Code, scale: float) -> Code:
    left, top, right, bottom = (round(edge / scale) for edge in code.box)
    return msgspec.structs.replace(code, box=(left, top, right, bottom))


def _scaled(grey: Grey, scale: float) -> Grey:
    size = max(1, round(grey.shape[1] * scale)), max(1, round(grey.shape[0] * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.ascontiguousarray(cv2.resize(grey, size, interpolation=way))
