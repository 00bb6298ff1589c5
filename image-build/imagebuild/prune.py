"""Takes out of a root what no kiosk needs: kernel modules, firmware, packages, files.

What goes and what stays is data: `modules.list` names the modules that stay (with all
that they depend on), `purge.list` what goes. Never guesses: a module or a package that
is not there stops the build, since one that was renamed would otherwise stay for ever.
"""

from __future__ import annotations

import csv
import os
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

from imagebuild.dpkg import Database
from imagebuild.lists import entries, matcher
from imagebuild.stage import MOUNTS, PROJECT, BuildError, mounts_under, remove, run, say

MODULES_LIST = PROJECT / "image-build" / "modules.list"
PURGE_LIST = PROJECT / "image-build" / "purge.list"
# Where the lane's Python packages are in a root.
SITE = "usr/lib/stillopen"
_INITRD_MODULES = "etc/initramfs-tools/modules"
_ENDING = re.compile(r"\.ko(\.(xz|zst|gz))?$")
_PACKED = re.compile(r"\.(xz|zst)$")


def modules(root: Path, listed: Path = MODULES_LIST) -> frozenset[str]:
    """Remove the kernel modules that nothing on the list needs; return those kept."""
    (folder,) = (root / "usr/lib/modules").iterdir()
    needs = _needs(folder)
    built_in = (folder / "modules.builtin").read_text().split()
    wanted: set[str] = set()
    for word in (word for entry in entries(listed) for word in entry.words):
        named = matcher([word])
        found = {
            path for path in (*needs, *built_in) if named.match(_ENDING.sub("", path))
        }
        if not found:
            raise BuildError(
                f"{listed.name}: the kernel has no module {word}.\n"
                "It may have been renamed: correct the list."
            )
        wanted |= found & needs.keys()
    kept = _closed(wanted, needs)
    _initrd_has_all(root, folder, kept)
    for path in needs.keys() - kept:
        (folder / path).unlink()
    remove_empty(folder)
    return frozenset(kept)


def index_modules(root: Path, kept: Iterable[str]) -> list[str]:
    """Make the kernel's indexes anew; return the firmware that kept modules name."""
    (folder,) = (root / "usr/lib/modules").iterdir()
    run(["chroot", str(root), "depmod", folder.name])
    paths = [f"/usr/lib/modules/{folder.name}/{path}" for path in sorted(kept)]
    told = run(["chroot", str(root), "modinfo", "-F", "firmware", *paths])
    built_in = (folder / "modules.builtin.modinfo").read_bytes().split(b"\0")
    mark = b".firmware="
    return [
        *told.split(),
        *(one.partition(mark)[2].decode() for one in built_in if mark in one),
    ]


def firmware(root: Path, named: Iterable[str]) -> None:
    """Remove the firmware that nothing names."""
    store = root / "usr/lib/firmware"
    if not store.is_dir():
        return
    stays = matcher(named)
    needed: set[Path] = set()
    for path in _files(store):
        if stays.match(_PACKED.sub("", str(path.relative_to(store)))):
            needed |= {path, path.resolve()}
    for path in _files(store):
        if path not in needed:
            path.unlink()
    remove_empty(store)


def gone(kind: str, listed: Path = PURGE_LIST) -> frozenset[str]:
    """Return the packages of a kind (`package`, `python`) that leave the root whole."""
    return frozenset(
        name
        for kind_of, *names in (entry.words for entry in entries(listed))
        if kind_of == kind
        for name in names
    )


def purge(root: Path, database: Database, listed: Path = PURGE_LIST) -> None:
    """Remove what the list names, and the links that lead nowhere once it is gone.

    Refuses while anything is mounted in the root: its /dev would be this machine's own.
    """
    if mounted := mounts_under(root, MOUNTS.read_text()):
        raise BuildError(f"{mounted[0]} is mounted; unmount it and run this again.")
    dangled = set(dangling(root))
    for entry in entries(listed):
        kind, *words = entry.words
        match kind:
            case "package":
                _purge_packages(root, database, words)
            case "python":
                _purge_python(root / SITE, words)
            case "path":
                _purge_paths(root, words)
            case "others":
                _purge_others(root, *words)
            case _:
                raise BuildError(f"{listed.name}: there is no kind {kind}.")
    while left := set(dangling(root)) - dangled:
        for path in left:
            path.unlink()


def dangling(root: Path) -> Iterator[Path]:
    """Yield the links of a root that lead nowhere, but for those made when it runs."""
    for path in _files(root):
        if path.is_symlink():
            target = resolved(root, path)
            made_later = target.parts[:1] in (("run",), ("proc",), ("dev",), ("var",))
            if not made_later and not os.path.lexists(root / target):
                yield path


def resolved(root: Path, link: Path) -> Path:
    """Return where a link of a root leads, from the root; it is followed once."""
    told = link.readlink()
    start = root if told.is_absolute() else link.parent
    path = os.path.normpath(start / str(told).lstrip("/"))
    return Path(os.path.relpath(path, root))


def remove_empty(folder: Path) -> None:
    """Remove the folders under one in which nothing is."""
    for place, _, _ in sorted(os.walk(folder), reverse=True):
        if not os.listdir(place) and Path(place) != folder:
            os.rmdir(place)


def size(root: Path) -> int:
    """Return how many bytes the files of a tree hold."""
    return sum(path.lstat().st_size for path in _files(root))


def _purge_packages(root: Path, database: Database, names: Iterable[str]) -> None:
    for name in names:
        if name not in database.packages:
            raise BuildError(f"purge.list: no package {name} is in the root.")
        _remove(root, sorted(database.packages[name].files))


def _purge_python(site: Path, names: Iterable[str]) -> None:
    for name in names:
        told = site.glob(f"{name.replace('-', '_')}-*.dist-info/RECORD")
        if (record := next(told, None)) is None:
            raise BuildError(f"purge.list: no Python package {name} is in the root.")
        files = [row[0] for row in csv.reader(record.read_text().splitlines())]
        # A package's commands are outside of the site, and never were copied.
        _remove(site, [file for file in files if not file.startswith("../")])


def _remove(top: Path, files: Iterable[str]) -> None:
    folders = set()
    for file in files:
        path = top / file
        if path.is_symlink() or path.is_file():
            path.unlink()
            folders.add(path.parent)
    for folder in folders:
        remove(folder / "__pycache__")
        _remove_upwards(top, folder)


def _remove_upwards(root: Path, folder: Path) -> None:
    while folder != root and folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent


def _purge_paths(root: Path, patterns: Iterable[str]) -> None:
    for pattern in patterns:
        # A plain name may be a link that leads nowhere, which glob does not see.
        plain = root / pattern
        found = [plain] if os.path.lexists(plain) else sorted(root.glob(pattern))
        if not found:
            say(f"  purge.list: {pattern} is not there")
        for path in found:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)


def _purge_others(root: Path, place: str, *patterns: str) -> None:
    """Remove all in a folder but what stays. A pattern without a match stops the build."""
    folder = root / place
    for pattern in patterns:
        if not any(folder.glob(pattern)):
            raise BuildError(f"purge.list: there is no {pattern} in {place}.")
    stays = {path for pattern in patterns for path in folder.glob(pattern)}
    _purge_paths(
        root,
        [
            str(path.relative_to(root))
            for path in sorted(folder.iterdir())
            if path not in stays
        ],
    )


def _needs(folder: Path) -> dict[str, set[str]]:
    """Return what each module needs, softly or not, as the kernel's package says."""
    needs: dict[str, set[str]] = {}
    for line in (folder / "modules.dep").read_text().splitlines():
        path, _, others = line.partition(":")
        needs[path] = set(others.split())
    by_name = {_name(path): path for path in needs}
    for line in (folder / "modules.softdep").read_text().splitlines():
        kind, *words = line.split()
        if kind != "softdep" or _plain(words[0]) not in by_name:
            continue
        asked = {by_name.get(_plain(word)) for word in words[1:]}
        needs[by_name[_plain(words[0])]] |= {path for path in asked if path}
    return needs


def _closed(wanted: set[str], needs: dict[str, set[str]]) -> set[str]:
    kept: set[str] = set()
    new = set(wanted)
    while new:
        kept |= new
        new = {other for path in new for other in needs[path]} - kept
    return kept


def _initrd_has_all(root: Path, folder: Path, kept: set[str]) -> None:
    listed = root / _INITRD_MODULES
    if not listed.is_file():
        return
    built_in = (folder / "modules.builtin").read_text().split()
    there = {_name(path) for path in (*kept, *built_in)}
    lines = (line.split("#")[0].split() for line in listed.read_text().splitlines())
    missing = [words[0] for words in lines if words and _plain(words[0]) not in there]
    if missing:
        raise BuildError(
            f"The initial file system needs {', '.join(missing)}, which modules.list"
            " does not keep.\nAdd them there."
        )


def _name(path: str) -> str:
    return _plain(_ENDING.sub("", path.rpartition("/")[2]))


def _plain(name: str) -> str:
    return name.replace("-", "_")


def _files(root: Path) -> Iterator[Path]:
    """Yield all that is no folder, links to folders included."""
    for place, folders, files in os.walk(root):
        folders.sort()
        for name in sorted([*files, *folders]):
            path = Path(place, name)
            if name in files or path.is_symlink():
                yield path
