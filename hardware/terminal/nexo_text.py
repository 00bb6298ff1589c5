"""Texts inside nexo messages, without what nobody may keep. Pure.

card-terminals.md 8.2 and 8.7. Of the acquirer's list only the named keys are kept: names,
addresses and expiry are dropped as it is read. Receipt lines and masked numbers lose
every card number that stands in them.
"""

from __future__ import annotations

import base64
import binascii
import json
from urllib.parse import parse_qsl

from hardware.terminal.redact import redact_text

_KEPT = (
    "pspReference",
    "offline",
    "offlineAuthCode",
    "unconfirmedBatchCount",
    "refusalReason",
    "refusalReasonRaw",
    "acquirerResponseCode",
    "message",
)
# Receipt lines that show what nobody needs (card-terminals.md 10).
_NOT_SHOWN = ("panSeq", "expiryDate", "expiry", "cardHolderName")
_MOST_FIELDS, _MOST_CHARACTERS = 400, 200
_SHOWN_DIGITS = 10


class Additional:
    """The acquirer's list of words (`AdditionalResponse`), only those that are kept."""

    def __init__(self, text: str) -> None:
        self._words = {
            key: redact_text(value)[:_MOST_CHARACTERS]
            for key, value in _pairs(text)
            if key in _KEPT
        }
        # "101 Shopper cancelled app selection": some failures say no list at all.
        is_list = "=" in text or not text.isprintable()
        self.plain = "" if is_list else redact_text(text)[:_MOST_CHARACTERS]

    def word(self, key: str) -> str:
        """Return one word, or nothing."""
        return self._words.get(key, "")

    @property
    def reason(self) -> str:
        """Why, in the acquirer's words or the terminal's."""
        return self.word("refusalReason") or self.word("message") or self.plain

    def __repr__(self) -> str:
        return f"Additional({sorted(self._words)})"


class Piece:
    """A piece of a receipt line: what stands left, and what right."""

    def __init__(self, text: str) -> None:
        words = dict(_pairs(text))
        if words.get("key") in _NOT_SHOWN:
            words = {}
        self.left = redact_text(_printable(words.get("name", "")))
        self.right = redact_text(_printable(words.get("value", "")))

    @property
    def text(self) -> str:
        """The piece as the port has it: a tab parts left from right."""
        return f"{self.left}\t{self.right}" if self.right else self.left

    def __repr__(self) -> str:
        return f"Piece({self.text!r})"


class MaskedPan:
    """A card number with most of its digits hidden, whatever the terminal sent."""

    def __init__(self, text: str) -> None:
        shown = redact_text(_printable(text))[:40]
        digits = [c for c in shown if c.isdigit()]
        if len(digits) > _SHOWN_DIGITS:
            last = "".join(digits[-4:])
            shown = f"**** {last}"
        self.text = shown

    def __repr__(self) -> str:
        return f"MaskedPan({self.text!r})"


TEXTS = (Additional, Piece, MaskedPan)


def _pairs(text: str) -> list[tuple[str, str]]:
    """Return keys and values of either form in which accounts send them."""
    if "=" not in text.rstrip("="):
        return _json_pairs(text)
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return []


def _json_pairs(text: str) -> list[tuple[str, str]]:
    try:
        told = json.loads(base64.b64decode(text, validate=True))
    except (binascii.Error, ValueError, RecursionError):
        return []
    if isinstance(told, dict) and isinstance(told.get("additionalData"), dict):
        told = told["additionalData"] | told
    if not isinstance(told, dict):
        return []
    return [(key, value) for key, value in told.items() if isinstance(value, str)]


def _printable(text: str) -> str:
    return "".join(c for c in text if c.isprintable() or c == "\xa0")
