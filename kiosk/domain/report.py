"""X and Z figures: what entries add up to. Recorded figures only, nothing is priced.

Pure, and the same for lane and back office. Totals of two stretches of a journal
merge into the totals of both. Training is counted and stands outside every sum.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from msgspec.structs import replace

from kiosk.domain.body import Body
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
from kiosk.domain.events import DayEnded
from kiosk.domain.pricing import Figures
from kiosk.domain.tax import TaxLine
from kiosk.domain.tender import OpenItem, Sale

# What a sale without a card result was settled with: an attendant's word.
SETTLED = "settled by attendant"


class Count(msgspec.Struct, frozen=True):
    """How often, and how much together."""

    count: int = 0
    amount_minor: int = 0

    def __add__(self, other: Count) -> Count:
        return Count(self.count + other.count, self.amount_minor + other.amount_minor)


class Causes(msgspec.Struct, frozen=True):
    """Interventions for one reason, and how those that ended did end."""

    made: int = 0
    approved: int = 0
    refused: int = 0

    def __add__(self, other: Causes) -> Causes:
        return Causes(
            self.made + other.made,
            self.approved + other.approved,
            self.refused + other.refused,
        )


class Checks(msgspec.Struct, frozen=True):
    """Random checks: lots drawn, baskets asked for, looked into, and what was unpaid.

    `expected_per_10000` is the sum of the chances: what `asked` should come near to.
    """

    drawn: int = 0
    expected_per_10000: int = 0
    asked: int = 0
    good: int = 0
    bad: int = 0
    unpaid_items: int = 0

    def __add__(self, other: Checks) -> Checks:
        return Checks(
            self.drawn + other.drawn,
            self.expected_per_10000 + other.expected_per_10000,
            self.asked + other.asked,
            self.good + other.good,
            self.bad + other.bad,
            self.unpaid_items + other.unpaid_items,
        )


class Totals(msgspec.Struct, frozen=True):
    """What a stretch of a journal adds up to.

    `sales` are all sales made; `voids` and `refunds` are sales given back, the same
    day or later. The sums below them are net of both. `taxes` is by class and rate.
    `tenders` is by brand of card, `offline` what terminals approved by themselves.
    `reversed` is money given back that never became a sale. `settled` are decisions
    about open items; `open_items` what nobody has decided yet. `left_out` are entries
    that could not be read, or that are in another currency: they are in no sum.
    """

    currency: str = ""
    sales: Count = Count()
    voids: Count = Count()
    refunds: Count = Count()
    pieces: int = 0
    gross_minor: int = 0
    discount_minor: int = 0
    net_minor: int = 0
    tax_minor: int = 0
    total_minor: int = 0
    deposit_minor: int = 0
    taxes: tuple[TaxLine, ...] = ()
    tenders: dict[str, Count] = {}
    offline: Count = Count()
    reversed: Count = Count()
    lines_struck: Count = Count()
    dropped: dict[str, Count] = {}
    parked: dict[str, Count] = {}
    interventions: dict[str, Causes] = {}
    checks: Checks = Checks()
    settled: dict[str, int] = {}
    open_items: tuple[OpenItem, ...] = ()
    # What the terminal approved offline and its host may still decline, at the end.
    exposure: Count = Count()
    # Which ones: they may have come up in a stretch before this one.
    settled_ids: tuple[str, ...] = ()
    alarms: tuple[str, ...] = ()
    days_ended: tuple[str, ...] = ()
    training_entries: int = 0
    entries: int = 0
    left_out: int = 0


def fold(entries: Iterable[tuple[str, bool, Body | None]]) -> Totals:
    """Return what entries add up to: kind, training, and what each says.

    None stands for a body that this release cannot read.
    """
    totals = Totals()
    for kind, training, body in entries:
        totals = _with_entry(totals, kind, training, body)
    return totals


def merge(earlier: Totals, later: Totals) -> Totals:
    """Return the totals of two stretches, the earlier one first.

    `ValueError` for two currencies: those are two reports.
    """
    currencies = {c for c in (earlier.currency, later.currency) if c}
    if len(currencies) > 1:
        raise ValueError(f"cannot add {later.currency} to {earlier.currency}")
    decided = {*later.settled_ids, *(i.attempt_id for i in later.open_items)}
    return Totals(
        currency=earlier.currency or later.currency,
        sales=earlier.sales + later.sales,
        voids=earlier.voids + later.voids,
        refunds=earlier.refunds + later.refunds,
        pieces=earlier.pieces + later.pieces,
        gross_minor=earlier.gross_minor + later.gross_minor,
        discount_minor=earlier.discount_minor + later.discount_minor,
        net_minor=earlier.net_minor + later.net_minor,
        tax_minor=earlier.tax_minor + later.tax_minor,
        total_minor=earlier.total_minor + later.total_minor,
        deposit_minor=earlier.deposit_minor + later.deposit_minor,
        taxes=_add_taxes(earlier.taxes, later.taxes, 1),
        tenders=_add_counts(earlier.tenders, later.tenders),
        offline=earlier.offline + later.offline,
        reversed=earlier.reversed + later.reversed,
        lines_struck=earlier.lines_struck + later.lines_struck,
        dropped=_add_counts(earlier.dropped, later.dropped),
        parked=_add_counts(earlier.parked, later.parked),
        interventions={
            reason: earlier.interventions.get(reason, Causes())
            + later.interventions.get(reason, Causes())
            for reason in earlier.interventions | later.interventions
        },
        checks=earlier.checks + later.checks,
        settled={
            decision: earlier.settled.get(decision, 0) + later.settled.get(decision, 0)
            for decision in earlier.settled | later.settled
        },
        open_items=(
            *(i for i in earlier.open_items if i.attempt_id not in decided),
            *later.open_items,
        ),
        exposure=later.exposure if later.entries else earlier.exposure,
        settled_ids=_once(*earlier.settled_ids, *later.settled_ids),
        alarms=earlier.alarms + later.alarms,
        days_ended=earlier.days_ended + later.days_ended,
        training_entries=earlier.training_entries + later.training_entries,
        entries=earlier.entries + later.entries,
        left_out=earlier.left_out + later.left_out,
    )


# -- one entry ---------------------------------------------------------------


def _with_entry(totals: Totals, kind: str, training: bool, body: Body | None) -> Totals:
    totals = replace(totals, entries=totals.entries + 1)
    if training:
        return replace(totals, training_entries=totals.training_entries + 1)
    if body is None:
        return replace(totals, left_out=totals.left_out + 1)
    currencies = {_currency(fact) for fact in body.facts} - {"", totals.currency}
    if (totals.currency and currencies) or len(currencies) > 1:
        return replace(totals, left_out=totals.left_out + 1)
    if currencies:
        totals = replace(totals, currency=currencies.pop())
    for fact in body.facts:
        totals = _with_fact(totals, fact)
    match body.event:
        case DayEnded(trading_day):
            return replace(totals, days_ended=(*totals.days_ended, trading_day))
        case _:
            return totals


def _currency(fact: Fact) -> str:
    match fact:
        case SaleMade(sale):
            return sale.figures.currency
        case SaleUndone(figures=figures):
            return figures.currency
        case MoneyReturned(currency=currency):
            return currency
        case _:
            return ""


def _with_fact(totals: Totals, fact: Fact) -> Totals:
    match fact:
        case SaleMade(sale):
            totals = _with_figures(totals, sale.figures, 1)
            return _with_tender(
                replace(
                    totals, sales=totals.sales + Count(1, sale.figures.total_minor)
                ),
                sale,
            )
        case SaleUndone(kind=kind, figures=figures):
            totals = _with_figures(totals, figures, -1)
            undone = Count(1, figures.total_minor)
            if kind == "void":
                return replace(totals, voids=totals.voids + undone)
            return replace(totals, refunds=totals.refunds + undone)
        case MoneyReturned(amount_minor=amount):
            return replace(totals, reversed=totals.reversed + Count(1, amount))
        case LineStruck(amount_minor=amount):
            return replace(totals, lines_struck=totals.lines_struck + Count(1, amount))
        case BasketDropped(amount_minor=amount, why=why):
            dropped = _add_counts(totals.dropped, {why: Count(1, amount)})
            return replace(totals, dropped=dropped)
        case BasketParked(amount_minor=amount, why=why):
            parked = _add_counts(totals.parked, {why: Count(1, amount)})
            return replace(totals, parked=parked)
        case InterventionMade(reason):
            return _with_cause(totals, reason, Causes(made=1))
        case InterventionEnded(reason, _, is_approved):
            ended = Causes(approved=1) if is_approved else Causes(refused=1)
            return _with_cause(totals, reason, ended)
        case CheckDrawn(chance_per_10000=chance, is_asked=is_asked):
            lot = Checks(drawn=1, expected_per_10000=chance, asked=int(is_asked))
            return replace(totals, checks=totals.checks + lot)
        case BasketChecked(unpaid=unpaid, is_good=is_good):
            seen = Checks(
                good=int(is_good), bad=int(not is_good), unpaid_items=len(unpaid)
            )
            return replace(totals, checks=totals.checks + seen)
        case OpenItemMade(item):
            left = _without(totals.open_items, item.attempt_id)
            return replace(totals, open_items=(*left, item))
        case OpenItemSettled(attempt_id, decision):
            return _with_settled(totals, attempt_id, decision)
        case ExposureChanged(count=count, sum_minor=sum_minor):
            return replace(totals, exposure=Count(count, sum_minor))
        case Alarm(what):
            return replace(totals, alarms=(*totals.alarms, what))


def _with_figures(totals: Totals, figures: Figures, sign: int) -> Totals:
    net = figures.total_minor - figures.tax_minor
    return replace(
        totals,
        pieces=totals.pieces + sign * figures.count,
        gross_minor=totals.gross_minor + sign * figures.gross_minor,
        discount_minor=totals.discount_minor + sign * figures.discount_minor,
        net_minor=totals.net_minor + sign * net,
        tax_minor=totals.tax_minor + sign * figures.tax_minor,
        total_minor=totals.total_minor + sign * figures.total_minor,
        deposit_minor=totals.deposit_minor + sign * figures.deposit_minor,
        taxes=_add_taxes(totals.taxes, figures.taxes, sign),
    )


def _with_tender(totals: Totals, sale: Sale) -> Totals:
    amount = Count(1, sale.figures.total_minor)
    card = sale.card
    name = (card.brand or "card") if card else SETTLED
    totals = replace(totals, tenders=_add_counts(totals.tenders, {name: amount}))
    if card and card.approved_offline:
        return replace(totals, offline=totals.offline + amount)
    return totals


def _with_cause(totals: Totals, reason: str, more: Causes) -> Totals:
    causes = totals.interventions.get(reason, Causes()) + more
    return replace(totals, interventions={**totals.interventions, reason: causes})


def _with_settled(totals: Totals, attempt_id: str, decision: str) -> Totals:
    times = totals.settled.get(decision, 0) + 1
    return replace(
        totals,
        open_items=_without(totals.open_items, attempt_id),
        settled={**totals.settled, decision: times},
        settled_ids=_once(*totals.settled_ids, attempt_id),
    )


def _without(items: tuple[OpenItem, ...], attempt_id: str) -> tuple[OpenItem, ...]:
    return tuple(item for item in items if item.attempt_id != attempt_id)


def _once(*ids: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(ids))


def _add_counts(one: dict[str, Count], other: dict[str, Count]) -> dict[str, Count]:
    return {
        name: one.get(name, Count()) + other.get(name, Count()) for name in one | other
    }


def _add_taxes(
    one: tuple[TaxLine, ...], other: tuple[TaxLine, ...], sign: int
) -> tuple[TaxLine, ...]:
    sums = {(line.tax_class, line.rate_ppm): line for line in one}
    for line in other:
        key = line.tax_class, line.rate_ppm
        before = sums.get(key, replace(line, net_minor=0, tax_minor=0, gross_minor=0))
        sums[key] = replace(
            before,
            net_minor=before.net_minor + sign * line.net_minor,
            tax_minor=before.tax_minor + sign * line.tax_minor,
            gross_minor=before.gross_minor + sign * line.gross_minor,
        )
    return tuple(sums[key] for key in sorted(sums))
