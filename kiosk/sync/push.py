"""The journal's way to the back office: what cannot lose or double anything.

No network and no clock here: how a batch is posted is a parameter, so that the
process, the tests and the simulation run these same lines.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import msgspec

from kiosk.records.chain import Entry, Head
from kiosk.sync.wire import NOTHING, Held, Hello, Welcome

# 250 entries, a busy hour, are three requests; one request stays near 10 kB.
BATCH = 100
# An entry can carry a whole basket: a hundred of those would be too much for one.
BATCH_BYTES = 1024 * 1024

FIRST_RETRY_SECONDS = 1.0
# A back office that was away for a weekend is found again within two minutes.
LAST_RETRY_SECONDS = 120.0


class SyncError(Exception):
    """Why nothing more can be sent now, in the operator's words.

    `is_online`: the back office itself said so, it was not silence or a stranger.
    `wait_seconds` is how long it asked to be left alone.
    """

    def __init__(
        self, reason: str, *, is_online: bool = True, wait_seconds: float = 0
    ) -> None:
        super().__init__(reason)
        self.is_online = is_online
        self.wait_seconds = wait_seconds


class TooLarge(msgspec.Struct, frozen=True):
    """The server, or something before it, takes no request of this size."""


class Entries(Protocol):
    """A journal, as far as sync reads it: `Journal`, `JournalReader` or `Trail`."""

    @property
    def epoch(self) -> str: ...

    @property
    def head(self) -> Head: ...

    def after(self, seq: int, limit: int) -> list[Entry]: ...


Post: TypeAlias = Callable[[Head, list[Entry]], Held | TooLarge]
Save: TypeAlias = Callable[[Head], None]


def push(entries: Entries, acknowledged: Head, post: Post, save: Save) -> Head:
    """Send all that follows `acknowledged`; return the new acknowledged head.

    `post` returns the newest entry the server holds without a gap. Sending an
    entry twice is harmless: the server knows it by lane, epoch and seq. Each
    answer is saved before the next batch goes.
    """
    limit = BATCH
    while batch := fitting(entries.after(acknowledged.seq, limit)):
        match post(acknowledged, batch):
            case TooLarge():
                if len(batch) == 1:
                    raise SyncError(f"entry {batch[0].seq} alone is too large to send")
                limit = len(batch) // 2
            case Held(held):
                if held not in {Head(entry.seq, entry.digest) for entry in batch}:
                    raise SyncError(
                        f"the back office holds {held.seq}, expected an entry from "
                        f"{batch[0].seq} to {batch[-1].seq} as it was sent"
                    )
                acknowledged = held
                save(acknowledged)
    return acknowledged


def fitting(entries: list[Entry]) -> list[Entry]:
    """Return as many of the first entries as one request should carry."""
    size = 0
    for count, entry in enumerate(entries):
        size += len(entry.body)
        if size > BATCH_BYTES and count:
            return entries[:count]
    return entries


def sync(
    entries: Entries,
    lane_id: str,
    acknowledged: Head,
    say_hello: Callable[[Hello], Welcome],
    post: Post,
    save: Save,
) -> Head:
    """Make one whole contact, also with nothing to send; return what is held.

    The hello is what heals a server that came back from an older backup: it says
    how far it agrees, and everything after that is sent again.
    """
    welcome = say_hello(hello_of(entries, lane_id, acknowledged))
    # Read anew: another sync process may have sent more than our hello knew.
    if entries.head.seq < welcome.held.seq and has(entries, welcome.common):
        welcome = say_hello(
            msgspec.structs.replace(
                hello_of(entries, lane_id, acknowledged),
                ahead_of_me=welcome.held.seq,
            )
        )
    agreed = agree(entries, welcome)
    if agreed != acknowledged:
        save(agreed)
    return push(entries, agreed, post, save)


def hello_of(entries: Entries, lane_id: str, acknowledged: Head) -> Hello:
    """Return what the lane says first: who it is, how far it is, where it has been.

    The points reach back in steps that double, so that the server finds where it
    agrees within half of what it lost, however old its backup is.
    """
    head = entries.head
    points = [head]
    if acknowledged.seq < head.seq and has(entries, acknowledged):
        points.append(acknowledged)
    step = 1
    while (seq := head.seq - step) > 0:
        found = entries.after(seq - 1, 1)
        points.extend(Head(entry.seq, entry.digest) for entry in found)
        if not found or found[0].seq > seq:
            break  # Older ones are no longer kept.
        step *= 2
    points.sort(key=lambda point: -point.seq)
    unsent = entries.after(acknowledged.seq, 1)
    return Hello(
        lane_id,
        entries.epoch,
        head,
        tuple(dict.fromkeys(points)),
        oldest_unsent_ms=unsent[0].at_ms if unsent else 0,
    )


def agree(entries: Entries, welcome: Welcome) -> Head:
    """Return the newest entry that both sides hold.

    The server's word is checked against the journal: a copy of this lane may have
    sent other entries under the same numbers.
    """
    if has(entries, welcome.held):
        return welcome.held
    if has(entries, welcome.common):
        return welcome.common
    return NOTHING


def has(entries: Entries, head: Head) -> bool:
    """Say whether the journal holds this very entry."""
    if head.seq == 0 or head == entries.head:
        return head == NOTHING or head == entries.head
    return [head] == [Head(e.seq, e.digest) for e in entries.after(head.seq - 1, 1)]


def retry_seconds(
    failures: int, draw: float, longest_seconds: float = LAST_RETRY_SECONDS
) -> float:
    """How long to wait after this many failures in a row.

    `draw` (0 to 1) spreads the lanes of a shop, which all failed together.
    """
    # A month offline is some 20,000 failures: no power of two for those.
    doublings = min(failures - 1, 16)
    longest = min(FIRST_RETRY_SECONDS * 2.0**doublings, longest_seconds)
    return longest * (0.5 + 0.5 * draw)
