"""Answers what the updater asks the lane: how it is, and whether it may close.

Tells what it saw and passes questions on; whether the lane closes is decided by
`kiosk.domain.updating`, on the lane's own thread.
"""

from __future__ import annotations

import queue
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from kiosk.domain.events import DeviceChanged, Event, UpdateAsked
from kiosk.domain.state import Lane
from kiosk.domain.updating import refusal
from kiosk.records.rotation import journal_files
from kiosk.records.verify import verify_all
from kiosk.sync.questions import (
    Answer,
    LaneStatus,
    LeaseAnswer,
    LeaseAsked,
    Question,
    StatusAsked,
)

# Well below what the one who asks waits for: the lane's thread answers at once or is
# stuck, and then there is no answer.
_LANE_SECONDS = 3.0
# The file that is written and the one before it; older ones were checked before.
_FILES_CHECKED = 2


class Answering:
    """Collects what is known of the lane's health, from several threads.

    `post` gives an event to the lane; `lane` returns its newest state.
    """

    def __init__(
        self,
        release: str,
        journal: Path,
        public_key: bytes,
        post: Callable[[Event], None],
        lane: Callable[[], Lane],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._release = release
        self._journal_folder = journal
        self._public_key = public_key
        self._post = post
        self._lane = lane
        self._now = now
        self._first_drawn: float | None = None
        self._beat: float | None = None
        self._devices: dict[str, str] = {}
        self._journal = ""
        self._waiting: dict[str, queue.Queue[str]] = {}
        self._lock = threading.Lock()

    # -- what is seen --------------------------------------------------------

    def drawn(self, seq: int) -> None:
        """See a state on the glass. On the screen's thread."""
        # Before the lane's first state the screen shows only that it starts.
        if seq and self._first_drawn is None:
            self._first_drawn = self._now()

    def beat(self) -> None:
        """See the screen live. On the screen's thread, every second."""
        self._beat = self._now()

    def heard(self, event: Event) -> None:
        """Hear what the lane has written down. On the lane's thread."""
        match event:
            case DeviceChanged(device=device, health=health):
                self._devices = {**self._devices, device: health}
            case _:
                pass

    def lease_answered(self, asked: str, why_not: str) -> None:
        """Give the lane's answer to the one who waits for it. On the lane's thread."""
        with self._lock:
            waiting = self._waiting.pop(asked, None)
        if waiting is not None:
            waiting.put(why_not)

    # -- what is asked -------------------------------------------------------

    def answer(self, question: Question) -> Answer | None:
        """Answer, or nothing when the lane is stuck. On the asker's own thread."""
        match question:
            case StatusAsked():
                return self._status()
            case LeaseAsked(release=release):
                return self._lease(release)

    def _status(self) -> LaneStatus:
        lane = self._lane()
        return LaneStatus(
            release=self._release,
            drawn_seconds=self._since(self._first_drawn),
            beat_seconds=self._since(self._beat),
            journal=self._checked_journal(),
            devices=self._devices,
            refusal=refusal(lane),
            lease=lane.lease,
        )

    def _since(self, moment: float | None) -> float:
        return -1 if moment is None else round(self._now() - moment, 1)

    def _lease(self, release: str) -> LeaseAnswer | None:
        asked = uuid.uuid4().hex
        waiting: queue.Queue[str] = queue.Queue()
        with self._lock:
            self._waiting[asked] = waiting
        self._post(UpdateAsked(release, asked))
        try:
            return LeaseAnswer(waiting.get(timeout=_LANE_SECONDS))
        except queue.Empty:
            with self._lock:
                self._waiting.pop(asked, None)
            return None

    # -- the journal ---------------------------------------------------------

    def _checked_journal(self) -> str:
        """Check the journal once, when first asked: it takes a while, aside."""
        with self._lock:
            if not self._journal:
                self._journal = "checking"
                threading.Thread(
                    target=self._check_journal, name="journal-check", daemon=True
                ).start()
            return self._journal

    def _check_journal(self) -> None:
        files = journal_files(self._journal_folder)[-_FILES_CHECKED:]
        verdicts = verify_all(files, self._public_key)
        problems = [verdict.problem for verdict in verdicts if not verdict.ok]
        self._journal = "; ".join(problems) if problems else "good"
