"""Money that goes back: reversals, refunds, and those nobody answers.

A reversal is queried before it is repeated, and repeated under its own id only. One
that stays without an answer is put before a person; it never holds the lane.
"""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.domain.effects import (
    Alarm,
    CallAttendant,
    MoneyReturned,
    OpenItemSettled,
    Refund,
    Reverse,
    SaleUndone,
)
from kiosk.domain.events import ReversalResult, SaleReturned, TenderQueried
from kiosk.domain.exposure import forget_reversed
from kiosk.domain.ledger import note, query_later, sale_of, stop_asking, to_check
from kiosk.domain.selling import ignore
from kiosk.domain.tender import Answer, Attempt, Outcome, Stage
from kiosk.domain.turn import Turn


def give_back(turn: Turn, attempt_id: str, reversal_id: str) -> None:
    """Order an attempt's money back by a reversal of that id."""
    attempt = replace(
        turn.lane.ledger[attempt_id],
        reversal_id=reversal_id,
        is_refund=False,
    )
    undo(turn, attempt)


def undo(turn: Turn, attempt: Attempt) -> None:
    """Order the money back, once; a terminal that never says so must not hold us."""
    stage = Stage.REFUNDING if attempt.is_refund else Stage.REVERSING
    attempt = replace(attempt, stage=stage)
    note(turn, attempt)
    turn.start_timer(f"undo:{attempt.attempt_id}", turn.limits.checking_seconds)
    if attempt.is_refund:
        turn.do(Refund(attempt, attempt.reversal_id))
    else:
        turn.do(Reverse(attempt, attempt.reversal_id))


def undo_too_long(turn: Turn, attempt_id: str) -> None:
    """Nobody knows whether the money went back: a person finds out, the lane goes on."""
    attempt = turn.lane.ledger.get(attempt_id)
    if attempt and attempt.stage in (Stage.REVERSING, Stage.REFUNDING):
        to_check(turn, attempt, "return_unknown", None)


def reversal_result(turn: Turn, event: ReversalResult) -> None:
    """What came of giving money back; an unknown end is asked about, not repeated."""
    attempt = turn.lane.ledger.get(event.attempt_id)
    is_late_yes = (
        attempt is not None
        and attempt.stage is Stage.TO_CHECK
        and event.result.outcome is Outcome.APPROVED
    )
    if (
        attempt is None
        or (attempt.stage not in (Stage.REVERSING, Stage.REFUNDING) and not is_late_yes)
        or attempt.reversal_id != event.reversal_id
    ):
        ignore(turn, event)
        return
    match event.result.outcome:
        case Outcome.APPROVED:
            _given_back(turn, attempt)
        case Outcome.DECLINED | Outcome.PARTIAL | Outcome.CANCELLED:
            # A final no. Asked again without end, it would hold the terminal.
            turn.do(Alarm(f"the terminal refused to give {attempt.attempt_id} back"))
            _refused_to_give_back(turn, attempt)
        case Outcome.NOT_SENT | Outcome.UNKNOWN:
            query_later(turn, attempt.attempt_id)


def _refused_to_give_back(turn: Turn, attempt: Attempt) -> None:
    stop_asking(turn, attempt)
    if attempt.sale_seq:
        # The sale stands; the attendant is told and may try the other way.
        note(turn, replace(attempt, stage=Stage.SOLD, reversal_id=""))
        turn.do(CallAttendant("refund_refused"))
    else:
        to_check(turn, replace(attempt, reversal_id=""), "reversal_refused", None)


def reversal_queried(turn: Turn, attempt: Attempt, event: TenderQueried) -> None:
    """The terminal says whether a payment that goes back is still there."""
    match event.answer:
        case Answer.NOT_CHARGED | Answer.NOT_RECEIVED:
            _given_back(turn, attempt)
        case Answer.FOUND:
            # Still there: the reversal is still owed. The port makes it safe to repeat.
            turn.do(Reverse(attempt, attempt.reversal_id))
        case Answer.IN_PROGRESS | Answer.UNREACHABLE | Answer.INDETERMINATE:
            query_later(turn, attempt.attempt_id)


def _given_back(turn: Turn, attempt: Attempt) -> None:
    end = Stage.REFUNDED if attempt.is_refund else Stage.REVERSED
    note(turn, replace(attempt, stage=end))
    forget_reversed(turn, attempt)
    stop_asking(turn, attempt)
    left = tuple(i for i in turn.lane.open_items if i.attempt_id != attempt.attempt_id)
    if left != turn.lane.open_items:
        # Before a person looked, the terminal said itself that it is back.
        turn.set(open_items=left)
        turn.do(OpenItemSettled(attempt.attempt_id, "reverse", "", "terminal", ""))
    sale = sale_of(turn, attempt.sale_seq)
    if attempt.sale_seq and sale:
        kind = "refund" if attempt.is_refund else "void"
        turn.do(SaleUndone(sale.sale_seq, kind, sale.figures, "", ""))
    else:
        amount = attempt.result.amount_minor if attempt.result else 0
        turn.do(MoneyReturned(attempt.attempt_id, amount, attempt.currency))


def sale_returned(turn: Turn, event: SaleReturned) -> None:
    """An attendant gives a paid sale back, whole."""
    sale = sale_of(turn, event.sale_seq)
    attempt = turn.lane.ledger.get(sale.attempt_id) if sale else None
    if sale is None:
        ignore(turn, event)
    elif attempt is None and not sale.attempt_id:
        turn.do(
            SaleUndone(
                sale.sale_seq, "void", sale.figures, event.attendant, event.reason
            )
        )
        left = tuple(s for s in turn.lane.recent_sales if s.sale_seq != sale.sale_seq)
        turn.set(recent_sales=left)
    elif attempt is None or attempt.stage is not Stage.SOLD:
        ignore(turn, event)
    elif event.kind == "refund":
        undo(turn, replace(attempt, reversal_id=event.reversal_id, is_refund=True))
    else:
        give_back(turn, attempt.attempt_id, event.reversal_id)
