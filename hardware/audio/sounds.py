"""The lane's beeps, made up as WAV. Pure: a name and a volume in, bytes out.

Each is under 150 ms, so that it is over before the next label is scanned. Never
speech, and no sound that means something without its twin on the screen.
"""

from __future__ import annotations

import math
import struct
from array import array

import msgspec

RATE = 22_050
LONGEST_SECONDS = 0.15
# A tone that begins or ends at once clicks.
_RAMP_SECONDS = 0.005
_LOUDEST = 0.8 * 32_767


class Tone(msgspec.Struct, frozen=True):
    """One tone of a sound; hertz 0 is a rest. `loudness` is a share of the volume."""

    hertz: float
    seconds: float
    loudness: float = 1.0


SILENCE = (Tone(0, 0.05),)
SOUNDS: dict[str, tuple[Tone, ...]] = {
    "scanned": (Tone(1000, 0.12),),
    "refused": (Tone(330, 0.06), Tone(0, 0.02), Tone(262, 0.06)),
    "attention": (
        Tone(660, 0.035, 0.5),
        Tone(0, 0.02),
        Tone(660, 0.035, 0.5),
        Tone(0, 0.02),
        Tone(660, 0.035, 0.5),
    ),
    "paid": (Tone(784, 0.06), Tone(1047, 0.08)),
}


def wav(tones: tuple[Tone, ...], volume: int) -> bytes:
    """Return tones as a WAV file of 16 bits, one channel; `volume` is in percent."""
    samples = array("h")
    for tone in tones:
        samples.extend(_samples(tone, volume / 100))
    data = struct.pack(f"<{len(samples)}h", *samples)
    shape = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    body = b"WAVE" + shape + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def _samples(tone: Tone, volume: float) -> list[int]:
    count = round(tone.seconds * RATE)
    ramp = round(_RAMP_SECONDS * RATE)
    height = _LOUDEST * volume * tone.loudness
    return [
        round(
            height
            * min(1.0, at / ramp, (count - at) / ramp)
            * math.sin(2 * math.pi * tone.hertz * at / RATE)
        )
        for at in range(count)
    ]
