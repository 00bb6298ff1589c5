"""The total is the lines, less what offers take off, and tax where it is added;
whatever the order, the voids, and the way it was computed.
"""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.bench import pricing_load
from kiosk.domain.basket import LineItem, standing
from kiosk.domain.pricing import Discount, PricingRules, price, problems
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
from kiosk.domain.tax import TaxLine, TaxRate, TaxRules

WORDS = {"en": "An offer"}
VAT = TaxRules(
    inclusive=True,
    rates=(TaxRate("standard", 190_000, "A"), TaxRate("reduced", 70_000, "B")),
)
SALES_TAX = TaxRules(
    inclusive=False,
    rates=(TaxRate("standard", 82_500, "T"), TaxRate("reduced", 0, "N")),
)


def line(line_no, item_id, minor, quantity=1, **more):
    return LineItem(
        item_id=item_id,
        description={"en": item_id},
        line_no=line_no,
        quantity=quantity,
        unit_price_minor=minor,
        extended_minor=minor * quantity,
        **more,
    )


def void(line_no, struck):
    return msgspec.structs.replace(
        struck,
        line_no=line_no,
        voids=struck.line_no,
        quantity=-struck.quantity,
        extended_minor=-struck.extended_minor,
    )


BREAD = line(1, "bread", 249, tax_class="reduced")
WINE = line(2, "wine", 599)
HALF_WINE = PercentOff(
    offer_id="half", description=WORDS, off_ppm=500_000, item_ids=("wine",)
)


# -- examples ------------------------------------------------------------------


def test_an_empty_basket_costs_nothing():
    figures = price((), PricingRules("EUR", VAT), 0).figures
    assert (figures.total_minor, figures.count, figures.taxes) == (0, 0, ())


def test_where_prices_hold_the_tax_the_shopper_pays_the_shelf_price():
    figures = price((BREAD, WINE), PricingRules("EUR", VAT), 0).figures
    assert figures.gross_minor == figures.total_minor == 848
    assert figures.taxes == (
        TaxLine("standard", 190_000, "A", 503, 96, 599),
        TaxLine("reduced", 70_000, "B", 233, 16, 249),
    )
    assert figures.tax_minor == 112


def test_where_tax_is_added_the_shopper_pays_it_on_top():
    figures = price((BREAD, WINE), PricingRules("USD", SALES_TAX), 0).figures
    assert figures.gross_minor == 848
    assert figures.tax_minor == 49
    assert figures.total_minor == 897


@pytest.mark.parametrize(("rules", "tax"), [(VAT, 48), (SALES_TAX, 25)])
def test_a_discount_lowers_the_taxed_amount_of_the_lines_it_touches(rules, tax):
    figures = price((BREAD, WINE), PricingRules("EUR", rules, (HALF_WINE,)), 0).figures
    assert figures.discounts == (Discount("half", WORDS, (2,), -300, (-300,)),)
    [standard] = [t for t in figures.taxes if t.tax_class == "standard"]
    assert standard.tax_minor == tax


def test_a_bundle_over_two_tax_classes_is_shared_by_price():
    meal = Bundle(
        offer_id="meal",
        description=WORDS,
        parts=(Part(item_ids=("bread",)), Part(item_ids=("wine",))),
        price_minor=700,
    )
    figures = price((BREAD, WINE), PricingRules("EUR", VAT, (meal,)), 0).figures
    assert figures.discounts == (Discount("meal", WORDS, (1, 2), -148, (-43, -105)),)
    assert [t.gross_minor for t in figures.taxes] == [494, 206]


def test_a_voided_line_is_neither_sold_nor_counted():
    lines = (BREAD, WINE, void(3, WINE))
    figures = price(lines, PricingRules("EUR", VAT, (HALF_WINE,)), 0).figures
    assert (figures.total_minor, figures.count, figures.discounts) == (249, 1, ())


def test_a_void_takes_the_third_piece_out_of_three_for_two():
    offer = NForM(
        offer_id="three", description=WORDS, pieces=3, pay=2, item_ids=("wine",)
    )
    rules = PricingRules("EUR", VAT, (offer,))
    lines = (WINE, line(3, "wine", 599), line(4, "wine", 599))
    assert price(lines, rules, 0).figures.total_minor == 2 * 599
    voided = (*lines, void(5, WINE))
    assert price(voided, rules, 0).figures.discounts == ()


def test_an_odd_cent_off_equal_goods_falls_on_the_same_one_in_any_order():
    cent = Threshold(offer_id="t", description=WORDS, from_minor=0, off_minor=1)
    rules = PricingRules("EUR", SALES_TAX, (cent,))
    tea = line(1, "tea", 249, tax_class="reduced")
    wine = line(2, "wine", 249)
    other_way = tuple(
        msgspec.structs.replace(one, line_no=3 - one.line_no) for one in (wine, tea)
    )
    taxes = price((tea, wine), rules, 0).figures.taxes
    assert price(other_way, rules, 0).figures.taxes == taxes


def test_deposits_are_named_and_are_not_pieces():
    deposit = line(3, "deposit", 25, of_line=2, is_deposit=True)
    figures = price((BREAD, WINE, deposit), PricingRules("EUR", VAT), 0).figures
    assert (figures.deposit_minor, figures.count) == (25, 2)
    assert figures.total_minor == 873


def test_a_weighed_line_is_one_piece():
    apples = line(1, "apples", 187, weighed=True, weight_grams=940)
    assert price((apples,), PricingRules("EUR", VAT), 0).figures.count == 1


def test_a_label_whose_price_does_not_divide_is_discounted_to_the_last_cent():
    three = msgspec.structs.replace(line(1, "wine", 0, quantity=3), extended_minor=1000)
    free = PercentOff(
        offer_id="free", description=WORDS, off_ppm=1_000_000, item_ids=("wine",)
    )
    figures = price((three,), PricingRules("EUR", VAT, (free,)), 0).figures
    assert (figures.discount_minor, figures.total_minor) == (-1000, 0)


def test_goods_of_an_unknown_tax_class_are_sold_and_named_on_the_tax_lines():
    book = line(1, "book", 1000, tax_class="books")
    figures = price((book,), PricingRules("EUR", VAT), 0).figures
    assert figures.total_minor == 1000
    assert figures.taxes == (TaxLine("books", 0, "?", 1000, 0, 1000),)


def test_lines_below_zero_never_make_the_lane_owe_money():
    returned = msgspec.structs.replace(WINE, extended_minor=-599)
    assert price((returned,), PricingRules("EUR", VAT), 0).figures.total_minor == 0


def test_the_operator_is_told_all_that_is_wrong_at_once():
    twice = PricingRules("euro", VAT, (HALF_WINE, HALF_WINE))
    assert problems(twice, ["books"]) == (
        "currency is 'euro', expected three letters: EUR",
        "items have tax class 'books', which has no rate",
        "offer 'half' is there more than once",
    )
    assert problems(PricingRules("EUR", VAT, (HALF_WINE,)), ["standard"]) == ()


def test_rules_survive_the_wire():
    _, rules = pricing_load.load()
    assert problems(rules) == ()
    wire = msgspec.json.encode(rules)
    assert msgspec.json.decode(wire, type=PricingRules) == rules


def test_what_was_known_of_other_rules_coupons_and_times_is_not_used():
    dated = msgspec.structs.replace(HALF_WINE, ends_ms=1000)
    coupon = Coupon(
        offer_id="c", description=WORDS, code="c", off_minor=100, item_ids=("bread",)
    )
    lines, rules = (BREAD, WINE), PricingRules("EUR", VAT, (dated, coupon))
    before = price(lines, rules, 0)
    assert price(lines, rules, 1000, (), before).figures.discount_minor == 0
    assert price(lines, rules, 0, ("c",), before).figures.discount_minor == -400
    bare = PricingRules("EUR", VAT)
    assert price(lines, bare, 0, (), before).figures.discount_minor == 0


def test_a_basket_of_two_hundred_lines_is_the_same_line_by_line_as_anew():
    lines, rules = pricing_load.load()
    priced = None
    for n in range(1, len(lines) + 1):
        priced = price(lines[:n], rules, 0, pricing_load.COUPONS, priced)
    anew = price(lines, rules, 0, pricing_load.COUPONS)
    assert priced == anew


def test_the_benchmark_basket_is_as_large_as_it_says():
    lines, rules = pricing_load.load()
    assert (len(standing(lines)), len(rules.offers)) == (200, 50)
    assert len(price(lines, rules, 0, pricing_load.COUPONS).figures.discounts) > 20
    measured = pricing_load.measure(2)
    assert sorted(measured) == ["recalc_200", "recalc_full"]
    assert all(len(values) == 2 for values in measured.values())


# -- what holds for every basket -----------------------------------------------

ITEMS = {
    "apple": ("fruit",),
    "fig": ("fruit", "dear"),
    "tea": ("drink",),
    "wine": ("drink", "dear"),
    "soap": (),
}
CLASSES = {"wine": "standard", "soap": "standard", "fig": "unheard of"}
OFFERS: tuple[Offer, ...] = (
    PercentOff(
        offer_id="1", description=WORDS, off_ppm=150_000, offer_groups=("fruit",)
    ),
    AmountOff(
        offer_id="2",
        description=WORDS,
        off_minor=90,
        per_kilogram=True,
        offer_groups=("fruit",),
    ),
    NForM(offer_id="3", description=WORDS, pieces=3, pay=2, offer_groups=("drink",)),
    MixAndMatch(
        offer_id="4",
        description=WORDS,
        pieces=2,
        price_minor=333,
        offer_groups=("dear",),
    ),
    NthOff(
        offer_id="5", description=WORDS, nth=2, off_ppm=333_333, offer_groups=("drink",)
    ),
    Bundle(
        offer_id="6",
        description=WORDS,
        parts=(Part(offer_groups=("fruit",)), Part(item_ids=("tea", "soap"))),
        price_minor=250,
    ),
    Coupon(
        offer_id="7",
        description=WORDS,
        code="soap",
        off_ppm=900_000,
        item_ids=("soap",),
    ),
    Threshold(offer_id="8", description=WORDS, from_minor=1500, off_minor=200),
    Threshold(
        offer_id="9", description=WORDS, from_minor=900, off_ppm=70_000, stackable=True
    ),
)
seeded = settings(derandomize=True, deadline=None, max_examples=150)


@st.composite
def lines_strategy(draw):
    item_id = draw(st.sampled_from(sorted(ITEMS)))
    minor = draw(st.sampled_from([1, 99, 100, 149, 333, 599]))
    about = {
        "offer_groups": ITEMS[item_id],
        "tax_class": CLASSES.get(item_id, "reduced"),
    }
    match draw(st.integers(0, 7)):
        case 0:
            grams = draw(st.integers(1, 2000))
            weighed = line(0, item_id, minor, weighed=True, weight_grams=grams, **about)
            return msgspec.structs.replace(
                weighed, extended_minor=minor * grams // 1000
            )
        case 1:
            return line(0, "deposit", 25, is_deposit=True)
        case 2:
            uneven = line(0, item_id, minor, quantity=3, **about)
            return msgspec.structs.replace(uneven, extended_minor=minor * 3 + 1)
        case _:
            return line(0, item_id, minor, draw(st.integers(1, 3)), **about)


def numbered(lines):
    return tuple(
        msgspec.structs.replace(one, line_no=n) for n, one in enumerate(lines, 1)
    )


baskets = st.lists(lines_strategy(), max_size=14).map(numbered)
rules_of_all_kinds = st.builds(
    PricingRules,
    st.just("EUR"),
    st.builds(
        lambda rules, rounding: msgspec.structs.replace(rules, rounding=rounding),
        st.sampled_from([VAT, SALES_TAX]),
        st.sampled_from(["per_rate", "per_line"]),
    ),
    st.lists(st.sampled_from(OFFERS), unique_by=lambda offer: offer.offer_id).map(
        tuple
    ),
)
coupon_scans = st.sampled_from([(), ("soap",)])


@seeded
@given(baskets, rules_of_all_kinds, coupon_scans)
def test_the_total_is_lines_less_discounts_and_added_tax(lines, rules, coupons):
    figures = price(lines, rules, 0, coupons).figures
    added = 0 if rules.taxes.inclusive else figures.tax_minor
    assert figures.gross_minor == sum(one.extended_minor for one in lines)
    assert figures.discount_minor == sum(d.amount_minor for d in figures.discounts)
    assert (
        figures.total_minor == figures.gross_minor + figures.discount_minor + added >= 0
    )
    assert all(discount.description for discount in figures.discounts)


@seeded
@given(baskets, rules_of_all_kinds, coupon_scans)
def test_tax_lines_hold_what_is_left_of_every_line(lines, rules, coupons):
    figures = price(lines, rules, 0, coupons).figures
    left = {one.line_no: one.extended_minor for one in lines}
    for discount in figures.discounts:
        assert sum(discount.shares) == discount.amount_minor
        for line_no, share in zip(discount.line_nos, discount.shares):
            left[line_no] += share
    assert all(minor >= 0 for minor in left.values())
    for taxed in figures.taxes:
        assert taxed.net_minor + taxed.tax_minor == taxed.gross_minor
        held = taxed.gross_minor if rules.taxes.inclusive else taxed.net_minor
        assert held == sum(
            left[one.line_no] for one in lines if one.tax_class == taxed.tax_class
        )
    assert figures.tax_minor == sum(taxed.tax_minor for taxed in figures.taxes)


@seeded
@given(baskets, rules_of_all_kinds, coupon_scans, st.randoms(use_true_random=False))
def test_it_does_not_matter_in_which_order_things_were_scanned(
    lines, rules, coupons, random
):
    figures = price(lines, rules, 0, coupons).figures
    shuffled = list(lines)
    random.shuffle(shuffled)
    again = price(numbered(shuffled), rules, 0, coupons).figures
    assert again.total_minor == figures.total_minor
    assert again.taxes == figures.taxes
    assert [(d.offer_id, d.amount_minor) for d in again.discounts] == [
        (d.offer_id, d.amount_minor) for d in figures.discounts
    ]


@seeded
@given(
    st.lists(st.one_of(lines_strategy(), st.integers(0, 50)), max_size=30),
    rules_of_all_kinds,
    coupon_scans,
)
def test_line_by_line_is_the_same_as_anew_through_adds_and_voids(steps, rules, coupons):
    lines: tuple[LineItem, ...] = ()
    priced = None
    for step in steps:
        line_no = len(lines) + 1
        if isinstance(step, LineItem):
            lines += (msgspec.structs.replace(step, line_no=line_no),)
        elif left := standing(lines):
            lines += (void(line_no, left[step % len(left)]),)
        priced = price(lines, rules, 0, coupons, priced)
        assert priced.figures == price(lines, rules, 0, coupons).figures


@seeded
@given(
    baskets, st.lists(lines_strategy(), max_size=8), rules_of_all_kinds, coupon_scans
)
def test_what_is_added_and_voided_again_leaves_the_basket_as_it_was(
    lines, more, rules, coupons
):
    before = price(lines, rules, 0, coupons)
    grown, priced = lines, before
    for one in more:
        grown += (msgspec.structs.replace(one, line_no=len(grown) + 1),)
        priced = price(grown, rules, 0, coupons, priced)
    for one in grown[len(lines) :]:
        grown += (void(len(grown) + 1, one),)
        priced = price(grown, rules, 0, coupons, priced)
    assert priced == before


@seeded
@given(baskets, baskets, rules_of_all_kinds, coupon_scans)
def test_the_pricing_of_another_basket_does_no_harm(lines, other, rules, coupons):
    stale = price(other, rules, 0, coupons)
    assert price(lines, rules, 0, coupons, stale) == price(lines, rules, 0, coupons)
