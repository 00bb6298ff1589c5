"""What sync remembers between two runs: a small file, replaced in one step.

Losing it loses nothing: the next hello finds out again what the server holds.
"""

from __future__ import annotations

import logging
from pathlib import Path

import msgspec

from kiosk.records.chain import Head
from kiosk.records.disk import replace_file
from kiosk.sync.wire import NOTHING, Document, Signed

log = logging.getLogger(__name__)


class SyncState(msgspec.Struct, frozen=True):
    """How far the back office holds the journal, and what it gave out last."""

    acknowledged: Head = NOTHING
    server_epoch: str = ""
    wanted_epoch: str = ""
    documents: dict[str, Signed] = {}


class StateFile:
    """The state in its file. Every change is on disk when `change` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.state = SyncState()
        try:
            self.state = msgspec.json.decode(path.read_bytes(), type=SyncState)
        except FileNotFoundError:
            pass
        except msgspec.DecodeError as error:
            log.warning("what sync remembered cannot be read, begun anew: %s", error)

    def change(self, **values: Head | str | dict[str, Signed]) -> None:
        """Remember other values."""
        changed = msgspec.structs.replace(self.state, **values)
        if changed != self.state:
            replace_file(self._path, msgspec.json.encode(changed))
            self.state = changed

    def version_of(self, kind: str) -> int:
        """Return the version of the newest document of a kind, 0 for none."""
        signed = self.state.documents.get(kind)
        if signed is None:
            return 0
        return msgspec.json.decode(signed.text, type=Document).version
