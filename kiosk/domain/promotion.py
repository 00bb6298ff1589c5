"""Offers: what a shop promises its shoppers, as dated data.

How offers meet, by kind:

- By the piece (`PercentOff`, `AmountOff`, `NForM`, `MixAndMatch`, `Bundle`,
  `NthOff`, and a `Coupon` that names goods): each piece of a line takes part in at
  most one of them; of all ways the cheapest for the shopper is taken.
- By the basket (`Threshold`, and a `Coupon` that names no goods): afterwards, off
  what is then left to pay. One of them, the best; those marked `stackable` follow it,
  percentages before amounts. What must be reached (`from_minor`) is counted at
  prices before offers: counted after them, one more offer could raise the total.

Deposits are never discounted. A weighed line is one piece; it takes part in
percentages and in amounts per kilogram, and in nothing that counts pieces.
A `limit` is how often an offer is given in one basket; 0 is without limit.
Says nothing of which goods get which offer (`offer_choice.py`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

import msgspec

from kiosk.domain.tax import MILLION


class PercentOff(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag="percent_off",
):
    """A part off every piece, each rounded by itself. 100000 ppm is 10 %."""

    offer_id: str
    description: dict[str, str]
    off_ppm: int
    item_ids: tuple[str, ...] = ()
    offer_groups: tuple[str, ...] = ()
    starts_ms: int | None = None
    ends_ms: int | None = None
    limit: int = 0


class AmountOff(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag="amount_off",
):
    """An amount off every piece or, `per_kilogram`, off weighed goods."""

    offer_id: str
    description: dict[str, str]
    off_minor: int
    per_kilogram: bool = False
    item_ids: tuple[str, ...] = ()
    offer_groups: tuple[str, ...] = ()
    starts_ms: int | None = None
    ends_ms: int | None = None
    limit: int = 0


class NForM(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag="n_for_m",
):
    """`pieces` of the same item for the price of `pay`. The limit is per item."""

    offer_id: str
    description: dict[str, str]
    pieces: int
    pay: int
    item_ids: tuple[str, ...] = ()
    offer_groups: tuple[str, ...] = ()
    starts_ms: int | None = None
    ends_ms: int | None = None
    limit: int = 0


class MixAndMatch(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag="mix_and_match",
):
    """Any `pieces` of the goods named: for one price, or for the price of `pay`.

    Exactly one of the two is given. With `pay` the cheapest pieces are free.
    """

    offer_id: str
    description: dict[str, str]
    pieces: int
    price_minor: int | None = None
    pay: int | None = None
    item_ids: tuple[str, ...] = ()
    offer_groups: tuple[str, ...] = ()
    starts_ms: int | None = None
    ends_ms: int | None = None
    limit: int = 0


class Part(msgspec.Struct, frozen=True, omit_defaults=True, forbid_unknown_fields=True):
    """So many pieces of these goods, as part of a bundle."""

    item_ids: tuple[str, ...] = ()
    offer_groups: tuple[str, ...] = ()
    pieces: int = 1


class Bundle(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag="bundle",
):
    """One of each part together for one price: sandwich, drink and fruit."""

    offer_id: str
    description: dict[str, str]
    parts: tuple[Part, ...]
    price_minor: int
    starts_ms: int | None = None
    ends_ms: int | None = None
    limit: int = 0


class NthOff(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag="nth_off",
):
    """Of every `nth` pieces the cheapest is discounted: the second at half price."""

    offer_id: str
    description: dict[str, str]
    nth: int
    off_ppm: int
    item_ids: tuple[str, ...] = ()
    offer_groups: tuple[str, ...] = ()
    starts_ms: int | None = None
    ends_ms: int | None = None
    limit: int = 0


class Threshold(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag="threshold",
):
    """An amount or a part off the goods named, once they reach `from_minor`.

    Naming none means all goods but deposits. One of the two offs is given.
    """

    offer_id: str
    description: dict[str, str]
    from_minor: int
    off_minor: int = 0
    off_ppm: int = 0
    stackable: bool = False
    item_ids: tuple[str, ...] = ()
    offer_groups: tuple[str, ...] = ()
    starts_ms: int | None = None
    ends_ms: int | None = None


class Coupon(
    msgspec.Struct,
    frozen=True,
    kw_only=True,
    omit_defaults=True,
    forbid_unknown_fields=True,
    tag="coupon",
):
    """An offer that starts with the scan of its code.

    Naming goods it takes an amount or a part off one piece for each scan, `limit`
    times at most. Naming none it is a `Threshold` for the whole basket, and
    `from_minor` and `stackable` say how; however often it is scanned, it counts once.
    """

    offer_id: str
    description: dict[str, str]
    code: str
    off_minor: int = 0
    off_ppm: int = 0
    from_minor: int = 0
    stackable: bool = False
    item_ids: tuple[str, ...] = ()
    offer_groups: tuple[str, ...] = ()
    starts_ms: int | None = None
    ends_ms: int | None = None
    limit: int = 1


# What names its goods itself; a bundle's parts do.
Naming: TypeAlias = (
    PercentOff | AmountOff | NForM | MixAndMatch | NthOff | Threshold | Coupon | Part
)
BasketOffer: TypeAlias = Threshold | Coupon
UnitOffer: TypeAlias = (
    PercentOff | AmountOff | NForM | MixAndMatch | Bundle | NthOff | Coupon
)
Offer: TypeAlias = (
    PercentOff | AmountOff | NForM | MixAndMatch | Bundle | NthOff | Threshold | Coupon
)


def names_goods(about: Naming) -> bool:
    """Is this about goods it names, rather than about all?"""
    return bool(about.item_ids or about.offer_groups)


def takes(offer: BasketOffer, item_id: str, offer_groups: tuple[str, ...]) -> bool:
    """Does an offer name goods of this name or one of these groups?"""
    return item_id in offer.item_ids or not set(offer.offer_groups).isdisjoint(
        offer_groups
    )


def runs(offer: Offer, at_ms: int) -> bool:
    """Is this within the offer's dates? The start is in, the end is out."""
    return (offer.starts_ms is None or offer.starts_ms <= at_ms) and (
        offer.ends_ms is None or at_ms < offer.ends_ms
    )


def coupon_of(code: str, offers: Iterable[Offer], at_ms: int) -> Coupon | None:
    """Return the coupon that runs under this code, for the lane to accept a scan."""
    for offer in offers:
        if isinstance(offer, Coupon) and offer.code == code and runs(offer, at_ms):
            return offer
    return None


def problems(offers: tuple[Offer, ...]) -> tuple[str, ...]:
    """Return what is wrong with the offers, in the operator's words."""
    found = []
    ids = [offer.offer_id for offer in offers]
    for offer_id in sorted({name for name in ids if ids.count(name) > 1}):
        found.append(f"offer {offer_id!r} is there more than once")
    for offer in offers:
        found += [f"offer {offer.offer_id!r}: {wrong}" for wrong in _wrongs(offer)]
    return tuple(found)


def _wrongs(offer: Offer) -> list[str]:
    wrongs = []
    if not any(offer.description.values()):
        wrongs.append("has no description, so the receipt cannot say why")
    starts, ends = offer.starts_ms, offer.ends_ms
    if starts is not None and ends is not None and ends <= starts:
        wrongs.append("ends before it starts")
    match offer:
        case PercentOff() | NthOff():
            wrongs += _off(0, offer.off_ppm)
            if isinstance(offer, NthOff) and offer.nth < 1:
                wrongs.append(f"nth is {offer.nth}, expected 1 or more")
        case AmountOff():
            wrongs += _off(offer.off_minor, 0)
        case NForM():
            wrongs += _paid(offer.pieces, offer.pay)
        case MixAndMatch():
            if (offer.price_minor is None) == (offer.pay is None):
                wrongs.append("expected either price_minor or pay")
            elif offer.pay is not None:
                wrongs += _paid(offer.pieces, offer.pay)
            wrongs += _price(offer.price_minor or 0)
            wrongs += _pieces(offer.pieces)
        case Bundle():
            wrongs += _price(offer.price_minor)
            if not offer.parts:
                wrongs.append("has no parts")
            for part in offer.parts:
                wrongs += _pieces(part.pieces)
                if not names_goods(part):
                    wrongs.append("a part names no items and no groups")
        case Threshold():
            wrongs += _off(offer.off_minor, offer.off_ppm)
            if offer.from_minor < 0:
                wrongs.append(f"from_minor is {offer.from_minor}, expected 0 or more")
        case Coupon():
            wrongs += _off(offer.off_minor, offer.off_ppm)
            if not offer.code:
                wrongs.append("is a coupon without a code")
            if names_goods(offer) and (offer.from_minor or offer.stackable):
                wrongs.append("from_minor and stackable are for the whole basket")
    if not isinstance(offer, Bundle | Threshold | Coupon) and not names_goods(offer):
        wrongs.append("names no items and no groups, so it is for nothing")
    if not isinstance(offer, Threshold) and offer.limit < 0:
        wrongs.append(f"limit is {offer.limit}, expected 0 (none) or more")
    return wrongs


def _off(off_minor: int, off_ppm: int) -> list[str]:
    if (off_minor > 0) == (off_ppm > 0) or off_minor < 0 or off_ppm < 0:
        return ["expected an amount (off_minor) or a part (off_ppm) above 0"]
    if off_ppm > MILLION:
        return [f"off_ppm is {off_ppm}, more than all of it (1000000)"]
    return []


def _paid(pieces: int, pay: int) -> list[str]:
    if not 0 <= pay < pieces:
        return [f"{pieces} for the price of {pay} is no offer"]
    return []


def _pieces(pieces: int) -> list[str]:
    return [] if pieces >= 1 else [f"pieces is {pieces}, expected 1 or more"]


def _price(price_minor: int) -> list[str]:
    return [] if price_minor >= 0 else [f"price_minor is {price_minor}, below 0"]
