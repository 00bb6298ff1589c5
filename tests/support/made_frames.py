"""Frames of packs as a lane's camera sees them, made up from a seed.

Each frame shows one label with one distortion, or several, and the truth about it is
known. The label is drawn flat and large, laid into the camera's view by a real
pinhole's geometry, then blurred, lit and given a sensor's noise. It will never give
a frame in which a part of every bar is gone: that no reader can undo.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import cv2
import msgspec
import numpy as np
import numpy.typing as npt

from hardware.scanner.label import check_digit
from hardware.simulated.camera import draw_label

Grey: TypeAlias = npt.NDArray[np.uint8]
_Light: TypeAlias = npt.NDArray[np.float32]

FRAME = (1280, 720)
DISTORTIONS = (
    "rotation",
    "perspective",
    "blur",
    "motion",
    "low light",
    "glare",
    "curved",
    "mixed",
)
# Pixels of a module on the flat pack, before it is laid into the view.
_DRAWN = 6
_PACK = (1500, 1300)


class MadeFrame(msgspec.Struct, frozen=True):
    """A frame, the GTIN-14 on its label, and what was done to it."""

    grey: Grey
    norm: str
    distortion: str


class _View(msgspec.Struct, frozen=True):
    """How a pack lies before the camera, and what light and lens do to it.

    `module` is a module's width in pixels; blur and motion are in modules, angles in
    radians, `bend` is half the angle a curved label goes round.
    """

    module: float
    turn: float
    tilt: float = 0.0
    tilt_axis: float = 0.0
    bend: float = 0.0
    blur: float = 0.0
    is_defocus: bool = False
    motion: float = 0.0
    motion_angle: float = 0.0
    exposure: float = 1.0
    noise: float = 2.0
    glare: float = 0.0


def made_frame(distortion: str, seed: int) -> MadeFrame:
    """Return the frame of a seed, the same on every machine."""
    rng = np.random.default_rng([seed, DISTORTIONS.index(distortion)])
    symbology = str(rng.choice(["ean13", "ean13", "ean13", "upca", "ean8"]))
    length = {"ean13": 12, "upca": 11, "ean8": 7}[symbology]
    body = "".join(str(digit) for digit in rng.integers(0, 10, length))
    text = body + check_digit(body)
    pack = _pack(draw_label(text, symbology, scale=_DRAWN), rng)
    return MadeFrame(
        _seen(pack, _view(distortion, rng), rng), text.zfill(14), distortion
    )


def empty_frame(seed: int) -> Grey:
    """Return the scanning place with nothing in it: uneven light, grain, dirt."""
    rng = np.random.default_rng([seed, 99])
    frame = np.full((FRAME[1], FRAME[0]), 190.0, np.float32)
    return _lit(frame, _View(3.0, 0.0), rng)


def pack_without_label(seed: int) -> Grey:
    """Return a frame with a printed pack that shows its side without a label."""
    rng = np.random.default_rng([seed, 98])
    pack = _pack(None, rng)
    return _seen(pack, _View(3.0, float(rng.uniform(0, 6.28))), rng)


def _view(distortion: str, rng: np.random.Generator) -> _View:
    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    tilt = between(0.5, 0.85), between(0.0, 6.28)
    view = _View(module=between(2.2, 3.6), turn=between(-0.2, 0.2))
    change = msgspec.structs.replace
    match distortion:
        case "rotation":
            return change(view, turn=between(0.0, 6.28))
        case "perspective":
            return change(view, tilt=tilt[0], tilt_axis=tilt[1])
        case "blur":
            is_defocus = bool(rng.integers(2))
            return change(view, blur=between(0.5, 0.95), is_defocus=is_defocus)
        case "motion":
            return change(view, motion=between(1.0, 2.2), motion_angle=between(0, 3.14))
        case "low light":
            return change(view, exposure=between(0.1, 0.25), noise=between(3.0, 5.0))
        case "glare":
            return change(view, glare=between(0.4, 0.65))
        case "curved":
            return change(view, bend=between(0.6, 1.0))
        case _:
            return change(
                view,
                turn=between(0.0, 6.28),
                tilt=tilt[0] * 0.7,
                tilt_axis=tilt[1],
                bend=between(0.0, 0.5),
                blur=between(0.2, 0.55),
                motion=between(0.0, 0.8),
                motion_angle=between(0, 3.14),
                exposure=between(0.3, 0.9),
                noise=between(2.0, 4.0),
            )


def _pack(label: Grey | None, rng: np.random.Generator) -> Grey:
    """Return a printed pack, flat, with the label on its middle."""
    width, height = _PACK
    pack = np.full((height, width), int(rng.integers(60, 240)), np.uint8)
    for _ in range(int(rng.integers(8, 20))):
        x, y = int(rng.integers(0, width)), int(rng.integers(0, height))
        ink = int(rng.integers(0, 256))
        if rng.random() < 0.5:
            corner = (x + int(rng.integers(40, 500)), y + int(rng.integers(20, 200)))
            cv2.rectangle(pack, (x, y), corner, ink, -1)
        else:
            words = "Zutaten: Wasser, Zucker 12 g, Salz"[: int(rng.integers(5, 34))]
            size = float(rng.uniform(1.0, 4.0))
            cv2.putText(
                pack, words, (x - 300, y), cv2.FONT_HERSHEY_SIMPLEX, size, ink, 4
            )
    if label is not None:
        rows, columns = label.shape
        top, left = (height - rows) // 2, (width - columns) // 2
        pack[top : top + rows, left : left + columns] = label
    return pack


def _seen(pack: Grey, view: _View, rng: np.random.Generator) -> Grey:
    """Return the pack as it is seen: geometry, then light."""
    scale = view.module / _DRAWN
    # A pixel of the sensor sees an area, not a point.
    smooth = cv2.GaussianBlur(pack, (0, 0), 0.45 / scale).astype(np.float32)
    x, y = _on_pack(view, rng)
    frame = cv2.remap(
        smooth, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT, borderValue=190
    ).astype(np.float32)
    return _lit(frame, view, rng)


def _on_pack(view: _View, rng: np.random.Generator) -> tuple[_Light, _Light]:
    """Return for each pixel of the frame the point of the pack that it sees."""
    width, height = FRAME
    shift = rng.uniform(-60, 60, 2)
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    # The camera looks from three widths of the label away.
    distance = 3 * 113 * view.module
    ray_x = columns - width / 2 - shift[0]
    ray_y = rows - height / 2 - shift[1]
    # The pack's plane, tilted about an axis through its middle.
    cos, sin = np.cos(view.tilt_axis), np.sin(view.tilt_axis)
    along, across = ray_x * cos + ray_y * sin, ray_y * cos - ray_x * sin
    depth = np.cos(view.tilt) - across / distance * np.sin(view.tilt)
    depth = np.maximum(depth, 0.05)
    v = across / depth
    u = along * (1 + v * np.sin(view.tilt) / distance)
    # Turned so that the tilt's axis says nothing of the label's direction.
    angle = view.tilt_axis - view.turn
    x, y = u * np.cos(angle) - v * np.sin(angle), u * np.sin(angle) + v * np.cos(angle)
    if view.bend:
        radius = 113 * view.module / 2 / np.sin(view.bend)
        inside = np.clip(x / radius, -0.999, 0.999)
        x = np.where(np.abs(x) < radius, radius * np.arcsin(inside), 1e6)
    scale = _DRAWN / view.module
    return (
        (x * scale + _PACK[0] / 2).astype(np.float32),
        (y * scale + _PACK[1] / 2).astype(np.float32),
    )


def _lit(flat: _Light, view: _View, rng: np.random.Generator) -> Grey:
    """Return the frame after lens, light and sensor."""
    height, width = flat.shape
    frame: npt.NDArray[Any] = flat
    if view.blur:
        spread = view.blur * view.module
        if view.is_defocus:
            size = 2 * int(2 * spread + 1) + 1
            grid = np.arange(size) - size // 2
            disc = np.hypot(*np.meshgrid(grid, grid))
            kernel = np.clip(2 * spread + 0.5 - disc, 0, 1)
            frame = cv2.filter2D(frame, -1, kernel / kernel.sum())
        else:
            frame = cv2.GaussianBlur(frame, (0, 0), spread)
    if view.motion:
        frame = cv2.filter2D(frame, -1, _streak(view))
    columns, rows = np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))
    slope = rng.uniform(-0.2, 0.2, 2)
    light = 1 + slope[0] * columns + slope[1] * rows
    seen = frame * light.astype(np.float32)
    if view.glare:
        seen = seen + 400 * _blot(view, rng)
    seen = seen * view.exposure + rng.normal(0, view.noise, frame.shape)
    seen = np.clip(seen, 0, 255).astype(np.uint8)
    # A camera's own compression.
    encoded = cv2.imencode(".jpg", seen, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    return np.asarray(cv2.imdecode(encoded, cv2.IMREAD_GRAYSCALE), dtype=np.uint8)


def _streak(view: _View) -> _Light:
    """Return the kernel of a hand that moved while the shutter was open."""
    length = view.motion * view.module
    size = 2 * int(length / 2 + 2) + 1
    kernel = np.zeros((size * 8, size * 8), np.float32)
    middle = size * 4
    reach = (
        length * 4 * np.array([np.cos(view.motion_angle), np.sin(view.motion_angle)])
    )
    ends = [
        (int(middle + side * reach[0]), int(middle + side * reach[1]))
        for side in (-1, 1)
    ]
    cv2.line(kernel, ends[0], ends[1], 1.0, 8)
    small = cv2.resize(kernel, (size, size), interpolation=cv2.INTER_AREA)
    return np.asarray(small / small.sum(), dtype=np.float32)


def _blot(view: _View, rng: np.random.Generator) -> _Light:
    """Return a lamp's reflection that covers `glare` of the label's height."""
    width, height = FRAME
    columns, rows = np.meshgrid(np.arange(width), np.arange(height))
    label_height = 55 * view.module
    x = width / 2 + rng.uniform(-0.3, 0.3) * 95 * view.module
    y = height / 2 + rng.uniform(-0.5, 0.5) * label_height
    long, short = view.module * rng.uniform(20, 60), label_height * view.glare / 2
    away = ((columns - x) / long) ** 2 + ((rows - y) / short) ** 2
    return np.asarray(np.exp(-(away**2)), dtype=np.float32)
