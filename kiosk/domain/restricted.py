"""Restricted circulation numbers: in-store labels that carry a price, weight or count.

What the digits behind prefix 02 or 20 to 29 mean is settled by each country or
shop, so it is data: a pattern to a prefix. Reads no label itself; `barcode.py`
asks. The examples are the rules the national GS1 organisations publish.
"""

from __future__ import annotations

import re
from enum import Enum
from types import MappingProxyType
from typing import TypeAlias

import msgspec

_PATTERN = re.compile(r"(02|2\d)\d*I+(K?V+|V+K?)C")
# GS1 General Specifications 7.9.2 to 7.9.4 define verifiers for these widths.
_VERIFIED_WIDTHS = (4, 5)


class Measure(Enum):
    """What a restricted number carries beside the item."""

    PRICE = "price"
    WEIGHT = "weight"
    COUNT = "count"


class RestrictedRule(
    msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True
):
    """How the 13 digits behind one prefix are read.

    `pattern` has the prefix as digits, then `I` for item, `K` for the verifier of
    the value, `V` for the value and `C` for the check digit: `20IIIIIKVVVVC`. A
    UPC-A that begins with 2 is written with its leading 0: `02IIIIIKVVVVC`.
    `decimals` are those of the price, or of the weight in kilograms; a count has
    none.
    """

    pattern: str
    measure: Measure
    decimals: int = 0

    def __post_init__(self) -> None:
        if len(self.pattern) != 13 or not _PATTERN.fullmatch(self.pattern):
            raise ValueError(
                f"pattern {self.pattern!r}: expected 13 characters, a prefix 02 or "
                "20 to 29, then I (item), K (verifier, if any), V (value) and C last"
            )
        if "K" in self.pattern and self.pattern.count("V") not in _VERIFIED_WIDTHS:
            raise ValueError(
                f"pattern {self.pattern!r}: only a value of 4 or 5 digits has a verifier"
            )
        if not 0 <= self.decimals <= 3:
            raise ValueError(f"decimals {self.decimals}: expected 0 to 3")
        if self.measure is Measure.COUNT and self.decimals:
            raise ValueError("decimals: a count has none")

    @property
    def prefix(self) -> str:
        """The digits by which a number falls under this rule."""
        return self.pattern[: self.pattern.index("I")]

    def read(self, digits: str) -> RestrictedReading:
        """Return what 13 digits of this prefix say. The verifier is not yet checked."""
        zeros = "".join(
            "0" if mark in "VK" else digit
            for mark, digit in zip(self.pattern, digits, strict=True)
        )
        # A verifier over zeros is zero for both widths, so only C is left to mend.
        return RestrictedReading(
            item=_cut(self.pattern, "I", digits),
            value=_cut(self.pattern, "V", digits),
            verifier=_cut(self.pattern, "K", digits),
            without_value=zeros[:-1],
        )


class RestrictedReading(msgspec.Struct, frozen=True):
    """What one number says, as digits: the item, the value, the value's verifier (or
    empty), and the number's first twelve digits with nothing in the value's place."""

    item: str
    value: str
    verifier: str
    without_value: str


RestrictedRules: TypeAlias = tuple[RestrictedRule, ...]


def find_rule(digits: str, rules: RestrictedRules) -> RestrictedRule | None:
    """Return the first rule whose prefix these 13 digits begin with."""
    if digits[0] != "2" and not digits.startswith("02"):
        return None
    for rule in rules:
        if digits.startswith(rule.prefix):
            return rule
    return None


def _cut(pattern: str, mark: str, digits: str) -> str:
    start = pattern.find(mark)
    return "" if start < 0 else digits[start : pattern.rindex(mark) + 1]


def _rules(
    measure: Measure, form: str, decimals_by_prefix: dict[str, int]
) -> RestrictedRules:
    return tuple(
        RestrictedRule(prefix + form, measure, decimals)
        for prefix, decimals in decimals_by_prefix.items()
    )


_BALTIC = _rules(Measure.WEIGHT, "IIIIIIVVVVC", {"23": 3, "24": 2, "25": 1})
_NORDIC = _rules(Measure.PRICE, "IIIIIIVVVVC", {"20": 2, "21": 1, "22": 0}) + _BALTIC

EXAMPLES: MappingProxyType[str, RestrictedRules] = MappingProxyType(
    {
        # GS1 Denmark, GTIN-13 price and GTIN-13 weight.
        "DK": _rules(Measure.PRICE, "IIIIVVVVVVC", {"21": 2, "22": 2, "23": 2, "24": 2})
        + _rules(Measure.WEIGHT, "IIIIVVVVVVC", {"26": 3, "28": 3})
        + _rules(Measure.WEIGHT, "IIIIIVVVVVC", {"27": 3}),
        # GS1 Latvia, "Variable measure in Latvia"; the Baltic states share it.
        "EE": _BALTIC,
        "LV": _BALTIC,
        "LT": _BALTIC,
        # GS1 Finland, instructions on GTIN for variable weight.
        "FI": _BALTIC,
        # GS1 Germany, "Globale Artikelnummer in der Anwendung".
        "DE": _rules(Measure.PRICE, "IIIIKVVVVVC", {"22": 2, "23": 2})
        + _rules(Measure.COUNT, "IIIIKVVVVVC", {"25": 0, "26": 0})
        + _rules(Measure.WEIGHT, "IIIIKVVVVVC", {"28": 3, "29": 3}),
        # GS1 UK, "How to barcode variable measure items".
        "GB": _rules(Measure.PRICE, "IIIIIKVVVVC", {"20": 2}),
        # No Norwegian text is public; products there follow the Swedish rules.
        "NO": _NORDIC,
        "SE": _NORDIC,
        # GS1 US: number system 2 of UPC-A with the four-digit price verifier.
        "US": _rules(Measure.PRICE, "IIIIIKVVVVC", {"02": 2}),
    }
)
