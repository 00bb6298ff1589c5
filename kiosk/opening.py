"""Opens what a lane keeps on this machine's disk, or says in the operator's words why
it cannot. Repairs nothing and deletes nothing: what is damaged stays as it was found.
"""

from __future__ import annotations

import errno
import fcntl
import logging
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw
import msgspec

from kiosk.clock import SystemClock
from kiosk.domain.catalog import Item
from kiosk.records.catalog_csv import RowProblem, read_csv
from kiosk.records.catalog_db import Catalog, CatalogError, build
from kiosk.records.disk import Ballast, is_nearly_full
from kiosk.records.documents import Documents
from kiosk.records.journal import Journal, JournalDamaged, JournalFailed
from kiosk.records.keys import KeyFileError, SigningKey, device_secret, shop_secret
from kiosk.records.rotation import JournalDirectory
from kiosk.settings import ConfigError, Settings

log = logging.getLogger(__name__)

# So many bad rows are named one by one: more do not fit on a screen.
_ROWS_NAMED = 10


class CannotOpen(Exception):
    """The lane cannot go on with what is on its disk. The words are the operator's."""


class Records(msgspec.Struct):
    """What is kept on this machine's disk for one lane. `lock` keeps others out."""

    directory: JournalDirectory
    journal: Journal
    key: SigningKey
    secret: bytes
    documents: Documents
    ballast: Ballast
    lock: int


def open_records(settings: Settings) -> Records:
    """Open the lane's journal and keys, or begin them. Raises `CannotOpen`."""
    state = settings.state
    with _in_words(state):
        for folder in (state, state / "journal", state / "documents"):
            folder.mkdir(parents=True, exist_ok=True)
        lock = _lock(state)
        try:
            return _open_locked(settings, lock)
        except BaseException:
            os.close(lock)
            raise


def _open_locked(settings: Settings, lock: int) -> Records:
    state = settings.state
    ballast = Ballast(state / "ballast")
    if is_nearly_full(state):
        # A sale in hand needs this room, and the lane to say that it is closed.
        ballast.release()
    else:
        ballast.hold()
    key = SigningKey.load_or_create(state / "lane.key")
    secret = _pin_secret(settings)
    directory = JournalDirectory(state / "journal")
    journal = directory.open_current(key)
    if journal is None:
        epoch = secrets.token_hex(8)
        journal = directory.begin(lane_id=settings.lane_id, epoch=epoch, key=key)
    documents = Documents(state / "documents")
    return Records(directory, journal, key, secret, documents, ballast, lock)


def _pin_secret(settings: Settings) -> bytes:
    own = device_secret(settings.state / "device.secret")
    if not settings.sync.pins_secret:
        return own
    try:
        return shop_secret(Path(settings.sync.pins_secret))
    except KeyFileError as error:
        # It sells on; what needs an attendant is done from the back office.
        log.error("no attendant can sign on, no PIN will fit: %s", error)
        return own


def _lock(state: Path) -> int:
    """Keep every other lane program out for as long as this process lives.

    The kernel drops the lock with the process, so that a kill leaves none behind.
    """
    lock = os.open(state / "lane.lock", os.O_RDWR | os.O_CREAT, 0o660)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        other = os.read(lock, 20).decode(errors="replace").strip() or "?"
        os.close(lock)
        raise CannotOpen(
            f"another lane program (process {other}) works in {state}.\n"
            "Two lanes cannot share a journal: stop that one first, or give this"
            " lane a state_dir of its own."
        ) from error
    os.ftruncate(lock, 0)
    os.pwrite(lock, b"%d\n" % os.getpid(), 0)
    return lock


@contextmanager
def _in_words(state: Path) -> Iterator[None]:
    """Turn what disks and files do into what the operator must know."""
    try:
        yield
    except JournalDamaged as error:
        raise CannotOpen(
            f"the journal does not verify, and nothing is sold on it: {error}\n"
            f"Keep {state / 'journal'} as it is and call the technician: `kiosk journal"
            " verify FILE` names the first bad entry."
        ) from error
    except KeyFileError as error:
        raise CannotOpen(
            f"{error}.\nPut the lane's key and secret back from where they are kept,"
            " with mode 600; the journal goes on with no other."
        ) from error
    except OSError as error:
        raise CannotOpen(f"{state}: {disk_words(error)}") from error


def disk_words(error: OSError) -> str:
    """Return what is wrong with a disk, and what to do about it."""
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT | errno.EFBIG:
            return (
                "the disk is full, nothing more can be written.\n"
                "Make room on it; the lane goes on where it was."
            )
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return (
                "the disk or the folder is read-only, the journal cannot be written.\n"
                "Make it writable for the lane's user; a disk that turned read-only"
                " by itself is failing."
            )
        case errno.EIO:
            return (
                f"the disk refused a write: {error.strerror}.\n"
                "The disk may be failing: call the technician; nothing that was sold"
                " is lost."
            )
        case _:
            return f"{error.strerror or error}.\nThe lane needs this folder to sell."


def cannot_go_on(error: BaseException | None) -> str:
    """Return the operator's words for a failure of the disk, empty for any other."""
    if isinstance(error, JournalFailed):
        return f"the journal cannot be written: {disk_words(error)}"
    return ""


# -- the catalogue -----------------------------------------------------------


def open_catalog(settings: Settings) -> Catalog:
    """Open the catalogue, built from the settings' CSV where there is none yet.

    A lane with a back office begins with an empty one, of version 0: sync brings the
    goods within seconds of its first words. Raises `ConfigError` for the CSV and `CannotOpen` for a file that is damaged.
    """
    path = settings.state / "catalog.db"
    if settings.catalog and not path.exists():
        _build(path, settings)
    if settings.sync.server_url and not path.exists():
        log.warning("no goods yet: the back office is to send them")
        _put(path, (), version=0)
    if not path.exists():
        raise ConfigError(
            f"{path}: there is no catalogue yet; name a CSV file with `catalog = ...`"
            " or let sync fetch one from the back office"
        )
    try:
        return Catalog.open(path)
    except (CatalogError, apsw.Error) as error:
        raise CannotOpen(
            f"{error}\nRemove {path}: it is made anew from `catalog`, or fetched by"
            " `kiosk sync`."
        ) from error


def _build(path: Path, settings: Settings) -> None:
    source = Path(settings.catalog)
    is_strict = settings.catalog_bad_rows == "refuse"
    try:
        items, problems = read_csv(source, skip_bad_rows=not is_strict)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(f"catalog: {source} cannot be read: {reason}") from error
    bad = [problem for problem in problems if not problem.loaded]
    if is_strict and bad:
        raise ConfigError(
            f"{_rows(source, bad)}\nNo item was loaded. Mend the rows, or let them be"
            ' left out with catalog_bad_rows = "leave_out".'
        )
    for problem in problems:
        log.warning("%s row %d: %s", source, problem.row, problem.message)
    if not items:
        raise ConfigError(f"catalog: {source} has no item that can be sold")
    _put(path, items, version=1)


def _put(path: Path, items: Iterable[Item], version: int) -> None:
    try:
        build(path, items, (), version=version, made_ms=SystemClock().now_ms())
    except OSError as error:
        raise CannotOpen(f"{path}: {error.strerror or error}") from error


def _rows(source: Path, bad: list[RowProblem]) -> str:
    named = [f"{source} row {one.row}: {one.message}" for one in bad[:_ROWS_NAMED]]
    if len(bad) > _ROWS_NAMED:
        named.append(f"and {len(bad) - _ROWS_NAMED} rows more")
    return "\n".join(named)
