"""What a lane was told by its UPS, and a port that is free."""

from __future__ import annotations

import queue
import socket
from typing import Any

SECONDS = 20


class Heard:
    """What the lane was told, in order."""

    def __init__(self) -> None:
        self.told: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def until(self, wanted: object, kind: type) -> Any:
        """Return the first told of that kind with this source or health."""
        while True:
            told = self.told.get(timeout=SECONDS)
            if isinstance(told, kind) and wanted in (
                getattr(told, "source", None),
                getattr(told, "health", None),
            ):
                return told


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
