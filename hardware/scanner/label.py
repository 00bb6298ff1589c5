"""What the bytes of a label may be, and which article a label is about.

Knows numbers and control bytes, nothing of shops: whether an item exists is asked
elsewhere. It will never repair a label: a doubtful one is refused.
"""

from __future__ import annotations

import re

# A GS1 Digital Link fits; the longest QR code of all (4,296 characters) is no label.
LONGEST_LABEL = 2048
GS = 0x1D
# `]`, the code's letter and its options.
IDENTIFIER_BYTES = 3

_LINKED_GTIN = re.compile(r"^https?://[^?#]*/01/(\d{8}|\d{12,14})(?:[/?#]|$)", re.I)
# GS1's own symbology identifiers: the data is an element string.
_GS1_SYMBOLOGIES = frozenset({"]C1", "]e0", "]d2", "]Q3"})


def refusal(data: bytes) -> str:
    """Say why `data` is no label, or return the empty string when it is one.

    GS separates element strings. Every other control byte is a fault of the line or
    an attack: Code 128 can carry keystrokes.
    """
    if not data:
        return "empty"
    if len(data) > LONGEST_LABEL:
        return "too long"
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return "garbled"
    if any(not sign.isprintable() and ord(sign) != GS for sign in text):
        return "garbled"
    return ""


def check_digit(body: str) -> str:
    """Return the GS1 check digit that follows the digits of `body`."""
    # GS1 weighs from the right, so the last digit of every length counts three.
    total = sum(int(d) * (3, 1)[i % 2] for i, d in enumerate(reversed(body)))
    return str(-total % 10)


def is_gtin(digits: str) -> bool:
    """Tell whether `digits` is a GTIN of 8, 12, 13 or 14 digits that checks."""
    return (
        len(digits) in (8, 12, 13, 14)
        and digits.isascii()
        and digits.isdigit()
        and check_digit(digits[:-1]) == digits[-1]
    )


def expand_upc_e(digits: str) -> str:
    """Return the UPC-A that eight digits of UPC-E stand for, or an empty string.

    GS1 General Specifications 5.2.2.4.2: the last digit says where zeros were cut.
    """
    if len(digits) != 8 or not digits.isdigit() or digits[0] not in "01":
        return ""
    system, body, last, check = digits[0], digits[1:6], digits[6], digits[7]
    if last in "012":
        whole = body[:2] + last + "0000" + body[2:]
    elif last == "3":
        whole = body[:3] + "00000" + body[3:]
    elif last == "4":
        whole = body[:4] + "00000" + body[4:]
    else:
        whole = body + "0000" + last
    upc_a = system + whole
    return upc_a + check if check_digit(upc_a) == check else ""


def article(norm: str, symbology: str) -> str:
    """Return the GTIN-14 a label is about where it can be seen, or `norm` itself.

    A pack with an EAN-13 and a GS1 DataMatrix in one view is one article.
    """
    if symbology in _GS1_SYMBOLOGIES and norm[:2] == "01" and is_gtin(norm[2:16]):
        return norm[2:16]
    if linked := _LINKED_GTIN.match(norm):
        return linked[1].zfill(14)
    return norm


def split_identifier(label: bytes) -> tuple[str, bytes]:
    """Return an AIM symbology identifier (ISO/IEC 15424) and what follows it.

    Empty where the label has none.
    """
    # `]`, a letter for the code, a digit or letter for the options.
    head = label[:IDENTIFIER_BYTES]
    has_one = (
        len(label) > IDENTIFIER_BYTES
        and head[:1] == b"]"
        and head[1:2].isalpha()
        and head[2:].isalnum()
    )
    return (head.decode("ascii"), label[3:]) if has_one else ("", label)
