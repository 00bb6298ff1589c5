"""The figures of an image, kept where they arose: a small file each, the newest only.

The build and the tests that boot the image record; `imagebuild.report` reads. Judges
nothing, and holds nothing that a kiosk needs.
"""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from imagebuild.stage import CACHE, PROJECT, BuildError, Stage

FOLDER = CACHE / "figures"
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Figure(msgspec.Struct, frozen=True):
    """One thing that was measured: how much, of what, when and by which command.

    `detail` are lines that explain it: single runs, or a program's own table.
    """

    name: str
    value: float
    unit: str
    when: str
    command: str
    detail: list[str] = []


def record(name: str, value: float, unit: str, detail: Sequence[str] = ()) -> Figure:
    """Keep a figure in place of the one of that name."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is no name for a figure")
    when = datetime.now(UTC).isoformat(timespec="seconds")
    made = Figure(name, round(value, 3), unit, when, _command(), list(detail))
    FOLDER.mkdir(parents=True, exist_ok=True)
    target = FOLDER / f"{name}.json"
    aside = target.with_suffix(".new")
    aside.write_bytes(msgspec.json.format(msgspec.json.encode(made)) + b"\n")
    aside.replace(target)
    return made


def recorded() -> dict[str, Figure]:
    """Return every figure by its name. Raises `BuildError`."""
    return {file.stem: _read(file) for file in sorted(FOLDER.glob("*.json"))}


def built(stages: Sequence[Stage], pool: tuple[int, int], seconds: float) -> None:
    """Record a build: its whole time by what was there before, and each stage made.

    `pool` is how many packages had been fetched before and after it. A build that found
    everything made records nothing.
    """
    made = {stage.name: stage.seconds for stage in stages if stage.seconds is not None}
    if not made:
        return
    for name, taken in made.items():
        record(f"stage-{name}", taken, "s")
    detail = [f"{name} {taken:.0f} s" for name, taken in made.items()]
    record(f"image-{origin(len(made), len(stages), pool)}", seconds, "s", detail)


def origin(made: int, stages: int, pool: tuple[int, int]) -> str:
    """Return what a build began with: nothing, fetched packages, or some stages."""
    before, after = pool
    if made == stages and before == 0:
        return "from-nothing"
    return "from-packages" if made == stages and before == after else "from-stages"


def _read(file: Path) -> Figure:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Figure)
    except msgspec.DecodeError as error:
        raise BuildError(f"{file} holds no figure ({error}); remove it.") from error


def _command() -> str:
    """Return what was typed, without where this machine keeps things."""
    program, *words = sys.orig_argv
    words = [word.removeprefix(f"{PROJECT}/") for word in words]
    return shlex.join([Path(program).name, *words])
