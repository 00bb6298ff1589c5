"""What a ZVT dialogue came to, and what a terminal's last transaction proves. Pure.

The rules of card-terminals.md 5.4, 5.5, 6.2 and 6.6, and nothing else: no terminal is
asked here. What is not proven is UNKNOWN or INDETERMINATE, never guessed.
"""

from __future__ import annotations

from typing import TypeAlias

import msgspec

from hardware.ports import (
    Answer,
    Attempt,
    Outcome,
    PayResult,
    QueryResult,
    TerminalError,
)
from hardware.terminal import zvt_tlv
from hardware.terminal.zvt_fields import Bitmaps
from hardware.terminal.zvt_messages import (
    Abort,
    Completion,
    Status,
    charset_of,
    text_of,
)

OK = 0x00
BUSY = 0x9C
SETTLEMENT_OPEN = 0xF0
ALREADY_REVERSED = 0xB4
NOT_POSSIBLE = 0x83
_CANCELLED = frozenset({0x6C})
_ERRORS: dict[int, TerminalError] = {
    SETTLEMENT_OPEN: TerminalError.SETTLEMENT_REQUIRED,
    **dict.fromkeys((0x9C, 0xE0), TerminalError.BUSY),
    **dict.fromkeys((0xA1, 0xA3, 0x9B, 0x7D, 0xA0), TerminalError.UNREACHABLE_HOST),
    **dict.fromkeys(
        (0xC2, 0x51, 0x85, 0x89, 0xFC, 0xE2, 0xDF, 0x6B), TerminalError.TERMINAL_DOWN
    ),
    **dict.fromkeys((0x6F, 0xA5), TerminalError.MISCONFIGURED),
    **dict.fromkeys((0x83, 0x9A), TerminalError.REJECTED),
}
_ONLINE_KINDS = frozenset({0x60, 0x70})


class Mark(msgspec.Struct, frozen=True, omit_defaults=True):
    """A terminal's last stored transaction, by its numbers. No card data.

    `empty` is the code with which it said that it has none, else None.
    """

    terminal_id: str = ""
    receipt: int | None = None
    trace: int | None = None
    turnover: int | None = None
    date: str = ""
    time: str = ""
    amount_minor: int | None = None
    empty: int | None = None

    def text(self) -> str:
        """Return the mark as the lane keeps it."""
        return msgspec.json.encode(self).decode()


class Nothing(msgspec.Struct, frozen=True):
    """The terminal said with this code that it has no last transaction to tell."""

    code: int


class NotTold(msgspec.Struct, frozen=True):
    """The terminal cannot repeat (06 20 refused), or said something else."""


class StillBusy(msgspec.Struct, frozen=True):
    """The terminal is at something else, perhaps at the payment in question."""


Last: TypeAlias = Status | Nothing | NotTold | StillBusy


def read_mark(text: str) -> Mark | None:
    """Return the mark that `Mark.text` wrote, or None."""
    try:
        return msgspec.json.decode(text, type=Mark)
    except msgspec.DecodeError:
        return None


def mark_of(status: Status) -> Mark:
    """Return the mark of a transaction as a status information tells it."""
    fields = status.fields
    return Mark(
        fields.digits(0x29),
        fields.number(0x87),
        _trace(fields),
        fields.number(0x88),
        fields.digits(0x0D),
        fields.digits(0x0C),
        fields.number(0x04),
    )


def reference_of(mark: Mark) -> str:
    """Return the lane's word for a transaction: terminal, receipt, trace, turnover."""
    numbers = (mark.receipt, mark.trace, mark.turnover)
    return "-".join((mark.terminal_id, *("" if n is None else str(n) for n in numbers)))


def of_reference(reference: str) -> Mark | None:
    """Return the mark that a reference names, or None where it is none of ours."""
    parts = reference.split("-")
    if len(parts) != 4 or not all(not p or p.isdecimal() for p in parts[1:]):
        return None
    receipt, trace, turnover = (int(p) if p else None for p in parts[1:])
    return Mark(parts[0], receipt, trace, turnover)


def error_of(code: int) -> TerminalError:
    """Return why nothing was charged, where it was not the bank or the shopper."""
    return _ERRORS.get(code, TerminalError.NONE)


def outcome_of_code(code: int) -> Outcome:
    """Return what a final no with this code is."""
    return Outcome.CANCELLED if code in _CANCELLED else Outcome.DECLINED


def approval(
    status: Status, attempt: Attempt, charset: str, *, was_offline: bool
) -> PayResult:
    """Return what a status information with result 00 approves (R6).

    Approved in another currency, or for more, is left to the lane as what it is; an
    approval that names no amount proves nothing.
    """
    fields = status.fields
    charset = charset_of(fields, charset)
    amount = fields.number(0x04)
    currency = fields.digits(0x49)
    if amount is None:
        outcome = Outcome.UNKNOWN
    else:
        is_partial = amount < attempt.amount_minor
        outcome = Outcome.PARTIAL if is_partial else Outcome.APPROVED
    return PayResult(
        outcome,
        amount or 0,
        attempt.currency if _is_currency(currency, attempt) else f"ISO{currency}",
        auth_code=text_of(fields.value(0x3B), charset),
        reference=reference_of(mark_of(status)),
        masked_pan=status.masked_pan,
        brand=text_of(fields.value(0x8B), charset),
        approved_offline=is_offline(fields, was_offline=was_offline),
        receipt_lines=_lines(fields, charset),
    )


def _lines(fields: Bitmaps, charset: str) -> tuple[str, ...]:
    """Return what the card scheme wants on the shopper's receipt: BMP 3C and TLV 46."""
    text = text_of(fields.value(0x3C), charset).replace("\r", "\n").split("\n")
    emv = text_of(zvt_tlv.first(fields.tlv, 0x46), charset)
    return tuple(line.strip() for line in (*text, emv) if line.strip())


def refusal(code: int, attempt: Attempt) -> PayResult:
    """Return a final no."""
    error = error_of(code)
    outcome = Outcome.DECLINED if error.value else outcome_of_code(code)
    return PayResult(
        outcome, currency=attempt.currency, error=error, detail=f"code {code:02X}"
    )


def is_offline(fields: Bitmaps, *, was_offline: bool) -> bool:
    """Was it approved without the host? True where the terminal does not tell."""
    flag = zvt_tlv.first(fields.tlv, 0x1F11)
    kind = fields.value(0x19)
    if flag == b"\x00" or (kind and kind[0] >> 4 == 4) or was_offline:
        return True
    return not (flag == b"\x01" or (kind is not None and kind[0] in _ONLINE_KINDS))


def end_is_sure(status: Status | None, end: Completion | Abort) -> bool:
    """Do the last status information and the end say the same (6.2)?"""
    is_approved = status is not None and status.result == OK
    match end:
        case Completion():
            return is_approved
        case Abort():
            return not is_approved


def decide(attempt: Attempt, last: Last) -> QueryResult:
    """Say how an attempt ended, from what the terminal stored last (6.6, step 5)."""
    before = read_mark(attempt.watermark.mark)
    if before is None:
        return QueryResult(Answer.INDETERMINATE)
    match last:
        case Nothing(code):
            is_same_word = before.empty is not None and code == before.empty
            return QueryResult(
                Answer.NOT_CHARGED if is_same_word else Answer.INDETERMINATE
            )
        case StillBusy():
            return QueryResult(Answer.IN_PROGRESS)
        case NotTold():
            return QueryResult(Answer.INDETERMINATE)
        case Status():
            return _decide(attempt, before, last)


def _decide(attempt: Attempt, before: Mark, last: Status) -> QueryResult:
    found = mark_of(last)
    if found.terminal_id and found.terminal_id != attempt.watermark.terminal_id:
        return QueryResult(Answer.INDETERMINATE)
    if before.empty is None and _is_same(found, before):
        return QueryResult(Answer.NOT_CHARGED)
    original = last.fields.number(0x37)
    if attempt.reference and (ours := of_reference(attempt.reference)) is not None:
        if original is not None and original in (ours.trace, ours.receipt):
            return QueryResult(Answer.NOT_CHARGED)
        if not _is_same(found, ours):
            return QueryResult(Answer.INDETERMINATE)
        return _found(attempt, last)
    ahead = _ahead(found, before)
    if ahead is None:
        return QueryResult(Answer.INDETERMINATE)
    if original is not None:
        is_ours = ahead in (1, 2) and found.amount_minor == attempt.amount_minor
        return QueryResult(Answer.NOT_CHARGED if is_ours else Answer.INDETERMINATE)
    if ahead != 1 or not _is_later(found, before):
        return QueryResult(Answer.INDETERMINATE)
    if last.result == OK and found.amount_minor != attempt.amount_minor:
        return QueryResult(Answer.INDETERMINATE)
    return _found(attempt, last)


def _found(attempt: Attempt, last: Status) -> QueryResult:
    code = last.result
    if code is None:
        return QueryResult(Answer.INDETERMINATE)
    if code == OK:
        # How it was approved is told here too; what was shown meanwhile is not known.
        result = approval(last, attempt, "cp437", was_offline=False)
    else:
        result = refusal(code, attempt)
    return QueryResult(Answer.FOUND, result)


def _trace(fields: Bitmaps) -> int | None:
    long_trace = zvt_tlv.first(fields.tlv, 0x1F2B)
    if long_trace is not None and long_trace.hex().isdecimal():
        # BMP 0B is 000000 then.
        return int(long_trace.hex())
    return fields.number(0x0B)


def _is_currency(told: str, attempt: Attempt) -> bool:
    return not told or told == currency_digits(attempt.currency)


def currency_digits(currency: str) -> str:
    """Return ISO 4217's number for a currency as ZVT writes it."""
    return f"{CURRENCIES[currency]:04d}" if currency in CURRENCIES else ""


# ISO 4217 numbers of the currencies in which ZVT terminals are found.
CURRENCIES = {"EUR": 978, "CHF": 756, "GBP": 826, "USD": 840, "CZK": 203, "PLN": 985,
              "HUF": 348, "SEK": 752, "DKK": 208, "NOK": 578}  # fmt: skip


def _is_same(one: Mark, other: Mark) -> bool:
    """Are these the numbers of one transaction? At least one must be told by both."""
    pairs = [
        (one.turnover, other.turnover),
        (one.trace, other.trace),
        (one.receipt, other.receipt),
    ]
    both = [(a, b) for a, b in pairs if a is not None and b is not None]
    return bool(both) and all(a == b for a, b in both)


def _ahead(found: Mark, before: Mark) -> int | None:
    """How many transactions `found` is after `before`, or None where nobody knows.

    By turnover, else trace, else receipt, each a counter that begins anew after its
    last number.
    """
    if before.empty is not None:
        # The first one after nothing: no number to count from.
        return 1
    for a, b, digits in (
        (found.turnover, before.turnover, 6),
        (found.trace, before.trace, 8),
        (found.receipt, before.receipt, 4),
    ):
        if a is None or b is None:
            continue
        if a > b:
            return a - b
        # Trace numbers of six digits wrap at a million, also where eight are possible.
        limit = 10**4 if digits == 4 else 10**6
        return (a - b) % limit if b < limit and limit - b < 1000 else None
    return None


def _is_later(found: Mark, before: Mark) -> bool:
    """Not before, by the terminal's own clock; a new year begins with January."""
    if not (found.date and found.time and before.date and before.time):
        return True
    if before.date[:2] == "12" and found.date[:2] == "01":
        return True
    return (found.date, found.time) >= (before.date, before.time)
