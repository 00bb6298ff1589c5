"""A scale on a pty that speaks as a Mettler Toledo 8217, from the device's end.

    python -m hardware.simulated.mettler_8217 --port-file F [--link PATH]

Moves for a moment whenever its load changes; can be overloaded, under zero, tared,
silent and noisy. Controls: device `scale`.
"""

from __future__ import annotations

import argparse
import os
import threading
import time
import tty
from collections.abc import Mapping
from pathlib import Path

from hardware.simulated.control import Control, ControlServer, SimulatedBench
from hardware.simulated.frames import PortFile, write_port_file

_MOTION, _OVER, _UNDER, _ZERO, _ALWAYS = 0x01, 0x02, 0x04, 0x10, 0x40
LARGEST_GRAMS = 15_000


class Mettler8217Device:
    """The scale itself."""

    def __init__(self, link: Path | None = None) -> None:
        self._ours, self._theirs = os.openpty()
        tty.setraw(self._theirs)
        self.tty = os.ttyname(self._theirs)
        if link is not None:
            link.unlink(missing_ok=True)
            link.symlink_to(self.tty)
        self._grams = self._tare_grams = 0
        self._rests_at = 0.0
        self._is_silent = self._is_noisy = self._is_in_pounds = False
        self._stopped = threading.Event()
        threading.Thread(target=self._run, name="scale", daemon=True).start()

    @property
    def controls(self) -> Mapping[str, Control]:
        """What bench, demo and tests can tell it."""
        return {
            "put": self.put,
            "take_off": self.take_off,
            "tare": self.tare,
            "pounds": self.pounds,
            "silence": self.silence,
            "speak": self.speak,
            "noise": self.noise,
            "stop": self.stop,
        }

    def put(self, grams: int, wobble_ms: int = 0) -> None:
        """Let so much lie on it, at rest after a while. Below zero: it was not clear
        when it was set to zero."""
        self._grams = grams
        self._rests_at = time.monotonic() + wobble_ms / 1000

    def take_off(self) -> None:
        """Clear the plate."""
        self.put(0)

    def tare(self, grams: int) -> None:
        """Take so much off every weight, at the scale itself."""
        self._tare_grams = grams

    def pounds(self, on: bool) -> None:
        """Weigh in pounds, as a scale from abroad."""
        self._is_in_pounds = on

    def silence(self) -> None:
        """Say nothing any more."""
        self._is_silent = True

    def speak(self) -> None:
        """Answer again."""
        self._is_silent = False

    def noise(self, on: bool) -> None:
        """Put rubbish before each answer."""
        self._is_noisy = on

    def stop(self) -> None:
        """End the process in good order."""
        self._stopped.set()

    def wait(self) -> None:
        """Return when told to stop."""
        self._stopped.wait()

    def _run(self) -> None:
        while True:
            for byte in os.read(self._ours, 64):
                if byte == ord("W") and not self._is_silent:
                    noise = b"\x7f?\x55 1" if self._is_noisy else b""
                    os.write(self._ours, noise + self._answer())

    def _answer(self) -> bytes:
        net = self._grams - self._tare_grams
        status = _ALWAYS | (_ZERO if not self._grams else 0)
        if time.monotonic() < self._rests_at:
            return b"\x02?" + bytes([status | _MOTION]) + b"\r"
        if self._grams > LARGEST_GRAMS:
            return b"\x02?" + bytes([status | _OVER]) + b"\r"
        if net < 0:
            return b"\x02?" + bytes([status | _UNDER]) + b"\r"
        if self._is_in_pounds:
            return f"\x02{net / 453.59237:05.2f}\r".encode()
        mark = "N" if self._tare_grams else ""
        return f"\x02{net // 1000:02d}.{net % 1000:03d}{mark}\r".encode()


def main() -> None:
    """Run the scale until it is told to stop or is killed."""
    words = argparse.ArgumentParser(description="A scale with nothing on it")
    words.add_argument("--port-file", type=Path, required=True)
    words.add_argument("--link", type=Path)
    asked = words.parse_args()
    device = Mettler8217Device(asked.link)
    bench = SimulatedBench()
    bench.add("scale", device)
    control = ControlServer(bench)
    write_port_file(asked.port_file, PortFile(0, control.port, device.tty))
    print("ready", flush=True)
    device.wait()
    control.close()


if __name__ == "__main__":
    main()
