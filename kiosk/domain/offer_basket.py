"""Offers by the basket: off what is left to pay once offers by the piece are given.

The best of those that stand alone, then the stackable ones, percentages first, since
that leaves the shopper less to pay than amounts first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter

from kiosk.domain.basket import LineItem
from kiosk.domain.money import allocate, divide_half_up
from kiosk.domain.promotion import BasketOffer, names_goods, takes
from kiosk.domain.tax import MILLION


def by_basket(
    offers: Sequence[BasketOffer], sold: Iterable[LineItem], left: Mapping[int, int]
) -> list[tuple[BasketOffer, dict[int, int]]]:
    """Return the offers given, in order, and what each takes off by line.

    `offers` come in the order of their ids, which decides between equals. `left` is
    what is still to pay for each line.
    """
    left = dict(left)
    goods = [line for line in sold if not line.is_deposit and line.extended_minor > 0]
    # Equal remainders are served by what lines are, not by when they were scanned.
    goods.sort(key=_CONTENT)
    alone = [offer for offer in offers if not offer.stackable]
    chosen = sorted(
        (offer for offer in offers if offer.stackable),
        key=lambda offer: (not offer.off_ppm, offer.offer_id),
    )
    if alone:
        chosen.insert(0, max(alone, key=lambda o: _off(o, _for(o, goods), left)))
    given = []
    for offer in chosen:
        lines = _for(offer, goods)
        if off_minor := _off(offer, lines, left):
            shares = allocate(off_minor, [left[line.line_no] for line in lines])
            taken = {line.line_no: n for line, n in zip(lines, shares) if n}
            for line_no, share in taken.items():
                left[line_no] -= share
            given.append((offer, taken))
    return given


_CONTENT = attrgetter(
    "item_id",
    "tax_class",
    "extended_minor",
    "quantity",
    "weight_grams",
    "offer_groups",
)


def _for(offer: BasketOffer, goods: list[LineItem]) -> list[LineItem]:
    if not names_goods(offer):
        return goods
    return [line for line in goods if takes(offer, line.item_id, line.offer_groups)]


def _off(offer: BasketOffer, lines: Sequence[LineItem], left: Mapping[int, int]) -> int:
    reached = sum([line.extended_minor for line in lines]) if offer.from_minor else 0
    if reached < offer.from_minor:
        return 0
    rest = sum([left[line.line_no] for line in lines])
    if offer.off_ppm:
        return divide_half_up(rest * offer.off_ppm, MILLION)
    return min(offer.off_minor, rest)
