"""What happened, for whoever reads a failure: the last lines, in virtual time."""

from __future__ import annotations

from collections import deque

import msgspec

_LONGEST_LINE = 300


class Violation(Exception):
    """A promise of the lane was broken. The words are the promise's."""


class Story:
    """Remembers the last things that happened; makes text of them when asked."""

    def __init__(self, kept: int) -> None:
        self._told: deque[tuple[int, str, object]] = deque(maxlen=kept)

    def tell(self, now_ms: int, who: str, what: object) -> None:
        """Remember something."""
        self._told.append((now_ms, who, what))

    def lines(self) -> list[str]:
        """Return what is remembered, oldest first."""
        return [
            f"{now_ms / 1000:10.3f}  {who:<8} {_text(what)}"
            for now_ms, who, what in self._told
        ]


def _text(what: object) -> str:
    if isinstance(what, str):
        return what
    if isinstance(what, msgspec.Struct):
        body = msgspec.json.encode(what).decode()
        text = f"{type(what).__name__} {body}"
    else:
        text = repr(what)
    return text if len(text) <= _LONGEST_LINE else text[:_LONGEST_LINE] + "…"
