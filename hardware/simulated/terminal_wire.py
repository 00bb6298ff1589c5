"""The words between a lane and the simulated card terminal.

Loopback TCP. Each message is four bytes of length (big endian) and a JSON
object whose `type` names it. The lane speaks first; one connection serves one
question. A payment's connection stays for its dialogue:

    lane       Pay
    terminal   Accepted, or Refused (nothing was kept; the dialogue is over)
    terminal   Moment, as often as the shopper moves on
    terminal   Result, once it is on the terminal's own disk
    lane       Ack, once it is on the lane's disk
    terminal   Confirmed

Cancel gets no answer: the Result tells. Query, Reverse, Refund and AskMark are
answered by Found, Undone, Undone and Mark. A link that breaks changes nothing at
the terminal: the payment goes on there, and Query tells how it ended.
"""

from __future__ import annotations

from enum import Enum
from typing import TypeAlias

import msgspec

from hardware.ports import (
    Attempt,
    PayResult,
    QueryResult,
    TerminalMoment,
    Watermark,
)


class _Word(msgspec.Struct, frozen=True, tag=True, tag_field="type"):
    """One message."""


# -- lane to terminal --------------------------------------------------------


class AskMark(_Word, frozen=True):
    """Who are you, and what did you store last?"""


class Pay(_Word, frozen=True):
    """Take a payment."""

    attempt: Attempt


class Ack(_Word, frozen=True):
    """The result is on the lane's disk."""

    attempt_id: str


class Cancel(_Word, frozen=True):
    """Stop waiting for a card, if you still do."""

    attempt_id: str


class Query(_Word, frozen=True):
    """How did it end?"""

    attempt: Attempt


class Reverse(_Word, frozen=True):
    """Undo a payment."""

    attempt: Attempt
    reversal_id: str


class Refund(_Word, frozen=True):
    """Give money of a payment back."""

    attempt: Attempt
    amount_minor: int
    refund_id: str


ToTerminal: TypeAlias = AskMark | Pay | Ack | Cancel | Query | Reverse | Refund

# -- terminal to lane --------------------------------------------------------


class Mark(_Word, frozen=True):
    """The terminal's identity and newest transaction."""

    watermark: Watermark


class Accepted(_Word, frozen=True):
    """The payment has begun."""

    attempt_id: str


class Refusal(Enum):
    """Why a payment was not begun."""

    BUSY = "busy"
    WRONG_TERMINAL = "wrong terminal"
    BAD_AMOUNT = "bad amount"
    ID_REUSED = "this id was used with another amount"
    REVERSED = "reversed for want of an acknowledgement"


class Refused(_Word, frozen=True):
    """The terminal did not do it."""

    attempt_id: str
    why: Refusal


class Moment(_Word, frozen=True):
    """The shopper moved on."""

    attempt_id: str
    moment: TerminalMoment


class Result(_Word, frozen=True):
    """How the payment ended."""

    attempt_id: str
    result: PayResult


class Confirmed(_Word, frozen=True):
    """The acknowledgement arrived; the dialogue is over."""

    attempt_id: str


class Found(_Word, frozen=True):
    """The answer to a query."""

    answer: QueryResult


class Undone(_Word, frozen=True):
    """How a reversal or refund ended."""

    result: PayResult


ToLane: TypeAlias = (
    Mark | Accepted | Refused | Moment | Result | Confirmed | Found | Undone
)
