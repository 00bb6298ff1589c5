"""Looks for a newer release, downloads it whole and puts it into the updater's inbox.

Installs nothing and decides nothing about installing. Whatever the server does is a
value, and tried again later; a replayed, foreign or older release is refused.
"""

from __future__ import annotations

import hashlib
import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import TypeAlias

import msgspec

from kiosk.machine import Release as Root
from kiosk.records.disk import free_bytes, replace_file, sync_folder
from kiosk.sync.wire import WireError
from kiosk.updater.fetch import Fetcher, Patience, Trouble, sha256_of
from kiosk.updater.release import RELEASE_JSON, Release, open_release, version_of

log = logging.getLogger(__name__)

INBOX = Path("/var/lib/stillopen-updater/inbox")
STATE_DIR = Path("/var/lib/stillopen-poll")
# Inside the inbox: a sandbox mounts the inbox alone, and a rename must not leave it.
DOWNLOADS = ".download"
# The lane and its journal come first: so much stays free for them.
KEPT_FREE = 256 * 1024 * 1024
FIRST_RETRY_SECONDS = 60.0


class UpToDate(msgspec.Struct, frozen=True):
    """There is nothing to fetch, and why."""

    words: str


class Refused(msgspec.Struct, frozen=True):
    """A release is announced that this machine must not take, and why."""

    words: str


class Delivered(msgspec.Struct, frozen=True):
    """A whole bundle lies in the updater's inbox."""

    release: Release
    path: Path


Outcome: TypeAlias = UpToDate | Refused | Delivered | Trouble


class PollState(msgspec.Struct, frozen=True):
    """The highest document seen, and the last one whose bundle was delivered."""

    sequence: int = 0
    digest: str = ""
    delivered: int = 0


class Places(msgspec.Struct, frozen=True):
    """Where bundles go, and where the poller remembers."""

    inbox: Path = INBOX
    state_dir: Path = STATE_DIR


class Poller:
    """One machine's poller. Used from one thread."""

    def __init__(
        self,
        url: str,
        keys: tuple[bytes, ...],
        running: Root,
        places: Places,
        *,
        patience: Patience | None = None,
        free: Callable[[Path], int] = free_bytes,
    ) -> None:
        self._keys = keys
        self._running = running
        self._places = places
        self._free = free
        self._fetcher = Fetcher(url, patience)
        self._file = places.state_dir / "poll.json"
        self._state = self._remembered()

    def close(self) -> None:
        """Let go of the server."""
        self._fetcher.close()

    def go_round(self) -> Outcome:
        """Look once, and fetch what is new."""
        content = self._fetcher.document(RELEASE_JSON)
        if isinstance(content, Trouble):
            return content
        try:
            found = open_release(content, self._keys)
        except WireError as error:
            return Trouble(f"what lies at {RELEASE_JSON} is no release: {error}")
        return self._judged(found, content) or self._fetch(found)

    def _judged(self, found: Release, content: bytes) -> UpToDate | Refused | None:
        """Return why this release is not fetched, or None when it is wanted."""
        if found.hardware != self._running.hardware:
            return Refused(
                f"release {found.release} is for {found.hardware}, this machine is"
                f" {self._running.hardware or 'not known'}"
            )
        digest = hashlib.sha256(content).hexdigest()
        state = self._state
        if found.sequence < state.sequence or (
            found.sequence == state.sequence and digest != state.digest
        ):
            return Refused(
                f"release {found.release} was announced as number {found.sequence},"
                f" and number {state.sequence} was seen already: a replay"
            )
        if found.sequence > state.sequence:
            self._remember(sequence=found.sequence, digest=digest)
        own, new = version_of(self._running.release), version_of(found.release)
        if own is None or new is None:
            return Refused(
                f"this machine's own release {self._running.release!r} cannot be"
                f" compared with {found.release}"
            )
        if new <= own:
            return UpToDate(f"{self._running.release} runs, {found.release} is offered")
        if found.sequence == self._state.delivered:
            # An update that failed is not fetched for ever: it is published anew.
            return UpToDate(f"release {found.release} was handed over already")
        return None

    def _fetch(self, found: Release) -> Delivered | Trouble:
        folder = self._places.inbox / DOWNLOADS
        try:
            folder.mkdir(parents=True, exist_ok=True)
            part = folder / f"{found.sha256}.part"
            for other in folder.iterdir():
                if other != part:
                    other.unlink()
            have = part.stat().st_size if part.exists() else 0
            if self._free(folder) < max(0, found.size - have) + KEPT_FREE:
                return Trouble(
                    f"the disk has no room for release {found.release}:"
                    f" {found.size // 1024**2} MiB"
                )
            trouble = self._fetcher.download(found.file_name, found.size, part)
            if trouble is not None:
                return trouble
            return self._hand_over(found, part)
        except OSError as error:
            return Trouble(f"the disk failed: {os.strerror(error.errno or 0)}")

    def _hand_over(self, found: Release, part: Path) -> Delivered | Trouble:
        if sha256_of(part) != found.sha256:
            part.unlink()
            return Trouble(
                f"the bundle of release {found.release} is not the one announced"
                " (another sha256); it is fetched anew"
            )
        path = self._places.inbox / found.file_name
        part.rename(path)
        sync_folder(self._places.inbox)
        self._remember(delivered=found.sequence)
        return Delivered(found, path)

    def _remembered(self) -> PollState:
        try:
            return msgspec.json.decode(self._file.read_bytes(), type=PollState)
        except FileNotFoundError:
            return PollState()
        except (OSError, msgspec.DecodeError) as error:
            log.warning("what the poller remembered cannot be read: %s", error)
            return PollState()

    def _remember(self, **values: int | str) -> None:
        self._state = msgspec.structs.replace(self._state, **values)
        self._places.state_dir.mkdir(parents=True, exist_ok=True)
        replace_file(self._file, msgspec.json.encode(self._state), 0o640)


def next_wait(
    outcome: Outcome, failures: int, poll_seconds: float, random: Random
) -> float:
    """Return how long to wait: full jitter, so that no two kiosks keep step.

    `failures` counts those in a row, this one included.
    """
    if not isinstance(outcome, Trouble):
        return random.uniform(0.0, 2 * poll_seconds)
    longest = min(poll_seconds, FIRST_RETRY_SECONDS * 2.0 ** min(failures, 16))
    return max(outcome.wait_seconds, random.uniform(1.0, max(1.0, longest)))


def run(
    poller: Poller, poll_seconds: float, stop: threading.Event, random: Random
) -> None:
    """Poll until `stop` is set. The first look is spread too: all boot together."""
    failures = 0
    wait = random.uniform(0.0, poll_seconds)
    told = ""
    while not stop.wait(wait):
        outcome = poller.go_round()
        failures = failures + 1 if isinstance(outcome, Trouble) else 0
        wait = next_wait(outcome, failures, poll_seconds, random)
        match outcome:
            case Delivered(release):
                words = f"release {release.release} lies in the inbox"
            case UpToDate(words) | Refused(words) | Trouble(words):
                pass
        if words != told:
            level = logging.INFO
            if isinstance(outcome, Refused | Trouble):
                level = logging.WARNING
            log.log(level, "%s", words)
            told = words
