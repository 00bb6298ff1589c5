"""What a kiosk promises whoever cuts its power, held against what cuts left.

Slots, file systems and the journal are examined cut by cut (`imagebuild.cutdisk`); here
the cuts are compared with each other, with the log's end and with what a watcher saw.
Pure arithmetic: reads no disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from imagebuild.blocklog import Cut

SLOT = "a slot starts"
STATE = "STATE is clean"
DATA = "DATA opens and is clean"
JOURNAL = "the journal verifies"
KEPT = "no entry is lost"
CHAIN = "the journal goes one way"
SALES = "no completed sale is lost"
PROMISES = (SLOT, STATE, DATA, JOURNAL, KEPT, CHAIN, SALES)


@dataclass(frozen=True, slots=True)
class Journal:
    """A journal as a cut left it: its last entry, and how many sales it holds."""

    whose: str = ""
    seq: int = 0
    digest: str = ""
    sales: int = 0


@dataclass(slots=True)
class Finding:
    """What one cut left. `broken`: promise and words; no journal: none was readable."""

    cut: Cut
    journal: Journal | None = None
    broken: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Mark:
    """`sales` sales were seen to be complete when the log was `log_bytes` long."""

    log_bytes: int
    sales: int


def read_marks(path: Path) -> list[Mark]:
    """Read a file of marks: a JSON object a line. Raises `ValueError`."""
    marks = []
    for number, line in enumerate(path.read_text().splitlines(), 1):
        try:
            told = json.loads(line)
            marks.append(Mark(int(told["log_bytes"]), int(told["sales"])))
        except (ValueError, KeyError, TypeError) as error:
            words = f'{path}, line {number}: not {{"log_bytes": N, "sales": n}}'
            raise ValueError(words) from error
    return marks


def judge(
    findings: Sequence[Finding],
    marks: Sequence[Mark],
    position: Callable[[int], int],
    chain: Mapping[int, str],
    whose: str,
    last: int,
) -> None:
    """Add to findings, in the order of their boundaries, what only comparing shows.

    `position` is the log's length at a boundary, `last` the log's end, `chain` the
    digests by number of the journal there, and `whose` it is.
    """
    floor = 0
    for finding in findings:
        found = finding.journal
        if found is None:
            continue
        if found.seq < floor:
            finding.broken[KEPT] = (
                f"entry {floor} was on disk at an earlier boundary, but the journal"
                f" ends at {found.seq}"
            )
        same = (found.whose, chain.get(found.seq)) == (whose, found.digest)
        # Without a journal at the end, that is what is told, of the end.
        if found.seq and chain and not same:
            finding.broken[CHAIN] = (
                f"entry {found.seq} of {found.whose} is not in the journal at the end"
            )
        # The last boundary that a mark has seen must hold it, and all that follow.
        at = finding.cut.boundary
        seen = position(at + 1) if at < last else float("inf")
        wanted = max((mark.sales for mark in marks if mark.log_bytes < seen), default=0)
        if found.sales < wanted:
            finding.broken[SALES] = (
                f"{wanted} sales were complete, but the journal holds {found.sales}"
            )
        if not finding.cut.seed:
            floor = max(floor, found.seq)
