"""What changes from one catalogue to the next, signed by the back office.

A delta is applied whole or not at all, only to the version it was made for, and only
when the back office signed it. A whole catalogue is installed by the same rules.
"""

from __future__ import annotations

import hashlib
import shutil
from contextlib import closing
from pathlib import Path

import apsw
import msgspec

from kiosk.domain.catalog import Item, Recall
from kiosk.records import catalog_db
from kiosk.records.catalog_db import Catalog, CatalogError
from kiosk.records.chain import fields
from kiosk.records.keys import SigningKey, is_signed

DELTA_DOMAIN = b"stillopen-catalog-delta-1"
WHOLE_DOMAIN = b"stillopen-catalog-1"


class Delta(msgspec.Struct, frozen=True, omit_defaults=True):
    """The way from one version to a later one.

    `recalls` and `popular`, when given, stand for all that there are from then on.
    """

    from_version: int
    to_version: int
    made_ms: int
    upserts: tuple[Item, ...] = ()
    removals: tuple[str, ...] = ()
    recalls: tuple[Recall, ...] | None = None
    popular: tuple[str, ...] | None = None


class _Sealed(msgspec.Struct, frozen=True, array_like=True):
    payload: bytes
    signature: bytes


class DeltaRefused(CatalogError):
    """A delta or catalogue that must not be taken. The words are the operator's."""


def seal_delta(delta: Delta, key: SigningKey) -> bytes:
    """Return a delta as the back office sends it."""
    payload = msgspec.msgpack.encode(delta)
    signature = key.sign(fields(DELTA_DOMAIN, payload))
    return msgspec.msgpack.encode(_Sealed(payload, signature))


def open_delta(sealed: bytes, public_key: bytes) -> Delta:
    """Return the delta, when the back office signed it."""
    try:
        envelope = msgspec.msgpack.decode(sealed, type=_Sealed)
        signed = is_signed(
            public_key, fields(DELTA_DOMAIN, envelope.payload), envelope.signature
        )
        if not signed:
            raise DeltaRefused(
                "the catalogue's change is not signed by the back office"
            )
        return msgspec.msgpack.decode(envelope.payload, type=Delta)
    except msgspec.MsgspecError as error:
        raise DeltaRefused(f"the catalogue's change cannot be read: {error}") from error


def apply_delta(path: Path, sealed: bytes, public_key: bytes) -> int:
    """Bring the catalogue forward in one step and return its new version.

    The old one is copied aside, changed in one transaction, and replaced: see
    `catalog_db` for why it is not changed in place.
    """
    delta = open_delta(sealed, public_key)
    if delta.to_version <= delta.from_version:
        raise DeltaRefused(
            f"the change leads back from version {delta.from_version}"
            f" to {delta.to_version}"
        )
    with Catalog.open(path) as held:
        version = held.version
    if delta.from_version != version:
        raise DeltaRefused(
            f"the change is for version {delta.from_version},"
            f" this lane holds version {version}"
        )
    aside = path.with_name(path.name + ".new")
    shutil.copyfile(path, aside)
    try:
        with closing(catalog_db.edit(aside)) as db, db:
            catalog_db.remove_items(db, delta.removals)
            catalog_db.remove_items(db, (item.item_id for item in delta.upserts))
            catalog_db.insert_items(db, delta.upserts)
            if delta.recalls is not None:
                catalog_db.set_recalls(db, delta.recalls)
            if delta.popular is not None:
                catalog_db.set_popular(db, delta.popular)
            catalog_db.set_about(db, delta.to_version, delta.made_ms)
    except apsw.Error as error:
        aside.unlink()
        raise CatalogError(f"the catalogue could not be changed: {error}") from error
    catalog_db.put_in_place(aside, path)
    return delta.to_version


def sign_whole(path: Path, key: SigningKey) -> bytes:
    """Return the back office's signature of a whole catalogue file."""
    return key.sign(fields(WHOLE_DOMAIN, _digest(path)))


def install(path: Path, received: Path, signature: bytes, public_key: bytes) -> int:
    """Put a received file in the place of the catalogue and return its version.

    `received` lies in the same folder as `path` and is gone afterwards.
    """
    if not is_signed(public_key, fields(WHOLE_DOMAIN, _digest(received)), signature):
        raise DeltaRefused("the catalogue is not signed by the back office")
    with Catalog.open(received) as offered:
        version = offered.version
    if path.exists():
        try:
            with Catalog.open(path) as held:
                newest = held.version
        except CatalogError:
            newest = version  # damaged: the same version again is what mends it
        if version < newest:
            raise DeltaRefused(
                f"version {version} is older than version {newest}, which is in use"
            )
    catalog_db.put_in_place(received, path)
    return version


def _digest(path: Path) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
