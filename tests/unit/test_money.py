"""Money is exact: what is split adds up, what is rounded is rounded fairly."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kiosk.domain.money import Money, allocate, divide_half_up

seeded = settings(derandomize=True, deadline=None, max_examples=200)
amounts = st.integers(-(10**9), 10**9)


def test_amounts_of_one_currency_add_up():
    assert Money(249, "EUR") + Money(51, "EUR") == Money(300, "EUR")
    assert Money(249, "EUR") - Money(250, "EUR") == Money(-1, "EUR")


def test_amounts_of_two_currencies_do_not_add_up():
    with pytest.raises(ValueError, match="cannot add SEK to EUR"):
        Money(1, "EUR") + Money(1, "SEK")


@pytest.mark.parametrize(
    ("numerator", "denominator", "rounded"),
    [(5, 10, 1), (-5, 10, -1), (4, 10, 0), (-4, 10, 0), (15, 10, 2), (25, 10, 3)],
)
def test_half_a_cent_is_rounded_away_from_nothing(numerator, denominator, rounded):
    assert divide_half_up(numerator, denominator) == rounded


@seeded
@given(amounts, st.integers(1, 10**6))
def test_rounding_is_never_off_by_more_than_half(numerator, denominator):
    exact = Fraction(numerator, denominator)
    assert abs(divide_half_up(numerator, denominator) - exact) <= Fraction(1, 2)


@seeded
@given(amounts, st.integers(1, 10**6))
def test_a_void_is_the_exact_negative_of_its_line(numerator, denominator):
    voided = divide_half_up(-numerator, denominator)
    assert voided == -divide_half_up(numerator, denominator)


@seeded
@given(amounts, amounts, amounts)
def test_it_does_not_matter_in_which_order_amounts_are_added(a, b, c):
    one, two, three = (Money(n, "EUR") for n in (a, b, c))
    assert (one + two) + three == one + (three + two)
    assert one - two == -(two - one)


def test_the_odd_cent_goes_to_the_largest_remainder():
    assert allocate(100, [1, 1, 1]) == [34, 33, 33]
    assert allocate(10, [1, 2]) == [3, 7]
    assert allocate(5, [0, 0]) == [5, 0]


@seeded
@given(st.data(), st.lists(st.integers(0, 10_000), min_size=1, max_size=30))
def test_what_is_split_adds_up_and_no_share_exceeds_what_it_is_taken_from(
    data, weights
):
    amount = data.draw(st.integers(0, sum(weights)))
    shares = allocate(amount, weights)
    assert sum(shares) == amount
    assert all(0 <= share <= weight for share, weight in zip(shares, weights))


@seeded
@given(st.integers(0, 10**6), st.lists(st.integers(1, 10_000), min_size=1, max_size=30))
def test_no_share_is_a_whole_cent_from_its_due(amount, weights):
    for share, weight in zip(allocate(amount, weights), weights):
        assert abs(share - Fraction(amount * weight, sum(weights))) < 1
