"""Takes card numbers out of text, whatever a terminal wrote there. Pure.

PCI SSC FAQ 1091: first six and last four digits may be shown. Used by every
card-terminal driver for receipt lines and texts before anybody else sees them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Groups of digits, with the spaces and dashes that printers put between. A card number
# is one or some of them in a row: other numbers may stand right before and after it.
_RUN = re.compile(r"\d+(?:[ \-]\d+)*")
_GROUP = re.compile(r"\d+")
_SHORTEST, _LONGEST = 13, 19
# One number of more digits than a card has may be a card and more: hidden unseen.
_LONG = re.compile(r"\d{20,}")
_SHOWN_FIRST, _SHOWN_LAST = 6, 4


def redact_text(text: str) -> str:
    """Return `text` with every card number in it masked."""
    # What is left of one may be the beginning of another.
    while (masked := _RUN.sub(_masked_run, text)) != text:
        text = masked
    return text


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
    """Return a run of digits with the first card number in it masked."""
    found = _LONG.sub(lambda one: mask(one[0]), run[0])
    if found != run[0]:
        return found
    for start, end in _windows(found):
        digits = [c for c in found[start:end] if c.isdigit()]
        if is_luhn("".join(digits)):
            left = iter(mask("".join(digits)))
            window = (next(left) if c.isdigit() else c for c in found[start:end])
            return found[:start] + "".join(window) + found[end:]
    return found


def _windows(run: str) -> Iterator[tuple[int, int]]:
    """Return where in a run a card number may stand, the longest first."""
    groups = [group.span() for group in _GROUP.finditer(run)]
    for first, (start, _) in enumerate(groups):
        count = 0
        ends = []
        for group_start, end in groups[first:]:
            count += end - group_start
            if count > _LONGEST:
                break
            if count >= _SHORTEST:
                ends.append(end)
        yield from ((start, end) for end in reversed(ends))
