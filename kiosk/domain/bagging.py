"""The bagging area: what was scanned must come to lie there, and nothing else.

Each settled weight is compared with the one before; a step that fits is the new zero,
so that drift never adds up. Pure: it hears weights as events and looks again after
every event. Never stops a sale for want of a scale: without one nothing is checked.
"""

from __future__ import annotations

from itertools import combinations

from msgspec.structs import replace

from kiosk.domain.basket import LineItem
from kiosk.domain.effects import Beep, CallAttendant, InterventionMade
from kiosk.domain.events import BaggingWeight, BasketResumed, DeviceChanged, Event
from kiosk.domain.modes import basket_of, changeable_basket
from kiosk.domain.policy import BaggingPolicy
from kiosk.domain.state import Bagging, Basket, Expected, Intervention, Scanning
from kiosk.domain.turn import BAGGING_LOOK, BAGGING_WAIT, Turn

# More than any bagging area carries: the step of an item whose weight nobody knows.
_MOST_GRAMS = 60_000
# Steps that are still to come; more are taken together, with their tolerances.
_MOST_PENDING = 8


def follow(turn: Turn, event: Event) -> None:
    """Look at the bagging area after an event, and begin or end what follows."""
    lane, bag = turn.lane, turn.lane.bagging
    policy = lane.rules.bagging if lane.rules else BaggingPolicy()
    match event:
        case BaggingWeight(grams=grams) if bag.is_weighing:
            bag = replace(bag, grams=grams)
        case BaggingWeight(grams=grams):
            # What came and went unseen is nobody's to judge: begin here.
            bag = replace(bag, grams=grams, level=grams, is_weighing=True)
        case DeviceChanged(device="bagging", health=health) if health != "ready":
            if bag.is_weighing and policy.is_on:
                turn.do(CallAttendant("bagging"), InterventionMade("bagging_failed"))
            bag = replace(bag, is_weighing=False)
        case _:
            pass
    basket = basket_of(lane.mode)
    if basket is None or not policy.is_on:
        bag = Bagging(bag.grams, bag.grams, is_weighing=bag.is_weighing)
    else:
        bag = _with_basket(bag, basket, policy, isinstance(event, BasketResumed))
        if changeable_basket(lane.mode) is not None:
            bag = _settled(bag, policy)
    if bag != lane.bagging:
        turn.set(bagging=bag)
    _watch(turn, before=lane.bagging)


def is_open(turn: Turn) -> bool:
    """Is something in the bagging area not as it should be, before payment?"""
    bag, policy = turn.lane.bagging, turn.rules.bagging
    return _is_wrong(bag, policy) or _is_missing(bag, policy)


def ask(turn: Turn, basket: Basket) -> None:
    """Tell the shopper what does not fit; the second time a colleague is called."""
    bag, policy = turn.lane.bagging, turn.rules.bagging
    difference = bag.grams - bag.level
    difference -= sum((e.low + e.high) // 2 for e in _required(bag, policy))
    turn.set(bagging=replace(bag, failures=bag.failures + 1))
    resume, subject = Scanning(basket), str(difference)
    if bag.failures:
        turn.call("scale_mismatch", resume, subject=subject)
    else:
        turn.enter(
            Intervention(
                turn.lane.seq, "scale_mismatch", resume, subject, is_quiet=True
            )
        )
        turn.do(Beep("attention"))


def call(turn: Turn, asked: Intervention) -> None:
    """Call the colleague whom the shopper was spared at first."""
    turn.call(asked.reason, asked.resume, subject=asked.subject)


def time_is_up(turn: Turn) -> None:
    """What did not fit, or did not come, has had its time."""
    match turn.lane.mode:
        case Scanning(basket=basket) if is_open(turn):
            ask(turn, basket)
        case _:
            pass


def own_bag(turn: Turn) -> bool:
    """Allow for the shopper's own bag; return whether there was one left to allow."""
    bag, policy = turn.lane.bagging, turn.rules.bagging
    if not (bag.is_weighing and policy.is_on) or bag.bags >= policy.own_bags:
        return False
    allowed = Expected(0, policy.own_bag_grams)
    turn.set(
        bagging=replace(bag, bags=bag.bags + 1, pending=_shorter(bag.pending, allowed))
    )
    return True


def accept(turn: Turn) -> None:
    """An attendant looked: what lies there now is right."""
    bag = turn.lane.bagging
    turn.set(bagging=replace(bag, level=bag.grams, pending=()))


# -- what is expected --------------------------------------------------------


def _with_basket(
    bag: Bagging, basket: Basket, policy: BaggingPolicy, is_resumed: bool
) -> Bagging:
    """Expect what the basket's new lines weigh."""
    if bag.basket_id != basket.basket_id:
        is_weighing = bag.is_weighing
        # What lay there before the basket was begun is the shopper's own.
        bag = Bagging(bag.grams, bag.grams, basket.basket_id, is_weighing=is_weighing)
        if is_resumed:
            # The goods may stand at the lane still, or be in the shopper's hands.
            steps = _steps(basket.standing, policy)
            allowed = Expected(0, sum(max(0, s.high) for s in steps))
            bag = replace(bag, lines_seen=len(basket.lines), pending=(allowed,))
    new = basket.lines[bag.lines_seen :]
    bag = replace(bag, lines_seen=len(basket.lines))
    if not bag.is_weighing:
        return replace(bag, level=bag.grams, pending=(), was_blind=True)
    pending = bag.pending
    for step in _steps(new, policy):
        undone = next((e for e in pending if _undoes(step, e)), None)
        if undone is not None:
            # Struck out before it was put down.
            pending = tuple(e for e in pending if e is not undone)
        else:
            pending = _shorter(pending, step)
    return replace(bag, pending=pending)


def _undoes(step: Expected, other: Expected) -> bool:
    return (step.item_id, step.low, step.high) == (
        other.item_id,
        -other.high,
        -other.low,
    )


def _shorter(pending: tuple[Expected, ...], more: Expected) -> tuple[Expected, ...]:
    pending += (more,)
    if len(pending) > _MOST_PENDING:
        one, other = pending[:2]
        pending = (
            Expected(one.low + other.low, one.high + other.high),
            *pending[2:],
        )
    return pending


def _steps(lines: tuple[LineItem, ...], policy: BaggingPolicy) -> list[Expected]:
    """Return the step that each item's lines, together, must make."""
    by_item: dict[str, list[LineItem]] = {}
    for line in lines:
        if not line.is_deposit:
            by_item.setdefault(line.item_id, []).append(line)
    steps = (_step(item_id, group, policy) for item_id, group in by_item.items())
    return [step for step in steps if step is not None]


def _step(
    item_id: str, lines: list[LineItem], policy: BaggingPolicy
) -> Expected | None:
    pieces = sum(line.quantity for line in lines)
    if lines[0].weighed:
        grams = sum(x.weight_grams + x.tare_grams * x.quantity for x in lines)
    else:
        grams = lines[0].piece_grams * pieces
    if not grams:
        # Nobody knows its weight: any gain will do, and is not remembered.
        if not pieces:
            return None
        low, high = (0, _MOST_GRAMS) if pieces > 0 else (-_MOST_GRAMS, 0)
        return Expected(low, high, item_id)
    if abs(grams) <= policy.division_grams:
        # Too light for the scale to show.
        return None
    tolerance = lines[0].tolerance_grams * max(abs(pieces), 1) or max(
        abs(grams) * policy.tolerance_percent // 100, policy.tolerance_grams
    )
    return Expected(grams - tolerance, grams + tolerance, item_id)


# -- what lies there ---------------------------------------------------------


def _settled(bag: Bagging, policy: BaggingPolicy) -> Bagging:
    """Take a step that fits for the new zero, and forget what it was expected for."""
    difference, slack = bag.grams - bag.level, policy.division_grams
    if abs(difference) <= slack:
        return bag if _required(bag, policy) else replace(bag, level=bag.grams)
    fitting = _fitting(bag.pending, difference, slack)
    if not fitting:
        return bag
    rest = tuple(e for n, e in enumerate(bag.pending) if n not in fitting)
    return replace(bag, level=bag.grams, pending=rest)


def _fitting(
    pending: tuple[Expected, ...], difference: int, slack: int
) -> tuple[int, ...]:
    """Return which steps together explain a difference best.

    As few as can be of those that weigh anything or nothing, then the nearest.
    """
    found: tuple[int, ...] = ()
    best: tuple[int, int] | None = None
    for count in range(1, len(pending) + 1):
        for some in combinations(range(len(pending)), count):
            low = sum(pending[n].low for n in some)
            high = sum(pending[n].high for n in some)
            if not low - slack <= difference <= high + slack:
                continue
            loose = sum(pending[n].low <= 0 <= pending[n].high for n in some)
            fit = loose, abs(2 * difference - low - high)
            if best is None or fit < best:
                found, best = some, fit
    return found


def _required(bag: Bagging, policy: BaggingPolicy) -> tuple[Expected, ...]:
    slack = policy.division_grams
    return tuple(e for e in bag.pending if e.low > slack or e.high < -slack)


def _is_wrong(bag: Bagging, policy: BaggingPolicy) -> bool:
    return bag.is_weighing and abs(bag.grams - bag.level) > policy.division_grams


def _is_missing(bag: Bagging, policy: BaggingPolicy) -> bool:
    return bag.is_weighing and bool(_required(bag, policy))


# -- what follows ------------------------------------------------------------


def _watch(turn: Turn, before: Bagging) -> None:
    """Begin or end the waits, and free the lane once the weight is right."""
    mode, bag = turn.lane.mode, turn.lane.bagging
    policy = turn.lane.rules.bagging if turn.lane.rules else BaggingPolicy()
    is_wrong, is_missing = _is_wrong(bag, policy), _is_missing(bag, policy)
    wanted = ""
    if policy.is_on and isinstance(mode, Scanning):
        wanted = BAGGING_LOOK if is_wrong else BAGGING_WAIT if is_missing else ""
    for name in (BAGGING_LOOK, BAGGING_WAIT):
        if name != wanted:
            turn.stop_timer(name)
    has_moved = wanted == BAGGING_WAIT and bag.level != before.level
    if wanted and (wanted not in turn.lane.timers or has_moved):
        is_look = wanted == BAGGING_LOOK
        turn.start_timer(
            wanted, policy.look_seconds if is_look else policy.wait_seconds
        )
    match mode:
        case Intervention(reason="scale_mismatch", resume=resume) if not (
            policy.is_on and (is_wrong or is_missing)
        ):
            turn.enter(resume)
        case _:
            pass
