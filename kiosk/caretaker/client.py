"""The lane's end of the caretaker's socket: ask, and wait for what came of it.

Blocking; used from a worker's thread. Trouble on the way is an outcome, never raised.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec

from kiosk.caretaker.words import (
    LONGEST_LINE,
    SOCKET,
    Answer,
    Outcome,
    Progress,
    Request,
    reply_decoder,
)

log = logging.getLogger(__name__)

# systemd starts the caretaker at the first connection: Python's start on a slow disk.
_CONNECT_SECONDS = 30.0
# A stick that writes nothing for so long is broken.
_SILENCE_SECONDS = 300.0


def ask(
    request: Request,
    progress: Callable[[int], None],
    path: Path = SOCKET,
    silence_seconds: float = _SILENCE_SECONDS,
) -> Answer:
    """Return what came of a request; `progress` hears bytes while it goes on."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as wire:
        wire.settimeout(_CONNECT_SECONDS)
        try:
            wire.connect(str(path))
            wire.sendall(msgspec.json.encode(request) + b"\n")
        except OSError as error:
            log.warning("the caretaker cannot be reached: %s", error)
            return Answer(Outcome.UNREACHABLE, error.strerror or "")
        wire.settimeout(silence_seconds)
        try:
            for line in _lines(wire):
                match reply_decoder.decode(line):
                    case Progress(done_bytes=done):
                        progress(done)
                    case Answer() as answer:
                        return answer
        except (OSError, msgspec.DecodeError) as error:
            log.warning("the caretaker's answer was lost: %s", error)
    return Answer(Outcome.NO_ANSWER)


def _lines(wire: socket.socket) -> Iterator[bytes]:
    rest = b""
    while more := wire.recv(LONGEST_LINE):
        *lines, rest = (rest + more).split(b"\n")
        yield from lines
