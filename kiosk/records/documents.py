"""The few small documents that a person may want to read or mend: the attendants'
roster and the technician's device choices.

TinyDB over a storage that writes aside, flushes and renames, so that a cut leaves the
old document or the new one. Never money, never a counter: those are in the journal.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
from tinydb import TinyDB, where
from tinydb.storages import Storage

from kiosk.records.chain import fields
from kiosk.records.disk import replace_file
from kiosk.records.keys import SigningKey, is_signed

ROSTER_DOMAIN = b"stillopen-roster-1"


class DocumentDamaged(OSError):
    """A document that cannot be read. The words are the technician's."""


class RosterRefused(OSError):
    """A roster that must not be used. The words are the technician's."""


class Attendant(msgspec.Struct, frozen=True):
    """One who may help: number, name, roles, and the hash of a PIN (`pins.py`)."""

    attendant_id: str
    name: str
    roles: tuple[str, ...]
    pin_hash: str


class Roster(msgspec.Struct, frozen=True):
    """All attendants, signed by the back office. `version` only ever rises."""

    version: int
    attendants: tuple[Attendant, ...]
    signature: bytes = b""

    def attendant(self, attendant_id: str) -> Attendant | None:
        """Return the attendant of that number, or None."""
        for attendant in self.attendants:
            if attendant.attendant_id == attendant_id:
                return attendant
        return None


class DeviceChoice(msgspec.Struct, frozen=True):
    """What commissioning found for one kind of device: a driver and its settings."""

    driver: str
    settings: dict[str, str] = {}


class AtomicStorage(Storage):
    """A JSON file that is replaced whole, never changed in place.

    TinyDB's own storage writes over the file and cuts it afterwards: after 195 of 300
    simulated power cuts it could not be read (reliability.md 1.4).
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def read(self) -> dict[str, dict[str, Any]] | None:
        """Return what the file holds, or None when there is none."""
        try:
            content = self._path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            tables = json.loads(content)
        except (ValueError, RecursionError) as error:
            raise DocumentDamaged(f"{self._path} is no JSON: {error}") from error
        if not isinstance(tables, dict) or not all(
            isinstance(rows, dict)
            and all(isinstance(row, dict) for row in rows.values())
            for rows in tables.values()
        ):
            raise DocumentDamaged(f"{self._path} is not laid out as a document")
        return tables

    def write(self, data: dict[str, dict[str, Any]]) -> None:
        """Put `data` in the file's place; on disk when it returns."""
        text = json.dumps(data, ensure_ascii=False, indent=2, sort_keys=True)
        replace_file(self._path, text.encode() + b"\n")


class Documents:
    """The lane's documents in one folder. Written by the lane alone."""

    def __init__(self, folder: Path) -> None:
        self._roster_path = folder / "roster.json"
        self._devices_path = folder / "devices.json"

    def load_roster(self, public_key: bytes, *, at_least: int = 0) -> Roster | None:
        """Return the roster, or None when there is none yet.

        Raises `RosterRefused` when the back office did not sign all of it, or when
        it is older than version `at_least`, the last one the journal knows.
        """
        with TinyDB(self._roster_path, storage=AtomicStorage) as db:
            rows = db.table("roster").all()
        if not rows:
            return None
        try:
            roster = msgspec.convert(dict(rows[0]), Roster)
        except msgspec.ValidationError as error:
            raise DocumentDamaged(f"{self._roster_path}: {error}") from error
        check_roster(roster, public_key)
        if roster.version < at_least:
            raise RosterRefused(
                f"the roster is version {roster.version}, but version {at_least}"
                " was in use already"
            )
        return roster

    def save_roster(
        self, roster: Roster, public_key: bytes, *, at_least: int = 0
    ) -> None:
        """Take up a roster from the back office.

        Raises `RosterRefused` when it is not signed, or not newer than the one held.
        """
        check_roster(roster, public_key)
        try:
            held = self.load_roster(public_key)
        except (RosterRefused, DocumentDamaged):
            held = None  # what was held cannot be used: a signed one mends it
        newest = max(at_least, held.version + 1 if held is not None else 0)
        if held == roster:
            return
        if roster.version < newest:
            raise RosterRefused(
                f"version {roster.version} of the roster is not newer than the one held"
            )
        if held is None:
            self._roster_path.unlink(missing_ok=True)
        with TinyDB(self._roster_path, storage=AtomicStorage) as db:
            # One insert into an empty table, or one update: each is one whole write.
            document = msgspec.to_builtins(roster)
            table = db.table("roster")
            if held is None:
                table.insert(document)
            else:
                table.update(document)

    def device_choices(self) -> dict[str, DeviceChoice]:
        """Return what the technician chose, by kind of device."""
        with TinyDB(self._devices_path, storage=AtomicStorage) as db:
            rows = db.table("devices").all()
        choices = {}
        for row in rows:
            try:
                kind = msgspec.convert(row.get("kind"), str)
                choices[kind] = msgspec.convert(dict(row), DeviceChoice)
            except msgspec.ValidationError as error:
                raise DocumentDamaged(f"{self._devices_path}: {error}") from error
        return choices

    def choose_device(self, kind: str, choice: DeviceChoice) -> None:
        """Keep the choice for one kind of device in the place of any before."""
        document = {"kind": kind, **msgspec.to_builtins(choice)}
        with TinyDB(self._devices_path, storage=AtomicStorage) as db:
            db.table("devices").upsert(document, where("kind") == kind)


def sign_roster(
    version: int, attendants: tuple[Attendant, ...], key: SigningKey
) -> Roster:
    """Return a roster as the back office gives it out."""
    return Roster(version, attendants, key.sign(_roster_text(version, attendants)))


def check_roster(roster: Roster, public_key: bytes) -> None:
    """Raise `RosterRefused` unless the back office signed exactly this roster."""
    text = _roster_text(roster.version, roster.attendants)
    if not is_signed(public_key, text, roster.signature):
        raise RosterRefused("the roster is not signed by the back office")


def _roster_text(version: int, attendants: tuple[Attendant, ...]) -> bytes:
    return fields(
        ROSTER_DOMAIN,
        b"%d" % version,
        *(
            fields(
                attendant.attendant_id.encode(),
                attendant.name.encode(),
                fields(*(role.encode() for role in attendant.roles)),
                attendant.pin_hash.encode(),
            )
            for attendant in attendants
        ),
    )
