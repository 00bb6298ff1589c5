"""Takes what lanes send, exactly once: every entry is held, none twice.

The same lines run behind HTTP and in the simulation. Nothing is ever overwritten,
and nothing a lane sent is thrown away: what cannot be read is kept and reported,
what contradicts is kept beside the other.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable

from kiosk.backoffice import claims
from kiosk.backoffice.projection import KNOWN_KINDS, LARGEST, Projection, project
from kiosk.backoffice.store import Book, Branch, Store
from kiosk.records.chain import Entry, Head, follows
from kiosk.records.keys import is_signed
from kiosk.sync.wire import (
    ENROL_DOMAIN,
    HELLO_DOMAIN,
    NOTHING,
    Batch,
    Enrol,
    Enrolled,
    Held,
    Hello,
    Refusal,
    Signed,
    Welcome,
    WireError,
    batch_text,
    entries_of,
    read,
    unseal,
)

# It stands in addresses and on pages.
LANE_NAME = re.compile(r"[A-Za-z0-9._-]{1,40}")
STRANGER = "this lane is not enrolled here"


class Intake:
    """The back office's one door for entries."""

    def __init__(
        self, store: Store, now_ms: Callable[[], int], new_id: Callable[[], str]
    ) -> None:
        self._store = store
        self._now_ms = now_ms
        self._new_id = new_id

    def enrol(self, signed: Signed, token: str) -> Enrolled | Refusal:
        """Make a lane known by its public key, against the shop's enrol token or
        against the one that an approved claim gave it.

        A lane that is known keeps its key: another key is refused and told, except
        where an admin approved a claim in that lane's place.
        """
        try:
            asked = read(signed.text, Enrol)
            unseal(signed, ENROL_DOMAIN, asked.public_key, Enrol)
        except WireError as error:
            return Refusal(400, str(error))
        is_shops = bool(token) and hmac.compare_digest(
            asked.token.encode(), token.encode()
        )
        if not LANE_NAME.fullmatch(asked.lane_id):
            return Refusal(400, "a lane's name is 1 to 40 letters, digits, . _ or -")
        now_ms = self._now_ms()
        with self._store.writing() as book:
            known = book.lane_key(asked.lane_id)
            if not is_shops:
                granted = claims.spend(
                    book, asked.lane_id, asked.token, asked.public_key, now_ms
                )
                if granted is None:
                    return Refusal(403, "the enrol token is not the shop's")
                if known is not None and granted.replaces:
                    book.change_key(asked.lane_id, asked.public_key)
                    known = asked.public_key
            if known is None:
                book.enrol(asked.lane_id, asked.public_key, now_ms)
            elif known != asked.public_key:
                book.raise_alarm(
                    asked.lane_id,
                    f"key {asked.public_key.hex()}",
                    "another machine asked to be enrolled under this lane's name",
                    now_ms,
                )
                return Refusal(409, "this lane is enrolled with another key")
        return Enrolled(asked.lane_id)

    def hello(self, lane_id: str, signed: Signed) -> Welcome | Refusal:
        """Say how far we hold a lane's journal."""
        now_ms = self._now_ms()
        with self._store.writing() as book:
            key = book.lane_key(lane_id)
            if key is None:
                return Refusal(401, STRANGER)
            try:
                hello = unseal(signed, HELLO_DOMAIN, key, Hello)
            except WireError as error:
                return Refusal(403, str(error))
            if hello.lane_id != lane_id:
                return Refusal(403, "the hello is another lane's")
            book.note_contact(
                lane_id,
                contact_ms=now_ms,
                epoch=hello.epoch,
                head_seq=min(hello.head.seq, LARGEST),
                oldest_unsent_ms=min(hello.oldest_unsent_ms, LARGEST),
                catalog_version=hello.catalog_version,
                release=hello.release,
            )
            book.note_machine(lane_id, hello.slot[:40], hello.updater[:200])
            server_epoch = book.server_epoch()
            known = book.newest_known(lane_id, hello.points)
            if known is None:
                return Welcome(server_epoch, NOTHING, NOTHING, now_ms=now_ms)
            common, branch = known
            held = branch.held
            if hello.ahead_of_me:
                branch = self._copy_came_back(book, hello, common, branch, now_ms)
                held = common
            new_epoch = branch.new_epoch if branch.held == hello.head else ""
        return Welcome(server_epoch, held, common, new_epoch, now_ms)

    def take(self, batch: Batch) -> Held | Refusal:
        """Hold a batch's entries; say up to which entry the sender's are held."""
        now_ms = self._now_ms()
        with self._store.writing() as book:
            key = book.lane_key(batch.lane_id)
            if key is None:
                return Refusal(401, STRANGER)
            if not is_signed(key, batch_text(batch), batch.signature):
                return Refusal(
                    403, "the batch was changed on its way, or is not from this lane"
                )
            try:
                entries = list(entries_of(batch))
            except WireError as error:
                return Refusal(422, str(error))
            if any(_is_impossible(entry) for entry in entries):
                return Refusal(422, "an entry's number or time cannot be")
            return self._hold(book, batch, entries, now_ms)

    def _hold(
        self, book: Book, batch: Batch, entries: list[Entry], now_ms: int
    ) -> Held | Refusal:
        lane_id = batch.lane_id
        book.note_contact(lane_id, contact_ms=now_ms)
        before = batch.before
        ending = book.branches_ending(lane_id, before)
        if not ending:
            # Something in it is held already, or it goes on elsewhere than we end.
            heads = [Head(entry.seq, entry.digest) for entry in entries]
            known = book.newest_known(lane_id, [before, *heads])
            if known is None and before == NOTHING:
                known = NOTHING, book.begin_branch(lane_id, batch.epoch, NOTHING)
            if known is None:
                # Nor does a server that lost everything begin in the middle: a batch
                # that comes late would hide from it that the rest is missing.
                return Refusal(
                    409, f"entry {before.seq} is not held here: say hello again"
                )
            before, branch = known
            entries = [entry for entry in entries if entry.seq > before.seq]
            if not entries:
                return Held(before, branch.new_epoch)
            ending = book.branches_ending(lane_id, before)
            if not ending and entries[0].seq > before.seq + 1:
                # The lane no longer has what stood between: on with what it has.
                before, ending = self._beyond_gap(book, lane_id, before, entries[0])
            if not ending:
                ending = [self._fork(book, batch, branch, before, entries[0], now_ms)]
        branch = next((b for b in ending if b.epoch == batch.epoch), ending[-1])
        if branch.epoch != batch.epoch:
            branch = book.begin_branch(lane_id, batch.epoch, before)
        self._check(book, lane_id, before, entries, now_ms)
        book.extend(branch, entries, now_ms)
        self._project(book, lane_id, branch, entries, now_ms)
        return Held(Head(entries[-1].seq, entries[-1].digest), branch.new_epoch)

    def _beyond_gap(
        self, book: Book, lane_id: str, before: Head, first: Entry
    ) -> tuple[Head, list[Branch]]:
        """Return the end that comes nearest to `first`, and who ends there."""
        ends = [
            branch
            for branch in book.branches(lane_id)
            if before.seq < branch.held.seq < first.seq
        ]
        if not ends:
            return before, []
        nearest = max(ends, key=lambda branch: branch.held.seq)
        return nearest.held, [nearest]

    def _fork(
        self,
        book: Book,
        batch: Batch,
        branch: Branch,
        before: Head,
        first: Entry,
        now_ms: int,
    ) -> Branch:
        if branch.epoch != batch.epoch:
            # Its own new epoch, begun before the end of what we hold of the old.
            return book.begin_branch(batch.lane_id, batch.epoch, before)
        book.raise_alarm(
            batch.lane_id,
            f"fork {batch.epoch} {first.seq} {first.digest}",
            f"two machines sell as this lane, or one was put back from a copy: both "
            f"have an entry {first.seq}, and they differ. Both are kept",
            now_ms,
        )
        if not branch.new_epoch:
            book.give_epoch(branch, self._new_id())
        return self._own_branch(book, batch.lane_id, batch.epoch, before)

    def _copy_came_back(
        self, book: Book, hello: Hello, common: Head, branch: Branch, now_ms: int
    ) -> Branch:
        """Greet a lane whose journal ends before what we hold of it."""
        if common != hello.head or branch.held == common:
            return branch  # It has entries of its own: they will tell.
        book.raise_alarm(
            hello.lane_id,
            f"copy {hello.epoch} {hello.head.seq} {hello.head.digest}",
            f"the lane's journal ends at entry {hello.head.seq}, and more of it is "
            f"held here (up to {hello.ahead_of_me}): it was put back from a copy",
            now_ms,
        )
        ending = book.branches_ending(hello.lane_id, common)
        if ending:
            return ending[0]
        return self._own_branch(book, hello.lane_id, hello.epoch, common)

    def _own_branch(self, book: Book, lane_id: str, epoch: str, start: Head) -> Branch:
        own = book.begin_branch(lane_id, epoch, start, is_fork=True)
        new_epoch = self._new_id()
        book.give_epoch(own, new_epoch)
        return Branch(own.branch_id, epoch, start, start, new_epoch)

    def _check(
        self,
        book: Book,
        lane_id: str,
        before: Head,
        entries: list[Entry],
        now_ms: int,
    ) -> None:
        """Raise an alarm for every entry that does not follow from the one before.

        The batch's signature holds, so it was the lane's disk and not the way:
        refusing it would stop everything behind it for ever.
        """
        head = before
        for entry in entries:
            if problem := follows(entry, head):
                book.raise_alarm(
                    lane_id,
                    f"chain {entry.seq} {entry.digest}",
                    f"the lane's journal is damaged: {problem}",
                    now_ms,
                )
            head = Head(entry.seq, entry.digest)

    def _project(
        self,
        book: Book,
        lane_id: str,
        branch: Branch,
        entries: list[Entry],
        now_ms: int,
    ) -> None:
        read: list[tuple[Entry, Projection]] = []
        for entry in entries:
            projection = project(entry)
            read.append((entry, projection))
            if projection.trouble:
                # Of kinds that a newer lane writes, one alarm is enough.
                is_known = entry.kind in KNOWN_KINDS
                subject = f"{entry.seq} {entry.digest}" if is_known else entry.kind
                book.raise_alarm(
                    lane_id,
                    f"unread {subject}",
                    f"{projection.trouble}; it is kept, and in no report",
                    now_ms,
                )
        book.add_facts(lane_id, branch, read)


def _is_impossible(entry: Entry) -> bool:
    return any(
        abs(number) > LARGEST for number in (entry.seq, entry.at_ms, entry.mono_ms)
    )
