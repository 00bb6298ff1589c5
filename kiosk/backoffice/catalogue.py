"""The catalogues given out: each version whole, and the way from one to the next.

A version is a file that is never changed; the newest is the one in force. Signed
here, so that lanes take no other.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

from kiosk.domain.catalog import Item
from kiosk.records.catalog_csv import RowProblem, read_csv
from kiosk.records.catalog_db import Catalog, build
from kiosk.records.catalog_delta import Delta, seal_delta, sign_whole
from kiosk.records.keys import SigningKey

# A lane that was away for longer fetches the whole file.
KEPT_VERSIONS = 20


class Whole(msgspec.Struct, frozen=True):
    """A catalogue file and its signature."""

    version: int
    signature: bytes
    path: Path


class Catalogues:
    """The folder of catalogue versions. Safe to use from several threads."""

    def __init__(
        self, folder: Path, key: SigningKey, now_ms: Callable[[], int]
    ) -> None:
        self._folder = folder
        self._key = key
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._deltas: dict[tuple[int, int], bytes] = {}
        self._signatures: dict[int, bytes] = {}
        folder.mkdir(parents=True, exist_ok=True)

    def versions(self) -> list[int]:
        """Return the versions kept, oldest first."""
        names = (path.stem for path in self._folder.glob("*.catalog"))
        return sorted(int(name) for name in names if name.isdecimal())

    def newest(self) -> Whole | None:
        """Return the catalogue in force."""
        with self._lock:
            versions = self.versions()
            if not versions:
                return None
            version = versions[-1]
            path = self._path(version)
            if version not in self._signatures:
                self._signatures[version] = sign_whole(path, self._key)
            return Whole(version, self._signatures[version], path)

    def delta(self, since: int) -> bytes | None:
        """Return the signed way from a version to the newest; None if not known."""
        with self._lock:
            versions = self.versions()
            if since not in versions or since == versions[-1]:
                return None
            way = since, versions[-1]
            if way not in self._deltas:
                self._deltas[way] = self._make_delta(*way)
            return self._deltas[way]

    def put(self, items: Iterable[Item]) -> int:
        """Make items the next catalogue in force; return its version."""
        with self._lock:
            versions = self.versions()
            version = max(versions, default=0) + 1
            build(self._path(version), items, version=version, made_ms=self._now_ms())
            for old in versions[: -KEPT_VERSIONS + 1]:
                self._path(old).unlink()
            self._deltas.clear()
            return version

    def import_csv(
        self,
        path: Path,
        *,
        skip_bad_rows: bool,
        language: str = "en",
        default_price_minor: int | None = None,
    ) -> tuple[int, list[RowProblem]]:
        """Make a CSV file the next catalogue; return version and what was wrong.

        The version is 0 when nothing was loaded: then the old one stays in force.
        The same items as before make no new version.
        """
        items, problems = read_csv(
            path,
            skip_bad_rows=skip_bad_rows,
            language=language,
            default_price_minor=default_price_minor,
        )
        if not items:
            return 0, problems
        whole = self.newest()
        if whole is not None:
            with Catalog.open(whole.path) as catalog:
                before = {item.item_id: item for item in catalog.items()}
            if before == {item.item_id: item for item in items}:
                return whole.version, problems
        return self.put(items), problems

    def _path(self, version: int) -> Path:
        return self._folder / f"{version:09d}.catalog"

    def _make_delta(self, since: int, until: int) -> bytes:
        with (
            Catalog.open(self._path(since)) as old,
            Catalog.open(self._path(until)) as new,
        ):
            before = {item.item_id: item for item in old.items()}
            after = {item.item_id: item for item in new.items()}
            delta = Delta(
                since,
                until,
                new.made_ms,
                tuple(i for i in after.values() if before.get(i.item_id) != i),
                tuple(item_id for item_id in before if item_id not in after),
            )
        return seal_delta(delta, self._key)
