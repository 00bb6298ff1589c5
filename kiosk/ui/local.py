"""What the screen itself remembers and no journal ever sees: the open panel, typed
digits, the chosen line. Pure; the catalogue is asked through `Browse`.
"""

from __future__ import annotations

from typing import Protocol

import msgspec

from kiosk.domain.catalog import Item
from kiosk.domain.network import NetworkSetting
from kiosk.domain.state import (
    Attending,
    Lane,
    PinEntry,
    Scanning,
    Servicing,
    Training,
)

TILES = 12
RESULTS = 6


class Browse(Protocol):
    """The catalogue, as far as a shopper may leaf through it."""

    def pages(self) -> list[str]:
        """Return the produce pages, in the shop's order."""

    def produce_page(self, page: str) -> list[Item]:
        """Return the items of one page, in the shop's order."""

    def search(self, text: str, language: str, limit: int) -> list[Item]:
        """Return the items that match, best first."""

    def item(self, item_id: str) -> Item | None:
        """Return one item."""


class Local(msgspec.Struct, frozen=True, omit_defaults=True):
    """The screen's own state over the lane's mode.

    `panel` is what is open over the mode, empty for the mode itself; `chosen` the
    line, sale, basket or attempt it is about; `todo` what will be done with it;
    `first` the first row shown of a long list. `pages` and `items` are what the
    catalogue answered (`stocked`); `network` is what is being typed for a card.
    """

    panel: str = ""
    page: str = ""
    pages: tuple[str, ...] = ()
    items: tuple[Item, ...] = ()
    typed: str = ""
    number: str = ""
    pin: str = ""
    chosen: str = ""
    todo: str = ""
    reason: str = ""
    first: int = 0
    network: NetworkSetting = NetworkSetting()

    def __repr__(self) -> str:
        # A PIN in a traceback would be a PIN in the journal of the system.
        return f"Local(panel={self.panel!r}, chosen={self.chosen!r})"


def stocked(local: Local, catalog: Browse, language: str) -> Local:
    """Return `local` with what the catalogue has for its panel."""
    if local.panel == "produce":
        pages = tuple(catalog.pages())
        page = local.page or (pages[0] if pages else "")
        items = tuple(catalog.produce_page(page)) if page else ()
        return msgspec.structs.replace(local, pages=pages, page=page, items=items)
    if local.panel in {"search", "check"}:
        typed = local.typed.strip()
        items = tuple(catalog.search(typed, language, RESULTS)) if typed else ()
        return msgspec.structs.replace(local, items=items)
    return local


def follow(local: Local, before: Lane, after: Lane) -> Local:
    """Return what is left of `local` when the lane went from one state to another.

    A panel belongs to the mode it was opened over; a new line closes it, because
    what it was opened for has happened.
    """
    old, new = _inner(before), _inner(after)
    if type(old.mode) is not type(new.mode):
        return Local()
    match old.mode, new.mode:
        case Scanning(basket=was), Scanning(basket=now):
            if len(now.lines) > len(was.lines) and local.panel != "remove":
                return Local()
            if local.panel == "remove" and len(now.lines) != len(was.lines):
                return Local(panel="remove") if now.standing else Local()
            return local
        case PinEntry(trouble=was_trouble), PinEntry(trouble=trouble):
            if trouble != was_trouble and trouble in {"wrong", "locked"}:
                return msgspec.structs.replace(local, pin="")
            return local
        case Attending() as was_on, Attending() as now_on if was_on != now_on:
            return Local()
        case Servicing() as was_at, Servicing() as now_at if was_at != now_at:
            return Local()
        case _ if old.open_items != new.open_items:
            return Local()
        case _:
            return local


def left(lane: Lane) -> Local:
    """Return what a panel becomes that nobody touched for long: gone.

    The service screen goes to its first section, not to what came of a deed: that was
    read before the panel was opened.
    """
    at_service = isinstance(_inner(lane).mode, Servicing)
    return Local(panel="service_system") if at_service else Local()


def _inner(lane: Lane) -> Lane:
    return _inner(lane.mode.lane) if isinstance(lane.mode, Training) else lane
