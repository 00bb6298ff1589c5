"""What the lane does on battery: the one table of reliability.md, section 2.2.

Percentages never decide, since cheap UPSes guess them; time does, and "low" does.
The machine's shutdown does not depend on any of this.
"""

from __future__ import annotations

from kiosk.domain.attending import suspend
from kiosk.domain.effects import OrderShutdown
from kiosk.domain.events import PowerChanged
from kiosk.domain.modes import core
from kiosk.domain.state import (
    Closed,
    Complete,
    Declined,
    Idle,
    OutcomeUnknown,
    Paying,
    Scanning,
    Training,
    Weighing,
)
from kiosk.domain.turn import Turn

_TIMERS = ("power_banner", "power_no_basket", "power_no_card", "power_suspend")
_STAGES = dict(zip(_TIMERS, (1, 2, 3, 4), strict=True))
_LOW = 5


def power_changed(turn: Turn, event: PowerChanged) -> None:
    """Mains lost, mains back, or the battery nearly empty."""
    lane, limits = turn.lane, turn.limits
    # A UPS that fell silent tells nothing new: what was last known goes on, its clock
    # on battery too.
    if event.source in (lane.power, "unknown"):
        return
    turn.set(power=event.source)
    match event.source:
        case "mains":
            for name in _TIMERS:
                turn.stop_timer(name)
            turn.set(power_stage=0)
            if _is_resting(turn):
                turn.rest()
        case "low" | "shutdown":
            for name in _TIMERS:
                turn.stop_timer(name)
            turn.set(power_stage=_LOW)
            _put_aside(turn, event.at_ms)
            turn.do(OrderShutdown())
        case _:
            if lane.power_stage < _LOW:
                turn.start_timer("power_banner", limits.battery_banner_seconds)
                turn.start_timer("power_no_basket", limits.battery_no_basket_seconds)
                turn.start_timer("power_no_card", limits.battery_no_card_seconds)
                turn.start_timer("power_suspend", limits.battery_suspend_seconds)


def power_limit(turn: Turn, name: str, at_ms: int) -> None:
    """Another step down the table."""
    stage = max(turn.lane.power_stage, _STAGES.get(name, 0))
    turn.set(power_stage=stage)
    if stage == _STAGES["power_suspend"]:
        _put_aside(turn, at_ms)
        if isinstance(turn.lane.mode, Closed):
            turn.do(OrderShutdown())
    elif stage >= _STAGES["power_no_basket"] and _is_resting(turn):
        turn.rest()


def put_aside_if_late(turn: Turn) -> None:
    """A payment that ended without a sale, this deep in the table, ends the basket."""
    late = turn.lane.power_stage >= _STAGES["power_suspend"]
    if late and isinstance(turn.lane.mode, Scanning | Declined | Weighing):
        _put_aside(turn, turn.lane.last_ms)
        after_sale(turn)


def after_sale(turn: Turn) -> None:
    """A lane that comes to rest deep in the table asks for its shutdown."""
    if turn.lane.power_stage >= _STAGES["power_suspend"]:
        turn.do(OrderShutdown())


def _is_resting(turn: Turn) -> bool:
    match turn.lane.mode:
        case Idle():
            return True
        case Closed(cause=cause):
            return cause not in ("attendant", "starting", "day")
        case _:
            return False


def _put_aside(turn: Turn, at_ms: int) -> None:
    match core(turn.lane.mode):
        case (
            Scanning(basket=basket) | Weighing(basket=basket) | Declined(basket=basket)
        ):
            suspend(turn, basket, "power", at_ms)
        case Paying(phase="preparing", basket=basket):
            # Nothing was asked yet; the late TenderStarted will find nobody.
            suspend(turn, basket, "power", at_ms)
        case Idle() | Training() | Complete():
            turn.rest()
        case Closed(cause=cause) if cause not in ("attendant", "starting", "day"):
            turn.rest()
        case Paying() | OutcomeUnknown() | _:
            # Never interrupted: what the card does is asked about after the start.
            pass
