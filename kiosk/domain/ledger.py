"""The ledger of attempts: what is noted of each, what staff must settle, what is sold.

Small steps that paying, returning and settling share. None of them asks the terminal.
"""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.domain import exposure
from kiosk.domain.effects import (
    Beep,
    CallAttendant,
    OpenItemMade,
    PrintReceipt,
    SaleMade,
)
from kiosk.domain.state import Complete, Owed
from kiosk.domain.tender import (
    Attempt,
    CardResult,
    OpenItem,
    Outcome,
    Sale,
    Stage,
    Tender,
)
from kiosk.domain.turn import Turn

_RECENT_SALES = 20


def complete(
    turn: Turn,
    tender: Tender,
    result: CardResult | None,
    at_ms: int,
    *,
    settled_by: str = "",
    paid_by_card: bool = True,
) -> None:
    """Make the sale and ask about the receipt."""
    sale = make_sale(
        turn,
        tender,
        result,
        at_ms,
        settled_by=settled_by,
        paid_by_card=paid_by_card,
    )
    turn.stop_timer("checking")
    turn.set(called="")
    turn.do(Beep("paid"))
    if turn.rules.receipt_required:
        turn.enter(Complete(sale, "printing"))
        owe_receipt(turn, sale, is_copy=False)
    else:
        turn.enter(Complete(sale))


def make_sale(
    turn: Turn,
    tender: Tender,
    result: CardResult | None,
    at_ms: int,
    *,
    settled_by: str = "",
    paid_by_card: bool = True,
) -> Sale:
    """Make the sale of a tender: noted, remembered and stated as a fact."""
    lane = turn.lane
    sale = Sale(
        sale_seq=lane.seq,
        basket_id=tender.basket_id,
        at_ms=at_ms,
        lines=tender.lines,
        figures=tender.figures,
        attempt_id=tender.attempt_id if paid_by_card else "",
        card=result,
        settled_by=settled_by,
        language=lane.language,
        training=lane.is_training,
    )
    attempt = lane.ledger.get(tender.attempt_id)
    if attempt:
        note(turn, replace(attempt, stage=Stage.SOLD, sale_seq=sale.sale_seq))
        turn.stop_timer(f"query:{attempt.attempt_id}")
    turn.set(recent_sales=(*lane.recent_sales, sale)[-_RECENT_SALES:])
    turn.do(SaleMade(sale))
    return sale


def owe_receipt(turn: Turn, sale: Sale, *, is_copy: bool) -> None:
    """Print a receipt, and owe it until it is known to be on paper."""
    others = tuple(
        o for o in turn.lane.receipts_owed if o.sale.sale_seq != sale.sale_seq
    )
    turn.set(receipts_owed=(*others, Owed(sale, is_copy)))
    turn.do(PrintReceipt(sale, is_copy))


def is_full_approval(attempt: Attempt, result: CardResult) -> bool:
    """Approved, for this amount and this currency (R6)?"""
    return (
        result.outcome is Outcome.APPROVED
        and result.amount_minor == attempt.amount_minor
        and result.currency == attempt.currency
    )


def note(turn: Turn, attempt: Attempt) -> None:
    """Write an attempt into the ledger, in place of what stood there."""
    before = turn.lane.ledger.get(attempt.attempt_id)
    exposure.noted(turn, before, attempt)
    turn.set(ledger={**turn.lane.ledger, attempt.attempt_id: attempt})


def to_check(turn: Turn, attempt: Attempt, why: str, tender: Tender | None) -> None:
    """Put an attempt's money before a person, once."""
    note(turn, replace(attempt, stage=Stage.TO_CHECK))
    stop_asking(turn, attempt)
    turn.stop_timer("checking")
    if any(i.attempt_id == attempt.attempt_id for i in turn.lane.open_items):
        return
    amount = attempt.result.amount_minor if attempt.result else attempt.amount_minor
    item = OpenItem(
        attempt.attempt_id, why, turn.lane.seq, amount, attempt.currency, tender
    )
    turn.set(open_items=(*turn.lane.open_items, item))
    turn.do(OpenItemMade(item), CallAttendant("check_payment"))


def stop_asking(turn: Turn, attempt: Attempt) -> None:
    """Stop the timers that ask the terminal about an attempt."""
    turn.stop_timer(f"query:{attempt.attempt_id}")
    turn.stop_timer(f"undo:{attempt.attempt_id}")


def query_later(turn: Turn, attempt_id: str) -> None:
    """Ask the terminal about an attempt in a while."""
    turn.start_timer(f"query:{attempt_id}", turn.limits.query_seconds)


def sale_of(turn: Turn, sale_seq: int) -> Sale | None:
    """Return one of the latest sales by its number."""
    for sale in turn.lane.recent_sales:
        if sale.sale_seq == sale_seq:
            return sale
    return None
