"""The offers that run for a basket, and which goods each of them could take.

Made once for a basket (its start, its coupons) and asked for every line. Sorts
pieces into kinds and kinds into groups that must be decided together; the deciding
is `offer_choice.py`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from kiosk.domain.basket import LineItem
from kiosk.domain.offer_choice import Deal, DealKey, Kind, Link, off_piece
from kiosk.domain.promotion import (
    AmountOff,
    BasketOffer,
    Bundle,
    Coupon,
    MixAndMatch,
    NForM,
    NthOff,
    Offer,
    PercentOff,
    Threshold,
    UnitOffer,
    names_goods,
    runs,
)

# More pieces than a basket can hold: an offer without a limit.
_UNLIMITED = 1 << 30


class Running:
    """The offers of one basket, by what they name. Never changed once made."""

    def __init__(
        self, offers: Iterable[Offer], at_ms: int, coupons: tuple[str, ...]
    ) -> None:
        self.by_piece: list[UnitOffer] = []
        self.by_basket: list[BasketOffer] = []
        self._uses: list[int] = []
        # Item or group -> (place in by_piece, part of a bundle).
        self._of_item: dict[str, list[tuple[int, int]]] = {}
        self._of_group: dict[str, list[tuple[int, int]]] = {}
        for offer in sorted(offers, key=lambda offer: offer.offer_id):
            scans = coupons.count(offer.code) if isinstance(offer, Coupon) else 1
            if not runs(offer, at_ms) or not scans:
                continue
            match offer:
                case Threshold():
                    self.by_basket.append(offer)
                case Coupon() if not names_goods(offer):
                    self.by_basket.append(offer)
                case Coupon():
                    self._add(offer, min(scans, offer.limit or scans))
                case _:
                    self._add(offer, offer.limit or _UNLIMITED)

    def _add(self, offer: UnitOffer, uses: int) -> None:
        place = len(self.by_piece)
        self.by_piece.append(offer)
        self._uses.append(uses)
        for part, about in enumerate(
            offer.parts if isinstance(offer, Bundle) else (offer,)
        ):
            for item_id in about.item_ids:
                self._of_item.setdefault(item_id, []).append((place, part))
            for group in about.offer_groups:
                self._of_group.setdefault(group, []).append((place, part))

    def kind(self, line: LineItem, price_minor: int) -> Kind:
        """Return the kind of a line's pieces of that price."""
        fitting = set(self._of_item.get(line.item_id, ()))
        for group in line.offer_groups:
            fitting.update(self._of_group.get(group, ()))
        grams = max(line.weight_grams, 0) if line.weighed else -1
        base, base_minor = -1, 0
        links: list[Link] = []
        for place, part in sorted(fitting):
            match offer := self.by_piece[place]:
                case PercentOff() | AmountOff() | Coupon():
                    off_minor = off_piece(offer, price_minor, grams)
                    if off_minor and self._uses[place] < _UNLIMITED:
                        links.append(((place, ""), part))
                    elif off_minor > base_minor:
                        base, base_minor = place, off_minor
                case NForM() if not line.weighed:
                    links.append(((place, line.item_id), part))
                case MixAndMatch() | Bundle() | NthOff() if not line.weighed:
                    links.append(((place, ""), part))
                case _:
                    pass
        groups = tuple(sorted(line.offer_groups))
        order = (-price_minor, line.item_id, grams, line.tax_class, groups)
        return Kind(
            line.item_id,
            price_minor,
            grams,
            line.tax_class,
            base,
            base_minor,
            tuple(links),
            order,
        )

    def groups(self, counts: Mapping[Kind, int]) -> list[list[Kind]]:
        """Return the groups of kinds that must be decided together.

        Kinds that no deal can be given for are in none: a deal that these pieces
        cannot fill joins nothing.
        """
        filled = self._filled(counts)
        root: dict[DealKey, DealKey] = {deal: deal for deal in filled}
        first: dict[Kind, DealKey] = {}
        for kind in counts:
            for deal, _ in kind.links:
                if deal in filled:
                    top = _top(deal, root)
                    if kind in first:
                        root[top] = _top(first[kind], root)
                    else:
                        first[kind] = top
        groups: dict[DealKey, list[Kind]] = {}
        for kind, deal in first.items():
            groups.setdefault(_top(deal, root), []).append(kind)
        return list(groups.values())

    def deals(self, kinds: Sequence[Kind], counts: Mapping[Kind, int]) -> list[Deal]:
        """Return the deals to be had for one group's kinds, numbered as given."""
        parts: dict[DealKey, list[tuple[int, list[int]]]] = {
            deal: [(pieces, []) for pieces in self._pieces(deal)]
            for deal in sorted(self._filled(counts))
        }
        for number, kind in enumerate(kinds):
            for deal, part in kind.links:
                if deal in parts:
                    parts[deal][part][1].append(number)
        return [
            Deal(
                deal[0],
                self.by_piece[deal[0]],
                tuple((pieces, tuple(numbers)) for pieces, numbers in fillings),
                self._uses[deal[0]],
            )
            for deal, fillings in parts.items()
        ]

    def _filled(self, counts: Mapping[Kind, int]) -> set[DealKey]:
        there: dict[Link, int] = {}
        for kind, count in counts.items():
            for link in kind.links:
                there[link] = there.get(link, 0) + count
        return {
            deal
            for deal in {deal for deal, _ in there}
            if all(
                there.get((deal, part), 0) >= pieces
                for part, pieces in enumerate(self._pieces(deal))
            )
        }

    def _pieces(self, deal: DealKey) -> tuple[int, ...]:
        match offer := self.by_piece[deal[0]]:
            case NForM() | MixAndMatch():
                return (offer.pieces,)
            case NthOff():
                return (offer.nth,)
            case Bundle():
                return tuple(part.pieces for part in offer.parts)
            case PercentOff() | AmountOff() | Coupon():
                return (1,)


def _top(deal: DealKey, root: dict[DealKey, DealKey]) -> DealKey:
    while root[deal] != deal:
        root[deal] = root[root[deal]]
        deal = root[deal]
    return deal
