"""Whatever happens, in whatever order: the lane keeps its promises.

Random shoppers, attendants, terminals that lie, plugs that are pulled and clocks
that jump; `world.CheckedLane` checks every promise after every event.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

import msgspec
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from msgspec.structs import replace
from played import ANA, APPLES, BEN, BREAD, DEPOSIT, RICE, RULES, WATER, WINE
from world import CheckedLane

from kiosk.domain import events as e
from kiosk.domain import service
from kiosk.domain.lane import encode_state
from kiosk.domain.modes import basket_of, intervention
from kiosk.domain.network import NetworkSetting
from kiosk.domain.policy import BaggingPolicy, CheckPolicy, OfflinePolicy
from kiosk.domain.pricing import price
from kiosk.domain.promotion import Coupon, NForM
from kiosk.domain.state import Attending, Idle, Lane, Servicing, Training
from kiosk.domain.tender import Answer, CardResult, Outcome, Tender

Draw = Callable[[Any], Any]

FREE = replace(BREAD, item_id="free", unit_price_minor=0, extended_minor=0)
BOTTLE_BACK = replace(BREAD, item_id="back", unit_price_minor=-25, extended_minor=-25)
KNIFE = replace(BREAD, item_id="knife", attendant_needed=True)
BANNED = replace(BREAD, item_id="banned", not_for_sale=True)
OLD_MILK = replace(BREAD, item_id="milk", expires_on="2020-01-01")
LABELLED = replace(
    APPLES, weight_grams=300, extended_minor=90, price_source="label", item_id="cheese"
)
LOAF = replace(BREAD, piece_grams=1030, tolerance_grams=20)
LINES = (
    LOAF,
    BREAD,
    WINE,
    APPLES,
    WATER,
    RICE,
    FREE,
    BOTTLE_BACK,
    KNIFE,
    BANNED,
    OLD_MILK,
    LABELLED,
)
OFFERS = (
    NForM(
        offer_id="3for2",
        description={"en": "3 for 2"},
        item_ids=(BREAD.item_id,),
        pieces=3,
        pay=2,
    ),
    Coupon(offer_id="c", description={"en": "Coupon"}, code="C1", off_minor=100),
)
OTHER_RULES = (
    RULES,
    replace(RULES, version="r2", approvals_at_end=False, receipt_required=True),
    replace(RULES, version="r4", bagging=BaggingPolicy(is_on=True)),
    replace(
        RULES,
        version="r3",
        pricing=replace(RULES.pricing, offers=OFFERS),
        limits=replace(RULES.limits, longest_basket=6, pin_tries=2),
        checks=CheckPolicy(rate_per_10000=5000, highest_per_10000=9000),
        receipt_unanswered="paper",
        offline=OfflinePolicy(
            enabled=True,
            max_per_payment_minor=300,
            max_count=2,
            max_sum_minor=500,
            max_age_hours=1,
        ),
    ),
)

some_number = st.integers(-3, 12)
some_amount = st.sampled_from([-1, 0, 1, 249, 498, 599, 10_000_001])
some_attendant = st.sampled_from(["7", "7", "7", "8", "nobody", ""])
some_text = st.sampled_from(["", "x", "receipt", "paper", "\u202e💶"])


def attempt_id(draw: Draw, lane: Lane) -> str:
    known = [*lane.ledger, "foreign", ""]
    mode = lane.mode.lane.mode if isinstance(lane.mode, Training) else lane.mode
    tender = getattr(mode, "tender", None)
    if tender is not None:
        known += [tender.attempt_id] * 3
    return str(draw(st.sampled_from(known)))


def card_result(draw: Draw, lane: Lane, of: str) -> CardResult:
    outcome = draw(st.sampled_from(Outcome))
    attempt = lane.ledger.get(of)
    amount, currency = (
        (attempt.amount_minor, attempt.currency) if attempt else (249, "EUR")
    )
    if draw(st.integers(0, 4)) == 0:
        amount = draw(some_amount)
    if draw(st.integers(0, 9)) == 0:
        currency = "USD"
    return CardResult(
        outcome,
        amount,
        currency,
        approved_offline=draw(st.booleans()),
        error=draw(
            st.sampled_from(
                ["", "", "unreachable_host", "settlement_required", "rejected", "busy"]
            )
        ),
    )


def line(draw: Draw, lane: Lane) -> int:
    basket = basket_of(lane.mode)
    last = len(basket.lines) if basket else 0
    return int(draw(st.integers(-1, last + 1)))


def asked(draw: Draw, lane: Lane) -> int:
    waiting = intervention(lane.mode)
    numbers = [0, lane.seq, *([waiting.asked] * 4 if waiting else [])]
    return int(draw(st.sampled_from(numbers)))


def sale_seq(draw: Draw, lane: Lane) -> int:
    return int(draw(st.sampled_from([0, 5, *(s.sale_seq for s in lane.recent_sales)])))


def tender(draw: Draw, lane: Lane) -> Tender:
    mode = lane.mode.lane.mode if isinstance(lane.mode, Training) else lane.mode
    found = getattr(mode, "tender", None)
    if found is not None and draw(st.integers(0, 3)):
        return found  # type: ignore[no-any-return]
    figures = (lane.figures and replace_total(lane)) or NOTHING
    return Tender(attempt_id(draw, lane), "other", (), figures)


def replace_total(lane: Lane) -> Any:
    assert lane.figures is not None
    return replace(lane.figures, total_minor=lane.figures.total_minor + 1)


NOTHING = price((replace(BREAD, line_no=1),), RULES.pricing, 0).figures

# How each kind of event is drawn, plausible or absurd. None is left out.
KINDS: dict[type[Any], Callable[[Draw, Lane], Any]] = {
    e.LanguageChosen: lambda d, _: e.LanguageChosen(
        d(st.sampled_from(["de", "en", "tlh", ""]))
    ),
    e.StartPressed: lambda d, _: e.StartPressed(),
    e.ItemFound: lambda d, _: e.ItemFound(
        d(st.sampled_from(LINES)),
        deposit=d(st.sampled_from([None, None, DEPOSIT])),
        recalled=d(st.integers(0, 9)) == 0,
        today=d(st.sampled_from(["", "2026-11-23"])),
    ),
    e.ItemUnknown: lambda d, _: e.ItemUnknown(d(some_text)),
    e.LabelUnreadable: lambda d, _: e.LabelUnreadable(d(some_text)),
    e.CouponScanned: lambda d, _: e.CouponScanned(d(st.sampled_from(["C1", "?"]))),
    e.WeightSettled: lambda d, _: e.WeightSettled(
        d(st.sampled_from([-5, 0, 1, 512, 30_000]))
    ),
    e.WeighingCancelled: lambda d, _: e.WeighingCancelled(),
    e.BaggingWeight: lambda d, lane: e.BaggingWeight(
        d(st.sampled_from([0, -40, 3, 300, 1030, lane.bagging.level + 1030, 70_000]))
    ),
    e.OwnBagUsed: lambda d, _: e.OwnBagUsed(),
    e.LineVoided: lambda d, lane: e.LineVoided(line(d, lane), d(some_attendant)),
    e.QuantityChanged: lambda d, lane: e.QuantityChanged(
        line(d, lane), d(some_number), d(some_attendant)
    ),
    e.NoticeRead: lambda d, _: e.NoticeRead(),
    e.MoreTimePressed: lambda d, _: e.MoreTimePressed(),
    e.HelpPressed: lambda d, _: e.HelpPressed(d(some_text)),
    e.HelpCancelled: lambda d, _: e.HelpCancelled(),
    e.CancelPressed: lambda d, _: e.CancelPressed(),
    e.PayPressed: lambda d, lane: e.PayPressed(
        attempt_id=d(st.sampled_from(["", "", "", *lane.ledger])),
        draw=d(st.integers(0, 9999)),
    ),
    e.BackPressed: lambda d, _: e.BackPressed(),
    e.ReceiptChosen: lambda d, _: e.ReceiptChosen(
        d(st.sampled_from(["paper", "qr", "none", ""]))
    ),
    e.TenderStarted: lambda d, lane: e.TenderStarted(tender(d, lane), "T1", 3),
    e.TenderNotStarted: lambda d, lane: e.TenderNotStarted(attempt_id(d, lane)),
    e.TenderMoment: lambda d, lane: e.TenderMoment(
        attempt_id(d, lane), d(st.sampled_from(["card_seen", "", "waiting_for_card"]))
    ),
    e.TenderResult: lambda d, lane: (
        of := attempt_id(d, lane),
        e.TenderResult(of, card_result(d, lane, of)),
    )[1],
    e.TenderConfirmed: lambda d, lane: e.TenderConfirmed(attempt_id(d, lane)),
    e.TenderQueried: lambda d, lane: (
        of := attempt_id(d, lane),
        e.TenderQueried(
            of,
            d(st.sampled_from(Answer)),
            (d(st.booleans()) and card_result(d, lane, of)) or None,
        ),
    )[1],
    e.TenderSettled: lambda d, lane: e.TenderSettled(
        attempt_id(d, lane),
        d(st.sampled_from(["paid", "not_paid", "taken_at_till", "reverse", "?"])),
        d(some_attendant),
        "saw it",
    ),
    e.SaleReturned: lambda d, lane: e.SaleReturned(
        sale_seq(d, lane),
        d(st.sampled_from(["void", "refund"])),
        d(some_attendant),
        "wrong",
    ),
    e.ReversalResult: lambda d, lane: (
        of := attempt_id(d, lane),
        e.ReversalResult(
            of,
            d(st.sampled_from(["r?", *(a.reversal_id for a in lane.ledger.values())])),
            card_result(d, lane, of),
        ),
    )[1],
    e.TerminalSettled: lambda d, lane: e.TerminalSettled(
        d(st.sampled_from(Outcome)),
        is_needed=d(st.booleans()),
        count=d(st.sampled_from([None, 0, 3])),
        sum_minor=d(st.sampled_from([None, 0, lane.card_sum_minor, 7])),
    ),
    e.ReceiptPrinted: lambda d, lane: e.ReceiptPrinted(sale_seq(d, lane)),
    e.ReceiptFailed: lambda d, lane: e.ReceiptFailed(sale_seq(d, lane), "no paper"),
    e.ReprintAsked: lambda d, lane: e.ReprintAsked(
        sale_seq(d, lane), d(some_attendant)
    ),
    e.StaffPressed: lambda d, _: e.StaffPressed(),
    e.PinTried: lambda d, lane: e.PinTried(d(some_attendant), f"n{lane.seq}"),
    e.PinChecked: lambda d, lane: e.PinChecked(
        d(some_attendant),
        d(st.sampled_from(["", f"n{lane.seq - 1}", "old"])),
        d(st.booleans()),
    ),
    e.AttendantLeft: lambda d, _: e.AttendantLeft(),
    e.InterventionApproved: lambda d, lane: e.InterventionApproved(
        asked(d, lane), d(some_attendant), "seen"
    ),
    e.InterventionRefused: lambda d, lane: e.InterventionRefused(
        asked(d, lane), d(some_attendant), "seen"
    ),
    e.SaleVoided: lambda d, _: e.SaleVoided(d(some_attendant), "left"),
    e.PriceOverridden: lambda d, lane: e.PriceOverridden(
        line(d, lane), d(some_amount), d(some_attendant), "damaged"
    ),
    e.BasketSuspended: lambda d, _: e.BasketSuspended(d(some_attendant), "purse"),
    e.BasketResumed: lambda d, lane: e.BasketResumed(
        d(st.sampled_from([0, *(s.suspended_seq for s in lane.suspended)])),
        d(some_attendant),
        d(st.sampled_from(["", "2026-11-23"])),
        d(st.sampled_from([(), (1,), (0, 99)])),
    ),
    e.TrainingStarted: lambda d, _: e.TrainingStarted(d(some_attendant)),
    e.TrainingEnded: lambda d, _: e.TrainingEnded(d(some_attendant)),
    e.LaneClosed: lambda d, _: e.LaneClosed(d(some_attendant), "break"),
    e.LaneOpened: lambda d, _: e.LaneOpened(d(some_attendant)),
    e.DateConfirmed: lambda d, _: e.DateConfirmed(d(some_attendant)),
    e.DayEnded: lambda d, _: e.DayEnded("2026-11-23", d(some_attendant)),
    e.ServiceOpened: lambda d, _: e.ServiceOpened(d(some_attendant)),
    e.ServiceAsked: lambda d, _: e.ServiceAsked(
        d(st.sampled_from([*service.DEEDS, "?"])),
        d(some_attendant),
        d(st.sampled_from([NetworkSetting("eth0"), NetworkSetting("?", "1.2.3.4")])),
        d(st.sampled_from([0, 0, 3, -1])),
    ),
    e.ServiceEnded: lambda d, lane: e.ServiceEnded(
        d(st.sampled_from(service.DEEDS)),
        getattr(lane.mode, "asked", lane.seq),
        d(st.sampled_from(["done", "no_stick", "?"])),
        d(some_text),
    ),
    e.TimeLimitReached: lambda d, lane: (
        name := d(st.sampled_from(["idle", "query:foreign", "?", *lane.timers])),
        generation := lane.timers[name].generation if name in lane.timers else 0,
        e.TimeLimitReached(name, d(st.sampled_from([generation, generation, 1]))),
    )[2],
    e.DeviceChanged: lambda d, _: e.DeviceChanged(
        d(st.sampled_from(["scanner", "printer", "terminal", "bagging", "disk", "?"])),
        d(st.sampled_from(["ready", "ready", "absent", "degraded", "?"])),
        cause=d(st.sampled_from(["", "", "settlement_required", "tampering", "?"])),
    ),
    e.PowerChanged: lambda d, _: e.PowerChanged(
        d(st.sampled_from(["mains", "battery", "low", "mains", "shutdown", "unknown"]))
    ),
    e.NetworkChanged: lambda d, _: e.NetworkChanged(d(st.booleans())),
    e.ClockDistrusted: lambda d, _: e.ClockDistrusted(),
    e.RulesChanged: lambda d, _: e.RulesChanged(d(st.sampled_from(OTHER_RULES))),
    e.RosterChanged: lambda d, lane: e.RosterChanged(
        d(st.sampled_from([0, lane.roster_version, lane.roster_version + 1])),
        d(st.sampled_from([(ANA, BEN), (ANA, BEN), (BEN,), ()])),
    ),
    e.Restarted: lambda d, _: e.Restarted(
        "r", "boot2", d(st.sampled_from([0, 5_000, 600_000, 86_400_000]))
    ),
    e.DirectiveReceived: lambda d, lane: e.DirectiveReceived(
        "d1",
        d(st.sampled_from(["pause", "resume", "resume", "approve", "refuse", "?"])),
        d(some_attendant),
        asked(d, lane),
    ),
    e.UpdateAsked: lambda d, _: e.UpdateAsked(d(st.sampled_from(["1.2.3", "2.0.0"]))),
    e.StateCarried: lambda d, lane: e.StateCarried(
        encode_state(lane)
        if isinstance(lane.mode, Idle) and not lane.is_training
        else msgspec.Raw(b'{"mode":{"type":"Later"}}')
    ),
}


def test_no_kind_of_event_is_left_out():
    assert KINDS.keys() == {*get_args(e.Event)}


class AnythingHappens(RuleBasedStateMachine):
    """A lane in a world that is sometimes sensible and often is not."""

    def __init__(self) -> None:
        super().__init__()
        self.lane = CheckedLane()

    @rule(data=st.data(), kind=st.sampled_from([*KINDS]))
    def anything(self, data: Any, kind: type[Any]) -> None:
        self.lane.feed(KINDS[kind](data.draw, self.lane._innermost()))

    @precondition(lambda self: self.lane.state.ledger)
    @rule(
        data=st.data(),
        kind=st.sampled_from(
            [e.TenderResult, e.TenderQueried, e.TenderConfirmed, e.ReversalResult]
        ),
    )
    def the_terminal_says_anything(self, data: Any, kind: type[Any]) -> None:
        self.lane.feed(KINDS[kind](data.draw, self.lane.state))

    @precondition(lambda self: isinstance(self.lane._innermost().mode, Attending))
    @rule(
        data=st.data(),
        kind=st.sampled_from(
            [
                e.TenderSettled,
                e.SaleReturned,
                e.InterventionApproved,
                e.InterventionRefused,
                e.LineVoided,
                e.QuantityChanged,
                e.PriceOverridden,
                e.BasketSuspended,
                e.BasketResumed,
                e.TrainingStarted,
                e.TrainingEnded,
                e.ReprintAsked,
                e.ItemFound,
                e.AttendantLeft,
                e.ServiceOpened,
            ]
        ),
    )
    def the_attendant_acts(self, data: Any, kind: type[Any]) -> None:
        inner = self.lane._innermost()
        drawn = KINDS[kind](data.draw, inner)
        if hasattr(drawn, "attendant") and isinstance(inner.mode, Attending):
            drawn = replace(drawn, attendant=inner.mode.attendant)
        self.lane.feed(drawn)

    @rule(data=st.data(), bought=st.lists(st.sampled_from(LINES), max_size=3))
    def someone_buys(self, data: Any, bought: list[Any]) -> None:
        for item in bought:
            self.lane.feed(e.ItemFound(item))
        self.lane.feed(e.PayPressed())
        if data.draw(st.booleans()):
            self.lane.answer_next()

    @rule(is_good=st.booleans(), times=st.integers(1, 3))
    def the_world_answers(self, is_good: bool, times: int) -> None:
        self.lane.next_card_is_good = is_good
        for _ in range(times):
            self.lane.answer_next()

    @rule()
    def an_answer_is_lost(self) -> None:
        self.lane.lose_next()

    @rule()
    def time_passes(self) -> None:
        self.lane.time_passes()

    @precondition(lambda self: isinstance(self.lane.mode, Servicing))
    @rule(data=st.data(), kind=st.sampled_from([e.ServiceAsked, e.ServiceEnded]))
    def the_technician_acts(self, data: Any, kind: type[Any]) -> None:
        drawn = KINDS[kind](data.draw, self.lane.state)
        if hasattr(drawn, "attendant"):
            drawn = replace(drawn, attendant=self.lane.mode.attendant)
        self.lane.feed(drawn)

    @precondition(lambda self: not isinstance(self.lane.mode, Attending))
    @rule()
    def an_attendant_signs_on(self) -> None:
        self.lane.sign_on()

    @rule(hours=st.sampled_from([-9_000, -1, 1, 30]))
    def the_clock_jumps(self, hours: int) -> None:
        self.lane.now += hours * 3_600_000

    def teardown(self) -> None:
        """From wherever it is, the lane comes to rest, sells on, and is recovered."""
        self.lane.check_recovery()
        self.lane.come_to_rest()
        self.lane.sells_again()
        self.lane.check_recovery()


TestAnythingHappens = AnythingHappens.TestCase
TestAnythingHappens.settings = settings(
    derandomize=True,
    deadline=None,
    max_examples=120,
    stateful_step_count=40,
    suppress_health_check=list(HealthCheck),
)
