"""Lists of what stays and what goes: one thing a line, each with its reason.

A line without a reason is refused: nobody can judge it a year later. A `*` in a pattern
crosses slashes. Never reads a root.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from imagebuild.stage import BuildError


@dataclass(frozen=True, slots=True)
class Entry:
    """One line: its words and why it is there."""

    words: tuple[str, ...]
    reason: str


def entries(path: Path) -> list[Entry]:
    """Return the entries of a list. Raises `BuildError` for one without a reason."""
    found = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        words, _, reason = line.partition("#")
        if not words.strip():
            continue
        if not reason.strip():
            raise BuildError(
                f"{path.name}, line {number}: {words.strip()} has no reason.\n"
                "Write why after a #."
            )
        found.append(Entry(tuple(words.split()), reason.strip()))
    return found


def matcher(patterns: Iterable[str]) -> re.Pattern[str]:
    """Return what matches a whole path that any of these patterns names."""
    return re.compile("|".join(fnmatch.translate(one) for one in patterns) or r"(?!)")
