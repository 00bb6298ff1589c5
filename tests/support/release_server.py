"""A static web server for releases, as nginx is one, that can be told to misbehave."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import TypeAlias

Fault: TypeAlias = Callable[["Asked"], None]


def bundle_of(folder: Path, release: str, size: int = 300_000) -> Path:
    """Write what looks like a bundle: a cpio archive that begins as one does."""
    text = (
        f'software = {{\n  version = "{release}";\n'
        '  hardware-compatibility: [ "x86-64-v1" ];\n}\n'
    ).encode()
    name = b"sw-description\0"
    fields = [0] * 13
    fields[6], fields[11] = len(text), len(name)
    header = b"070702" + b"".join(b"%08x" % field for field in fields)
    padding = b"\0" * (-(len(header) + len(name)) % 4)
    path = folder / f"{release}.swu"
    body = Random(release).randbytes(size)
    path.write_bytes(header + name + padding + text + body)
    return path


class Asked:
    """One request for one file."""

    def __init__(self, handler: BaseHTTPRequestHandler, path: Path) -> None:
        self.handler = handler
        self.content = path.read_bytes() if path.is_file() else None
        self.range = handler.headers.get("Range", "")

    def answer(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.handler.send_response(status)
        for name, value in headers.items():
            self.handler.send_header(name, value)
        if "Content-Length" not in headers:
            self.handler.send_header("Content-Length", str(len(body)))
        self.handler.end_headers()
        self.handler.wfile.write(body)

    def serve(self, content: bytes | None = None) -> None:
        """Answer as a good server does: whole, or from where it is asked."""
        whole = self.content if content is None else content
        if whole is None:
            self.answer(404, {}, b"no")
            return
        if not self.range:
            self.answer(200, {"Accept-Ranges": "bytes"}, whole)
            return
        begin = int(self.range.removeprefix("bytes=").removesuffix("-"))
        if begin >= len(whole):
            self.answer(416, {"Content-Range": f"bytes */{len(whole)}"}, b"")
            return
        said = f"bytes {begin}-{len(whole) - 1}/{len(whole)}"
        self.answer(206, {"Content-Range": said}, whole[begin:])

    def hang_up(self) -> None:
        self.handler.close_connection = True


class ReleaseServer:
    """Serves a folder; the next requests for a name may go wrong, in order."""

    def __init__(self, folder: Path) -> None:
        self.asked: list[tuple[str, str]] = []
        self.silence = threading.Event()
        self._faults: dict[str, deque[Fault]] = {}
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                name = self.path.rsplit("/", 1)[-1]
                asked = Asked(self, folder / name)
                server.asked.append((name, asked.range))
                suffix = name.rsplit(".", 1)[-1]
                faults = server._faults.get(suffix)
                if faults:
                    faults.popleft()(asked)
                else:
                    asked.serve()

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Server(ThreadingHTTPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, request: object, client_address: object) -> None:
                # Kiosks that hang up in the middle are what this is for.
                pass

        self._server = Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def fail(self, suffix: str, *faults: Fault) -> None:
        """Let the next requests for `json` or `swu` go wrong, in this order."""
        self._faults.setdefault(suffix, deque()).extend(faults)

    def hang(self, asked: Asked) -> None:
        """Take the request and say nothing."""
        self.silence.wait(30)
        asked.hang_up()

    def close(self) -> None:
        self.silence.set()
        self._server.shutdown()
        self._server.server_close()


# -- what can go wrong -------------------------------------------------------


def fails(asked: Asked) -> None:
    asked.answer(503, {"Retry-After": "4000"}, b"busy")


def is_missing(asked: Asked) -> None:
    asked.answer(404, {}, b"no")


def log_in_page(asked: Asked) -> None:
    body = b"<html>Welcome to GuestNet! Please log in.</html>"
    asked.answer(200, {"Content-Type": "text/html; charset=utf-8"}, body)


def elsewhere(asked: Asked) -> None:
    asked.answer(302, {"Location": "http://127.0.0.1:9/evil"}, b"")


def half(asked: Asked) -> None:
    """Half of the file comes, then the line breaks."""
    content = asked.content or b""
    asked.answer(
        200, {"Content-Length": str(len(content))}, content[: len(content) // 2]
    )
    asked.hang_up()


def half_that_looks_whole(asked: Asked) -> None:
    content = asked.content or b""
    asked.serve(content[: len(content) // 2])


def too_long(asked: Asked) -> None:
    asked.serve((asked.content or b"") + b"more")


def too_long_without_a_length(asked: Asked) -> None:
    asked.handler.send_response(200)
    asked.handler.send_header("Connection", "close")
    asked.handler.end_headers()
    asked.handler.wfile.write((asked.content or b"") + b"more")
    asked.hang_up()


def another_file(asked: Asked) -> None:
    asked.serve(bytes(len(asked.content or b"")))


def another_part(asked: Asked) -> None:
    content = asked.content or b""
    asked.answer(206, {"Content-Range": f"bytes 0-9/{len(content)}"}, content[:10])


def without_ranges(asked: Asked) -> None:
    asked.answer(200, {}, asked.content or b"")


def garbage(asked: Asked) -> None:
    asked.handler.wfile.write(b"\x00\xff not http at all\r\n\r\n")
    asked.hang_up()
