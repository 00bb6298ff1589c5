"""What a lane makes of a label, one label at a time."""

from __future__ import annotations

import pytest

from kiosk.domain.barcode import left_pad_gtin, norm, parse
from kiosk.domain.label import Coupon, Gtin, LabelRules, Other, Unreadable

GTIN = "05901234123457"


@pytest.mark.parametrize(
    ("data", "symbology", "gtin"),
    [
        (b"96385074", "", "00000096385074"),
        (b"614141000036", "", "00614141000036"),
        (b"5901234123457", "", GTIN),
        (b"05901234123457", "", GTIN),
        (b"]E05901234123457", "", GTIN),
        (b"]E05901234123457", "]E0", GTIN),
        (b"614141000036", "]E0", "00614141000036"),
        (b"15901234123454", "]I1", "15901234123454"),
        (b"  5901234123457 ", "", GTIN),
    ],
)
def test_a_trade_item_number_of_any_length_is_one_gtin_14(
    data: bytes, symbology: str, gtin: str
) -> None:
    assert parse(data, symbology) == Gtin(gtin)


def test_eight_digits_that_may_be_two_numbers_tell_both() -> None:
    assert parse(b"01234565") == Gtin("00000001234565", ("00012345000065",))


def test_the_symbology_decides_between_ean_8_and_upc_e() -> None:
    assert parse(b"01234565", "]E4") == Gtin("00000001234565")
    assert parse(b"01234565", "]E0") == Gtin("00012345000065")


def test_a_code_128_of_eight_digits_is_no_upc_e() -> None:
    assert parse(b"04252614") == Gtin("00042100005264")
    assert parse(b"04252614", "]C0") == Unreadable("wrong check digit")


@pytest.mark.parametrize(
    ("upc_e", "upc_a"),
    [
        (b"04252614", "042100005264"),
        (b"01234133", "012300000413"),
        (b"01234145", "012340000015"),
        (b"01234558", "012345000058"),
    ],
)
def test_each_way_to_shorten_a_upc_is_undone(upc_e: bytes, upc_a: str) -> None:
    assert parse(upc_e, "]E0") == Gtin("00" + upc_a)


def test_a_upc_e_without_its_check_digit_is_text_that_may_be_a_gtin() -> None:
    assert parse(b"425261") == Other("425261", ("00042100005264",))
    assert parse(b"425261", "]E0") == Gtin("00042100005264")


@pytest.mark.parametrize(
    ("data", "symbology", "addon"),
    [
        (b"978088427178952495", "", "52495"),
        (b"419871600890101", "", "01"),
        (b"978088427178952495", "]E3", "52495"),
        (b"9780884271789 52495", "", "52495"),
        (b"9780884271789 52495", "]E3", "52495"),
        (b"07183100799519", "]E3", "19"),
    ],
)
def test_a_magazine_keeps_its_add_on(data: bytes, symbology: str, addon: str) -> None:
    label = parse(data, symbology)
    assert isinstance(label, Gtin)
    assert label.addon == addon


def test_a_case_label_tells_batch_dates_weight_and_serial() -> None:
    data = b"01059012341234571726020011250101132501021525013116250130310300125010AB-1\x1d21S9"
    assert parse(data, "]C1") == Gtin(
        GTIN,
        batch="AB-1",
        serial="S9",
        expires_on="2026-02-28",
        produced_on="2025-01-01",
        packed_on="2025-01-02",
        best_before="2025-01-31",
        sell_by="2025-01-30",
        weight_grams=1250,
    )


@pytest.mark.parametrize(
    ("ai", "grams"),
    [("3100000012", 12000), ("3103000195", 195), ("3105123456", 1235)],
)
def test_a_weight_is_whole_grams_whatever_its_decimals(ai: str, grams: int) -> None:
    label = parse(b"0105901234123457" + ai.encode(), "]e0")
    assert isinstance(label, Gtin)
    assert label.weight_grams == grams


def test_a_printed_price_is_minor_units() -> None:
    assert parse(b"010590123412345739220299", "]e0") == Gtin(GTIN, price_minor=299)
    assert parse(b"0105901234123457393297802172", "]e0") == Gtin(
        GTIN, price_minor=2172, price_currency="EUR"
    )
    assert parse(b"010590123412345739303920500", "]e0") == Gtin(
        GTIN, price_minor=500, price_currency="JPY"
    )


def test_a_price_in_no_known_currency_is_refused() -> None:
    assert parse(b"010590123412345739320000500", "]e0") == Unreadable(
        "(3932): no such currency"
    )


@pytest.mark.parametrize("count", [b"3012", b"3712"])
def test_a_count_is_told(count: bytes) -> None:
    assert parse(b"0105901234123457" + count, "]C1") == Gtin(GTIN, count=12)


def test_a_case_of_items_is_its_contents_only_with_their_number() -> None:
    assert parse(b"02059012341234573712", "]C1") == Gtin(GTIN, count=12)
    assert isinstance(parse(b"0205901234123457", "]C1"), Unreadable)


@pytest.mark.parametrize(
    ("year", "digits", "date"),
    [
        (2026, b"260131", "2026-01-31"),
        (2026, b"760131", "2076-01-31"),
        (2026, b"770131", "1977-01-31"),
        (2049, b"990131", "2099-01-31"),
        (2060, b"100131", "2110-01-31"),
        (2060, b"110131", "2011-01-31"),
        (2026, b"240200", "2024-02-29"),
        (2026, b"261200", "2026-12-31"),
    ],
)
def test_two_digit_years_are_near_the_year_told(
    year: int, digits: bytes, date: str
) -> None:
    label = parse(b"010590123412345717" + digits, "]d2", year=year)
    assert isinstance(label, Gtin)
    assert label.expires_on == date


@pytest.mark.parametrize("digits", [b"260229", b"261301", b"260001", b"260432"])
def test_a_date_that_never_was_makes_the_label_unreadable(digits: bytes) -> None:
    assert isinstance(parse(b"010590123412345717" + digits, "]d2"), Unreadable)


@pytest.mark.parametrize(
    "data",
    [
        b"0105901234123458",
        b"0105901234123457255590123412345701",
        b"01059012341234570105901234123457" + b"010590123412345x",
        b"01059012341234571726013117260201",
        b"010590123412345739221\x1d3923200",
        b"01059012341234573103000195" + b"3102000195",
        b"",
        b"\x1d",
    ],
)
def test_an_element_string_that_contradicts_itself_is_refused(data: bytes) -> None:
    assert isinstance(parse(data, "]C1"), Unreadable)


def test_saying_the_same_twice_is_no_contradiction() -> None:
    assert parse(b"01059012341234570105901234123457", "]C1") == Gtin(GTIN)


@pytest.mark.parametrize("symbology", ["", "]C0", "]d1", "]Q1"])
def test_an_element_string_is_known_where_a_printer_forgot_its_fnc1(
    symbology: str,
) -> None:
    label = parse(b"01059012341234571726013110AB", symbology)
    assert label == Gtin(GTIN, batch="AB", expires_on="2026-01-31")


def test_the_human_readable_form_is_understood() -> None:
    label = parse(b"(01)05901234123457(10)A(17)260131")
    assert label == Gtin(GTIN, batch="A", expires_on="2026-01-31")


def test_an_element_string_without_an_item_is_text() -> None:
    assert parse(b"10ABC", "]C1") == Other("10ABC")


def test_a_link_of_any_brand_names_the_item() -> None:
    data = b"https://brand.example/de/01/5901234123457/10/A%2F1?17=261231&utm=x"
    assert parse(data, "]Q1") == Gtin(GTIN, batch="A/1", expires_on="2026-12-31")


@pytest.mark.parametrize(
    "link", [b"https://brand.example/win-a-car", b"https://id.gs1.org/AQnYUc1gmiERBhuy"]
)
def test_a_web_address_that_names_nothing_says_so(link: bytes) -> None:
    assert parse(link, "]Q1") == Unreadable(
        "a web address without a GS1 key, or a compressed one"
    )


@pytest.mark.parametrize(
    ("data", "symbology"),
    [
        (b"9812345678902", ""),
        (b"9912345678909", "]E0"),
        (b"8110106141416543213150110120", "]C1"),
        (b"2559501101020917001", "]C1"),
    ],
)
def test_coupons_of_gs1_are_coupons(data: bytes, symbology: str) -> None:
    assert isinstance(parse(data, symbology), Coupon)


def test_the_shops_own_coupons_are_known_by_their_prefix() -> None:
    rules = LabelRules(coupon_prefixes=("", "CPN-", "2999"))
    assert parse(b"CPN-5OFF", "]C0", rules) == Coupon("CPN-5OFF")
    assert parse(b"2999123456785", "", rules) == Coupon("2999123456785")
    assert parse(b"HELLO", "]C0", rules) == Other("HELLO")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"   ",
        b"5901234123458",
        b"0000000000000",
        b"5901234\x00123457",
        b"59012341\r23457",
        b"caf\xc3\xa9",
        b"A" * 129,
        b"https://a/01/5901234123457?" + b"x" * 512,
        b"]E012345678901234",
        b"]E0ABC",
        b"]C1991234~",
    ],
)
def test_what_cannot_be_sold_by_has_a_reason(data: bytes) -> None:
    label = parse(data)
    assert isinstance(label, Unreadable)
    assert label.reason


def test_a_qr_code_may_be_longer_than_a_bar_code() -> None:
    assert parse(b"A" * 512, "]Q1") == Other("A" * 512)
    assert isinstance(parse(b"A" * 513, "]Q1"), Unreadable)


@pytest.mark.parametrize(
    ("data", "symbology", "spelling"),
    [
        (b"5901234123457", "", GTIN),
        (b"]E05901234123457", "", GTIN),
        (b"(01)05901234123457", "", GTIN),
        (b"]d20105901234123457", "", GTIN),
        (b"04252614", "]E0", "00042100005264"),
        (b"419871600890101", "]E3", "04198716008901"),
        (b"(01)05901234123457(10)A", "", "010590123412345710A"),
        (b"010590123412345710A\x1d21B", "]C1", "010590123412345710A21B"),
        (b"01059012341234573103001750", "", "01059012341234573103001750"),
        (b"1012345678905", "]e0", "1012345678905"),
        (b"\xff\xfe", "", "��"),
    ],
)
def test_two_readers_spell_one_label_alike(
    data: bytes, symbology: str, spelling: str
) -> None:
    assert norm(data, symbology) == spelling


@pytest.mark.parametrize(
    ("text", "gtin"),
    [
        ("31000000", "00000031000000"),
        ("614141000036", "00614141000036"),
        ("42100005264", "00042100005264"),
        ("0000000000031", "00000000000031"),
        ("0000000000030", None),
        ("4012", None),
        ("00000000", None),
        ("5901234123458", None),
        ("123456789012345", None),
        ("59 01234123457", None),
        ("", None),
    ],
)
def test_a_spreadsheets_number_gets_its_zeros_back_only_if_it_checks(
    text: str, gtin: str | None
) -> None:
    assert left_pad_gtin(text) == gtin


@pytest.mark.parametrize(
    ("ai", "right", "wrong"),
    [
        # GS1's own example of a Global Model Number.
        ("8013", "1987654Ad4X4bL5ttr2310c2K", "1987654Ad4X4bL5ttr2310c2L"),
        # The example of ISO 13616.
        ("8007", "GB82WEST12345698765432", "GB82WEST12345698765433"),
        ("8006", "059012341234570102", "059012341234570302"),
        ("4309", "02790858483015297971", "18008584840152979710"),
        ("00", "157035381410375177", "157035381410375178"),
    ],
)
def test_other_elements_are_checked_before_they_are_passed_over(
    ai: str, right: str, wrong: str
) -> None:
    assert not isinstance(parse((ai + right).encode(), "]C1"), Unreadable)
    assert isinstance(parse((ai + wrong).encode(), "]C1"), Unreadable)
