"""A small UPS with a serial port: Megatec's Q1 protocol from the device's end.

On a pty, so that NUT's own driver (`nutdrv_qx`) talks to it as to a real one. Knows
mains, battery, low battery and silence; remembers shutdown commands.
"""

from __future__ import annotations

import os
import threading
import tty
from collections.abc import Mapping
from pathlib import Path

from hardware.simulated.control import Control

_FULL_VOLTS, _LOW_VOLTS, _MAINS_VOLTS = 13.6, 10.8, 230.0
_RATING = b"#230.0 004 12.00 50.0\r"
_WHO = b"#Stillopen       Simulated  V1.00     \r"
_LONGEST_COMMAND = 64


class Megatec:
    """The UPS. `link` is where a driver finds it."""

    def __init__(self, link: Path) -> None:
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self._theirs))
        self._change = threading.Condition()
        self._is_on_battery = self._is_low = self._is_silent = False
        self._shutdowns: list[str] = []
        threading.Thread(target=self._run, name="megatec", daemon=True).start()

    @property
    def controls(self) -> Mapping[str, Control]:
        """What bench, demo and tests can tell it."""
        return {
            "mains_lost": self.mains_lost,
            "battery_low": self.battery_low,
            "mains_back": self.mains_back,
            "unplug": self.silence,
            "plug": self.speak,
            "silence": self.silence,
            "speak": self.speak,
            "shutdowns": self.shutdowns,
        }

    def mains_lost(self) -> None:
        """Pull the plug."""
        self._become(is_on_battery=True, is_low=False)

    def battery_low(self) -> None:
        """Let the battery near its end."""
        self._become(is_on_battery=True, is_low=True)

    def mains_back(self) -> None:
        """Put the plug back."""
        self._become(is_on_battery=False, is_low=False)

    def silence(self) -> None:
        """Pull its data cable."""
        self._is_silent = True

    def speak(self) -> None:
        """Put it back."""
        self._is_silent = False

    def shutdowns(self) -> list[str]:
        """Return the commands to cut the current that came, oldest first."""
        return list(self._shutdowns)

    def _become(self, *, is_on_battery: bool, is_low: bool) -> None:
        with self._change:
            self._is_on_battery, self._is_low = is_on_battery, is_low

    def _run(self) -> None:
        rest = b""
        while True:
            rest += os.read(self._ours, 64)
            *commands, rest = rest.split(b"\r")
            rest = rest[-_LONGEST_COMMAND:]
            for command in commands:
                # What is sent while the cable is out is not heard, and not answered.
                if not self._is_silent and (answer := self._answer(command)):
                    os.write(self._ours, answer)

    def _answer(self, command: bytes) -> bytes:
        match command:
            case b"Q1":
                return self._status()
            case b"F":
                return _RATING
            case b"I":
                return _WHO
            case _ if command[:1] in (b"S", b"C"):
                self._shutdowns.append(command.decode("ascii", "replace"))
                return b""
            case _:
                # What a Megatec UPS does not know, it sends back.
                return command + b"\r"

    def _status(self) -> bytes:
        with self._change:
            volts = 0.0 if self._is_on_battery else _MAINS_VOLTS
            battery = _LOW_VOLTS if self._is_low else _FULL_VOLTS
            bits = f"{self._is_on_battery:d}{self._is_low:d}001000"
        return (
            f"({volts:05.1f} {volts:05.1f} {_MAINS_VOLTS:05.1f} 020 50.0"
            f" {battery:04.1f} 25.0 {bits}\r"
        ).encode()
