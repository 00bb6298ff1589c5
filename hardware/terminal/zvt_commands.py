"""What the lane says to a ZVT terminal. Pure.

card-terminals.md 5.1 and 5.2. There is no way to send card data: no function here
takes any.
"""

from __future__ import annotations

from hardware.terminal.zvt_apdu import Apdu
from hardware.terminal.zvt_fields import packed

# The lane composes receipts from 04 0F itself, wants to hear where the shopper is,
# allows no amount entry and no admin functions at the terminal (2 + 4 + 8 + 10 + 20).
CONFIG_COMPOSED = 0x3E
# The same, and the terminal sends its receipts' lines (80 instead of 40).
CONFIG_PRINTED = 0xBE
# Ready to be asked for a signature: no. The terminal decides how to pay (19 40).
_PT_DECIDES = b"\x19\x40"
_NO_SERVICE_MENU = b"\x03\x03"
_TLV_EMPTY = b"\x06\x00"
# Only print blocks and lines may come from the terminal's side: 26{0A 06D3}.
_TLV_BLOCK_PRINT = bytes.fromhex("06062604 0A0206D3".replace(" ", ""))

ACK = Apdu(0x8000)
# Not possible: for a command of the terminal that the lane does not know.
REFUSE = Apdu(0x8483)


class Password:
    """A terminal's six-digit password. Never shown, never logged."""

    def __init__(self, digits: str) -> None:
        if len(digits) != 6 or not digits.isdecimal() or not digits.isascii():
            raise ValueError("a ZVT password has six digits")
        self._digits = digits

    def __repr__(self) -> str:
        return "Password(******)"

    @property
    def packed(self) -> bytes:
        """The password as three bytes of packed decimal."""
        return bytes.fromhex(self._digits)


def registration(password: Password, currency_code: int, *, prints: bool) -> Apdu:
    """06 00: who the lane is and how it wants to talk."""
    config = CONFIG_PRINTED if prints else CONFIG_COMPOSED
    tail = _TLV_BLOCK_PRINT if prints else _TLV_EMPTY
    return Apdu(
        0x0600,
        password.packed
        + bytes([config])
        + packed(currency_code, 2)
        + _NO_SERVICE_MENU
        + tail,
    )


def authorise(amount_minor: int, currency_code: int) -> Apdu:
    """06 01: take this much."""
    return Apdu(0x0601, _amount(amount_minor) + _currency(currency_code) + _PT_DECIDES)


def abort() -> Apdu:
    """06 B0: stop waiting for a card, if you still do."""
    return Apdu(0x06B0)


def repeat(password: Password) -> Apdu:
    """06 20: tell the last transaction again, on no paper."""
    return Apdu(0x0620, password.packed + b"\x03\x03")


def reversal(
    password: Password, receipt: int, amount_minor: int, currency_code: int
) -> Apdu:
    """06 30: undo the payment of that receipt number, before the end of day."""
    return Apdu(
        0x0630,
        password.packed
        + b"\x87"
        + packed(receipt, 2)
        + _amount(amount_minor)
        + _currency(currency_code),
    )


def end_of_day(password: Password) -> Apdu:
    """06 50: close the day at the terminal."""
    return Apdu(0x0650, password.packed)


def status_enquiry(password: Password) -> Apdu:
    """05 01: how are you?"""
    return Apdu(0x0501, password.packed + b"\x03\x07")


def diagnosis() -> Apdu:
    """06 70: call your host."""
    return Apdu(0x0670)


def initialisation(password: Password) -> Apdu:
    """06 93: begin anew, where the terminal asks for it."""
    return Apdu(0x0693, password.packed)


def _amount(minor: int) -> bytes:
    return b"\x04" + packed(minor, 6)


def _currency(code: int) -> bytes:
    return b"\x49" + packed(code, 2)
