"""What a ZVT terminal's status byte means for the lane. Pure.

PA00P015, terminal status; card-terminals.md 5.2.
"""

from __future__ import annotations

from hardware.ports import SETTLEMENT_REQUIRED, DeviceState, Health

READY = 0x00
NEEDS_INITIALISATION = 0x51
BUSY = 0x9C
NEEDS_DIAGNOSIS = 0xC2
SETTLEMENT_OPEN = 0xF0
# A card was left in the reader: the next payment finds out.
_CARD_INSIDE = (0xDC, 0xE1)
_WORDS = {
    NEEDS_INITIALISATION: "it needs an initialisation",
    BUSY: "busy",
    NEEDS_DIAGNOSIS: "it needs a diagnosis",
    0xB1: "its memory is full",
    0xCC: "its printer is not ready",
    0xDF: "out of order",
    0xE0: "under remote maintenance",
    0xE2: "its card reader is out of order",
    0xFC: "out of order: a part of it is missing",
}


def state_of(status: int | None, who: str) -> DeviceState:
    """Return how a terminal is; `status` is None where it cannot tell, and then its
    answer alone must do."""
    if status is None or status == READY or status in _CARD_INSIDE:
        return DeviceState(Health.READY, who)
    if status == SETTLEMENT_OPEN:
        return DeviceState(Health.ABSENT, "its end of day is open", SETTLEMENT_REQUIRED)
    return DeviceState(Health.ABSENT, _WORDS.get(status, f"status {status:02X}"))
