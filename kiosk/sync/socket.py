"""The lane's one socket: news from sync, questions from the updater, a line each.

Sync asks nothing and is answered nothing: the lane takes what it brings as events.
What the back office signed is checked here again, so that sync is only a messenger.
A question (`questions.py`) gets one line back.
"""

from __future__ import annotations

import logging
import select
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import msgspec

from kiosk.sync.questions import Answer, LeaseAsked, Question, StatusAsked
from kiosk.sync.wire import (
    DIRECTIVE_DOMAIN,
    DOCUMENT_DOMAIN,
    Directive,
    Document,
    Signed,
    WireError,
    unseal,
)

log = logging.getLogger(__name__)

# The largest line is a roster of some hundred attendants.
LONGEST_LINE = 4 * 1024 * 1024
# Whoever does not take a line off the socket in this time is as good as gone.
SEND_SECONDS = 2.0


class Acknowledged(msgspec.Struct, frozen=True, tag=True):
    """The back office holds everything up to this entry, as of the last contact."""

    epoch: str
    seq: int
    digest: str


class OfficeSeen(msgspec.Struct, frozen=True, tag=True):
    """Whether the back office answers; `reason` says why not."""

    is_online: bool
    reason: str = ""


class EpochWanted(msgspec.Struct, frozen=True, tag=True):
    """The journal became two: the next file is to begin under this epoch."""

    epoch: str


class CatalogArrived(msgspec.Struct, frozen=True, tag=True):
    """Another catalogue lies in the place of the old one."""

    version: int


class DocumentSent(msgspec.Struct, frozen=True, tag=True):
    """A signed `Document`, on its way."""

    signed: Signed


class DirectiveSent(msgspec.Struct, frozen=True, tag=True):
    """A signed `Directive`, on its way."""

    signed: Signed


Line: TypeAlias = (
    Acknowledged
    | OfficeSeen
    | EpochWanted
    | CatalogArrived
    | DocumentSent
    | DirectiveSent
)
# What the lane hears. A document may come again: the lane takes a higher version.
# A directive may come again: the lane takes an id once, and none past its end.
Message: TypeAlias = (
    Acknowledged | OfficeSeen | EpochWanted | CatalogArrived | Document | Directive
)

_decoder = msgspec.json.Decoder(Line | Question)


def _no_answer(question: Question) -> Answer | None:
    return None


class LaneSocket:
    """The lane's end. `on_message` and `on_question` are called on threads of the
    socket's own. Without a `server_key` nothing that is signed is taken.
    """

    def __init__(
        self,
        path: Path,
        on_message: Callable[[Message], None],
        *,
        lane_id: str,
        server_key: bytes | None,
        on_question: Callable[[Question], Answer | None] = _no_answer,
    ) -> None:
        self._path = path
        self._on_message = on_message
        self._on_question = on_question
        self._lane_id = lane_id
        self._server_key = server_key
        self._stopped = threading.Event()
        path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(str(path))
        path.chmod(0o660)
        self._socket.listen(4)
        self._peers: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._thread = threading.Thread(
            target=self._accept, name="lane-socket", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop listening; no message comes after this returns."""
        if self._stopped.is_set():
            return
        self._stopped.set()
        self._socket.shutdown(socket.SHUT_RDWR)
        with self._lock:
            for peer in self._peers:
                try:
                    peer.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass  # Sync was quicker: it is gone already.
        self._thread.join()
        self._socket.close()
        self._path.unlink(missing_ok=True)

    def _accept(self) -> None:
        readers: list[threading.Thread] = []
        while not self._stopped.is_set():
            try:
                peer, _ = self._socket.accept()
            except OSError:
                break
            with self._lock:
                # One that came while we close would be read for ever.
                if self._stopped.is_set():
                    peer.close()
                    break
                self._peers.add(peer)
            reader = threading.Thread(
                target=self._read, args=(peer,), name="lane-socket-peer", daemon=True
            )
            reader.start()
            readers = [*(one for one in readers if one.is_alive()), reader]
        for reader in readers:
            reader.join()

    def _read(self, peer: socket.socket) -> None:
        try:
            with peer.makefile("rb") as lines:
                while line := lines.readline(LONGEST_LINE):
                    if not line.endswith(b"\n"):
                        break
                    if (answer := self._hear(line)) is not None:
                        peer.sendall(msgspec.json.encode(answer) + b"\n")
        except OSError as error:
            log.warning("who spoke to the lane went away: %s", error)
        with self._lock:
            self._peers.discard(peer)
            peer.close()

    def _hear(self, line: bytes) -> Answer | None:
        try:
            said = _decoder.decode(line)
            if isinstance(said, StatusAsked | LeaseAsked):
                return None if self._stopped.is_set() else self._on_question(said)
            message = self._checked(said)
        except (msgspec.DecodeError, WireError) as error:
            log.warning("the lane was told what it cannot take: %s", error)
            return None
        if not self._stopped.is_set():
            self._on_message(message)
        return None

    def _checked(self, line: Line) -> Message:
        match line:
            case DocumentSent(signed):
                return unseal(signed, DOCUMENT_DOMAIN, self._office(), Document)
            case DirectiveSent(signed):
                directive = unseal(signed, DIRECTIVE_DOMAIN, self._office(), Directive)
                if directive.lane_id != self._lane_id:
                    raise WireError(f"a directive for {directive.lane_id!r}")
                return directive
            case _:
                return line

    def _office(self) -> bytes:
        if self._server_key is None:
            raise WireError("no back office is set for this lane")
        return self._server_key


class LaneLink:
    """Sync's end. Used from several threads; never waits for the lane for long.

    What holds until the next word about it is said again when the lane comes back.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._socket: socket.socket | None = None
        self._standing: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def tell(self, line: Line, about: str = "") -> bool:
        """Tell the lane something; say whether it could be told.

        Except for directives, the newest line of each kind (and `about`) stands.
        """
        text = msgspec.json.encode(line) + b"\n"
        with self._lock:
            if not isinstance(line, DirectiveSent):
                name = f"{type(line).__name__} {about}"
                if self._standing.get(name) == text and self._is_there():
                    return True
                self._standing[name] = text
                if not self._is_there():
                    return self._connect()
            elif not self._is_there() and not self._connect():
                return False
            return self._send(text)

    def keep(self) -> None:
        """Find the lane again if it restarted, and tell it how things stand."""
        with self._lock:
            if not self._is_there():
                self._connect()

    def close(self) -> None:
        """Let go of the lane."""
        with self._lock:
            self._drop()

    def _is_there(self) -> bool:
        if self._socket is None:
            return False
        # The lane never says anything: what can be read is its end.
        gone = bool(select.select([self._socket], [], [], 0)[0])
        if gone:
            self._drop()
        return not gone

    def _connect(self) -> bool:
        fresh = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        fresh.settimeout(SEND_SECONDS)
        try:
            fresh.connect(str(self._path))
        except OSError:
            fresh.close()
            return False
        self._socket = fresh
        return all(self._send(text) for text in list(self._standing.values()))

    def _send(self, text: bytes) -> bool:
        if self._socket is None:
            return False
        try:
            self._socket.sendall(text)
        except OSError:
            self._drop()
            return False
        return True

    def _drop(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
