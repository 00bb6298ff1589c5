"""A person settles what the terminal could not say, or would not do.

Money that was taken becomes the sale or goes back; nothing here drops it.
"""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.domain.effects import BasketDropped, OpenItemSettled, SaleUndone
from kiosk.domain.events import TenderSettled
from kiosk.domain.ledger import (
    complete,
    is_full_approval,
    make_sale,
    note,
    sale_of,
    stop_asking,
)
from kiosk.domain.modes import core
from kiosk.domain.returning import give_back, undo
from kiosk.domain.selling import ignore
from kiosk.domain.state import Basket, OutcomeUnknown, Scanning
from kiosk.domain.tender import Attempt, OpenItem, Stage, Tender
from kiosk.domain.turn import Turn

# What a person may say of a payment whose end the terminal does not tell.
UNKNOWN_DECISIONS = ("paid", "not_paid", "taken_at_till")


def settled(turn: Turn, event: TenderSettled) -> None:
    """A person decided what the terminal could not say."""
    attempt = turn.lane.ledger.get(event.attempt_id)
    if attempt is None:
        ignore(turn, event)
        return
    match core(turn.lane.mode):
        case OutcomeUnknown(tender=tender, basket=basket) if (
            tender.attempt_id == event.attempt_id
        ):
            _settle_unknown(turn, attempt, tender, basket, event)
        case _:
            _settle_item(turn, attempt, event)


def _settle_unknown(
    turn: Turn, attempt: Attempt, tender: Tender, basket: Basket, event: TenderSettled
) -> None:
    # The terminal said that it took another amount: that is no sale, it goes back.
    is_wrong = attempt.result is not None and not is_full_approval(
        attempt, attempt.result
    )
    allowed = ("not_paid", "taken_at_till") if is_wrong else UNKNOWN_DECISIONS
    if event.decision not in allowed:
        ignore(turn, event)
        return
    turn.stop_timer("checking")
    stop_asking(turn, attempt)
    _say_settled(turn, event)
    if event.decision == "paid":
        complete(turn, tender, attempt.result, event.at_ms, settled_by=event.attendant)
        return
    if is_wrong:
        give_back(turn, attempt.attempt_id, event.reversal_id)
    else:
        is_free = event.decision == "not_paid"
        end = Stage.NOT_PAID if is_free else Stage.AT_TILL
        note(turn, replace(attempt, stage=end))
    if event.decision == "not_paid":
        turn.enter(Scanning(basket, notice="not_charged"))
        return
    turn.do(
        BasketDropped(
            basket.basket_id,
            tender.amount_minor,
            "at_till",
            event.attendant,
            event.reason,
        )
    )
    turn.rest()


def _say_settled(turn: Turn, event: TenderSettled) -> None:
    turn.do(
        OpenItemSettled(
            event.attempt_id,
            event.decision,
            event.attendant,
            event.reason,
            event.reference,
        )
    )


def item_decisions(item: OpenItem, attempt: Attempt | None) -> tuple[str, ...]:
    """Return what a person may decide of an open item.

    Money was taken: it becomes the sale or stays one, or it goes back. Only where the
    terminal would not give it back may that be done elsewhere, by hand or by the bank.
    """
    decisions = ["reverse"]
    if item.tender is not None or (attempt is not None and attempt.sale_seq):
        decisions.insert(0, "paid")
    if item.why in ("reversal_refused", "return_unknown"):
        decisions.append("elsewhere")
    return tuple(decisions)


def _settle_item(turn: Turn, attempt: Attempt, event: TenderSettled) -> None:
    item = next(
        (i for i in turn.lane.open_items if i.attempt_id == event.attempt_id), None
    )
    decision = event.decision
    if decision in ("not_paid", "taken_at_till"):
        # What was taken here and is not wanted goes back.
        decision = "reverse"
    if (
        item is None
        or attempt.stage is not Stage.TO_CHECK
        or decision not in item_decisions(item, attempt)
    ):
        ignore(turn, event)
        return
    left = tuple(i for i in turn.lane.open_items if i.attempt_id != event.attempt_id)
    turn.set(open_items=left)
    _say_settled(turn, event)
    if decision == "elsewhere":
        note(turn, replace(attempt, stage=Stage.ELSEWHERE))
        sale = sale_of(turn, attempt.sale_seq)
        if sale:
            turn.do(
                SaleUndone(
                    sale.sale_seq,
                    "elsewhere",
                    sale.figures,
                    event.attendant,
                    event.reason,
                )
            )
    elif decision == "paid" and attempt.sale_seq:
        # It was a sale and stays one.
        note(turn, replace(attempt, stage=Stage.SOLD))
    elif decision == "paid" and item.tender is not None:
        make_sale(
            turn, item.tender, attempt.result, event.at_ms, settled_by=event.attendant
        )
    elif attempt.reversal_id:
        # The same order again, under its own id: given back once at most.
        undo(turn, attempt)
    else:
        give_back(turn, attempt.attempt_id, event.reversal_id)
