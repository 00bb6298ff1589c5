"""Takes a bundle through to the restart: inbox, other slot, lease, restart.

Every step is on disk before it is taken, and taking it again does no harm: the plug
may be pulled anywhere. What comes after the restart is the gate's (`gate.py`).
"""

from __future__ import annotations

import errno
import logging
import os
import shutil
import stat
from pathlib import Path

from msgspec.structs import replace

from kiosk.sync.questions import LaneStatus
from kiosk.updater import bundle as bundles
from kiosk.updater.bootloader import BootState, Slot, Ustate
from kiosk.updater.machine import Machine
from kiosk.updater.permission import permits
from kiosk.updater.standing import may_be_tried, settle, status_of
from kiosk.updater.store import Folders, Phase, State, Store
from kiosk.updater.words import Reason, reason_of

log = logging.getLogger(__name__)

# The lane is asked this often whether it may close: a shopper between two baskets
# takes about as long.
ASK_SECONDS = 15.0
# As long as the lane's lease lasts; a restart that has not come by then did not come.
RESTART_SECONDS = 180.0
# A lane that runs for less may not have heard from all its devices yet.
SETTLED_SECONDS = 60.0
# A write that is cut off this often is no accident.
_MOST_TRIES = 3
# SWUpdate unpacks the kernel beside the bundle; the lane keeps its own reserve.
_ROOM_BESIDE = 192 * 1024 * 1024
_LONGEST_DETAIL = 300


class Updater:
    """The updater's own process. `run` returns when there is nothing left to do."""

    def __init__(self, machine: Machine, folders: Folders) -> None:
        self._machine = machine
        self._folders = folders
        self._store = Store(folders.own)
        self._boot: BootState | None = None
        self._slot: Slot | None = None

    def run(self) -> None:
        """Go on where the last run was cut off; then take what lies in the inbox."""
        while True:
            state = self._settled()
            if state.phase is Phase.TESTING:
                return
            if state.phase.is_over:
                self._folders.bundle.unlink(missing_ok=True)
                waiting = sorted(self._folders.inbox.glob("*.swu"))
                if not waiting:
                    return
                self._keep(self._examined(waiting[0], state))
            elif state.phase is Phase.WRITING:
                self._forget_inbox(state)
                self._keep(self._written(state))
            else:
                self._restart_when_free(state)

    def _settled(self) -> State:
        self._boot = self._machine.boot_state()
        self._slot = self._machine.running_slot()
        before = self._store.load()
        state = settle(before, self._boot, self._slot, self._machine.running())
        if state != before:
            self._save(state)
        else:
            self._tell(state)
        return state

    # -- a bundle in the inbox -----------------------------------------------

    def _examined(self, path: Path, last: State) -> State:
        """Return the state that a bundle leads to: to be written, or refused."""
        machine, boot, slot = self._machine, self._boot, self._slot
        running = machine.running()
        new = State(
            release=path.name,
            from_release=running.release,
            inbox_name=path.name,
            failed=last.failed,
            home=last.home,
            home_release=last.home_release,
        )
        if boot is None:
            return refused(new, Reason.NO_BOOT_LOADER)
        if slot is None:
            return refused(new, Reason.NO_SLOT)
        if boot.ustate is not Ustate.OK:
            # A second install would overwrite the slot to fall back to.
            return refused(new, Reason.ANOTHER_WAITS)
        if why_not := self._copied(path):
            return refused(new, why_not)
        found = bundles.read(self._folders.bundle)
        if isinstance(found, bundles.Unusable):
            return refused(new, found.reason, found.detail)
        new = replace(new, release=found.release)
        if found.release == running.release:
            return refused(new, Reason.RUNNING_ALREADY)
        if not may_be_tried(last, found.release):
            return refused(new, Reason.FAILED_BEFORE)
        may_go_back, problem = permits(
            self._folders.permission,
            self._folders.fleet_key,
            release=found.release,
            machine_id=machine.machine_id(),
            now_ms=machine.now_ms(),
        )
        return replace(
            new,
            phase=Phase.WRITING,
            from_slot=slot,
            to_slot=slot.other,
            may_go_back=may_go_back,
            detail=problem,
        )

    def _copied(self, path: Path) -> Reason | None:
        """Make the bundle the updater's own: a stick may be pulled, a file changed."""
        try:
            # Others write into the inbox: a link or a pipe there is no bundle.
            source = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(source, "rb") as file:
                about = os.fstat(source)
                if not stat.S_ISREG(about.st_mode):
                    return Reason.UNREADABLE
                needed = about.st_size + _ROOM_BESIDE
                if self._machine.free_bytes(self._folders.own) < needed:
                    return Reason.NO_SPACE
                with self._folders.bundle.open("wb") as copy:
                    shutil.copyfileobj(file, copy, 1024 * 1024)
                    copy.flush()
                    os.fsync(copy.fileno())
        except OSError as error:
            log.error("%s cannot be copied: %s", path, error)
            is_full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            return Reason.NO_SPACE if is_full else Reason.UNREADABLE
        return None

    # -- the other slot ------------------------------------------------------

    def _written(self, state: State) -> State:
        """Write the bundle to the other slot; return the state that it leads to."""
        machine, slot = self._machine, state.to_slot
        if self._boot is None:
            return refused(state, Reason.NO_BOOT_LOADER)
        if slot is None or self._slot is not slot.other:
            return refused(state, Reason.NO_SLOT)
        if self._boot.ustate is not Ustate.OK:
            return refused(state, Reason.ANOTHER_WAITS)
        if state.tries >= _MOST_TRIES:
            return refused(state, Reason.WRITE_FAILED, "cut off again and again")
        state = replace(
            state,
            tries=state.tries + 1,
            written_ms=machine.now_ms(),
            # The plug may choose the moment of the restart: look at the devices now.
            baseline=_ready(machine.lane_status()),
        )
        self._save(state)
        log.info("release %s is written to slot %s", state.release, slot.value)
        written = machine.install(
            self._folders.bundle,
            slot,
            machine.running(),
            may_go_back=state.may_go_back,
        )
        if not written.is_good:
            log.error("SWUpdate: %s", written.log)
            detail = "; ".join(p for p in (state.detail, _telling(written.log)) if p)
            reason = reason_of(written.log)
            if reason is Reason.WRITE_FAILED and (
                name := bundles.altered(self._folders.bundle)
            ):
                reason, detail = Reason.TAMPERED, f"{name} is another one"
            return refused(state, reason, detail)
        # A permission serves once.
        self._folders.permission.unlink(missing_ok=True)
        return replace(state, phase=Phase.WRITTEN, detail="")

    # -- the restart ---------------------------------------------------------

    def _restart_when_free(self, state: State) -> None:
        """Wait until the lane gives a lease, then restart. Ends with the process."""
        machine = self._machine
        state = replace(state, phase=Phase.LEASE)
        self._save(state)
        while True:
            lane = machine.lane_status()
            waits_for = _waits_for(lane)
            if not waits_for:
                answer = machine.ask_lease(state.release)
                waits_for = "silent" if answer is None else answer.refusal
            if waits_for:
                self._tell(state, waits_for)
                machine.wait(ASK_SECONDS)
                continue
            log.info("the lane closed: restart into release %s", state.release)
            self._save(
                replace(
                    state,
                    phase=Phase.REBOOTING,
                    baseline=_ready(lane),
                    written_ms=machine.now_ms(),
                )
            )
            machine.restart()
            machine.wait(RESTART_SECONDS)
            log.error("the restart did not come; the lane is asked again")
            self._save(state)

    # -- writing down --------------------------------------------------------

    def _keep(self, state: State) -> None:
        if state.phase is Phase.REFUSED and state.reason:
            log.error(
                "refused %s: %s %s", state.release, state.reason.words, state.detail
            )
        self._save(state)
        if state.phase is Phase.REFUSED:
            self._forget_inbox(state)

    def _forget_inbox(self, state: State) -> None:
        if state.inbox_name:
            (self._folders.inbox / state.inbox_name).unlink(missing_ok=True)

    def _save(self, state: State) -> None:
        state = replace(state, at_ms=self._machine.now_ms())
        self._store.save(state)
        self._tell(state)

    def _tell(self, state: State, waits_for: str = "") -> None:
        # As it was last seen: looking mounts the boot loader's partitions.
        running = self._machine.running()
        self._store.tell(status_of(state, running, self._slot, self._boot, waits_for))


def refused(state: State, reason: Reason, detail: str = "") -> State:
    """Return an update's end without a restart."""
    detail = detail or state.detail
    return replace(state, phase=Phase.REFUSED, reason=reason, detail=detail)


def put_into_inbox(source: Path, folders: Folders) -> Path:
    """Copy a bundle, from a stick for one, to where the updater finds it."""
    target = folders.inbox / f"{source.stem}.swu"
    aside = target.with_suffix(".part")
    with source.open("rb") as file, aside.open("wb") as copy:
        shutil.copyfileobj(file, copy, 1024 * 1024)
        copy.flush()
        os.fsync(copy.fileno())
    aside.rename(target)
    return target


def _waits_for(lane: LaneStatus | None) -> str:
    if lane is None:
        return "silent"
    if lane.drawn_seconds < SETTLED_SECONDS:
        return "starting"
    return lane.refusal


def _ready(lane: LaneStatus | None) -> tuple[str, ...]:
    devices = lane.devices if lane else {}
    return tuple(sorted(name for name, health in devices.items() if health == "ready"))


def _telling(logged: str) -> str:
    """Return the first error that SWUpdate logged: the others follow from it."""
    errors = [line.strip() for line in logged.splitlines() if "ERROR" in line]
    return errors[0][:_LONGEST_DETAIL] if errors else ""
