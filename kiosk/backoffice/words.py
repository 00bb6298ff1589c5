"""Amounts, moments and reasons as people read them, for the back office's pages."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from babel.numbers import format_currency

from kiosk.backoffice.html import Markup, tag
from kiosk.domain.currency import MINOR_DIGITS
from kiosk.domain.tax import TaxLine

REASONS = {
    "age": "Age check",
    "item": "Item needs a look",
    "approvals": "Approvals before payment",
    "unknown_item": "Unknown item",
    "maximum_quantity": "More than allowed",
    "void": "Many lines taken out",
    "void_sale": "Sale to be voided",
    "random_check": "Random check",
    "help": "Help wanted",
    "scale_mismatch": "Weight does not fit",
    "bagging_failed": "Bagging scale does not work",
    "idle": "Basket left alone",
    "receipt_failed": "Receipt did not print",
    "check_payment": "Payment to be checked",
}


def money(minor: int, currency: str) -> str:
    """Return an amount as people write it."""
    if not currency:
        return f"{minor}"
    digits = MINOR_DIGITS.get(currency, 2)
    amount = Decimal(minor).scaleb(-digits)
    return format_currency(amount, currency, locale="en").replace("-", "\u2212")


def rate(line: TaxLine) -> str:
    """Return a tax rate with its letter."""
    percent = Decimal(line.rate_ppm).scaleb(-4).normalize()
    return f"{line.letter} {percent:f} %".strip()


def reason_of(reason: str) -> str:
    """Return why a lane waits, in words."""
    return REASONS.get(reason, reason.replace("_", " ").capitalize())


def age(since_ms: int, now_ms: int) -> str:
    """Return how long ago something was."""
    seconds = max(0, (now_ms - since_ms) // 1000)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min"
    if seconds < 48 * 3600:
        return f"{seconds // 3600} h {seconds % 3600 // 60} min"
    return f"{seconds // 86400} days"


def clock(at_ms: int) -> Markup:
    """Return a moment in the time of this machine."""
    try:
        moment = datetime.fromtimestamp(at_ms / 1000, UTC).astimezone()
    except (ValueError, OverflowError, OSError):
        return tag("span", "no date")
    return tag(
        "time",
        moment.strftime("%d %b %Y %H:%M:%S"),
        datetime=moment.isoformat("T", "seconds"),
    )
