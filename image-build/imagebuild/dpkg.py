"""dpkg's database of a root, read as files: which package owns what. Never runs dpkg.

Paths are the root's own, without a leading slash and with /bin, /lib and /sbin where
they really are: under usr/.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

INFO = "var/lib/dpkg/info"
_FIELD = re.compile(r"^(\S+?): *(.*(?:\n[ \t].*)*)", re.M)
_SOURCE = re.compile(r"(\S+)(?: \((\S+)\))?")
_MOVED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")


@dataclass(frozen=True, slots=True)
class Package:
    """An installed package and the files that dpkg says are its own."""

    name: str
    version: str
    architecture: str
    source: str
    source_version: str
    homepage: str
    depends: tuple[tuple[str, ...], ...]
    provides: frozenset[str]
    files: frozenset[str]


@dataclass(frozen=True, slots=True)
class Database:
    """All packages of a root, and the links that `update-alternatives` made."""

    packages: dict[str, Package]
    alternatives: frozenset[str]

    @property
    def owners(self) -> dict[str, str]:
        """Which package a path belongs to."""
        return {
            path: package.name
            for package in self.packages.values()
            for path in package.files
        }


def database(root: Path) -> Database:
    """Read what dpkg knows of a root."""
    told = root / "var/lib/dpkg"
    diverted = _diverted(root)
    packages = {}
    for stanza in (told / "status").read_text().split("\n\n"):
        fields: dict[str, str] = dict(_FIELD.findall(stanza))
        if not fields.get("Status", "").endswith(" installed"):
            continue
        package = _package(root, fields, diverted)
        packages[package.name] = package
    return Database(packages, frozenset(_alternatives(root)))


def place(root: Path, path: str) -> str:
    """Return where a path that dpkg names really is."""
    bare = path.strip().lstrip("/")
    top = bare.split("/", 1)[0]
    if "/" in bare and top in _MOVED and (root / top).is_symlink():
        return f"usr/{bare}"
    return bare


def _package(
    root: Path, fields: dict[str, str], diverted: dict[str, tuple[str, str]]
) -> Package:
    name, architecture = fields["Package"], fields["Architecture"]
    source = _SOURCE.match(fields.get("Source", name))
    listed = (root / INFO / f"{stem}.list" for stem in (name, f"{name}:{architecture}"))
    lines = [line for one in listed if one.is_file() for line in _lines(one)]
    lines += [line.split()[0] for line in fields.get("Conffiles", "").splitlines()[1:]]
    files = set()
    for line in lines:
        path = place(root, line)
        to, by = diverted.get(path, (path, name))
        files.add(path if by == name else to)
    return Package(
        name,
        fields["Version"],
        architecture,
        source[1] if source else name,
        source[2] or fields["Version"] if source else fields["Version"],
        fields.get("Homepage", ""),
        tuple(_depends(f"{fields.get('Pre-Depends', '')},{fields.get('Depends', '')}")),
        frozenset(
            one.split()[0] for one in fields.get("Provides", "").split(",") if one
        ),
        frozenset(path for path in files if path and path != "."),
    )


def _depends(told: str) -> Iterator[tuple[str, ...]]:
    for one in told.split(","):
        if one.strip():
            yield tuple(
                word.split()[0].partition(":")[0] for word in one.strip().split("|")
            )


def _diverted(root: Path) -> dict[str, tuple[str, str]]:
    lines = _lines(root / "var/lib/dpkg/diversions")
    threes = zip(lines[::3], lines[1::3], lines[2::3])
    return {place(root, old): (place(root, new), by) for old, new, by in threes}


def _alternatives(root: Path) -> Iterator[str]:
    folder = root / "var/lib/dpkg/alternatives"
    for file in sorted(folder.glob("*")):
        # "auto", the link, then names and links of what follows it, and an empty line.
        lines = file.read_text().split("\n\n")[0].splitlines()[1:]
        for name, link in zip([file.name, *lines[1::2]], [lines[0], *lines[2::2]]):
            yield f"etc/alternatives/{name}"
            yield place(root, link)


def _lines(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.is_file() else []
