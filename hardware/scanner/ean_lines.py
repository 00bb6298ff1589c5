"""Our own reader of EAN-13, EAN-8, UPC-A and UPC-E: a straightened strip -> digits.

It finds no edges. Each of some bands of scan lines is compared with blurred
templates of all pairs of neighbouring digits; where the digits lie may drift along
the line; then the scores of all bands are added, and the one number with right
parities and check digit that fits best is told, with its lead over the next best.
So it reads what is too blurred for readers of edges. One engine among several: it
will never decide alone what is accepted.
"""

from __future__ import annotations

import functools
import itertools
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

from hardware.scanner.ean_symbol import (
    BLURS,
    LAYOUTS,
    SHARP,
    Blur,
    Floats,
    Layout,
    segments,
    skeleton,
)
from hardware.scanner.label import expand_upc_e

Ints: TypeAlias = npt.NDArray[np.intp]

# A strip is this wide, and the symbol is believed to fill its middle two thirds.
STRIP_COLUMNS = 420
MARGIN = 1 / 6
MOST_BANDS = 8
_BAND_ROWS = 3
# Where a digit may lie beside its place, in modules; a step per digit is allowed.
_DRIFT = (np.arange(9, dtype=np.float32) - 4) * np.float32(0.2)
_STEP_COST = np.float32(0.05)
_NEVER = np.float32(1e6)
_GUESSES = 2
# First looks; the neighbours of the best are tried once the place is known.
_FIRST_BLURS = (SHARP, Blur(1.0, is_disc=True), Blur(1.4, is_disc=True))
# Of a symbol's bands, those much worse than the rest are scratched or in glare.
_WORSE = 0.08
# Lines that are explained no better than this at first never were in the end.
_HOPELESS = 0.78
# The grid on which a symbol is first looked for is coarser than the strip.
_COARSE = 2


class Found(msgspec.Struct, frozen=True):
    """The number that fits a strip best.

    `unexplained` is the share of what is seen that the number leaves unexplained
    (0 to 1). `lead` is how much more the next best number would leave, measured by
    what is unexplained anyway. `agreeing` is the share of bands that say the same
    when asked alone.
    """

    kind: str
    text: str
    lead: float
    unexplained: float
    agreeing: float
    bands: int


class _Lines(msgspec.Struct, frozen=True):
    """Brightness along lines, and where on each line the segments lie.

    `place` is the column of each segment's middle, `pitch` the columns a module.
    """

    light: Floats
    place: Floats
    pitch: Floats

    def only(self, chosen: Ints) -> _Lines:
        return _Lines(self.light[chosen], self.place[chosen], self.pitch[chosen])


def read_strip(strip: npt.NDArray[np.uint8], kind: str) -> Found | None:
    """Read a strip whose bars stand upright, either way up; None where nothing is.

    `strip` has `STRIP_COLUMNS` columns.
    """
    layout = LAYOUTS[kind]
    light = _bands(strip)
    guesses = _guesses(light, layout)
    if guesses is None:
        return None
    lines, band = guesses
    best: tuple[float, _Lines] | None = None
    for blur in _FIRST_BLURS:
        quality, moved, _ = _fit(lines, layout, blur)
        for is_flipped in (0, 1):
            chosen = _best_of_each(quality, band, is_flipped, len(light))
            score = _typical(quality[chosen])
            if best is None or score > best[0]:
                best = score, moved.only(chosen)
    assert best is not None, "there is at least one blur"
    if best[0] < _HOPELESS:
        return None
    lines = _smoothed(best[1], layout)
    tried = [_fit(lines, layout, blur) for blur in BLURS]
    quality, moved, _ = max(tried, key=lambda fit: _typical(fit[0]))
    blur = BLURS[max(range(len(BLURS)), key=lambda n: _typical(tried[n][0]))]
    quality, _, scores = _fit(_smoothed(moved, layout), layout, blur)
    good = quality > _typical(quality) - _WORSE
    together = [score[good].mean(axis=0, keepdims=True) for score in scores]
    texts, costs, leads = _solve(
        layout, [np.concatenate(pair) for pair in zip(together, scores, strict=True)]
    )
    if not texts[0]:
        return None
    width = sum(segment.width for segment in segments(kind, blur))
    return Found(
        kind,
        texts[0],
        # Half a module: no picture is better than that.
        float(leads[0] / (costs[0] + 0.5)),
        float(costs[0] / width),
        sum(text == texts[0] for text in texts[1:]) / len(light),
        len(light),
    )


def _typical(quality: Floats) -> float:
    """Return the mean of the better half."""
    return float(np.sort(quality)[-max(1, len(quality) // 2) :].mean())


def _bands(strip: npt.NDArray[np.uint8]) -> Floats:
    count = min(MOST_BANDS, max(1, strip.shape[0] // _BAND_ROWS))
    edges = np.linspace(0, strip.shape[0], count + 1).astype(int)
    return np.stack(
        [
            strip[a:b].mean(axis=0, dtype=np.float32)
            for a, b in itertools.pairwise(edges)
        ]
    )


# -- where the symbol lies ---------------------------------------------------


@functools.lru_cache(maxsize=4)
def _grid(kind: str) -> tuple[Floats, Floats, Floats, Floats, float]:
    """Return first columns, pitches, weights, weighted looks and the looks' power.

    A row of the weights is a guess, laid over the columns of a coarse line.
    """
    modules = LAYOUTS[kind].modules
    columns = STRIP_COLUMNS // _COARSE
    inside = columns * (1 - 2 * MARGIN)
    first = np.arange(0.5 * MARGIN, 0.5, 0.6 / modules * (1 - 2 * MARGIN)) * columns
    pitch = np.linspace(0.55, 1.15, 49) * inside / modules
    start, wide = (one.ravel() for one in np.meshgrid(first, pitch, indexing="ij"))
    fits = start + wide * modules < columns * (1 - 0.5 * MARGIN)
    start, wide = start[fits], wide[fits]
    look, weight, at = skeleton(kind, samples=2)
    look = look - look @ weight
    x = np.clip(start[:, None] + wide[:, None] * at[None, :], 0, columns - 1.001)
    left = x.astype(np.int64)
    part = x - left
    row = np.arange(len(start))[:, None] * columns

    def laid(values: Floats) -> Floats:
        total = np.bincount(
            (row + left).ravel(), ((1 - part) * values).ravel(), len(start) * columns
        ) + np.bincount(
            (row + left + 1).ravel(), (part * values).ravel(), len(start) * columns
        )
        return total.reshape(len(start), columns).astype(np.float32)

    power = float((look * look) @ weight)
    scale = np.float32(_COARSE)
    return (
        start.astype(np.float32) * scale,
        wide.astype(np.float32) * scale,
        laid(weight),
        laid(weight * look),
        power,
    )


def _guesses(light: Floats, layout: Layout) -> tuple[_Lines, Ints] | None:
    """Return lines with guesses of where the symbol is, and the band of each.

    For each band the best guesses, each both ways round: first all that read from
    the left, then all that read from the right.
    """
    start, pitch, weights, looks, power = _grid(layout.kind)
    coarse = light[:, : STRIP_COLUMNS // _COARSE * _COARSE]
    coarse = coarse.reshape(len(light), -1, _COARSE).mean(axis=2)
    coarse = coarse - coarse.mean(axis=1, keepdims=True)
    mean = weights @ coarse.T
    spread = weights @ (coarse * coarse).T - mean * mean
    likeness = (looks @ coarse.T) / np.sqrt(np.maximum(spread, 1.0) * power)
    end = start + pitch * layout.modules
    found: list[tuple[int, int]] = []
    for band in range(len(light)):
        taken: list[int] = []
        for n in np.argsort(-likeness[:, band])[:200]:
            apart = 1.2 * pitch[n]
            if all(
                abs(start[n] - start[k]) > apart or abs(end[n] - end[k]) > apart
                for k in taken
            ):
                taken.append(int(n))
            if len(taken) == _GUESSES:
                break
        found += [(band, n) for n in taken]
    if not found:
        return None
    band_of = np.array([band for band, _ in found])
    guess = np.array([n for _, n in found])
    middles = np.array(
        [segment.middle for segment in segments(layout.kind, SHARP)], dtype=np.float32
    )
    place = start[guess][:, None] + pitch[guess][:, None] * middles
    back = STRIP_COLUMNS - 1 - end[guess][:, None] + pitch[guess][:, None] * middles
    wide = np.repeat(pitch[guess][:, None], len(middles), axis=1)
    lines = light[band_of]
    return (
        _Lines(
            np.concatenate([lines, lines[:, ::-1]]),
            np.concatenate([place, back]),
            np.concatenate([wide, wide]),
        ),
        np.concatenate([band_of, band_of]),
    )


def _best_of_each(quality: Floats, band: Ints, is_flipped: int, bands: int) -> Ints:
    """Return for each band its best line of one way round."""
    half = len(band) // 2
    offset = is_flipped * half
    mine, of = quality[offset : offset + half], band[:half]
    best = [
        int(np.argmax(np.where(of == n, mine, -1.0))) for n in range(bands) if n in of
    ]
    return np.array(best) + offset


def _smoothed(lines: _Lines, layout: Layout) -> _Lines:
    """Return lines with their places on a smooth curve: tilted or round packs."""
    middles = np.array([one.middle for one in segments(layout.kind, SHARP)])
    x = 2 * middles / layout.modules - 1
    # Ends hang on a quiet zone, which says little of where they are.
    weight = np.ones(len(x))
    weight[[0, -1]] = 0.5
    curve = np.polynomial.polynomial.polyfit(x, lines.place.T, 3, w=weight)
    place = np.polynomial.polynomial.polyval(x, curve)
    slope = np.polynomial.polynomial.polyval(
        x, np.polynomial.polynomial.polyder(curve)
    ) * (2 / layout.modules)
    # A symbol seen from the side is a third as wide there at the least.
    usual = np.median(slope, axis=1, keepdims=True)
    pitch = np.clip(slope, usual / 3, usual * 3)
    return _Lines(lines.light, place.astype(np.float32), pitch.astype(np.float32))


# -- what the digits are -----------------------------------------------------


def _fit(
    lines: _Lines, layout: Layout, blur: Blur
) -> tuple[Floats, _Lines, list[Floats]]:
    """Compare lines with all digits, whatever the parities and the check digit.

    Returns for each line how well it is explained (1: wholly), the lines with the
    segments where they fit best, and the cost of each pair of digits there.
    """
    every = np.arange(len(lines.light))
    reached: Floats | None = None
    costs: list[Floats] = []
    steps: list[tuple[Ints, Ints]] = []
    width = 0.0
    for n, segment in enumerate(segments(layout.kind, blur)):
        modules = segment.at[None, :] + _DRIFT[:, None]
        x = lines.place[:, n, None, None] + lines.pitch[:, n, None, None] * modules
        seen = _light_at(lines.light, x)
        seen -= seen.mean(axis=2, keepdims=True)
        seen /= np.sqrt((seen * seen).sum(axis=2, keepdims=True)) + np.float32(1e-3)
        alike = (seen @ segment.templates).reshape(
            len(every), len(_DRIFT), segment.before, segment.after
        )
        cost = (1 - alike) * np.float32(segment.width)
        width += segment.width
        costs.append(cost)
        if reached is None:
            reached = cost[:, :, 0]
            continue
        around = np.full((3, *reached.shape), _NEVER, np.float32)
        around[0, :, 1:] = reached[:, :-1] + _STEP_COST
        around[1] = reached
        around[2, :, :-1] = reached[:, 1:] + _STEP_COST
        whole = around.min(axis=0)[:, :, :, None] + cost
        steps.append((around.argmin(axis=0) - 1, whole.argmin(axis=2)))
        reached = whole.min(axis=2)
    assert reached is not None, "every layout has segments"
    drift = reached[:, :, 0].argmin(axis=1)
    quality = 1 - reached[every, drift, 0] / width
    digit = np.zeros(len(every), np.intp)
    drifts = [drift]
    for step, from_digit in reversed(steps):
        before = from_digit[every, drift, digit]
        drift = drift + step[every, drift, before]
        digit = before
        drifts.append(drift)
    drifts.reverse()
    place = lines.place + lines.pitch * np.stack([_DRIFT[d] for d in drifts], axis=1)
    at_best = [cost[every, d] for cost, d in zip(costs, drifts, strict=True)]
    return quality, _Lines(lines.light, place, lines.pitch), at_best


def _light_at(light: Floats, x: Floats) -> Floats:
    """Return the light of each line between its columns."""
    x = np.clip(x, 0, light.shape[1] - 1.001)
    left = x.astype(np.intp)
    part = x - left
    line = np.arange(len(light))[:, None, None]
    seen = light[line, left] * (1 - part) + light[line, left + 1] * part
    return seen.astype(np.float32, copy=False)


def _solve(layout: Layout, costs: list[Floats]) -> tuple[list[str], Floats, Floats]:
    """Return the best number of each line that is allowed, its cost and its lead.

    Exact: costs forwards and backwards through all digits, for each row of parities
    and each rest of the check sum. `costs[n]` has an axis of lines, then the digits
    before and after segment n.
    """
    rows = layout.parities
    lines, digits = len(costs[0]), len(layout.weights)
    rests = 10 if any(layout.weights) else 1
    numbers = np.arange(10)
    pairs: list[Floats] = []
    for n in range(1, digits):
        before, after = (len(layout.sets[k]) // 10 for k in (n - 1, n))
        tens = costs[n].reshape(lines, before, 10, after, 10)
        # Rows, lines, digit before, digit after.
        pairs.append(tens[:, rows[:, n - 1], :, rows[:, n], :])
    # The rest of the check sum before each digit, for the rest after it.
    rest = np.arange(rests)[:, None]
    rest_before = [(rest - weight * numbers) % rests for weight in layout.weights]
    rest_after = [(rest + weight * numbers) % rests for weight in layout.weights]

    first = costs[0][:, 0].reshape(lines, -1, 10)[:, rows[:, 0]].transpose(1, 0, 2)
    forward = np.full((len(rows), lines, rests, 10), _NEVER, np.float32)
    for row in range(len(rows)):
        begun = row if layout.row_is_digit else 0
        at = (begun + layout.weights[0] * numbers) % rests
        forward[row, :, at, numbers] = first[row].T
    reached = [forward]
    came_from: list[Ints] = []
    for n, pair in enumerate(pairs, 1):
        whole = reached[-1][:, :, :, :, None] + pair[:, :, None]
        came_from.append(whole.argmin(axis=3)[:, :, rest_before[n], numbers])
        reached.append(whole.min(axis=3)[:, :, rest_before[n], numbers])
    last = costs[-1][:, :, 0].reshape(lines, -1, 10)[:, rows[:, -1]].transpose(1, 0, 2)
    onward = np.full_like(forward, _NEVER)
    onward[:, :, 0] = last

    every = np.arange(lines)
    total = (reached[-1] + onward).transpose(1, 0, 2, 3).reshape(lines, -1)
    best = total.argmin(axis=1)
    cost = total[every, best]
    said_row, left = best // (10 * rests), best // 10 % rests
    said = [best % 10]
    for n in range(digits - 1, 0, -1):
        before = came_from[n - 1][said_row, every, left, said[-1]]
        left = (left - layout.weights[n] * said[-1]) % rests
        said.append(before)
    said.reverse()

    # The next best differs in its row or in some digit.
    rival = np.full(lines, _NEVER, np.float32)
    for n in range(digits - 1, -1, -1):
        other = reached[n] + onward
        other[said_row, every, :, said[n]] = _NEVER
        rival = np.minimum(rival, other.min(axis=(0, 2, 3)))
        if n:
            moved = onward[:, :, rest_after[n], numbers]
            onward = (moved[:, :, :, None, :] + pairs[n - 1][:, :, None]).min(axis=4)
    texts = [
        _text(layout, int(said_row[k]), [int(one[k]) for one in said])
        for k in range(lines)
    ]
    return texts, cost, rival - cost


def _text(layout: Layout, row: int, digits: list[int]) -> str:
    """Return a number as people read it; empty where a UPC-E stands for none."""
    shown = "".join(str(digit) for digit in digits)
    if layout.kind == "upce":
        whole = expand_upc_e(f"{row // 10}{shown}{row % 10}")
        return whole and whole.zfill(13)
    return f"{row}{shown}" if layout.row_is_digit else shown
