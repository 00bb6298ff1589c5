"""What an entry means to the back office: rows to look up, made from its facts.

Pure. Figures are taken as recorded; nothing is ever priced here. An entry that
cannot be read is no error: it is said so, and kept.
"""

from __future__ import annotations

from typing import get_args

import msgspec

from kiosk.domain import body
from kiosk.domain.effects import (
    Alarm,
    BasketChecked,
    BasketDropped,
    BasketParked,
    CheckDrawn,
    ExposureChanged,
    Fact,
    InterventionEnded,
    InterventionMade,
    LineStruck,
    MoneyReturned,
    OpenItemMade,
    OpenItemSettled,
    SaleMade,
    SaleUndone,
)
from kiosk.domain.events import DayEnded, DirectiveReceived, Event
from kiosk.records.chain import Entry
from kiosk.records.rotation import CARRIED_FORWARD

KNOWN_KINDS = {kind.__name__ for kind in get_args(Event)}

# What the database's integers hold.
LARGEST = 2**63 - 1


class Found(msgspec.Struct, frozen=True):
    """One fact as it is looked up. What `reference` names depends on the kind."""

    kind: str
    reason: str = ""
    reference: str = ""
    attendant: str = ""
    amount_minor: int = 0
    currency: str = ""
    is_good: bool = False


class Projection(msgspec.Struct, frozen=True):
    """What follows from one entry. `trouble` says why it could not be read."""

    found: tuple[Found, ...] = ()
    directive_id: str = ""
    trouble: str = ""


def project(entry: Entry) -> Projection:
    """Return what an entry means, whatever it holds. Never raises."""
    if entry.kind == CARRIED_FORWARD:
        return Projection()
    try:
        content = body.decode(entry.body)
    except RecursionError:
        content = None
    if content is None:
        return Projection(trouble=f"entry {entry.seq} ({entry.kind}) cannot be read")
    if type(content.event).__name__ != entry.kind:
        return Projection(
            trouble=f"entry {entry.seq} calls itself {entry.kind} and is another"
        )
    found = [found_of(fact) for fact in content.facts]
    directive_id = ""
    match content.event:
        case DayEnded(trading_day, attendant):
            found.append(Found("DayEnded", trading_day, attendant=attendant))
        case DirectiveReceived(directive_id):
            pass
        case _:
            pass
    if any(abs(row.amount_minor) > LARGEST for row in found):
        return Projection(trouble=f"entry {entry.seq} names an impossible amount")
    return Projection(tuple(found), directive_id)


def found_of(fact: Fact) -> Found:
    """Return how one fact is looked up."""
    match fact:
        case SaleMade(sale):
            card = sale.card
            return Found(
                "SaleMade",
                reason=card.brand if card else "",
                reference=sale.basket_id,
                attendant=sale.settled_by,
                amount_minor=sale.figures.total_minor,
                currency=sale.figures.currency,
                is_good=not (card and card.approved_offline),
            )
        case SaleUndone(sale_seq, kind, figures, attendant, reason):
            return Found(
                "SaleUndone",
                reason=kind,
                reference=str(sale_seq),
                attendant=attendant,
                amount_minor=figures.total_minor,
                currency=figures.currency,
            )
        case MoneyReturned(attempt_id, amount_minor, currency):
            return Found(
                "MoneyReturned",
                reference=attempt_id,
                amount_minor=amount_minor,
                currency=currency,
            )
        case LineStruck(item_id, amount_minor, attendant, reason):
            return Found("LineStruck", reason, item_id, attendant, amount_minor)
        case BasketDropped(basket_id, amount_minor, why, attendant, reason):
            return Found("BasketDropped", why, basket_id, attendant, amount_minor)
        case BasketParked(basket_id, amount_minor, why):
            return Found("BasketParked", why, basket_id, amount_minor=amount_minor)
        case InterventionMade(reason):
            return Found("InterventionMade", reason)
        case InterventionEnded(reason, attendant, is_approved):
            return Found(
                "InterventionEnded", reason, attendant=attendant, is_good=is_approved
            )
        case CheckDrawn(basket_id, chance, is_asked):
            return Found("CheckDrawn", str(chance), basket_id, is_good=not is_asked)
        case BasketChecked(basket_id, unpaid=unpaid, attendant=attendant):
            return Found(
                "BasketChecked",
                f"{len(unpaid)} unpaid",
                basket_id,
                attendant,
                is_good=fact.is_good,
            )
        case OpenItemMade(item):
            return Found(
                "OpenItemMade",
                item.why,
                item.attempt_id,
                amount_minor=item.amount_minor,
                currency=item.currency,
            )
        case OpenItemSettled(attempt_id, decision, attendant):
            return Found("OpenItemSettled", decision, attempt_id, attendant)
        case ExposureChanged(count, sum_minor, since_ms):
            return Found(
                "ExposureChanged", str(count), str(since_ms), amount_minor=sum_minor
            )
        case Alarm(what):
            return Found("Alarm", what)
