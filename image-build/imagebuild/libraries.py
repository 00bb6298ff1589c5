"""What the root's programs need is in it: libraries, interpreters, Python's modules.

Asks the root's own loader, in a chroot, so that its rules hold and not ours. What a
program opens by name while it runs (`dlopen`) is not seen.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from imagebuild.lists import matcher
from imagebuild.prune import resolved
from imagebuild.stage import BuildError, run

LOADER = "/lib64/ld-linux-x86-64.so.2"
# Mounted while the check runs: not the root's own.
_MOUNTED = {"dev", "proc", "run", "sys"}
_ELF = b"\x7fELF"
# A chain of links that is longer leads round in a ring.
_MOST_LINKS = 16
_IMPORT_ALL = """
import importlib, pkgutil, sys
import hardware, kiosk
told = []
for package in (hardware, kiosk):
    for one in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        # Screens open a window when they are imported, and programs start.
        if not one.name.startswith("kiosk.ui") and not one.name.endswith("__main__"):
            try:
                importlib.import_module(one.name)
            except ImportError as error:
                told.append(f"{one.name}: {error}")
sys.exit("\\n".join(told) or 0)
"""


def check(root: Path, excused: dict[str, str]) -> None:
    """Raise `BuildError` with the names of programs that lack something.

    `excused` holds patterns of files that need not work, with the reason.
    """
    skipped = matcher(excused)
    files = [path for path in _files(root) if not skipped.match(path)]
    kinds = {path: _begin(root / path) for path in files}
    told = missing_libraries(
        [path for path, begin in kinds.items() if begin.startswith(_ELF)],
        lambda path: _loaded(root, path),
    )
    told += [
        f"{path} needs {name}, which is not in the root"
        for path, begin in kinds.items()
        if begin.startswith(b"#!") and os.access(root / path, os.X_OK)
        for name in [_interpreter(begin)]
        if name and not is_there(root, name)
    ]
    if told:
        raise BuildError("Programs of the root lack something:\n  " + "\n  ".join(told))


def imports(root: Path, site: str) -> None:
    """Raise `BuildError` unless each module of the lane finds what it imports."""
    run(
        [
            *("chroot", str(root), "env", "--ignore-environment"),
            *(f"PYTHONPATH=/{site}", "PYTHONDONTWRITEBYTECODE=1", "HOME=/proc"),
            *("PATH=/usr/sbin:/usr/bin", "KIVY_NO_FILELOG=1", "KIVY_NO_CONFIG=1"),
            *("python3", "-P", "-c", _IMPORT_ALL),
        ]
    )


def missing_libraries(paths: list[str], ask: Callable[[str], str]) -> list[str]:
    """Return a complaint for each library that the loader did not find."""
    with ThreadPoolExecutor(2) as workers:
        answers = list(workers.map(ask, paths))
    return [
        f"{path} needs {line.split()[0]}, which is not in the root"
        for path, answer in zip(paths, answers)
        for line in answer.splitlines()
        if line.endswith("=> not found")
    ]


def is_there(root: Path, name: str) -> bool:
    """Whether a path leads to a file in the root, links followed inside of it."""
    path = root / name.lstrip("/")
    for _ in range(_MOST_LINKS):
        for folder in reversed(path.relative_to(root).parents):
            link = root / folder
            if link.is_symlink():
                rest = path.relative_to(link)
                path = root / resolved(root, link) / rest
                break
        else:
            if not path.is_symlink():
                return path.is_file()
            path = root / resolved(root, path)
    return False


def _loaded(root: Path, path: str) -> str:
    try:
        return run(["chroot", str(root), LOADER, "--list", f"/{path}"])
    except BuildError:
        # A program without libraries, or one for another loader: nothing to find.
        return ""


def _interpreter(begin: bytes) -> str:
    words = begin.split(b"\n")[0][2:].split()
    if not words:
        return ""
    if words[0].endswith(b"/env") and len(words) > 1:
        return f"/usr/bin/{words[-1].decode(errors='replace')}"
    return words[0].decode(errors="replace")


def _begin(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(128)


def _files(root: Path) -> Iterator[str]:
    for folder, folders, files in os.walk(root):
        if Path(folder) == root:
            folders[:] = sorted(set(folders) - _MOUNTED)
        for name in sorted(files):
            path = Path(folder, name)
            if path.is_file() and not path.is_symlink():
                yield str(path.relative_to(root))
