"""Looking through the modes that lie over another: PIN pad, attendant, intervention."""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.domain.state import (
    Attending,
    Basket,
    Closed,
    Complete,
    Declined,
    Idle,
    Intervention,
    Mode,
    OutcomeUnknown,
    Paying,
    PinEntry,
    Scanning,
    Servicing,
    Training,
    Weighing,
)


def core(mode: Mode) -> Mode:
    """Return what lies under PIN pad, attendant and intervention."""
    while isinstance(mode, PinEntry | Attending | Servicing | Intervention):
        mode = mode.resume
    return mode


def unattended(mode: Mode) -> Mode:
    """Return what the shopper sees once the attendant has gone."""
    while isinstance(mode, PinEntry | Attending | Servicing):
        mode = mode.resume
    return mode


def intervention(mode: Mode) -> Intervention | None:
    """Return the intervention that is open, under PIN pad and attendant."""
    mode = unattended(mode)
    return mode if isinstance(mode, Intervention) else None


def basket_of(mode: Mode) -> Basket | None:
    """Return the basket that is open, wherever it is."""
    match core(mode):
        case (
            Scanning(basket=basket)
            | Weighing(basket=basket)
            | Paying(basket=basket)
            | OutcomeUnknown(basket=basket)
            | Declined(basket=basket)
        ):
            return basket
        case _:
            return None


def changeable_basket(mode: Mode) -> Basket | None:
    """Return the open basket, unless a payment has frozen it."""
    match core(mode):
        case (
            Scanning(basket=basket) | Weighing(basket=basket) | Declined(basket=basket)
        ):
            return basket
        case _:
            return None


def with_basket(mode: Mode, basket: Basket) -> Mode:
    """Return the same modes over another basket."""
    match mode:
        case PinEntry() | Attending() | Servicing() | Intervention():
            return replace(mode, resume=with_basket(mode.resume, basket))
        case Scanning() | Weighing() | Declined():
            return replace(mode, basket=basket)
        case Closed() | Idle() | Paying() | OutcomeUnknown() | Complete() | Training():
            return mode
