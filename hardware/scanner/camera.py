"""Reads labels through a camera, whose pictures are read by a process of its own.

This is the lane's side: it starts the process, watches that it answers, and decides
which codes become scans. It will never look at a picture itself, and believes no
byte of the process unchecked.
"""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from hardware.ports import DeviceState, Health, Scan, Viewfinder
from hardware.scanner.camera_wire import (
    BrokenWire,
    Frame,
    Message,
    NoPicture,
    Unpacker,
    View,
)
from hardware.scanner.label import refusal
from hardware.scanner.source import parse_source
from hardware.scanner.tally import Tally
from hardware.scanner.votes import HOLD_SECONDS, Votes

log = logging.getLogger(__name__)

# A frame takes 0.3 s at the worst; a camera that hangs is told by its process.
ANSWER_SECONDS = 3.0
# Loading the readers and opening a USB camera.
START_SECONDS = 15.0
RESTART_SECONDS = 0.5
LONGEST_RESTART_SECONDS = 30.0
# Ten frames a second are asked for; a process that floods must not starve the lane.
MOST_BYTES_PER_SECOND = 2 * 1024 * 1024
# A process that ran so long did not die of its start.
RAN_WELL_SECONDS = 10.0
_WAKE_SECONDS = 0.1
_ROOT = Path(__file__).resolve().parents[2]


def camera_command(
    source: str,
    frames_per_second: float = 10.0,
    shown_frames: int = 8,
    is_looping: bool = False,
) -> list[str]:
    """Return the command of a camera process for `source`.

    `source` is `device:/dev/video0`, `video:FILE`, `folder:DIR` or `watch:DIR`;
    each picture of a folder is shown for `shown_frames`. Raises `ValueError` where
    it is none of these.
    """
    parse_source(source)
    command = [sys.executable, "-m", "hardware.scanner.camera_process"]
    command += ["--source", source, "--frames-per-second", str(frames_per_second)]
    command += ["--shown-frames", str(shown_frames)]
    return [*command, "--loop"] if is_looping else command


class CameraScanner:
    """Reads labels through a camera process, and restarts it for as long as it is open.

    `is_known` is asked from the driver's thread whether a label's text names
    something the shop sells.
    """

    def __init__(
        self,
        command: Sequence[str],
        is_known: Callable[[str], bool] | None = None,
        hold_seconds: float = HOLD_SECONDS,
        clock: Callable[[], float] = time.monotonic,
        answer_seconds: float = ANSWER_SECONDS,
        start_seconds: float = START_SECONDS,
        restart_seconds: float = RESTART_SECONDS,
    ) -> None:
        self._command = list(command)
        self._votes = Votes(is_known, hold_seconds)
        self._clock = clock
        self._answer_seconds = answer_seconds
        self._start_seconds = start_seconds
        self._restart_seconds = restart_seconds
        self._tally = Tally()
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._told: DeviceState | None = None
        self._show: Callable[[Viewfinder], None] | None = None
        self.process_id: int | None = None

    def watch(self, show: Callable[[Viewfinder], None]) -> None:
        """Give each preview to `show`, from the driver's thread."""
        self._show = show

    def open(self, emit: Callable[[Scan | DeviceState], None]) -> None:
        """Start looking; returns at once."""
        if self._thread is not None:
            raise RuntimeError("the camera is open already")
        self._stop.clear()
        self._told = None
        self._thread = threading.Thread(
            target=self._run, args=(emit,), name="camera-scanner", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop looking; returns when thread and process have ended. Safe to repeat."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    def _run(self, emit: Callable[[Scan | DeviceState], None]) -> None:
        wait = self._restart_seconds
        while not self._stop.is_set():
            started = self._clock()
            trouble = self._watch_one(emit)
            if self._stop.is_set():
                return
            self._tell(emit, DeviceState(Health.ABSENT, trouble))
            if self._clock() - started >= RAN_WELL_SECONDS:
                wait = self._restart_seconds
            self._stop.wait(wait)
            wait = min(wait * 2, LONGEST_RESTART_SECONDS)

    def _watch_one(self, emit: Callable[[Scan | DeviceState], None]) -> str:
        """Run one camera process until it fails; return what went wrong."""
        ours, theirs = socket.socketpair()
        try:
            process = subprocess.Popen(
                [*self._command, "--fd", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                cwd=_ROOT,
                env=_environment(),
                # Not of the terminal's group: a Ctrl-C is the lane's.
                start_new_session=True,
            )
        except OSError as error:
            ours.close()
            return f"camera process cannot start: {error.strerror}"
        finally:
            theirs.close()
        self.process_id = process.pid
        try:
            trouble = self._listen(ours, emit)
        finally:
            ours.close()
            process.kill()
            status = process.wait()
            self.process_id = None
        return trouble or f"camera process ended ({status})"

    def _listen(
        self, ours: socket.socket, emit: Callable[[Scan | DeviceState], None]
    ) -> str:
        """Take messages until the process fails; empty when it hung up."""
        unpacker = Unpacker()
        ours.settimeout(_WAKE_SECONDS)
        second_began = self._clock()
        answer_by = second_began + self._start_seconds
        bytes_left = MOST_BYTES_PER_SECOND
        while not self._stop.is_set():
            refused = unpacker.refused
            try:
                received = ours.recv(65536)
                if not received:
                    return ""
                bytes_left -= len(received)
                messages = unpacker.feed(received)
            except TimeoutError:
                messages = []
            except BrokenWire as error:
                return str(error)
            except OSError:
                return ""
            now = self._clock()
            for _ in range(unpacker.refused - refused):
                self._tally.drop("messages not understood", now)
            for message in messages:
                self._take(message, now, emit)
                if not isinstance(message, View):
                    answer_by = now + self._answer_seconds
            if now - second_began >= 1.0:
                second_began, bytes_left = now, MOST_BYTES_PER_SECOND
            if bytes_left < 0:
                return "camera process floods the lane"
            if now >= answer_by:
                return "camera process does not answer"
        return ""

    def _take(
        self, message: Message, now: float, emit: Callable[[Scan | DeviceState], None]
    ) -> None:
        match message:
            case NoPicture(detail=detail):
                self._tell(emit, DeviceState(Health.ABSENT, detail))
            case View() if not message.is_whole:
                self._tally.drop("messages not understood", now)
            case View(width=width, height=height, grey=grey, outlines=outlines):
                if self._show is not None:
                    self._show(Viewfinder(width, height, grey, outlines))
            case Frame():
                # A lane that takes no label from an absent scanner must hear first
                # that it is there.
                self._tell(emit, self._tally.state(now))
                for code in self._votes.take(message, now):
                    data = code.text.encode()
                    if cause := refusal(data):
                        self._tally.drop(cause, now)
                    elif self._tally.may_pass(now):
                        emit(Scan(data, code.symbology))
                self._tell(emit, self._tally.state(now))

    def _tell(
        self, emit: Callable[[Scan | DeviceState], None], state: DeviceState
    ) -> None:
        if self._told is None or state.health is not self._told.health:
            log.info("camera is %s: %s", state.health.value, state.detail or "looking")
            emit(state)
            self._told = state


def _environment() -> dict[str, str]:
    """Return the little a camera process may know of its surroundings."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    # Threads that libraries start for themselves would not fit its memory limit.
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    # Seconds; the default of ten would look like a hung process.
    return {**kept, **one, "OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT": "2"}
