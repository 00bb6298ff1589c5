"""Every way in which a card payment can go wrong, and what is never done."""

import pytest
from msgspec.structs import replace
from played import BREAD

from kiosk.domain.effects import (
    Authorize,
    CallAttendant,
    MoneyReturned,
    OpenItemMade,
    OpenItemSettled,
    OrderShutdown,
    Query,
    Refund,
    Reverse,
    SaleMade,
    SaleUndone,
)
from kiosk.domain.events import (
    BackPressed,
    CancelPressed,
    PayPressed,
    PowerChanged,
    Restarted,
    ReversalResult,
    SaleReturned,
    TenderConfirmed,
    TenderMoment,
    TenderNotStarted,
    TenderQueried,
    TenderResult,
    TenderSettled,
    TenderStarted,
)
from kiosk.domain.lane import resume
from kiosk.domain.state import (
    Complete,
    Declined,
    Idle,
    OutcomeUnknown,
    Paying,
    Scanning,
)
from kiosk.domain.tender import Answer, CardResult, Outcome, Stage

UNKNOWN = CardResult(Outcome.UNKNOWN)
DECLINED = CardResult(Outcome.DECLINED)
HOUR_MS = 3_600_000


@pytest.fixture
def paying(lane):
    lane.scan(BREAD)
    lane.attempt = lane.start_payment()
    return lane


def test_a_declined_card_keeps_the_basket_and_may_try_again(paying):
    paying.after(TenderResult(paying.attempt, DECLINED))
    assert isinstance(paying.mode, Declined)
    second = paying.start_payment()
    assert second != paying.attempt


def test_an_unknown_outcome_is_queried_and_never_authorized_again(paying):
    paying.after(TenderResult(paying.attempt, UNKNOWN))
    assert isinstance(paying.mode, OutcomeUnknown)
    paying.time_is_up(f"query:{paying.attempt}")
    assert [e.attempt.attempt_id for e in paying.wants(Query)] == [paying.attempt]
    assert len(paying.facts(Authorize)) == 1


def test_pay_does_nothing_while_the_outcome_is_unknown(paying):
    paying.after(TenderResult(paying.attempt, UNKNOWN), PayPressed())
    assert isinstance(paying.mode, OutcomeUnknown)


def test_a_found_payment_completes_the_sale(paying):
    approved = paying.approval(paying.attempt)
    paying.after(
        TenderResult(paying.attempt, UNKNOWN),
        TenderQueried(paying.attempt, Answer.FOUND, approved),
    )
    assert isinstance(paying.mode, Complete)
    assert len(paying.sales) == 1


@pytest.mark.parametrize("answer", [Answer.NOT_RECEIVED, Answer.NOT_CHARGED])
def test_money_that_was_not_taken_is_said_so(paying, answer):
    paying.after(
        TenderResult(paying.attempt, UNKNOWN), TenderQueried(paying.attempt, answer)
    )
    assert paying.mode.why == "not_charged"


@pytest.mark.parametrize("answer", [Answer.UNREACHABLE, Answer.IN_PROGRESS])
def test_a_terminal_without_an_answer_is_asked_again(paying, answer):
    paying.after(
        TenderResult(paying.attempt, UNKNOWN), TenderQueried(paying.attempt, answer)
    )
    paying.time_is_up(f"query:{paying.attempt}")
    assert paying.wants(Query)


def test_after_a_minute_a_colleague_is_called_and_asking_goes_on(paying):
    paying.after(TenderResult(paying.attempt, UNKNOWN)).time_is_up("checking")
    assert CallAttendant("check_payment") in paying.effects
    paying.time_is_up(f"query:{paying.attempt}")
    assert paying.wants(Query)


def test_an_approval_without_confirmation_is_queried(paying):
    approved = paying.approval(paying.attempt)
    paying.after(TenderResult(paying.attempt, approved)).time_is_up("confirm")
    assert isinstance(paying.mode, OutcomeUnknown)
    assert paying.wants(Query)
    paying.after(TenderQueried(paying.attempt, Answer.NOT_CHARGED))
    assert paying.sales == []


def test_an_answer_that_comes_twice_is_one_sale(paying):
    approved = paying.approval(paying.attempt)
    paying.after(
        TenderResult(paying.attempt, approved),
        TenderResult(paying.attempt, approved),
        TenderConfirmed(paying.attempt),
        TenderConfirmed(paying.attempt),
        TenderQueried(paying.attempt, Answer.FOUND, approved),
    )
    assert len(paying.sales) == 1


def test_an_approval_that_comes_tomorrow_is_put_before_staff(paying):
    approved = paying.approval(paying.attempt)
    paying.after(TenderResult(paying.attempt, DECLINED))
    paying.now += 24 * HOUR_MS
    paying.after(TenderResult(paying.attempt, approved))
    assert [i.attempt_id for i in paying.state.open_items] == [paying.attempt]
    assert paying.sales == []


def test_an_approval_nobody_knows_is_put_before_staff(lane):
    lane.after(TenderResult("stranger", CardResult(Outcome.APPROVED, 500, "EUR")))
    assert lane.wants(OpenItemMade)
    assert lane.state.open_items[0].amount_minor == 500


def test_a_partial_approval_is_given_back(paying):
    part = CardResult(Outcome.PARTIAL, 100, "EUR")
    paying.after(TenderResult(paying.attempt, part))
    (back,) = paying.wants(Reverse)
    assert paying.mode.why == "partial"
    paying.after(
        ReversalResult(
            paying.attempt, back.reversal_id, CardResult(Outcome.APPROVED, 100, "EUR")
        )
    )
    assert paying.wants(MoneyReturned)


def test_more_than_asked_is_never_a_sale(paying):
    paying.after(TenderResult(paying.attempt, CardResult(Outcome.APPROVED, 999, "EUR")))
    assert isinstance(paying.mode, OutcomeUnknown)
    assert paying.mode.called_staff


def test_a_reversal_without_an_answer_is_queried_then_repeated_with_its_id(paying):
    paying.after(TenderResult(paying.attempt, CardResult(Outcome.PARTIAL, 1, "EUR")))
    (first,) = paying.wants(Reverse)
    paying.after(ReversalResult(paying.attempt, first.reversal_id, UNKNOWN))
    paying.time_is_up(f"query:{paying.attempt}")
    assert paying.wants(Query)
    assert not paying.wants(Reverse)
    paying.after(
        TenderQueried(
            paying.attempt, Answer.FOUND, CardResult(Outcome.APPROVED, 1, "EUR")
        )
    )
    (again,) = paying.wants(Reverse)
    assert again.reversal_id == first.reversal_id
    paying.after(TenderQueried(paying.attempt, Answer.NOT_CHARGED))
    assert paying.state.ledger[paying.attempt].stage is Stage.REVERSED


def test_back_asks_the_terminal_and_waits_for_its_word(paying):
    paying.after(BackPressed())
    assert isinstance(paying.mode, Paying)
    paying.after(TenderResult(paying.attempt, CardResult(Outcome.CANCELLED)))
    assert isinstance(paying.mode, Scanning)


def test_back_does_nothing_once_a_card_was_seen(paying):
    paying.after(TenderMoment(paying.attempt, "card_seen"), BackPressed())
    assert not paying.mode.is_cancelling


def test_a_terminal_out_of_reach_asks_for_nothing(lane):
    lane.scan(BREAD).after(PayPressed())
    lane.after(TenderNotStarted(lane.mode.tender.attempt_id))
    assert lane.mode.notice == "no_card"
    assert lane.facts(Authorize) == []


def test_an_intent_that_comes_after_back_asks_nothing(lane):
    lane.scan(BREAD).after(PayPressed())
    tender = lane.mode.tender
    lane.after(BackPressed(), TenderStarted(tender, "T1", 0))
    assert lane.facts(Authorize) == []
    assert isinstance(lane.mode, Scanning)


class TestAfterARestart:
    def test_an_open_payment_is_queried_never_authorized(self, paying):
        paying.after(Restarted("r", "boot2", 5_000))
        owed = resume(paying.state)
        assert [e.attempt.attempt_id for e in owed if isinstance(e, Query)] == [
            paying.attempt
        ]
        assert not [e for e in owed if isinstance(e, Authorize)]

    def test_a_short_cut_completes_what_the_terminal_kept(self, paying):
        approved = paying.approval(paying.attempt)
        paying.after(
            Restarted("r", "boot2", 5_000),
            TenderQueried(paying.attempt, Answer.FOUND, approved),
        )
        assert isinstance(paying.mode, Complete)

    def test_after_a_long_cut_a_person_decides(self, paying):
        approved = paying.approval(paying.attempt)
        paying.after(
            Restarted("r", "boot2", HOUR_MS),
            TenderQueried(paying.attempt, Answer.FOUND, approved),
        )
        assert isinstance(paying.mode, Idle)
        assert paying.state.open_items[0].tender is not None

    def test_an_approval_written_but_not_acknowledged_is_queried(self, paying):
        approved = paying.approval(paying.attempt)
        paying.after(
            TenderResult(paying.attempt, approved), Restarted("r", "b2", 1_000)
        )
        assert [e for e in resume(paying.state) if isinstance(e, Query)]
        paying.after(TenderQueried(paying.attempt, Answer.NOT_CHARGED))
        assert paying.sales == []

    def test_a_payment_not_yet_written_leaves_the_basket_free(self, lane):
        lane.scan(BREAD).after(PayPressed(), Restarted("r", "boot2", 5_000))
        assert isinstance(lane.mode, Scanning)
        assert lane.total == 249


class TestAPersonSettles:
    @pytest.fixture
    def unknown(self, paying):
        paying.after(TenderResult(paying.attempt, UNKNOWN))
        return paying.sign_on()

    def settle(self, lane, decision, attendant="7"):
        return lane.after(
            TenderSettled(lane.attempt, decision, attendant, "saw the slip", "R 17")
        )

    def test_as_paid(self, unknown):
        self.settle(unknown, "paid")
        assert isinstance(unknown.mode, Complete)
        assert unknown.mode.sale.settled_by == "7"

    def test_as_not_paid_and_the_shopper_pays_again(self, unknown):
        self.settle(unknown, "not_paid")
        assert isinstance(unknown.mode, Scanning)
        unknown.pay()
        assert len(unknown.sales) == 1

    def test_as_taken_at_the_till(self, unknown):
        self.settle(unknown, "taken_at_till")
        assert isinstance(unknown.mode, Idle)

    def test_and_a_later_approval_still_becomes_an_open_item(self, unknown):
        approved = unknown.approval(unknown.attempt)
        self.settle(unknown, "not_paid")
        unknown.after(TenderQueried(unknown.attempt, Answer.FOUND, approved))
        assert [i.attempt_id for i in unknown.state.open_items] == [unknown.attempt]

    def test_only_with_the_role_for_it(self, paying):
        paying.after(TenderResult(paying.attempt, UNKNOWN)).sign_on("8")
        self.settle(paying, "paid", "8")
        assert paying.sales == []

    def test_an_open_item_becomes_its_sale_once(self, paying):
        approved = paying.approval(paying.attempt)
        paying.after(
            Restarted("r", "boot2", HOUR_MS),
            TenderQueried(paying.attempt, Answer.FOUND, approved),
        ).sign_on()
        self.settle(paying, "paid")
        self.settle(paying, "paid")
        assert len(paying.sales) == 1
        assert paying.state.open_items == ()

    def test_or_its_money_goes_back_once(self, paying):
        approved = paying.approval(paying.attempt)
        paying.after(
            Restarted("r", "boot2", HOUR_MS),
            TenderQueried(paying.attempt, Answer.FOUND, approved),
        ).sign_on()
        self.settle(paying, "reverse")
        self.settle(paying, "reverse")
        assert len(paying.facts(Reverse)) == 1


class TestAPaidSaleGoesBack:
    @pytest.fixture
    def sold(self, lane):
        lane.scan(BREAD)
        lane.attempt = lane.pay()
        lane.time_is_up("receipt").time_is_up("thanks")
        (made,) = lane.facts(SaleMade)
        lane.sale_seq = made.sale.sale_seq
        return lane.sign_on()

    def test_voided_by_a_reversal(self, sold):
        sold.after(SaleReturned(sold.sale_seq, "void", "7", "wrong", "rev1"))
        (back,) = sold.wants(Reverse)
        approved = CardResult(Outcome.APPROVED, 249, "EUR")
        sold.after(ReversalResult(sold.attempt, back.reversal_id, approved))
        (undone,) = sold.wants(SaleUndone)
        assert undone.figures.total_minor == 249

    def test_refunded_with_an_id_that_makes_repeating_safe(self, sold):
        sold.after(SaleReturned(sold.sale_seq, "refund", "7", "wrong", "ref1"))
        sold.after(ReversalResult(sold.attempt, "ref1", UNKNOWN))
        sold.time_is_up(f"query:{sold.attempt}")
        (again,) = sold.wants(Refund)
        assert again.refund_id == "ref1"

    def test_never_twice(self, sold):
        sold.after(SaleReturned(sold.sale_seq, "void", "7", "wrong", "rev1"))
        sold.after(SaleReturned(sold.sale_seq, "void", "7", "wrong", "rev2"))
        assert len(sold.facts(Reverse)) == 1


def test_a_basket_worth_nothing_needs_no_card(lane):
    lane.scan(replace(BREAD, unit_price_minor=0, extended_minor=0))
    lane.after(PayPressed())
    assert isinstance(lane.mode, Complete)
    assert lane.facts(Authorize) == []


class TestMoneyThatWillNotGoBack:
    @pytest.fixture
    def stuck(self, paying):
        paying.after(
            TenderResult(paying.attempt, CardResult(Outcome.PARTIAL, 1, "EUR"))
        )
        (paying.back,) = paying.wants(Reverse)
        return paying

    def test_is_put_before_a_person_after_a_minute_and_others_pay(self, stuck):
        stuck.after(TenderQueried(stuck.attempt, Answer.INDETERMINATE))
        stuck.time_is_up(f"undo:{stuck.attempt}")
        assert stuck.state.open_items[0].why == "return_unknown"
        stuck.after(CancelPressed()).scan(BREAD)
        stuck.pay()
        assert len(stuck.sales) == 1

    def test_is_ordered_again_under_its_own_id(self, stuck):
        stuck.time_is_up(f"undo:{stuck.attempt}").sign_on()
        stuck.after(TenderSettled(stuck.attempt, "reverse", "7", "asked the bank"))
        (again,) = stuck.wants(Reverse)
        assert again.reversal_id == stuck.back.reversal_id

    def test_closes_itself_when_the_terminal_says_yes_after_all(self, stuck):
        stuck.time_is_up(f"undo:{stuck.attempt}")
        yes = CardResult(Outcome.APPROVED, 1, "EUR")
        stuck.after(ReversalResult(stuck.attempt, stuck.back.reversal_id, yes))
        assert stuck.state.open_items == ()
        assert stuck.wants(MoneyReturned)

    def test_can_be_settled_elsewhere(self, stuck):
        stuck.after(
            ReversalResult(
                stuck.attempt, stuck.back.reversal_id, CardResult(Outcome.DECLINED)
            )
        ).sign_on()
        stuck.after(TenderSettled(stuck.attempt, "elsewhere", "7", "bank", "R 3"))
        assert stuck.state.open_items == ()
        assert stuck.state.ledger[stuck.attempt].stage is Stage.ELSEWHERE

    def test_is_not_settled_elsewhere_while_it_can_go_back(self, paying):
        approved = paying.approval(paying.attempt)
        paying.after(
            Restarted("r", "boot2", HOUR_MS),
            TenderQueried(paying.attempt, Answer.FOUND, approved),
        ).sign_on()
        paying.after(TenderSettled(paying.attempt, "elsewhere", "7", "x"))
        assert len(paying.state.open_items) == 1


def test_an_amount_never_asked_for_is_given_back_not_sold(paying):
    paying.after(TenderResult(paying.attempt, CardResult(Outcome.APPROVED, 999, "EUR")))
    paying.sign_on()
    paying.after(TenderSettled(paying.attempt, "paid", "7", "slip"))
    assert paying.sales == []
    paying.after(TenderSettled(paying.attempt, "not_paid", "7", "slip"))
    assert paying.wants(Reverse)


def test_a_terminal_that_never_answers_the_mark_frees_the_shopper(lane):
    lane.scan(BREAD).after(PayPressed()).time_is_up("preparing")
    assert lane.mode.notice == "no_card"


def test_a_terminal_that_never_ends_is_an_unknown_outcome(paying):
    paying.time_is_up("asked")
    assert isinstance(paying.mode, OutcomeUnknown)
    assert len(paying.facts(Authorize)) == 1


def test_a_declined_card_deep_on_battery_ends_in_a_kept_basket(paying):
    paying.after(PowerChanged("battery"))
    for name in ("power_banner", "power_no_basket", "power_no_card", "power_suspend"):
        paying.time_is_up(name)
    paying.after(TenderResult(paying.attempt, DECLINED))
    assert paying.state.suspended[0].why == "power"
    assert paying.wants(OrderShutdown)


def test_a_late_yes_settles_its_open_item_for_the_books_too(paying):
    paying.after(TenderResult(paying.attempt, CardResult(Outcome.PARTIAL, 1, "EUR")))
    (back,) = paying.wants(Reverse)
    paying.time_is_up(f"undo:{paying.attempt}")
    yes = CardResult(Outcome.APPROVED, 1, "EUR")
    paying.after(ReversalResult(paying.attempt, back.reversal_id, yes))
    (settled,) = paying.facts(OpenItemSettled)
    assert settled.attempt_id == paying.attempt
