"""The simulated keypad: its keys are pressed by whoever plays shopper."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import msgspec

from hardware.ports import DeviceState, KeypadKey, KeyPress
from hardware.simulated.cable import Cable
from hardware.simulated.control import Control


class SimulatedKeypad:
    """Sends the keys it is told to press; unplugged, it sends none."""

    def __init__(self) -> None:
        self._cable: Cable[_Numbered] = Cable("keypad")
        self._presses = 0

    @property
    def controls(self) -> Mapping[str, Control]:
        """What bench, demo and tests can tell it."""
        return {**self._cable.controls, "press": self.press}

    def open(self, emit: Callable[[KeyPress | DeviceState], None]) -> None:
        """Start listening; returns at once."""

        def pass_on(told: _Numbered | DeviceState) -> None:
            emit(told if isinstance(told, DeviceState) else told.press)

        self._cable.open(pass_on)

    def press(self, key: str) -> None:
        """Press a key by its name (`up`, `select`). Raises `ValueError`."""
        self._presses += 1
        self._cable.tell(_Numbered(KeyPress(KeypadKey(key)), self._presses))

    def close(self) -> None:
        """Stop; returns when the driver's thread has ended."""
        self._cable.close()


class _Numbered(msgspec.Struct, frozen=True):
    """A press and its number: a cable carries changes, and two presses are two."""

    press: KeyPress
    number: int
