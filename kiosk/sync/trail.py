"""The lane's journal as sync reads it: every file there is, one after the other.

Reads only. A damaged journal is sent as it stands, gap and all, so that what is
left of it is safe and the back office raises the alarm.
"""

from __future__ import annotations

from itertools import islice
from pathlib import Path

import apsw

from kiosk.records.chain import Entry, Head
from kiosk.records.journal import JournalDamaged
from kiosk.records.rotation import JournalShelf, first_seq_of, journal_files
from kiosk.sync.push import SyncError


class Trail:
    """A journal folder, from its oldest kept entry on. Used from one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._shelf = JournalShelf(folder)

    @property
    def lane_id(self) -> str:
        """Return whose journal this is."""
        return self._shelf.lane_id

    @property
    def epoch(self) -> str:
        """Return the life of the journal that is going on."""
        return self._shelf.epoch

    @property
    def head(self) -> Head:
        """Return the newest entry's number and digest, as of now."""
        return self._shelf.head

    def epoch_of(self, seq: int) -> str:
        """Return the life of the journal to which an entry belongs."""
        return self._shelf.holding(seq).epoch

    def after(self, seq: int, limit: int) -> list[Entry]:
        """Return up to `limit` entries that follow `seq`, all of one epoch.

        Those no longer kept are passed over.
        """
        files = journal_files(self._folder)
        if not files:
            return []
        seq = max(seq, first_seq_of(files[0]) - 1)
        try:
            return self._shelf.after(seq, limit)
        except JournalDamaged:
            return self._as_they_stand(seq, limit)

    def close(self) -> None:
        """Let go of every file."""
        self._shelf.close()

    def _as_they_stand(self, seq: int, limit: int) -> list[Entry]:
        try:
            while True:
                reader = self._shelf.holding(seq + 1)
                if found := list(islice(reader.entries(seq + 1), limit)):
                    return found
                later = [
                    first
                    for path in journal_files(self._folder)
                    if (first := first_seq_of(path)) > seq + 1
                ]
                if not later:
                    return []
                seq = later[0] - 1
        except (JournalDamaged, apsw.Error) as error:
            raise SyncError(f"the journal cannot be read: {error}") from error
