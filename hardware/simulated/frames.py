"""Messages on a loopback socket: four bytes of length, then JSON.

The wire between a simulator's process and those who use it. A message that is
too long, cut short or not JSON is an OSError, as a broken link is.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import msgspec

LENGTH_BYTES = 4
LONGEST = 1 << 20


class PortFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a simulator's process writes when it is ready: where it listens.

    `port` is the device's own wire (0: none), `control` the bench's, `tty` the
    pty of a simulator that has one.
    """

    port: int
    control: int
    tty: str = ""


def write_port_file(path: Path, where: PortFile) -> None:
    """Write it in one step, so that nobody reads half of it."""
    aside = path.with_name(path.name + ".new")
    aside.write_bytes(msgspec.json.encode(where))
    os.replace(aside, path)


def read_port_file(path: Path) -> PortFile:
    """Return where a simulator listens; an OSError when it does not (yet)."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=PortFile)
    except msgspec.DecodeError as error:
        raise OSError(f"{path} is no port file: {error}") from error


def frame(body: bytes) -> bytes:
    """Return the bytes that carry `body`."""
    return len(body).to_bytes(LENGTH_BYTES, "big") + body


def send(link: socket.socket, message: object) -> None:
    """Send a message whole, or raise."""
    link.sendall(frame(msgspec.json.encode(message)))


def receive(link: socket.socket) -> bytes:
    """Return the next message's body. Raises on time-out and at the end."""
    length = int.from_bytes(_exactly(link, LENGTH_BYTES), "big")
    if length > LONGEST:
        raise OSError(f"a message of {length} bytes is too long")
    return _exactly(link, length)


def split(received: bytes) -> tuple[list[bytes], bytes]:
    """Cut received bytes into whole bodies and the unfinished rest."""
    bodies = []
    while len(received) >= LENGTH_BYTES:
        length = int.from_bytes(received[:LENGTH_BYTES], "big")
        if length > LONGEST:
            raise OSError(f"a message of {length} bytes is too long")
        if len(received) < LENGTH_BYTES + length:
            break
        bodies.append(received[LENGTH_BYTES : LENGTH_BYTES + length])
        received = received[LENGTH_BYTES + length :]
    return bodies, received


def _exactly(link: socket.socket, count: int) -> bytes:
    received = b""
    while len(received) < count:
        piece = link.recv(count - len(received))
        if not piece:
            raise ConnectionResetError("the other end closed the link")
        received += piece
    return received
