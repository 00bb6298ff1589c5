"""A machine with two slots, as EFI Boot Guard, SWUpdate and the lane make it behave.

The boot loader's rules are those of its fatvars.c; SWUpdate checks what it is given
and says what the real one says. The plug can be pulled at every call, and between the
steps of an install. Whatever breaks a promise of the update fails the test at once.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import msgspec
from msgspec.structs import replace

from kiosk.sync.questions import LaneStatus, LeaseAnswer
from kiosk.updater.bootloader import BootState, Environment, Slot, Ustate
from kiosk.updater.machine import Running, Written

NOON = 1_795_000_000_000
_HEADER = 110


class PowerCut(BaseException):
    """The plug was pulled, or the process was killed."""


class NothingStarts(BaseException):
    """No slot's root can be read: the machine says so on its screen, and waits."""


class WentDown(BaseException):
    """An ordered restart: nothing of this start goes on."""


class Release(msgspec.Struct, frozen=True):
    """What a slot holds, and how it behaves once it is started."""

    name: str
    hangs: bool = False
    draws: bool = True
    broken: tuple[str, ...] = ()
    journal: str = "good"
    failed_units: tuple[str, ...] = ()
    mounts_data: bool = True
    is_rotten: bool = False


class _Environment:
    def __init__(self, slot: Slot, revision: int) -> None:
        self.slot, self.revision = slot, revision
        self.ustate, self.in_progress = Ustate.OK, False


class SimulatedMachine:
    """See the module. `behaviours` says how releases behave, by name."""

    def __init__(self) -> None:
        self.slots: dict[Slot, Release | None] = {
            Slot.A: Release("1.0.0"),
            Slot.B: None,
        }
        self.environments = [_Environment(Slot.A, 1), _Environment(Slot.B, 0)]
        self.behaviours: dict[str, Release] = {}
        self.devices = ["printer", "scanner", "terminal"]
        self.refusals: list[str] = []
        self.lane_answers = True
        self.hardware = "x86-64-v1"
        self.free = 10**10
        self.clock_ms = NOON
        self.loader_answers = True
        self.root_is_known = True
        self.restarts_come = True
        self.confirms = True
        # -- what happened
        self.slot = Slot.A
        self.starts = 0
        self.installs = 0
        self.leases: list[str] = []
        self.lease = ""
        self.calls = 0
        self.cut_at = 0
        self.up = 0.0
        self.boot()

    # -- the plug and the boot loader ----------------------------------------

    def _step(self) -> None:
        self.calls += 1
        if self.calls == self.cut_at:
            raise PowerCut

    @property
    def release(self) -> Release:
        found = self.slots[self.slot]
        assert found is not None
        return found

    def boot(self) -> None:
        """Start, and start again for as long as the watchdog has to."""
        for _ in range(4):
            self.starts += 1
            self.up, self.lease = 30.0, ""
            self.clock_ms += 30_000
            self._load()
            if self.release.is_rotten:
                self._leave_for_rot()
            elif not self.release.hangs:
                return
        raise AssertionError("the machine starts for ever")

    def _load(self) -> None:
        latest, other = sorted(self.environments, key=lambda e: -e.revision)
        started = latest
        if latest.in_progress:
            started = other
        elif latest.ustate is Ustate.TESTING:
            latest.ustate, latest.revision = Ustate.FAILED, 0
            started = other
        elif latest.ustate is Ustate.INSTALLED:
            latest.ustate = Ustate.TESTING
        self.slot = started.slot
        assert self.slots[self.slot] is not None, "a slot without a whole release"

    def rot(self, slot: Slot) -> None:
        """Let verity refuse what a slot holds, until something is written there."""
        found = self.slots[slot]
        assert found is not None
        self.slots[slot] = replace(found, is_rotten=True)

    def _leave_for_rot(self) -> None:
        """Do as `ansible/roles/base/files/initramfs-fall-back`; it has its own tests."""
        started = [e for e in self.environments if e.revision and not e.in_progress]
        latest, *others = sorted(started, key=lambda e: -e.revision)
        if latest.ustate is Ustate.TESTING:
            # The boot loader leaves it at the next start.
            return
        if not others or others[0].ustate is not Ustate.OK:
            raise NothingStarts
        latest.revision, latest.ustate = 0, Ustate.FAILED

    # -- what runs -----------------------------------------------------------

    def running(self) -> Running:
        return Running(self.release.name, self.hardware)

    def running_slot(self) -> Slot | None:
        self._step()
        return self.slot if self.root_is_known else None

    def machine_id(self) -> str:
        return "m1"

    def boot_state(self) -> BootState | None:
        self._step()
        if not self.loader_answers:
            return None
        found = [
            Environment(
                index, e.revision, e.ustate, e.in_progress, f"C:{e.slot.boot_label}:k"
            )
            for index, e in enumerate(self.environments)
        ]
        return BootState(tuple(found))

    def confirm(self) -> bool:
        self._step()
        if not self.confirms:
            return False
        assert self.environments[self._latest()].slot is self.slot, "confirms another"
        for environment in self.environments:
            environment.ustate = Ustate.OK
        self._step()
        return True

    def start_next(self, environment: int, revision: int) -> bool:
        self._step()
        found = self.environments[environment]
        found.revision, found.ustate = revision, Ustate.INSTALLED
        self._step()
        return True

    def _latest(self) -> int:
        revisions = [e.revision for e in self.environments]
        return revisions.index(max(revisions))

    # -- SWUpdate ------------------------------------------------------------

    def install(
        self, bundle: Path, slot: Slot, running: Running, *, may_go_back: bool
    ) -> Written:
        self._step()
        assert slot is not self.slot, "overwrites what runs"
        states = {e.ustate for e in self.environments}
        assert not states & {Ustate.INSTALLED, Ustate.TESTING}, "installs twice"
        files = _unpack(bundle.read_bytes())
        description = files["sw-description"]
        if problem := self._problem(files, running, may_go_back=may_go_back):
            return Written(is_good=False, log=f"[ERROR] : SWUPDATE failed : {problem}")
        target = next(e for e in self.environments if e.slot is slot)
        if not target.in_progress:
            target.revision = max(e.revision for e in self.environments) + 1
            target.in_progress, target.ustate = True, Ustate.OK
        self._step()
        self.slots[slot] = None
        self._step()
        wanted = re.search(rb'sha256 = "(\w+)"', description)
        found = hashlib.sha256(files["root.squashfs"]).hexdigest()
        if wanted is None or wanted[1].decode() != found:
            # No word about why, as SWUpdate 2026.05.
            return Written(
                is_good=False,
                log="[ERROR] : SWUPDATE failed [0] ERROR stream_interface.c :"
                " extract_files : 352 : Error streaming root.squashfs",
            )
        name = _version(description)
        self.slots[slot] = self.behaviours.get(name, Release(name))
        self._step()
        target.in_progress, target.ustate = False, Ustate.INSTALLED
        self.installs += 1
        self._step()
        return Written(is_good=True, log="[INFO ] : SWUPDATE successful !")

    def _problem(
        self, files: dict[str, bytes], running: Running, *, may_go_back: bool
    ) -> str:
        description = files["sw-description"]
        key, _, digest = files["sw-description.sig"].decode().partition(":")
        if digest != hashlib.sha256(description).hexdigest():
            return "CMS_SignerInfo_verify_content:verification failure"
        if key != "fleet":
            return (
                "CMS_signerinfo_verify_cert:certificate verify error\n"
                "[ERROR] : Signature verification failed"
            )
        if f'"{running.hardware}"' not in description.decode():
            return "SW not compatible with hardware"
        new, old = _version(description), running.release
        if not may_go_back and _ordered(new) < _ordered(old):
            return f"No downgrading allowed: new version {new} < installed {old}"
        return ""

    # -- systemd, disk, time -------------------------------------------------

    def restart(self) -> None:
        self._step()
        if self.restarts_come:
            raise WentDown

    def failed_units(self) -> tuple[str, ...]:
        return self.release.failed_units

    def is_mounted(self, path: Path) -> bool:
        return self.release.mounts_data

    def free_bytes(self, path: Path) -> int:
        return self.free

    def now_ms(self) -> int:
        self._step()
        return self.clock_ms

    def uptime(self) -> float:
        return self.up

    def wait(self, seconds: float) -> None:
        self._step()
        self.up += seconds
        self.clock_ms += int(seconds * 1000)
        assert self.up < 5_000, "waits for ever"

    # -- the lane ------------------------------------------------------------

    def lane_status(self) -> LaneStatus | None:
        self._step()
        if not self.lane_answers:
            return None
        broken = self.release.broken
        return LaneStatus(
            release=self.release.name,
            drawn_seconds=self.up - 30 if self.release.draws else -1,
            beat_seconds=0.5 if self.release.draws else -1,
            journal=self.release.journal,
            devices={d: "absent" if d in broken else "ready" for d in self.devices},
            refusal=self.refusals.pop(0) if self.refusals else "",
            lease=self.lease,
        )

    def ask_lease(self, release: str) -> LeaseAnswer | None:
        self._step()
        self.lease = release
        self.leases.append(release)
        return LeaseAnswer("")


def _version(description: bytes) -> str:
    found = re.search(rb'version = "([^"]+)"', description)
    assert found is not None
    return found[1].decode()


def _ordered(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


def _unpack(archive: bytes) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    at = 0
    while True:
        length = int(archive[at + 54 : at + 62], 16)
        named = int(archive[at + 94 : at + 102], 16)
        name = archive[at + _HEADER : at + _HEADER + named - 1].decode()
        at += _HEADER + named + -(_HEADER + named) % 4
        if name == "TRAILER!!!":
            return files
        files[name] = archive[at : at + length]
        at += length + -length % 4
