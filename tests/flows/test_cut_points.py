"""The plug is pulled at every point of a payment: card-terminals.md, 3.2, P0 to P13.

The real runner and effects, and the simulated terminal's own core, whose ledger is
the truth about the shopper's money. After every cut: nothing was asked for twice,
and what the terminal kept is what the journal says.
"""

from __future__ import annotations

import pytest
from played import BREAD
from plugged import Plugged, reversed_at

from hardware.simulated.terminal_plan import Fault, Plan
from kiosk.domain.effects import Query, SaleMade, SaleUndone
from kiosk.domain.events import (
    DayEnded,
    ItemFound,
    PayPressed,
    PinTried,
    ReceiptChosen,
    SaleReturned,
    StaffPressed,
    TenderSettled,
)
from kiosk.domain.state import Complete, Declined, Idle, OutcomeUnknown, Scanning
from kiosk.domain.tender import Stage

HOUR = 3600.0
PRICE = 249


@pytest.fixture
def lane():
    return Plugged().do(ItemFound(BREAD))


@pytest.fixture
def auto_reversing():
    """A terminal that takes back what nobody acknowledges."""
    return Plugged(auto_reverse=True).do(ItemFound(BREAD))


def sign_on(lane):
    return lane.do(StaffPressed(), PinTried("7", f"n{lane.runner.lane.seq}"))


def sales(lane):
    return lane.disk.facts(SaleMade)


def test_without_a_cut_the_shopper_pays_once(lane):
    lane.do(PayPressed())
    assert isinstance(lane.mode, Complete)
    assert lane.terminal.kept_minor() == lane.sold_minor() == PRICE
    lane.come_to_rest()
    lane.check_money()


def test_p0_before_the_intent_is_on_disk_the_basket_is_simply_there(lane):
    lane.pull("before TenderStarted is on disk", PayPressed())
    lane.start()
    assert isinstance(lane.mode, Scanning)
    assert lane.terminal.commands == []
    lane.do(PayPressed())
    assert isinstance(lane.mode, Complete)
    lane.check_money()


def test_p0_pay_was_pressed_and_the_mark_not_yet_read(lane):
    lane.pull("after PayPressed is on disk", PayPressed())
    lane.start()
    assert isinstance(lane.mode, Scanning)
    assert lane.terminal.commands == []


@pytest.mark.parametrize(
    "point", ["after TenderStarted is on disk", "before a byte is sent"]
)
def test_p1_an_intent_that_was_never_sent_is_asked_about_and_released(lane, point):
    lane.pull(point, PayPressed())
    lane.start()
    assert isinstance(lane.mode, Declined)
    assert lane.mode.why == "not_charged"
    assert lane.terminal.commands == []
    lane.do(PayPressed())
    assert isinstance(lane.mode, Complete)
    assert len(lane.terminal.commands) == 1
    lane.check_money()


def test_p2_a_command_that_was_sent_is_asked_about_until_the_terminal_is_idle(lane):
    lane.pull("after the command is sent", PayPressed())
    lane.terminal.core.present_automatically(None)
    lane.start(after_seconds=1)
    assert isinstance(lane.mode, OutcomeUnknown)
    lane.do(PayPressed())
    assert len(lane.terminal.commands) == 1
    lane.come_to_rest()
    assert len(lane.terminal.commands) == 1
    lane.check_money()


@pytest.mark.parametrize("point", ["at waiting_for_card", "at card_seen", "at host"])
def test_p3_a_card_that_is_charged_while_the_lane_is_dark_is_one_sale(lane, point):
    lane.pull(point, PayPressed())
    lane.start(after_seconds=60)
    lane.come_to_rest()
    assert lane.terminal.kept_minor() == PRICE
    assert len(sales(lane)) == 1
    lane.check_money()


def test_p4_an_approval_that_never_arrived_is_found(lane):
    lane.pull("before the result is received", PayPressed())
    lane.start(after_seconds=60)
    assert isinstance(lane.mode, Complete)
    lane.check_money()


def test_p4_or_was_taken_back_by_the_terminal_and_is_no_sale(auto_reversing):
    lane = auto_reversing
    lane.pull("before the result is received", PayPressed())
    lane.start(after_seconds=60)
    lane.terminal.time_passes()
    lane.do()
    assert sales(lane) == []
    assert isinstance(lane.mode, Declined)
    lane.check_money()


@pytest.mark.parametrize(
    "point",
    [
        "before TenderResult is on disk",  # P5
        "after TenderResult is on disk",  # P6
        "before the result is acknowledged",  # P6
    ],
)
class TestP5AndP6NothingWasAcknowledged:
    def test_a_terminal_that_keeps_it_is_asked_and_the_sale_made(self, lane, point):
        lane.pull(point, PayPressed())
        lane.start(after_seconds=60)
        assert len(sales(lane)) == 1
        lane.check_money()

    def test_one_that_takes_it_back_leaves_no_sale(self, auto_reversing, point):
        lane = auto_reversing
        lane.pull(point, PayPressed())
        lane.start(after_seconds=60)
        assert reversed_at(lane.terminal)
        assert sales(lane) == []
        lane.check_money()

    def test_the_goods_are_not_released_before_it_is_known(self, lane, point):
        lane.pull(point, PayPressed())
        lane.terminal.is_reachable = False
        lane.start()
        assert isinstance(lane.mode, OutcomeUnknown)
        assert sales(lane) == []
        lane.terminal.is_reachable = True
        lane.clock.ms += 60_000
        lane.terminal.time_passes()
        lane.come_to_rest()
        assert len(sales(lane)) == 1
        lane.check_money()


@pytest.mark.parametrize(
    "point", ["after the result is acknowledged", "after the dialogue is closed"]
)
def test_p7_acknowledged_and_not_confirmed_is_asked_about(lane, point):
    lane.pull(point, PayPressed())
    assert sales(lane) == []
    lane.start()
    assert isinstance(lane.mode, Complete)
    assert len(lane.terminal.commands) == 1
    lane.check_money()


def test_p8_confirmed_on_the_wire_but_not_on_disk(lane):
    lane.pull("before TenderConfirmed is on disk", PayPressed())
    lane.start()
    assert isinstance(lane.mode, Complete)
    lane.check_money()


def test_p8_after_a_long_cut_a_person_decides_and_the_sale_is_made_once(lane):
    lane.pull("before TenderConfirmed is on disk", PayPressed())
    lane.start(after_seconds=HOUR)
    assert isinstance(lane.mode, Idle)
    (item,) = lane.runner.lane.open_items
    assert item.amount_minor == PRICE
    lane.check_money()
    sign_on(lane).do(TenderSettled(item.attempt_id, "paid", "7", "has the goods"))
    lane.do(TenderSettled(item.attempt_id, "paid", "7", "again"))
    assert len(sales(lane)) == 1
    lane.check_money()


def test_p8_or_the_money_goes_back_once(lane):
    lane.pull("before TenderConfirmed is on disk", PayPressed())
    lane.start(after_seconds=HOUR)
    (item,) = lane.runner.lane.open_items
    sign_on(lane).do(TenderSettled(item.attempt_id, "reverse", "7", "left"))
    assert lane.terminal.kept_minor() == 0
    assert sales(lane) == []
    lane.check_money()


def test_p9_the_sale_is_on_disk_with_the_confirmation_and_nothing_is_asked(lane):
    lane.pull("after TenderConfirmed is on disk", PayPressed())
    assert len(sales(lane)) == 1
    lane.start()
    assert isinstance(lane.mode, Complete)
    lane.come_to_rest()
    assert len(sales(lane)) == 1
    lane.check_money()


@pytest.mark.parametrize(
    "point", ["after ReceiptChosen is on disk", "while the receipt is printed"]
)
def test_p9_the_receipt_is_printed_whole_as_a_copy(lane, point):
    lane.do(PayPressed())
    lane.pull(point, ReceiptChosen("paper"))
    assert lane.printer.printed == []
    lane.start()
    ((row,),) = lane.printer.printed
    assert row.right == "copy"
    lane.start()
    assert len(lane.printer.printed) == 1
    lane.check_money()


class TestP10DuringAReversal:
    @pytest.fixture
    def sold(self, lane):
        lane.do(PayPressed())
        lane.come_to_rest()
        (made,) = sales(lane)
        lane.returned = SaleReturned(made.sale.sale_seq, "void", "7", "wrong")
        return sign_on(lane)

    @pytest.mark.parametrize(
        "point",
        [
            "after SaleReturned is on disk",
            "before money is given back",
            "after money is given back",
            "before ReversalResult is on disk",
            "after ReversalResult is on disk",
        ],
    )
    @pytest.mark.parametrize("kind", ["void", "refund"])
    def test_the_money_goes_back_once(self, sold, point, kind):
        returned = SaleReturned(sold.returned.sale_seq, kind, "7", "wrong")
        sold.pull(point, returned)
        sold.start()
        sold.come_to_rest()
        assert sold.terminal.kept_minor() == 0
        assert len(sold.disk.facts(SaleUndone)) == 1
        sold.check_money()

    def test_before_the_order_is_on_disk_the_sale_stands(self, sold):
        sold.pull("before SaleReturned is on disk", sold.returned)
        sold.start()
        assert sold.terminal.kept_minor() == PRICE
        sold.check_money()

    def test_a_lost_answer_is_asked_about_and_not_repeated(self, sold):
        sold.terminal.core.fail_next_undo(Plan(Fault.SILENT))
        sold.do(sold.returned)
        sold.come_to_rest()
        assert len([k for k, _ in sold.terminal.commands if k == "reverse"]) == 1
        assert len(sold.disk.facts(SaleUndone)) == 1
        sold.check_money()

    def test_a_refusal_leaves_the_sale_and_another_try(self, sold):
        sold.terminal.core.fail_next_undo(Plan(Fault.DECLINE))
        sold.do(sold.returned)
        assert sold.disk.facts(SaleUndone) == []
        sold.check_money()
        sold.do(SaleReturned(sold.returned.sale_seq, "refund", "7", "again"))
        assert len(sold.disk.facts(SaleUndone)) == 1
        sold.check_money()


@pytest.mark.parametrize(
    "point",
    [
        "before DayEnded is on disk",
        "after DayEnded is on disk",
        "before the next file begins",
        "after StateCarried is on disk",
    ],
)
def test_p11_the_day_that_was_being_closed_is_closed_again_without_harm(lane, point):
    lane.do(PayPressed())
    lane.come_to_rest()
    lane.pull(point, DayEnded("2026-11-23"))
    lane.start()
    lane.do(DayEnded("2026-11-23"))
    assert isinstance(lane.mode, Idle)
    assert len(sales(lane)) == 1
    lane.do(ItemFound(BREAD), PayPressed())
    assert lane.sold_minor() == 2 * PRICE
    lane.check_money()


def cut_terminal(lane, at):
    """The terminal alone loses its power when the shopper is at that moment."""
    tell = lane.terminal.core.advance

    def advance(seconds):
        said = tell(seconds)
        if any(getattr(getattr(s, "moment", None), "value", "") == at for s in said):
            lane.terminal.is_reachable = False
            lane.terminal.loses_power()
        return said

    lane.terminal.core.advance = advance


@pytest.mark.parametrize("moment", ["card_seen", "host"])
def test_p12_a_terminal_that_dies_is_waited_for(lane, moment):
    cut_terminal(lane, moment)
    lane.do(PayPressed())
    assert isinstance(lane.mode, OutcomeUnknown)
    lane.time_is_up(f"query:{lane.mode.tender.attempt_id}")
    assert isinstance(lane.mode, OutcomeUnknown)
    lane.terminal.is_reachable = True
    lane.time_is_up(f"query:{lane.mode.tender.attempt_id}")
    # What it decided before it died stands; what it had not is not charged.
    is_kept = lane.terminal.kept_minor() == PRICE
    assert isinstance(lane.mode, Complete if is_kept else Declined)
    assert len(sales(lane)) == (1 if is_kept else 0)
    lane.check_money()


@pytest.mark.parametrize(
    "point",
    [
        "before a byte is sent",
        "after the command is sent",
        "at card_seen",
        "at host",
        "before the result is received",
        "before TenderResult is on disk",
        "after TenderResult is on disk",
        "after the result is acknowledged",
        "before TenderConfirmed is on disk",
    ],
)
@pytest.mark.parametrize("takes_back", [False, True])
def test_p13_both_lose_power_and_the_terminal_is_minutes_late(point, takes_back):
    lane = Plugged(auto_reverse=takes_back).do(ItemFound(BREAD))
    lane.pull(point, PayPressed())
    lane.terminal.loses_power()
    lane.terminal.is_reachable = False
    lane.start(after_seconds=20)
    attempt_id = lane.mode.tender.attempt_id
    for _ in range(60):
        lane.time_is_up(f"query:{attempt_id}")
    # Minutes later: a colleague was called, the basket is not given free.
    assert isinstance(lane.mode, OutcomeUnknown)
    lane.time_is_up("checking")
    assert lane.mode.called_staff
    lane.do(PayPressed())
    lane.terminal.is_reachable = True
    lane.time_is_up(f"query:{attempt_id}")
    is_kept = lane.terminal.kept_minor() == PRICE
    assert len(sales(lane)) == (1 if is_kept else 0)
    paid = [name for kind, name in lane.terminal.commands if kind == "pay"]
    assert set(paid) <= {attempt_id}
    lane.check_money()
    assert not lane.runner.lane.ledger[attempt_id].stage.is_open


def test_what_staff_called_unpaid_and_the_terminal_finds_paid_is_put_before_them(lane):
    lane.pull("before the result is received", PayPressed())
    lane.terminal.is_reachable = False
    lane.start()
    attempt_id = lane.mode.tender.attempt_id
    asked = lane.runner.lane.ledger[attempt_id]
    sign_on(lane).do(TenderSettled(attempt_id, "not_paid", "7", "no slip"))
    assert isinstance(lane.mode, Scanning)
    lane.terminal.is_reachable = True
    lane.clock.ms += 60_000
    lane.terminal.time_passes()
    # An answer that was under way when the attendant decided.
    lane.effects.carry_out(Query(asked))
    lane.settle()
    assert lane.runner.lane.ledger[attempt_id].stage is Stage.TO_CHECK
    lane.check_money()
    # The basket is not charged a second time while that stands.
    lane.do(PayPressed())
    assert isinstance(lane.mode, Scanning)
    assert len([k for k, _ in lane.terminal.commands if k == "pay"]) == 1
