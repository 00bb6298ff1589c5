"""Builds one commit a second time, elsewhere, and holds the results to each other.

Both builds share the packages that were fetched, the build's own tools and its public
keys, and nothing else. What differs is named file by file; nothing is mended here.
"""

from __future__ import annotations

import filecmp
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

from imagebuild.release import Words
from imagebuild.stage import CACHE, PROJECT, BuildError, Stage, remove, run, say

_SHOWN = 60


def same(final: Stage, images: list[tuple[Stage, str]], words: Words) -> None:
    """Raise `BuildError` unless a second build gives the same bytes.

    `images` are the files to compare; the trees of `final` say what differs in them.
    """
    if run(["git", "status", "--porcelain"], folder=PROJECT).strip():
        raise BuildError("Commit your changes first: a commit is built twice.")
    # Named now: an edit while the second build runs would change what they are called.
    first = final.folder
    made = [(stage.folder, name) for stage, name in images]
    second = CACHE / "again"
    remove(second)
    run(["git", "clone", "-q", str(PROJECT), str(second)])
    cache = second / CACHE.relative_to(PROJECT)
    cache.mkdir(parents=True)
    for shared in ("pool", "tools", "keys"):
        (cache / shared).symlink_to(CACHE / shared)
    variant = ["--variant", words.variant, "--release", words.number]
    say("the same commit again ...")
    run([sys.executable, "image-build/build.py", "root", *variant], folder=second)
    there = cache / first.name
    told = [
        *differences(first / "root", there / "root"),
        *different_files(first, there, ["vmlinuz", "initrd"]),
    ]
    for folder, name in made:
        told += different_files(folder, cache / folder.name, [name])
    if told:
        more = f"\n  and {len(told) - _SHOWN} more" if len(told) > _SHOWN else ""
        raise BuildError(
            f"Two builds of one commit differ; the second is in {second}:\n  "
            + "\n  ".join(told[:_SHOWN])
            + more
        )
    say("two builds of this commit are the same, byte for byte")
    remove(second)


def differences(one: Path, other: Path) -> Iterator[str]:
    """Yield what differs between two trees: a path and in what."""
    names = {name for tree in (one, other) for name in _names(tree)}
    for name in sorted(names):
        if differing := _difference(one / name, other / name):
            yield f"{name}: {differing}"


def different_files(one: Path, other: Path, names: list[str]) -> list[str]:
    """Return those of some files that differ between two folders, with the place."""
    return [
        f"{name}: first at byte {_first_difference(one / name, other / name)}"
        for name in names
        if not filecmp.cmp(one / name, other / name, shallow=False)
    ]


def _names(tree: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(tree):
        for name in (*folders, *files):
            yield os.path.relpath(os.path.join(folder, name), tree)


def _difference(one: Path, other: Path) -> str:
    if not (os.path.lexists(one) and os.path.lexists(other)):
        return "only in one"
    first, second = one.lstat(), other.lstat()
    if (first.st_mode, first.st_uid, first.st_gid) != (
        *(second.st_mode, second.st_uid, second.st_gid),
    ):
        return "mode or owner"
    if stat.S_ISLNK(first.st_mode):
        return "" if one.readlink() == other.readlink() else "where it leads"
    if stat.S_ISREG(first.st_mode) and not filecmp.cmp(one, other, shallow=False):
        return f"content, first at byte {_first_difference(one, other)}"
    return ""


def _first_difference(one: Path, other: Path) -> int:
    at = 0
    with one.open("rb") as first, other.open("rb") as second:
        while (a := first.read(1 << 20)) == (b := second.read(1 << 20)) and a:
            at += len(a)
    pairs = zip(a, b)
    return at + next(
        (n for n, (x, y) in enumerate(pairs) if x != y), min(len(a), len(b))
    )
