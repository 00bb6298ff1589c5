"""Attendants: who signs on, what each role may do, and what an approval does.

The PIN itself is never here; only that it was tried and whether it was right.
"""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.domain import bagging, checking, settlement
from kiosk.domain.basket import LineItem
from kiosk.domain.effects import (
    BasketParked,
    CheckPin,
    CloseDay,
    InterventionEnded,
    PrintSlip,
)
from kiosk.domain.events import (
    BasketResumed,
    BasketSuspended,
    DayEnded,
    Event,
    InterventionApproved,
    InterventionRefused,
    LineVoided,
    PinChecked,
    PinTried,
    PriceOverridden,
    QuantityChanged,
    ReprintAsked,
    SaleVoided,
    TrainingStarted,
)
from kiosk.domain.ledger import owe_receipt
from kiosk.domain.modes import (
    basket_of,
    changeable_basket,
    intervention,
    unattended,
    with_basket,
)
from kiosk.domain.money import divide_half_up
from kiosk.domain.selling import change_quantity, drop, ignore, sell, strike
from kiosk.domain.state import (
    Approval,
    Attending,
    Basket,
    Closed,
    Complete,
    Idle,
    Intervention,
    Lane,
    Mode,
    Paying,
    PinCounter,
    PinEntry,
    Scanning,
    Servicing,
    Suspended,
    Training,
)
from kiosk.domain.turn import Turn, resting_mode

# What each deed needs. Training closes the lane to shoppers, so it goes with close.
APPROVE, VOID, PRICE, SETTLE, CLOSE, TECHNICIAN = (
    "approve",
    "void",
    "price",
    "settle",
    "close",
    "technician",
)
ROLES = (APPROVE, VOID, PRICE, SETTLE, CLOSE, TECHNICIAN)


def may(turn: Turn, attendant: str, role: str) -> bool:
    """Is this attendant signed on here, with that role?"""
    match turn.lane.mode:
        case Attending(attendant=signed_on, roles=roles):
            return signed_on == attendant and role in roles
        case _:
            return False


# -- signing on --------------------------------------------------------------


def staff_pressed(turn: Turn, event: Event) -> None:
    """Open the PIN pad, but never over a payment that the terminal holds."""
    match turn.lane.mode:
        case (
            Paying() | PinEntry() | Attending() | Servicing() | Closed(cause="starting")
        ):
            ignore(turn, event)
        case Complete(stage="printing"):
            ignore(turn, event)
        case mode:
            turn.enter(PinEntry(mode))


def pin_tried(turn: Turn, event: PinTried) -> None:
    """Count the try before anything is checked; check only when not locked."""
    lane, limits, at_ms = turn.lane, turn.limits, event.at_ms
    match lane.mode:
        case PinEntry(trouble=trouble) as mode if trouble != "checking":
            pass
        case _:
            ignore(turn, event)
            return
    counter = lane.pins.get(event.attendant, PinCounter())
    if at_ms < lane.lane_locked_until_ms or at_ms < counter.locked_until_ms:
        turn.enter(replace(mode, trouble="locked", nonce=""))
        return
    wrong = counter.wrong + 1
    locked_until_ms = 0
    if wrong >= limits.pin_tries:
        seconds = min(
            limits.pin_lock_seconds * 2 ** min(wrong - limits.pin_tries, 20),
            limits.pin_lock_longest_seconds,
        )
        locked_until_ms = at_ms + int(seconds * 1000)
    turn.set(
        pins={**lane.pins, event.attendant: PinCounter(wrong, locked_until_ms)},
        lane_pin_wrong=lane.lane_pin_wrong + 1,
    )
    if turn.lane.lane_pin_wrong >= limits.lane_lock_tries:
        turn.set(
            lane_pin_wrong=0,
            lane_locked_until_ms=at_ms + int(limits.lane_lock_seconds * 1000),
        )
    turn.enter(replace(mode, trouble="checking", nonce=event.nonce))
    turn.do(CheckPin(event.attendant, event.nonce))


def pin_checked(turn: Turn, event: PinChecked) -> None:
    """Sign the attendant on, if the PIN was right and the pad still waits for it."""
    lane = turn.lane
    match lane.mode:
        case PinEntry(nonce=nonce, resume=resume) as mode if nonce == event.nonce:
            entry = lane.attendant(event.attendant)
            if event.is_right and entry:
                turn.set(
                    pins={**lane.pins, event.attendant: PinCounter()},
                    lane_pin_wrong=0,
                    lane_locked_until_ms=0,
                )
                turn.enter(Attending(event.attendant, entry.roles, resume))
            else:
                turn.enter(replace(mode, trouble="wrong", nonce=""))
        case _:
            ignore(turn, event)


def left(turn: Turn) -> None:
    """Give the screen back to the shopper."""
    match turn.lane.mode:
        case PinEntry(resume=resume) | Attending(resume=resume):
            go_on(turn, resume)
        case _:
            pass


def go_on(turn: Turn, mode: Mode) -> None:
    """Show what lay under the attendant; a lane at rest looks at itself anew."""
    match mode:
        case Idle():
            turn.rest()
        case Closed(cause=cause) if cause not in ("attendant", "starting", "day"):
            turn.rest()
        case _:
            turn.enter(mode)


# -- interventions -----------------------------------------------------------


def intervention_ended(
    turn: Turn,
    event: InterventionApproved | InterventionRefused,
    *,
    is_approved: bool,
) -> None:
    """Do what was asked for, or not, and give the lane back to the shopper."""
    waiting = intervention(turn.lane.mode)
    if waiting is None or waiting.asked != event.asked:
        ignore(turn, event)
        return
    turn.do(InterventionEnded(waiting.reason, event.attendant, is_approved))
    if is_approved:
        _approve(turn, waiting, event.attendant, event.reason)
    else:
        _refuse(turn, waiting, event.attendant, event.reason)


def _approve(turn: Turn, asked: Intervention, attendant: str, reason: str) -> None:
    basket = basket_of(asked)
    match asked.resume:
        case Scanning() if basket is not None:
            pass
        case resume:
            go_on(turn, resume)
            return
    line = basket.line(asked.line_no) if asked.line_no else None
    match asked.reason:
        case "approvals":
            ages = [basket.approved_age, *(a.age for a in basket.waiting)]
            cleared = replace(basket, waiting=(), approved_age=max(ages))
            turn.enter(Scanning(cleared))
        case "random_check":
            looked = checking.ended(turn, asked, basket, attendant, is_good=True)
            turn.enter(Scanning(looked))
        case "scale_mismatch":
            bagging.accept(turn)
            turn.enter(asked.resume)
        case "maximum_quantity" if asked.line is not None:
            sell(turn, basket, asked.line, asked.deposit)
        case "maximum_quantity" | "void" if asked.quantity and line:
            changed = change_quantity(turn, basket, line, asked.quantity, attendant)
            turn.enter(Scanning(changed))
        case "void" if line:
            turn.enter(Scanning(strike(turn, basket, line.line_no, attendant, reason)))
        case "void_sale":
            drop(turn, basket, "attendant", attendant, reason)
        case _:
            turn.enter(asked.resume)


def _refuse(turn: Turn, asked: Intervention, attendant: str, reason: str) -> None:
    basket = basket_of(asked)
    if asked.reason == "approvals" and basket is not None:
        for approval in basket.waiting:
            if basket.line(approval.line_no):
                basket = strike(turn, basket, approval.line_no, attendant, reason)
        turn.enter(Scanning(replace(basket, waiting=())))
    elif asked.reason == "random_check" and basket is not None:
        looked = checking.ended(turn, asked, basket, attendant, is_good=False)
        turn.enter(Scanning(looked))
    elif asked.reason == "scale_mismatch":
        # It still does not fit: the lane waits on.
        bagging.call(turn, asked)
    else:
        go_on(turn, asked.resume)


# -- what only attendants do -------------------------------------------------


def void_line(turn: Turn, event: LineVoided) -> None:
    """Strike a line out for an attendant, without the shopper's limits."""
    basket = changeable_basket(turn.lane.mode)
    if (
        not may(turn, event.attendant, VOID)
        or basket is None
        or basket.line(event.line_no) is None
    ):
        ignore(turn, event)
        return
    lighter = strike(turn, basket, event.line_no, event.attendant, event.reason)
    turn.enter(with_basket(turn.lane.mode, lighter))


def quantity(turn: Turn, event: QuantityChanged) -> bool:
    """May this attendant change a quantity here?"""
    return may(turn, event.attendant, VOID) and (
        changeable_basket(turn.lane.mode) is not None
    )


def void_sale(turn: Turn, event: SaleVoided) -> None:
    """End the open basket without a sale."""
    basket = changeable_basket(turn.lane.mode)
    if not may(turn, event.attendant, VOID) or basket is None:
        ignore(turn, event)
    else:
        drop(turn, basket, "attendant", event.attendant, event.reason)


def override_price(turn: Turn, event: PriceOverridden) -> None:
    """Sell a line at another price: the old line is struck out, a new one stands."""
    basket = changeable_basket(turn.lane.mode)
    line = basket.line(event.line_no) if basket else None
    if (
        not may(turn, event.attendant, PRICE)
        or basket is None
        or line is None
        or line.of_line
        or not 0 <= event.unit_price_minor <= 10_000_000
    ):
        ignore(turn, event)
        return
    deposits = [s for s in basket.standing if s.of_line == line.line_no]
    was_waiting = [a for a in basket.waiting if a.line_no == line.line_no]
    basket = strike(turn, basket, line.line_no, event.attendant, event.reason)
    number = len(basket.lines) + 1
    price = event.unit_price_minor
    extended = (
        divide_half_up(price * line.weight_grams, 1000)
        if line.weighed
        else price * line.quantity
    )
    added: tuple[LineItem, ...] = (
        replace(
            line,
            line_no=number,
            unit_price_minor=price,
            extended_minor=extended,
            price_source="override",
        ),
    )
    added += tuple(
        replace(d, line_no=number + n, of_line=number)
        for n, d in enumerate(deposits, 1)
    )
    basket = replace(
        basket,
        lines=basket.lines + added,
        waiting=basket.waiting + tuple(replace(a, line_no=number) for a in was_waiting),
    )
    turn.price(basket)
    turn.enter(with_basket(turn.lane.mode, basket))


def reprint(turn: Turn, event: ReprintAsked) -> None:
    """Print a receipt once more, marked as a copy."""
    for sale in turn.lane.recent_sales:
        if sale.sale_seq == event.sale_seq and may(turn, event.attendant, APPROVE):
            owe_receipt(turn, sale, is_copy=True)
            turn.enter(turn.lane.mode)
            return
    ignore(turn, event)


# -- suspend and resume ------------------------------------------------------


def suspend(turn: Turn, basket: Basket, why: str, at_ms: int) -> None:
    """Put a basket aside and free the lane."""
    figures = turn.lane.figures
    if figures is None or not basket.standing:
        turn.rest()
        return
    put_aside = Suspended(turn.lane.seq, basket, figures, why, at_ms)
    turn.set(suspended=(*turn.lane.suspended, put_aside))
    turn.do(BasketParked(basket.basket_id, figures.total_minor, why))
    turn.do(PrintSlip(put_aside.code, figures))
    turn.rest()


def suspend_asked(turn: Turn, event: BasketSuspended) -> None:
    """An attendant puts the basket aside."""
    basket = changeable_basket(turn.lane.mode)
    if not may(turn, event.attendant, APPROVE) or basket is None:
        ignore(turn, event)
    else:
        suspend(turn, basket, "attendant", event.at_ms)


def resumes_alone(lane: Lane, basket: Suspended, at_ms: int) -> bool:
    """May the shopper go on without an attendant after a power cut?"""
    limit_ms = lane.rules.limits.resume_alone_seconds * 1000 if lane.rules else 0
    return (
        basket.why in ("power", "restart")
        and 0 <= at_ms - basket.at_ms <= limit_ms
        and lane.is_clock_trusted
    )


def resume_basket(turn: Turn, event: BasketResumed) -> None:
    """Take a suspended basket up again, once.

    Age approvals lapse, prices stay, expiry and recall are checked again.
    """
    lane = turn.lane
    found = next(
        (s for s in lane.suspended if s.suspended_seq == event.suspended_seq), None
    )
    is_allowed = found is not None and (
        may(turn, event.attendant, APPROVE)
        or (not event.attendant and resumes_alone(lane, found, event.at_ms))
    )
    is_free = isinstance(unattended(lane.mode), Idle)
    if found is None or not is_allowed or not is_free:
        ignore(turn, event)
        return
    turn.set(suspended=tuple(s for s in lane.suspended if s is not found), priced=None)
    ages = tuple(
        Approval("age", line.line_no, line.minimum_age)
        for line in found.basket.standing
        if line.minimum_age
    )
    others = tuple(a for a in found.basket.waiting if a.reason != "age")
    basket = replace(found.basket, approved_age=0, waiting=others + ages)
    turn.price(basket)
    dropped = False
    for line in basket.standing:
        is_expired = (
            lane.is_clock_trusted and line.expires_on and line.expires_on < event.today
        )
        if is_expired or line.line_no in event.recalled:
            basket = strike(turn, basket, line.line_no, event.attendant, "resumed")
            dropped = True
    turn.enter(Scanning(basket, notice="dropped_lines" if dropped else ""))


# -- the lane as a whole -----------------------------------------------------


def close_lane(turn: Turn, attendant: str, event: Event) -> None:
    """Close, when no basket is open."""
    rests = isinstance(unattended(turn.lane.mode), Idle | Closed)
    if may(turn, attendant, CLOSE) and rests:
        turn.rest()
        turn.enter(Closed("attendant"))
    else:
        ignore(turn, event)


def open_lane(turn: Turn, attendant: str, event: Event) -> None:
    """Open what an attendant closed."""
    match unattended(turn.lane.mode):
        case Closed(cause="attendant" | "day") if may(turn, attendant, CLOSE):
            turn.rest()
        case _:
            ignore(turn, event)


def start_training(turn: Turn, event: TrainingStarted) -> None:
    """Wrap an empty lane: nothing in it touches money, totals or the terminal."""
    is_empty = isinstance(unattended(turn.lane.mode), Idle)
    owes = any(a.stage.is_open for a in turn.lane.ledger.values())
    lane = turn.lane
    is_allowed = may(turn, event.attendant, CLOSE) and not lane.is_training
    if not is_allowed or not is_empty or owes:
        ignore(turn, event)
        return
    inner = Lane(
        mode=resting_mode(lane),
        rules=lane.rules,
        language=lane.language,
        is_training=True,
    )
    turn.enter(Training(event.attendant, inner))


def end_day(turn: Turn, event: DayEnded) -> None:
    """Close the trading day; only between shoppers and with no payment open."""
    lane = turn.lane
    rests = isinstance(unattended(lane.mode), Idle | Closed)
    owes = any(a.stage.is_open for a in lane.ledger.values())
    allowed = not event.attendant or may(turn, event.attendant, CLOSE)
    if rests and allowed and not owes:
        if isinstance(lane.mode, Attending):
            left(turn)
        turn.do(CloseDay(event.trading_day))
        if not lane.is_training:
            settlement.wanted(turn)
    else:
        ignore(turn, event)
