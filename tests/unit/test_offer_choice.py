"""Where offers overlap, the shopper pays the least there is: small baskets are
compared with trying everything, larger ones with what must hold of any choice.
"""

from __future__ import annotations

from functools import cache
from itertools import combinations, permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.domain.basket import LineItem
from kiosk.domain.money import divide_half_up
from kiosk.domain.pricing import Figures, PricingRules, price
from kiosk.domain.promotion import (
    AmountOff,
    Bundle,
    Coupon,
    MixAndMatch,
    NForM,
    NthOff,
    Part,
    PercentOff,
)
from kiosk.domain.tax import TaxRate, TaxRules

TAXES = TaxRules(inclusive=True, rates=(TaxRate("standard", 190_000, "A"),))
WORDS = {"en": "An offer"}


def lines_of(pieces):
    return tuple(
        LineItem(
            item_id=item,
            description={"en": item},
            line_no=n,
            unit_price_minor=minor,
            extended_minor=minor,
            offer_groups=ITEMS[item],
        )
        for n, (item, minor) in enumerate(pieces, 1)
    )


def sold(pieces, *offers, scans=1) -> Figures:
    """Return the figures of pieces, each scanned by itself."""
    rules = PricingRules("EUR", TAXES, offers)
    return price(lines_of(pieces), rules, 0, ("scanned",) * scans).figures


ITEMS = {"a": ("x",), "b": ("x", "y"), "c": ("y",), "d": ("x", "z"), "e": ()}
groups = st.lists(st.sampled_from("xyz"), min_size=1, max_size=2, unique=True).map(
    tuple
)
named = st.one_of(
    st.fixed_dictionaries({"offer_groups": groups}),
    st.fixed_dictionaries(
        {
            "item_ids": st.lists(st.sampled_from("abcde"), min_size=1, unique=True).map(
                tuple
            )
        }
    ),
)
parts_off = st.sampled_from([50_000, 100_000, 333_333, 500_000, 1_000_000])
limits = st.sampled_from([0, 0, 1, 2])


def _offer(kind, **fields):
    return st.tuples(named, st.fixed_dictionaries(fields)).map(
        lambda both: (
            lambda offer_id: kind(
                offer_id=offer_id, description=WORDS, **both[0], **both[1]
            )
        )
    )


def _paid(kind):
    return st.integers(2, 4).flatmap(
        lambda n: _offer(
            kind, pieces=st.just(n), pay=st.integers(1, n - 1), limit=limits
        )
    )


kinds_of_offer = st.one_of(
    _offer(PercentOff, off_ppm=parts_off, limit=limits),
    _offer(AmountOff, off_minor=st.integers(1, 30), limit=limits),
    _paid(NForM),
    _paid(MixAndMatch),
    _offer(
        MixAndMatch,
        pieces=st.integers(1, 4),
        price_minor=st.integers(0, 90),
        limit=limits,
    ),
    _offer(NthOff, nth=st.integers(1, 3), off_ppm=parts_off, limit=limits),
    _offer(Coupon, off_minor=st.integers(1, 30), code=st.just("scanned"), limit=limits),
    st.builds(
        lambda one, other, price_minor, limit: (
            lambda offer_id: Bundle(
                offer_id=offer_id,
                description=WORDS,
                parts=(Part(**one), Part(**other)),
                price_minor=price_minor,
                limit=limit,
            )
        ),
        named,
        named,
        st.integers(0, 80),
        limits,
    ),
)
some_offers = st.lists(kinds_of_offer, min_size=1, max_size=4).map(
    lambda makers: tuple(make(f"o{n}") for n, make in enumerate(makers))
)
some_pieces = st.lists(
    st.tuples(st.sampled_from("abcde"), st.integers(1, 40)), max_size=7
)


def names(about, item_id):
    return item_id in about.item_ids or bool(
        set(about.offer_groups) & set(ITEMS[item_id])
    )


def worth(offer, taken):
    """Return what an offer takes off exactly these pieces, or 0 when it does not fit."""
    prices = sorted(minor for _, minor in taken)
    if isinstance(offer, Bundle):
        fits = len(taken) == sum(part.pieces for part in offer.parts) and any(
            all(names(part, item) for part, (item, _) in zip(offer.parts, order))
            for order in permutations(taken)
        )
        return sum(prices) - offer.price_minor if fits else 0
    if not all(names(offer, item) for item, _ in taken):
        return 0
    size = len(taken)
    match offer:
        case PercentOff() if size == 1:
            return divide_half_up(prices[0] * offer.off_ppm, 1_000_000)
        case AmountOff() | Coupon() if size == 1:
            return min(prices[0], offer.off_minor)
        case NForM() if size == offer.pieces and len({item for item, _ in taken}) == 1:
            return sum(prices[: size - offer.pay])
        case MixAndMatch(price_minor=int(together)) if size == offer.pieces:
            return sum(prices) - together
        case MixAndMatch(pay=int(paid)) if size == offer.pieces:
            return sum(prices[: size - paid])
        case NthOff() if size == offer.nth:
            return divide_half_up(prices[0] * offer.off_ppm, 1_000_000)
    return 0


def best_of_all(pieces, offers, scans):
    """Return the greatest saving, by trying every offer on every set of pieces."""
    choices = []
    for size in range(1, min(len(pieces), 4) + 1):
        for numbers in combinations(range(len(pieces)), size):
            taken = [pieces[n] for n in numbers]
            for place, offer in enumerate(offers):
                if (saved := worth(offer, taken)) > 0:
                    per_item = taken[0][0] if isinstance(offer, NForM) else ""
                    choices.append((frozenset(numbers), (place, per_item), saved))

    def most(place):
        offer = offers[place]
        if isinstance(offer, Coupon):
            return min(scans, offer.limit or scans)
        return offer.limit or len(pieces)

    @cache
    def solve(left, used):
        if not left:
            return 0
        first = min(left)
        best = solve(left - {first}, used)
        for numbers, deal, saved in choices:
            if (
                first in numbers
                and numbers <= left
                and used.count(deal) < most(deal[0])
            ):
                limited = offers[deal[0]].limit or isinstance(offers[deal[0]], Coupon)
                more = tuple(sorted((*used, deal))) if limited else used
                best = max(best, saved + solve(left - numbers, more))
        return best

    return solve(frozenset(range(len(pieces))), ())


seeded = settings(derandomize=True, deadline=None, max_examples=150)
many_pieces = st.lists(
    st.tuples(st.sampled_from("abcde"), st.integers(1, 40)), min_size=13, max_size=40
)


@seeded
@given(some_pieces, some_offers, st.integers(0, 2))
def test_the_price_is_the_best_there_is_for_small_baskets(pieces, offers, scans):
    saved = -sold(pieces, *offers, scans=scans).discount_minor
    assert saved == best_of_all(pieces, offers, scans)


@seeded
@given(
    st.lists(st.tuples(st.sampled_from("abcde"), st.integers(1, 40)), max_size=12),
    some_offers,
    kinds_of_offer,
)
def test_one_more_offer_never_raises_the_price(pieces, offers, make):
    fewer = sold(pieces, *offers)
    more = sold(pieces, *offers, make("one more"))
    assert more.total_minor <= fewer.total_minor


@seeded
@given(
    st.one_of(some_pieces, many_pieces),
    some_offers,
)
def test_every_discount_is_part_of_the_lines_it_names(pieces, offers):
    figures = sold(pieces, *offers)
    left = {n: minor for n, (_, minor) in enumerate(pieces, 1)}
    for discount in figures.discounts:
        assert sum(discount.shares) == discount.amount_minor < 0
        assert list(discount.line_nos) == sorted(set(discount.line_nos))
        for line_no, share in zip(discount.line_nos, discount.shares):
            left[line_no] += share
    assert all(minor >= 0 for minor in left.values())
    assert sum(left.values()) == figures.total_minor


@seeded
@given(many_pieces, some_offers, st.randoms(use_true_random=False))
def test_a_large_basket_costs_the_same_however_it_was_scanned(pieces, offers, random):
    before = sold(pieces, *offers)
    random.shuffle(pieces)
    assert sold(pieces, *offers).total_minor == before.total_minor


@seeded
@given(many_pieces, kinds_of_offer)
def test_beyond_the_exact_search_one_offer_alone_saves_no_less_than_for_the_dearest(
    pieces, make
):
    dearest = sorted(pieces, key=lambda one: -one[1])[:3]
    assert sold(pieces, make("o")).discount_minor <= min(
        0, sold(dearest, make("o")).discount_minor
    )
