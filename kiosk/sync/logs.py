"""The lane's technical log, for an admin who asked: collected, redacted, sent in pieces.

The log of the last hours only, never the journal of sales; no more than its limit,
the oldest left out first. Card numbers are masked here, before anything leaves.
"""

from __future__ import annotations

import gzip
import json
import subprocess
from collections import deque
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Protocol

from hardware.terminal.redact import redact_text
from kiosk.sync.office import Office
from kiosk.sync.wire import LogPiece

LONGEST_HOURS = 14 * 24
# What the admin asked for may be days; this is some 100,000 lines.
LARGEST_TEXT = 16 * 1024 * 1024
# Compressed about a tenth of it: what a bad line still brings through at once.
PIECE_TEXT = 1024 * 1024
LONGEST_LINE = 4000
PRIORITIES = ("emerg", "alert", "crit", "error", "warning", "notice", "info", "debug")


class LogSource(Protocol):
    """Where log entries come from, oldest first, one JSON object a line."""

    def entries(self, hours: int) -> Iterator[str]:
        """Return the entries of the last hours. Raises OSError when there is none."""
        ...


class Journalctl:
    """systemd's journal. Needs the group systemd-journal."""

    def entries(self, hours: int) -> Iterator[str]:
        """Return the entries of the last hours, as journalctl writes them."""
        command = [
            "journalctl",
            "--no-pager",
            "--quiet",
            "--output=json",
            "--output-fields=MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_SYSTEMD_UNIT",
            f"--since=-{hours}h",
        ]
        with subprocess.Popen(
            command, stdout=subprocess.PIPE, encoding="utf-8", errors="replace"
        ) as process:
            if process.stdout is not None:
                yield from process.stdout
        if process.returncode:
            raise OSError(process.returncode, "journalctl failed")


def readable(entry: str) -> str:
    """Return an entry as one line for people, its card numbers masked."""
    try:
        said = json.loads(entry)
    except ValueError:
        said = {"MESSAGE": entry}
    if not isinstance(said, dict):
        said = {"MESSAGE": entry}
    message = redact_text(_message(said.get("MESSAGE")))
    shown = "".join(char if char.isprintable() else " " for char in message)
    who = str(said.get("_SYSTEMD_UNIT") or said.get("SYSLOG_IDENTIFIER") or "kernel")
    priority = str(said.get("PRIORITY", ""))
    level = PRIORITIES[int(priority)] if priority in "01234567" and priority else "info"
    line = f"{_time(said.get('__REALTIME_TIMESTAMP'))} {who} {level}: {shown}"
    return line[:LONGEST_LINE]


def _message(value: Any) -> str:
    # Bytes that are no text come as a list of numbers (systemd, "Journal JSON format").
    if isinstance(value, list):
        return bytes(
            number for number in value if isinstance(number, int) and 0 <= number < 256
        ).decode("utf-8", "replace")
    return "" if value is None else str(value)


def _time(value: Any) -> str:
    try:
        at = datetime.fromtimestamp(int(value) / 1_000_000, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return "?"
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def pieces(entries: Iterable[str], largest: int = LARGEST_TEXT) -> list[bytes]:
    """Return the newest lines that fit, oldest first, compressed piece by piece."""
    lines: deque[bytes] = deque()
    size, left_out = 0, 0
    for entry in entries:
        line = readable(entry).encode() + b"\n"
        lines.append(line)
        size += len(line)
        while size > largest:
            size -= len(lines.popleft())
            left_out += 1
    if left_out:
        lines.appendleft(b"(%d older lines are left out)\n" % left_out)
    packed: list[bytes] = []
    text = b""
    while lines:
        text += lines.popleft()
        if len(text) >= PIECE_TEXT or not lines:
            packed.append(gzip.compress(text, mtime=0))
            text = b""
    return packed or [gzip.compress(b"(nothing was logged)\n", mtime=0)]


def send(
    office: Office, source: LogSource, lane_id: str, directive_id: str, hours: int
) -> None:
    """Send the log that a directive asked for. Raises `SyncError`; may be repeated."""
    try:
        content = pieces(source.entries(max(1, min(hours, LONGEST_HOURS))))
    except OSError as error:
        words = f"(the log cannot be read: {error.strerror or error})\n"
        content = [gzip.compress(words.encode(), mtime=0)]
    number = 0
    while number < len(content):
        is_last = number == len(content) - 1
        held = office.send_log(
            LogPiece(lane_id, directive_id, number, is_last, content[number])
        )
        # What a run before this one brought through is not sent again.
        number = max(number + 1, held.pieces)
