"""A serial scanner without the scanner: it types labels into a real pty.

The driver opens the offered path as it would a cable. The simulator will never
call the driver: all it knows is the wire.
"""

from __future__ import annotations

import os
import pty
import select
import tty
from collections.abc import Sequence
from pathlib import Path

# As long as a driver may leave a full line unread before bytes are lost.
PATIENCE_SECONDS = 1.0


class SimulatedScanner:
    """Types labels, makes noise, and can be unplugged.

    `link` is the device path that is offered while it is plugged in; it stays the
    same from plug to plug, as udev's names do. `suffix` and `prefix` surround every
    label.
    """

    def __init__(
        self, link: Path, suffix: bytes = b"\r\n", prefix: bytes = b""
    ) -> None:
        self.link = link
        self.suffix = suffix
        self.prefix = prefix
        self.typed: list[bytes] = []
        self._ends: tuple[int, int] | None = None

    @property
    def is_plugged(self) -> bool:
        """Tell whether the device path is offered."""
        return self._ends is not None

    def plug(self) -> None:
        """Offer the device path."""
        if self._ends is not None:
            return
        ours, theirs = pty.openpty()
        # A cable changes no byte; a fresh pty would echo and translate.
        tty.setraw(theirs)
        os.set_blocking(ours, False)
        self._ends = ours, theirs
        aside = self.link.with_name(self.link.name + ".new")
        aside.unlink(missing_ok=True)
        aside.symlink_to(os.ttyname(theirs))
        aside.replace(self.link)

    def unplug(self) -> None:
        """Take the device away, also in the middle of a label."""
        if self._ends is None:
            return
        self.link.unlink(missing_ok=True)
        for end in self._ends:
            os.close(end)
        self._ends = None

    def type(self, label: str | bytes, chunks: Sequence[int] = ()) -> None:
        """Send one label with its prefix and suffix, cut into `chunks` of bytes."""
        data = label.encode() if isinstance(label, str) else label
        self.typed.append(data)
        self.send(self.prefix + data + self.suffix, chunks)

    def send(self, raw: bytes, chunks: Sequence[int] = ()) -> None:
        """Put bytes on the wire as they are: noise, half a label, a flood.

        What a driver leaves unread for too long is lost, as on a cable.
        """
        if self._ends is None:
            return
        for size in chunks:
            self._write(raw[:size])
            raw = raw[size:]
        self._write(raw)

    def _write(self, raw: bytes) -> None:
        assert self._ends is not None
        ours = self._ends[0]
        while raw:
            if not select.select([], [ours], [], PATIENCE_SECONDS)[1]:
                return
            try:
                raw = raw[os.write(ours, raw) :]
            except BlockingIOError:
                return
