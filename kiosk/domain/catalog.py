"""What the shop sells: items, their prices in time, and how one becomes a line.

Says nothing of where items are kept (`kiosk.records.catalog_db`).
"""

from __future__ import annotations

import msgspec

from kiosk.domain.basket import LineItem
from kiosk.domain.money import divide_half_up


class Price(msgspec.Struct, frozen=True, omit_defaults=True):
    """A price from `starts_ms` until before `ends_ms` (epoch milliseconds, UTC).

    None leaves that side open. For a weighed item it is the price of one kilogram.
    """

    minor: int
    starts_ms: int | None = None
    ends_ms: int | None = None


class Item(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the catalogue knows of one thing.

    `item_id` is the GTIN-14, `plu:` and the number for loose goods, or any other
    name the shop gives (a deposit, a bag). `description` is by language.
    `weight_grams` is what it weighs packed, give or take `tolerance_grams`.
    """

    item_id: str
    description: dict[str, str]
    prices: tuple[Price, ...] = ()
    tax_class: str = "standard"
    department: str = ""
    minimum_age: int = 0
    deposit_item_id: str = ""
    is_deposit: bool = False
    weighed: bool = False
    tare_grams: int = 0
    maximum_quantity: int = 0
    not_for_sale: bool = False
    attendant_needed: bool = False
    plu: str = ""
    page: str = ""
    search_words: tuple[str, ...] = ()
    offer_groups: tuple[str, ...] = ()
    brand: str = ""
    size: str = ""
    weight_grams: int = 0
    tolerance_grams: int = 0

    def price_at(self, at_ms: int) -> int | None:
        """Return the price in force, in minor units, or None when there is none.

        Of several, the one that started last wins; of two that started together,
        the lower one.
        """
        in_force = [
            price
            for price in self.prices
            if (price.starts_ms is None or price.starts_ms <= at_ms)
            and (price.ends_ms is None or at_ms < price.ends_ms)
        ]
        if not in_force:
            return None
        newest = max(p.starts_ms if p.starts_ms is not None else -1 for p in in_force)
        return min(
            p.minor
            for p in in_force
            if (p.starts_ms if p.starts_ms is not None else -1) == newest
        )


class Recall(msgspec.Struct, frozen=True, omit_defaults=True):
    """A batch that must not be sold; an empty `batch` means all of the item."""

    item_id: str
    batch: str = ""


def line_of(item: Item, unit_price_minor: int, quantity: int = 1) -> LineItem:
    """Return the line that sells `quantity` of an item, not yet weighed.

    The size goes with the name: a fifth of real items share theirs with another.
    """
    return LineItem(
        item_id=item.item_id,
        description={
            language: name if item.size in name else f"{name} {item.size}"
            for language, name in item.description.items()
        },
        quantity=quantity,
        unit_price_minor=unit_price_minor,
        extended_minor=0 if item.weighed else unit_price_minor * quantity,
        weighed=item.weighed,
        tare_grams=item.tare_grams,
        piece_grams=0 if item.weighed else item.weight_grams,
        tolerance_grams=item.tolerance_grams,
        tax_class=item.tax_class,
        department=item.department,
        offer_groups=item.offer_groups,
        minimum_age=item.minimum_age,
        maximum_quantity=item.maximum_quantity,
        is_deposit=item.is_deposit,
        not_for_sale=item.not_for_sale,
        attendant_needed=item.attendant_needed,
    )


def weigh(line: LineItem, grams: int) -> LineItem:
    """Return a weighed line with its weight and price; tare is taken off."""
    net = grams - line.tare_grams
    return msgspec.structs.replace(
        line,
        weight_grams=net,
        extended_minor=divide_half_up(line.unit_price_minor * net, 1000),
    )
