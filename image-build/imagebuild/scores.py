"""What the services of a root could do if they were taken over: scored, and held to limits.

systemd scores (`systemd-analyze security`, the root's own, since scores differ from
release to release); `scores.toml` says how much is allowed. Also finds programs that take
another user's rights. Changes nothing in the root.

    python3 -m imagebuild.scores ROOT    prints the table; as root, for a root tree
"""

from __future__ import annotations

import os
import re
import stat
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from imagebuild.stage import PROJECT, BuildError, run

TABLE = PROJECT / "image-build" / "scores.toml"
OURS = "stillopen-"
_UNITS = ("etc/systemd/system", "usr/lib/systemd/system")
_SCORE = re.compile(r"exposure level for (\S+): ([0-9]+\.[0-9])")


class Allowed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A unit with a limit of its own, and why."""

    ceiling: float
    reason: str


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How high a unit may score: ours, the vendors', and those with a reason."""

    ours: float
    vendors: float
    exceptions: dict[str, Allowed]

    def ceiling(self, unit: str) -> float:
        """Return how high this one may score."""
        if unit in self.exceptions:
            return self.exceptions[unit].ceiling
        return self.ours if unit.startswith(OURS) else self.vendors


class Scored(NamedTuple):
    """A unit, what it scores and how much it may."""

    unit: str
    score: float
    ceiling: float


def limits(file: Path = TABLE) -> Limits:
    """Read the table. Raises `BuildError`."""
    try:
        return msgspec.convert(tomllib.loads(file.read_text(encoding="utf-8")), Limits)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise BuildError(f"{file.name}: {error}") from error


def services(root: Path) -> list[str]:
    """Return every service that was enabled, is ours, or was given words of ours.

    Not what systemd starts of itself at boot and ends before the network is up; of that,
    what stays is named in the table.
    """
    found = {*_enabled(root), *_ours(root)}
    return sorted(unit for unit in found if not _is_masked(root, unit))


def _enabled(root: Path) -> Iterator[str]:
    for wants in (root / _UNITS[0]).iterdir():
        if wants.suffix in (".wants", ".requires") and wants.is_dir():
            yield from (u.name for u in wants.iterdir() if u.suffix == ".service")


def _ours(root: Path) -> Iterator[str]:
    for folder in _UNITS:
        for file in (root / folder).iterdir():
            name = file.name.removesuffix(".d")
            is_given = file.is_dir() and any(file.glob("*stillopen*.conf"))
            is_own = file.is_file() and name.startswith(OURS)
            is_replaced = (
                folder == _UNITS[0] and file.is_file() and not file.is_symlink()
            )
            # A template is scored as the instances that are enabled.
            is_unit = name.endswith(".service") and not name.endswith("@.service")
            if is_unit and (is_given or is_own or is_replaced):
                yield name


def _is_masked(root: Path, unit: str) -> bool:
    names = {unit, re.sub(r"@.*\.service$", "@.service", unit)}
    files = [root / _UNITS[0] / name for name in names]
    return any(f.is_symlink() and os.readlink(f) == "/dev/null" for f in files)


def scores(root: Path, table: Limits) -> list[Scored]:
    """Score the services with the root's own systemd, worst first.

    Runs as root. Mounts are made in a space of their own, which ends with the program.
    """
    units = sorted({*services(root), *table.exceptions})
    inside = (
        'mount -t proc proc "$0/proc" && mount -t tmpfs tmpfs "$0/run" &&'
        ' mount -t tmpfs tmpfs "$0/tmp" &&'
        ' exec chroot "$0" systemd-analyze security --offline=yes --no-pager "$@"'
    )
    told = run(["unshare", "--mount", "sh", "-c", inside, str(root), *units])
    found = {unit: float(score) for unit, score in _SCORE.findall(told)}
    if unscored := sorted(set(units) - set(found)):
        raise BuildError(f"systemd gave no score for {', '.join(unscored)}")
    scored = [Scored(unit, found[unit], table.ceiling(unit)) for unit in units]
    return sorted(scored, key=lambda one: (-one.score, one.unit))


def borrowers(root: Path) -> list[str]:
    """Return the programs that take another user's or group's rights."""
    found = []
    for folder, _, files in os.walk(root):
        for name in files:
            path = Path(folder) / name
            mode = path.lstat().st_mode
            if stat.S_ISREG(mode) and mode & (stat.S_ISUID | stat.S_ISGID):
                found.append(str(path.relative_to(root)))
    return sorted(found)


def check(root: Path) -> list[Scored]:
    """Return the scores; raise `BuildError` for whatever is above its limit."""
    table = limits()
    scored = scores(root, table)
    faults = [
        f"{one.unit} scores {one.score}, allowed are {one.ceiling}"
        for one in scored
        if one.score > one.ceiling
    ]
    faults += [f"{name} takes another user's rights" for name in borrowers(root)]
    if faults:
        raise BuildError("The root gives too much away:\n  " + "\n  ".join(faults))
    return scored


def report(scored: list[Scored]) -> str:
    """Return the table as it stands in the image's report."""
    lines = ["| unit | score | allowed |", "|---|---|---|"]
    lines += [f"| {unit} | {score} | {ceiling} |" for unit, score, ceiling in scored]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    try:
        sys.stdout.write(report(check(Path(sys.argv[1]))))
    except BuildError as error:
        sys.exit(f"image: {error}")
