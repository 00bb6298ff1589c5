"""Devices that a lane does not have: they keep their port and do nothing.

They say nothing either: what was never there cannot go missing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hardware.ports import DeviceState, KeyPress, Light, Power, Weight


class NoScale:
    """A lane without a scale."""

    def open(self, emit: Callable[[Weight | DeviceState], None]) -> None:
        """Nothing to weigh with."""

    def close(self) -> None:
        """Nothing to close."""


class NoUps:
    """A lane without a battery: the journal alone protects it."""

    def open(self, emit: Callable[[Power | DeviceState], None]) -> None:
        """Nothing to watch."""

    def order_shutdown(self) -> None:
        """Nobody to ask."""

    def close(self) -> None:
        """Nothing to close."""


class NoLight:
    """A lane without a light."""

    def open(self, emit: Callable[[DeviceState], None]) -> None:
        """Nothing to find."""

    def show(self, light: Light) -> None:
        """Nothing to show it with."""

    def close(self) -> None:
        """Nothing to switch off."""


class NoKeypad:
    """A lane that is used by touch alone."""

    def open(self, emit: Callable[[KeyPress | DeviceState], None]) -> None:
        """Nothing to listen to."""

    def close(self) -> None:
        """Nothing to close."""


class NoSpeaker:
    """A lane without sound: all of it has a twin on the screen."""

    def open(self, emit: Callable[[DeviceState], None]) -> None:
        """Nothing to find."""

    def play(self, sound: str) -> None:
        """Nothing to play it with."""

    def say(self, text: str, language: str) -> None:
        """Nobody to say it."""

    def hush(self) -> None:
        """Silent already."""

    def close(self) -> None:
        """Nothing to close."""


ABSENT: Mapping[str, Callable[[], object]] = {
    "scale": NoScale,
    "ups": NoUps,
    "light": NoLight,
    "keypad": NoKeypad,
    "speaker": NoSpeaker,
}
