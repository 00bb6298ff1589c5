"""What a nexo answer means for the lane. Pure.

card-terminals.md 8.2, 8.3 and 8.5: an explicit final answer that was sealed and is about
this very attempt, or UNKNOWN.
"""

from __future__ import annotations

import logging

from hardware.ports import (
    Answer,
    Attempt,
    Outcome,
    PayResult,
    QueryResult,
    TerminalError,
)
from hardware.terminal.nexo_messages import (
    PaymentResponse,
    Receipt,
    Response,
    ReversalResponse,
    StatusResponse,
    TransactionId,
    minor_of,
)
from hardware.terminal.redact import redact_text

log = logging.getLogger(__name__)

SUCCESS, PARTIAL, FAILURE = "Success", "Partial", "Failure"
IN_PROGRESS, NOT_FOUND = "InProgress", "NotFound"
_DECLINED = ("Refusal", "InvalidCard", "PaymentRestriction", "WrongPIN")
_CANCELLED = ("Cancel", "Aborted")
_ERRORS = {
    "Busy": TerminalError.BUSY,
    "DeviceOut": TerminalError.TERMINAL_DOWN,
    "UnavailableDevice": TerminalError.TERMINAL_DOWN,
    "UnavailableService": TerminalError.TERMINAL_DOWN,
    "LoggedOut": TerminalError.TERMINAL_DOWN,
    "NotAllowed": TerminalError.REJECTED,
    "MessageFormat": TerminalError.MISCONFIGURED,
    "UnreachableHost": TerminalError.UNREACHABLE_HOST,
}
_CUSTOMER, _CASHIER = "CustomerReceipt", "CashierReceipt"


def paid(attempt: Attempt, told: PaymentResponse) -> PayResult:
    """Return how a payment ended, by the terminal's own sealed answer."""
    named = told.sale_data.transaction.transaction_id
    # A request that was refused at once is answered without its name.
    is_unnamed = not named and told.response.result == FAILURE
    if named != attempt.attempt_id and not is_unnamed:
        return unknown(attempt, "the answer is about another payment")
    match told.response.result:
        case "Success" | "Partial":
            return _taken(attempt, told)
        case "Failure":
            return _not_taken(attempt, told.response)
        case _:
            return unknown(attempt, "a result that nobody knows")


def answered(attempt: Attempt, told: StatusResponse, *, is_recent: bool) -> QueryResult:
    """Return what a status answer says of a payment.

    INDETERMINATE where it says nothing: the caller asks again before it gives up.
    `is_recent`: young enough for the terminal's "never heard of it" to be true.
    """
    response = told.response
    if response.result == FAILURE:
        match response.error_condition:
            case "InProgress":
                return QueryResult(Answer.IN_PROGRESS)
            case "NotFound" if is_recent and not attempt.reference:
                return QueryResult(Answer.NOT_RECEIVED)
            case _:
                return QueryResult(Answer.INDETERMINATE)
    payment = told.repeated.body.payment if told.repeated is not None else None
    if response.result != SUCCESS or payment is None:
        return QueryResult(Answer.INDETERMINATE)
    result = paid(attempt, payment)
    if result.outcome is Outcome.UNKNOWN:
        return QueryResult(Answer.INDETERMINATE)
    return QueryResult(Answer.FOUND, result)


def given_back(
    attempt: Attempt, told: ReversalResponse, amount_minor: int
) -> PayResult:
    """Return whether the acquirer took the order to give money back."""
    if told.response.result == SUCCESS:
        return PayResult(
            Outcome.APPROVED,
            amount_minor,
            attempt.currency,
            reference=_reference(told.poi_data.transaction),
            detail="ordered; the acquirer's report confirms it",
        )
    return _not_taken(attempt, told.response)


def unknown(attempt: Attempt, detail: str) -> PayResult:
    """Return that nobody knows, and say so in the log."""
    log.warning("attempt %s: outcome unknown: %s", attempt.attempt_id, detail)
    return PayResult(Outcome.UNKNOWN, currency=attempt.currency, detail=detail)


def not_sent(
    attempt: Attempt, why: str, error: TerminalError = TerminalError.NONE
) -> PayResult:
    """Return that the terminal was not asked, and why not."""
    return PayResult(
        Outcome.NOT_SENT, currency=attempt.currency, error=error, detail=why
    )


def _taken(attempt: Attempt, told: PaymentResponse) -> PayResult:
    result = told.payment_result
    amounts, extra = result.amounts, told.response.additional
    if amounts.authorized_amount is None or amounts.currency != attempt.currency:
        return unknown(attempt, "approved, but not in what was asked")
    minor = minor_of(amounts.authorized_amount, amounts.currency)
    if minor is None or not 0 < minor <= attempt.amount_minor:
        return unknown(attempt, "approved, but not what was asked")
    wants_signature = any(one.required_signature_flag for one in told.payment_receipt)
    # Nobody is there to sign: the lane gives it back, as it does a part (R6).
    is_whole = (
        minor == attempt.amount_minor
        and told.response.result == SUCCESS
        and not wants_signature
    )
    offline = extra.word("offline")
    stored = extra.word("unconfirmedBatchCount")
    if stored not in ("", "0"):
        log.info("the terminal keeps %s payments for later", stored)
    return PayResult(
        Outcome.APPROVED if is_whole else Outcome.PARTIAL,
        minor,
        amounts.currency,
        auth_code=redact_text(result.acquirer.approval_code),
        reference=_reference(told.poi_data.transaction),
        masked_pan=result.instrument.card_data.masked_pan.text,
        brand=redact_text(result.instrument.card_data.payment_brand),
        # Where neither is told it counts as offline.
        approved_offline=offline == "true"
        or result.online_flag is False
        or (result.online_flag is None and offline != "false"),
        receipt_lines=_lines(told.payment_receipt, _CUSTOMER),
        merchant_lines=_lines(told.payment_receipt, _CASHIER),
        detail="it wants a signature: set the terminal to unattended"
        if wants_signature
        else "",
    )


def _not_taken(attempt: Attempt, response: Response) -> PayResult:
    condition, why = response.error_condition, response.additional.reason
    if condition in _CANCELLED:
        return PayResult(Outcome.CANCELLED, currency=attempt.currency, detail=why)
    if condition in _DECLINED and "timeout" not in why.lower():
        return PayResult(
            Outcome.DECLINED, currency=attempt.currency, detail=why or condition
        )
    error = _ERRORS.get(condition)
    if error is None or "timeout" in why.lower().replace("-", "").replace(" ", ""):
        return unknown(attempt, f"{condition[:40] or 'no condition'}: {why}")
    return PayResult(
        Outcome.DECLINED,
        currency=attempt.currency,
        error=error,
        detail=f"{condition}: {why}" if why else condition,
    )


def _lines(receipts: tuple[Receipt, ...], kind: str) -> tuple[str, ...]:
    """Return a receipt's lines; empty ones at both ends and in rows are left out."""
    lines: list[str] = []
    for receipt in receipts:
        if receipt.document_qualifier != kind:
            continue
        begun = ""
        for piece in receipt.output_content.output_text:
            begun += piece.text.text
            if piece.end_of_line_flag:
                if begun or (lines and lines[-1]):
                    lines.append(begun)
                begun = ""
        if begun:
            lines.append(begun)
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)


def _reference(transaction: TransactionId) -> str:
    """Return what a reversal names; without an id nothing can be named."""
    if not transaction.transaction_id:
        return ""
    return f"{transaction.transaction_id} {transaction.time_stamp}"
