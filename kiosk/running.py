"""Which release this machine runs, and how its last update went, as far as files say.

Reads three files that others write; a missing or strange one is "not known". Never
an error: a development machine has none of them.
"""

from __future__ import annotations

import shlex
from pathlib import Path

import msgspec

RELEASE_FILE = Path("/usr/lib/stillopen-release")
COMMAND_LINE = Path("/proc/cmdline")
UPDATER_STATUS = Path("/var/lib/stillopen-updater/status.json")
ROOT_HASH = "stillopen.roothash="
# Enough of a root's hash to tell two slots' contents apart.
HASH_DIGITS = 12
LONGEST_OUTCOME = 200


class Running(msgspec.Struct, frozen=True):
    """The release in the root. Empty words are not known."""

    release: str = ""
    hardware: str = ""


class _Status(msgspec.Struct, frozen=True):
    """The updater's status document, as far as it is told to the back office."""

    phase: str = ""
    release: str = ""
    running_slot: str | None = None
    reason: str | None = None


def running(path: Path = RELEASE_FILE) -> Running:
    """Return the release this root holds."""
    words: dict[str, str] = {}
    for line in _text(path).splitlines():
        name, equals, value = line.partition("=")
        if equals:
            words[name.strip().lower()] = _unquoted(value)
    known = {name: words[name] for name in Running.__struct_fields__ if name in words}
    return Running(**known)


def slot_and_outcome(
    status: Path = UPDATER_STATUS, command_line: Path = COMMAND_LINE
) -> tuple[str, str]:
    """Return the slot that runs and the updater's last outcome.

    Without a word from the updater the slot is the beginning of the root's hash.
    """
    try:
        said = msgspec.json.decode(_text(status), type=_Status)
    except msgspec.DecodeError:
        said = _Status()
    hashes = [
        word.removeprefix(ROOT_HASH)[:HASH_DIGITS]
        for word in _text(command_line).split()
        if word.startswith(ROOT_HASH)
    ]
    slot = said.running_slot or (hashes[0] if hashes else "")
    outcome = " ".join(filter(None, (said.phase, said.release, said.reason)))
    return slot, outcome[:LONGEST_OUTCOME]


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _unquoted(value: str) -> str:
    try:
        return "".join(shlex.split(value))
    except ValueError:
        return ""
