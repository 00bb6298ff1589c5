"""Means of payment: what was asked of the card terminal, and how it ended.

The words are those of the terminal's port; the rules about them are in `paying.py`.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from kiosk.domain.basket import LineItem
from kiosk.domain.pricing import Figures


class Outcome(Enum):
    """How one asking ended. UNKNOWN: the card may have been charged."""

    APPROVED = "approved"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    PARTIAL = "partial"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class Answer(Enum):
    """What a terminal says of an earlier attempt."""

    FOUND = "found"
    IN_PROGRESS = "in_progress"
    NOT_RECEIVED = "not_received"
    NOT_CHARGED = "not_charged"
    INDETERMINATE = "indeterminate"
    UNREACHABLE = "unreachable"


class CardResult(msgspec.Struct, frozen=True, omit_defaults=True):
    """How the terminal says it ended, without any card number."""

    outcome: Outcome
    amount_minor: int = 0
    currency: str = ""
    auth_code: str = ""
    reference: str = ""
    masked_pan: str = ""
    brand: str = ""
    approved_offline: bool = False
    receipt_lines: tuple[str, ...] = ()
    merchant_lines: tuple[str, ...] = ()
    # Why nothing was charged where neither bank nor shopper said no (`TerminalError`).
    error: str = ""
    # Pretended in a training: no money, also when it comes after the training.
    is_training: bool = False


class Tender(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is to be paid, pinned: the lines and figures the shopper was shown."""

    attempt_id: str
    basket_id: str
    lines: tuple[LineItem, ...]
    figures: Figures

    @property
    def amount_minor(self) -> int:
        return self.figures.total_minor


class Stage(Enum):
    """Where an attempt stands in the ledger.

    ASKED, UNKNOWN, APPROVED and REVERSING are open: something is still owed. The
    others are ends. NOT_PAID, AT_TILL and ELSEWHERE are decisions of a person; TO_CHECK
    waits for one.
    """

    ASKED = "asked"
    UNKNOWN = "unknown"
    APPROVED = "approved"
    TO_CHECK = "to_check"
    REVERSING = "reversing"
    SOLD = "sold"
    REFUNDING = "refunding"
    REVERSED = "reversed"
    REFUNDED = "refunded"
    DECLINED = "declined"
    NOT_PAID = "not_paid"
    AT_TILL = "at_till"
    ELSEWHERE = "elsewhere"

    @property
    def is_open(self) -> bool:
        """Is an answer of the terminal still awaited?"""
        return self in _OPEN


_OPEN = frozenset(
    {
        Stage.ASKED,
        Stage.UNKNOWN,
        Stage.APPROVED,
        Stage.REVERSING,
        Stage.REFUNDING,
    }
)


class Attempt(msgspec.Struct, frozen=True, omit_defaults=True):
    """One asking of the card terminal, in the ledger by its id."""

    attempt_id: str
    amount_minor: int
    currency: str
    terminal_id: str
    last_receipt: int
    stage: Stage = Stage.ASKED
    result: CardResult | None = None
    # The id under which the money is given back, once that was ordered.
    reversal_id: str = ""
    is_refund: bool = False
    sale_seq: int = 0
    # What was to be paid for: no second attempt for it while this one may be paid.
    basket_id: str = ""
    # The driver's own word for what the terminal had stored before.
    mark: str = ""
    require_online: bool = False


class Sale(msgspec.Struct, frozen=True, omit_defaults=True):
    """A completed, paid basket. `sale_seq` is the entry that completed it.

    `signature` is where a fiscal unit's mark will stand before the receipt is
    printed; no fiscal unit is supported yet.
    """

    sale_seq: int
    basket_id: str
    at_ms: int
    lines: tuple[LineItem, ...]
    figures: Figures
    attempt_id: str = ""
    card: CardResult | None = None
    settled_by: str = ""
    language: str = "en"
    training: bool = False
    signature: str = ""


class OpenItem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Money that a person must settle: paid, not paid, taken at the till."""

    attempt_id: str
    why: str
    since_seq: int
    amount_minor: int = 0
    currency: str = ""
    # Set when the basket is still known and can become a sale.
    tender: Tender | None = None
