"""How a simulated terminal is set up, what goes wrong next, and what banks answer.

Pure values and functions of the core.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from hardware.ports import Attempt, Outcome, PayResult
from hardware.simulated.terminal_store import Kind, Transaction, TxState

# From here on the card goes into the slot and asks for its PIN, as contactless
# limits have it.
PIN_FROM_MINOR = 5000


class TerminalSettings(msgspec.Struct, frozen=True):
    """How a terminal is set up.

    `auto_reverse`: a result that the lane does not acknowledge in `ack_seconds` is
    reversed (some ZVT terminals do); otherwise it is kept. `present_after_seconds`:
    a card comes by itself; None: it waits for `present_card`.
    """

    terminal_id: str = "SIM-0001"
    auto_reverse: bool = False
    card_seconds: float = 60.0
    ack_seconds: float = 15.0
    step_seconds: float = 0.2
    present_after_seconds: float | None = None


class Fault(Enum):
    """What goes wrong with the next card."""

    DECLINE = "decline"
    CANCEL = "cancel"
    SILENT = "silent"
    SLOW = "slow"
    ANSWER_LOST = "answer_lost"
    WRONG_AMOUNT = "wrong_amount"
    PARTIAL = "partial"
    OFFLINE = "offline"
    UNPLUGGED = "unplugged"


class Plan(msgspec.Struct, frozen=True):
    """A fault with its size: `seconds` late or unplugged, `minor` charged instead."""

    fault: Fault | None = None
    seconds: float = 0.0
    minor: int | None = None


def is_same(kept: Transaction, attempt: Attempt) -> bool:
    """Whether an attempt asks for the very payment that was kept under its id."""
    asked = (kept.kind, kept.amount_minor, kept.currency)
    return asked == (Kind.PAYMENT, attempt.amount_minor, attempt.currency)


def approval(asked: Transaction, plan: Plan) -> PayResult:
    """Return what the host says to a good card. Codes follow from the receipt."""
    charged, outcome = asked.amount_minor, Outcome.APPROVED
    if plan.fault is Fault.WRONG_AMOUNT:
        charged = asked.amount_minor + 100 if plan.minor is None else plan.minor
    elif plan.fault is Fault.PARTIAL:
        charged = asked.amount_minor // 2 if plan.minor is None else plan.minor
        outcome = Outcome.PARTIAL
    auth_code = f"{asked.receipt * 7919 % 1_000_000:06d}"
    pan = f"476173******{asked.receipt * 31 % 10_000:04d}"
    return PayResult(
        outcome,
        charged,
        asked.currency,
        auth_code=auth_code,
        reference=f"{asked.receipt:06d}",
        masked_pan=pan,
        brand="Visa",
        approved_offline=plan.fault is Fault.OFFLINE,
        receipt_lines=(
            "Card payment",
            f"Visa {pan[-8:]}",
            f"Receipt {asked.receipt:06d}  Approval {auth_code}",
        ),
    )


def result_of(kept: Transaction) -> PayResult:
    """Return what a lane is told of a finished transaction, however often it asks."""
    match kept.state:
        case TxState.CUT:
            detail = "the terminal lost power before the charge"
        case TxState.REVERSED | TxState.AUTO_REVERSED:
            detail = "reversed"
        case _:
            assert kept.result is not None
            return kept.result
    return PayResult(Outcome.CANCELLED, currency=kept.currency, detail=detail)
