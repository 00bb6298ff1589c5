"""Which pieces get which offer, so that the shopper pays least.

Works on kinds: pieces that no offer can tell apart. Up to `EXACT_UNITS` pieces the
choice is the best there is (branch and bound); beyond, offers are given one after
the other, the greatest saving first. Both depend on the goods alone, never on the
order they were scanned in. Knows nothing of lines, dates or taxes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, permutations, product
from typing import TypeAlias

from kiosk.domain.money import divide_half_up
from kiosk.domain.promotion import (
    AmountOff,
    Bundle,
    Coupon,
    MixAndMatch,
    NForM,
    NthOff,
    PercentOff,
    UnitOffer,
)
from kiosk.domain.tax import MILLION

# The search is exact up to here: a basket of more is answered in milliseconds only
# by a rule of thumb.
EXACT_UNITS = 12
# All orders of four parts; no bundle sold has more that want the same goods.
_MOST_ORDERS = 24

# An offer as goods can have it: its place among the offers and, where only pieces of
# the same item go together, that item. A link is a deal's part that a kind can fill.
DealKey: TypeAlias = tuple[int, str]
Link: TypeAlias = tuple[DealKey, int]


@dataclass(frozen=True, slots=True, eq=False)
class Kind:
    """Pieces that are alike to every offer. One object for each, compared by `is`.

    `base_minor` is the best saving on a piece that is free for all; `base` the
    place of that offer. `grams` is -1 for what is sold by the piece. `links` are the
    offers that need several pieces, or have a limit, and could take this one.
    """

    item_id: str
    price_minor: int
    grams: int
    tax_class: str
    base: int
    base_minor: int
    links: tuple[Link, ...]
    order: tuple[int, str, int, str, tuple[str, ...]]


# So many pieces, of the kinds of these numbers.
Filling: TypeAlias = tuple[int, tuple[int, ...]]


@dataclass(frozen=True, slots=True)
class Deal:
    """An offer as one group of kinds can have it.

    `place` is the offer's; `uses` is how often it may be given, at most.
    """

    place: int
    offer: UnitOffer
    parts: tuple[Filling, ...]
    uses: int


# A deal given once: the deal's number and the numbers of the kinds it took.
Given: TypeAlias = tuple[int, tuple[int, ...]]


def off_piece(
    offer: PercentOff | AmountOff | Coupon, price_minor: int, grams: int
) -> int:
    """Return what an offer takes off one piece, or off one weighed line.

    `grams` is -1 for a piece.
    """
    match offer:
        case PercentOff() | Coupon(off_minor=0):
            return divide_half_up(price_minor * offer.off_ppm, MILLION)
        case AmountOff(per_kilogram=True):
            off_minor = divide_half_up(offer.off_minor * max(grams, 0), 1000)
            return min(off_minor, price_minor)
        case AmountOff() | Coupon():
            return 0 if grams >= 0 else min(offer.off_minor, price_minor)


def saving(offer: UnitOffer, taken: Sequence[Kind]) -> int:
    """Return what an offer takes off pieces, which come dearest first."""
    match offer:
        case NForM() | MixAndMatch(price_minor=None):
            return sum(kind.price_minor for kind in taken[offer.pay :])
        case NthOff():
            return divide_half_up(taken[-1].price_minor * offer.off_ppm, MILLION)
        case MixAndMatch() | Bundle():
            return sum(kind.price_minor for kind in taken) - (offer.price_minor or 0)
        case PercentOff() | AmountOff() | Coupon():
            return off_piece(offer, taken[0].price_minor, taken[0].grams)


def choose(
    kinds: Sequence[Kind], counts: Sequence[int], deals: Sequence[Deal]
) -> list[Given]:
    """Return the deals to give among pieces, dearest kinds first.

    Pieces that no deal takes keep their `base` offer; a deal that saves no more than
    the base offers of its pieces is not given. Of equal totals, the greedy one is
    taken, or else the one found first in the fixed order of the search.
    """
    given = _greedy(kinds, list(counts), deals)
    if sum(counts) <= EXACT_UNITS:
        given = _Search(kinds, counts, deals).best(given)
    return given


def _gain(kinds: Sequence[Kind], offer: UnitOffer, numbers: Sequence[int]) -> int:
    taken = [kinds[number] for number in numbers]
    return saving(offer, taken) - sum(kind.base_minor for kind in taken)


# -- the greedy order ----------------------------------------------------------


def _greedy(
    kinds: Sequence[Kind], left: list[int], deals: Sequence[Deal]
) -> list[Given]:
    """Give the deal of the greatest gain as often as its pieces last, then the next."""
    uses = [deal.uses for deal in deals]
    given: list[Given] = []
    while True:
        best: tuple[int, int, tuple[int, ...]] = (0, 0, ())
        for number, deal in enumerate(deals):
            if uses[number]:
                for numbers in _candidates(kinds, left, deal):
                    gain = _gain(kinds, deal.offer, numbers)
                    if gain > best[0]:
                        best = (gain, number, numbers)
        gain, number, numbers = best
        if not gain:
            return given
        times = min(left[taken] // numbers.count(taken) for taken in numbers)
        times = min(times, uses[number])
        uses[number] -= times
        for taken in numbers:
            left[taken] -= times
        given += [(number, numbers)] * times


def _candidates(
    kinds: Sequence[Kind], left: Sequence[int], deal: Deal
) -> Iterator[tuple[int, ...]]:
    """Yield ways to fill a deal that are worth a look."""
    is_fixed_price = isinstance(deal.offer, Bundle) or (
        isinstance(deal.offer, MixAndMatch) and deal.offer.pay is None
    )
    if not is_fixed_price:
        # The saving is the cheapest pieces': these should be near the dearest.
        [(pieces, fitting)] = deal.parts
        there = [number for number in fitting if left[number]]
        for start in range(len(there)):
            if numbers := _take(pieces, there[start:], left):
                yield tuple(numbers)
        return
    orders: Iterator[tuple[Filling, ...]] = iter([deal.parts])
    if len({n for _, fitting in deal.parts for n in fitting}) < sum(
        len(fitting) for _, fitting in deal.parts
    ):
        # Parts that want the same goods: one may leave nothing for another.
        orders = islice(permutations(deal.parts), _MOST_ORDERS)
    for parts in orders:
        rest = list(left)
        taken: list[int] = []
        for pieces, fitting in parts:
            dearest = sorted(
                fitting,
                key=lambda number: kinds[number].base_minor - kinds[number].price_minor,
            )
            numbers = _take(pieces, dearest, rest)
            if not numbers:
                break
            for number in numbers:
                rest[number] -= 1
            taken += numbers
        else:
            yield tuple(sorted(taken))


def _take(pieces: int, fitting: Sequence[int], left: Sequence[int]) -> list[int]:
    """Return the first so many pieces, or nothing when there are fewer."""
    numbers: list[int] = []
    for number in fitting:
        numbers += [number] * min(left[number], pieces - len(numbers))
        if len(numbers) == pieces:
            return numbers
    return []


# -- the exact search ----------------------------------------------------------

# Bounds are integers: thousandths of a minor unit, rounded up.
_SCALE = 1000
# Bits of a kind's count within a search state; the top one catches the borrow.
_BITS = 5
_MOST = (1 << (_BITS - 1)) - 1


class _Search:
    """Branch and bound over ways to give deals to at most `EXACT_UNITS` pieces.

    Every piece is worth a `bound` such that no way to give a deal gains more than
    its pieces' bounds together. What a way falls short of them is lost, and so is
    the bound of a piece left without a deal; the best choice loses least.
    """

    def __init__(
        self, kinds: Sequence[Kind], counts: Sequence[int], deals: Sequence[Deal]
    ) -> None:
        self._kinds = kinds
        self._counts = counts
        self._deals = deals
        # (gain, deal, kinds taken); limited deals are counted like a kind.
        self._ways = self._all_ways()
        self._bounds = self._piece_bounds()
        self._seen: dict[int, int] = {}
        self._chosen: list[Given] = []

    def best(self, given: list[Given]) -> list[Given]:
        """Return the best choice, which is `given` when nothing is better."""
        reached = sum(
            _gain(self._kinds, self._deals[number].offer, numbers)
            for number, numbers in given
        )
        most = sum(n * bound for n, bound in zip(self._counts, self._bounds))
        self._best = given
        self._best_lost = most - reached * _SCALE
        size = len(self._kinds)
        self._starting: list[list[tuple[int, int, Given]]] = [[] for _ in range(size)]
        for gain, number, numbers in self._ways:
            lost = sum(self._bounds[n] for n in numbers) - gain * _SCALE
            if lost < self._best_lost:
                delta = sum(1 << _BITS * n for n in numbers)
                delta += 1 << _BITS * (size + number)
                self._starting[numbers[0]].append((lost, delta, (number, numbers)))
        for ways in self._starting:
            ways.sort()
        fields = list(self._counts) + [min(d.uses, _MOST) for d in self._deals]
        state = sum(n << _BITS * place for place, n in enumerate(fields))
        self._guards = sum(
            1 << _BITS * place + _BITS - 1 for place in range(len(fields))
        )
        self._visit(state, 0)
        return self._best

    def _visit(self, state: int, lost: int) -> None:
        if lost >= self._best_lost or self._seen.get(state, lost + 1) <= lost:
            return
        self._seen[state] = lost
        first = (
            ((state & -state).bit_length() - 1) // _BITS if state else len(self._kinds)
        )
        if first >= len(self._kinds):
            self._best, self._best_lost = list(self._chosen), lost
            return
        guards = self._guards
        for more, delta, given in self._starting[first]:
            rest = (state | guards) - delta
            if rest & guards == guards and lost + more < self._best_lost:
                self._chosen.append(given)
                self._visit(rest ^ guards, lost + more)
                self._chosen.pop()
        left = state >> _BITS * first & _MOST
        self._visit(state - (left << _BITS * first), lost + left * self._bounds[first])

    def _all_ways(self) -> list[tuple[int, int, tuple[int, ...]]]:
        ways = []
        for number, deal in enumerate(self._deals):
            fillings = [
                dict.fromkeys(
                    combinations(
                        [n for n in fitting for _ in range(self._counts[n])], pieces
                    )
                )
                for pieces, fitting in deal.parts
            ]
            if len(fillings) == 1:
                whole: Iterator[tuple[int, ...]] = iter(fillings[0])
            else:
                whole = iter(
                    dict.fromkeys(
                        tuple(sorted(sum(parts, ()))) for parts in product(*fillings)
                    )
                )
            for numbers in whole:
                gain = _gain(self._kinds, deal.offer, numbers)
                if gain > 0:
                    ways.append((gain, number, numbers))
        return ways

    def _piece_bounds(self) -> list[int]:
        """Share each way's gain among its pieces by price; keep the highest share."""
        prices = [kind.price_minor for kind in self._kinds]
        bounds = [0] * len(prices)
        for gain, _, numbers in self._ways:
            whole = sum(prices[n] for n in numbers)
            for n in numbers:
                share = -(-gain * prices[n] * _SCALE // whole)
                if share > bounds[n]:
                    bounds[n] = share
        return bounds
