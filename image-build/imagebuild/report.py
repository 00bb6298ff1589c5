"""The figures of the appliance's image, measured or taken from where they were recorded.

    python -m imagebuild.report             measures all of it: half an hour, as root
    python -m imagebuild.report --quick     starts and updates as they were measured last

Prints one page and writes it to `var/image/report.md` and `report.json`. Changes nothing
of what it measures, and holds nobody to a figure: a build does that where one must be met.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

from imagebuild import boots, delta, scores
from imagebuild.bundle import MOST_BYTES
from imagebuild.figures import Figure, recorded
from imagebuild.machine import MachineError
from imagebuild.stage import CACHE, PROJECT, BuildError, run, say
from imagebuild.table import Row, grid, markdown

_MIB = 2**20
REPORT, BUILD, TESTS = "make image-report", "make image", "make test-image"
# The moments at which the tests pull the plug (SIGKILL of the machine).
PHASES = ("idle", "sale", "payment", "download", "install", "first-start")
_SCORES_SHOWN = 15
# Name of a recorded figure, what it is in the report, its most, and what measures it.
_RECORDED: tuple[tuple[str, str, str, float | None, str], ...] = (
    ("image-from-nothing", "image from nothing", "s", 12 * 60, BUILD),
    ("image-from-packages", "image, packages fetched before", "s", 6 * 60, BUILD),
    ("image-from-stages", "image, some stages made before", "s", None, BUILD),
    ("power-to-welcome", "power to welcome, emulated", "s", None, REPORT),
    ("power-ratio", "the same to multi-user without the lane", "", 1.5, REPORT),
    (
        "startup",
        "systemd's own account, health gate's minute included",
        "s",
        None,
        REPORT,
    ),
    ("delta-root", "one Python file changed: root, by chunks", "MiB", None, REPORT),
    ("delta-with-kernel", "the same with the kernel file", "MiB", None, REPORT),
    ("update", "update: published to welcome", "s", None, TESTS),
    ("fall-back", "fall-back: bad release's start to welcome", "s", None, TESTS),
)


class Cuts(msgspec.Struct, frozen=True):
    """What a replay of a disk's write log tells (`var/test-image/*/cuts.json`).

    As `imagebuild.cuts --result` writes it: how many `cuts`, how many sales were
    complete before the last of them, and each cut that lost one, a slot or a file system.
    """

    cuts: int
    sales_at_the_end: int
    findings: list[dict[str, Any]]


class Built(msgspec.Struct, frozen=True):
    """Where the parts of the image that was built last are."""

    final: Path
    root: Path
    kernel: Path
    bundle: Path
    disk: Path


def built() -> Built:
    """Return the newest image. Raises `BuildError`."""
    return Built(
        _newest("final-*"),
        _newest("root-*/root.img"),
        _newest("signed-*/kernel.efi"),
        _newest("bundle-*/*.swu"),
        _newest("disk-*/disk.img"),
    )


def rows(image: Built, known: dict[str, Figure], cuts: Sequence[Cuts]) -> list[Row]:
    """Return the report's rows: of the image as it is, and as its figures tell."""
    return [
        *_sizes(image),
        *(_row(known.get(row[0]), *row[1:]) for row in _RECORDED),
        *_cut(known, cuts),
    ]


def page(table: Sequence[Row], known: dict[str, Figure], scored: str) -> str:
    """Return the whole report."""
    parts = ["# Figures of the appliance's image\n", markdown(table)]
    for name, title in (
        ("power-ratio", "Starts, in turns"),
        ("startup", "`systemd-analyze`: the slowest units of a start to the welcome"),
        ("startup-chain", "`systemd-analyze critical-chain`"),
        ("delta-root", "One file changed"),
    ):
        if name in known:
            lines = "".join(f"    {line}\n" for line in known[name].detail)
            parts += [f"## {title}\n", lines]
    stages = [
        (name.removeprefix("stage-"), f"{known[name].value:.0f} s", known[name].when)
        for name in known
        if name.startswith("stage-")
    ]
    if stages:
        parts += ["## Stages of the build\n", grid(("stage", "took", "when"), stages)]
    return "\n".join([*parts, "## What services may do\n", scored])


def exposure(root: Path) -> str:
    """Return the worst scores of the root's services, and how many there are."""
    scored = scores.scores(root, scores.limits())
    above = sum(one.score > one.ceiling for one in scored)
    shown = scores.report(scored[:_SCORES_SHOWN])
    return (
        f"{shown}\nThe worst {min(len(scored), _SCORES_SHOWN)} of {len(scored)};"
        f" {above or 'none'} above what it may.\n"
    )


def cuts_told(folder: Path) -> list[Cuts]:
    """Return what replays told. Raises `BuildError`."""
    found = []
    for file in sorted(folder.glob("*/cuts.json")):
        try:
            found.append(msgspec.json.decode(file.read_bytes(), type=Cuts))
        except msgspec.DecodeError as error:
            raise BuildError(f"{file} tells of no cuts: {error}") from error
    return found


def main() -> None:
    """Measure, print, write."""
    words = argparse.ArgumentParser(prog=REPORT, description=__doc__)
    words.formatter_class = argparse.RawDescriptionHelpFormatter
    words.add_argument(
        "--quick", action="store_true", help="start no machine and pack no root anew"
    )
    asked = words.parse_args()
    try:
        if os.geteuid() != 0:
            raise BuildError(f"A root's files are read as root: sudo {REPORT}")
        image = built()
        if not asked.quick:
            delta.measure(image.final, image.root, image.kernel, image.bundle)
            _start(image.disk)
        known = recorded()
        table = rows(image, known, cuts_told(PROJECT / "var" / "test-image"))
        text = page(table, known, exposure(image.final / "root"))
    except (BuildError, MachineError, TimeoutError) as error:
        sys.exit(f"image: {error}")
    told = [{**msgspec.to_builtins(row), "verdict": row.verdict} for row in table]
    (CACHE / "report.md").write_text(text)
    encoded = msgspec.json.encode({"rows": told, "figures": known})
    (CACHE / "report.json").write_bytes(msgspec.json.format(encoded) + b"\n")
    sys.stdout.write(text)
    say(f"\nIt stands in {(CACHE / 'report.md').relative_to(PROJECT)} and report.json.")


def _start(disk: Path) -> None:
    machine = boots.Boots(disk, PROJECT / "var" / "test-image" / "report")
    try:
        boots.measure(machine)
    finally:
        machine.close()


def _newest(pattern: str) -> Path:
    found = sorted(CACHE.glob(pattern), key=lambda path: path.stat().st_mtime)
    if not found:
        raise BuildError(f"There is no {pattern} in {CACHE}: `{BUILD}` makes it.")
    return found[-1]


def _sizes(image: Built) -> Iterator[Row]:
    bundle = image.bundle.stat().st_size / _MIB
    yield Row("update bundle", "MiB", BUILD, bundle, MOST_BYTES / _MIB)
    told = run(["du", "-s", "--apparent-size", "-B1", str(image.final / "root")])
    held = int(told.split()[0]) / _MIB
    yield Row("root, unpacked", "MiB", BUILD, held, 1024)


def _row(
    known: Figure | None, figure: str, unit: str, limit: float | None, by: str
) -> Row:
    if known is None:
        return Row(figure, unit, by, limit=limit)
    return Row(figure, unit, by, known.value, limit, when=known.when)


def _cut(known: dict[str, Figure], cuts: Sequence[Cuts]) -> Iterator[Row]:
    phases = [phase for phase in PHASES if f"cut-{phase}" in known]
    shown = f"{len(phases)} of {len(PHASES)}" + f" ({', '.join(phases)})" * bool(phases)
    survived = len(phases) or None
    name = "plug pulled and survived, by moment"
    yield Row(name, "", TESTS, survived, least=len(PHASES), shown=shown)
    title = "cuts replayed from the write log, survived"
    if not cuts:
        yield Row(title, "", TESTS)
    for one in cuts:
        survived = one.cuts - len(one.findings)
        told = f"{survived} of {one.cuts}"
        name = f"{title} ({one.sales_at_the_end} sales)"
        yield Row(name, "", TESTS, survived, least=one.cuts, shown=told)


if __name__ == "__main__":
    main()
