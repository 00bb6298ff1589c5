"""Closing for an update: the lease that the updater asks for before it restarts the
machine.

Given only where nothing is lost by a restart; it ends by itself. Knows nothing of
releases, slots or boot loaders: those are the updater's.
"""

from __future__ import annotations

from kiosk.domain.effects import AnswerUpdater
from kiosk.domain.events import UpdateAsked
from kiosk.domain.modes import basket_of
from kiosk.domain.settlement import RUNNING
from kiosk.domain.state import Closed, Complete, Idle, Lane
from kiosk.domain.turn import LEASE, Turn


def refusal(lane: Lane) -> str:
    """Return why this lane may not close for an update now, or nothing.

    One of: starting, basket, suspended, payment, obligation, service, battery.
    """
    if lane.rules is None:
        return "starting"
    if basket_of(lane.mode) or isinstance(lane.mode, Complete):
        return "basket"
    if lane.suspended:
        return "suspended"
    if any(attempt.stage.is_open for attempt in lane.ledger.values()):
        return "payment"
    if lane.settlement == RUNNING or any(
        not owed.is_failed for owed in lane.receipts_owed
    ):
        return "obligation"
    if not isinstance(lane.mode, Idle | Closed):
        return "service"
    if lane.power != "mains":
        return "battery"
    return ""


def asked(turn: Turn, event: UpdateAsked) -> None:
    """Close for an update, or say why not."""
    why_not = refusal(turn.lane) if event.release else "unnamed"
    if not why_not:
        turn.set(lease=event.release)
        turn.start_timer(LEASE, turn.limits.update_lease_seconds)
        turn.look_again()
    turn.do(AnswerUpdater(event.asked, why_not))


def lease_is_over(turn: Turn) -> None:
    """No restart came: sell on."""
    turn.set(lease="")
    turn.look_again()
