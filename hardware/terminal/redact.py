"""Takes card numbers out of text, whatever a terminal wrote there. Pure.

PCI SSC FAQ 1091: first six and last four digits may be shown. Used by every
card-terminal driver for receipt lines and texts before anybody else sees them.
"""

from __future__ import annotations

import re

# A run of 13 to 19 digits, with the spaces and dashes that printers put between.
_RUN = re.compile(r"(?<!\d)\d(?:[ \-]?\d){12,18}(?!\d)")
_SHOWN_FIRST, _SHOWN_LAST = 6, 4


def redact_text(text: str) -> str:
    """Return `text` with every card number in it masked."""
    return _RUN.sub(_masked_run, text)


def is_luhn(digits: str) -> bool:
    """Whether digits end in the check digit of a card number (ISO/IEC 7812-1)."""
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def mask(digits: str) -> str:
    """Return a card number with all but its first six and last four digits hidden."""
    hidden = len(digits) - _SHOWN_FIRST - _SHOWN_LAST
    if hidden <= 0:
        return "*" * (len(digits) - _SHOWN_LAST) + digits[-_SHOWN_LAST:]
    return digits[:_SHOWN_FIRST] + "*" * hidden + digits[-_SHOWN_LAST:]


def _masked_run(run: re.Match[str]) -> str:
    found = run[0]
    digits = [character for character in found if character.isdigit()]
    if not is_luhn("".join(digits)):
        return found
    left = iter(mask("".join(digits)))
    return "".join(next(left) if c.isdigit() else c for c in found)
