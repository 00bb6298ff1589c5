"""A large basket for measuring prices: 200 lines, 50 promotions that overlap.

The same basket every time, made by arithmetic. What is measured is the real
`price`, on one core, as the lane thread calls it.
"""

from __future__ import annotations

import time

from kiosk.domain.basket import LineItem
from kiosk.domain.pricing import PricingRules, price
from kiosk.domain.promotion import (
    AmountOff,
    Bundle,
    Coupon,
    MixAndMatch,
    NForM,
    NthOff,
    Offer,
    Part,
    PercentOff,
    Threshold,
)
from kiosk.domain.tax import TaxRate, TaxRules

LINES = 200
COUPONS = ("BREAKFAST", "CLUB")
# Groups of goods; four offers of different kinds compete for each of the first ten.
_SHELVES = 20


def load() -> tuple[tuple[LineItem, ...], PricingRules]:
    """Return the basket's lines and the rules they are priced by."""
    taxes = TaxRules(
        inclusive=True,
        rates=(TaxRate("standard", 190_000, "A"), TaxRate("reduced", 70_000, "B")),
    )
    return tuple(_line(n) for n in range(1, LINES + 1)), PricingRules(
        "EUR", taxes, _offers()
    )


def measure(repeats: int) -> dict[str, list[float]]:
    """Return milliseconds for one more line, and for the whole basket anew."""
    lines, rules = load()
    recalc_200, recalc_full = [], []
    before = price(lines, rules, 0, COUPONS)
    for n in range(repeats):
        more = (*lines, _line(LINES + 1, like=1 + n % LINES))
        started = time.perf_counter_ns()
        price(more, rules, 0, COUPONS, before)
        recalc_200.append((time.perf_counter_ns() - started) / 1e6)
        started = time.perf_counter_ns()
        price(lines, rules, 0, COUPONS)
        recalc_full.append((time.perf_counter_ns() - started) / 1e6)
    return {"recalc_200": recalc_200, "recalc_full": recalc_full}


def _line(line_no: int, like: int = 0) -> LineItem:
    """Return a line: of 120 items, some in threes, every ninth weighed."""
    item = (like or line_no) * 7 % 120
    unit_price_minor = 49 + item * 37 % 900
    weighed = item % 9 == 8
    grams = 250 + item * 13 % 700
    quantity = 1 if weighed or item % 5 else 3
    return LineItem(
        item_id=f"{item:014d}",
        description={"en": f"Item {item}", "de": f"Artikel {item}"},
        line_no=line_no,
        quantity=quantity,
        unit_price_minor=unit_price_minor,
        extended_minor=unit_price_minor * grams // 1000
        if weighed
        else unit_price_minor * quantity,
        weighed=weighed,
        weight_grams=grams if weighed else 0,
        tax_class="standard" if item % 3 else "reduced",
        department=f"{item % 8}",
        offer_groups=(f"shelf {item % _SHELVES}", f"brand {item % 7}"),
    )


def _offers() -> tuple[Offer, ...]:
    offers: list[Offer] = []
    for shelf in range(10):
        name = {"en": f"Shelf {shelf}", "de": f"Regal {shelf}"}
        group = (f"shelf {shelf}",)
        offers += [
            NForM(
                offer_id=f"n{shelf}",
                description=name,
                pieces=3,
                pay=2,
                offer_groups=group,
            ),
            MixAndMatch(
                offer_id=f"m{shelf}",
                description=name,
                pieces=3,
                price_minor=900,
                offer_groups=group,
            ),
            NthOff(
                offer_id=f"h{shelf}",
                description=name,
                nth=2,
                off_ppm=500_000,
                offer_groups=group,
            ),
        ]
    for shelf in range(10, 16):
        offers.append(
            PercentOff(
                offer_id=f"p{shelf}",
                description={"en": f"Ten per cent off shelf {shelf}"},
                off_ppm=100_000,
                offer_groups=(f"shelf {shelf}",),
            )
        )
        offers.append(
            AmountOff(
                offer_id=f"a{shelf}",
                description={"en": f"30 cents off shelf {shelf}"},
                off_minor=30,
                per_kilogram=shelf % 3 == 0,
                offer_groups=(f"shelf {shelf}",),
            )
        )
    for first in (0, 4, 16):
        offers.append(
            Bundle(
                offer_id=f"b{first}",
                description={"en": "Together"},
                parts=(
                    Part(offer_groups=(f"shelf {first}",)),
                    Part(offer_groups=(f"shelf {first + 1}",)),
                ),
                price_minor=500,
            )
        )
    offers += [
        Coupon(
            offer_id="c1",
            description={"en": "Breakfast coupon"},
            code="BREAKFAST",
            off_minor=100,
            offer_groups=("shelf 18",),
        ),
        Coupon(
            offer_id="c2",
            description={"en": "Club coupon"},
            code="CLUB",
            off_ppm=20_000,
            stackable=True,
        ),
        *(
            Threshold(
                offer_id=f"t{reach}",
                description={"en": f"From {reach} euros"},
                from_minor=reach * 100,
                off_minor=reach * 5,
            )
            for reach in (50, 100, 200)
        ),
    ]
    return tuple(offers)
