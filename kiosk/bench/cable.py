"""A network cable that can be pulled: a forwarder on loopback between sync and the
back office. Both ends go on living; only what runs between them stops.
"""

from __future__ import annotations

import socket
import threading

_PIECE = 65_536


class Cable:
    """Forwards one loopback port to another for as long as it is plugged in.

    Pulled, it breaks what runs and swallows what comes: a peer hears nothing, as on a
    real cable.
    """

    def __init__(self, to_port: int) -> None:
        self._to_port = to_port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ends: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._is_plugged = True
        threading.Thread(target=self._accept, name="cable", daemon=True).start()

    @property
    def port(self) -> int:
        """Where the near end is."""
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def is_plugged(self) -> bool:
        """Does anything get through?"""
        return self._is_plugged

    def pull(self) -> None:
        """Pull the plug, in the middle of whatever runs."""
        with self._lock:
            self._is_plugged = False
            ends, self._ends = self._ends, set()
        for end in ends:
            _cut(end)

    def plug(self) -> None:
        """Plug it in again."""
        with self._lock:
            self._is_plugged = True

    def close(self) -> None:
        """Throw the cable away."""
        self.pull()
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            if not self._is_plugged:
                _cut(near)
                continue
            try:
                far = socket.create_connection(("127.0.0.1", self._to_port), timeout=5)
            except OSError:
                _cut(near)
                continue
            far.settimeout(None)
            with self._lock:
                self._ends |= {near, far}
            for source, sink in ((near, far), (far, near)):
                threading.Thread(
                    target=self._pump, args=(source, sink), daemon=True
                ).start()

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        try:
            while piece := source.recv(_PIECE):
                sink.sendall(piece)
        except OSError:
            pass
        for end in (source, sink):
            _cut(end)
            with self._lock:
                self._ends.discard(end)


def _cut(end: socket.socket) -> None:
    try:
        end.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    end.close()
