"""Exact money: integer minor units and the few ways to round them.

Never a float, and never a decision about which rounding a country wants: that is
data (`tax.py`). How many decimals a currency shows is Babel's business.
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec


class Money(msgspec.Struct, frozen=True):
    """An amount in the minor unit of one currency: cents, pence, øre."""

    minor: int
    currency: str

    def __add__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise ValueError(f"cannot add {other.currency} to {self.currency}")
        return Money(self.minor + other.minor, self.currency)

    def __neg__(self) -> Money:
        return Money(-self.minor, self.currency)

    def __sub__(self, other: Money) -> Money:
        return self + -other


def divide_half_up(numerator: int, denominator: int) -> int:
    """Return the quotient rounded to the nearest integer, halves away from zero.

    `denominator` is positive. Commercial rounding, as invoices use it; symmetric,
    so that a void is the exact negative of its line.
    """
    quotient = (2 * abs(numerator) + denominator) // (2 * denominator)
    return quotient if numerator >= 0 else -quotient


def allocate(amount: int, weights: Sequence[int]) -> list[int]:
    """Split an amount in proportion to weights, by largest remainder.

    Neither is negative. The shares add up to the amount; equal remainders are
    served in order. No share exceeds its weight while the amount does not exceed
    their sum. Without any weight the first takes all.
    """
    total = sum(weights)
    if total == 0:
        return [amount if place == 0 else 0 for place in range(len(weights))]
    shares = [amount * weight // total for weight in weights]
    left = amount - sum(shares)
    if left:
        rests = [-(amount * weight % total) for weight in weights]
        for place in sorted(range(len(weights)), key=rests.__getitem__)[:left]:
            shares[place] += 1
    return shares
