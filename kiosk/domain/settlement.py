"""The card terminal's end of day: asked for, repeated until it works, compared.

A terminal whose end of day is open refuses every payment (ZVT status F0), so a run
that failed is an obligation: it stays in the state until one succeeded. A second one
is harmless; an end of day moves no shopper's money.
"""

from __future__ import annotations

from kiosk.domain import exposure
from kiosk.domain.effects import Alarm, CallAttendant, SettleTerminal
from kiosk.domain.events import TerminalSettled
from kiosk.domain.selling import ignore
from kiosk.domain.tender import Outcome
from kiosk.domain.turn import Turn

RUNNING = "running"
WAITING = "waiting"
_MINUTE_SECONDS = 60.0
# card-terminals.md 5.6: by night with these pauses, then hourly until it works.
_PAUSES_MINUTES = (5, 15, 30, 60)


def wanted(turn: Turn) -> None:
    """Run an end of day, unless one is running or a payment has no end yet."""
    lane = turn.lane
    if lane.settlement == RUNNING:
        return
    if any(attempt.stage.is_open for attempt in lane.ledger.values()):
        _later(turn)
        return
    turn.stop_timer("settle")
    turn.set(settlement=RUNNING)
    turn.do(SettleTerminal())


def settled(turn: Turn, event: TerminalSettled) -> None:
    """The terminal ran its end of day, or did not."""
    if turn.lane.settlement != RUNNING:
        # Nobody asked: an answer that came twice, or for an earlier life of the lane.
        ignore(turn, event)
    elif not event.is_needed:
        turn.set(settlement="", settle_failures=0)
    elif event.outcome is Outcome.APPROVED:
        _compare(turn, event)
        turn.stop_timer("settle")
        turn.set(settlement="", settle_failures=0, card_sum_minor=0)
        exposure.settled(turn)
    else:
        failures = turn.lane.settle_failures + 1
        turn.set(settle_failures=failures)
        if failures > len(_PAUSES_MINUTES):
            turn.do(
                Alarm(f"the terminal's end of day failed {failures} times"),
                CallAttendant("end_of_day"),
            )
        _later(turn)


def _later(turn: Turn) -> None:
    tried = min(turn.lane.settle_failures, len(_PAUSES_MINUTES) - 1)
    turn.set(settlement=WAITING)
    turn.start_timer("settle", _PAUSES_MINUTES[tried] * _MINUTE_SECONDS)


def _compare(turn: Turn, event: TerminalSettled) -> None:
    """Hold the terminal's sum against the journal's. A difference is the owner's."""
    ours = turn.lane.card_sum_minor
    if event.sum_minor is not None and event.sum_minor != ours:
        turn.do(
            Alarm(
                f"the terminal's end of day says {event.sum_minor},"
                f" the journal says {ours}"
            )
        )
