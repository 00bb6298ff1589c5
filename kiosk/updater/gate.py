"""The health gate: after every start it decides whether the release that runs is good.

A release on trial is kept, or the machine restarts and the boot loader falls back. One
that was kept before is only counted: the third start in a row that comes to nothing
gives way to the other slot. The network is never asked for: a shop without internet
must not roll back.
"""

from __future__ import annotations

import logging

from msgspec.structs import replace

from kiosk.updater.bootloader import BootState, Slot, Ustate
from kiosk.updater.machine import Machine
from kiosk.updater.standing import settle, status_of
from kiosk.updater.store import Attempts, Folders, Phase, State, Store
from kiosk.updater.words import Reason

log = logging.getLogger(__name__)

# Ten minutes after its start a machine sells or will not.
DEADLINE_SECONDS = 600.0
LOOK_SECONDS = 2.0
# The screen's watchdog beats every second: so long a minute shows that it stays up.
ALIVE_SECONDS = 60.0
LATE_BEAT_SECONDS = 10.0
# A hardware clock read in another zone is up to 14 hours off, and no release's fault.
CLOCK_MAY_LAG_MS = 24 * 3600 * 1000
FAILED_STARTS = 3


class Gate:
    """Looks at one start of the machine."""

    def __init__(self, machine: Machine, folders: Folders) -> None:
        self._machine = machine
        self._folders = folders
        self._store = Store(folders.own)
        self._attempts = Attempts(folders.attempts)

    # -- early in the start --------------------------------------------------

    def count_start(self) -> None:
        """Count this start of a kept release; give way when too many came to nothing.

        Before anything can hang: such a start is found by the next one.
        """
        boot = self._machine.boot_state()
        if boot is not None and boot.ustate is not Ustate.OK:
            # On trial: the boot loader falls back by itself.
            return
        starts = self._attempts.add()
        log.info("start %s in a row without an end", starts)
        if starts > FAILED_STARTS:
            self._give_way(boot, self._machine.running_slot())

    # -- once all is started -------------------------------------------------

    def confirm(self) -> None:
        """Keep the release that runs, or restart so that the boot loader falls back."""
        boot, slot = self._machine.boot_state(), self._machine.running_slot()
        before = self._store.load()
        state = settle(before, boot, slot, self._machine.running())
        if state != before:
            self._save(state)
        if boot is not None and boot.ustate is Ustate.TESTING:
            self._test(state)
        elif boot is not None and boot.ustate is Ustate.INSTALLED:
            # Written since this start: the next one is the trial.
            return
        elif self._comes_up():
            self._attempts.clear()
        else:
            self._did_not_come_up(boot, slot)

    def _test(self, state: State) -> None:
        while True:
            problems = self._problems(state)
            if not problems:
                if self._machine.confirm():
                    log.info("release %s is kept", state.release)
                    self._attempts.clear()
                    self._save(self._stands(state))
                    return
                problems = ["the boot loader did not take the confirmation"]
            if self._machine.uptime() >= DEADLINE_SECONDS:
                break
            self._machine.wait(LOOK_SECONDS)
        detail = "; ".join(problems)
        log.error("not healthy, the machine falls back: %s", detail)
        if not state.phase.is_over:
            self._save(replace(state, reason=Reason.NOT_HEALTHY, detail=detail))
        self._machine.restart()

    def _problems(self, state: State) -> list[str]:
        """Return what is wrong, in plain words; nothing when all is well."""
        machine, problems = self._machine, self._lane_problems(state)
        if not machine.is_mounted(self._folders.data):
            problems.append("the data partition is not mounted")
        problems += [f"{unit} failed" for unit in machine.failed_units()]
        if machine.now_ms() < state.written_ms - CLOCK_MAY_LAG_MS:
            problems.append("the clock stands before the update was written")
        return problems

    def _lane_problems(self, state: State) -> list[str]:
        lane = self._machine.lane_status()
        if lane is None:
            return ["the lane does not answer"]
        problems = []
        if lane.drawn_seconds < 0:
            problems.append("the lane has shown no picture")
        elif lane.drawn_seconds < ALIVE_SECONDS:
            problems.append("the lane has not run for a minute")
        if not 0 <= lane.beat_seconds <= LATE_BEAT_SECONDS:
            problems.append("the screen stands still")
        if lane.journal != "good":
            problems.append(f"the journal is not verified: {lane.journal}")
        for device in state.baseline:
            health = lane.devices.get(device, "silent")
            if health != "ready":
                problems.append(f"{device} worked before and is {health} now")
        return problems

    # -- a release that was kept before --------------------------------------

    def _comes_up(self) -> bool:
        """Wait for a first picture that stays, and the disk below it: no more, since
        a broken printer is no reason to leave a good release."""
        while True:
            lane = self._machine.lane_status()
            is_up = lane is not None and lane.drawn_seconds >= ALIVE_SECONDS
            if is_up and self._machine.is_mounted(self._folders.data):
                return True
            if self._machine.uptime() >= DEADLINE_SECONDS:
                return False
            self._machine.wait(LOOK_SECONDS)

    def _did_not_come_up(self, boot: BootState | None, slot: Slot | None) -> None:
        log.error("the lane did not come up; start %s", self._attempts.count)
        if boot is None or slot is None or not boot.is_good(slot.other):
            # Restarting for ever helps nobody: the screen says out of service.
            return
        if self._attempts.count >= FAILED_STARTS:
            self._give_way(boot, slot)
        else:
            self._machine.restart()

    def _give_way(self, boot: BootState | None, slot: Slot | None) -> None:
        other = boot.of(slot.other) if boot and slot else None
        if boot is None or slot is None or other is None or not other.is_good:
            log.error("there is no other release to start")
            return
        before = self._store.load()
        state = State(
            phase=Phase.REBOOTING,
            release=f"of slot {slot.other.value}",
            from_release=self._machine.running().release,
            from_slot=slot,
            to_slot=slot.other,
            is_rescue=True,
            reason=Reason.FAILED_STARTS,
            failed=before.failed,
            home=before.home,
            home_release=before.home_release,
        )
        try:
            self._save(state)
        except OSError as error:
            # The data partition may be the very thing that fails.
            log.error("it cannot be written down why: %s", error)
        if self._machine.start_next(other.index, boot.latest.revision + 1):
            self._attempts.clear()
            self._machine.restart()

    def _stands(self, state: State) -> State:
        machine = self._machine
        boot, slot = machine.boot_state(), machine.running_slot()
        return settle(state, boot, slot, machine.running())

    def _save(self, state: State) -> None:
        machine = self._machine
        state = replace(state, at_ms=machine.now_ms())
        self._store.save(state)
        self._store.tell(
            status_of(
                state, machine.running(), machine.running_slot(), machine.boot_state()
            )
        )
