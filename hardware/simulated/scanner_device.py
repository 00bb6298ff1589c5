"""The simulated scanner as a lane's device: the real driver on a simulated cable.

The bench types labels on one end of a pty; `SerialScanner`, as it would read
any scanner, reads the other.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

from hardware.ports import DeviceState, Scan
from hardware.scanner.serial_scanner import SerialScanner, serial_port
from hardware.simulated.control import Control
from hardware.simulated.scanner import SimulatedScanner


class SimulatedScannerDevice:
    """Keeps the `Scanner` port; `link` is the device path it plays on."""

    def __init__(self, link: Path | None = None) -> None:
        if link is None:
            link = Path(tempfile.mkdtemp(prefix="scanner-")) / "tty"
        link.parent.mkdir(parents=True, exist_ok=True)
        self._cable = SimulatedScanner(link)
        self._driver = SerialScanner(serial_port(str(link)))

    @property
    def controls(self) -> Mapping[str, Control]:
        """What bench, demo and tests can tell it."""
        return {
            "type": self.type,
            "send_hex": self.send_hex,
            "plug": self._cable.plug,
            "unplug": self._cable.unplug,
        }

    def open(self, emit: Callable[[Scan | DeviceState], None]) -> None:
        """Start reading; returns at once."""
        self._cable.plug()
        self._driver.open(emit)

    def close(self) -> None:
        """Stop reading; returns when the driver's thread has ended."""
        self._driver.close()
        self._cable.unplug()

    def type(self, label: str) -> None:
        """Scan a label, as text."""
        self._cable.type(label)

    def send_hex(self, raw: str) -> None:
        """Put bytes on the wire as they are, written in hexadecimal."""
        self._cable.send(bytes.fromhex(raw))
