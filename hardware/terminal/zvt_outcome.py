"""What the end of a ZVT dialogue means for the lane. Pure.

card-terminals.md 6.2, 6.8 and 5.6: an explicit final answer, or UNKNOWN.
"""

from __future__ import annotations

import logging

from msgspec.structs import replace

from hardware.ports import Attempt, Outcome, PayResult, SettleResult, TerminalError
from hardware.terminal import zvt_decide
from hardware.terminal.zvt_dialogue import DialogueEnd, Ended, NotKept, Refused, Silent
from hardware.terminal.zvt_messages import Abort, Completion, Status

log = logging.getLogger(__name__)

# BMP 60: first and last receipt, then seven times a count and a sum.
_SLOT_BYTES, _SLOTS, _SLOTS_BEGIN = 7, 7, 4


def paid(attempt: Attempt, end: DialogueEnd, told: list[PayResult]) -> PayResult:
    """Return how a payment ended. `told` is what the lane has on disk already."""
    match end:
        case Refused(code):
            refusal = zvt_decide.refusal(code, attempt)
            if refusal.error is TerminalError.NONE:
                return replace(refusal, error=TerminalError.REJECTED)
            return refusal
        case NotKept():
            # Not acknowledged: the terminal may take it back, or keep it.
            return unknown(attempt, "the result is not on disk")
        case Silent(why):
            return unknown(attempt, why)
        case Ended(last, status) if zvt_decide.end_is_sure(status, last):
            if told:
                return replace(
                    told[-1],
                    receipt_lines=end.customer_lines or told[-1].receipt_lines,
                    merchant_lines=end.merchant_lines,
                )
            if status is not None and status.result == zvt_decide.OK:
                return unknown(attempt, "approved, but not what was asked")
            return zvt_decide.refusal(_code_of(status, last), attempt)
        case Ended():
            return unknown(attempt, "result and end of the dialogue disagree")


def reversed_payment(attempt: Attempt, end: DialogueEnd) -> PayResult:
    """Return how a reversal ended. "Already reversed" is a success."""
    match end:
        case Refused(code):
            return _refused_or_back(code, attempt)
        case Ended(last, status):
            code = _code_of(status, last)
            if code == zvt_decide.ALREADY_REVERSED:
                return _given_back(attempt)
            if not zvt_decide.end_is_sure(status, last):
                return unknown(attempt, "result and end of the reversal disagree")
            return _refused_or_back(code, attempt)
        case NotKept() | Silent():
            return unknown(attempt, "the reversal was not closed")


def settled(end: DialogueEnd) -> SettleResult:
    """Return how an end of day ended."""
    match end:
        case Ended(Completion(), status):
            count, total = totals(status)
            return SettleResult(
                Outcome.APPROVED, count, total, end.merchant_lines or end.customer_lines
            )
        case Ended(Abort(code)) | Refused(code):
            return SettleResult(Outcome.DECLINED, detail=f"code {code:02X}")
        case Ended() | NotKept() | Silent():
            return SettleResult(Outcome.UNKNOWN, detail="the end of day was not closed")


def totals(status: Status | None) -> tuple[int | None, int | None]:
    """Return how many payments and how much, or None where it was not told.

    The slots by card brand are not to be trusted, their sum is.
    """
    told = status.fields.value(0x60) if status else None
    if told is None or len(told) != _SLOTS_BEGIN + _SLOTS * _SLOT_BYTES:
        return None, None
    slots = [
        told[place : place + _SLOT_BYTES]
        for place in range(_SLOTS_BEGIN, len(told), _SLOT_BYTES)
    ]
    sums = [slot[1:].hex() for slot in slots]
    if not all(one.isdecimal() for one in sums):
        return None, None
    return sum(slot[0] for slot in slots), sum(int(one) for one in sums)


def refused_here(attempt: Attempt, why: str) -> PayResult:
    """Return that the terminal was not asked, and why not."""
    return PayResult(
        Outcome.NOT_SENT,
        currency=attempt.currency,
        error=TerminalError.MISCONFIGURED,
        detail=why,
    )


def unknown(attempt: Attempt, detail: str) -> PayResult:
    """Return that nobody knows, and say so in the log."""
    log.warning("attempt %s: outcome unknown: %s", attempt.attempt_id, detail)
    return PayResult(Outcome.UNKNOWN, currency=attempt.currency, detail=detail)


def _refused_or_back(code: int, attempt: Attempt) -> PayResult:
    if code in (zvt_decide.OK, zvt_decide.ALREADY_REVERSED):
        return _given_back(attempt)
    return zvt_decide.refusal(code, attempt)


def _code_of(status: Status | None, end: Completion | Abort) -> int:
    if status is not None and status.result is not None:
        return status.result
    return end.code if isinstance(end, Abort) else 0xFF


def _given_back(attempt: Attempt) -> PayResult:
    return PayResult(
        Outcome.APPROVED,
        attempt.amount_minor,
        attempt.currency,
        reference=attempt.reference,
    )
