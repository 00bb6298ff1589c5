"""What part of a price is tax. Rates and rounding are data; no country is in here.

`inclusive`: shelf prices hold the tax (VAT); else it is added (sales tax). `per_rate`
rounds once for each tax class of a basket, `per_line` once for each line. Halves are
rounded away from zero. Never a reason to stop selling: a class without a rate is a
problem named when the rules are loaded; met while selling it is taxed at nothing and
its tax line carries the letter "?".
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec

from kiosk.domain.money import divide_half_up

MILLION = 1_000_000
NO_RATE = "?"


class TaxRate(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The rate of one tax class in parts per million: 190000 is 19 %.

    `letter` stands beside the lines on the receipt.
    """

    tax_class: str
    rate_ppm: int
    letter: str = ""


class TaxRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a country or state taxes a basket."""

    inclusive: bool
    rates: tuple[TaxRate, ...]
    rounding: Literal["per_rate", "per_line"] = "per_rate"

    def rate(self, tax_class: str) -> TaxRate:
        """Return the class's rate, or a rate of nothing that says so."""
        for rate in self.rates:
            if rate.tax_class == tax_class:
                return rate
        return TaxRate(tax_class, 0, NO_RATE)


class TaxLine(msgspec.Struct, frozen=True):
    """What was sold in one tax class: net + tax = gross."""

    tax_class: str
    rate_ppm: int
    letter: str
    net_minor: int
    tax_minor: int
    gross_minor: int


def tax_of(amount_minor: int, rate_ppm: int, rules: TaxRules) -> int:
    """Return the tax in an amount (inclusive) or on it (exclusive), rounded."""
    whole = MILLION + rate_ppm if rules.inclusive else MILLION
    return divide_half_up(amount_minor * rate_ppm, whole)


def tax_lines(
    amounts: Iterable[tuple[str, int]], rules: TaxRules
) -> tuple[TaxLine, ...]:
    """Return a line for each tax class among (class, amount after offers).

    In the order of the rules; classes without a rate come last, by name.
    """
    rates: dict[str, TaxRate] = {}
    taken: dict[str, int] = {}
    rounded: dict[str, int] = {}
    is_per_line = rules.rounding == "per_line"
    for tax_class, amount in amounts:
        if tax_class not in rates:
            rates[tax_class] = rules.rate(tax_class)
            taken[tax_class] = rounded[tax_class] = 0
        taken[tax_class] += amount
        if is_per_line:
            rate_ppm = rates[tax_class].rate_ppm
            rounded[tax_class] += tax_of(amount, rate_ppm, rules)
    order = [rate.tax_class for rate in rules.rates if rate.tax_class in rates]
    order += sorted(rates.keys() - set(order))
    lines = []
    for tax_class in order:
        rate, amount = rates[tax_class], taken[tax_class]
        tax = (
            rounded[tax_class] if is_per_line else tax_of(amount, rate.rate_ppm, rules)
        )
        net = amount - tax if rules.inclusive else amount
        lines.append(
            TaxLine(tax_class, rate.rate_ppm, rate.letter, net, tax, net + tax)
        )
    return tuple(lines)


def problems(rules: TaxRules, tax_classes: Iterable[str] = ()) -> tuple[str, ...]:
    """Return what is wrong with the rules, in the operator's words.

    `tax_classes` are those of the items to be sold by them.
    """
    found = []
    known = [rate.tax_class for rate in rules.rates]
    for tax_class in sorted({name for name in known if known.count(name) > 1}):
        found.append(f"tax class {tax_class!r} has more than one rate")
    for rate in rules.rates:
        if not rate.tax_class:
            found.append(f"a tax rate of {rate.rate_ppm} ppm names no tax class")
        if not 0 <= rate.rate_ppm <= MILLION:
            found.append(
                f"tax class {rate.tax_class!r}: rate_ppm is {rate.rate_ppm},"
                " expected 0 to 1000000 (190000 is 19 %)"
            )
    for tax_class in sorted(set(tax_classes) - set(known)):
        found.append(f"items have tax class {tax_class!r}, which has no rate")
    return tuple(found)
