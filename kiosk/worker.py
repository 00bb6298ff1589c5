"""A thread for a slow device. It does its jobs in order and fails loudly."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable


class Worker:
    """Runs the jobs it is given, in order, on a thread of its own.

    A job that raises ends the thread through `threading.excepthook`, which
    `kiosk.main` sets to end the program: systemd starts it again and the journal
    brings the sale back. A lane never limps on half alive.
    """

    def __init__(self, name: str) -> None:
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    def give(self, job: Callable[[], None]) -> None:
        """Queue a job. Returns at once."""
        self._jobs.put(job)

    def _run(self) -> None:
        while True:
            self._jobs.get()()
