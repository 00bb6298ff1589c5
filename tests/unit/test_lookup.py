"""What a scan, a pick or a keyed number becomes, with a real catalogue file."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace
from played import RULES

from hardware.ports import Scan
from kiosk.asked import CodeTyped, ItemPicked, PinGiven, ResumeAsked
from kiosk.domain.basket import LineItem
from kiosk.domain.catalog import Item, Price, Recall
from kiosk.domain.events import (
    BasketResumed,
    CouponScanned,
    ItemFound,
    ItemUnknown,
    LabelUnreadable,
    PinTried,
)
from kiosk.domain.label import LabelRules
from kiosk.domain.pricing import price
from kiosk.domain.restricted import EXAMPLES
from kiosk.domain.state import Attending, Basket, Idle, Lane, Suspended
from kiosk.lookup import KnownLabels, PinVault, Resolver
from kiosk.records.catalog_db import Catalog, build

GS = "\x1d"
NOON = int(datetime(2026, 11, 23, 12, tzinfo=UTC).timestamp() * 1000)
HOUR = 3_600_000
YEAR = 365 * 24 * HOUR


def digits(text):
    """Return the number with its check digit."""
    total = sum(int(c) * (3 if n % 2 == 0 else 1) for n, c in enumerate(text[::-1]))
    return f"{text}{-total % 10}"


BREAD = digits("0401234500000").zfill(14)
SODA = digits("0401234500001").zfill(14)
MILK = digits("0401234500002").zfill(14)
BEEF = digits("0401234500003").zfill(14)
SAND = digits("0401234500004").zfill(14)
UNPRICED = digits("0401234500005").zfill(14)
TOY_8 = digits("4012345").zfill(14)
# UPC-E 0425261x stands for 0 42100 00526 1.
UPC_E_LONG = digits("04210000526").zfill(14)
# German rules: prefix 22 price, 28 weight, 25 count; the value zeroed names the item.
DELI = digits("221234000000").zfill(14)
GOUDA = digits("281234000000").zfill(14)
ROLLS = digits("251234000000").zfill(14)

LABELS = LabelRules(restricted=EXAMPLES["DE"], coupon_prefixes=("COUPON-",))


def item(item_id, minor=100, **more):
    prices = () if minor is None else (Price(minor),)
    return Item(item_id, {"en": item_id}, prices, **more)


ITEMS = (
    replace(
        item(BREAD, 249), prices=(Price(249), Price(199, starts_ms=NOON + 2 * HOUR))
    ),
    item(SODA, 89, deposit_item_id="deposit"),
    item("deposit", 25, is_deposit=True),
    item(MILK, 119),
    item(BEEF, 1999, weighed=True, tare_grams=10),
    item(SAND, None, not_for_sale=True),
    item(UNPRICED, None),
    item(TOY_8, 500),
    item(UPC_E_LONG, 300),
    item(DELI, None),
    item(GOUDA, 1990, weighed=True),
    item(ROLLS, 35),
    item("plu:4011", 299, weighed=True, plu="4011"),
    item("SHOP-BAG", 10),
)


@pytest.fixture
def catalog(tmp_path):
    path = tmp_path / "catalog.db"
    recalls = (Recall(MILK, "B7"), Recall(TOY_8, ""))
    build(path, ITEMS, recalls, version=1, made_ms=NOON)
    with Catalog.open(path) as opened:
        yield opened


@pytest.fixture
def resolve(catalog):
    resolver = Resolver(catalog, LABELS, "Europe/Berlin", PinVault())

    def ask(asked, lane=None, at_ms=NOON):
        return resolver(asked, lane or Lane(rules=RULES), at_ms)

    return ask


@pytest.fixture
def scan(resolve):
    def read(text, symbology="", **more):
        return resolve(Scan(text.encode(), symbology), **more)

    return read


class TestNumbers:
    @pytest.mark.parametrize("text", [BREAD[1:], BREAD, f"]E0{BREAD[1:]}"])
    def test_a_gtin_is_found_at_the_price_of_this_minute(self, scan, text):
        found = scan(text)
        assert isinstance(found, ItemFound)
        assert (found.line.item_id, found.line.extended_minor) == (BREAD, 249)
        assert found.today == "2026-11-23"

    def test_a_price_takes_effect_at_its_minute(self, scan):
        assert scan(BREAD[1:], at_ms=NOON + 2 * HOUR - 1).line.unit_price_minor == 249
        assert scan(BREAD[1:], at_ms=NOON + 2 * HOUR).line.unit_price_minor == 199

    def test_eight_digits_are_an_ean_8_when_the_shop_knows_it(self, scan):
        assert scan(TOY_8[-8:]).line.item_id == TOY_8

    def test_or_the_upc_e_they_can_also_mean(self, scan):
        assert scan("04252614").line.item_id == UPC_E_LONG

    def test_a_bottle_brings_its_deposit(self, scan):
        found = scan(SODA[1:])
        assert found.deposit.item_id == "deposit"
        assert found.deposit.is_deposit
        assert found.deposit.extended_minor == 25

    def test_one_that_nobody_knows_is_unknown_by_its_number(self, scan):
        number = digits("401234599999")
        assert scan(number) == ItemUnknown(number.zfill(14))

    def test_an_item_without_a_price_is_unknown(self, scan):
        assert scan(UNPRICED[1:]) == ItemUnknown(UNPRICED)

    def test_one_not_for_sale_is_found_so_that_the_lane_can_say_so(self, scan):
        assert scan(SAND[1:]).line.not_for_sale

    @pytest.mark.parametrize(
        "data", [b"", b"\x00\xff", b"4012345000001", "кот".encode(), b"9" * 4000]
    )
    def test_what_cannot_be_read_is_said_and_never_raises(self, resolve, data):
        event = resolve(Scan(data))
        assert isinstance(event, LabelUnreadable | ItemUnknown)

    def test_free_text_goes_nowhere(self, scan):
        event = scan("<script>alert(1)</script>")
        assert isinstance(event, LabelUnreadable)
        assert "script" not in event.reason

    def test_the_shops_own_text_is_sold(self, scan):
        assert scan("SHOP-BAG").line.item_id == "SHOP-BAG"

    def test_a_coupon_is_a_coupon(self, scan):
        assert scan("COUPON-5") == CouponScanned("COUPON-5")


def priced(prefix, number, value):
    """Return a German in-store label: item of 4, verifier, value of 5."""
    for verifier in range(10):
        label = digits(f"{prefix}{number}{verifier}{value:05d}")
        yield label


class TestInStoreLabels:
    @pytest.fixture
    def label(self, scan):
        def read(prefix, value):
            # One of ten verifiers is right; the others must not be sold.
            events = [scan(text) for text in priced(prefix, "1234", value)]
            sold = [e for e in events if isinstance(e, ItemFound)]
            refused = [e for e in events if isinstance(e, LabelUnreadable)]
            return sold, refused

        return read

    def test_a_price_on_the_label_needs_none_in_the_catalogue(self, label):
        (found,), refused = label("22", 1234)
        assert found.line.item_id == DELI
        assert found.line.extended_minor == 1234
        assert found.line.price_source == "label"
        assert len(refused) == 9

    def test_a_weight_on_the_label_is_net_and_priced_by_the_kilogram(self, label):
        (found,), refused = label("28", 500)
        assert (found.line.weight_grams, found.line.extended_minor) == (500, 995)
        assert len(refused) == 9

    def test_a_weight_of_nothing_goes_to_the_scale(self, label):
        (found,), _ = label("28", 0)
        assert (found.line.weight_grams, found.line.extended_minor) == (0, 0)

    def test_a_count_on_the_label_is_sold(self, label):
        (found,), _ = label("25", 6)
        assert (found.line.quantity, found.line.extended_minor) == (6, 210)

    def test_a_count_beyond_reason_is_not_sold_for_less(self, label):
        sold, _ = label("25", 150)
        assert sold == []


class TestElementStrings:
    def test_batch_and_date_are_taken_from_the_label(self, scan):
        found = scan(f"]d201{MILK}17261231" + "10A1")
        assert (found.line.batch, found.line.expires_on) == ("A1", "2026-12-31")
        assert not found.recalled

    def test_a_recalled_batch_is_said_to_be(self, scan):
        assert scan(f"]d201{MILK}10B7").recalled

    def test_an_item_recalled_whole_is_recalled_without_a_batch(self, scan):
        assert scan(TOY_8[-8:]).recalled

    def test_a_weight_is_net(self, scan):
        found = scan(f"]e001{BEEF}3103000750")
        assert (found.line.weight_grams, found.line.extended_minor) == (750, 1499)

    def test_a_price_is_the_labels(self, scan):
        found = scan(f"]e001{BEEF}310300075039221234")
        assert found.line.extended_minor == 1234
        assert found.line.price_source == "label"

    def test_a_price_in_our_currency_is_taken(self, scan):
        found = scan(f"]e001{BEEF}310300075039329781234")
        assert found.line.extended_minor == 1234

    def test_a_price_in_anothers_is_not(self, scan):
        event = scan(f"]e001{BEEF}310300075039328401234")
        assert event == LabelUnreadable("a price in USD")

    def test_a_count_is_sold(self, scan):
        assert scan(f"]C101{BREAD}3012").line.quantity == 12

    def test_a_count_beyond_reason_is_not_sold_for_less(self, scan):
        assert isinstance(scan(f"]C101{BREAD}30500"), LabelUnreadable)

    def test_a_digital_link_names_the_item(self, scan):
        found = scan(f"https://id.gs1.org/01/{MILK}/10/B7")
        assert found.recalled


class TestPickedAndTyped:
    def test_a_picked_item_waits_for_its_weight(self, resolve):
        found = resolve(ItemPicked("plu:4011"))
        assert found.line.weighed
        assert found.line.extended_minor == 0

    def test_three_are_picked(self, resolve):
        assert resolve(ItemPicked("SHOP-BAG", 3)).line.extended_minor == 30

    def test_three_bottles_bring_three_deposits(self, resolve):
        assert resolve(ItemPicked(SODA, 3)).deposit.extended_minor == 75

    def test_what_is_picked_and_gone_is_unknown(self, resolve):
        assert resolve(ItemPicked("gone")) == ItemUnknown("gone")

    @pytest.mark.parametrize("code", ["4011", " 4011 "])
    def test_a_plu_is_typed(self, resolve, code):
        assert resolve(CodeTyped(code)).line.item_id == "plu:4011"

    def test_a_gtin_is_typed_with_or_without_zeros(self, resolve):
        assert resolve(CodeTyped(BREAD)).line.item_id == BREAD
        assert resolve(CodeTyped(BREAD.lstrip("0"))).line.item_id == BREAD

    def test_a_number_that_nobody_knows_is_unknown(self, resolve):
        assert resolve(CodeTyped("9999")) == ItemUnknown("9999")

    @pytest.mark.parametrize("code", ["", "apples", "4" * 5000, "٤٠١١", "-1"])
    def test_what_is_no_number_is_never_written_down(self, resolve, code):
        event = resolve(CodeTyped(code))
        assert isinstance(event, LabelUnreadable)
        assert event.reason == "what was typed is no number"


class TestAClockThatCannotBeTrusted:
    def test_prices_stay_as_last_known(self, scan):
        lane = Lane(rules=RULES, is_clock_trusted=False, last_ms=NOON + 3 * HOUR)
        found = scan(BREAD[1:], lane=lane, at_ms=NOON - YEAR)
        assert found.line.unit_price_minor == 199
        assert found.today == "2026-11-23"

    def test_the_day_is_the_shops(self, scan):
        almost_midnight = int(
            datetime(2026, 11, 23, 23, 30, tzinfo=UTC).timestamp() * 1000
        )
        assert scan(BREAD[1:], at_ms=almost_midnight).today == "2026-11-24"


class TestPins:
    def test_a_pin_never_enters_the_event(self, catalog):
        vault = PinVault()
        resolver = Resolver(catalog, LABELS, "Europe/Berlin", vault)
        event = resolver(PinGiven("7", "739164"), Lane(), NOON)
        assert isinstance(event, PinTried)
        assert "739164" not in repr(event)
        assert vault.take(event.nonce) == "739164"
        assert vault.take(event.nonce) == ""

    def test_a_number_of_any_length_is_cut(self, resolve):
        assert len(resolve(PinGiven("7" * 500, "1")).attendant) <= 12

    def test_the_next_try_forgets_the_one_before(self, catalog):
        vault = PinVault()
        resolver = Resolver(catalog, LABELS, "Europe/Berlin", vault)
        first = resolver(PinGiven("7", "111111"), Lane(), NOON)
        resolver(PinGiven("7", "222222"), Lane(), NOON)
        assert isinstance(first, PinTried)
        assert vault.take(first.nonce) == ""


def test_a_resumed_basket_says_which_lines_were_recalled_since(resolve):
    lines = (
        LineItem(BREAD, {"en": "Bread"}, line_no=1),
        LineItem(MILK, {"en": "Milk"}, line_no=2, batch="B7"),
        LineItem(MILK, {"en": "Milk"}, line_no=3, batch="B8"),
    )
    figures = price(lines, RULES.pricing, NOON).figures
    aside = Suspended(9, Basket("b", NOON, lines), figures, "attendant", NOON)
    event = resolve(ResumeAsked(9, "7"), Lane(rules=RULES, suspended=(aside,)))
    assert event == BasketResumed(9, "7", "2026-11-23", (2,))


def test_the_camera_may_ask_whether_the_shop_knows_a_label(catalog):
    known = KnownLabels(lambda: catalog, LABELS)
    assert known(BREAD[1:])
    assert known("04252614")
    assert not known(digits("401234599999"))
    assert not known("COUPON-5")


def test_a_slip_asks_for_its_basket_in_the_name_of_who_is_signed_on(resolve):
    figures = price((), RULES.pricing, NOON).figures
    aside = Suspended(9, Basket("b", 0), figures, "attendant", 0)
    lane = Lane(
        rules=RULES, suspended=(aside,), mode=Attending("7", ("approve",), Idle())
    )
    event = resolve(Scan(b"SUSPENDED-0009"), lane)
    assert (event.suspended_seq, event.attendant) == (9, "7")
    assert resolve(Scan(b"SUSPENDED-0001"), lane).suspended_seq == 0
