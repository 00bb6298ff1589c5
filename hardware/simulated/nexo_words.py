"""What the simulated nexo terminal says: results of the core as nexo messages. Pure.

As real terminals do, it sends far more than a lane may keep: expiry, names, e-mail
addresses. A lane that shows any of it again has a fault.
"""

from __future__ import annotations

import base64
import json
from typing import Any
from urllib.parse import quote

import msgspec

from hardware.ports import Outcome, PayResult
from hardware.simulated.terminal_wire import Refusal
from hardware.terminal.nexo_messages import major

LEAKED_PAN = "4111111111111111"
_MOMENT = "2026-05-04T10:32:00.000Z"
_REFUSALS = {
    Refusal.BUSY: "Busy",
    Refusal.BAD_AMOUNT: "MessageFormat",
    Refusal.ID_REUSED: "NotAllowed",
    Refusal.WRONG_TERMINAL: "NotAllowed",
    Refusal.REVERSED: "NotAllowed",
}


class Words(msgspec.Struct, frozen=True):
    """How a payment's answer is worded this time."""

    is_base64: bool = False
    leaks: bool = False
    wants_signature: bool = False


def failure(condition: str, why: str = "") -> dict[str, Any]:
    """Return that a request failed."""
    return {
        "Result": "Failure",
        "ErrorCondition": condition,
        "AdditionalResponse": f"message={quote(why or condition)}",
    }


def refused(refusal: Refusal) -> dict[str, Any]:
    """Return that the terminal does not begin."""
    return {"Response": failure(_REFUSALS[refusal], refusal.value)}


def transaction_id(receipt: int) -> str:
    """Return the terminal's name of a payment: tender and pspReference."""
    return f"SIM{receipt:09d}.88{receipt:014d}"


def receipt_of(transaction: str) -> int:
    """Return which payment a name means, 0 for none."""
    tender, _, _ = transaction.partition(".")
    digits = tender.removeprefix("SIM")
    return int(digits) if digits.isdecimal() and digits.isascii() else 0


def payment(
    attempt_id: str, result: PayResult, receipt: int, words: Words
) -> dict[str, Any]:
    """Return how a payment ended (`PaymentResponse`)."""
    sale = {"SaleTransactionID": {"TransactionID": attempt_id, "TimeStamp": _MOMENT}}
    poi = {
        "POITransactionID": {
            "TransactionID": transaction_id(receipt),
            "TimeStamp": _MOMENT,
        }
    }
    told = {"SaleData": sale, "POIData": poi}
    if result.outcome not in (Outcome.APPROVED, Outcome.PARTIAL):
        return {**told, "Response": _not_taken(result)}
    raw = msgspec.Raw(major(result.amount_minor, result.currency).encode())
    shown = LEAKED_PAN if words.leaks else result.masked_pan
    return {
        **told,
        "Response": {
            "Result": "Success" if result.outcome is Outcome.APPROVED else "Partial",
            "AdditionalResponse": _additional(result, receipt, words),
        },
        "PaymentResult": {
            "OnlineFlag": not result.approved_offline,
            "AmountsResp": {"AuthorizedAmount": raw, "Currency": result.currency},
            "PaymentAcquirerData": {"ApprovalCode": result.auth_code},
            "PaymentInstrumentData": {
                "PaymentInstrumentType": "Card",
                "CardData": {
                    "MaskedPan": f"{shown[:6]} **** {shown[-4:]}"
                    if not words.leaks
                    else shown,
                    "PaymentBrand": result.brand.lower(),
                    "EntryMode": ["Contactless"],
                    "SensitiveCardData": {"ExpiryDate": "1230", "CardSeqNumb": "01"},
                },
            },
        },
        "PaymentReceipt": [
            _receipt(kind, result, shown, words)
            for kind in ("CashierReceipt", "CustomerReceipt")
        ],
    }


def reversal(result: PayResult, receipt: int) -> dict[str, Any]:
    """Return whether money goes back (`ReversalResponse`)."""
    if result.outcome is not Outcome.APPROVED:
        return {"Response": failure("NotAllowed", result.detail)}
    when = {"TransactionID": f"88{receipt:014d}", "TimeStamp": _MOMENT}
    return {
        "Response": {"Result": "Success", "AdditionalResponse": "store=Simulated"},
        "POIData": {"POITransactionID": when},
    }


def _not_taken(result: PayResult) -> dict[str, Any]:
    if result.outcome is Outcome.DECLINED:
        return failure("Refusal", result.detail)
    is_shopper = "shopper" in result.detail
    return failure("Cancel" if is_shopper else "Aborted", result.detail)


def _additional(result: PayResult, receipt: int, words: Words) -> str:
    told = {
        "tid": "47374578",
        "pspReference": f"88{receipt:014d}",
        "offline": "true" if result.approved_offline else "false",
        "cardHolderName": "A. Shopper" if not words.leaks else LEAKED_PAN,
        "shopperEmail": "shopper@example.com",
        "expiryDate": "12/2030",
        "refusalReasonRaw": "APPROVED",
    }
    if words.is_base64:
        return base64.b64encode(json.dumps(told).encode()).decode()
    return "&".join(f"{key}={quote(value)}" for key, value in told.items())


def _receipt(kind: str, result: PayResult, shown: str, words: Words) -> dict[str, Any]:
    lines = [
        ("", "", "header1"),
        (
            "CARDHOLDER COPY" if kind == "CustomerReceipt" else "MERCHANT COPY",
            "",
            "title",
        ),
        ("", "", "filler"),
        ("Card", shown, "pan"),
        ("PAN seq.", "01", "panSeq"),
        ("Auth. code", result.auth_code, "authCode"),
        ("TOTAL", f"€ {major(result.amount_minor, result.currency)}", "totalAmount"),
        ("", "", "filler"),
        ("APPROVED", "", "approved"),
    ]
    return {
        "DocumentQualifier": kind,
        "RequiredSignatureFlag": words.wants_signature,
        "OutputContent": {
            "OutputFormat": "Text",
            "OutputText": [
                {"Text": _line(*line), "EndOfLineFlag": True} for line in lines
            ],
        },
    }


def _line(name: str, value: str, key: str) -> str:
    told = {"name": name, "value": value, "key": key}
    return "&".join(f"{k}={quote(v)}" for k, v in told.items() if v)
