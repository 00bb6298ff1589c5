"""What a basket costs: lines, offers, taxes, total, all in minor units.

One pure function, `price`. Given what it returned for the basket before, it works
out only the goods whose offers can have changed; the figures are the same as anew,
to the last minor unit. Never rounds to coins: the lane takes no cash.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import msgspec

from kiosk.domain import promotion, tax
from kiosk.domain.basket import LineItem
from kiosk.domain.money import allocate
from kiosk.domain.offer_basket import by_basket
from kiosk.domain.offer_choice import Kind, choose, saving
from kiosk.domain.offer_goods import Running
from kiosk.domain.promotion import Offer
from kiosk.domain.tax import TaxLine, TaxRules


class PricingRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a basket is priced by; data, pinned with the basket."""

    currency: str
    taxes: TaxRules
    offers: tuple[Offer, ...] = ()


class Discount(msgspec.Struct, frozen=True):
    """What one offer took off, and off which lines.

    `amount_minor` is negative; `shares` are its parts by line, beside `line_nos`.
    """

    offer_id: str
    description: dict[str, str]
    line_nos: tuple[int, ...]
    amount_minor: int
    shares: tuple[int, ...]


class Figures(msgspec.Struct, frozen=True):
    """What the shopper is shown and pays.

    `gross_minor` is the sum of the standing lines before offers, `total_minor` what
    is to be paid: gross and discounts and, where taxes are added to prices, taxes.
    `deposit_minor` is within gross; `count` is pieces, a weighed line is one and a
    deposit none.
    """

    currency: str
    gross_minor: int
    discounts: tuple[Discount, ...]
    discount_minor: int
    taxes: tuple[TaxLine, ...]
    tax_minor: int
    total_minor: int
    deposit_minor: int
    count: int


# A line that holds a kind: (pieces, quantity and amount of the line, line_no). In
# this order pieces are served; the number comes last, so scan order has no say.
_Held: TypeAlias = tuple[int, int, int, int]
_Holding: TypeAlias = tuple[_Held, ...]
# What an offer takes off a line: (place of the offer, line_no, amount).
_Taken: TypeAlias = tuple[int, int, int]
_Solved: TypeAlias = dict[frozenset[tuple[Kind, _Holding]], tuple[_Taken, ...]]
# What makes pieces of one kind: item, price, weighed, grams, tax class, groups.
_KindKey: TypeAlias = tuple[str, int, bool, int, str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class _Known:
    """What was worked out for a basket and may serve the next. Never changed."""

    rules: PricingRules
    at_ms: int
    coupons: tuple[str, ...]
    running: Running
    lines: tuple[LineItem, ...] = ()
    sold: tuple[LineItem, ...] = ()
    kinds: dict[_KindKey, Kind] = field(default_factory=dict)
    held: dict[Kind, _Holding] = field(default_factory=dict)
    solved: _Solved = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Priced:
    """A basket's figures, and what makes the next line quick."""

    figures: Figures
    known: object = field(default=None, repr=False, compare=False)


def price(
    lines: tuple[LineItem, ...],
    rules: PricingRules,
    at_ms: int,
    coupons: tuple[str, ...] = (),
    previous: Priced | None = None,
) -> Priced:
    """Return what the standing lines cost by the offers that run at `at_ms`.

    `coupons` are the codes scanned, one for each scan. `previous` may be the pricing
    of any basket: what does not fit is not used.
    """
    known = previous.known if previous else None
    if not (
        isinstance(known, _Known)
        and known.at_ms == at_ms
        and known.coupons == coupons
        and (known.rules is rules or known.rules == rules)
    ):
        known = _Known(rules, at_ms, coupons, Running(rules.offers, at_ms, coupons))
    known = _with_lines(known, lines)
    taken, solved = _by_piece(known)
    return Priced(_figures(known, taken), replace(known, solved=solved))


def problems(rules: PricingRules, tax_classes: Iterable[str] = ()) -> tuple[str, ...]:
    """Return what is wrong with the rules, in the operator's words.

    `tax_classes` are those of the items to be sold by them.
    """
    found: tuple[str, ...] = ()
    if len(rules.currency) != 3 or not rules.currency.isupper():
        found = (f"currency is {rules.currency!r}, expected three letters: EUR",)
    return (
        found
        + tax.problems(rules.taxes, tax_classes)
        + promotion.problems(rules.offers)
    )


# -- goods ---------------------------------------------------------------------


def _with_lines(known: _Known, lines: tuple[LineItem, ...]) -> _Known:
    """Sort what came and what was struck out since into kinds."""
    if lines[: len(known.lines)] != known.lines:
        known = replace(known, lines=(), sold=(), held={})
    new = lines[len(known.lines) :]
    voided = {line.voids for line in lines if line.voids}
    kinds, held = dict(known.kinds), dict(known.held)
    struck = {line.voids for line in new if line.voids}
    sold = known.sold
    if struck:
        sold = tuple(line for line in sold if line.line_no not in struck)
        for line in known.sold:
            if line.line_no in struck:
                for kind, entry in _pieces(line, kinds, known.running):
                    rest = tuple(other for other in held[kind] if other != entry)
                    if rest:
                        held[kind] = rest
                    else:
                        del held[kind]
    come = tuple(line for line in new if not line.voids and line.line_no not in voided)
    for line in come:
        for kind, entry in _pieces(line, kinds, known.running):
            held[kind] = (*held.get(kind, ()), entry)
    return replace(known, lines=lines, sold=sold + come, kinds=kinds, held=held)


def _pieces(
    line: LineItem, kinds: dict[_KindKey, Kind], running: Running
) -> list[tuple[Kind, _Held]]:
    """Return the pieces of a line that offers may take, in one kind or two.

    Two when the amount does not divide by the pieces.
    """
    if line.is_deposit or line.extended_minor <= 0 or line.quantity <= 0:
        return []
    if line.weighed:
        priced = [(line.extended_minor, 1)]
    else:
        each, more = divmod(line.extended_minor, line.quantity)
        priced = [(each, line.quantity - more), (each + 1, more)]
    found = []
    for price_minor, pieces in priced:
        if pieces and price_minor:
            key = (
                line.item_id,
                price_minor,
                line.weighed,
                line.weight_grams,
                line.tax_class,
                line.offer_groups,
            )
            if key not in kinds:
                kinds[key] = running.kind(line, price_minor)
            entry = (pieces, line.quantity, line.extended_minor, line.line_no)
            found.append((kinds[key], entry))
    return found


# -- offers by the piece -------------------------------------------------------


def _by_piece(known: _Known) -> tuple[dict[int, dict[int, int]], _Solved]:
    """Return what is taken off, by place of the offer, then by line.

    And the groups as decided, for the next time.
    """
    held = known.held
    counts = {kind: sum([entry[0] for entry in held[kind]]) for kind in held}
    groups = known.running.groups(counts)
    taken: dict[int, dict[int, int]] = {}
    solved: _Solved = {}
    decided: set[Kind] = set()
    for group in groups:
        decided.update(group)
        key = frozenset([(kind, held[kind]) for kind in group])
        found = known.solved.get(key)
        solved[key] = found = _decide(known, group) if found is None else found
        for place, line_no, off in found:
            lines = taken.setdefault(place, {})
            lines[line_no] = lines.get(line_no, 0) + off
    for kind, holding in held.items():
        if kind.base_minor and kind not in decided:
            lines = taken.setdefault(kind.base, {})
            for pieces, _, _, line_no in holding:
                lines[line_no] = lines.get(line_no, 0) + pieces * kind.base_minor
    return taken, solved


def _decide(known: _Known, group: list[Kind]) -> tuple[_Taken, ...]:
    """Return what the best choice of offers takes off the lines of a group."""
    kinds = sorted(group, key=lambda kind: kind.order)
    counts = {kind: sum(entry[0] for entry in known.held[kind]) for kind in kinds}
    deals = known.running.deals(kinds, counts)
    served: list[list[tuple[int, int]]] = [[] for _ in kinds]
    for number, numbers in choose(kinds, list(counts.values()), deals):
        deal = deals[number]
        taken = [kinds[n] for n in numbers]
        shares = allocate(
            saving(deal.offer, taken), [kind.price_minor for kind in taken]
        )
        for n, share in zip(numbers, shares):
            served[n].append((deal.place, share))
    found: dict[tuple[int, int], int] = {}
    for kind, pieces in zip(kinds, served):
        pieces += [(kind.base, kind.base_minor)] * (counts[kind] - len(pieces))
        at = 0
        for count, _, _, line_no in sorted(known.held[kind]):
            for place, share in pieces[at : at + count]:
                if share:
                    key = (place, line_no)
                    found[key] = found.get(key, 0) + share
            at += count
    return tuple((place, line_no, off) for (place, line_no), off in found.items())


# -- figures -------------------------------------------------------------------


def _figures(known: _Known, taken: Mapping[int, Mapping[int, int]]) -> Figures:
    """Put lines, discounts and taxes together."""
    sold, running = known.sold, known.running
    left = {line.line_no: line.extended_minor for line in sold}
    discounts = []
    for place in sorted(taken):
        for line_no, off in taken[place].items():
            left[line_no] -= off
        discounts.append(_discount(running.by_piece[place], taken[place]))
    if running.by_basket:
        for offer, lines in by_basket(running.by_basket, sold, left):
            for line_no, off in lines.items():
                left[line_no] -= off
            discounts.append(_discount(offer, lines))
    rules = known.rules.taxes
    taxes = tax.tax_lines(
        [(line.tax_class, left[line.line_no]) for line in sold], rules
    )
    gross_minor = sum([line.extended_minor for line in sold])
    discount_minor = sum([discount.amount_minor for discount in discounts])
    tax_minor = sum([line.tax_minor for line in taxes])
    to_pay = gross_minor + discount_minor + (0 if rules.inclusive else tax_minor)
    return Figures(
        currency=known.rules.currency,
        gross_minor=gross_minor,
        discounts=tuple(discounts),
        discount_minor=discount_minor,
        taxes=taxes,
        tax_minor=tax_minor,
        # A lane gives no money back: lines below zero cannot take it there.
        total_minor=max(to_pay, 0),
        deposit_minor=sum([line.extended_minor for line in sold if line.is_deposit]),
        count=sum([line.quantity for line in sold if not line.is_deposit]),
    )


def _discount(offer: Offer, lines: Mapping[int, int]) -> Discount:
    line_nos = tuple(sorted(lines))
    return Discount(
        offer_id=offer.offer_id,
        description=offer.description,
        line_nos=line_nos,
        amount_minor=-sum(lines.values()),
        shares=tuple([-lines[line_no] for line_no in line_nos]),
    )
