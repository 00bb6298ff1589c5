"""The caretaker's end of the socket: one connection at a time, one request each.

Only the lane's user may ask; the kernel says who does (SO_PEERCRED). A request that
is not one of the closed list is refused and nothing of it is done.
"""

from __future__ import annotations

import logging
import os
import socket
import struct
from collections.abc import Callable, Container
from pathlib import Path

import msgspec

from kiosk.caretaker.deeds import Caretaker
from kiosk.caretaker.words import (
    LONGEST_LINE,
    Answer,
    Outcome,
    Progress,
    Reply,
    request_decoder,
)

log = logging.getLogger(__name__)

# Whoever connects and says nothing must not keep others waiting.
_REQUEST_SECONDS = 5.0
# systemd starts the service again at the next connection.
IDLE_SECONDS = 60.0
_FIRST_PASSED_FD = 3


def passed_socket() -> socket.socket | None:
    """Return the socket that systemd passed (sd_listen_fds(3)), if it did."""
    if os.environ.get("LISTEN_PID") != str(os.getpid()):
        return None
    if os.environ.get("LISTEN_FDS") != "1":
        return None
    return socket.socket(fileno=_FIRST_PASSED_FD)


def listen(path: Path) -> socket.socket:
    """Return a socket of our own, for a machine without systemd."""
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    path.chmod(0o600)
    listening.listen(4)
    return listening


def serve(
    listening: socket.socket,
    caretaker: Caretaker,
    allowed_uids: Container[int],
    *,
    idle_seconds: float | None = IDLE_SECONDS,
) -> None:
    """Answer requests until nobody asked for so long; None: for as long as we live."""
    listening.settimeout(idle_seconds)
    while True:
        try:
            peer, _ = listening.accept()
        except TimeoutError:
            return
        with peer:
            answer_one(peer, caretaker, allowed_uids)
        try:
            caretaker.finish()
        except OSError as error:
            log.error("the machine does not restart: %s", error)


def answer_one(
    peer: socket.socket, caretaker: Caretaker, allowed_uids: Container[int]
) -> None:
    """Hear one request and answer it. Whoever hangs up early misses the answer."""
    if (uid := peer_uid(peer)) not in allowed_uids:
        log.warning("user %d may not ask the caretaker", uid)
        return
    tell = _teller(peer)
    peer.settimeout(_REQUEST_SECONDS)
    try:
        line = _read_line(peer)
    except OSError as error:
        log.warning("no request came: %s", error)
        return
    try:
        request = request_decoder.decode(line)
    except (msgspec.DecodeError, RecursionError) as error:
        log.warning("a request was refused: %s", error)
        tell(Answer(Outcome.REFUSED))
        return
    tell(caretaker.carry_out(request, lambda done: tell(Progress(done))))


def peer_uid(peer: socket.socket) -> int:
    """Return the user at the other end, as the kernel knows it."""
    told = peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", told)
    return int(uid)


def _read_line(peer: socket.socket) -> bytes:
    line = b""
    while b"\n" not in line:
        if len(line) > LONGEST_LINE:
            break
        if not (more := peer.recv(LONGEST_LINE)):
            break
        line += more
    # Too long or cut off is no JSON, and refused as such.
    return line[: LONGEST_LINE + 1].partition(b"\n")[0] if b"\n" in line else b""


def _teller(peer: socket.socket) -> Callable[[Reply], None]:
    def tell(reply: Reply) -> None:
        try:
            peer.sendall(msgspec.json.encode(reply) + b"\n")
        except OSError:
            # The lane is gone; what was begun is finished all the same.
            log.debug("nobody hears the answer any more")

    return tell
