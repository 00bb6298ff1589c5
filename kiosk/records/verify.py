"""Checks a journal as somebody would who trusts nobody: numbers, chain, signatures.

Says in plain words which entry is the first bad one and what is wrong with it, and
up to which entry it is proven that nothing is missing: the last one the lane signed,
or the one that the back office acknowledged. Changes nothing; never raises over what
a file contains.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import apsw
import msgspec

from kiosk.records import journal_file
from kiosk.records.chain import Head, Origin, Signature, follows
from kiosk.records.journal_file import JournalDamaged


class Verdict(msgspec.Struct, frozen=True):
    """What a check found.

    `first_bad` is the number of the first entry that cannot be trusted, None when
    there is none or when the file as a whole is bad. `proven` is the entry up to
    which nothing can be missing; what follows it is in order, but more may have
    followed. `end` is the last good entry.
    """

    ok: bool
    problem: str
    first_bad: int | None
    lane_id: str
    epoch: str
    first_seq: int
    end: Head
    proven: int
    closed: bool
    public_key: bytes

    def lines(self) -> list[str]:
        """Return the verdict in words, for a person."""
        if not self.lane_id:
            return [f"BAD: {self.problem}"]
        whose = f"lane {self.lane_id}, epoch {self.epoch}"
        if self.end.seq < self.first_seq:
            held = f"{whose}: no good entry"
        else:
            held = f"{whose}: entries {self.first_seq} to {self.end.seq} are in order"
        if self.proven >= self.first_seq:
            proof = f"nothing is missing up to entry {self.proven}"
            if self.proven < self.end.seq:
                proof += "; whether more followed the last entry is not proven"
        else:
            proof = "that nothing is missing is not proven: no entry is signed"
        state = "closed" if self.closed else "not closed"
        first = "OK" if self.ok else f"BAD: {self.problem}"
        return [first, held, f"{proof} ({state})"]


class _Found(Exception):
    """The first thing that is wrong. Never leaves this module."""

    def __init__(self, problem: str, seq: int | None = None) -> None:
        super().__init__(problem)
        self.problem = problem
        self.seq = seq


class _Check:
    """One file under the magnifying glass; what is known so far."""

    def __init__(self) -> None:
        self.origin = Origin("", "", 1, "", b"")
        self.end = Head(0, "")
        self.proven = 0
        self.closed = False
        self.head_seen = False

    def verdict(self, found: _Found | None) -> Verdict:
        return Verdict(
            ok=found is None,
            problem=found.problem if found else "",
            first_bad=found.seq if found else None,
            lane_id=self.origin.lane_id,
            epoch=self.origin.epoch,
            first_seq=self.origin.first_seq,
            end=self.end,
            proven=self.proven,
            closed=self.closed,
            public_key=self.origin.public_key,
        )


def verify(
    path: Path,
    public_key: bytes | None = None,
    head: Head | None = None,
    *,
    before: Head | None = None,
    vfs: str | None = None,
) -> Verdict:
    """Check one file.

    Without `public_key` the file's own key is taken, which shows damage but not
    who wrote it. `head` is the last entry that the back office acknowledged;
    `before` is the end of the file that came before this one. With `vfs` the file
    is on a simulated disk.
    """
    check = _Check()
    try:
        db = journal_file.connect_to_read(path, vfs)
    except (apsw.Error, OSError, UnicodeDecodeError) as error:
        return check.verdict(_Found(f"{path} cannot be opened as a journal: {error}"))
    try:
        _check_file(db, check, public_key, head, before)
    except _Found as found:
        return check.verdict(found)
    except JournalDamaged as damaged:
        return check.verdict(_Found(str(damaged), check.end.seq + 1))
    except (apsw.Error, UnicodeDecodeError) as error:
        # SQLite's own words may quote the damaged bytes, and then are no text.
        problem = f"the file cannot be read after entry {check.end.seq}: {error}"
        return check.verdict(_Found(problem, check.end.seq + 1))
    finally:
        db.close()
    return check.verdict(None)


def verify_all(
    paths: Sequence[Path],
    public_key: bytes | None = None,
    head: Head | None = None,
    *,
    vfs: str | None = None,
) -> list[Verdict]:
    """Check several files, oldest first, and that each goes on where the last ended.

    `head` may be in any of them. Files older than the first may have been deleted
    after their time; a file missing in between is found.
    """
    verdicts: list[Verdict] = []
    before: Head | None = None
    for position, path in enumerate(paths):
        last = position == len(paths) - 1
        verdict = verify(path, public_key, None, before=before, vfs=vfs)
        if head is not None and (
            last or verdict.first_seq <= head.seq <= verdict.end.seq
        ):
            verdict = verify(path, public_key, head, before=before, vfs=vfs)
            head = None
        if verdict.ok and not last and not verdict.closed:
            # A cut after the next file was in place; the lane closes it on its next
            # start. The chain into the next file proves its end as well.
            verdict = msgspec.structs.replace(verdict, proven=verdict.end.seq)
        verdicts.append(verdict)
        # After a bad file the next is judged by itself: one fault, one report.
        before = verdict.end if verdict.ok else None
        public_key = public_key or verdict.public_key or None
    return verdicts


def _check_file(
    db: apsw.Connection,
    check: _Check,
    public_key: bytes | None,
    head: Head | None,
    before: Head | None,
) -> None:
    try:
        origin = journal_file.read_origin(db)
    except JournalDamaged as damaged:
        raise _Found(str(damaged)) from damaged
    check.origin = origin
    check.end = origin.before
    check.proven = origin.before.seq
    if public_key is not None and origin.public_key != public_key:
        raise _Found("the file was written with another key than the one given")
    if before is not None and origin.before != before:
        raise _Found(
            f"the file before ends at entry {before.seq}, but this one goes on after"
            f" {origin.before.seq}"
            if before.seq != origin.before.seq
            else f"this file does not follow the entry {before.seq} of the one before",
            origin.first_seq,
        )
    unsigned = _check_entries(db, check, head)
    if unsigned:
        seq = unsigned[0].seq
        raise _Found(
            f"entry {seq} was signed, but the file ends at {check.end.seq}",
            check.end.seq + 1,
        )
    closing = journal_file.read_closing(db)
    if closing is not None:
        if problem := journal_file.closing_problem(origin, closing, check.end):
            raise _Found(problem)
        check.closed = True
        check.proven = check.end.seq
    _check_head(check, head)
    if problem := journal_file.structure_problem(db):
        raise _Found(f"every entry is whole, but the file is damaged: {problem}")


def _check_entries(
    db: apsw.Connection, check: _Check, head: Head | None
) -> list[Signature]:
    signatures = list(journal_file.signatures_after(db, -1))
    for entry in journal_file.entries_after(db, -1):
        if problem := follows(entry, check.end):
            raise _Found(problem, check.end.seq + 1)
        check.end = Head(entry.seq, entry.digest)
        while signatures and signatures[0].seq <= entry.seq:
            signed = signatures.pop(0)
            if signed.seq < entry.seq:
                raise _Found(f"a signature names entry {signed.seq}, which is not here")
            problem = journal_file.signature_problem(check.origin, signed, entry.digest)
            if problem:
                raise _Found(problem, entry.seq)
            check.proven = entry.seq
        if head is not None and head.seq == entry.seq:
            check.head_seen = True
            if head.digest != entry.digest:
                raise _Found(
                    f"entry {entry.seq} is not the one that was acknowledged",
                    entry.seq,
                )
            check.proven = entry.seq
    return signatures


def _check_head(check: _Check, head: Head | None) -> None:
    if head is None or check.head_seen:
        return
    before = check.origin.before
    if head.seq > check.end.seq:
        raise _Found(
            f"entry {head.seq} was acknowledged, but the file ends at {check.end.seq}",
            check.end.seq + 1,
        )
    if head.seq == before.seq and head != before:
        raise _Found(f"this file does not follow the acknowledged entry {head.seq}")
