"""Technical logs that an admin asked lanes for: asked by directive, kept in pieces.

Takes only what was asked for, from the lane it was asked of, in order and within
limits. Reads nothing of it.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
from sqlalchemy import insert, select, update

from kiosk.backoffice import tables
from kiosk.backoffice.orders import OrderError, Orders
from kiosk.backoffice.store import Store
from kiosk.records.disk import replace_file
from kiosk.sync.wire import (
    LOG_DOMAIN,
    LogHeld,
    LogPiece,
    Refusal,
    Signed,
    WireError,
    unseal,
)

LARGEST_PIECE = 2 * 1024 * 1024
MOST_PIECES = 64
LONGEST_HOURS = 14 * 24
# A lane that is away now is asked when it comes back, within so long.
ASKED_SECONDS = 3600
FETCH_LIVES_MS = 24 * 3_600_000
# What a piece may unpack to when it is shown: as much as a lane may send in all.
LARGEST_TEXT = 32 * 1024 * 1024


class LogFetch(msgspec.Struct, frozen=True):
    """How far a log has come."""

    directive_id: str
    lane_id: str
    pieces: int
    is_done: bool


class LogFetches:
    """All logs that were asked for. Safe to use from several threads."""

    def __init__(
        self, store: Store, orders: Orders, folder: Path, now_ms: Callable[[], int]
    ) -> None:
        self._store = store
        self._orders = orders
        self._folder = folder
        self._now_ms = now_ms

    def ask(self, lane_id: str, hours: int) -> LogFetch:
        """Ask a lane for the log of its last hours. Raises `OrderError`."""
        if not 1 <= hours <= LONGEST_HOURS:
            raise OrderError(f"expected 1 to {LONGEST_HOURS} hours, got {hours}")
        directive = self._orders.give(
            lane_id, "logs", "admin", hours=hours, seconds=ASKED_SECONDS
        )
        with self._store.writing() as book:
            book.connection.execute(
                insert(tables.log_fetch).values(
                    directive_id=directive.directive_id,
                    lane_id=lane_id,
                    made_ms=self._now_ms(),
                )
            )
        return LogFetch(directive.directive_id, lane_id, 0, False)

    def find(self, directive_id: str) -> LogFetch | None:
        """Return how far a log has come, or None where none was asked for."""
        with self._store.reading() as connection:
            row = connection.execute(
                select(tables.log_fetch).where(
                    tables.log_fetch.c.directive_id == directive_id
                )
            ).first()
        if row is None:
            return None
        return LogFetch(row.directive_id, row.lane_id, row.pieces, row.is_done)

    def take(self, lane_id: str, signed: Signed) -> LogHeld | Refusal:
        """Keep one piece; say how many are held. One that came before is passed over."""
        with self._store.writing() as book:
            key = book.lane_key(lane_id)
            if key is None:
                return Refusal(401, "this lane is not enrolled here")
            try:
                piece = unseal(signed, LOG_DOMAIN, key, LogPiece)
            except WireError as error:
                return Refusal(403, str(error))
            row = book.connection.execute(
                select(tables.log_fetch).where(
                    tables.log_fetch.c.directive_id == piece.directive_id,
                    tables.log_fetch.c.lane_id == lane_id,
                    tables.log_fetch.c.made_ms > self._now_ms() - FETCH_LIVES_MS,
                )
            ).first()
            if row is None or piece.lane_id != lane_id:
                return Refusal(404, "nobody asked this lane for this log")
            if piece.number != row.pieces or row.is_done:
                return LogHeld(row.pieces)
            if len(piece.content) > LARGEST_PIECE or piece.number >= MOST_PIECES:
                return Refusal(422, "the log is larger than a log may be")
            path = self._path(row.directive_id, piece.number)
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, piece.content, 0o600)
            book.connection.execute(
                update(tables.log_fetch)
                .where(tables.log_fetch.c.directive_id == row.directive_id)
                .values(pieces=row.pieces + 1, is_done=piece.is_last)
            )
        return LogHeld(piece.number + 1)

    def text(self, fetch: LogFetch) -> Iterator[bytes]:
        """Return what has come of a log so far, unpacked."""
        for number in range(fetch.pieces):
            try:
                with gzip.open(self._path(fetch.directive_id, number)) as file:
                    yield file.read(LARGEST_TEXT)
            except (OSError, EOFError, zlib.error):
                yield b"(a piece of the log cannot be read)\n"

    def _path(self, directive_id: str, number: int) -> Path:
        return self._folder / directive_id / f"{number:03}.gz"
