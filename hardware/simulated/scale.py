"""The simulated scale: things are put on it and taken off."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hardware.ports import DeviceState, Weight
from hardware.simulated.cable import Cable
from hardware.simulated.control import Control

# What a checkout scale carries; beyond, it shows nothing.
MOST_GRAMS = 15_000


class SimulatedScale:
    """Tells settled weights, each change once, in steps of its division."""

    def __init__(self, division_grams: int = 1) -> None:
        self._division_grams = division_grams
        self._cable: Cable[Weight] = Cable("scale", Weight(0))

    @property
    def controls(self) -> Mapping[str, Control]:
        """What bench, demo and tests can tell it."""
        return {"put": self.put, "take_off": self.take_off, **self._cable.controls}

    def open(self, emit: Callable[[Weight | DeviceState], None]) -> None:
        """Start weighing; returns at once."""
        self._cable.open(emit)

    def close(self) -> None:
        """Stop; returns when the driver's thread has ended."""
        self._cable.close()

    def put(self, grams: int) -> None:
        """Let so much lie on the plate, all in all."""
        if not 0 <= grams <= MOST_GRAMS:
            raise ValueError(f"a weight is 0 to {MOST_GRAMS} grams, not {grams}")
        steps = (grams + self._division_grams // 2) // self._division_grams
        self._cable.tell(Weight(steps * self._division_grams))

    def take_off(self) -> None:
        """Clear the plate."""
        self._cable.tell(Weight(0))
