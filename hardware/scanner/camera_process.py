"""The camera's own process: looks through it and tells the lane what codes it sees.

It parses what strangers hold up, so it is confined (`confine`); should it die, the lane reports a device fault and starts another. It knows
no catalogue and remembers nothing: what was taken is the lane's to remember.
"""

from __future__ import annotations

import argparse
import os
import socket
import sys
import time
import zlib
from collections.abc import Sequence

import cv2
import numpy as np

from hardware.scanner.camera_wire import Code, Frame, Message, NoPicture, View, pack
from hardware.scanner.confine import confine
from hardware.scanner.decode import LIVE_SECONDS, decode
from hardware.scanner.pictures import Grey, SourceLost, frames
from hardware.scanner.readers import corners_of
from hardware.scanner.source import Source, parse_source

LOOK_AGAIN_SECONDS = 0.5
# A lane that reads nothing for so long is gone or is hung: nobody needs us.
SEND_SECONDS = 5.0
# A preview is for people: ten a second look smooth.
VIEW_SECONDS = 0.1
VIEW_SIZE = 320


def main(arguments: Sequence[str] | None = None) -> int:
    """Look until the lane hangs up."""
    parser = argparse.ArgumentParser(prog="hardware.scanner.camera_process")
    parser.add_argument("--source", required=True, type=parse_source)
    parser.add_argument("--fd", required=True, type=int, help="socket to the lane")
    parser.add_argument("--frames-per-second", type=float, default=10.0)
    parser.add_argument("--shown-frames", type=int, default=8)
    parser.add_argument("--loop", action="store_true")
    asked = parser.parse_args(arguments)
    cv2.setNumThreads(1)
    confine(asked.source)
    lane = socket.socket(fileno=asked.fd)
    lane.settimeout(SEND_SECONDS)
    pause = 1.0 / asked.frames_per_second
    try:
        while True:
            try:
                _look(lane, asked.source, asked.loop, asked.shown_frames, pause)
                break
            except SourceLost as error:
                _tell(lane, NoPicture(str(error)[:500]))
            # A camera that comes back announces itself to nobody.
            time.sleep(LOOK_AGAIN_SECONDS)
        while True:
            # Said again and again: the first to find the lane gone ends the process.
            _tell(lane, NoPicture("the pictures have ended"))
            time.sleep(LOOK_AGAIN_SECONDS)
    except (BrokenPipeError, ConnectionResetError, TimeoutError):
        return 0


def _look(
    lane: socket.socket,
    source: Source,
    is_looping: bool,
    shown_frames: int,
    pause: float,
) -> None:
    due = view_due = time.monotonic()
    for grey in frames(source, is_looping, shown_frames):
        now = time.monotonic()
        if source.kind == "device":
            # A camera sets its own pace; frames between are not looked at.
            if now < due:
                continue
        elif now < due:
            # Files are played at the pace of a camera.
            time.sleep(due - now)
        due = max(due + pause, now)
        codes = tuple(decode(grey, LIVE_SECONDS))
        _tell(lane, Frame(zlib.crc32(grey.data), codes))
        if now >= view_due:
            view_due = now + VIEW_SECONDS
            _tell(lane, view_of(grey, codes))


def view_of(grey: Grey, codes: Sequence[Code]) -> View:
    """Return a small copy of a frame, with the outlines of its codes."""
    scale = VIEW_SIZE / max(grey.shape)
    height, width = (max(1, round(side * scale)) for side in grey.shape)
    small = cv2.resize(grey, (width, height), interpolation=cv2.INTER_AREA)
    rows, columns = grey.shape
    outlines = tuple(
        tuple(
            (min(max(x / columns, 0.0), 1.0), min(max(y / rows, 0.0), 1.0))
            for x, y in corners_of(box[0], box[1], box[2] - box[0], box[3] - box[1])
        )
        for box in (code.box for code in codes)
    )
    return View(width, height, np.asarray(small, dtype=np.uint8).tobytes(), outlines)


def _tell(lane: socket.socket, message: Message) -> None:
    lane.sendall(pack(message))


if __name__ == "__main__":
    # Readers' libraries write of broken codes to the standard output.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.exit(main())
