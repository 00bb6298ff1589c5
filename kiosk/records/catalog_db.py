"""The catalogue on disk: what the shop sells, found in microseconds.

A file is never changed once it is in place: the back office's next one, or the same
with a delta applied, is made aside, flushed and renamed over it. So a reader needs no
lock and no right to write, is never kept waiting, and a cut leaves the old one whole.
SQL of the catalogue lives in this file only.
"""

from __future__ import annotations

import os
import unicodedata
import zlib
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from types import TracebackType
from typing import Any

import apsw
import msgspec

from kiosk.domain.catalog import Item, Recall
from kiosk.records.disk import sync_folder

FORMAT = 1
APPLICATION_ID = 0x534F4331  # "SOC1"

_SCHEMA = """
create table about (name text primary key, value text not null) strict;
create table item (
    n       integer primary key,
    item_id text not null unique,
    plu     text not null,
    page    text not null,
    body    blob not null
) strict;
create index item_plu on item (plu) where plu <> '';
create index item_page on item (page) where page <> '';
create table popular (rank integer primary key, item_id text not null) strict;
create table recall (
    item_id text not null, batch text not null, primary key (item_id, batch)
) strict, without rowid;
-- Words are folded before they come here: SQLite's folding knows no ß, ø or ł.
create virtual table word using fts5 (
    text, content = '', contentless_delete = 1, detail = none,
    prefix = '1 2 3', tokenize = 'unicode61 remove_diacritics 0'
);
"""

_ITEM = "select body from item where item_id = ?"
_BY_PLU = (
    "select item_id, body from item where plu = ? and plu <> ''"
    " order by item_id limit 1"
)
_PAGE = "select item_id, body from item where page = ? and page <> ''"
_PAGES = "select distinct page from item where page <> '' order by page"
_POPULAR = (
    "select item_id, body from popular join item using (item_id) order by rank limit ?"
)
_RECALLED = "select 1 from recall where item_id = ? and batch in ('', ?)"
_FOUND = (
    "select item_id, body from item where n in"
    " (select rowid from word where word match ? limit ?)"
)
_ALL = "select item_id, body from item order by item_id"

# So many hits are ranked; a word that more items bear needs another letter first.
_RANKED = 400

_SPECIAL = str.maketrans(
    {"ø": "o", "đ": "d", "ł": "l", "ħ": "h", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th"}
)
_UMLAUTS = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "å": "aa", "ø": "oe"})

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(Item)


class CatalogError(OSError):
    """A catalogue that cannot be used. The words are the technician's."""


class Catalog:
    """The catalogue as it is in its file now, read only. Used from one thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._db, self._opened = _open(path)
        self._read_about()

    @classmethod
    def open(cls, path: Path) -> Catalog:
        """Open the catalogue; `CatalogError` when there is none that can be used."""
        return cls(path)

    def refresh(self) -> bool:
        """Take up a catalogue that was put in place of this one; say whether it was.

        A new file that cannot be used leaves this one in use and raises.
        """
        if _identity(self.path) == self._opened:
            return False
        before = self._db
        db, opened = _open(self.path)
        self._db, self._opened = db, opened
        self._read_about()
        before.close()
        return True

    def item(self, item_id: str) -> Item | None:
        """Return the item of that id, or None."""
        for (body,) in self._rows(_ITEM, item_id):
            return _unpack(item_id, body)
        return None

    def by_plu(self, plu: str) -> Item | None:
        """Return the item sold under that number, or None."""
        for item_id, body in self._rows(_BY_PLU, plu):
            return _unpack(item_id, body)
        return None

    def pages(self) -> list[str]:
        """Return the names of the produce pages."""
        return [page for (page,) in self._db.execute(_PAGES)]

    def produce_page(self, page: str) -> list[Item]:
        """Return the items of one produce page, by name."""
        items = [_unpack(*row) for row in self._db.execute(_PAGE, (page,))]
        return sorted(items, key=lambda item: (_name(item, ""), item.item_id))

    def popular(self, limit: int = 12) -> list[Item]:
        """Return what shoppers pick most, most picked first."""
        return [_unpack(*row) for row in self._db.execute(_POPULAR, (limit,))]

    def search(self, text: str, language: str, limit: int = 20) -> list[Item]:
        """Return the items with a word that starts with each word of `text`.

        Accents and case do not matter, words of every language and synonyms count.
        Names in `language` come first, and of those the ones that start with `text`.
        """
        words = _words(text)
        if not words:
            return []
        match = " ".join(f'"{word}"*' for word in words)
        found = [_unpack(*row) for row in self._db.execute(_FOUND, (match, _RANKED))]
        start = " ".join(words)

        def rank(item: Item) -> tuple[bool, bool, bool, int, str, str]:
            name = _name(item, language)
            named = name.split()
            return (
                not name.startswith(start),
                not all(any(w.startswith(part) for w in named) for part in words),
                not item.page,
                len(named),
                name,
                item.item_id,
            )

        return sorted(found, key=rank)[:limit]

    def recalled(self, item_id: str, batch: str) -> bool:
        """Say whether that batch, or all of the item, must not be sold."""
        return bool(self._rows(_RECALLED, item_id, batch))

    def items(self) -> Iterable[Item]:
        """Yield all items, by id."""
        for row in self._db.execute(_ALL):
            yield _unpack(*row)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()

    def __enter__(self) -> Catalog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _rows(self, sql: str, *names: str) -> list[Any]:
        try:
            return self._db.execute(sql, names).fetchall()
        except apsw.Error as error:
            raise CatalogError(f"{self.path} is damaged: {error}") from error

    def _read_about(self) -> None:
        self.version, self.made_ms, self.count = about(self._db)


def build(
    path: Path,
    items: Iterable[Item],
    recalls: Iterable[Recall] = (),
    *,
    version: int,
    made_ms: int,
    popular: Sequence[str] = (),
) -> None:
    """Make a catalogue aside, flush it, and put it in the place of `path`."""
    aside = path.with_name(path.name + ".new")
    aside.unlink(missing_ok=True)
    try:
        with closing(edit(aside)) as db, db:
            db.execute(_SCHEMA)
            db.pragma("application_id", APPLICATION_ID)
            db.pragma("user_version", FORMAT)
            insert_items(db, items)
            set_popular(db, popular)
            set_recalls(db, recalls)
            set_about(db, version, made_ms)
            db.execute("insert into word (word) values ('optimize')")
    except apsw.Error as error:
        aside.unlink(missing_ok=True)
        raise CatalogError(f"the catalogue could not be made: {error}") from error
    put_in_place(aside, path)


def edit(path: Path) -> apsw.Connection:
    """Open a file that is still aside. Only its last state has to be flushed."""
    db = apsw.Connection(str(path))
    db.pragma("journal_mode", "memory")
    db.pragma("synchronous", 0)
    return db


def put_in_place(aside: Path, path: Path) -> None:
    """Flush a catalogue made aside and rename it over the one in use."""
    descriptor = os.open(aside, os.O_RDWR)
    try:
        os.fchmod(descriptor, 0o644)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    aside.rename(path)
    sync_folder(path.parent)


def insert_items(db: apsw.Connection, items: Iterable[Item]) -> None:
    """Put items in that are not there yet."""
    for item in items:
        try:
            db.execute(
                "insert into item (item_id, plu, page, body) values (?, ?, ?, ?)",
                (item.item_id, item.plu, item.page, _pack(item)),
            )
        except apsw.ConstraintError as error:
            raise CatalogError(f"item {item.item_id} is there twice") from error
        db.execute(
            "insert into word (rowid, text) values (?, ?)",
            (db.last_insert_rowid(), _searchable(item)),
        )


def remove_items(db: apsw.Connection, item_ids: Iterable[str]) -> None:
    """Take items out; one that is not there is no error."""
    for item_id in item_ids:
        for (n,) in db.execute(
            "delete from item where item_id = ? returning n", (item_id,)
        ):
            db.execute("delete from word where rowid = ?", (n,))


def set_recalls(db: apsw.Connection, recalls: Iterable[Recall]) -> None:
    """Put these recalls in the place of all that are there."""
    db.execute("delete from recall")
    db.executemany(
        "insert or ignore into recall values (?, ?)",
        ((recall.item_id, recall.batch) for recall in recalls),
    )


def set_popular(db: apsw.Connection, item_ids: Iterable[str]) -> None:
    """Put these items in the place of the popular ones, most picked first."""
    db.execute("delete from popular")
    db.executemany("insert into popular values (?, ?)", enumerate(item_ids))


def set_about(db: apsw.Connection, version: int, made_ms: int) -> None:
    """Set version and age, and count anew."""
    (count,) = db.execute("select count(*) from item").fetchone() or (0,)
    values = {"version": version, "made_ms": made_ms, "count": count}
    db.executemany(
        "insert or replace into about values (?, ?)",
        ((name, str(value)) for name, value in values.items()),
    )


def about(db: apsw.Connection) -> tuple[int, int, int]:
    """Return version, when it was made, and how many items there are."""
    values = dict(db.execute("select name, value from about"))
    try:
        return int(values["version"]), int(values["made_ms"]), int(values["count"])
    except (KeyError, ValueError) as error:
        raise CatalogError("the catalogue does not say which version it is") from error


def fold(text: str) -> str:
    """Return text as it is searched: no case, no accents, no signs."""
    plain = unicodedata.normalize("NFKD", text.casefold().translate(_SPECIAL))
    return " ".join(
        "".join(
            "" if unicodedata.combining(c) else c if c.isalnum() else " " for c in plain
        ).split()
    )


def _words(text: str) -> list[str]:
    # More words than a shopper types only cost time.
    return fold(text[:100]).split()[:6]


def _name(item: Item, language: str) -> str:
    names = item.description
    return fold(names.get(language) or next(iter(names.values()), ""))


def _searchable(item: Item) -> str:
    texts = (*item.description.values(), *item.search_words, item.brand, item.plu)
    joined = " ".join(texts)
    words = dict.fromkeys(fold(joined).split())
    # Äpfel is found by "apfel" and by "aepfel".
    lowered = unicodedata.normalize("NFC", joined.casefold())
    words |= dict.fromkeys(fold(lowered.translate(_UMLAUTS)).split())
    return " ".join(words)


def _pack(item: Item) -> bytes:
    body = _encoder.encode(item)
    # SQLite does not notice a flipped bit, and a wrong price looks like any other.
    return zlib.crc32(body, zlib.crc32(item.item_id.encode())).to_bytes(4, "big") + body


def _unpack(item_id: str, packed: bytes) -> Item:
    body = packed[4:]
    if zlib.crc32(body, zlib.crc32(item_id.encode())) != int.from_bytes(
        packed[:4], "big"
    ):
        raise CatalogError(f"item {item_id} is damaged: fetch the catalogue again")
    return _decoder.decode(body)


def _open(path: Path) -> tuple[apsw.Connection, tuple[int, int, int]]:
    opened = _identity(path)
    if opened is None:
        raise CatalogError(f"there is no catalogue at {path}")
    uri = f"{path.resolve().as_uri()}?mode=ro&immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    try:
        db = apsw.Connection(uri, flags=flags)
        try:
            db.config(apsw.SQLITE_DBCONFIG_DEFENSIVE, 1)
            db.config(apsw.SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0)
            db.pragma("cell_size_check", 1)
            if db.pragma("application_id") != APPLICATION_ID:
                raise CatalogError(f"{path} is no catalogue")
            if (found := db.pragma("user_version")) != FORMAT:
                raise CatalogError(
                    f"{path} has format {found}, this release reads {FORMAT}"
                )
            # SQLite finds that a file was cut short only where it reads.
            if opened[2] < db.pragma("page_count") * db.pragma("page_size"):
                raise CatalogError(f"{path} was cut short")
        except BaseException:
            db.close()
            raise
    except (apsw.Error, UnicodeDecodeError) as error:
        raise CatalogError(f"{path} cannot be read as a catalogue: {error}") from error
    return db, opened


def _identity(path: Path) -> tuple[int, int, int] | None:
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size
