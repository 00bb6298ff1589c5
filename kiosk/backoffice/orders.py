"""What the back office wants of lanes: directives, each with an id and an end, and
documents, of which only a higher version is ever given out.

All signed with the back office's key; a lane takes nothing else.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import msgspec
from sqlalchemy import Connection, insert, select

from kiosk.backoffice import tables
from kiosk.backoffice.store import Store
from kiosk.records.keys import SigningKey
from kiosk.sync.wire import (
    DIRECTIVE_DOMAIN,
    DOCUMENT_DOMAIN,
    Directive,
    Document,
    Signed,
    read,
    seal,
)

ORDERS = ("pause", "resume", "approve", "refuse", "logs")

# Longer than a lane is ever out of a long poll's reach while it is online; an
# approval that comes later finds another shopper.
DIRECTIVE_SECONDS = 300


class OrderError(ValueError):
    """An order or document that is not given out, in the attendant's words."""


class Orders:
    """Directives and documents, and who waits for them."""

    def __init__(
        self,
        store: Store,
        key: SigningKey,
        now_ms: Callable[[], int],
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._key = key
        self._now_ms = now_ms
        self._new_id = new_id
        self._bells: dict[
            str, set[tuple[asyncio.AbstractEventLoop, asyncio.Event]]
        ] = {}
        self._bells_lock = threading.Lock()

    def give(
        self,
        lane_id: str,
        order: str,
        attendant: str,
        asked: int = 0,
        reason: str = "",
        seconds: int = DIRECTIVE_SECONDS,
        hours: int = 0,
    ) -> Directive:
        """Order something of one lane; return the directive that is on its way."""
        if order not in ORDERS:
            raise OrderError(f"{order!r} is no order: expected {', '.join(ORDERS)}")
        if order in ("approve", "refuse") and asked <= 0:
            raise OrderError("an approval must name the intervention it is for")
        now_ms = self._now_ms()
        directive = Directive(
            self._new_id(),
            lane_id,
            order,
            now_ms + seconds * 1000,
            attendant,
            asked,
            reason,
            hours,
        )
        with self._store.writing() as book:
            if book.lane_key(lane_id) is None:
                raise OrderError(f"there is no lane {lane_id!r}")
            book.connection.execute(
                insert(tables.directive).values(
                    directive_id=directive.directive_id,
                    lane_id=lane_id,
                    made_ms=now_ms,
                    expires_ms=directive.expires_ms,
                    content=msgspec.json.encode(directive),
                )
            )
        self._ring(lane_id)
        return directive

    def waiting_for(self, lane_id: str) -> list[Signed]:
        """Return the directives that a lane has not journaled and that still hold."""
        with self._store.reading() as connection:
            rows = connection.execute(
                select(tables.directive.c.content)
                .where(
                    tables.directive.c.lane_id == lane_id,
                    tables.directive.c.taken_seq == 0,
                    tables.directive.c.expires_ms > self._now_ms(),
                )
                .order_by(tables.directive.c.made_ms)
            ).scalars()
            directives = [msgspec.json.decode(row, type=Directive) for row in rows]
        return [
            seal(self._key, DIRECTIVE_DOMAIN, directive) for directive in directives
        ]

    async def wait(self, lane_id: str, seen: set[str], seconds: float) -> list[Signed]:
        """Return directives not in `seen`, as soon as there is one or none in time."""
        bell = asyncio.get_running_loop(), asyncio.Event()
        with self._bells_lock:
            self._bells.setdefault(lane_id, set()).add(bell)
        try:
            async with asyncio.timeout(seconds):
                while True:
                    bell[1].clear()
                    found = await asyncio.to_thread(self.waiting_for, lane_id)
                    fresh = [one for one in found if directive_id_of(one) not in seen]
                    if fresh:
                        return fresh
                    await bell[1].wait()
        except TimeoutError:
            return []
        finally:
            with self._bells_lock:
                self._bells[lane_id].discard(bell)

    def publish(self, kind: str, version: int, content: bytes) -> Document:
        """Give out a document for all lanes; its version must be above the last."""
        return self.revise(kind, lambda _: (version, content))

    def revise(
        self, kind: str, change: Callable[[Document | None], tuple[int, bytes]]
    ) -> Document:
        """Give out a document made from the newest one of its kind.

        `change` gets that one and returns version and content; nobody else gives
        one out in between, so that of two changes at once none is lost.
        """
        with self._store.writing() as book:
            signed = _newest(book.connection, kind, 0)
            newest = None if signed is None else read(signed.text, Document)
            version, content = change(newest)
            if newest is not None and version <= newest.version:
                raise OrderError(
                    f"version {version} of the {kind} is not above {newest.version},"
                    " which is given out already"
                )
            document = Document(kind, version, msgspec.Raw(content))
            sealed = seal(self._key, DOCUMENT_DOMAIN, document)
            book.connection.execute(
                insert(tables.document).values(
                    kind=kind,
                    version=version,
                    text=sealed.text,
                    signature=sealed.signature,
                )
            )
        return document

    def newest(self, kind: str, above: int) -> Signed | None:
        """Return the newest document of a kind, if its version is above that."""
        with self._store.reading() as connection:
            return _newest(connection, kind, above)

    def _ring(self, lane_id: str) -> None:
        with self._bells_lock:
            for loop, bell in self._bells.get(lane_id, set()):
                loop.call_soon_threadsafe(bell.set)


def _newest(connection: Connection, kind: str, above: int) -> Signed | None:
    row = connection.execute(
        select(tables.document.c.text, tables.document.c.signature)
        .where(tables.document.c.kind == kind, tables.document.c.version > above)
        .order_by(tables.document.c.version.desc())
        .limit(1)
    ).first()
    return None if row is None else Signed(bytes(row.text), bytes(row.signature))


def directive_id_of(signed: Signed) -> str:
    """Return the id of a directive that we signed ourselves."""
    return msgspec.json.decode(signed.text, type=Directive).directive_id
