"""A network between lane and back office that can be told what goes wrong next."""

from __future__ import annotations

import http.client
import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TypeAlias

Reply: TypeAlias = tuple[int, dict[str, str], bytes]
Fault: TypeAlias = Callable[["Passage"], None]


class Passage:
    """One request on its way through."""

    def __init__(self, handler: BaseHTTPRequestHandler, port: int, body: bytes) -> None:
        self.handler = handler
        self.body = body
        self._port = port

    def forward(self, body: bytes | None = None) -> Reply:
        """Bring the request to the back office and return its answer."""
        upstream = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        headers = {
            name: value
            for name, value in self.handler.headers.items()
            if name.lower() not in ("host", "content-length", "connection")
        }
        upstream.request(
            self.handler.command,
            self.handler.path,
            self.body if body is None else body,
            headers,
        )
        answer = upstream.getresponse()
        reply = answer.status, dict(answer.getheaders()), answer.read()
        upstream.close()
        return reply

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        """Send an answer back."""
        self.handler.send_response(status)
        for name, value in headers.items():
            if name.lower() not in ("content-length", "date", "connection"):
                self.handler.send_header(name, value)
        if status not in (204, 304):
            self.handler.send_header("Content-Length", str(len(body)))
        self.handler.end_headers()
        self.handler.wfile.write(body)

    def hang_up(self) -> None:
        """End the connection without another byte."""
        self.handler.close_connection = True


class BadLine:
    """Passes everything on, except where the next fault says otherwise.

    A fault waits for a request whose path ends in its word.
    """

    def __init__(self, port: int) -> None:
        self.port_behind = port
        self.requests: list[str] = []
        self._faults: dict[str, deque[Fault]] = {}
        self.silence = threading.Event()
        line = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                length = int(self.headers.get("Content-Length", 0))
                line.carry(Passage(self, line.port_behind, self.rfile.read(length)))

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: object, client_address: object) -> None:
                # Lanes that hang up in the middle are what this is for.
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def fail(self, word: str, *faults: Fault) -> None:
        """Let the next requests whose path ends in `word` go wrong, in this order."""
        self._faults.setdefault(word, deque()).extend(faults)

    def carry(self, passage: Passage) -> None:
        """Bring one request through, or not."""
        word = passage.handler.path.split("?")[0].rsplit("/", 1)[-1]
        self.requests.append(word)
        faults = self._faults.get(word)
        if faults:
            faults.popleft()(passage)
        else:
            passage.answer(*passage.forward())

    def close(self) -> None:
        """Let go of everybody."""
        self.silence.set()
        self._server.shutdown()
        self._server.server_close()


# -- what can go wrong -------------------------------------------------------


def lost_request(passage: Passage) -> None:
    """The request never arrives."""
    passage.hang_up()


def lost_answer(passage: Passage) -> None:
    """The request arrives, its answer does not."""
    passage.forward()
    passage.hang_up()


def doubled(passage: Passage) -> None:
    """The request arrives twice."""
    passage.forward()
    passage.answer(*passage.forward())


def half_request(passage: Passage) -> None:
    """Half of the request arrives as if it were all."""
    passage.answer(*passage.forward(passage.body[: len(passage.body) // 2]))


def half_answer(passage: Passage) -> None:
    """The answer breaks off in the middle."""
    status, headers, body = passage.forward()
    passage.handler.send_response(status)
    passage.handler.send_header("Content-Type", headers["content-type"])
    passage.handler.send_header("Content-Length", str(len(body)))
    passage.handler.end_headers()
    passage.handler.wfile.write(body[: len(body) // 2])
    passage.hang_up()


def half_answer_that_looks_whole(passage: Passage) -> None:
    """Half of the answer arrives as if it were all."""
    status, headers, body = passage.forward()
    passage.answer(status, headers, body[: len(body) // 2])


def status(code: int, **headers: str) -> Fault:
    """Something on the way answers with a status of its own."""

    def fault(passage: Passage) -> None:
        passage.answer(code, {"Content-Type": "text/plain", **headers}, b"no")

    return fault


def log_in_page(passage: Passage) -> None:
    """The network wants somebody to log in, and says so with 200."""
    page = b"<html><body>Welcome to GuestNet! Please log in.</body></html>"
    passage.answer(200, {"Content-Type": "text/html; charset=utf-8"}, page)


def sent_elsewhere(passage: Passage) -> None:
    """The network wants somebody to log in, on another page."""
    passage.answer(302, {"Location": "http://login.example/"}, b"")


def too_large_above(size: int) -> Fault:
    """Something on the way takes no body above `size` bytes."""

    def fault(passage: Passage) -> None:
        if len(passage.body) > size:
            passage.answer(413, {"Content-Type": "text/html"}, b"<html>413</html>")
        else:
            passage.answer(*passage.forward())

    return fault


def held_by_a_liar(passage: Passage) -> None:
    """Somebody answers that everything is held, and cannot sign it."""
    said = b'{"text":"eyJ0byI6IiJ9","signature":"AAAA"}'
    passage.answer(200, {"Content-Type": "application/json"}, said)


def silence(line: BadLine) -> Fault:
    """The request is taken, and nothing comes back: the grey failure."""

    def fault(passage: Passage) -> None:
        passage.forward()
        line.silence.wait(30)
        passage.hang_up()

    return fault
