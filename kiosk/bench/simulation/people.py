"""Shoppers and attendants: they look at the lane's mode and do what people do.

They see what the screen shows and nothing more; attendants also look at the card
terminal's own ledger before they settle a payment, and say what it says.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from kiosk.asked import Asked, CodeTyped, ItemPicked, ResumeAsked
from kiosk.bench.simulation import shop
from kiosk.bench.simulation.machine import Machine
from kiosk.bench.simulation.terminal import Terminal
from kiosk.domain.attending import resumes_alone
from kiosk.domain.basket import standing
from kiosk.domain.events import (
    AttendantLeft,
    BackPressed,
    BaggingWeight,
    BasketSuspended,
    CancelPressed,
    DateConfirmed,
    Event,
    HelpCancelled,
    HelpPressed,
    InterventionApproved,
    InterventionRefused,
    LaneClosed,
    LaneOpened,
    LanguageChosen,
    LineVoided,
    MoreTimePressed,
    NoticeRead,
    OwnBagUsed,
    PayPressed,
    PriceOverridden,
    QuantityChanged,
    ReceiptChosen,
    ReprintAsked,
    SaleReturned,
    SaleVoided,
    StaffPressed,
    StartPressed,
    TenderSettled,
    TrainingEnded,
    TrainingStarted,
    WeighingCancelled,
    WeightSettled,
)
from kiosk.domain.modes import basket_of, changeable_basket, intervention, unattended
from kiosk.domain.state import (
    Attending,
    Basket,
    Closed,
    Complete,
    Declined,
    Idle,
    Intervention,
    Lane,
    OutcomeUnknown,
    Paying,
    PinEntry,
    Scanning,
    Servicing,
    Training,
    Weighing,
)

ANA, BEN = "7", "8"
# Whoever waits longer than this for a lane goes to another one.
_PATIENCE_LOOKS = 60


def shown(lane: Lane) -> Lane:
    """Return the lane that the screen shows: in training, the one inside."""
    return lane.mode.lane if isinstance(lane.mode, Training) else lane


class Shopper:
    """One shopper, from the first look to the last."""

    def __init__(self, random: Random, wants: int, steadiness: float) -> None:
        self._random = random
        self._wants = wants
        self._steadiness = steadiness
        self._looks = 0
        self._started = False
        self.is_gone = False

    def look(self, lane: Lane, now_ms: int) -> Event | Asked | None:
        """Look at the screen and return what is done about it."""
        self._looks += 1
        if self._random.random() > self._steadiness or self._looks > 120:
            self.is_gone = True
            return None
        mode = shown(lane).mode
        match mode:
            case Idle():
                return self._begin(shown(lane), now_ms)
            case Scanning():
                self._started = True
                return self._shop(mode, shown(lane))
            case Weighing():
                if self._chance(0.1):
                    return WeighingCancelled()
                return WeightSettled(self._random.choice((0, 4, 350, 801, 1200)))
            case Intervention(reason="scale_mismatch"):
                return self._bag(shown(lane))
            case Intervention():
                return HelpCancelled() if self._chance(0.03) else None
            case Paying():
                return BackPressed() if self._chance(0.05) else None
            case OutcomeUnknown():
                return HelpPressed("payment") if self._chance(0.03) else None
            case Declined():
                return self._random.choice(
                    (PayPressed(), PayPressed(), PayPressed(), BackPressed())
                )
            case Complete(stage=stage):
                return self._receipt(stage)
            case Closed() if self._looks > _PATIENCE_LOOKS:
                self.is_gone = True
            case Closed() | PinEntry() | Attending() | Servicing() | Training():
                pass
        return None

    def _begin(self, lane: Lane, now_ms: int) -> Event | Asked | None:
        if self._started:
            # Paid, cancelled or put aside: this shopper is done here.
            mine = [s for s in lane.suspended if resumes_alone(lane, s, now_ms)]
            if mine and self._chance(0.8):
                return ResumeAsked(mine[-1].suspended_seq)
            self.is_gone = True
            return None
        if self._chance(0.1):
            return LanguageChosen("de")
        if self._chance(0.2):
            return StartPressed()
        self._started = True
        self._wants -= 1
        return shop.scan(self._random)

    def _shop(self, mode: Scanning, lane: Lane) -> Event | Asked | None:
        if lane.bagging.pending and self._chance(0.6):
            return self._put_down(lane)
        if mode.notice and self._chance(0.5):
            return NoticeRead()
        if mode.is_warned and self._chance(0.8):
            return MoreTimePressed()
        lines = mode.basket.standing
        if lines and self._chance(0.12):
            return self._fiddle(mode.basket)
        if self._wants > 0:
            self._wants -= 1
            if self._chance(0.08):
                return ItemPicked("plu:4011")
            if self._chance(0.05):
                return CodeTyped(self._random.choice(("4011", "4012345000009", "77")))
            return shop.scan(self._random)
        if not lines and self._chance(0.5):
            self._wants = 1
            return None
        return PayPressed()

    def _fiddle(self, basket: Basket) -> Event:
        line = self._random.choice(basket.standing)
        return self._random.choice(
            (
                LineVoided(line.line_no),
                QuantityChanged(line.line_no, self._random.randint(1, 4)),
                HelpPressed("price"),
                CancelPressed(),
                BaggingWeight(self._random.choice((0, 250, 1030, 1280))),
                WeightSettled(self._random.choice((0, 420, 700))),
            )
        )

    def _bag(self, lane: Lane) -> Event | None:
        """Mend what does not fit, plead an own bag, or wait."""
        if self._chance(0.2):
            return OwnBagUsed()
        if self._chance(0.4):
            return self._put_down(lane)
        return None

    def _put_down(self, lane: Lane) -> Event:
        """Let all lie there that should, give or take a few grams."""
        steps = (e for e in lane.bagging.pending if not e.low <= 0 <= e.high)
        sure = sum((e.low + e.high) // 2 for e in steps)
        return BaggingWeight(lane.bagging.level + sure + self._random.randint(-5, 5))

    def _receipt(self, stage: str) -> Event | Asked | None:
        if not self._started:
            # Somebody else's thank-you: the impatient scan over it.
            return shop.scan(self._random) if self._chance(0.1) else None
        if stage in ("done", "failed", "qr") and self._chance(0.6):
            self.is_gone = True
            return ReceiptChosen("none") if stage == "qr" else None
        if stage == "ask" and self._chance(0.8):
            return ReceiptChosen(self._random.choice(("paper", "paper", "qr", "none")))
        return None

    def _chance(self, likely: float) -> bool:
        return self._random.random() < likely


class Attendant:
    """Staff: come when the lane calls, and now and then without a call.

    `is_steady`: makes no mistake and plays no game; so the day is brought to its end.
    """

    def __init__(self, random: Random, machine: Machine, terminal: Terminal) -> None:
        self.is_steady = False
        # How much of what they do without a call is giving sales back.
        self.returns = 0.3
        # How often they come without a call, and whether they settle payments.
        self.boredom = 0.02
        self.settles = True
        self._random = random
        self._machine = machine
        self._terminal = terminal
        self._deeds = 0

    def is_wanted(self, lane: Lane) -> bool:
        """Does this lane need somebody?"""
        inner = shown(lane)
        return (
            intervention(inner.mode) is not None
            or isinstance(unattended(inner.mode), OutcomeUnknown)
            or bool(lane.open_items)
            or isinstance(lane.mode, Training)
            or not lane.is_clock_trusted
            or (isinstance(inner.mode, Closed) and inner.mode.cause == "attendant")
            or (self.is_steady and bool(lane.suspended) and isinstance(lane.mode, Idle))
        )

    def look(self, lane: Lane, now_ms: int) -> None:
        """Look at the lane and do one thing."""
        inner = shown(lane)
        post = self._machine.post
        match inner.mode:
            case PinEntry(trouble="checking"):
                pass
            case PinEntry():
                number = ANA if self.is_steady else self._random.choice((ANA, ANA, BEN))
                is_right = self.is_steady or self._chance(0.8)
                self._machine.try_pin(number, is_right=is_right)
            case Attending():
                for deed in self._deed(lane, inner, inner.mode):
                    post(deed)
            case _ if self.is_wanted(lane) or (
                not self.is_steady and self._chance(self.boredom)
            ):
                self._deeds = 0
                post(StaffPressed())
            case _:
                pass

    def _deed(self, lane: Lane, inner: Lane, mode: Attending) -> list[Event | Asked]:
        me = mode.attendant
        self._deeds += 1
        if self._deeds > 4:
            self._deeds = 0
            return [AttendantLeft()]
        if not lane.is_clock_trusted:
            return [DateConfirmed(me)]
        waiting = intervention(mode)
        if waiting is not None:
            if waiting.reason == "idle" and self.is_steady:
                return [SaleVoided(me, "left")]
            if waiting.reason in ("help", "unknown_item") and self._chance(0.5):
                return [AttendantLeft(), HelpCancelled()]
            asked = waiting.asked if self._chance(0.95) else waiting.asked + 1
            if self._chance(0.7) or self.is_steady:
                return [InterventionApproved(asked, me, "seen")]
            return [InterventionRefused(asked, me, "no")]
        if isinstance(unattended(mode), OutcomeUnknown):
            return self._settle_unknown(mode, me)
        if lane.open_items and not isinstance(lane.mode, Training):
            return self._settle_item(lane, me)
        if isinstance(unattended(mode), Closed):
            return [LaneOpened(me), AttendantLeft()]
        if isinstance(lane.mode, Training) and (self.is_steady or self._chance(0.4)):
            return [TrainingEnded(me)]
        is_free = isinstance(unattended(mode), Idle)
        if inner.suspended and is_free and (not self.is_steady or self._chance(0.5)):
            return [ResumeAsked(inner.suspended[0].suspended_seq, me)]
        if self.is_steady:
            if changeable_basket(mode) is not None:
                return [SaleVoided(me, "left"), AttendantLeft()]
            return [AttendantLeft()]
        return [self._game(inner, mode, me), AttendantLeft()]

    def _settle_unknown(self, mode: Attending, me: str) -> list[Event | Asked]:
        under = unattended(mode)
        if not isinstance(under, OutcomeUnknown):
            return []
        attempt_id = under.tender.attempt_id
        is_decided = self._terminal.is_decided(attempt_id)
        if not self.settles or not is_decided or self._chance(0.3):
            return [AttendantLeft()]
        kept = self._kept(attempt_id)
        if kept == under.tender.amount_minor:
            return [TenderSettled(attempt_id, "paid", me, "slip", "000001")]
        if kept:
            # The slip shows another amount: that is for the terminal to say.
            return [AttendantLeft()]
        decision = "taken_at_till" if self._chance(0.3) else "not_paid"
        return [TenderSettled(attempt_id, decision, me, "terminal shows nothing")]

    def _settle_item(self, lane: Lane, me: str) -> list[Event | Asked]:
        item = lane.open_items[0]
        if not self._terminal.is_decided(item.attempt_id):
            return [AttendantLeft()]
        decision = "reverse"
        if item.tender is not None and self._kept(item.attempt_id) == (
            item.tender.amount_minor
        ):
            decision = "paid"
        elif self._kept(item.attempt_id) == 0:
            decision = "not_paid"
        return [TenderSettled(item.attempt_id, decision, me, "checked")]

    def _kept(self, attempt_id: str) -> int:
        return self._terminal.kept_minor().get(attempt_id, 0)

    def _game(self, lane: Lane, mode: Attending, me: str) -> Event:
        basket = basket_of(mode)
        games: list[Callable[[], Event]] = [
            lambda: LaneClosed(me, "break"),
            lambda: TrainingStarted(me),
            lambda: BasketSuspended(me, "forgot purse"),
        ]
        if basket is not None and (lines := standing(basket.lines)):
            line = self._random.choice(lines)
            games += [
                lambda: LineVoided(line.line_no, me, "wrong"),
                lambda: PriceOverridden(line.line_no, 99, me, "damaged"),
                lambda: QuantityChanged(line.line_no, 3, me),
                lambda: SaleVoided(me, "left"),
            ]
        if lane.recent_sales and self._chance(self.returns):
            sale = self._random.choice(lane.recent_sales)
            kind = self._random.choice(("void", "refund"))
            if self._chance(0.2):
                return ReprintAsked(sale.sale_seq, me)
            return SaleReturned(sale.sale_seq, kind, me, "bad")
        return self._random.choice(games)()

    def _chance(self, likely: float) -> bool:
        return self._random.random() < likely
