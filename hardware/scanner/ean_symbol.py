"""What an EAN-13 looks like when it is blurred, and which digits fit best. Pure numbers.

Knows no picture. The symbol's structure is GS1 General Specifications, 5.2.
"""

from __future__ import annotations

import functools
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

Floats: TypeAlias = npt.NDArray[np.float32]
Doubles: TypeAlias = npt.NDArray[np.float64]

# -- the symbol --------------------------------------------------------------

_ODD = [
    "0001101",
    "0011001",
    "0010011",
    "0111101",
    "0100011",
    "0110001",
    "0101111",
    "0111011",
    "0110111",
    "0001011",
]
_A = np.array([[int(module) for module in digit] for digit in _ODD], dtype=np.float64)
_C = 1.0 - _A
# Sets A and B, which the left half mixes: the mixture says the first digit.
_LEFT = np.concatenate([_A, _C[:, ::-1]])
_MIXTURES = np.array(
    [
        [int(is_b) for is_b in mixture] + [0] * 6
        for mixture in [
            "000000",
            "001011",
            "001101",
            "001110",
            "010011",
            "011001",
            "011100",
            "010101",
            "010110",
            "011010",
        ]
    ]
)
DIGITS = 12
MODULES = 95
_QUIET = 5
_WEIGHTS = (3, 1) * 6
# What stands before each digit, and after the last: quiet zone and guards.
_GUARDS = [np.array([], dtype=np.float64) for _ in range(DIGITS + 1)]
_GUARDS[0] = np.array([0] * _QUIET + [1, 0, 1], dtype=np.float64)
_GUARDS[6] = np.array([0, 1, 0, 1, 0], dtype=np.float64)
_GUARDS[12] = np.array([1, 0, 1] + [0] * _QUIET, dtype=np.float64)
_STARTS = [3 + 7 * n + (5 if n >= 6 else 0) for n in range(DIGITS)]

_SAMPLES_PER_MODULE = 4


# -- what a blurred symbol looks like ----------------------------------------


def _spread(modules: int, at: Doubles, blur: float) -> Doubles:
    """Return how much each module adds at each place (modules, places)."""
    ahead = at[None] - np.arange(modules)[:, None]
    if blur < 0:
        return _disc(ahead, -blur) - _disc(ahead - 1, -blur)
    return _normal(ahead / blur) - _normal((ahead - 1) / blur)


def _normal(x: Doubles) -> Doubles:
    # Tanh's approximation of the normal distribution: within 0.0005 of it.
    curve: Doubles = 0.5 * (1 + np.tanh(0.7978845608 * (x + 0.044715 * x**3)))
    return curve


def _disc(x: Doubles, deviation: float) -> Doubles:
    side = np.clip(x / (2 * deviation), -1, 1)
    curve: Doubles = 0.5 + (side * np.sqrt(1 - side * side) + np.arcsin(side)) / np.pi
    return curve


def _set(digit: int) -> Doubles:
    return _LEFT if digit < 6 else _C


@functools.cache
def templates(blur: float) -> list[tuple[Floats, Floats, int, int, float]]:
    """Return, for each neighbouring pair of digits, how all pairs look.

    (looks, places in modules, first digits, second digits, modules looked at)
    """
    found = []
    for n in range(DIGITS + 1):
        first = _set(n - 1) if n > 0 else np.zeros((1, 0))
        second = _set(n) if n < DIGITS else np.zeros((1, 0))
        a, b = len(first), len(second)
        guard = np.tile(_GUARDS[n], (a * b, 1))
        rows = np.concatenate(
            [np.repeat(first, b, axis=0), guard, np.tile(second, (a, 1))], axis=1
        )
        modules = rows.shape[1]
        # From the middle of one digit to the middle of the next.
        begin = 3.5 if n > 0 else 1.0
        end = modules - 3.5 if n < DIGITS else modules - 1.0
        count = round((end - begin) * _SAMPLES_PER_MODULE)
        at = begin + (np.arange(count) + 0.5) / _SAMPLES_PER_MODULE
        looks = -(rows @ _spread(modules, at, blur))
        looks -= looks.mean(axis=1, keepdims=True)
        looks /= np.linalg.norm(looks, axis=1, keepdims=True)
        origin = _STARTS[n - 1] if n > 0 else -_QUIET
        found.append(
            (
                looks.T.astype(np.float32),
                (origin + at).astype(np.float32),
                a,
                b,
                end - begin,
            )
        )
    return found


@functools.cache
def skeleton() -> tuple[Doubles, Doubles, Doubles]:
    """Return the mean look of any symbol, how much each place counts, and places."""
    mean: list[Doubles] = []
    spread: list[Doubles] = []
    for n in range(DIGITS + 1):
        mean.append(_GUARDS[n])
        spread.append(np.zeros(len(_GUARDS[n])))
        if n < DIGITS:
            mean.append(_set(n).mean(axis=0))
            spread.append(_set(n).var(axis=0))
    means, spreads = np.concatenate(mean), np.concatenate(spread)
    at = (np.arange(len(means) * 2) + 0.5) / 2
    kernel = _spread(len(means), at, 0.6)
    weight = 1 / (0.04 + spreads @ (kernel**2))
    return -(means @ kernel), weight / weight.sum(), at - _QUIET


# -- which digits fit best ----------------------------------------------------


def solved(scores: list[Doubles]) -> tuple[str, float, float]:
    """Return the best thirteen digits with a right check digit, what they cost, and
    how much more any others would."""
    count = len(_MIXTURES)
    ahead = np.full((count, 10, 10), 1e9)
    for mixture in range(count):
        for digit in range(10):
            check = (mixture + _WEIGHTS[0] * digit) % 10
            ahead[mixture, check, digit] = scores[0][0][
                _MIXTURES[mixture, 0] * 10 + digit
            ]
    levels, before = [ahead], []
    for n in range(1, DIGITS):
        reached = ahead[:, :, :, None] + _pairs(scores[n], n)[:, None]
        chosen, least = reached.argmin(2), reached.min(2)
        ahead, came = np.empty_like(least), np.empty_like(chosen)
        for digit in range(10):
            turn = _WEIGHTS[n] * digit % 10
            ahead[:, :, digit] = np.roll(least[:, :, digit], turn, 1)
            came[:, :, digit] = np.roll(chosen[:, :, digit], turn, 1)
        levels.append(ahead)
        before.append(came)
    behind = np.full((count, 10, 10), 1e9)
    for mixture in range(count):
        first = _MIXTURES[mixture, -1] * 10
        behind[mixture, 0, :] = scores[-1][first : first + 10, 0]
    whole = ahead + behind
    at = np.unravel_index(int(whole.argmin()), whole.shape)
    best = float(whole[at])
    mixture, check, digit = (int(part) for part in at)
    digits = [digit]
    for n in range(DIGITS - 1, 0, -1):
        previous = int(before[n - 1][mixture, check, digit])
        check = (check - _WEIGHTS[n] * digit) % 10
        digit = previous
        digits.append(digit)
    digits.reverse()
    return (
        f"{mixture}{''.join(map(str, digits))}",
        best,
        _second(levels, behind, scores, mixture, digits) - best,
    )


def _second(
    levels: list[Doubles],
    behind: Doubles,
    scores: list[Doubles],
    mixture: int,
    digits: list[int],
) -> float:
    """Return what the best of all other digits would cost."""
    second = 1e9
    for n in range(DIGITS - 1, -1, -1):
        others = levels[n] + behind
        others[mixture, :, digits[n]] = 1e9
        second = min(second, float(others.min()))
        if n:
            turned = np.empty_like(behind)
            for digit in range(10):
                turn = -(_WEIGHTS[n] * digit % 10)
                turned[:, :, digit] = np.roll(behind[:, :, digit], turn, 1)
            behind = (turned[:, :, None, :] + _pairs(scores[n], n)[:, None]).min(3)
    return second


def _pairs(score: Doubles, n: int) -> Doubles:
    """Return what each pair of digits costs at a place, for each mixture of sets."""
    return np.stack(
        [
            score[
                mixture[n - 1] * 10 : mixture[n - 1] * 10 + 10,
                mixture[n] * 10 : mixture[n] * 10 + 10,
            ]
            for mixture in _MIXTURES
        ]
    )
