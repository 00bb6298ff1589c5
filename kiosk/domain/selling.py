"""From an empty lane to a full basket: items, weights, voids, quantities, coupons.

Never takes money (`paying.py`) and never asks who an attendant is (`attending.py`).
"""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.domain.basket import LineItem
from kiosk.domain.catalog import weigh
from kiosk.domain.effects import BasketDropped, Beep, Ignore, LineStruck
from kiosk.domain.events import (
    CouponScanned,
    Event,
    ItemFound,
    ItemUnknown,
    LineVoided,
    QuantityChanged,
    StartPressed,
)
from kiosk.domain.modes import basket_of, with_basket
from kiosk.domain.promotion import coupon_of
from kiosk.domain.state import (
    Approval,
    Basket,
    Complete,
    Idle,
    Mode,
    Scanning,
    Weighing,
)
from kiosk.domain.turn import Turn


def ignore(turn: Turn, event: Event) -> None:
    """Say that an event means nothing here."""
    turn.do(Ignore(type(event).__name__))


def begin(turn: Turn, event: ItemFound | ItemUnknown | StartPressed) -> Scanning:
    """Open a basket for a new shopper."""
    lane = turn.lane
    # A clock behind the last entry must not bring yesterday's offers back.
    at_ms = event.at_ms if lane.is_clock_trusted else max(event.at_ms, lane.last_ms)
    basket = Basket(event.basket_id, at_ms)
    turn.set(priced=None)
    turn.enter(Scanning(basket))
    return Scanning(basket)


def item_found(turn: Turn, scanning: Scanning, event: ItemFound) -> None:
    """Sell an item, or say politely why not."""
    line, basket = event.line, scanning.basket
    # Without a clock to trust nothing may be called out of date.
    is_expired = (
        turn.lane.is_clock_trusted
        and line.expires_on != ""
        and event.today != ""
        and line.expires_on < event.today
    )
    if line.not_for_sale:
        _refuse(turn, basket, "not_for_sale", line)
    elif event.recalled:
        _refuse(turn, basket, "recalled", line)
    elif is_expired:
        _refuse(turn, basket, "expired", line)
    elif len(basket.lines) + 2 > turn.limits.longest_basket:
        _refuse(turn, basket, "basket_full", line)
    elif line.weighed and line.weight_grams == 0:
        _ask_weight(turn, basket, line)
    elif _is_too_many(basket, line):
        turn.call(
            "maximum_quantity",
            Scanning(basket),
            line=line,
            deposit=event.deposit,
            subject=line.item_id,
        )
    else:
        sell(turn, basket, line, event.deposit)


def _refuse(turn: Turn, basket: Basket, notice: str, line: LineItem) -> None:
    turn.do(Beep("refused"))
    name = line.named(turn.lane.language)
    turn.enter(Scanning(basket, notice=notice, notice_item=name))


def _is_too_many(basket: Basket, line: LineItem) -> bool:
    if not line.maximum_quantity:
        return False
    held = sum(s.quantity for s in basket.standing if s.item_id == line.item_id)
    return held + line.quantity > line.maximum_quantity


def _ask_weight(turn: Turn, basket: Basket, line: LineItem) -> None:
    lane = turn.lane
    if lane.weight_grams > line.tare_grams and not lane.is_weight_sold:
        turn.set(is_weight_sold=True)
        sell(turn, basket, weigh(line, lane.weight_grams), None)
    else:
        turn.enter(Weighing(basket, line))


def weight_settled(turn: Turn, mode: Weighing, grams: int) -> None:
    """Sell what stands on the scale, once its weight is known."""
    if grams > mode.line.tare_grams:
        turn.set(is_weight_sold=True)
        sell(turn, mode.basket, weigh(mode.line, grams), None)


def sell(turn: Turn, basket: Basket, line: LineItem, deposit: LineItem | None) -> None:
    """Put a line, and the deposit that belongs to it, into the basket."""
    number = len(basket.lines) + 1
    added: tuple[LineItem, ...] = (replace(line, line_no=number),)
    if deposit:
        added += (replace(deposit, line_no=number + 1, of_line=number),)
    waiting = basket.waiting
    if line.minimum_age > basket.approved_age:
        waiting += (Approval("age", number, line.minimum_age),)
    if line.attendant_needed:
        waiting += (Approval("item", number),)
    fuller = replace(basket, lines=basket.lines + added, waiting=waiting)
    turn.price(fuller)
    turn.do(Beep("scanned"))
    if waiting != basket.waiting and not turn.rules.approvals_at_end:
        turn.call("approvals", Scanning(fuller))
    else:
        turn.enter(Scanning(fuller))


def item_unknown(turn: Turn, basket: Basket, event: ItemUnknown) -> None:
    """Nobody knows this label: a colleague helps, the shopper may go on without."""
    turn.do(Beep("refused"))
    turn.call("unknown_item", Scanning(basket), subject=event.label)


def coupon(turn: Turn, basket: Basket, event: CouponScanned) -> None:
    """Take a coupon once, if an offer goes with it."""
    offers = turn.rules.pricing.offers
    offer = coupon_of(event.code, offers, basket.started_ms)
    if offer is None:
        turn.do(Beep("refused"))
        turn.enter(Scanning(basket, notice="coupon_unknown"))
    elif event.code in basket.coupons:
        turn.do(Beep("refused"))
        turn.enter(Scanning(basket, notice="coupon_taken"))
    else:
        fuller = replace(basket, coupons=(*basket.coupons, event.code))
        figures = turn.price(fuller).figures
        counts = any(d.offer_id == offer.offer_id for d in figures.discounts)
        turn.do(Beep("scanned"))
        turn.enter(Scanning(fuller, notice="" if counts else "coupon_later"))


# -- taking out --------------------------------------------------------------


def void_asked(turn: Turn, basket: Basket, event: LineVoided) -> None:
    """The shopper takes a line out, alone as long as it is little."""
    line = basket.line(event.line_no)
    if line is None or line.of_line:
        ignore(turn, event)
        return
    removed = basket.removed_minor + line.extended_minor
    limits = turn.limits
    if basket.removals >= limits.free_removals or removed > limits.free_removal_minor:
        turn.call("void", Scanning(basket), line_no=line.line_no)
        return
    counted = replace(basket, removals=basket.removals + 1, removed_minor=removed)
    lighter = strike(turn, counted, line.line_no, "", "")
    turn.enter(Scanning(lighter))


def strike(
    turn: Turn, basket: Basket, line_no: int, attendant: str, reason: str
) -> Basket:
    """Return the basket with a line, and its deposit, struck out by new lines."""
    struck = tuple(s for s in basket.standing if line_no in (s.line_no, s.of_line))
    number = len(basket.lines)
    for line in struck:
        number += 1
        opposite = replace(
            line,
            line_no=number,
            quantity=-line.quantity,
            extended_minor=-line.extended_minor,
            weight_grams=-line.weight_grams,
            voids=line.line_no,
        )
        basket = replace(basket, lines=(*basket.lines, opposite))
        turn.do(LineStruck(line.item_id, line.extended_minor, attendant, reason))
    basket = replace(
        basket, waiting=tuple(a for a in basket.waiting if a.line_no != line_no)
    )
    turn.price(basket)
    return basket


def quantity_asked(turn: Turn, mode: Mode, event: QuantityChanged) -> None:
    """Sell another number of the same item: the old line is struck out."""
    basket = basket_of(mode)
    line = basket.line(event.line_no) if basket else None
    limit = turn.limits.largest_quantity
    if (
        basket is None
        or line is None
        or line.of_line
        or line.weighed
        or line.price_source == "label"
        or not 1 <= event.quantity <= limit
        or event.quantity == line.quantity
    ):
        ignore(turn, event)
        return
    fewer = max(line.quantity - event.quantity, 0) * line.unit_price_minor
    removed = basket.removed_minor + fewer
    others = sum(
        s.quantity
        for s in basket.standing
        if s.item_id == line.item_id and s.line_no != line.line_no
    )
    if not event.attendant:
        if line.maximum_quantity and others + event.quantity > line.maximum_quantity:
            turn.call(
                "maximum_quantity",
                Scanning(basket),
                line_no=line.line_no,
                quantity=event.quantity,
                subject=line.item_id,
            )
            return
        if removed > turn.limits.free_removal_minor:
            turn.call(
                "void",
                Scanning(basket),
                line_no=line.line_no,
                quantity=event.quantity,
            )
            return
        basket = replace(basket, removed_minor=removed)
    changed = change_quantity(turn, basket, line, event.quantity, event.attendant)
    turn.enter(with_basket(mode, changed))


def change_quantity(
    turn: Turn, basket: Basket, line: LineItem, quantity: int, attendant: str
) -> Basket:
    """Return the basket with `quantity` of a line's item in its place."""
    deposits = [s for s in basket.standing if s.of_line == line.line_no]
    was_waiting = [a for a in basket.waiting if a.line_no == line.line_no]
    basket = strike(turn, basket, line.line_no, attendant, "quantity")
    number = len(basket.lines) + 1
    added = [_times(line, quantity, number, 0)]
    added += [
        _times(d, quantity, number + n, number) for n, d in enumerate(deposits, 1)
    ]
    basket = replace(
        basket,
        lines=basket.lines + tuple(added),
        waiting=basket.waiting + tuple(replace(a, line_no=number) for a in was_waiting),
    )
    turn.price(basket)
    return basket


def _times(line: LineItem, quantity: int, number: int, of_line: int) -> LineItem:
    return replace(
        line,
        line_no=number,
        of_line=of_line,
        quantity=quantity,
        extended_minor=line.unit_price_minor * quantity,
    )


def cancel_asked(turn: Turn, basket: Basket) -> None:
    """The shopper leaves; staff look when that would take much off the list."""
    figures = turn.lane.figures
    amount = figures.total_minor if figures and basket.standing else 0
    limits = turn.limits
    if (
        amount > limits.free_removal_minor
        or len(basket.standing) > limits.free_removals
    ):
        turn.call("void_sale", Scanning(basket))
    else:
        drop(turn, basket, "shopper", "", "")


def drop(turn: Turn, basket: Basket, why: str, attendant: str, reason: str) -> None:
    """End a basket without a sale. Its lines stay in the journal."""
    figures = turn.lane.figures
    if basket.lines:
        amount = figures.total_minor if figures else 0
        turn.do(BasketDropped(basket.basket_id, amount, why, attendant, reason))
    turn.rest()


def is_between_shoppers(mode: Mode) -> bool:
    """May a scan begin the next basket here?"""
    match mode:
        case Idle():
            return True
        case Complete(stage=stage):
            return stage != "printing"
        case _:
            return False
