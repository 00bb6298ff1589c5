"""A lane, the world around it, and everything that must always be so.

`CheckedLane` takes any event and checks each promise after it. The world keeps what
the lane asked for and has not been answered, and can answer it all truthfully.
"""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from played import ANA, BEN, BREAD, NOON, RULES

from kiosk.domain import body as bodies
from kiosk.domain import pricing
from kiosk.domain.effects import (
    FACTS,
    Authorize,
    CancelAuthorization,
    CheckPin,
    MoneyReturned,
    OrderShutdown,
    PrepareTender,
    PretendTender,
    PrintReceipt,
    Query,
    Refund,
    Reverse,
    SaleMade,
    SaleUndone,
    SettleTerminal,
)
from kiosk.domain.events import (
    AttendantLeft,
    BackPressed,
    ClockDistrusted,
    DateConfirmed,
    DayEnded,
    DeviceChanged,
    DirectiveReceived,
    Event,
    InterventionApproved,
    InterventionRefused,
    ItemFound,
    LaneOpened,
    PayPressed,
    PinChecked,
    PinTried,
    PowerChanged,
    ReceiptFailed,
    ReceiptPrinted,
    Restarted,
    ReversalResult,
    RosterChanged,
    RulesChanged,
    StaffPressed,
    StateCarried,
    TenderConfirmed,
    TenderNotStarted,
    TenderQueried,
    TenderResult,
    TenderSettled,
    TenderStarted,
    TerminalSettled,
    TimeLimitReached,
    TrainingEnded,
)
from kiosk.domain.lane import advance, decode_state, encode_state, resume
from kiosk.domain.modes import basket_of, core, intervention, unattended
from kiosk.domain.service import is_trying
from kiosk.domain.state import (
    Attending,
    Closed,
    Complete,
    Idle,
    Lane,
    OutcomeUnknown,
    Paying,
    PinEntry,
    Scanning,
    Servicing,
    Training,
)
from kiosk.domain.tender import Answer, Attempt, CardResult, Outcome, Stage
from kiosk.runner import recover

MONEY = (
    Authorize,
    CancelAuthorization,
    PrepareTender,
    Query,
    Refund,
    Reverse,
    OrderShutdown,
)
ASKED = (*MONEY[:-1], SettleTerminal, PretendTender, PrintReceipt, CheckPin)
APPROVED = Outcome.APPROVED


class Written:
    """An entry, as recovery reads one."""

    def __init__(self, seq: int, body: bytes) -> None:
        self.seq = seq
        self.body = body


class CheckedLane:
    """A lane that is checked after every event."""

    def __init__(self) -> None:
        self.state = Lane()
        self.now = NOON
        self.entries: list[Written] = []
        self.asked: list[Any] = []
        # What the terminal really did, by attempt; asked about, it never lies.
        self.charged: dict[str, bool] = {}
        self.next_card_is_good = True
        self.authorized: dict[str, str] = {}
        self.sold: dict[str, int] = {}
        self.undone: dict[int, int] = {}
        self.returned: dict[str, int] = {}
        for event in (
            RulesChanged(RULES),
            RosterChanged(1, (ANA, BEN)),
            Restarted("test", "boot", 0),
        ):
            self.feed(event)

    @property
    def mode(self) -> Any:
        return self.state.mode

    # -- one event -------------------------------------------------------------

    def feed(self, event: Event) -> None:
        """Let something happen, as the runner would, and check everything."""
        if (
            self.state.is_clock_trusted
            and self.now < self.state.last_ms - 5_000
            and not isinstance(event, ClockDistrusted)
        ):
            self.feed(ClockDistrusted(self.now))
        stamped: Any = event
        if getattr(event, "at_ms", None) == 0:
            stamped = replace(stamped, at_ms=self.now)
        if getattr(event, "basket_id", None) == "":
            stamped = replace(stamped, basket_id=f"b{self.state.seq}")
        if isinstance(stamped, PayPressed) and not stamped.attempt_id:
            stamped = replace(stamped, attempt_id=f"t{self.state.seq}")
        if getattr(event, "reversal_id", None) == "" and not isinstance(
            event, ReversalResult
        ):
            stamped = replace(stamped, reversal_id=f"r{self.state.seq}")
        before = self.state
        after, effects = advance(before, stamped)
        facts = tuple(e for e in effects if isinstance(e, FACTS))
        body = bodies.encode(stamped, facts)
        again = bodies.decode(body)
        assert again is not None
        assert (again.event, again.facts) == (stamped, facts)
        self.entries.append(Written(after.seq, body))
        self.state = after
        self._check_step(before, stamped, effects)
        if isinstance(stamped, Restarted):
            # The program that asked is gone; the new one asks for what is owed.
            self.asked = [e for e in resume(after) if isinstance(e, ASKED)]
        else:
            self.asked += [e for e in effects if isinstance(e, ASKED)]

    def _check_step(self, before: Lane, event: Any, effects: list[Any]) -> None:
        after = self.state
        assert after.seq == before.seq + 1
        _check_figures(after)
        if isinstance(after.mode, Training):
            _check_figures(after.mode.lane)
        self._check_asking(before, effects)
        self._check_sales(before, event, effects)
        _check_ledger(before, after, event)
        self._check_training(before, effects)
        assert not [
            e for e in resume(after) if isinstance(e, Authorize | PrepareTender)
        ]
        if after.lease:
            assert isinstance(core(after.mode), Closed), "sells during an update"
        if isinstance(after.mode, Idle | Closed):
            assert decode_state(encode_state(after)) == after

    def _check_asking(self, before: Lane, effects: list[Any]) -> None:
        for effect in effects:
            if isinstance(effect, Authorize):
                attempt = effect.attempt
                assert attempt.attempt_id not in self.authorized, "asked twice"
                assert isinstance(self.mode, Paying)
                basket_id = self.mode.basket.basket_id
                for other, of_basket in self.authorized.items():
                    known = before.ledger.get(other)
                    if known is None:
                        continue
                    assert not known.stage.is_open, "the terminal is busy"
                    if of_basket == basket_id:
                        assert known.stage in (
                            Stage.DECLINED,
                            Stage.REVERSED,
                            Stage.REFUNDED,
                            Stage.NOT_PAID,
                        ), f"asked again while {known.stage}"
                assert attempt.amount_minor == self.mode.tender.amount_minor > 0
                self.authorized[attempt.attempt_id] = basket_id
                self.charged.setdefault(attempt.attempt_id, self.next_card_is_good)

    def _check_sales(self, before: Lane, event: Any, effects: list[Any]) -> None:
        in_training = isinstance(before.mode, Training)
        ledger = before.mode.lane.ledger if in_training else before.ledger  # type: ignore[union-attr]
        for effect in effects:
            if isinstance(effect, SaleMade):
                sale = effect.sale
                assert sale.training == in_training
                match event:
                    case PayPressed():
                        assert sale.figures.total_minor <= 0
                        assert not sale.attempt_id
                    case TenderSettled(decision="paid"):
                        assert isinstance(before.mode, Attending | Training)
                    case TenderConfirmed():
                        assert is_full(ledger[sale.attempt_id], sale)
                    case TenderQueried(result=result):
                        assert result is not None
                        assert result.outcome is APPROVED
                        assert result.amount_minor == sale.figures.total_minor
                        assert result.currency == sale.figures.currency
                    case _:
                        raise AssertionError(f"{type(event).__name__} made a sale")
                if in_training:
                    continue
                if sale.attempt_id:
                    assert sale.attempt_id not in self.sold, "sold twice"
                    assert sale.attempt_id not in self.returned, "returned, then sold"
                    self.sold[sale.attempt_id] = sale.sale_seq
            if isinstance(effect, SaleUndone) and not in_training:
                assert effect.sale_seq not in self.undone, "undone twice"
                self.undone[effect.sale_seq] = after_seq(self.state)
            if isinstance(effect, MoneyReturned) and not in_training:
                assert effect.attempt_id not in self.returned, "returned twice"
                assert effect.attempt_id not in self.sold, "sold, then returned"
                self.returned[effect.attempt_id] = after_seq(self.state)

    def _check_training(self, before: Lane, effects: list[Any]) -> None:
        if isinstance(before.mode, Training) and isinstance(self.mode, Training):
            assert not [e for e in effects if isinstance(e, MONEY)]
            assert before.recent_sales == self.state.recent_sales
            assert before.suspended == self.state.suspended
            for attempt_id, attempt in before.ledger.items():
                if attempt.stage in (Stage.SOLD, Stage.REVERSED, Stage.REFUNDED):
                    assert self.state.ledger[attempt_id] == attempt

    def check_recovery(self) -> None:
        """The journal alone brings this very state back."""
        again = recover(self.entries)
        assert again == self.state
        assert again.figures == self.state.figures

    # -- the world, when it is patient -------------------------------------------

    def truth(self, attempt: Attempt) -> CardResult:
        if self.charged.get(attempt.attempt_id):
            return CardResult(APPROVED, attempt.amount_minor, attempt.currency)
        return CardResult(Outcome.DECLINED)

    def answer(self, command: Any) -> None:
        """Answer one thing the lane asked for, truthfully."""
        match command:
            case PrepareTender(tender=tender):
                self.feed(TenderStarted(tender, "T1", 0))
            case Authorize(attempt=attempt):
                result = self.truth(attempt)
                self.feed(TenderResult(attempt.attempt_id, result))
                if result.outcome is APPROVED:
                    self.feed(TenderConfirmed(attempt.attempt_id))
            case Query(attempt=attempt):
                if self.charged.get(attempt.attempt_id):
                    told = TenderQueried(
                        attempt.attempt_id, Answer.FOUND, self.truth(attempt)
                    )
                else:
                    told = TenderQueried(attempt.attempt_id, Answer.NOT_CHARGED)
                self.feed(told)
            case Reverse(attempt=attempt, reversal_id=reversal_id):
                self.charged[attempt.attempt_id] = False
                self.feed(_undone(attempt, reversal_id))
            case Refund(attempt=attempt, refund_id=reversal_id):
                self.feed(_undone(attempt, reversal_id))
            case PretendTender(tender=tender):
                paid = CardResult(
                    APPROVED, tender.figures.total_minor, tender.figures.currency
                )
                self.feed(TenderStarted(tender, "TRAINING", 0))
                self.feed(TenderResult(tender.attempt_id, paid))
                self.feed(TenderConfirmed(tender.attempt_id))
            case PrintReceipt(sale=sale):
                self.feed(ReceiptPrinted(sale.sale_seq))
            case CheckPin(attendant=attendant, nonce=nonce):
                self.feed(PinChecked(attendant, nonce, attendant == "7"))
            case SettleTerminal():
                self.feed(TerminalSettled(APPROVED))
            case CancelAuthorization():
                pass  # The authorization's own answer says what came of it.
            case _:
                raise AssertionError(f"nobody answers {command}")

    def lose_next(self) -> None:
        """Let the answer to the oldest thing asked for be lost, as drivers tell it."""
        match self.asked.pop(0) if self.asked else None:
            case PrepareTender(tender=tender):
                self.feed(TenderNotStarted(tender.attempt_id, "out of reach"))
            case Authorize(attempt=attempt):
                unknown = CardResult(Outcome.UNKNOWN)
                self.feed(TenderResult(attempt.attempt_id, unknown))
            case Query(attempt=attempt):
                self.feed(TenderQueried(attempt.attempt_id, Answer.UNREACHABLE))
            case (
                Reverse(attempt=attempt, reversal_id=reversal_id)
                | Refund(attempt=attempt, refund_id=reversal_id)
            ):
                unknown = CardResult(Outcome.UNKNOWN)
                self.feed(ReversalResult(attempt.attempt_id, reversal_id, unknown))
            case PrintReceipt(sale=sale):
                self.feed(ReceiptFailed(sale.sale_seq, "cover open"))
            case PretendTender() as pretend:
                self.answer(pretend)
            case SettleTerminal():
                self.feed(TerminalSettled(Outcome.UNKNOWN))
            case _:
                pass

    def answer_next(self) -> bool:
        """Answer the oldest thing asked for, if there is one."""
        if not self.asked:
            return False
        self.answer(self.asked.pop(0))
        return True

    def time_passes(self) -> bool:
        """Let the limit run out that runs out first."""
        timers = self.state.timers
        if not timers:
            return False
        name = min(timers, key=lambda n: (timers[n].seconds, n))
        self.now += int(timers[name].seconds * 1000)
        self.feed(TimeLimitReached(name, timers[name].generation))
        return True

    def sign_on(self) -> None:
        """Bring an attendant who may do everything and knows the PIN."""
        self.now += 2 * 3_600_000
        self.feed(StaffPressed())
        inner = self._innermost()
        if isinstance(inner.mode, PinEntry):
            if inner.mode.trouble == "checking":
                self.feed(PinChecked("?", inner.mode.nonce, False))
            self.feed(PinTried("7", f"n{self.state.seq}"))
            while self.answer_next():
                pass

    def _innermost(self) -> Lane:
        return self.mode.lane if isinstance(self.mode, Training) else self.state

    def come_to_rest(self) -> None:
        """Be patient: answer, wait, and send staff, until the lane is at rest."""
        self.now = max(self.now, self.state.last_ms)
        newer = self.state.roster_version + 1
        self.feed(RosterChanged(newer, (ANA, BEN)))
        for _ in range(150):
            if self.answer_next():
                continue
            if self._is_settled():
                return
            inner = self._innermost()
            if isinstance(inner.mode, Attending) and inner.mode.attendant == "7":
                self._attend(inner)
            elif isinstance(inner.mode, Servicing) and not is_trying(inner.mode):
                self.feed(AttendantLeft())
            elif self._needs_staff() and not isinstance(core(inner.mode), Paying):
                self.sign_on()
            elif not self.time_passes():
                assert isinstance(inner.mode, Paying), f"stuck in {inner.mode}"
                self.feed(BackPressed())
        raise AssertionError(f"never came to rest: {self.mode}")

    def _is_settled(self) -> bool:
        state = self.state
        if any(a.stage.is_open for a in state.ledger.values()) or state.open_items:
            return False
        if not state.is_clock_trusted:
            return False
        match state.mode:
            case Idle():
                return True
            case Closed(cause=cause):
                assert {
                    "attendant": True,
                    "office": bool(state.pause),
                    "battery": state.power_stage >= 2,
                    "trouble": "absent" in state.devices.values(),
                    "starting": state.rules is None,
                }[cause], f"closed for no cause: {cause}"
                return True
            case _:
                return False

    def _needs_staff(self) -> bool:
        inner = self._innermost()
        waiting = intervention(inner.mode)
        return (
            isinstance(self.mode, Training)
            # A basket left alone is parked when nobody comes.
            or (waiting is not None and waiting.reason != "idle")
            or bool(self.state.open_items)
            or not self.state.is_clock_trusted
        )

    def _attend(self, inner: Lane) -> None:
        if not self.state.is_clock_trusted:
            self.feed(DateConfirmed("7"))
            return
        if isinstance(self.mode, Training):
            self.feed(TrainingEnded("7"))
            return
        waiting = intervention(inner.mode)
        if waiting is not None:
            kind = InterventionApproved if waiting.asked % 2 else InterventionRefused
            self.feed(kind(waiting.asked, "7", "seen"))
        elif self.state.open_items:
            item = self.state.open_items[0]
            how = "paid" if item.tender and item.since_seq % 2 else "reverse"
            self.feed(TenderSettled(item.attempt_id, how, "7", "slip"))
            while self.answer_next():
                pass
            if self.state.open_items and self.state.open_items[0] == item:
                raise AssertionError(f"{item} cannot be settled")
        else:
            self.feed(AttendantLeft())

    def sells_again(self) -> None:
        """With everything in order, the next shopper buys bread and pays."""
        self.feed(PowerChanged("mains"))
        for device in sorted(self.state.devices):
            self.feed(DeviceChanged(device, "ready"))
        self.feed(DirectiveReceived("d-last", "resume"))
        if self.mode == Closed("attendant"):
            self.sign_on()
            self.feed(LaneOpened("7"))
        assert isinstance(self.mode, Idle), self.mode
        self.next_card_is_good = True
        before = len(self.sold)
        self.feed(ItemFound(BREAD))
        assert isinstance(self.mode, Scanning), self.mode
        self.feed(PayPressed())
        assert isinstance(self.mode, Paying), self.mode
        while self.answer_next():
            pass
        assert isinstance(self.mode, Complete), self.mode
        assert len(self.sold) == before + 1
        self.come_to_rest()
        self.feed(DayEnded("2026-11-23"))
        self.feed(StateCarried(encode_state(self.state)))


def after_seq(lane: Lane) -> int:
    return lane.seq


def is_full(attempt: Attempt, sale: Any) -> bool:
    result = attempt.result
    return (
        result is not None
        and result.outcome is APPROVED
        and result.amount_minor == sale.figures.total_minor == attempt.amount_minor
        and result.currency == sale.figures.currency
    )


def _undone(attempt: Attempt, reversal_id: str) -> ReversalResult:
    result = CardResult(APPROVED, attempt.amount_minor, attempt.currency)
    return ReversalResult(attempt.attempt_id, reversal_id, result)


def _check_figures(lane: Lane) -> None:
    basket = basket_of(lane.mode)
    if basket is None or lane.rules is None:
        return
    if not basket.lines:
        return
    figures = lane.figures
    assert figures is not None, "a basket without a price"
    anew = pricing.price(
        basket.lines, lane.rules.pricing, basket.started_ms, basket.coupons
    )
    assert figures == anew.figures
    # Every void is the exact opposite of its line.
    assert figures.gross_minor == sum(line.extended_minor for line in basket.lines)
    added = 0 if lane.rules.pricing.taxes.inclusive else figures.tax_minor
    to_pay = figures.gross_minor + figures.discount_minor + added
    assert figures.total_minor == max(to_pay, 0)
    assert [line.line_no for line in basket.lines] == [*range(1, len(basket.lines) + 1)]
    match core(lane.mode):
        case Paying(tender=tender) | OutcomeUnknown(tender=tender):
            assert tender.lines == basket.lines
            assert tender.figures == figures
        case _:
            pass


# Where an approval may stand in the ledger: never as if nothing had been taken.
_HELD = (
    Stage.APPROVED,
    Stage.TO_CHECK,
    Stage.SOLD,
    Stage.REVERSING,
    Stage.REFUNDING,
    Stage.REVERSED,
    Stage.REFUNDED,
)


def _check_ledger(before: Lane, after: Lane, event: Any) -> None:
    for attempt_id, attempt in before.ledger.items():
        if attempt.stage.is_open or attempt.stage is Stage.TO_CHECK:
            assert attempt_id in after.ledger, "an obligation was forgotten"
    to_check = {k for k, a in after.ledger.items() if a.stage is Stage.TO_CHECK}
    assert to_check == {i.attempt_id for i in after.open_items}
    match after.mode:
        case Paying(phase="asked" | "approved", tender=tender):
            assert after.ledger[tender.attempt_id].stage in (
                Stage.ASKED,
                Stage.APPROVED,
            )
        case _:
            pass
    match core(after.mode):
        case OutcomeUnknown(tender=tender):
            assert after.ledger[tender.attempt_id].stage.is_open
        case _:
            pass
    match event:
        case TenderResult(attempt_id=attempt_id, result=result) if (
            result.outcome is APPROVED
        ):
            known = _attempt(after, attempt_id)
            is_exact = (known.amount_minor, known.currency) == (
                result.amount_minor,
                result.currency,
            )
            assert known.stage in _HELD or (
                not is_exact and known.stage is Stage.UNKNOWN
            ), f"an approval stands as {known.stage}"
        case _:
            pass


def _attempt(lane: Lane, attempt_id: str) -> Attempt:
    if isinstance(lane.mode, Training) and attempt_id in lane.mode.lane.ledger:
        return lane.mode.lane.ledger[attempt_id]
    return lane.ledger[attempt_id]


def shopper_mode(lane: Lane) -> Any:
    """What the shopper would see."""
    return unattended(lane.mode)
