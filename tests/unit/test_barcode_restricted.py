"""In-store labels: price, weight and count by a country's rules."""

from __future__ import annotations

import pytest

from kiosk.domain.barcode import parse
from kiosk.domain.gs1 import check_digit
from kiosk.domain.label import (
    CountedItem,
    Gtin,
    LabelRules,
    PricedItem,
    Unreadable,
    WeighedItem,
)
from kiosk.domain.restricted import EXAMPLES, Measure, RestrictedRule

GERMANY = LabelRules(EXAMPLES["DE"])


def test_a_cheese_from_the_counter_carries_its_price() -> None:
    assert parse(b"2211114002394", "", GERMANY) == PricedItem(
        "02211110000004", "1111", 239
    )


def test_a_number_of_rolls_is_counted() -> None:
    assert parse(b"2511119000129", "", GERMANY) == CountedItem(
        "02511110000005", "1111", 12
    )


def test_a_weight_is_told_in_grams() -> None:
    norway = LabelRules(EXAMPLES["NO"])
    assert parse(b"2302148210869", "", norway) == WeighedItem(
        "02302148200006", "021482", 1086
    )


def test_the_catalogue_number_of_an_in_store_label_has_a_right_check_digit() -> None:
    label = parse(b"2211114002394", "", GERMANY)
    assert isinstance(label, PricedItem)
    assert parse(label.gtin[1:].encode()) == Gtin(label.gtin)


def test_a_price_with_a_wrong_verifier_is_not_sold() -> None:
    payload = "221111500239"
    label = parse((payload + check_digit(payload)).encode(), "", GERMANY)
    assert label == Unreadable("wrong verifier of the price")


def test_without_a_rule_an_in_store_number_is_an_item_like_any_other() -> None:
    assert parse(b"2211114002394") == Gtin("02211114002394")
    assert parse(b"5901234123457", "", GERMANY) == Gtin("05901234123457")


def test_an_american_deli_label_is_a_upc_that_begins_with_2() -> None:
    us = LabelRules(EXAMPLES["US"])
    # 2875 has the verifier 9 in the example of GS1 General Specifications 7.9.3.
    assert parse(b"212345928752", "", us) == PricedItem("00212345000007", "12345", 2875)
    assert parse(b"212345828755", "", us) == Unreadable("wrong verifier of the price")


def test_the_first_rule_that_fits_is_the_one() -> None:
    rules = (
        RestrictedRule("2512IIIIVVVVC", Measure.PRICE, 2),
        RestrictedRule("25IIIIIIVVVVC", Measure.WEIGHT, 3),
    )
    assert isinstance(parse(b"2512340012349", "", LabelRules(rules)), PricedItem)
    assert isinstance(parse(b"2588060112348", "", LabelRules(rules)), WeighedItem)


@pytest.mark.parametrize(
    ("decimals", "currency_decimals", "minor"),
    [(2, 2, 1234), (0, 2, 123400), (1, 0, 123)],
)
def test_a_price_is_told_in_the_minor_unit_of_the_shop(
    decimals: int, currency_decimals: int, minor: int
) -> None:
    rule = RestrictedRule("20IIIIIIVVVVC", Measure.PRICE, decimals)
    rules = LabelRules((rule,), currency_decimals=currency_decimals)
    label = parse(b"2088060112343", "", rules)
    assert isinstance(label, PricedItem)
    assert label.price_minor == minor


@pytest.mark.parametrize(
    ("pattern", "measure", "decimals"),
    [
        ("20IIIIIIVVVV", Measure.PRICE, 2),
        ("30IIIIIIVVVVC", Measure.PRICE, 2),
        ("20VVVVIIIIIIC", Measure.PRICE, 2),
        ("20IIIKVVVVVVC", Measure.PRICE, 2),
        ("20IIIIIIVVVVC", Measure.WEIGHT, 4),
        ("25IIIIIIVVVVC", Measure.COUNT, 1),
    ],
)
def test_a_rule_that_cannot_be_meant_is_refused_with_the_settings(
    pattern: str, measure: Measure, decimals: int
) -> None:
    with pytest.raises(ValueError, match=r"expected|verifier|a count has none"):
        RestrictedRule(pattern, measure, decimals)


@pytest.mark.parametrize("country", sorted(EXAMPLES))
def test_no_example_rule_hides_behind_another(country: str) -> None:
    prefixes = [rule.prefix for rule in EXAMPLES[country]]
    assert len(set(prefixes)) == len(prefixes)
