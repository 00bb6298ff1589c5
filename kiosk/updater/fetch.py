"""Getting files from a release server that may be slow, wrong or somebody else.

Every trouble is a `Trouble` with words; nothing is followed elsewhere, nothing longer
than announced is kept. Decides nothing about releases.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic

import msgspec
import requests

CONNECT_SECONDS = 5.0
# A static server that says nothing for so long says nothing at all.
ANSWER_SECONDS = 30.0
# 300 MiB in this time is 15 kB/s; what is slower goes on at the next try.
LONGEST_DOWNLOAD_SECONDS = 6 * 3600.0
LARGEST_DOCUMENT = 64 * 1024
LONGEST_WAIT_SECONDS = 86_400.0
# What is lost of a piece when the line breaks is fetched again.
PIECE = 32 * 1024


class Trouble(msgspec.Struct, frozen=True):
    """Why it did not work this time, and how long the server asks us to stay away."""

    words: str
    wait_seconds: float = 0.0


class Patience(msgspec.Struct, frozen=True):
    """How long a server is given: to connect, between two pieces, and in all."""

    connect_seconds: float = CONNECT_SECONDS
    answer_seconds: float = ANSWER_SECONDS
    download_seconds: float = LONGEST_DOWNLOAD_SECONDS


class _Failed(Exception):
    """Leaves the middle of an answer; becomes a `Trouble`."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.words)
        self.trouble = trouble


class Fetcher:
    """One release server, for one kiosk. Used from one thread."""

    def __init__(self, url: str, patience: Patience | None = None) -> None:
        self._url = url.rstrip("/")
        self._patience = patience or Patience()
        self._session = requests.Session()
        # A proxy from the environment is nobody's decision.
        self._session.trust_env = False

    def close(self) -> None:
        """Let go of the connection."""
        self._session.close()

    def document(self, name: str) -> bytes | Trouble:
        """Return a small file whole."""
        content = bytearray()
        try:
            with self._answer(name, {}) as response:
                if response.status_code != 200:
                    return _not_ok(response)
                for piece in self._pieces(response, 30 * self._patience.answer_seconds):
                    content += piece
                    if len(content) > LARGEST_DOCUMENT:
                        return Trouble(f"{name} is far too long")
                short = _is_short(response, len(content))
        except _Failed as failed:
            return failed.trouble
        return Trouble(f"{name} broke off") if short else bytes(content)

    def download(self, name: str, size: int, part: Path) -> Trouble | None:
        """Bring `part` to `size` bytes, going on where it ends."""
        have = part.stat().st_size if part.exists() else 0
        if have > size:
            part.unlink()
            have = 0
        if have == size:
            return None
        wanted = {"Range": f"bytes={have}-"} if have else {}
        try:
            with self._answer(name, wanted) as response:
                begin = _begin_of(response, have, size)
                if isinstance(begin, Trouble):
                    if response.status_code == 416:
                        part.unlink(missing_ok=True)
                    return begin
                return self._append(response, part, begin, size)
        except _Failed as failed:
            return failed.trouble

    def _append(
        self, response: requests.Response, part: Path, begin: int, size: int
    ) -> Trouble | None:
        mode = "r+b" if begin else "wb"
        with part.open(mode) as file:
            file.truncate(begin)
            file.seek(begin)
            have = begin
            for piece in self._pieces(response, self._patience.download_seconds):
                if have + len(piece) > size:
                    file.truncate(0)
                    return Trouble("the bundle is longer than its document says")
                file.write(piece)
                have += len(piece)
            file.flush()
            os.fsync(file.fileno())
        if have < size:
            return Trouble(f"the bundle broke off after {have} of {size} bytes")
        return None

    @contextmanager
    def _answer(
        self, name: str, headers: dict[str, str]
    ) -> Iterator[requests.Response]:
        patience = self._patience
        try:
            with self._session.get(
                f"{self._url}/{name}",
                # What is counted and hashed are the file's own bytes.
                headers={"Accept-Encoding": "identity", **headers},
                timeout=(patience.connect_seconds, patience.answer_seconds),
                allow_redirects=False,
                stream=True,
            ) as response:
                yield response
        except requests.RequestException as error:
            raise _Failed(Trouble(_why(error))) from error

    @staticmethod
    def _pieces(response: requests.Response, seconds: float) -> Iterator[bytes]:
        # The library's own limit is for each read: drop by drop would take for ever.
        give_up = monotonic() + seconds
        for piece in response.iter_content(PIECE):
            yield piece
            if monotonic() > give_up:
                raise _Failed(Trouble("the release server is too slow to wait for"))


def sha256_of(path: Path) -> str:
    """Return a file's sha256 in hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _begin_of(response: requests.Response, have: int, size: int) -> int | Trouble:
    """Return at which byte this answer begins."""
    if "html" in response.headers.get("Content-Type", ""):
        return _page()
    length = response.headers.get("Content-Length", "")
    match response.status_code:
        case 200:
            if length and length != str(size):
                return Trouble(
                    f"the bundle has {length} bytes, its document says {size}"
                )
            return 0
        case 206 if have:
            said = response.headers.get("Content-Range", "")
            if said != f"bytes {have}-{size - 1}/{size}":
                return Trouble(f"the release server sent another part: {said!r}")
            return have
        case _:
            return _not_ok(response)


def _not_ok(response: requests.Response) -> Trouble:
    status = response.status_code
    if 300 <= status < 400:
        return Trouble(
            f"the release server sends us elsewhere ({status}), where we do not go"
        )
    if status == 404:
        return Trouble("the release server does not have it (404)")
    asked = response.headers.get("Retry-After", "")
    wait = min(float(asked), LONGEST_WAIT_SECONDS) if asked.isdecimal() else 0.0
    return Trouble(f"the release server failed ({status})", wait)


def _page() -> Trouble:
    return Trouble(
        "a web page answered in the release server's place: a log-in page of the"
        " network?"
    )


def _is_short(response: requests.Response, got: int) -> bool:
    length = response.headers.get("Content-Length", "")
    return length.isdecimal() and got < int(length)


def _why(error: Exception) -> str:
    match error:
        case requests.exceptions.SSLError():
            return "the release server's certificate is not right"
        case requests.exceptions.Timeout():
            return "the release server does not answer"
        case requests.exceptions.ChunkedEncodingError():
            return "the release server broke off"
        case requests.exceptions.ConnectionError():
            return "the release server cannot be reached, or broke off"
        case _:
            return f"the request failed: {type(error).__name__}"
