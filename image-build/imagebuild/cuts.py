"""`python -m imagebuild.cuts`: cut a machine's power a thousand times, and look each time.

Takes the log of everything that a running machine wrote (`Machine(log=...)`) and the disk
as it was before, goes through the log's flushes in order, and examines at each what a cut
there would have left. Ends with 1 when a promise was broken, and names the cuts.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import typer

from imagebuild.blocklog import BlockLog, Cut, LogError
from imagebuild.cutdisk import CutDisk
from imagebuild.promises import PROMISES, Finding, Mark, judge, read_marks
from imagebuild.stage import BuildError
from imagebuild.volumes import VolumeError

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
_SHOWN = 10
_MEMORY = Path("/dev/shm")  # noqa: S108  # room in memory, taken by mkdtemp


def planned(last: int, count: int, seed: int) -> list[Cut]:
    """Return which cuts are tried, in their order; the same for the same numbers.

    A third of them, spread evenly, keep nothing after their boundary: those say what
    must not be lost later. The log's beginning and its end are always among them.
    """
    chance = random.Random(seed)
    steps = max(1, min(last, count // 3))
    bare = {round(step * last / steps) for step in range(steps + 1)}
    cuts = {Cut(boundary, 0) for boundary in bare}
    while last and len(cuts) < count:
        cuts.add(Cut(chance.randrange(last), chance.randrange(1, 1 << 32)))
    return sorted(cuts, key=lambda cut: (cut.boundary, cut.seed))


def replayed(
    disk: CutDisk, log: BlockLog, cuts: Sequence[Cut], marks: Sequence[Mark]
) -> Iterator[Finding]:
    """Yield what each cut left. They are judged when the last one was taken.

    The last cut must be the log's end: its journal is what the others must lead to.
    """
    findings = []
    for cut in cuts:
        findings.append(disk.find(cut))
        yield findings[-1]
    end = findings[-1].journal
    whose = end.whose if end else ""
    judge(findings, marks, log.position, disk.digests, whose, log.last)


@app.command()
def cuts(
    log: Annotated[Path, typer.Argument(help="The log that the machine wrote.")],
    base: Annotated[
        Path, typer.Option(help="The disk, raw, as it was when the log began.")
    ],
    keys: Annotated[
        Path, typer.Option(help="Folder with escrow.key, which opens DATA.")
    ],
    kernel: Annotated[
        list[Path],
        typer.Option(help="A signed kernel that a slot may hold; once for each."),
    ],
    marks: Annotated[
        Path | None,
        typer.Option(help='Lines of {"log_bytes": N, "sales": n}: what was seen when.'),
    ] = None,
    count: Annotated[int, typer.Option("--cuts", min=2, help="How many cuts.")] = 1000,
    seed: Annotated[int, typer.Option(help="Another seed, other cuts.")] = 1,
    atomic: Annotated[
        int,
        typer.Option(
            min=512, help="Bytes that the disk writes all or not at all, aligned."
        ),
    ] = 4096,
    result: Annotated[
        Path | None, typer.Option(help="Where the findings go, as JSON.")
    ] = None,
    only: Annotated[
        str, typer.Option(help="One cut again, as it was named: BOUNDARY:SEED.")
    ] = "",
    keep: Annotated[
        Path | None, typer.Option(help="With --only: leave the cut disk there.")
    ] = None,
) -> None:
    """Replay a machine's block-write log and cut its power at random points.

    At each cut, what the last flush covered is on the disk; of what the machine wrote
    after it, each write is there whole, in part, or not at all. Then, offline:

    - one boot slot must start: its environment's CRC, its kernel, its root's hashes;

    - STATE and DATA (opened with the recovery key) must be clean after their journals'
    replay, by e2fsck;

    - the lane's journal must verify, hold every entry that was on disk before, go the
    way it goes to the log's end, and hold every sale that --marks saw complete.

    A write is torn between blocks of --atomic bytes: 4096, what flash and disks of today
    write at once. With 512, as old disks do, ext4 itself gives up where a commit
    or its superblock is torn.

    Ends with 1 when a promise was broken, and names the cuts; with 2 when the log or
    the disk cannot be read. Needs e2fsprogs, cryptsetup, mtools and fdisk, no root.
    """
    missing = [
        package
        for tool, package in (
            ("e2fsck", "e2fsprogs"),
            ("cryptsetup", "cryptsetup-bin"),
            ("mcopy", "mtools"),
            ("sfdisk", "fdisk"),
        )
        if not shutil.which(tool)
    ]
    if missing:
        _stop(f"Install first: apt-get install {' '.join(missing)}")
    try:
        whole = BlockLog(log, atomic)
        seen = read_marks(marks) if marks else []
        tried = planned(whole.last, count, seed)
        wanted = None
        if only:
            wanted, tried = _one(only, tried, whole.last)
        signed = {sha256(one.read_bytes()).hexdigest() for one in kernel}
        escrow = (keys / "escrow.key").read_bytes()
        room = 3 * base.stat().st_blocks * 512
        place = _MEMORY if _has_room(room) else None
        with tempfile.TemporaryDirectory(dir=place) as folder:
            disk = CutDisk(whole, base, Path(folder), escrow, signed)
            begun = time.monotonic()
            findings = []
            for finding in replayed(disk, whole, tried, seen):
                findings.append(finding)
                _progress(findings, len(tried), begun)
            seconds = time.monotonic() - begun
            if keep and wanted:
                disk.close()
                disk = CutDisk(whole, base, Path(folder), escrow, signed)
                disk.keep(wanted, keep)
            disk.close()
    except (LogError, VolumeError, BuildError, OSError, ValueError) as error:
        _stop(str(error))
    told = _told(whole, findings, seconds)
    if result:
        result.write_text(json.dumps(told, indent=1) + "\n")
    for line in _lines(told, findings):
        typer.echo(line)
    if any(finding.broken for finding in findings):
        raise typer.Exit(1)


def _one(name: str, tried: Sequence[Cut], last: int) -> tuple[Cut, list[Cut]]:
    """Return the cut that is named, and it among what it is to be compared with."""
    boundary, _, seed = name.partition(":")
    if not (boundary.isdecimal() and seed.isdecimal() and int(boundary) <= last):
        raise ValueError(f"{name!r} names no cut: BOUNDARY:SEED, boundaries to {last}")
    wanted = Cut(int(boundary), int(seed))
    before = [cut for cut in tried if not cut.seed and cut.boundary <= wanted.boundary]
    return wanted, list(dict.fromkeys([*before, wanted, Cut(last, 0)]))


def _has_room(needed: int) -> bool:
    return _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > 2 * needed


def _progress(findings: Sequence[Finding], count: int, begun: float) -> None:
    done, is_terminal = len(findings), sys.stderr.isatty()
    if not (done == count or done % (10 if is_terminal else 250) == 0):
        return
    broken = sum(bool(finding.broken) for finding in findings)
    rate = done * 60 / max(time.monotonic() - begun, 0.001)
    words = f"{done} of {count} cuts, {broken} with findings, {rate:.0f} a minute"
    end = "\r" if is_terminal and done < count else "\n"
    print(words, end=end, file=sys.stderr, flush=True)


def _told(
    log: BlockLog, findings: Sequence[Finding], seconds: float
) -> dict[str, object]:
    counts = Counter(promise for one in findings for promise in one.broken)
    end = findings[-1].journal
    return {
        "log_entries": log.entries,
        "boundaries": log.last + 1,
        "boundaries_tried": len({one.cut.boundary for one in findings}),
        "cuts": len(findings),
        "cuts_with_later_writes": sum(bool(one.cut.seed) for one in findings),
        "seconds": round(seconds, 1),
        "cuts_a_minute": round(len(findings) * 60 / max(seconds, 0.001)),
        "entries_at_the_end": end.seq if end else None,
        "sales_at_the_end": end.sales if end else None,
        "broken": {promise: counts[promise] for promise in PROMISES},
        "findings": [
            {"cut": str(one.cut), "broken": one.broken}
            for one in findings
            if one.broken
        ],
    }


def _lines(told: dict[str, object], findings: Sequence[Finding]) -> Iterator[str]:
    for name, value in told.items():
        if name not in ("broken", "findings"):
            yield f"{name.replace('_', ' '):28}{value}"
    yield ""
    for promise in PROMISES:
        count = sum(promise in one.broken for one in findings)
        yield f"{promise:28}{f'BROKEN in {count} cuts' if count else 'in every cut'}"
    broken = [one for one in findings if one.broken]
    for one in broken[:_SHOWN]:
        for promise, words in one.broken.items():
            yield f"--only {one.cut}: {promise}? {words}"
    if len(broken) > _SHOWN:
        yield f"and {len(broken) - _SHOWN} more; --result has them all"


def _stop(words: str) -> None:
    typer.echo(words, err=True)
    raise typer.Exit(2)


if __name__ == "__main__":
    app()
