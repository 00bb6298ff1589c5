"""Every file of a root has an owner: a Debian package, or a line of `manifest.toml`.

What belongs to neither, and what a package shipped and somebody changed, stops the
build. Never removes or mends anything.
"""

from __future__ import annotations

import hashlib
import os
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from imagebuild.dpkg import INFO, Database, place
from imagebuild.lists import matcher
from imagebuild.stage import PROJECT, BuildError

MANIFEST = PROJECT / "image-build" / "manifest.toml"
_SHOWN = 40


@dataclass(frozen=True, slots=True)
class Manifest:
    """Patterns of files, with reasons: no package's, changed, and not to be started."""

    ours: dict[str, str]
    changed: dict[str, str]
    excused: dict[str, str]


def manifest(path: Path = MANIFEST) -> Manifest:
    """Read the manifest. Raises `BuildError` where a reason or a pattern is missing."""
    told = tomllib.loads(path.read_text())
    parts = []
    for part in ("ours", "changed", "excused"):
        patterns: dict[str, str] = {}
        for one in told.get(part, []):
            if not one.get("reason") or not one.get("paths"):
                raise BuildError(
                    f"{path.name}: an entry of {part} lacks reason or paths."
                )
            patterns |= dict.fromkeys(one["paths"], one["reason"])
        parts.append(patterns)
    return Manifest(*parts)


def check(root: Path, database: Database, listed: Manifest, sums: Path) -> None:
    """Raise `BuildError` with the names of files that belong to nobody, or changed.

    `sums` is the root in which dpkg's check sums still are.
    """
    owners = database.owners
    ours, changed = matcher(listed.ours), matcher(listed.changed)
    links = database.alternatives
    orphans = [
        path
        for path in _files(root)
        if path not in owners and path not in links and not ours.match(path)
    ]
    altered = [path for path in _altered(root, sums) if not changed.match(path)]
    told = [
        *_told("belong to no package and to no line of manifest.toml", orphans),
        *_told("are not as their package shipped them", altered),
    ]
    if told:
        raise BuildError("\n".join(told))


def sizes(root: Path, database: Database, listed: Manifest) -> list[tuple[str, int]]:
    """Return packages and our own parts with the bytes they hold, largest first."""
    owners = database.owners
    ours = {pattern: matcher([pattern]) for pattern in listed.ours}
    held: Counter[str] = Counter()
    for path in _files(root):
        owner = owners.get(path) or next(
            (pattern for pattern, named in ours.items() if named.match(path)), "?"
        )
        held[owner] += (root / path).lstat().st_size
    return held.most_common()


def _told(what: str, paths: list[str]) -> Iterator[str]:
    if paths:
        yield f"{len(paths)} files {what}:"
        yield from (f"  {path}" for path in paths[:_SHOWN])
        if len(paths) > _SHOWN:
            yield f"  and {len(paths) - _SHOWN} more"


def _altered(root: Path, sums: Path) -> Iterator[str]:
    for file in sorted((sums / INFO).glob("*.md5sums")):
        for line in file.read_text().splitlines():
            told, _, path = line.partition("  ")
            real = root / place(root, path)
            if real.is_file() and not real.is_symlink() and _md5(real) != told:
                yield str(real.relative_to(root))


def _md5(path: Path) -> str:
    # dpkg has no better sums; the packages themselves are locked by SHA-256.
    return hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()


def _files(root: Path) -> Iterable[str]:
    for folder, folders, files in os.walk(root):
        folders.sort()
        links = [name for name in folders if os.path.islink(os.path.join(folder, name))]
        for name in sorted([*files, *links]):
            yield os.path.relpath(os.path.join(folder, name), root)
