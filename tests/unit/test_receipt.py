"""What receipts and slips say, as pictures that a shop owner can read."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from played import APPLES, BREAD, DEPOSIT, RULES, WATER, PlayedLane

from hardware.ports import LinearCode, QrCode
from kiosk.domain.effects import SaleMade
from kiosk.domain.events import (
    ItemFound,
    LanguageChosen,
    LineVoided,
    PayPressed,
    QuantityChanged,
    TenderConfirmed,
    TenderResult,
    TenderSettled,
    WeightSettled,
)
from kiosk.domain.pricing import PricingRules
from kiosk.domain.promotion import NForM
from kiosk.domain.tax import TaxRate, TaxRules
from kiosk.domain.tender import CardResult, Outcome
from kiosk.receipt import Composer, as_text

RATES = (TaxRate("standard", 190_000, "A"), TaxRate("reduced", 70_000, "B"))
THREE_FOR_TWO = NForM(
    offer_id="3for2",
    description={"en": "3 for 2", "de": "3 für 2"},
    item_ids=(BREAD.item_id,),
    pieces=3,
    pay=2,
)
SHOP = replace(
    RULES,
    pricing=PricingRules("EUR", TaxRules(True, RATES), (THREE_FOR_TWO,)),
)
COMPOSER = Composer(("Corner shop", "Main Street 1"), "lane-1", "Europe/Berlin")


def german(line, name):
    return replace(line, description={**line.description, "de": name})


LOAF = replace(german(BREAD, "Roggenbrot"), tax_class="reduced")
BOTTLE = german(WATER, "Wasser")
FRUIT = german(APPLES, "Äpfel")
PFAND = german(DEPOSIT, "Pfand")


def card(lane, attempt_id):
    return CardResult(
        Outcome.APPROVED,
        lane.state.ledger[attempt_id].amount_minor,
        "EUR",
        auth_code="A12345",
        brand="Visa",
        masked_pan="476173******0031",
        receipt_lines=("Card payment", "Approval A12345"),
    )


def sold(lane):
    return lane.facts(SaleMade)[-1].sale


def paid(lane):
    attempt_id = lane.start_payment()
    lane.after(
        TenderResult(attempt_id, card(lane, attempt_id)), TenderConfirmed(attempt_id)
    )
    return sold(lane)


@pytest.fixture
def basket():
    """Three loaves on offer, water taken out, apples weighed, two bottles."""
    lane = PlayedLane(SHOP)
    lane.scan(LOAF, LOAF, LOAF, BOTTLE).after(LineVoided(4))
    lane.scan(FRUIT).after(WeightSettled(512))
    return lane.after(ItemFound(BOTTLE, deposit=PFAND), QuantityChanged(7, 2))


def picture(sale, is_copy=False):
    return as_text(COMPOSER.receipt(sale, is_copy))


ENGLISH = """\
               Corner shop
              Main Street 1
------------------------------------------
Rye bread                           2.49 B
Rye bread                           2.49 B
Rye bread                           2.49 B
Water                               0.89 A
  Taken out: Water                 -0.89 A
Apples                              1.53 A
  0.512 kg x 2.99/kg
Water                               0.89 A
Deposit                             0.25 A
  Taken out: Water                 -0.89 A
  Taken out: Deposit               -0.25 A
Water                               1.78 A
  2 x 0.89
Deposit                             0.50 A
  2 x 0.25
  3 for 2                            -2.49
------------------------------------------
Total                                €8.79
Card Visa                             8.79
------------------------------------------
A 19 % tax on 3.20                    0.61
B 7 % tax on 4.65                     0.33

2026-11-18 12:06:40             lane-1 #NR
               Card payment
             Approval A12345

      Thank you for shopping with us
               [lane-1-NR]"""


def test_a_receipt_shows_all_that_happened(basket):
    sale = paid(basket)
    wanted = ENGLISH.replace("NR", str(sale.sale_seq))
    assert [line.strip() for line in picture(sale).splitlines()] == [
        line.strip() for line in wanted.splitlines()
    ]


def test_the_shopper_reads_it_in_german(basket):
    sale = paid(basket.after(LanguageChosen("de")))
    text = picture(sale)
    for words in (
        "Roggenbrot                          2,49 B",
        "  Entfernt: Wasser                 -0,89 A",
        "  0,512 kg x 2,99/kg",
        "  3 für 2                            -2,49",
        "Summe                               8,79\xa0€",
        "Karte Visa                            8,79",
        "A 19 % MwSt. auf 3,20                 0,61",
        "Vielen Dank für Ihren Einkauf",
    ):
        assert words in text
    for english in ("Total", "Taken out", "Thank you", "tax on", "Card Visa"):
        assert english not in text


def test_the_lines_add_up_to_the_total(basket):
    sale = paid(basket)
    lines = sum(line.extended_minor for line in sale.lines)
    discounts = sum(d.amount_minor for d in sale.figures.discounts)
    assert lines + discounts == sale.figures.total_minor == 879
    assert sum(t.gross_minor for t in sale.figures.taxes) == 879


def test_a_copy_says_so_and_is_otherwise_the_same(basket):
    sale = paid(basket)
    first, again = picture(sale).splitlines(), picture(sale, True).splitlines()
    assert again.pop(2).strip() == "COPY"
    assert first == again


def test_training_is_marked_and_carries_nothing_that_could_be_returned(basket):
    sale = replace(paid(basket), training=True)
    rows = COMPOSER.receipt(sale, False)
    text = as_text(rows)
    assert text.splitlines()[2].strip() == "TRAINING - not a sale"
    assert not [row for row in rows if isinstance(row, LinearCode | QrCode)]
    assert "Approval" not in text


def test_a_terminal_without_lines_of_its_own_still_names_the_card(basket):
    sale = paid(basket)
    assert sale.card is not None
    quiet = replace(sale, card=replace(sale.card, receipt_lines=()))
    assert "  476173******0031 A12345" in picture(quiet)


def test_a_payment_that_staff_confirmed_says_so():
    lane = PlayedLane(SHOP).scan(LOAF)
    attempt_id = lane.start_payment()
    lane.after(TenderResult(attempt_id, CardResult(Outcome.UNKNOWN))).sign_on()
    lane.after(TenderSettled(attempt_id, "paid", "7", "saw the slip"))
    assert "Card, confirmed by a colleague        2.49" in picture(sold(lane))


def test_a_basket_that_cost_nothing_shows_no_card():
    free = replace(LOAF, unit_price_minor=0, extended_minor=0)
    lane = PlayedLane(SHOP).scan(free).after(PayPressed())
    text = picture(sold(lane))
    assert "Card" not in text
    assert "€0.00" in text


def test_taxes_added_to_prices_are_on_the_receipt():
    rules = replace(
        RULES,
        pricing=PricingRules("USD", TaxRules(False, (TaxRate("standard", 82_500),))),
    )
    lane = PlayedLane(rules).scan(BREAD)
    attempt_id = lane.start_payment()
    approved = CardResult(Outcome.APPROVED, 270, "USD")
    lane.after(TenderResult(attempt_id, approved), TenderConfirmed(attempt_id))
    text = picture(sold(lane))
    assert "$2.70" in text
    assert "8.25 % tax on 2.49                    0.21" in text


def test_a_fiscal_mark_has_its_place(basket):
    sale = replace(paid(basket), signature="V0;signed")
    assert QrCode("V0;signed") in COMPOSER.receipt(sale, False)


def test_the_slip_of_a_suspended_basket_finds_it_again(basket):
    text = as_text(COMPOSER.slip("0042", basket.state.figures, "en"))
    assert "Your basket is kept" in text
    assert "Code                                  0042" in text
    assert "[SUSPENDED-0042]" in text
    german_text = as_text(COMPOSER.slip("0042", basket.state.figures, "de"))
    assert "Ihr Einkauf ist aufgehoben" in german_text


def test_times_are_the_shops():
    sale = paid(PlayedLane(SHOP).scan(LOAF))
    tokyo = Composer(("Shop",), "lane-1", "Asia/Tokyo")
    assert "2026-11-18 20:06:40" in as_text(tokyo.receipt(sale, False))
