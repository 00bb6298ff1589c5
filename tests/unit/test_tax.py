"""Tax is what the rules say, and its lines always add up."""

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.domain.tax import TaxLine, TaxRate, TaxRules, problems, tax_lines, tax_of

seeded = settings(derandomize=True, deadline=None, max_examples=200)

GERMANY = TaxRules(
    inclusive=True,
    rates=(TaxRate("standard", 190_000, "A"), TaxRate("reduced", 70_000, "B")),
)
OHIO = TaxRules(
    inclusive=False,
    rates=(TaxRate("standard", 72_500, "T"), TaxRate("food", 0, "N")),
)

CLASSES = ("standard", "reduced", "food", "nobody knows")
sold = st.lists(
    st.tuples(st.sampled_from(CLASSES), st.integers(0, 200_000)), max_size=25
)
rules = st.builds(
    TaxRules,
    inclusive=st.booleans(),
    rates=st.tuples(
        *(
            st.builds(TaxRate, st.just(name), st.integers(0, 300_000), st.just(""))
            for name in CLASSES[:3]
        )
    ),
    rounding=st.sampled_from(["per_rate", "per_line"]),
)


def test_vat_is_taken_out_of_the_shelf_price():
    assert tax_lines([("standard", 1190), ("reduced", 214)], GERMANY) == (
        TaxLine("standard", 190_000, "A", 1000, 190, 1190),
        TaxLine("reduced", 70_000, "B", 200, 14, 214),
    )


def test_sales_tax_is_added_to_the_shelf_price():
    assert tax_lines([("food", 500), ("standard", 1000)], OHIO) == (
        TaxLine("standard", 72_500, "T", 1000, 73, 1073),
        TaxLine("food", 0, "N", 500, 0, 500),
    )


def test_tax_rounded_by_line_may_differ_from_tax_rounded_by_rate():
    lines = [("standard", 107)] * 3
    by_line = msgspec.structs.replace(OHIO, rounding="per_line")
    assert [line.tax_minor for line in tax_lines(lines, OHIO)] == [23]
    assert [line.tax_minor for line in tax_lines(lines, by_line)] == [24]


def test_an_empty_basket_has_no_tax_lines():
    assert tax_lines([], GERMANY) == ()


def test_goods_of_an_unknown_tax_class_are_sold_untaxed_and_named():
    assert tax_lines([("books", 500), ("alien", 1), ("standard", 119)], GERMANY) == (
        TaxLine("standard", 190_000, "A", 100, 19, 119),
        TaxLine("alien", 0, "?", 1, 0, 1),
        TaxLine("books", 0, "?", 500, 0, 500),
    )


def test_the_operator_is_told_which_tax_class_has_no_rate():
    assert problems(GERMANY, ["standard", "books"]) == (
        "items have tax class 'books', which has no rate",
    )
    assert problems(GERMANY, ["standard", "reduced"]) == ()


def test_the_operator_is_told_what_is_wrong_with_a_rate():
    wrong = TaxRules(
        inclusive=True,
        rates=(
            TaxRate("standard", 19),
            TaxRate("standard", 190_000),
            TaxRate("reduced", 7_000_000),
            TaxRate("", 5),
        ),
    )
    assert problems(wrong) == (
        "tax class 'standard' has more than one rate",
        "tax class 'reduced': rate_ppm is 7000000, expected 0 to 1000000"
        " (190000 is 19 %)",
        "a tax rate of 5 ppm names no tax class",
    )


def test_rules_with_an_unknown_way_of_rounding_are_not_read():
    wire = b'{"inclusive": true, "rates": [], "rounding": "per_moon"}'
    with pytest.raises(msgspec.ValidationError, match="rounding"):
        msgspec.json.decode(wire, type=TaxRules)


@seeded
@given(sold, rules)
def test_net_and_tax_make_gross(lines, rules):
    for line in tax_lines(lines, rules):
        assert line.net_minor + line.tax_minor == line.gross_minor
        assert line.tax_minor >= 0


@seeded
@given(sold, rules)
def test_tax_lines_hold_all_that_was_sold(lines, rules):
    taxed = tax_lines(lines, rules)
    amounts = [t.gross_minor if rules.inclusive else t.net_minor for t in taxed]
    assert sum(amounts) == sum(amount for _, amount in lines)
    assert {line.tax_class for line in taxed} == {name for name, _ in lines}


@seeded
@given(sold, rules)
def test_the_order_of_lines_does_not_change_the_tax(lines, rules):
    assert tax_lines(lines, rules) == tax_lines(lines[::-1], rules)


@seeded
@given(sold, rules)
def test_rounding_by_line_and_by_rate_differ_by_half_a_cent_a_line_at_most(
    lines, rules
):
    one, other = (
        tax_lines(lines, msgspec.structs.replace(rules, rounding=rounding))
        for rounding in ("per_line", "per_rate")
    )
    for by_line, by_rate in zip(one, other):
        count = sum(name == by_line.tax_class for name, _ in lines)
        assert 2 * abs(by_line.tax_minor - by_rate.tax_minor) <= count


@seeded
@given(st.integers(0, 10**8), st.integers(0, 10**6), rules)
def test_tax_is_the_exact_tax_rounded_once(amount, rate_ppm, rules):
    rate = Fraction(rate_ppm, 10**6)
    exact = amount * rate / (1 + rate) if rules.inclusive else amount * rate
    assert abs(tax_of(amount, rate_ppm, rules) - exact) <= Fraction(1, 2)
