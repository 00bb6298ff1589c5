"""kiosk-sync: the one process that talks to the back office.

Reads the journal, never writes it; tells the lane what it hears over one socket.
Whatever goes wrong outside becomes a reason and another try, never the end.
"""

from __future__ import annotations

import logging
import random
import threading
from collections import deque
from pathlib import Path
from time import monotonic, time_ns

import msgspec

from kiosk.readings import Sources, slot_and_outcome
from kiosk.records.chain import Entry, Head
from kiosk.records.journal import JournalDamaged
from kiosk.records.keys import SigningKey, load_public_key
from kiosk.sync.catalog import bring_up_to_date, version_of
from kiosk.sync.logs import Journalctl, LogSource, send
from kiosk.sync.office import ANSWER_SECONDS, CONNECT_SECONDS, NotEnrolled, Office
from kiosk.sync.push import LAST_RETRY_SECONDS, SyncError, TooLarge, retry_seconds, sync
from kiosk.sync.socket import (
    Acknowledged,
    CatalogArrived,
    DirectiveSent,
    DocumentSent,
    EpochWanted,
    LaneLink,
    OfficeSeen,
)
from kiosk.sync.state import StateFile
from kiosk.sync.trail import Trail
from kiosk.sync.wire import (
    DIRECTIVE_DOMAIN,
    DOCUMENT_DOMAIN,
    Directive,
    Document,
    Held,
    Hello,
    Welcome,
)

log = logging.getLogger(__name__)

KINDS = ("roster", "rules")
# A directive lives five minutes; so many are never on their way at once.
REMEMBERED = 100
LONG_POLL_SECONDS = 25.0
# An admin waits for a log; after so many failures it is asked for anew.
LOG_TRIES = 8


class SyncSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where the journal is, where the back office is, and how often they meet.

    `server_key_path` holds the back office's public key: nothing else is believed.
    `enrol_token` makes a blank lane known at its first contact.
    """

    lane_id: str
    journal_dir: Path
    state_dir: Path
    catalog_path: Path
    server_url: str
    key_path: Path
    server_key_path: Path
    lane_socket: Path
    enrol_token: str = ""
    release: str = ""
    # How soon a new entry is sent: the back office shows a sale as it happens.
    poll_seconds: float = 0.5
    # An idle lane says hello so often; a restored server is healed within it.
    hello_seconds: float = 20.0
    # Prices carry their start: a change need not arrive at its minute.
    refresh_seconds: float = 60.0
    # A back office that was away is found again within so long.
    longest_retry_seconds: float = LAST_RETRY_SECONDS
    connect_seconds: float = CONNECT_SECONDS
    answer_seconds: float = ANSWER_SECONDS


def _retry(failures: int, settings: SyncSettings) -> float:
    return retry_seconds(failures, random.random(), settings.longest_retry_seconds)


def run(settings: SyncSettings, stop: threading.Event) -> None:
    """Sync until `stop` is set."""
    key = SigningKey.load(settings.key_path)
    server_key = load_public_key(settings.server_key_path)
    link = LaneLink(settings.lane_socket)
    listener = threading.Thread(
        target=_listen,
        args=(settings, key, server_key, link, stop),
        name="directives",
        daemon=True,
    )
    listener.start()
    courier = Courier(settings, key, server_key, link)
    try:
        failures = 0
        while not stop.is_set():
            try:
                courier.go_round()
                failures, wait = 0, settings.poll_seconds
            except SyncError as error:
                failures += 1
                courier.report(error)
                wait = max(error.wait_seconds, _retry(failures, settings))
            stop.wait(wait)
    finally:
        courier.close()
        link.close()


class Courier:
    """Goes back and forth between lane and back office. Used from one thread."""

    def __init__(
        self, settings: SyncSettings, key: SigningKey, server_key: bytes, link: LaneLink
    ) -> None:
        self._settings = settings
        self._server_key = server_key
        self._link = link
        self._office = Office(
            settings.server_url,
            settings.lane_id,
            key,
            server_key,
            connect_seconds=settings.connect_seconds,
            answer_seconds=settings.answer_seconds,
        )
        settings.state_dir.mkdir(parents=True, exist_ok=True)
        self._file = StateFile(settings.state_dir / "sync.json")
        self._trail = Trail(settings.journal_dir)
        self._said_hello: float | None = None
        self._refreshed: float | None = None
        self._told = ""
        for signed in self._file.state.documents.values():
            document = msgspec.json.decode(signed.text, type=Document)
            link.tell(DocumentSent(signed), document.kind)

    def go_round(self) -> None:
        """Do what is due: send entries, say hello, fetch what is new.

        Raises `SyncError`; everything done until then stays done.
        """
        self._link.keep()
        now = monotonic()
        if self._has_news() or self._is_due(
            self._said_hello, self._settings.hello_seconds, now
        ):
            self._said_hello = None
            self._contact()
            self._said_hello = now
            self._tell_office(OfficeSeen(True))
        if self._is_due(self._refreshed, self._settings.refresh_seconds, now):
            self._refresh()
            self._refreshed = now

    def report(self, error: SyncError) -> None:
        """Tell log and lane why it did not work."""
        self._tell_office(OfficeSeen(error.is_online, str(error)))

    def close(self) -> None:
        """Let go of journal and connection."""
        self._trail.close()
        self._office.close()

    @staticmethod
    def _is_due(last: float | None, every: float, now: float) -> bool:
        return last is None or now - last >= every

    def _has_news(self) -> bool:
        try:
            return self._trail.head != self._file.state.acknowledged
        except FileNotFoundError:
            return False
        except JournalDamaged as error:
            raise SyncError(str(error)) from error

    def enrol(self) -> None:
        """Make the lane known to the back office."""
        self._office.enrol(self._settings.enrol_token)
        log.info("enrolled at the back office as %s", self._settings.lane_id)

    def _contact(self) -> None:
        try:
            self._sync()
        except NotEnrolled:
            if not self._settings.enrol_token:
                raise
            self.enrol()
            self._sync()
        except FileNotFoundError as error:
            raise SyncError(f"there is no journal to send yet: {error}") from error
        except JournalDamaged as error:
            raise SyncError(str(error)) from error

    def _sync(self) -> None:
        acknowledged = sync(
            self._trail,
            self._settings.lane_id,
            self._file.state.acknowledged,
            self._hello,
            self._post,
            self._save,
        )
        self._save(acknowledged)

    def _hello(self, hello: Hello) -> Welcome:
        slot, outcome = slot_and_outcome(Sources())
        welcome = self._office.hello(
            msgspec.structs.replace(
                hello,
                slot=slot,
                updater=outcome,
                catalog_version=version_of(self._settings.catalog_path),
                release=self._settings.release,
            )
        )
        known = self._file.state.server_epoch
        if known and known != welcome.server_epoch:
            log.warning("the back office begins anew, with another database")
        self._file.change(server_epoch=welcome.server_epoch)
        self._want_epoch(welcome.new_epoch)
        return welcome

    def _post(self, before: Head, entries: list[Entry]) -> Held | TooLarge:
        held = self._office.post(before, entries, self._trail.epoch_of)
        if isinstance(held, Held):
            self._want_epoch(held.new_epoch)
        return held

    def _save(self, held: Head) -> None:
        self._file.change(acknowledged=held)
        epoch = self._trail.epoch
        self._link.tell(Acknowledged(epoch, held.seq, held.digest))

    def _want_epoch(self, epoch: str) -> None:
        if epoch and epoch != self._trail.epoch:
            if epoch != self._file.state.wanted_epoch:
                log.error("another machine sells as this lane: see the back office")
            self._file.change(wanted_epoch=epoch)
            self._link.tell(EpochWanted(epoch))

    def _refresh(self) -> None:
        for kind in KINDS:
            above = self._file.version_of(kind)
            for signed, document in self._office.fetch_signed(
                f"documents/{kind}?above={above}", DOCUMENT_DOMAIN, Document
            ):
                # Only ever upwards, whatever is sent: an old roster has old rights.
                if document.kind == kind and document.version > above:
                    documents = self._file.state.documents | {kind: signed}
                    self._file.change(documents=documents)
                    self._link.tell(DocumentSent(signed), kind)
        version = bring_up_to_date(
            self._settings.catalog_path, self._office, self._server_key
        )
        if version is not None:
            log.info("catalogue version %s is in place", version)
            self._link.tell(CatalogArrived(version))

    def _tell_office(self, seen: OfficeSeen) -> None:
        self._link.tell(seen)
        if seen.reason != self._told:
            if seen.reason:
                log.warning("sync waits: %s", seen.reason)
            else:
                log.info("the back office answers")
            self._told = seen.reason


def _listen(
    settings: SyncSettings,
    key: SigningKey,
    server_key: bytes,
    link: LaneLink,
    stop: threading.Event,
) -> None:
    """Wait for directives, and hand each on once the lane takes it."""
    office = Office(
        settings.server_url,
        settings.lane_id,
        key,
        server_key,
        connect_seconds=settings.connect_seconds,
        answer_seconds=settings.answer_seconds,
    )
    letter = LogLetter(settings, key, server_key, stop)
    seen: deque[str] = deque(maxlen=REMEMBERED)
    failures = 0
    while not stop.is_set():
        wait = 0.0
        try:
            for signed, directive in office.fetch_signed(
                f"lanes/{settings.lane_id}/directives"
                f"?seen={','.join(seen)}&wait={LONG_POLL_SECONDS}",
                DIRECTIVE_DOMAIN,
                Directive,
                LONG_POLL_SECONDS + settings.answer_seconds,
            ):
                if directive.directive_id in seen:
                    continue
                if directive.order == "logs":
                    letter.write(directive)
                if link.tell(DirectiveSent(signed)):
                    seen.append(directive.directive_id)
                else:
                    # The lane is away: asked for again while the directive lasts.
                    wait = 1.0
            failures = 0
        except SyncError as error:
            failures += 1
            wait = max(error.wait_seconds, _retry(failures, settings))
        stop.wait(wait)
    office.close()


class LogLetter:
    """Sends the technical log when a directive asks, on a thread of its own.

    One at a time; asked again for the same one it does nothing.
    """

    def __init__(
        self,
        settings: SyncSettings,
        key: SigningKey,
        server_key: bytes,
        stop: threading.Event,
        source: LogSource | None = None,
    ) -> None:
        self._settings = settings
        self._key = key
        self._server_key = server_key
        self._stop = stop
        self._source = source or Journalctl()
        self._begun: deque[str] = deque(maxlen=REMEMBERED)
        self._thread: threading.Thread | None = None

    def write(self, directive: Directive) -> None:
        """Begin to send what this directive asks for."""
        is_busy = self._thread is not None and self._thread.is_alive()
        is_ours = directive.lane_id == self._settings.lane_id
        if not is_ours or directive.expires_ms < time_ns() // 1_000_000:
            return
        if is_busy or directive.directive_id in self._begun:
            return
        self._begun.append(directive.directive_id)
        self._thread = threading.Thread(
            target=self._send, args=(directive,), name="log-letter", daemon=True
        )
        self._thread.start()

    def join(self) -> None:
        """Wait until what was begun is sent."""
        if self._thread is not None:
            self._thread.join()

    def _send(self, directive: Directive) -> None:
        settings = self._settings
        office = Office(
            settings.server_url,
            settings.lane_id,
            self._key,
            self._server_key,
            connect_seconds=settings.connect_seconds,
            answer_seconds=settings.answer_seconds,
        )
        try:
            for failures in range(1, LOG_TRIES + 1):
                try:
                    send(
                        office,
                        self._source,
                        settings.lane_id,
                        directive.directive_id,
                        directive.hours,
                    )
                    log.info("the technical log was sent, as an admin asked")
                    return
                except SyncError as error:
                    log.warning("the technical log waits: %s", error)
                    wait = max(error.wait_seconds, _retry(failures, settings))
                    if self._stop.wait(wait):
                        return
        finally:
            office.close()
