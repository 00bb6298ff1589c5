"""What screens and devices post that is not an event yet.

The lane thread turns each into an event with the catalogue, the date and the PIN
check's help (`kiosk.lookup`, `kiosk.runner`). None of these is ever journaled.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from hardware.ports import Scan
from kiosk.domain.network import NetworkSetting


class ItemPicked(msgspec.Struct, frozen=True):
    """An item was chosen on a produce page or in the search."""

    item_id: str
    quantity: int = 1


class CodeTyped(msgspec.Struct, frozen=True):
    """A PLU or GTIN was keyed in."""

    code: str


class PinGiven(msgspec.Struct, frozen=True):
    """An attendant's number and PIN. The PIN is forgotten once it is checked."""

    attendant: str
    pin: str


class ResumeAsked(msgspec.Struct, frozen=True):
    """A suspended basket is to be taken up again."""

    suspended_seq: int
    attendant: str = ""


class DeedAsked(msgspec.Struct, frozen=True):
    """A technician wants a deed done at the service screen."""

    deed: str
    attendant: str
    network: NetworkSetting = NetworkSetting()


Asked: TypeAlias = Scan | ItemPicked | CodeTyped | PinGiven | ResumeAsked | DeedAsked
