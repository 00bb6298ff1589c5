"""What a Mettler Toledo 8217 scale, or one that speaks as it does, says. Pure.

The lane asks with W; the scale answers STX, five digits with a decimal point and CR,
or STX ? status CR while there is no weight to tell (Brecknell 67XX service manual,
table 7.6, describes the same wire). No answer carries a price.
"""

from __future__ import annotations

import re
from typing import TypeAlias

import msgspec

ASK_WEIGHT = b"W"
_STX, _CR = 0x02, 0x0D
_LONGEST_ANSWER = 32
# Kilograms have three decimals; pounds have two, and no shop of ours sells by them.
_KILOGRAMS = re.compile(rb" *(\d{1,3})\.(\d{3})(N?)")
_POUNDS = re.compile(rb" *\d{1,3}\.\d{2}N?")

_MOTION, _OVER, _UNDER, _NET = 0x01, 0x02, 0x04, 0x20


class Settled(msgspec.Struct, frozen=True):
    """The scale is steady. `is_net`: a tare was taken off by the scale itself."""

    grams: int
    is_net: bool = False


class Moving(msgspec.Struct, frozen=True):
    """Something on the plate still moves."""


class Trouble(msgspec.Struct, frozen=True):
    """There is no weight to tell. `cause` in the technician's words."""

    cause: str


class NoAnswer(msgspec.Struct, frozen=True):
    """What came is none of this scale's answers."""

    cause: str


Answer: TypeAlias = Settled | Moving | Trouble | NoAnswer


def split(received: bytes) -> tuple[list[bytes], bytes]:
    """Cut received bytes into answers without STX and CR, and the unfinished rest.

    Parity is the port's; what stands before an STX is noise and dropped.
    """
    *whole, rest = received.split(bytes([_CR]))
    found = [part.rsplit(bytes([_STX]), 1)[1] for part in whole if _STX in part]
    rest = rest[rest.rindex(_STX) :] if _STX in rest else b""
    return found, rest if len(rest) <= _LONGEST_ANSWER else b""


def read(answer: bytes) -> Answer:
    """Return what one answer says."""
    if weight := _KILOGRAMS.fullmatch(answer):
        whole, part, net = weight.groups()
        return Settled(int(whole) * 1000 + int(part), net == b"N")
    if _POUNDS.fullmatch(answer):
        return Trouble("set to pounds; set it to kilograms with three decimals")
    if answer[:1] == b"?" and len(answer) >= 2:
        return _status(answer[1])
    return NoAnswer("an answer of another kind of scale")


def _status(status: int) -> Answer:
    if status & _OVER:
        return Trouble("more on it than it can weigh")
    if status & _UNDER:
        return Trouble("under zero: clear the plate, or set it to zero")
    if status & _MOTION:
        return Moving()
    if status & _NET:
        return Trouble("a tare is set at the scale; take it off there")
    return Trouble("no weight to tell")
