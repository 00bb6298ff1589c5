"""What a scan, a pick or a keyed number means, as an event: the label is read, the
catalogue asked, the price of this minute taken.

Decides nothing about the sale: an item past its date is found all the same, and the
lane says what follows. Free text from a label goes nowhere but into a reason.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from datetime import UTC, date, datetime
from typing import Protocol
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from hardware.ports import Scan
from kiosk.asked import Asked, CodeTyped, DeedAsked, ItemPicked, PinGiven, ResumeAsked
from kiosk.domain.barcode import left_pad_gtin, parse
from kiosk.domain.basket import LineItem
from kiosk.domain.catalog import Item, line_of
from kiosk.domain.events import (
    BasketResumed,
    CouponScanned,
    Event,
    ItemFound,
    ItemUnknown,
    LabelUnreadable,
    PinTried,
    ServiceAsked,
)
from kiosk.domain.label import (
    CountedItem,
    Coupon,
    Gtin,
    LabelRules,
    Other,
    PricedItem,
    Unreadable,
    WeighedItem,
)
from kiosk.domain.money import divide_half_up
from kiosk.domain.service import RESET
from kiosk.domain.state import Attending, Lane

# What the barcode on the slip of a suspended basket begins with; its code follows.
SLIP_PREFIX = b"SUSPENDED-"
# The largest count a label may claim; more is a misread, not a purchase.
_LARGEST_COUNT = 99
# A GTIN's digits; more is not a number that anything is sold by.
_LONGEST_NUMBER = 14


class Catalog(Protocol):
    """What is asked of the catalogue. Answers in microseconds."""

    def item(self, item_id: str) -> Item | None: ...

    def by_plu(self, plu: str) -> Item | None: ...

    def recalled(self, item_id: str, batch: str) -> bool: ...


class Resolver:
    """Makes events of what scanners and screens ask. Used by the lane's thread.

    `pins` keeps a PIN in memory under a nonce until it is checked; `unsent_sales`
    counts what the back office is not known to hold, -1 where that cannot be counted.
    """

    def __init__(
        self,
        catalog: Catalog,
        labels: LabelRules,
        timezone: str,
        pins: PinVault,
        unsent_sales: Callable[[], int] = lambda: -1,
    ) -> None:
        self._catalog = catalog
        self._labels = labels
        self._zone = ZoneInfo(timezone)
        self._pins = pins
        self._unsent_sales = unsent_sales

    def __call__(self, asked: Asked, lane: Lane, now_ms: int) -> Event | None:
        """Return the event, or None where there is nothing to tell."""
        # A clock behind the last entry proves nothing: prices stay as last known.
        at_ms = now_ms if lane.is_clock_trusted else max(now_ms, lane.last_ms)
        today = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(self._zone).date()
        match asked:
            case Scan():
                if asked.data.startswith(SLIP_PREFIX):
                    return self(_slip(asked, lane), lane, now_ms)
                currency = lane.rules.pricing.currency if lane.rules else ""
                return self._scan(asked, at_ms, today, currency)
            case ItemPicked(item_id=item_id, quantity=quantity):
                item = self._catalog.item(item_id)
                return self._found(item, item_id, at_ms, quantity=quantity)
            case CodeTyped(code=code):
                return self._typed(code.strip(), at_ms)
            case PinGiven(attendant=attendant, pin=pin):
                nonce = secrets.token_hex(8)
                self._pins.keep(nonce, pin)
                return PinTried(attendant[:12], nonce)
            case DeedAsked(deed=deed, attendant=attendant, network=network):
                unsent = self._unsent_sales() if deed == RESET else 0
                return ServiceAsked(deed, attendant, network, unsent)
            case ResumeAsked(suspended_seq=seq, attendant=attendant):
                recalled = tuple(
                    line.line_no
                    for basket in lane.suspended
                    if basket.suspended_seq == seq
                    for line in basket.basket.standing
                    if self._catalog.recalled(line.item_id, line.batch)
                )
                return BasketResumed(seq, attendant, today.isoformat(), recalled)

    def _typed(self, code: str, at_ms: int) -> Event:
        if not (code.isascii() and code.isdigit() and len(code) <= _LONGEST_NUMBER):
            return LabelUnreadable("what was typed is no number")
        item = self._catalog.by_plu(code)
        if item is None and (gtin := left_pad_gtin(code)):
            item = self._catalog.item(gtin)
        return self._found(item, code, at_ms)

    def _scan(self, scan: Scan, at_ms: int, day: date, currency: str) -> Event:
        label = parse(scan.data, scan.symbology, self._labels, year=day.year)
        today = day.isoformat()
        match label:
            case Gtin(price_currency=other) if other not in ("", currency):
                return LabelUnreadable(f"a price in {other}")
            case Gtin(count=int(count)) | CountedItem(count=count) if (
                count > _LARGEST_COUNT
            ):
                return LabelUnreadable(f"a count of {count}")
            case Gtin():
                return self._gtin(label, at_ms, today)
            case PricedItem(gtin=gtin, price_minor=minor):
                item = self._catalog.item(gtin)
                found = self._found(item, gtin, at_ms, today=today, price_minor=minor)
                return _with_label_price(found, minor)
            case WeighedItem(gtin=gtin, weight_grams=grams):
                found = self._found(self._catalog.item(gtin), gtin, at_ms, today=today)
                return _with_label_weight(found, grams)
            case CountedItem(gtin=gtin, count=count):
                item = self._catalog.item(gtin)
                count = max(count, 1)
                return self._found(item, gtin, at_ms, today=today, quantity=count)
            case Coupon(code=code):
                return CouponScanned(code)
            case Other(text=text, alternatives=alternatives):
                for name in (text, *alternatives):
                    if item := self._catalog.item(name):
                        return self._found(item, name, at_ms, today=today)
                return LabelUnreadable("no item of this shop")
            case Unreadable(reason=reason):
                return LabelUnreadable(reason)

    def _gtin(self, label: Gtin, at_ms: int, today: str) -> Event:
        for number in (label.gtin, *label.alternatives):
            if item := self._catalog.item(number):
                break
        found = self._found(
            item,
            label.gtin,
            at_ms,
            today=today,
            batch=label.batch,
            expires_on=label.expires_on,
            quantity=max(label.count or 1, 1),
            price_minor=label.price_minor,
        )
        if label.price_minor is not None:
            return _with_label_price(found, label.price_minor)
        if label.weight_grams is not None:
            return _with_label_weight(found, label.weight_grams)
        return found

    def _found(
        self,
        item: Item | None,
        name: str,
        at_ms: int,
        *,
        today: str = "",
        quantity: int = 1,
        batch: str = "",
        expires_on: str = "",
        price_minor: int | None = None,
    ) -> ItemFound | ItemUnknown:
        # A price on the label needs none in the catalogue.
        price = price_minor
        if item and price is None:
            price = item.price_at(at_ms)
        if item is None or (price is None and not item.not_for_sale):
            return ItemUnknown(name)
        line = replace(
            line_of(item, price or 0, 1 if item.weighed else quantity),
            label=name,
            batch=batch,
            expires_on=expires_on,
        )
        return ItemFound(
            line,
            deposit=self._deposit(item, at_ms, quantity),
            recalled=self._catalog.recalled(item.item_id, batch),
            today=today,
        )

    def _deposit(self, item: Item, at_ms: int, quantity: int) -> LineItem | None:
        if not item.deposit_item_id:
            return None
        deposit = self._catalog.item(item.deposit_item_id)
        price = deposit.price_at(at_ms) if deposit else None
        if deposit is None or price is None:
            return None
        return replace(line_of(deposit, price, quantity), is_deposit=True)


def _slip(scan: Scan, lane: Lane) -> ResumeAsked:
    """Say which suspended basket a slip asks for, in the name of who is signed on."""
    code = scan.data.removeprefix(SLIP_PREFIX).decode("ascii", "replace").strip()
    found = [s.suspended_seq for s in lane.suspended if s.code == code]
    attendant = lane.mode.attendant if isinstance(lane.mode, Attending) else ""
    return ResumeAsked(found[-1] if found else 0, attendant)


class KnownLabels:
    """Says whether a label names an item, from the one thread that asks.

    `open_catalog` is called on that thread, at its first question: a catalogue is
    used by the thread that opened it.
    """

    def __init__(self, open_catalog: Callable[[], Catalog], labels: LabelRules) -> None:
        self._open_catalog = open_catalog
        self._catalog: Catalog | None = None
        self._labels = labels

    def __call__(self, text: str) -> bool:
        """Return whether the catalogue knows what this label says."""
        if self._catalog is None:
            self._catalog = self._open_catalog()
        match parse(text.encode(), "", self._labels):
            case Gtin(gtin=gtin, alternatives=alternatives):
                names = (gtin, *alternatives)
            case (
                PricedItem(gtin=gtin) | WeighedItem(gtin=gtin) | CountedItem(gtin=gtin)
            ):
                names = (gtin,)
            case Other(text=name, alternatives=alternatives):
                names = (name, *alternatives)
            case Coupon() | Unreadable():
                return False
        return any(self._catalog.item(name) is not None for name in names)


class PinVault:
    """PINs that wait in memory to be checked: each is given out once."""

    def __init__(self) -> None:
        self._pins: dict[str, str] = {}

    def keep(self, nonce: str, pin: str) -> None:
        """Keep the newest PIN only: one pad, one try at a time."""
        self._pins.clear()
        self._pins[nonce] = pin

    def take(self, nonce: str) -> str:
        """Return a PIN and forget it; empty when it is not there any more."""
        return self._pins.pop(nonce, "")


def _with_label_price(found: ItemFound | ItemUnknown, minor: int) -> Event:
    if isinstance(found, ItemUnknown):
        return found
    line = replace(
        found.line,
        weighed=False,
        quantity=1,
        unit_price_minor=minor,
        extended_minor=minor,
        price_source="label",
        # A cut piece: what it weighs stands nowhere.
        piece_grams=0,
    )
    return replace(found, line=line)


def _with_label_weight(found: ItemFound | ItemUnknown, grams: int) -> Event:
    """A label's weight is net: no tare is taken off."""
    if isinstance(found, ItemUnknown) or not found.line.weighed or grams <= 0:
        return found
    line = replace(
        found.line,
        weight_grams=grams,
        extended_minor=divide_half_up(found.line.unit_price_minor * grams, 1000),
        price_source="label",
    )
    return replace(found, line=line)
