"""What EAN-13, EAN-8 and UPC-E symbols look like, sharp and blurred.

Tables and templates only: pure numbers, made once and kept. It will never look at a
picture. Rules: ISO/IEC 15420; UPC-A is an EAN-13 whose first digit is 0.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import TypeAlias

import msgspec
import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Whole: TypeAlias = npt.NDArray[np.int64]

# Modules of white before and after the bars that belong to what is compared.
QUIET = 5
# A digit is seven modules wide; what is compared runs from the middle of one digit to
# the middle of the next, so that a blur of up to three modules stays inside.
DIGIT = 7
SAMPLES_PER_MODULE = 4


class Layout(msgspec.Struct, frozen=True):
    """How a symbol is built.

    `fixed` are the modules before each digit and after the last. `sets` are the
    patterns each digit may have, in tens by parity; `parities` the rows of parities
    that are allowed. The weights make the check sum; all zero where it is not a sum
    of the digits shown. `row_is_digit`: which row it is, is the first digit.
    """

    kind: str
    fixed: tuple[Floats, ...]
    sets: tuple[Floats, ...]
    parities: Whole
    weights: tuple[int, ...]
    row_is_digit: bool

    @property
    def starts(self) -> list[int]:
        """Return the module at which each digit starts, and where the last ends."""
        found, at = [], -QUIET
        for modules in self.fixed[:-1]:
            at += len(modules)
            found.append(at)
            at += DIGIT
        return [*found, at]

    @property
    def modules(self) -> int:
        """Return the width from the first bar to the last."""
        return self.starts[-1] + len(self.fixed[-1]) - QUIET


class Segment(msgspec.Struct, frozen=True):
    """Half a digit, what lies between, and half the next, for all pairs of digits.

    `templates` has a column for each of `before` x `after` pairs, dark bars low, of
    mean 0 and length 1; `at` says for each row where it lies, in modules from
    `middle`; `width` is in modules.
    """

    templates: Floats
    at: Floats
    middle: float
    before: int
    after: int
    width: float


def _bits(text: str) -> Floats:
    return np.array([float(bit) for bit in text], dtype=np.float32)


def _parity_rows(rows: str, after: int = 0) -> Whole:
    return np.array([[int(bit) for bit in row] + [0] * after for row in rows.split()])


_DIGITS = (
    "0001101 0011001 0010011 0111101 0100011 0110001 0101111 0111011 0110111 0001011"
)
_A = np.stack([_bits(digit) for digit in _DIGITS.split()])
_C = np.float32(1) - _A
_B = _C[:, ::-1]
_A_OR_B = np.concatenate([_A, _B])
_WHITE = "0" * QUIET
_NONE = _bits("")
_UPC_E = "111000 110100 110010 110001 101100 100110 100011 101010 101001 100101"

LAYOUTS = {
    layout.kind: layout
    for layout in (
        Layout(
            "ean13",
            (
                *(_bits(_WHITE + "101"), *[_NONE] * 5),
                *(_bits("01010"), *[_NONE] * 5, _bits("101" + _WHITE)),
            ),
            (_A_OR_B,) * 6 + (_C,) * 6,
            _parity_rows(
                "000000 001011 001101 001110 010011 011001 011100 010101 010110 011010",
                after=6,
            ),
            (3, 1) * 6,
            row_is_digit=True,
        ),
        Layout(
            "ean8",
            (
                *(_bits(_WHITE + "101"), *[_NONE] * 3),
                *(_bits("01010"), *[_NONE] * 3, _bits("101" + _WHITE)),
            ),
            (_A,) * 4 + (_C,) * 4,
            np.zeros((1, 8), np.int64),
            (3, 1) * 4,
            row_is_digit=False,
        ),
        Layout(
            "upce",
            (_bits(_WHITE + "101"), *[_NONE] * 5, _bits("010101" + _WHITE)),
            (_A_OR_B,) * 6,
            # Number system 0 has these rows by check digit, number system 1 their
            # opposites.
            np.concatenate([_parity_rows(_UPC_E), 1 - _parity_rows(_UPC_E)]),
            (0,) * 6,
            row_is_digit=False,
        ),
    )
}


class Blur(msgspec.Struct, frozen=True):
    """How wide a point becomes, as a deviation in modules.

    Out of focus it becomes a disc, whose edge keeps what a bell curve loses.
    """

    deviation: float
    is_disc: bool


SHARP = Blur(0.5, is_disc=False)
BLURS = (
    *(Blur(deviation, is_disc=False) for deviation in (0.3, 0.5, 0.8, 1.1)),
    *(Blur(deviation, is_disc=True) for deviation in (0.8, 1.0, 1.2, 1.4, 1.7)),
)


def _seen(modules: Floats, at: Floats, blur: Blur) -> Floats:
    """Return what is seen at points (in modules) of rows of modules."""
    edges = at[None, :] - np.arange(modules.shape[1] + 1)[:, None]
    if blur.is_disc:
        x = np.clip(edges / (2 * blur.deviation), -1, 1)
        passed = 0.5 + (x * np.sqrt(1 - x * x) + np.arcsin(x)) / np.pi
    else:
        x = edges / blur.deviation
        # The normal integral to 0.0002.
        passed = 0.5 * (1 + np.tanh(0.7978846 * (x + 0.044715 * x**3)))
    return np.asarray(modules @ (passed[:-1] - passed[1:]), dtype=np.float32)


@functools.lru_cache(maxsize=64)
def segments(kind: str, blur: Blur) -> tuple[Segment, ...]:
    """Return the templates of a symbol, from quiet zone to quiet zone."""
    layout = LAYOUTS[kind]
    starts = [-QUIET - DIGIT, *layout.starts]
    nothing = np.zeros((1, 0), np.float32)
    sets = [nothing, *layout.sets, nothing]
    found = []
    for n, fixed in enumerate(layout.fixed):
        first, second = sets[n], sets[n + 1]
        pairs = len(first) * len(second)
        modules = np.concatenate(
            [
                np.repeat(first, len(second), axis=0),
                np.tile(fixed, (pairs, 1)),
                np.tile(second, (len(first), 1)),
            ],
            axis=1,
        )
        # The outermost module of white gives the blur something to spread over.
        low = DIGIT / 2 if first.shape[1] else 1.0
        high = modules.shape[1] - (DIGIT / 2 if second.shape[1] else 1.0)
        count = round((high - low) * SAMPLES_PER_MODULE)
        at = (low + (np.arange(count) + 0.5) / SAMPLES_PER_MODULE).astype(np.float32)
        templates = -_seen(modules, at, blur)
        templates -= templates.mean(axis=1, keepdims=True)
        templates /= np.linalg.norm(templates, axis=1, keepdims=True)
        origin = starts[n] if first.shape[1] else -QUIET
        middle = (low + high) / 2
        found.append(
            Segment(
                np.ascontiguousarray(templates.T),
                at - np.float32(middle),
                origin + middle,
                len(first),
                len(second),
                high - low,
            )
        )
    return tuple(found)


@functools.lru_cache(maxsize=8)
def skeleton(kind: str, samples: int) -> tuple[Floats, Floats, Floats]:
    """Return what all symbols of a kind share: look, weight, place in modules.

    The look is the mean of all symbols, the weight the less the more they differ.
    """
    layout = LAYOUTS[kind]
    means: Sequence[Floats] = [*(one.mean(axis=0) for one in layout.sets), _NONE]
    spreads: Sequence[Floats] = [*(one.var(axis=0) for one in layout.sets), _NONE]
    mean = np.concatenate(
        [part for n, f in enumerate(layout.fixed) for part in (f, means[n])]
    )
    spread = np.concatenate(
        [part for n, f in enumerate(layout.fixed) for part in (f * 0, spreads[n])]
    )
    at = ((np.arange(len(mean) * samples) + 0.5) / samples).astype(np.float32)
    blur = Blur(0.6, is_disc=False)
    # A symbol is never drawn, lit and seen to better than a fifth of its contrast.
    weight = 1 / (0.04 + _seen(spread[None], at, blur)[0])
    share: Floats = (weight / weight.sum()).astype(np.float32)
    return -_seen(mean[None], at, blur)[0], share, at - np.float32(QUIET)
