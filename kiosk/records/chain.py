"""What an entry of the journal is, and the arithmetic that chains and signs entries.

Pure: no file, no database. The lane, the back office and whoever checks a journal
compute the same digests from this page; README.md says it in words.
"""

from __future__ import annotations

import hashlib

import msgspec

ENTRY_DOMAIN = b"stillopen-entry-1"
HEAD_DOMAIN = b"stillopen-head-1"
ORIGIN_DOMAIN = b"stillopen-origin-1"
CLOSING_DOMAIN = b"stillopen-closing-1"


class Entry(msgspec.Struct, frozen=True):
    """One thing the lane did, numbered, timed and chained to the one before.

    `at_ms` is the wall clock (epoch milliseconds, UTC), which may jump; `mono_ms`
    counts since the boot named by `boot_id` and never jumps. `body` is JSON.
    """

    seq: int
    at_ms: int
    mono_ms: int
    boot_id: str
    kind: str
    body: bytes
    training: bool
    digest: str


class Head(msgspec.Struct, frozen=True):
    """The newest entry's number and digest; seq 0 and no digest when there is none."""

    seq: int
    digest: str


class Signature(msgspec.Struct, frozen=True):
    """The lane's word that its journal ran up to this entry."""

    seq: int
    digest: str
    signature: bytes


class Origin(msgspec.Struct, frozen=True):
    """Where one file of a journal begins: whose it is and what went before."""

    lane_id: str
    epoch: str
    first_seq: int
    previous_digest: str
    public_key: bytes

    @property
    def before(self) -> Head:
        """Return the head that the file's first entry follows."""
        return Head(self.first_seq - 1, self.previous_digest)


class Closing(msgspec.Struct, frozen=True):
    """The mark at the end of a file that will never grow again."""

    seq: int
    digest: str
    at_ms: int
    signature: bytes


def fields(*values: bytes) -> bytes:
    """Join values so that no two lists of them give the same bytes (netstrings)."""
    return b"".join(b"%d:%b," % (len(value), value) for value in values)


def entry_digest(
    previous: str,
    *,
    seq: int,
    at_ms: int,
    mono_ms: int,
    boot_id: str,
    kind: str,
    body: bytes,
    training: bool,
) -> str:
    """Return an entry's digest: SHA-256 over the previous digest and every field."""
    return hashlib.sha256(
        fields(
            ENTRY_DOMAIN,
            previous.encode(),
            b"%d" % seq,
            b"%d" % at_ms,
            b"%d" % mono_ms,
            boot_id.encode(),
            kind.encode(),
            body,
            b"1" if training else b"0",
        )
    ).hexdigest()


def follows(entry: Entry, before: Head) -> str:
    """Say what is wrong with `entry` as the one after `before`; empty when right."""
    if entry.seq != before.seq + 1:
        if entry.seq <= before.seq:
            return f"entry {entry.seq} stands after entry {before.seq}"
        missing = f"entry {before.seq + 1} is"
        if entry.seq > before.seq + 2:
            missing = f"entries {before.seq + 1} to {entry.seq - 1} are"
        return f"{missing} missing: {entry.seq} follows {before.seq}"
    expected = entry_digest(
        before.digest,
        seq=entry.seq,
        at_ms=entry.at_ms,
        mono_ms=entry.mono_ms,
        boot_id=entry.boot_id,
        kind=entry.kind,
        body=entry.body,
        training=entry.training,
    )
    if entry.digest != expected:
        return f"entry {entry.seq} was changed after it was written"
    return ""


def head_text(lane_id: str, epoch: str, seq: int, digest: str) -> bytes:
    """Return what the lane signs when it signs its head."""
    return fields(
        HEAD_DOMAIN, lane_id.encode(), epoch.encode(), b"%d" % seq, digest.encode()
    )


def origin_text(origin: Origin) -> bytes:
    """Return what the lane signs when it begins a file."""
    return fields(
        ORIGIN_DOMAIN,
        origin.lane_id.encode(),
        origin.epoch.encode(),
        b"%d" % origin.first_seq,
        origin.previous_digest.encode(),
        origin.public_key,
    )


def closing_text(origin: Origin, seq: int, digest: str, at_ms: int) -> bytes:
    """Return what the lane signs when it closes a file."""
    return fields(
        CLOSING_DOMAIN,
        origin.lane_id.encode(),
        origin.epoch.encode(),
        b"%d" % seq,
        digest.encode(),
        b"%d" % at_ms,
    )
