"""Every kind of offer does what its words say, when it says, and no more."""

from __future__ import annotations

import msgspec
import pytest

from kiosk.domain.basket import LineItem
from kiosk.domain.money import divide_half_up
from kiosk.domain.pricing import Discount, PricingRules, price
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
    coupon_of,
    problems,
)
from kiosk.domain.tax import TaxRate, TaxRules

TAXES = TaxRules(inclusive=True, rates=(TaxRate("standard", 190_000, "A"),))
WORDS = {"en": "An offer", "de": "Ein Angebot"}


def piece(item_id, minor, groups=(), quantity=1, **more):
    return LineItem(
        item_id=item_id,
        description={"en": item_id},
        quantity=quantity,
        unit_price_minor=minor,
        extended_minor=minor * quantity,
        offer_groups=groups,
        **more,
    )


def weighed(item_id, per_kilogram, grams, groups=()):
    return LineItem(
        item_id=item_id,
        description={"en": item_id},
        unit_price_minor=per_kilogram,
        extended_minor=divide_half_up(per_kilogram * grams, 1000),
        weighed=True,
        weight_grams=grams,
        offer_groups=groups,
    )


def sold(lines, *offers, at_ms=0, coupons=()):
    """Return the figures of lines, numbered as they come."""
    numbered = tuple(
        msgspec.structs.replace(line, line_no=n) for n, line in enumerate(lines, 1)
    )
    return price(numbered, PricingRules("EUR", TAXES, offers), at_ms, coupons).figures


def off(lines, *offers, at_ms=0, coupons=()):
    return -sold(lines, *offers, at_ms=at_ms, coupons=coupons).discount_minor


PERCENT = PercentOff(
    offer_id="ten", description=WORDS, off_ppm=100_000, offer_groups=("fruit",)
)
THREE_FOR_TWO = NForM(
    offer_id="three", description=WORDS, pieces=3, pay=2, offer_groups=("tea",)
)
MEAL = Bundle(
    offer_id="meal",
    description=WORDS,
    parts=(
        Part(item_ids=("sandwich",)),
        Part(offer_groups=("drink",)),
    ),
    price_minor=400,
)


# -- each kind -----------------------------------------------------------------


def test_ten_per_cent_comes_off_every_piece_and_says_why():
    figures = sold(
        [piece("apple", 55, ("fruit",), quantity=3), piece("pen", 99)], PERCENT
    )
    assert figures.discounts == (Discount("ten", WORDS, (1,), -18, (-18,)),)
    assert figures.total_minor == 3 * 55 + 99 - 18


def test_a_percentage_comes_off_weighed_goods():
    assert off([weighed("grapes", 399, 500, ("fruit",))], PERCENT) == 20


def test_an_amount_off_a_piece_never_exceeds_its_price():
    fifty = AmountOff(offer_id="a", description=WORDS, off_minor=50, item_ids=("gum",))
    assert off([piece("gum", 80, quantity=2)], fifty) == 100
    assert off([piece("gum", 30)], fifty) == 30


def test_an_amount_off_a_piece_is_not_for_weighed_goods():
    fifty = AmountOff(
        offer_id="a", description=WORDS, off_minor=50, item_ids=("plums",)
    )
    assert off([weighed("plums", 300, 1000)], fifty) == 0


def test_an_amount_off_a_kilogram_follows_the_weight():
    dear = AmountOff(
        offer_id="a",
        description=WORDS,
        off_minor=100,
        per_kilogram=True,
        item_ids=("plums", "plum cake"),
    )
    assert off([weighed("plums", 300, 1250)], dear) == 125
    assert off([weighed("plums", 80, 1000)], dear) == 80
    assert off([piece("plum cake", 300)], dear) == 0


def test_three_for_the_price_of_two():
    assert off([piece("mint", 199, ("tea",), quantity=2)], THREE_FOR_TWO) == 0
    assert off([piece("mint", 199, ("tea",), quantity=3)], THREE_FOR_TWO) == 199
    assert off([piece("mint", 199, ("tea",), quantity=7)], THREE_FOR_TWO) == 398


def test_three_for_two_wants_three_of_the_same():
    lines = [piece("mint", 199, ("tea",), quantity=2), piece("sage", 199, ("tea",))]
    assert off(lines, THREE_FOR_TWO) == 0


def test_pieces_count_from_all_lines_they_were_scanned_in():
    lines = [piece("mint", 199, ("tea",)) for _ in range(3)]
    figures = sold(lines, THREE_FOR_TWO)
    assert figures.discounts == (
        Discount("three", WORDS, (1, 2, 3), -199, (-67, -66, -66)),
    )


def test_mix_and_match_takes_any_of_the_group_for_one_price():
    any_three = MixAndMatch(
        offer_id="m",
        description=WORDS,
        pieces=3,
        price_minor=500,
        offer_groups=("tea",),
    )
    teas = [
        piece(name, minor, ("tea",))
        for name, minor in (("mint", 199), ("sage", 229), ("rose", 249), ("lime", 189))
    ]
    assert off(teas, any_three) == 199 + 229 + 249 - 500


def test_mix_and_match_is_not_given_where_it_costs_more():
    any_three = MixAndMatch(
        offer_id="m",
        description=WORDS,
        pieces=3,
        price_minor=700,
        offer_groups=("tea",),
    )
    assert off([piece("mint", 199, ("tea",), quantity=3)], any_three) == 0


def test_mix_and_match_can_make_the_cheapest_free():
    cheapest = MixAndMatch(
        offer_id="m", description=WORDS, pieces=3, pay=2, offer_groups=("tea",)
    )
    teas = [
        piece(name, minor, ("tea",))
        for name, minor in (
            ("mint", 100),
            ("sage", 600),
            ("rose", 200),
            ("lime", 500),
            ("balm", 300),
            ("hops", 400),
        )
    ]
    assert off(teas, cheapest) == 400 + 100


def test_a_bundle_has_its_own_price():
    lines = [piece("sandwich", 329), piece("cola", 149, ("drink",))]
    assert off(lines, MEAL) == 329 + 149 - 400
    assert off(lines[:1], MEAL) == 0


def test_a_bundle_takes_the_dearest_that_fit():
    lines = [
        piece("sandwich", 329),
        piece("water", 99, ("drink",)),
        piece("juice", 279, ("drink",)),
    ]
    assert off(lines, MEAL) == 329 + 279 - 400


def test_the_second_at_half_price():
    second = NthOff(
        offer_id="n", description=WORDS, nth=2, off_ppm=500_000, offer_groups=("tea",)
    )
    assert off([piece("mint", 199, ("tea",), quantity=3)], second) == 100
    lines = [piece("mint", 199, ("tea",)), piece("sage", 99, ("tea",))]
    assert off(lines, second) == 50


def test_an_offer_is_given_no_more_often_than_it_says():
    once = msgspec.structs.replace(THREE_FOR_TWO, limit=1)
    assert off([piece("mint", 199, ("tea",), quantity=9)], once) == 199
    two_apples = msgspec.structs.replace(PERCENT, limit=2)
    apples = [piece("apple", 50, ("fruit",), quantity=3), piece("fig", 90, ("fruit",))]
    assert off(apples, two_apples) == 9 + 5


def test_a_basket_threshold_is_reached_or_not():
    spend = Threshold(offer_id="t", description=WORDS, from_minor=5000, off_minor=500)
    assert off([piece("wok", 4999)], spend) == 0
    assert off([piece("wok", 5000)], spend) == 500


def test_a_threshold_counts_prices_before_offers_and_takes_off_what_is_left():
    spend = Threshold(offer_id="t", description=WORDS, from_minor=200, off_ppm=500_000)
    assert off([piece("apple", 200, ("fruit",))], PERCENT, spend) == 20 + 90


def test_only_the_best_offer_by_the_basket_is_given():
    five, ten = (
        Threshold(offer_id=name, description=WORDS, from_minor=0, off_minor=minor)
        for name, minor in (("five", 5), ("ten", 10))
    )
    assert off([piece("pen", 99)], five, ten) == 10


def test_a_stackable_offer_by_the_basket_comes_on_top():
    lot = Threshold(offer_id="lot", description=WORDS, from_minor=0, off_minor=100)
    club = Threshold(
        offer_id="club",
        description=WORDS,
        from_minor=0,
        off_ppm=100_000,
        stackable=True,
    )
    assert off([piece("wok", 1100)], lot, club) == 100 + 100


def test_of_stackable_offers_the_percentage_comes_first_and_the_shopper_pays_less():
    amount = Threshold(
        offer_id="1", description=WORDS, from_minor=0, off_minor=100, stackable=True
    )
    part = Threshold(
        offer_id="2", description=WORDS, from_minor=0, off_ppm=100_000, stackable=True
    )
    assert off([piece("wok", 1100)], amount, part) == 110 + 100


def test_deposits_are_never_discounted():
    everything = Threshold(
        offer_id="t", description=WORDS, from_minor=0, off_ppm=1_000_000
    )
    deposit = piece("deposit", 25, ("fruit",), is_deposit=True)
    figures = sold([piece("pen", 99), deposit], PERCENT, everything)
    assert figures.total_minor == figures.deposit_minor == 25
    assert figures.count == 1


def test_a_deposit_does_not_help_to_reach_a_threshold():
    spend = Threshold(offer_id="t", description=WORDS, from_minor=100, off_minor=50)
    deposit = piece("deposit", 25, is_deposit=True)
    assert off([piece("pen", 99), deposit], spend) == 0


# -- coupons and dates ---------------------------------------------------------

SOAP = Coupon(
    offer_id="soap",
    description=WORDS,
    code="9812345",
    off_minor=100,
    item_ids=("soap",),
    limit=2,
)


def test_a_coupon_counts_only_when_it_was_scanned():
    lines = [piece("soap", 250, quantity=3)]
    assert off(lines, SOAP) == 0
    assert off(lines, SOAP, coupons=("another",)) == 0
    assert off(lines, SOAP, coupons=("9812345",)) == 100


def test_a_coupon_counts_once_a_scan_up_to_its_limit():
    lines = [piece("soap", 250, quantity=3)]
    assert off(lines, SOAP, coupons=("9812345",) * 2) == 200
    assert off(lines, SOAP, coupons=("9812345",) * 3) == 200


def test_a_coupon_for_the_whole_basket_has_its_own_threshold():
    five = Coupon(
        offer_id="five", description=WORDS, code="five", off_minor=500, from_minor=3000
    )
    assert off([piece("wok", 2999)], five, coupons=("five",)) == 0
    assert off([piece("wok", 3000)], five, coupons=("five", "five")) == 500


def test_an_offer_runs_from_its_start_until_before_its_end():
    dated = msgspec.structs.replace(PERCENT, starts_ms=1000, ends_ms=2000)
    apple = [piece("apple", 100, ("fruit",))]
    assert [off(apple, dated, at_ms=t) for t in (999, 1000, 1999, 2000)] == [
        0,
        10,
        10,
        0,
    ]


def test_the_lane_knows_a_coupon_by_its_code_while_it_runs():
    dated = msgspec.structs.replace(SOAP, ends_ms=2000)
    assert coupon_of("9812345", (PERCENT, dated), 1999) == dated
    assert coupon_of("9812345", (PERCENT, dated), 2000) is None
    assert coupon_of("ten", (PERCENT, dated), 0) is None


# -- offers that meet ----------------------------------------------------------


def test_a_piece_takes_part_in_one_offer_only():
    ten = PercentOff(
        offer_id="ten", description=WORDS, off_ppm=100_000, offer_groups=("tea",)
    )
    figures = sold([piece("mint", 200, ("tea",), quantity=4)], THREE_FOR_TWO, ten)
    assert [(d.offer_id, d.amount_minor) for d in figures.discounts] == [
        ("ten", -20),
        ("three", -200),
    ]


def test_the_greedy_choice_gives_way_to_the_better_pair():
    # 300 off the dearest pair first would leave two pieces without any partner.
    pairs = [
        Bundle(
            offer_id=name,
            description=WORDS,
            parts=(Part(item_ids=(one,)), Part(item_ids=(other,))),
            price_minor=2000 - saved,
        )
        for name, one, other, saved in (
            ("greedy", "b", "c", 300),
            ("left", "a", "b", 200),
            ("right", "c", "d", 200),
        )
    ]
    lines = [piece(name, 1000) for name in "abcd"]
    figures = sold(lines, *pairs)
    assert [d.offer_id for d in figures.discounts] == ["left", "right"]


def test_of_equal_offers_the_first_by_name_is_given():
    twins = [msgspec.structs.replace(PERCENT, offer_id=name) for name in ("b", "a")]
    figures = sold([piece("apple", 100, ("fruit",))], *twins)
    assert [d.offer_id for d in figures.discounts] == ["a"]


def test_a_pallet_of_yoghurt_still_gets_every_third_free():
    lines = [piece("mint", 59, ("tea",)) for _ in range(100)]
    assert off(lines, THREE_FOR_TWO) == 33 * 59


# -- what the operator is told -------------------------------------------------


@pytest.mark.parametrize(
    ("offer", "said"),
    [
        (msgspec.structs.replace(PERCENT, off_ppm=0), "above 0"),
        (msgspec.structs.replace(PERCENT, off_ppm=2_000_000), "more than all of it"),
        (msgspec.structs.replace(PERCENT, offer_groups=()), "for nothing"),
        (msgspec.structs.replace(PERCENT, description={}), "cannot say why"),
        (msgspec.structs.replace(PERCENT, starts_ms=2, ends_ms=2), "ends before"),
        (msgspec.structs.replace(PERCENT, limit=-1), "limit is -1"),
        (msgspec.structs.replace(THREE_FOR_TWO, pay=3), "3 for the price of 3"),
        (msgspec.structs.replace(MEAL, price_minor=-1), "below 0"),
        (msgspec.structs.replace(MEAL, parts=()), "no parts"),
        (msgspec.structs.replace(MEAL, parts=(Part(),)), "a part names no items"),
        (msgspec.structs.replace(SOAP, code=""), "without a code"),
        (msgspec.structs.replace(SOAP, off_ppm=5), "an amount (off_minor) or a part"),
        (msgspec.structs.replace(SOAP, from_minor=5), "for the whole basket"),
        (
            MixAndMatch(offer_id="m", description=WORDS, pieces=2, item_ids=("a",)),
            "either price_minor or pay",
        ),
        (
            NthOff(offer_id="n", description=WORDS, nth=0, off_ppm=1, item_ids=("a",)),
            "nth is 0",
        ),
        (
            Threshold(offer_id="t", description=WORDS, from_minor=-1, off_minor=1),
            "from_minor is -1",
        ),
    ],
)
def test_the_operator_is_told_what_is_wrong_with_an_offer(offer, said):
    [found] = problems((offer,))
    assert found.startswith(f"offer {offer.offer_id!r}: ")
    assert said in found


def test_sound_offers_have_no_problems_and_twins_have_one():
    assert problems((PERCENT, THREE_FOR_TWO, MEAL, SOAP)) == ()
    assert problems((SOAP, SOAP)) == ("offer 'soap' is there more than once",)


def test_offers_are_data_and_survive_the_wire():
    offers: tuple[Offer, ...] = (PERCENT, THREE_FOR_TWO, MEAL, SOAP)
    wire = msgspec.json.encode(offers)
    assert msgspec.json.decode(wire, type=tuple[Offer, ...]) == offers


def test_a_bundle_in_a_large_basket_leaves_the_drink_to_the_part_that_needs_it():
    pair = Bundle(
        offer_id="pair",
        description=WORDS,
        parts=(Part(item_ids=("cola", "crisps")), Part(item_ids=("cola",))),
        price_minor=100,
    )
    lines = [piece("cola", 200), piece("crisps", 90, quantity=20)]
    assert off(lines, pair) == 190


def test_in_a_large_basket_a_mix_takes_no_piece_that_has_a_better_offer():
    any_two = MixAndMatch(
        offer_id="m",
        description=WORDS,
        pieces=2,
        price_minor=100,
        item_ids=("rum", "cola"),
        limit=1,
    )
    cheap_rum = PercentOff(
        offer_id="p", description=WORDS, off_ppm=900_000, item_ids=("rum",)
    )
    lines = [piece("rum", 300), piece("cola", 200, quantity=14)]
    assert off(lines, any_two, cheap_rum) == 270 + 300
