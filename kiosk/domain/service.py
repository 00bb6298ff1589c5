"""The technician's service session: who opened it, what was asked for, what came of it.

Only on a lane where nothing is open. What is asked for is carried out elsewhere and
comes back as one outcome; until then, or until it is late, nothing else is begun.
"""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.domain.attending import TECHNICIAN, go_on, may
from kiosk.domain.effects import Serve
from kiosk.domain.events import ServiceAsked, ServiceEnded, ServiceOpened
from kiosk.domain.modes import unattended
from kiosk.domain.network import problem
from kiosk.domain.selling import ignore
from kiosk.domain.state import Attending, Closed, Idle, Lane, Servicing
from kiosk.domain.turn import Turn

# What can be asked for, and no more.
ATTEST, NETWORK, LOGS, UPDATE, RESET, RESTART, TRY, STOP, FORGET = DEEDS = (
    "attest",
    "network",
    "logs",
    "update",
    "reset",
    "restart",
    # The card terminal: try it, stop trying, and forget a trial payment that a person
    # settled at the terminal itself.
    "try_terminal",
    "stop_trial",
    "forget_trial",
)

# Outcomes that the lane itself decides; the others are the caretaker's words.
DONE, NO_ANSWER, UNSENT, OPEN, BAD_NETWORK = (
    "done",
    "no_answer",
    "unsent_sales",
    "still_open",
    "bad_network",
)


def opened(turn: Turn, event: ServiceOpened) -> None:
    """Show the service screen, unless a shopper's basket or payment is open."""
    lane = turn.lane
    match lane.mode:
        case Attending(attendant=attendant, resume=Idle() | Closed() as resume) if (
            may(turn, event.attendant, TECHNICIAN)
            and not lane.is_training
            and not _is_paying(lane)
        ):
            turn.enter(Servicing(attendant, resume))
        case _:
            ignore(turn, event)


def asked(turn: Turn, event: ServiceAsked) -> None:
    """Begin one deed, or refuse it for what is open at the lane."""
    lane = turn.lane
    match lane.mode:
        case Servicing(attendant=attendant, doing="try_terminal") if (
            attendant == event.attendant and event.deed == STOP
        ):
            # The trial goes on until it knows what was taken, and says so itself.
            turn.do(Serve(STOP, lane.seq, attendant))
            return
        case Servicing(attendant=attendant, doing="") as mode if (
            attendant == event.attendant and event.deed in DEEDS and event.deed != STOP
        ):
            pass
        case _:
            ignore(turn, event)
            return
    if refusal := _refusal(lane, event):
        turn.enter(replace(mode, done=event.deed, outcome=refusal, detail=""))
        return
    turn.enter(
        replace(mode, doing=event.deed, asked=lane.seq, done="", outcome="", detail="")
    )
    turn.do(Serve(event.deed, lane.seq, event.attendant, event.network))


def ended(turn: Turn, event: ServiceEnded) -> None:
    """Say what came of a deed; an answer nobody waits for is only written down."""
    match turn.lane.mode:
        case Servicing(asked=number, doing=deed) as mode if (
            deed and number == event.asked
        ):
            told = replace(
                mode, doing="", done=deed, outcome=event.outcome, detail=event.detail
            )
            turn.enter(told)
        case _:
            ignore(turn, event)


def too_long(turn: Turn, mode: Servicing) -> None:
    """The deed gave no answer: it may still be done, and the technician is told so."""
    turn.enter(replace(mode, doing="", done=mode.doing, outcome=NO_ANSWER))


def left(turn: Turn, mode: Servicing) -> None:
    """End the session. What was begun goes on and is written down when it ends."""
    go_on(turn, mode.resume)


def is_trying(mode: Servicing) -> bool:
    """Is money moving for a trial? Then nobody leaves: a shopper could pay."""
    return mode.doing == TRY


def _refusal(lane: Lane, event: ServiceAsked) -> str:
    """Return why a deed may not be begun now, or nothing."""
    if event.deed == NETWORK and problem(event.network):
        return BAD_NETWORK
    if event.deed not in (RESET, RESTART, TRY, FORGET):
        return ""
    if _is_paying(lane) or not isinstance(unattended(lane.mode), Idle | Closed):
        return OPEN
    if event.deed != RESET:
        return ""
    if event.unsent_sales:
        return UNSENT
    owes_paper = any(not owed.is_failed for owed in lane.receipts_owed)
    if lane.suspended or lane.open_items or owes_paper or lane.settlement:
        return OPEN
    return ""


def _is_paying(lane: Lane) -> bool:
    return any(a.stage.is_open for a in lane.ledger.values())
