"""A back office in a thread of this process: for the bench, the demo and tests.

On an appliance of its own it is `serve`, in a process of its own.
"""

from __future__ import annotations

import socket
import threading

import uvicorn

from kiosk.backoffice.app import OfficeSettings, create_app

# How long open requests are given when it stops.
STOP_SECONDS = 1


class Serving:
    """A running back office. It answers from the moment this returns; `close` it."""

    def __init__(
        self, settings: OfficeSettings, host: str = "127.0.0.1", port: int = 0
    ) -> None:
        self._socket = socket.create_server((host, port))
        self.port = int(self._socket.getsockname()[1])
        self.url = f"http://{host}:{self.port}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                create_app(settings),
                log_level="warning",
                server_header=False,
                timeout_graceful_shutdown=STOP_SECONDS,
            )
        )
        self._thread = threading.Thread(
            target=self._server.run,
            kwargs={"sockets": [self._socket]},
            name="back-office",
            daemon=True,
        )
        self._thread.start()

    def close(self) -> None:
        """Stop answering; return when the database is closed."""
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()
