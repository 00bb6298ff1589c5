"""Where in a picture something looks like a label, and that place cut out upright.

Three locators: a quick look that tells an empty frame, OpenCV's detector, and one of
our own for what that misses. They find codes at any angle and say nothing of what
they are: OpenCV made a false EAN of every fifth Code 128.
"""

from __future__ import annotations

from typing import TypeAlias

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

Grey: TypeAlias = npt.NDArray[np.uint8]
Floats: TypeAlias = npt.NDArray[np.float32]
# Four corners, in any order.
Quad: TypeAlias = Floats

MOST_SPOTS = 4
# The picture's longer side, in pixels, for the quick look, and for our locator: the
# smaller finds what fills the frame, the larger what is small.
_SIZES = (640, 320)
_TILE = 8
# Mean steepness of a tile, in Sobel's units. An empty place in good light has 3; the
# faintest label of the conformance set 30.
_STEEP = 10.0
# Directions looked for, and how much of a tile's edges must lie in one of them.
_DIRECTIONS = 6
_ONE_WAY = 0.5
# Of the best spot's strength, what a spot must have.
_SHARE = 0.3
_FEWEST_TILES = 6


class _Tiles(msgspec.Struct, frozen=True):
    """The edges of each tile: all of them, and by twice their angle."""

    all: Floats
    cosine: Floats
    sine: Floats
    pixels: float


def _tiles(grey: Grey, size: int) -> _Tiles:
    scale = size / max(grey.shape)
    columns = max(_TILE, round(grey.shape[1] * scale))
    rows = max(_TILE, round(grey.shape[0] * scale))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    small = cv2.resize(grey, (columns, rows), interpolation=way)
    x, y = (one.astype(np.float32) for one in cv2.spatialGradient(small))
    # Weak edges count almost as much as strong ones, noise does not.
    steep = cv2.magnitude(x, y)
    weight = 1 / (steep + np.float32(8))
    tiles = (columns // _TILE, rows // _TILE)

    def mean(values: Floats) -> Floats:
        there = cv2.resize(values * weight, tiles, interpolation=cv2.INTER_AREA)
        return np.asarray(there, dtype=np.float32)

    xx, yy = x * x, y * y
    return _Tiles(mean(xx + yy), mean(xx - yy), mean(2 * x * y), _TILE / scale)


def is_blank(grey: Grey) -> bool:
    """Tell whether nothing in the picture has edges enough for a label."""
    tiles = _tiles(grey, _SIZES[0])
    # One tile alone is dust.
    return bool((cv2.blur(tiles.all, (2, 2)) < _STEEP).all())


def located(grey: Grey) -> list[Quad]:
    """Return where OpenCV finds linear codes."""
    found, corners = cv2.barcode.BarcodeDetector().detect(grey)
    return [quad.astype(np.float32) for quad in corners[:MOST_SPOTS]] if found else []


def located_by_edges(grey: Grey) -> list[Quad]:
    """Return where edges of one direction stand close together, the surest first."""
    found: list[tuple[float, Quad]] = []
    for size in _SIZES:
        of_size = _of_tiles(_tiles(grey, size))
        found += of_size[:MOST_SPOTS]
    found.sort(key=lambda one: -one[0])
    kept: list[Quad] = []
    for _, quad in found:
        if not any(_is_same(quad, other) for other in kept):
            kept.append(quad)
    return kept[: MOST_SPOTS + 1]


def _of_tiles(tiles: _Tiles) -> list[tuple[float, Quad]]:
    strengths = []
    for n in range(_DIRECTIONS):
        cos, sin = (
            np.cos(2 * np.pi * n / _DIRECTIONS),
            np.sin(2 * np.pi * n / _DIRECTIONS),
        )
        along = tiles.cosine * np.float32(cos) + tiles.sine * np.float32(sin)
        strengths.append(cv2.blur(along - np.float32(_ONE_WAY) * tiles.all, (5, 5)))
    floor = max(_STEEP / 2, _SHARE * max(float(one.max()) for one in strengths))
    found: list[tuple[float, Quad]] = []
    for n, strength in enumerate(strengths):
        above = (strength > floor).astype(np.uint8)
        count, groups, stats, _ = cv2.connectedComponentsWithStats(
            above, connectivity=4
        )
        for group in range(1, count):
            if stats[group, cv2.CC_STAT_AREA] < _FEWEST_TILES:
                continue
            inside = groups == group
            angle = 0.5 * float(
                np.arctan2(tiles.sine[inside].sum(), tiles.cosine[inside].sum())
            )
            off = (angle - np.pi * n / _DIRECTIONS + np.pi / 2) % np.pi - np.pi / 2
            # Its own direction finds it too, and better.
            if abs(off) > np.pi / _DIRECTIONS * 0.6:
                continue
            quad = _around(inside, angle, tiles.pixels)
            if quad is not None:
                found.append((float(strength[inside].sum()) * tiles.pixels**2, quad))
    found.sort(key=lambda one: -one[0])
    return found


def _around(inside: npt.NDArray[np.bool_], angle: float, pixels: float) -> Quad | None:
    rows, columns = np.nonzero(inside)
    points = (np.stack([columns, rows], axis=1) + 0.5) * pixels
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    x, y = points @ along, points @ across
    left, right = x.min() - pixels / 2, x.max() + pixels / 2
    top, bottom = np.quantile(y, [0.05, 0.95])
    top, bottom = top - pixels / 2, bottom + pixels / 2
    # The rim of a card has edges of one direction too; it is long and thin.
    if right - left < 0.4 * (bottom - top):
        return None
    corners = [
        along * a + across * b
        for a, b in ((left, top), (right, top), (right, bottom), (left, bottom))
    ]
    return np.array(corners, dtype=np.float32)


def _is_same(one: Quad, other: Quad) -> bool:
    """Tell whether two spots are the same one, found at two sizes."""
    size = np.sqrt(cv2.contourArea(one))
    other_size = np.sqrt(cv2.contourArea(other))
    apart = float(np.linalg.norm(one.mean(axis=0) - other.mean(axis=0)))
    return bool(apart < 0.15 * size and 0.8 < size / max(other_size, 1e-3) < 1.25)


def upright(
    grey: Grey, spot: Quad
) -> tuple[float, tuple[float, float], tuple[float, float]]:
    """Return how a spot is turned, in degrees, its middle, and its width and height.

    Wider than high or not: the bars' own direction decides, not the corners'.
    """
    angle = _direction(grey, spot)
    along = np.array([np.cos(angle), np.sin(angle)])
    across = np.array([-along[1], along[0]])
    x, y = spot @ along, spot @ across
    middle = along * (x.max() + x.min()) / 2 + across * (y.max() + y.min()) / 2
    return (
        float(np.degrees(angle)),
        (float(middle[0]), float(middle[1])),
        (float(x.max() - x.min()), float(y.max() - y.min())),
    )


def straightened(grey: Grey, spot: Quad, columns: int, margin: float) -> Grey:
    """Return a spot with its bars upright and `margin` of the width on each side."""
    turn, middle, (width, height) = upright(grey, spot)
    # Ends of bars, and digits under them, are no bars.
    height *= 0.84
    pitch = max(width / (1 - 2 * margin) / columns, 1e-3)
    rows = int(np.clip(height / pitch, 8, 96))
    along = np.array([np.cos(np.radians(turn)), np.sin(np.radians(turn))])
    back = np.empty((2, 3))
    back[:, 0] = along * pitch
    back[:, 1] = np.array([-along[1], along[0]]) * height / rows
    back[:, 2] = middle - back[:, 0] * columns / 2 - back[:, 1] * rows / 2
    # Smoothed before it is made smaller, so that thin bars do not vanish.
    source = cv2.GaussianBlur(grey, (0, 0), 0.4 * pitch) if pitch > 1.5 else grey
    strip = cv2.warpAffine(
        source,
        back,
        (columns, rows),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(strip, dtype=np.uint8)


def _direction(grey: Grey, spot: Quad) -> float:
    """Return the angle across the bars, from the edges inside a spot."""
    left, top, width, height = cv2.boundingRect(spot.astype(np.int32))
    left, top = max(left, 0), max(top, 0)
    part = grey[top : top + height, left : left + width].astype(np.float32)
    if min(part.shape) < 3:
        return 0.0
    inside = np.zeros(part.shape, np.uint8)
    corners = (spot - np.array([left, top], np.float32)).astype(np.int32)
    cv2.fillConvexPoly(inside, corners, 1)
    smooth = cv2.GaussianBlur(part, (0, 0), 1.0)
    x = cv2.Sobel(smooth, cv2.CV_32F, 1, 0)[inside > 0]
    y = cv2.Sobel(smooth, cv2.CV_32F, 0, 1)[inside > 0]
    return 0.5 * float(np.arctan2(2 * (x @ y), x @ x - y @ y))
