"""What a journal entry says: the event, and the facts that followed from it.

The version rises when a reader of the release before could misread an entry; until
an update is confirmed nothing newer is written (architecture.md, "Versions meet").
Unknown fields are ignored, unknown kinds are kept and skipped.
"""

from __future__ import annotations

import msgspec

from kiosk.domain.effects import Fact
from kiosk.domain.events import Event

VERSION = 1


class Body(msgspec.Struct, frozen=True, omit_defaults=True):
    """One entry's content. The entry's kind is the event's type name."""

    event: Event
    facts: tuple[Fact, ...] = ()
    version: int = VERSION


_encoder = msgspec.json.Encoder(order="deterministic")
_decoder = msgspec.json.Decoder(Body)


def encode(event: Event, facts: tuple[Fact, ...]) -> bytes:
    """Return the entry's body as JSON, always the same for the same content."""
    return _encoder.encode(Body(event, facts))


def decode(body: bytes) -> Body | None:
    """Return what an entry says, or None where this release cannot know."""
    try:
        return _decoder.decode(body)
    except msgspec.DecodeError:
        return None
