"""The technician's desk: does what the service screen asks, and reads what it shows.

Root's acts are asked of the caretaker; nothing privileged happens here. Reads while
the screen is shown and not otherwise.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

import msgspec
from msgspec.structs import replace

from kiosk import readings
from kiosk.caretaker.client import ask
from kiosk.caretaker.words import (
    SOCKET,
    Answer,
    CopyBundle,
    ExportLogs,
    FactoryReset,
    Request,
    Restart,
    SetNetwork,
)
from kiosk.domain.effects import Serve
from kiosk.domain.events import DeviceChanged, Event, ServiceEnded
from kiosk.domain.service import (
    ATTEST,
    DONE,
    FORGET,
    LOGS,
    NETWORK,
    RESET,
    RESTART,
    STOP,
    TRY,
    UPDATE,
)
from kiosk.domain.state import Lane, Servicing
from kiosk.machine import DeviceLook, Machine, Queue, TrialStep
from kiosk.records import unsent
from kiosk.records.attestation import attest
from kiosk.records.chain import Head
from kiosk.records.keys import LaneKey
from kiosk.sync.state import SyncState

log = logging.getLogger(__name__)

_LOOK_SECONDS = 2.0
# Counting reads every entry since the last contact: seldom is enough.
_COUNT_SECONDS = 15.0


class Clock(Protocol):
    """Wall and monotonic time, in milliseconds."""

    def now_ms(self) -> int: ...

    def mono_ms(self) -> int: ...


class Trial(Protocol):
    """Tries the lane's card terminal; each returns an outcome and its detail."""

    def run(self, say: Callable[[TrialStep], None], /) -> tuple[str, str]: ...

    def stop(self) -> tuple[str, str]: ...

    def forget(self) -> tuple[str, str]: ...


class Desk:
    """One lane's service desk. `serve` is called from a worker's thread, `follow` and
    `unsent_sales` from the lane's, `heard` and `office_seen` from any.

    `head` returns the journal's newest entry; `catalog_ms` when prices were made.
    """

    def __init__(
        self,
        *,
        lane_id: str,
        state: Path,
        release: str,
        drivers: Mapping[str, Mapping[str, Any]],
        has_office: bool,
        key: LaneKey,
        head: Callable[[], Head],
        catalog_ms: Callable[[], int],
        clock: Clock,
        trial: Trial | None = None,
        sources: readings.Sources | None = None,
        socket: Path = SOCKET,
    ) -> None:
        self._state, self._key, self._head = state, key, head
        self._has_office, self._catalog_ms = has_office, catalog_ms
        self._clock, self._socket = clock, socket
        self._trial = trial
        self._steps: tuple[TrialStep, ...] = ()
        self._sources = sources or readings.Sources()
        found = readings.release(self._sources)
        if not found.release:
            found = replace(found, release=release)
        self._lock = threading.Lock()
        self._looks = {
            name: DeviceLook(name, str(options.get("driver", "")))
            for name, options in drivers.items()
        }
        self._online = False
        self._contact_ms = 0
        self._done_bytes = 0
        self._counted_ms: int | None = None
        self._queue = Queue(has_office=has_office)
        self._know: Callable[[Machine], None] = lambda machine: None
        self._is_shown = False
        self._wanted, self._stopped = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._watch, name="desk", daemon=True)
        self.machine = Machine(release=found, lane_id=lane_id)

    def start(self, know: Callable[[Machine], None]) -> None:
        """Show what is read to `know` from now on, whenever the screen is open."""
        self._know = know
        self._thread.start()

    def close(self) -> None:
        """Read no more."""
        self._stopped.set()
        self._wanted.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)

    # -- what the desk hears ---------------------------------------------------

    def follow(self, lane: Lane) -> None:
        """Hear what is on the screen: only the service screen needs readings."""
        is_shown = isinstance(lane.mode, Servicing)
        if is_shown and not self._is_shown:
            self._counted_ms = None
            self._wanted.set()
        self._is_shown = is_shown

    def heard(self, event: Event) -> None:
        """Remember what was last the matter with a device."""
        match event:
            case DeviceChanged(device=name, health=health, detail=detail):
                with self._lock:
                    look = replace(
                        self._looks.get(name, DeviceLook(name)), health=health
                    )
                    if health != "ready" and detail:
                        now_ms = self._clock.now_ms()
                        look = replace(look, trouble=detail, trouble_ms=now_ms)
                    self._looks[name] = look
            case _:
                pass

    def office_seen(self, is_online: bool) -> None:
        """Remember when the back office last answered."""
        if is_online or self._online:
            self._contact_ms = self._clock.now_ms()
        self._online = is_online

    # -- deeds -------------------------------------------------------------------

    def serve(self, wanted: Serve) -> ServiceEnded:
        """Do one deed and say what came of it. Blocks until it is done."""
        if wanted.deed == ATTEST:
            return ServiceEnded(wanted.deed, wanted.asked, DONE, self._attestation())
        if wanted.deed in (TRY, STOP, FORGET):
            return self._at_terminal(wanted)
        request = _request(wanted)
        if request is None or not self._socket.exists():
            return ServiceEnded(wanted.deed, wanted.asked, "no_caretaker")
        answer = self._ask(request)
        log.info("%s: %s %s", wanted.deed, answer.outcome.value, answer.detail)
        return ServiceEnded(
            wanted.deed, wanted.asked, answer.outcome.value, answer.detail[:200]
        )

    def _at_terminal(self, wanted: Serve) -> ServiceEnded:
        trial, outcome, detail = self._trial, "no_caretaker", ""
        if trial is not None and wanted.deed == TRY:
            self._step(None)
            outcome, detail = trial.run(self._step)
            self._step(None)
        elif trial is not None:
            act = trial.stop if wanted.deed == STOP else trial.forget
            outcome, detail = act()
        log.info("%s: %s %s", wanted.deed, outcome, detail)
        return ServiceEnded(wanted.deed, wanted.asked, outcome, detail[:200])

    def _step(self, step: TrialStep | None) -> None:
        self._steps = (*self._steps, step) if step else ()
        self.machine = replace(self.machine, trial=self._steps)
        self._know(self.machine)

    def _ask(self, request: Request) -> Answer:
        try:
            return ask(request, self._progress, self._socket)
        finally:
            self._progress(0)

    def _progress(self, done_bytes: int) -> None:
        self._done_bytes = done_bytes
        self.machine = replace(self.machine, done_bytes=done_bytes)
        self._know(self.machine)

    def _attestation(self) -> str:
        """Return the code and, after a space, what a person compares."""
        head, at_ms = self._head(), self._clock.now_ms()
        told, lane_id = self.machine.release, self.machine.lane_id
        code = attest(
            self._key,
            lane_id=lane_id,
            release=told.release,
            root_hash=told.root_hash,
            head=head,
            at_ms=at_ms,
        )
        at = datetime.fromtimestamp(at_ms / 1000, UTC)
        parts = (
            lane_id,
            told.release,
            told.root_hash[:8],
            f"{head.seq}:{head.digest[:8]}",
            f"{at:%Y-%m-%d %H:%M} UTC",
        )
        return f"{code} {' · '.join(filter(None, parts))}"

    # -- readings ------------------------------------------------------------------

    def unsent_sales(self) -> int:
        """Count the sales that the back office is not known to hold; -1: unknown."""
        try:
            return unsent.count(self._state / "journal", self._acknowledged()).sales
        except unsent.CannotCount as error:
            log.error("unsent sales cannot be counted: %s", error)
            return -1

    def look(self) -> Machine:
        """Read everything the service screen shows."""
        now_ms = self._clock.now_ms()
        with self._lock:
            devices = tuple(self._looks.values())
        self.machine = replace(
            self.machine,
            catalog_ms=self._catalog_ms(),
            update=readings.update(self._sources),
            cards=readings.cards(self._sources),
            devices=devices,
            queue=self._count(),
            done_bytes=self._done_bytes,
            trial=self._steps,
            now_ms=now_ms,
        )
        return self.machine

    def _count(self) -> Queue:
        mono_ms = self._clock.mono_ms()
        counted = self._counted_ms
        if counted is None or mono_ms - counted >= _COUNT_SECONDS * 1000:
            self._counted_ms = mono_ms
            try:
                found = unsent.count(self._state / "journal", self._acknowledged())
            except unsent.CannotCount as error:
                log.error("the queue cannot be counted: %s", error)
                found = unsent.Unsent(-1, -1)
            self._queue = Queue(
                found.entries,
                found.sales,
                found.oldest_ms,
                has_office=self._has_office,
            )
        contact_ms = self._clock.now_ms() if self._online else self._contact_ms
        return replace(self._queue, contact_ms=contact_ms)

    def _acknowledged(self) -> Head:
        path = self._state / "sync" / "sync.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=SyncState).acknowledged
        except (OSError, msgspec.DecodeError):
            return Head(0, "")

    def _watch(self) -> None:
        while not self._stopped.is_set():
            if self._is_shown:
                self._know(self.look())
                self._stopped.wait(_LOOK_SECONDS)
            else:
                self._wanted.wait()
                self._wanted.clear()


def _request(wanted: Serve) -> Request | None:
    """Return what is asked of the caretaker for a deed."""
    who = wanted.attendant
    requests: dict[str, Request] = {
        NETWORK: SetNetwork(who, wanted.network),
        LOGS: ExportLogs(who),
        UPDATE: CopyBundle(who),
        RESET: FactoryReset(who),
        RESTART: Restart(who),
    }
    return requests.get(wanted.deed)
