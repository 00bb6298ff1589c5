"""The open list of line items. A line is never changed into another and never
deleted: a void is a new line, and what is left is what no later line voids.
"""

from __future__ import annotations

import msgspec


class LineItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry of a basket, with the price as sold.

    `unit_price_minor` is for one piece or, when `weighed`, for one kilogram;
    `extended_minor` is before offers. `line_no` counts from 1; 0 is a line that no
    basket holds yet. `voids` names the line this one strikes out (then quantity and
    amounts are that line's negatives); `of_line` the line whose deposit this is.
    `piece_grams` is what one piece weighs, 0 where nobody knows, and `tolerance_grams`
    by how much a piece may differ, 0 for the shop's own rule.
    `price_source` is "catalog", "label" (variable measure) or "override".
    """

    item_id: str
    description: dict[str, str]
    line_no: int = 0
    quantity: int = 1
    unit_price_minor: int = 0
    extended_minor: int = 0
    weighed: bool = False
    weight_grams: int = 0
    tare_grams: int = 0
    piece_grams: int = 0
    tolerance_grams: int = 0
    tax_class: str = "standard"
    department: str = ""
    offer_groups: tuple[str, ...] = ()
    minimum_age: int = 0
    maximum_quantity: int = 0
    is_deposit: bool = False
    not_for_sale: bool = False
    attendant_needed: bool = False
    voids: int = 0
    of_line: int = 0
    price_source: str = "catalog"
    label: str = ""
    expires_on: str = ""
    batch: str = ""

    def named(self, language: str) -> str:
        """Return the description in `language`, or the first there is, or the id."""
        names = self.description
        return names.get(language) or next(iter(names.values()), self.item_id)


def standing(lines: tuple[LineItem, ...]) -> tuple[LineItem, ...]:
    """Return the lines that are sold: neither voided nor voids."""
    voided = {line.voids for line in lines if line.voids}
    return tuple(
        line for line in lines if not line.voids and line.line_no not in voided
    )
