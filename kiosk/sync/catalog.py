"""Keeps the lane's catalogue up to date: by a signed change, or whole.

Nothing unsigned or older is put in place; a failure leaves the old one in use.
"""

from __future__ import annotations

import logging
from pathlib import Path

from kiosk.records.catalog_db import Catalog, CatalogError
from kiosk.records.catalog_delta import DeltaRefused, apply_delta, install
from kiosk.sync.office import Office, refused, strange
from kiosk.sync.push import SyncError

log = logging.getLogger(__name__)


def version_of(path: Path) -> int:
    """Return the version of the catalogue in use, 0 when none can be used."""
    try:
        with Catalog.open(path) as catalog:
            return catalog.version
    except CatalogError:
        return 0


def bring_up_to_date(path: Path, office: Office, server_key: bytes) -> int | None:
    """Fetch what is new; return the version put in place, None when nothing was."""
    version = version_of(path)
    if version:
        reply = office.fetch(f"catalog/delta?from={version}")
        if reply.status == 204:
            return None
        if reply.status == 200:
            try:
                return apply_delta(path, reply.content, server_key)
            except DeltaRefused as error:
                raise strange(reply, str(error)) from error
            except CatalogError as error:
                log.warning("the catalogue is fetched whole: %s", error)
        elif reply.status != 404:
            raise refused(reply)
    return _fetch_whole(path, office, server_key)


def _fetch_whole(path: Path, office: Office, server_key: bytes) -> int | None:
    reply = office.fetch("catalog")
    if reply.status == 204:
        return None
    if reply.status != 200:
        raise refused(reply)
    # The signature comes first, then the file as it is.
    signature, content = reply.content[:64], reply.content[64:]
    received = path.with_name(path.name + ".received")
    try:
        received.write_bytes(content)
        return install(path, received, signature, server_key)
    except CatalogError as error:
        raise strange(reply, str(error)) from error
    except OSError as error:
        raise SyncError(f"the catalogue could not be stored: {error}") from error
    finally:
        received.unlink(missing_ok=True)
