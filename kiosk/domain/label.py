"""What a label can turn out to be, and what a shop has settled about its own.

Values only. `barcode.py` makes them; what is done about one is the lane's business.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from kiosk.domain.restricted import RestrictedRules


class Gtin(msgspec.Struct, frozen=True, omit_defaults=True, tag=True):
    """A trade item, and what else the label says of it. Dates are ISO dates.

    `alternatives` are other GTINs the same digits can mean, to be looked up when the
    first is not known: eight digits may be EAN-8 or UPC-E. `expires_on` is AI (17),
    `best_before` (15), `sell_by` (16), `packed_on` (13), `produced_on` (11). A price
    without a currency is in the lane's.
    """

    gtin: str
    alternatives: tuple[str, ...] = ()
    addon: str = ""
    batch: str = ""
    serial: str = ""
    expires_on: str = ""
    best_before: str = ""
    sell_by: str = ""
    packed_on: str = ""
    produced_on: str = ""
    count: int | None = None
    weight_grams: int | None = None
    price_minor: int | None = None
    price_currency: str = ""


class PricedItem(msgspec.Struct, frozen=True, tag=True):
    """An in-store number that carries a price. `gtin` is the number with the value
    zeroed, by which a catalogue may keep the item; `item` its digits alone."""

    gtin: str
    item: str
    price_minor: int


class WeighedItem(msgspec.Struct, frozen=True, tag=True):
    """An in-store number that carries a net weight."""

    gtin: str
    item: str
    weight_grams: int


class CountedItem(msgspec.Struct, frozen=True, tag=True):
    """An in-store number that carries a count."""

    gtin: str
    item: str
    count: int


class Coupon(msgspec.Struct, frozen=True, tag=True):
    """A label that asks for a discount."""

    code: str


class Other(msgspec.Struct, frozen=True, omit_defaults=True, tag=True):
    """Readable text that names no item by GS1's rules; the shop may know it exactly.

    `alternatives` are GTINs it can mean: some scanners send a UPC-E as 6 or 7 digits.
    """

    text: str
    alternatives: tuple[str, ...] = ()


class Unreadable(msgspec.Struct, frozen=True, tag=True):
    """Nothing to sell by. `reason` is for the technician's log."""

    reason: str


Item: TypeAlias = Gtin | PricedItem | WeighedItem | CountedItem
Label: TypeAlias = Item | Coupon | Other | Unreadable


class LabelRules(
    msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True
):
    """What a shop has settled about its own labels.

    Text that begins with one of `coupon_prefixes` is the shop's own coupon.
    """

    restricted: RestrictedRules = ()
    coupon_prefixes: tuple[str, ...] = ()
    currency_decimals: int = 2


NO_RULES = LabelRules()
