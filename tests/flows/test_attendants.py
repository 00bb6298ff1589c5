"""What attendants approve, what they may do, and who may not."""

import pytest
from played import APPLES, BREAD, RICE, RULES, WINE, PlayedLane

from kiosk.domain.effects import (
    Authorize,
    CheckPin,
    InterventionEnded,
    LineStruck,
    PrepareTender,
    PretendTender,
    PrintReceipt,
    SaleMade,
)
from kiosk.domain.events import (
    AttendantLeft,
    BasketResumed,
    BasketSuspended,
    CancelPressed,
    ClockDistrusted,
    DirectiveReceived,
    HelpCancelled,
    HelpPressed,
    InterventionApproved,
    InterventionRefused,
    LaneClosed,
    LaneOpened,
    LineVoided,
    PayPressed,
    PinChecked,
    PinTried,
    PowerChanged,
    PriceOverridden,
    QuantityChanged,
    ReprintAsked,
    Restarted,
    SaleVoided,
    StaffPressed,
    TenderConfirmed,
    TenderResult,
    TenderSettled,
    TenderStarted,
    TrainingEnded,
    TrainingStarted,
    WeightSettled,
)
from kiosk.domain.lane import is_of_training
from kiosk.domain.modes import intervention
from kiosk.domain.state import (
    Attending,
    Closed,
    Complete,
    Idle,
    Intervention,
    Paying,
    PinEntry,
    Scanning,
    Training,
)
from kiosk.domain.tender import CardResult, Outcome

MINUTE_MS = 60_000


def approve(lane, attendant="7"):
    asked = intervention(lane.mode)
    assert asked is not None
    return lane.after(InterventionApproved(asked.asked, attendant, "seen"))


def test_wine_lets_the_shopper_scan_on_and_waits_at_payment(lane):
    lane.scan(WINE, BREAD)
    assert len(lane.mode.basket.lines) == 2
    lane.after(PayPressed())
    assert lane.mode.reason == "approvals"
    lane.sign_on("8")
    approve(lane, "8")
    lane.after(PayPressed())
    assert isinstance(lane.mode, Paying)


def test_wine_can_wait_at_once_where_the_shop_wants_it(with_rules):
    lane = with_rules(approvals_at_end=False).scan(WINE)
    assert isinstance(lane.mode, Intervention)


def test_a_second_bottle_needs_no_second_look(lane):
    lane.scan(WINE).after(PayPressed()).sign_on("8")
    approve(lane, "8")
    lane.scan(WINE).after(PayPressed())
    assert isinstance(lane.mode, Paying)


def test_refused_wine_leaves_the_basket_by_a_void(lane):
    lane.scan(WINE, BREAD).after(PayPressed()).sign_on("8")
    asked = intervention(lane.mode)
    assert asked is not None
    lane.after(InterventionRefused(asked.asked, "8", "too young"))
    assert lane.total == 249
    (struck,) = lane.facts(LineStruck)
    assert (struck.attendant, struck.reason) == ("8", "too young")


def test_an_approval_of_something_else_is_ignored(lane):
    lane.scan(WINE).after(PayPressed()).sign_on("8")
    lane.after(InterventionApproved(3, "8", "seen"))
    assert lane.facts(InterventionEnded) == []


def test_nobody_approves_without_signing_on(lane):
    lane.scan(WINE).after(PayPressed())
    approve(lane, "7")
    assert isinstance(lane.mode, Intervention)


def test_the_console_approves_by_the_entry_that_asked(lane):
    lane.scan(WINE).after(PayPressed())
    lane.after(DirectiveReceived("d1", "approve", "7", lane.mode.asked))
    assert isinstance(lane.mode, Scanning)


def test_more_than_three_removals_need_a_colleague(lane):
    lane.scan(*[BREAD] * 5)
    for line_no in (1, 2, 3):
        lane.after(LineVoided(line_no))
    assert lane.total == 498
    lane.after(LineVoided(4))
    assert lane.mode.reason == "void"
    lane.sign_on()
    approve(lane)
    assert lane.total == 249


def test_a_dear_basket_is_not_cancelled_alone(lane):
    lane.scan(*[WINE] * 4).after(CancelPressed())
    assert lane.mode.reason == "void_sale"
    lane.after(HelpCancelled())
    assert isinstance(lane.mode, Scanning)


def test_too_many_can_be_allowed(lane):
    lane.scan(RICE, RICE, RICE).sign_on()
    approve(lane)
    assert lane.total == 597


def test_help_is_answered_and_the_basket_is_still_there(lane):
    lane.scan(BREAD).after(HelpPressed("price"))
    assert lane.mode.reason == "help"
    lane.sign_on("8")
    approve(lane, "8")
    assert lane.total == 249


def test_a_basket_left_alone_is_parked_and_kept(lane):
    lane.scan(BREAD).time_is_up("idle")
    assert lane.mode.is_warned
    lane.time_is_up("extend").time_is_up("parked")
    assert isinstance(lane.mode, Idle)
    assert lane.state.suspended[0].figures.total_minor == 249


class TestSignedOn:
    @pytest.fixture
    def attended(self, lane):
        return lane.scan(BREAD, WINE).sign_on()

    def test_a_line_is_struck_out_with_who_and_why(self, attended):
        attended.after(LineVoided(1, "7", "damaged"))
        (struck,) = attended.facts(LineStruck)
        assert (struck.attendant, struck.reason) == ("7", "damaged")
        assert attended.total == 599

    def test_a_price_is_overridden_by_a_void_and_a_new_line(self, attended):
        attended.after(PriceOverridden(1, 100, "7", "damaged"))
        assert attended.total == 699
        assert attended.mode.resume.basket.lines[-1].price_source == "override"

    def test_a_weighed_price_is_per_kilogram(self, lane):
        lane.scan(APPLES).after(WeightSettled(500)).sign_on()
        lane.after(PriceOverridden(1, 200, "7", "ripe"))
        assert lane.total == 100

    def test_a_quantity_is_changed(self, attended):
        attended.after(QuantityChanged(1, 4, "7"))
        assert attended.total == 4 * 249 + 599

    def test_the_sale_is_voided(self, attended):
        attended.after(SaleVoided("7", "left"))
        assert isinstance(attended.mode, Idle)

    def test_the_basket_is_suspended_and_resumed_once(self, attended):
        attended.after(BasketSuspended("7", "forgot purse"))
        seq = attended.state.suspended[0].suspended_seq
        attended.sign_on().after(BasketResumed(seq, "7"))
        assert attended.total == 848
        attended.sign_on().after(SaleVoided("7", "x")).sign_on()
        attended.after(BasketResumed(seq, "7"))
        assert isinstance(attended.mode, Attending)

    def test_leaving_gives_the_screen_back(self, attended):
        attended.after(AttendantLeft())
        assert isinstance(attended.mode, Scanning)

    def test_half_a_minute_of_nothing_signs_off(self, attended):
        attended.time_is_up("attendant")
        assert isinstance(attended.mode, Scanning)

    @pytest.mark.parametrize(
        "event",
        [
            LineVoided(1, "8", "x"),
            PriceOverridden(1, 1, "8", "x"),
            SaleVoided("8", "x"),
            QuantityChanged(1, 9, "8"),
        ],
    )
    def test_one_without_the_role_changes_nothing(self, lane, event):
        lane.scan(BREAD).sign_on("8").after(event)
        assert lane.total == 249

    def test_nobody_acts_in_anothers_name(self, lane):
        lane.scan(BREAD).sign_on("8").after(SaleVoided("7", "x"))
        assert lane.total == 249


class TestPins:
    def try_pin(self, lane, attendant="7", is_right=False):
        if not isinstance(lane.mode, PinEntry):
            lane.after(StaffPressed())
        lane.after(PinTried(attendant, f"n{lane.state.seq}"))
        if lane.wants(CheckPin):
            lane.after(PinChecked(attendant, lane.mode.nonce, is_right))
        return lane

    def test_a_try_is_counted_before_it_is_checked(self, lane):
        lane.after(StaffPressed(), PinTried("7", "n1"))
        assert lane.state.pins["7"].wrong == 1
        lane.after(Restarted("r", "boot2", 1_000))
        assert lane.state.pins["7"].wrong == 1

    def test_five_wrong_lock_for_a_minute_and_the_next_for_two(self, lane):
        for _ in range(5):
            self.try_pin(lane)
        self.try_pin(lane, is_right=True)
        assert lane.mode.trouble == "locked"
        lane.now += MINUTE_MS + 1
        self.try_pin(lane)
        assert lane.state.pins["7"].locked_until_ms == lane.now + 2 * MINUTE_MS

    def test_a_right_pin_clears_the_count(self, lane):
        self.try_pin(lane)
        self.try_pin(lane, is_right=True)
        assert isinstance(lane.mode, Attending)
        assert lane.state.pins["7"].wrong == 0

    def test_a_colleague_is_not_locked_by_ones_tries(self, lane):
        for _ in range(5):
            self.try_pin(lane)
        self.try_pin(lane, "8", is_right=True)
        assert isinstance(lane.mode, Attending)

    def test_the_lane_is_never_locked_for_more_than_five_minutes(self, lane):
        for number in range(40):
            self.try_pin(lane, str(100 + number))
        assert lane.mode.trouble == "locked"
        lane.now += 5 * MINUTE_MS
        self.try_pin(lane, "8", is_right=True)
        assert isinstance(lane.mode, Attending)

    def test_a_lock_does_not_last_a_year_when_the_clock_jumps_back(self, lane):
        for _ in range(5):
            self.try_pin(lane)
        lane.now -= 365 * 24 * 60 * MINUTE_MS
        lane.after(ClockDistrusted(lane.now))
        lane.now += 61 * MINUTE_MS
        self.try_pin(lane, is_right=True)
        assert isinstance(lane.mode, Attending)

    def test_a_check_that_comes_too_late_signs_nobody_on(self, lane):
        lane.after(StaffPressed(), PinTried("7", "n1")).time_is_up("pin")
        lane.after(PinChecked("7", "n1", True))
        assert isinstance(lane.mode, Idle)

    def test_the_pin_pad_never_covers_a_payment(self, lane):
        lane.scan(BREAD)
        lane.start_payment()
        lane.after(StaffPressed())
        assert isinstance(lane.mode, Paying)


class TestTheLane:
    def test_is_closed_and_opened_by_role(self, lane):
        lane.sign_on().after(LaneClosed("7", "break"))
        assert lane.mode == Closed("attendant")
        lane.scan(BREAD)
        assert lane.mode == Closed("attendant")
        lane.sign_on().after(LaneOpened("7"))
        assert isinstance(lane.mode, Idle)

    def test_stays_closed_over_a_restart(self, lane):
        lane.sign_on().after(LaneClosed("7", "break"), Restarted("r", "b2", 10))
        assert lane.mode == Closed("attendant")

    def test_is_paused_by_the_office_once_the_shopper_has_left(self, lane):
        lane.scan(BREAD).after(DirectiveReceived("d1", "pause"))
        assert lane.mode.basket.lines
        lane.after(CancelPressed())
        assert lane.mode.cause == "office"
        lane.after(DirectiveReceived("d2", "resume"))
        assert isinstance(lane.mode, Idle)

    def test_prints_a_copy_and_says_so(self, lane):
        lane.scan(BREAD).pay()
        lane.time_is_up("receipt").time_is_up("thanks").sign_on()
        (made,) = lane.facts(SaleMade)
        lane.after(ReprintAsked(made.sale.sale_seq, "7"))
        (paper,) = lane.wants(PrintReceipt)
        assert paper.is_copy


class TestTraining:
    @pytest.fixture
    def training(self):
        lane = PlayedLane(RULES)
        return lane.sign_on().after(TrainingStarted("7"))

    def inner(self, lane):
        assert isinstance(lane.mode, Training)
        return lane.mode.lane

    def test_needs_an_empty_lane(self, lane):
        lane.scan(BREAD).sign_on().after(TrainingStarted("7"))
        assert not isinstance(lane.mode, Training)

    def test_needs_the_role(self, lane):
        lane.sign_on("8").after(TrainingStarted("8"))
        assert not isinstance(lane.mode, Training)

    def test_touches_no_terminal_and_no_total(self, training):
        training.scan(BREAD).after(PayPressed())
        (pretend,) = training.wants(PretendTender)
        tender = pretend.tender
        training.after(
            TenderStarted(tender, "TRAINING", 0),
            TenderResult(tender.attempt_id, CardResult(Outcome.APPROVED, 249, "EUR")),
            TenderConfirmed(tender.attempt_id),
        )
        assert isinstance(self.inner(training).mode, Complete)
        assert self.inner(training).mode.sale.training
        assert training.facts(Authorize) == []
        assert training.facts(PrepareTender) == []
        assert training.state.recent_sales == ()

    def test_ends_by_an_attendant_and_leaves_nothing(self, training):
        training.scan(BREAD).after(StaffPressed(), PinTried("7", "n9"))
        training.after(PinChecked("7", "n9", True), TrainingEnded("7"))
        assert isinstance(training.mode, Idle)

    def test_counts_wrong_pins_for_real(self, training):
        training.after(StaffPressed(), PinTried("7", "n9"))
        training.after(PinChecked("7", "n9", False))
        assert training.state.pins["7"].wrong == 1

    def test_ends_with_the_battery(self, training):
        training.scan(BREAD).after(PowerChanged("low"))
        assert training.mode == Closed("battery")


def test_real_money_that_comes_while_training_is_no_training(lane):
    lane.sign_on().after(TrainingStarted("7"))
    late = TenderResult("stranger", CardResult(Outcome.APPROVED, 500, "EUR"))
    assert is_of_training(lane.state, StaffPressed())
    assert not is_of_training(lane.state, late)
    lane.after(late)
    assert lane.state.open_items[0].amount_minor == 500


def test_a_payment_that_hangs_in_a_training_can_be_settled_there(lane):
    lane.sign_on().after(TrainingStarted("7"))
    lane.scan(BREAD).after(PayPressed())
    (pretend,) = lane.wants(PretendTender)
    lane.after(TenderStarted(pretend.tender, "TRAINING", 0)).time_is_up("asked")
    lane.after(StaffPressed(), PinTried("7", "n9"), PinChecked("7", "n9", True))
    lane.after(TenderSettled(pretend.tender.attempt_id, "not_paid", "7", "practice"))
    assert isinstance(lane.mode.lane.mode, Scanning)


def test_a_pretended_approval_is_no_money_after_the_training(lane):
    late = CardResult(Outcome.APPROVED, 249, "EUR", is_training=True)
    lane.after(TenderResult("practised", late))
    assert lane.state.open_items == ()
