"""A shopper buys, pays and leaves."""

from msgspec.structs import replace
from played import APPLES, BREAD, DEPOSIT, RICE, RULES, WATER

from kiosk.domain.effects import Authorize, PrepareTender, PrintReceipt, SaleMade
from kiosk.domain.events import (
    CancelPressed,
    CouponScanned,
    ItemFound,
    ItemUnknown,
    LanguageChosen,
    LineVoided,
    PayPressed,
    QuantityChanged,
    ReceiptChosen,
    ReceiptFailed,
    ReceiptPrinted,
    StartPressed,
    TenderStarted,
    WeightSettled,
)
from kiosk.domain.promotion import Coupon
from kiosk.domain.state import (
    Complete,
    Idle,
    Intervention,
    Paying,
    Scanning,
    Weighing,
)


def test_a_scan_starts_the_sale(lane):
    assert isinstance(lane.mode, Idle)
    lane.scan(BREAD)
    assert isinstance(lane.mode, Scanning)
    assert lane.total == 249


def test_the_intent_is_written_before_the_terminal_is_asked(lane):
    lane.scan(BREAD).after(PayPressed())
    assert lane.wants(PrepareTender)
    assert lane.wants(Authorize) == []
    assert lane.state.ledger == {}
    lane.after(TenderStarted(lane.mode.tender, "T1", 41))
    (asked,) = lane.wants(Authorize)
    assert (asked.attempt.amount_minor, asked.attempt.last_receipt) == (249, 41)


def test_only_the_confirmation_completes_the_sale(lane):
    lane.scan(BREAD)
    lane.pay()
    assert isinstance(lane.mode, Complete)
    (sale,) = lane.wants(SaleMade)
    assert sale.sale.sale_seq == lane.state.seq
    assert sale.sale.figures.total_minor == 249


def test_paper_is_printed_once_and_the_lane_is_free_again(lane):
    lane.scan(BREAD).pay()
    lane.after(ReceiptChosen("paper"))
    (paper,) = lane.wants(PrintReceipt)
    assert not paper.is_copy
    lane.after(ReceiptPrinted(paper.sale.sale_seq))
    assert lane.state.receipts_owed == ()
    lane.time_is_up("thanks")
    assert isinstance(lane.mode, Idle)


def test_a_shopper_who_walks_off_leaves_the_lane_free(lane):
    lane.scan(BREAD).pay()
    lane.time_is_up("receipt")
    lane.time_is_up("thanks")
    assert isinstance(lane.mode, Idle)


def test_a_receipt_that_failed_stays_owed_and_calls_the_attendant(lane):
    lane.scan(BREAD).pay()
    lane.after(ReceiptChosen("paper"))
    lane.after(ReceiptFailed(lane.mode.sale.sale_seq, "paper out"))
    assert lane.mode.stage == "failed"
    assert lane.state.receipts_owed[0].is_failed


def test_a_printer_that_never_answers_does_not_hold_the_shopper(lane):
    lane.scan(BREAD).pay()
    lane.after(ReceiptChosen("paper"))
    lane.time_is_up("printing")
    lane.time_is_up("thanks")
    assert isinstance(lane.mode, Idle)


def test_a_bottle_brings_its_deposit_and_takes_it_out_again(lane):
    lane.after(ItemFound(WATER, deposit=DEPOSIT))
    assert lane.total == 114
    lane.after(LineVoided(1))
    assert lane.total == 0
    assert [line.voids for line in lane.mode.basket.lines] == [0, 0, 1, 2]


def test_apples_wait_for_the_scale(lane):
    lane.scan(APPLES)
    assert isinstance(lane.mode, Weighing)
    lane.after(WeightSettled(512))
    assert isinstance(lane.mode, Scanning)
    assert lane.total == 153


def test_one_weight_is_never_sold_twice(lane):
    lane.after(StartPressed(), WeightSettled(500))
    lane.scan(APPLES)
    assert lane.total == 150
    lane.scan(APPLES)
    assert isinstance(lane.mode, Weighing)


def test_three_of_two_rice_need_a_colleague(lane):
    lane.scan(RICE, RICE, RICE)
    assert isinstance(lane.mode, Intervention)
    assert lane.mode.reason == "maximum_quantity"


def test_a_quantity_is_a_void_and_a_new_line(lane):
    lane.scan(BREAD).after(QuantityChanged(1, 3))
    assert lane.total == 747
    assert [line.quantity for line in lane.mode.basket.lines] == [1, -1, 3]


def test_an_unknown_item_calls_a_colleague(lane):
    lane.scan(BREAD).after(ItemUnknown("04099999999999"))
    assert lane.mode.reason == "unknown_item"


def test_leaving_with_little_needs_nobody(lane):
    lane.scan(BREAD).after(CancelPressed())
    assert isinstance(lane.mode, Idle)


def test_the_next_shopper_starts_in_the_shops_language(lane):
    lane.after(LanguageChosen("de")).scan(BREAD)
    lane.pay()
    assert lane.mode.sale.language == "de"
    lane.time_is_up("receipt").time_is_up("thanks")
    assert lane.state.language == "en"


def test_pay_on_an_empty_basket_means_nothing(lane):
    lane.after(StartPressed(), PayPressed())
    assert isinstance(lane.mode, Scanning)
    assert not isinstance(lane.mode, Paying)


def test_a_coupon_that_counts_later_says_so(with_rules):
    coupon = Coupon(
        offer_id="c",
        description={"en": "Coupon"},
        code="C1",
        off_minor=100,
        from_minor=400,
    )
    lane = with_rules(pricing=replace(RULES.pricing, offers=(coupon,)))
    lane.scan(BREAD).after(CouponScanned("C1"))
    assert lane.mode.notice == "coupon_later"
    lane.scan(BREAD)
    assert lane.total == 398
