"""The camera's own process: looks through it and tells the lane what codes it sees.

It parses what strangers hold up, so it has no network, little memory and no file to
write; should it die, the lane reports a device fault and starts another. It knows
no catalogue and remembers nothing: what was taken is the lane's to remember.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import resource
import socket
import sys
import time
import zlib
from collections.abc import Sequence

import cv2

from hardware.scanner.camera_wire import Frame, Message, NoPicture, pack
from hardware.scanner.decode import LIVE_SECONDS, decode
from hardware.scanner.pictures import SourceLost, frames
from hardware.scanner.source import Source, parse_source

# The readers' libraries map 440 MB, of which they use 65; a frame needs 20 more.
MEMORY_BYTES = 1024 * 1024 * 1024
OPEN_FILES = 32
LOOK_AGAIN_SECONDS = 0.5
# A lane that reads nothing for so long is gone or is hung: nobody needs us.
SEND_SECONDS = 5.0
_CLONE_NEWNET = 0x40000000
_CLONE_NEWUSER = 0x10000000


def main(arguments: Sequence[str] | None = None) -> int:
    """Look until the lane hangs up."""
    parser = argparse.ArgumentParser(prog="hardware.scanner.camera_process")
    parser.add_argument("--source", required=True, type=parse_source)
    parser.add_argument("--fd", required=True, type=int, help="socket to the lane")
    parser.add_argument("--frames-per-second", type=float, default=10.0)
    parser.add_argument("--shown-frames", type=int, default=8)
    parser.add_argument("--loop", action="store_true")
    asked = parser.parse_args(arguments)
    confine()
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
            time.sleep(LOOK_AGAIN_SECONDS)
        while True:
            _tell(lane, NoPicture("the pictures have ended"))
            time.sleep(LOOK_AGAIN_SECONDS)
    except (BrokenPipeError, ConnectionResetError, TimeoutError):
        return 0


def confine() -> None:
    """Give up what a reader of pictures never needs.

    systemd's sandbox does more; this holds without it too.
    """
    cv2.setNumThreads(1)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    unshare = ctypes.CDLL(None, use_errno=True).unshare
    # Without the right to a network of its own, a user of its own brings it; where
    # the kernel refuses both, no socket is opened all the same.
    if unshare(_CLONE_NEWNET) != 0:
        unshare(_CLONE_NEWUSER | _CLONE_NEWNET)


def _look(
    lane: socket.socket,
    source: Source,
    is_looping: bool,
    shown_frames: int,
    pause: float,
) -> None:
    due = time.monotonic()
    for grey in frames(source, is_looping, shown_frames):
        now = time.monotonic()
        if source.kind == "device":
            # A camera sets its own pace; frames between are not looked at.
            if now < due:
                continue
        elif now < due:
            time.sleep(due - now)
        due = max(due + pause, now)
        _tell(lane, Frame(zlib.crc32(grey.data), tuple(decode(grey, LIVE_SECONDS))))


def _tell(lane: socket.socket, message: Message) -> None:
    lane.sendall(pack(message))


if __name__ == "__main__":
    # Readers' libraries write of broken codes to the standard output.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    sys.exit(main())
