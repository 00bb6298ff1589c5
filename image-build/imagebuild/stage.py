"""One stage of the build: a folder that is made once for each set of inputs.

A stage's key is the hash of all that goes into it, the stages before it included; what
was made under a key is never made again, and what was left half made is thrown away.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import ModuleType

PROJECT = Path(__file__).parents[2]
CACHE = PROJECT / "var" / "image"
MOUNTS = Path("/proc/self/mounts")


class BuildError(Exception):
    """The image cannot be built. The words say what to do about it."""


class Stage:
    """A named step with its inputs: files, folders, words and earlier stages."""

    def __init__(
        self,
        name: str,
        make: Callable[[Path], None],
        inputs: Iterable[Path | str | Stage],
    ) -> None:
        self.name = name
        self._make = make
        self._inputs = list(inputs)
        # How long it took, once this run has made it; None: it was there.
        self.seconds: float | None = None

    @property
    def key(self) -> str:
        """The hash of everything that this stage depends on."""
        total = hashlib.sha256(self.name.encode())
        for one in self._inputs:
            if isinstance(one, Stage):
                total.update(one.key.encode())
            elif isinstance(one, Path):
                total.update(_hash_of(one))
            else:
                total.update(b"\0" + one.encode())
        return total.hexdigest()[:16]

    @property
    def folder(self) -> Path:
        """Where its result is, once it was made."""
        return CACHE / f"{self.name}-{self.key}"

    def done(self, *, keeps_others: bool = False) -> Path:
        """Make it, unless it is there; return its folder.

        What older inputs made goes, but where one `keeps_others`.
        """
        folder = self.folder
        if folder.is_dir():
            say(f"{self.name}: as before ({self.key})")
            return folder
        begun = time.monotonic()
        say(f"{self.name}: ...")
        aside = CACHE / f"{self.name}.new"
        remove(aside)
        aside.mkdir(parents=True)
        self._make(aside)
        aside.rename(folder)
        self.seconds = time.monotonic() - begun
        say(f"{self.name}: {self.seconds:.0f} s")
        if not keeps_others:
            self._forget_others()
        return folder

    def _forget_others(self) -> None:
        """Remove what older inputs made: a tree takes a gigabyte."""
        for old in CACHE.glob(f"{self.name}-*"):
            if old != self.folder and len(old.name) == len(self.folder.name):
                remove(old)


def code(*modules: ModuleType) -> list[Path]:
    """Return the files of modules, as inputs of what they make."""
    return [Path(str(module.__file__)) for module in modules]


def need(programs: Mapping[str, str], what: str) -> None:
    """Raise for a machine that has not all programs (each with its Debian package)."""
    missing = sorted({programs[name] for name in programs if not shutil.which(name)})
    if missing:
        raise BuildError(
            f"Programs are missing that {what}. Install them by\n"
            f"  apt-get install --no-install-recommends {' '.join(missing)}"
        )


def run(
    command: Sequence[str],
    *,
    log: Path | None = None,
    folder: Path | None = None,
    told: str | None = None,
    **environment: str,
) -> str:
    """Run a program to its end and return what it printed. Raises `BuildError`.

    `told` is what it reads.
    """
    done = subprocess.run(
        command,
        capture_output=True,
        input=told,
        text=True,
        cwd=folder,
        env={**os.environ, "LC_ALL": "C.UTF-8", **environment},
    )
    if log is not None:
        log.write_text(done.stdout + done.stderr)
    if done.returncode:
        words = (done.stderr or done.stdout).strip().splitlines()[-15:]
        raise BuildError(f"{' '.join(command[:4])} ...:\n  " + "\n  ".join(words))
    return done.stdout


def remove(folder: Path) -> None:
    """Remove a tree that this build made, if it is there.

    A build that was killed leaves the machine's own /dev mounted in its tree: that is
    unmounted first, or nothing is removed.
    """
    if folder.is_dir():
        for place in mounts_under(folder, MOUNTS.read_text()):
            run(["umount", "--lazy", place])
        if left := mounts_under(folder, MOUNTS.read_text()):
            raise BuildError(f"{left[0]} is mounted; unmount it and run this again.")
        shutil.rmtree(folder)


def mounts_under(folder: Path, table: str) -> list[str]:
    """Return what is mounted in a folder, the innermost first."""
    places = (Path(line.split(" ")[1]) for line in table.splitlines())
    under = folder.resolve()
    return [str(place) for place in reversed([*places]) if place.is_relative_to(under)]


def say(words: str) -> None:
    """Tell whoever waits."""
    print(words, file=sys.stderr, flush=True)


def _hash_of(path: Path) -> bytes:
    total = hashlib.sha256()
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file in files:
        if file.is_file() and "__pycache__" not in file.parts:
            total.update(str(file.relative_to(path.parent)).encode() + b"\0")
            total.update(b"x" if file.stat().st_mode & 0o100 else b"-")
            total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.digest()
