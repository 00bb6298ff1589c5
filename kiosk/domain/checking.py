"""Random checks: how likely one is, whether it is drawn, and what staff found.

The draw comes with the event of Pay and is in the journal, so a replay draws the same.
Pure; whom to call and what is done about a find is the attendant's.
"""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.domain.basket import LineItem
from kiosk.domain.effects import BasketChecked, Beep, CheckDrawn
from kiosk.domain.events import ItemFound, ItemUnknown
from kiosk.domain.modes import intervention
from kiosk.domain.state import Attending, Basket, Check, Intervention, Lane, Scanning
from kiosk.domain.turn import Turn

# What is not on the list is named; a trolley full of it needs no longer list.
_MOST_UNPAID = 20


def chance(lane: Lane, basket: Basket) -> int:
    """Return how many of ten thousand baskets like this one are checked.

    A basket that the bagging scale saw from first to last needs no lot.
    """
    if lane.rules is None:
        return 0
    rules = lane.rules.checks
    bag = lane.bagging
    if lane.rules.bagging.is_on and bag.is_weighing and not bag.was_blind:
        return 0
    lines = basket.lines
    raised = rules.rate_per_10000
    raised += rules.per_removal_per_10000 * sum(
        1 for line in lines if line.voids and not line.is_deposit
    )
    if any(line.price_source == "override" for line in basket.standing):
        raised += rules.new_price_per_10000
    if any(line.minimum_age for line in basket.standing):
        raised += rules.age_per_10000
    return min(raised, rules.highest_per_10000)


def asks(turn: Turn, basket: Basket, draw: int) -> bool:
    """Draw for this basket, once for what it holds now; return whether staff look."""
    likely = chance(turn.lane, basket)
    # Pressing Pay again and again is no second lot, and no way round the first.
    is_new = basket.drawn_lines != len(basket.lines)
    is_drawn = basket.must_check or (is_new and draw < likely)
    if basket.is_checked or not is_drawn:
        if is_new and likely and not basket.is_checked:
            turn.do(CheckDrawn(basket.basket_id, likely, is_asked=False))
        return False
    turn.do(CheckDrawn(basket.basket_id, likely, is_asked=True))
    pieces = sum(1 if s.weighed else s.quantity for s in _goods(basket))
    check = Check(min(turn.rules.checks.items, pieces), likely)
    turn.call("random_check", Scanning(drawn(basket)), check=check)
    return True


def drawn(basket: Basket) -> Basket:
    """Return the basket, with no lot to draw until it holds something else."""
    return replace(basket, drawn_lines=len(basket.lines))


def is_running(mode: object) -> bool:
    """Is an attendant here who checks the basket? Then a scan is a look, no sale."""
    if not isinstance(mode, Attending):
        return False
    asked = intervention(mode)
    return asked is not None and asked.check is not None


def looked_at(turn: Turn, mode: Attending, event: ItemFound | ItemUnknown) -> None:
    """Staff scanned something from the bags: on the list, or not."""
    asked = mode.resume
    if not isinstance(asked, Intervention) or asked.check is None:
        return
    check = asked.check
    item = event.line.item_id if isinstance(event, ItemFound) else event.label
    match asked.resume:
        case Scanning(basket=basket):
            listed = sum(
                1 if s.weighed else s.quantity
                for s in _goods(basket)
                if s.item_id == item
            )
        case _:
            listed = 0
    if check.found.count(item) < listed:
        check = replace(check, found=(*check.found, item))
        turn.do(Beep("scanned"))
    elif len(check.unpaid) < _MOST_UNPAID:
        check = replace(check, unpaid=(*check.unpaid, item))
        turn.do(Beep("refused"))
    turn.enter(replace(mode, resume=replace(asked, check=check)))


def ended(
    turn: Turn, asked: Intervention, basket: Basket, attendant: str, *, is_good: bool
) -> Basket:
    """Write down what was found; return the basket as it goes on.

    One that was refused is looked at again before it is paid.
    """
    check = asked.check or Check(0, 0)
    turn.do(
        BasketChecked(
            basket.basket_id,
            check.chance_per_10000,
            check.items,
            check.found,
            check.unpaid,
            attendant,
            is_good=is_good and not check.unpaid,
        )
    )
    return replace(basket, is_checked=is_good, must_check=not is_good)


def _goods(basket: Basket) -> list[LineItem]:
    return [line for line in basket.standing if not line.is_deposit]
