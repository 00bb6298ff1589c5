"""Asks a NUT server (`upsd`) about a UPS: RFC 9271, as much of it as a lane needs.

Lines to values is pure and never raises. Written here instead of PyNUTClient because
that one is telnetlib's, which Python 3.13 no longer has, and waits without a limit.
"""

from __future__ import annotations

import socket
from typing import TypeAlias

import msgspec

ANSWER_SECONDS = 3.0
# Far above what upsd sends in a line (RFC 9271, 5.1: names and values are short).
_LONGEST_LINE = 4096


class Var(msgspec.Struct, frozen=True):
    """A variable's value."""

    name: str
    value: str


class Done(msgspec.Struct, frozen=True):
    """OK, with whatever words came with it."""

    words: tuple[str, ...] = ()


class Refused(msgspec.Struct, frozen=True):
    """ERR and its code: DATA-STALE, DRIVER-NOT-CONNECTED, UNKNOWN-UPS ..."""

    code: str


class NotNut(msgspec.Struct, frozen=True):
    """The line is none of the protocol's. `cause` says why, without its content."""

    cause: str


Line: TypeAlias = Var | Done | Refused | NotNut


def read_line(line: bytes) -> Line:
    """Return what one line of the server says."""
    words = split_words(line.decode("utf-8", "replace").strip("\r\n"))
    match words:
        case None:
            return NotNut("a quotation without an end")
        case ["VAR", _, name, value]:
            return Var(name, value)
        case ["ERR", code, *_]:
            return Refused(code)
        case ["OK", *rest]:
            return Done(tuple(rest))
        case _:
            return NotNut("an unknown answer")


def split_words(line: str) -> list[str] | None:
    """Return a line's words; quotation marks hold one together, a backslash keeps the
    next character. None where a quotation does not end (RFC 9271, 4.1)."""
    words: list[str] = []
    word: list[str] | None = None
    is_quoted = False
    characters = iter(line)
    for character in characters:
        if character == "\\":
            following = next(characters, "")
            word = [*(word or []), following]
        elif character == '"':
            is_quoted = not is_quoted
            word = word if word is not None else []
        elif character == " " and not is_quoted:
            if word is not None:
                words.append("".join(word))
            word = None
        else:
            word = word if word is not None else []
            word.append(character)
    if is_quoted:
        return None
    if word is not None:
        words.append("".join(word))
    return words


class NutClient:
    """One connection to upsd. Every call ends within `ANSWER_SECONDS`; what breaks is
    an OSError."""

    def __init__(self, host: str, port: int) -> None:
        self._socket = socket.create_connection((host, port), ANSWER_SECONDS)
        self._socket.settimeout(ANSWER_SECONDS)
        self._rest = b""

    def close(self) -> None:
        """Let go."""
        self._socket.close()

    def variable(self, ups: str, name: str) -> Line:
        """Return a variable of a UPS."""
        return self._ask(f"GET VAR {ups} {name}")

    def log_in(self, user: str, password: str) -> Line:
        """Say who asks, for what not everybody may order."""
        answer = self._ask(f'USERNAME "{_quoted(user)}"')
        if not isinstance(answer, Done):
            return answer
        return self._ask(f'PASSWORD "{_quoted(password)}"')

    def force_shutdown(self, ups: str) -> Line:
        """Order every machine on this UPS off (FSD)."""
        return self._ask(f"FSD {ups}")

    def _ask(self, question: str) -> Line:
        self._socket.sendall(question.encode() + b"\n")
        while b"\n" not in self._rest:
            received = self._socket.recv(_LONGEST_LINE)
            if not received:
                raise ConnectionError("upsd closed the connection")
            self._rest += received
            if len(self._rest) > _LONGEST_LINE:
                raise ConnectionError("upsd sent a line without an end")
        line, _, self._rest = self._rest.partition(b"\n")
        return read_line(line)


def _quoted(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"')
