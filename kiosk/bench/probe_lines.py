"""What the probe of a measured lane says of each scan, a line of JSON each."""

from __future__ import annotations

import msgspec


class Journaled(msgspec.Struct, frozen=True, tag=True):
    """From the driver's emit: to the call of append, and to its return."""

    began_ms: float
    done_ms: float


class Drawn(msgspec.Struct, frozen=True, tag=True):
    """From the driver's emit to the end of the flip that shows it."""

    done_ms: float
