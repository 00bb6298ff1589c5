"""The real machine: SWUpdate, EFI Boot Guard's tools, systemd, dm-verity and the lane.

Runs programs and reads what the kernel tells; decides nothing. No shell is involved.
"""

from __future__ import annotations

import logging
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec

from kiosk.records.disk import free_bytes
from kiosk.sync.questions import (
    LaneStatus,
    LeaseAnswer,
    LeaseAsked,
    StatusAsked,
    ask,
)
from kiosk.updater.bootloader import BootState, Environment, Slot, Ustate, parse
from kiosk.updater.machine import Running, Written

log = logging.getLogger(__name__)

# The boot loader's tools mount two small FAT partitions; systemctl asks one question.
_TOOL_SECONDS = 30.0
# A gigabyte at 2 MB/s, the slowest flash in use, under idle priority.
_INSTALL_SECONDS = 1800.0
_LONGEST_LOG = 1024 * 1024


class Places(msgspec.Struct, frozen=True):
    """Where the machine keeps what the updater reads of it."""

    proc: Path = Path("/proc")
    sys: Path = Path("/sys")
    release: Path = Path("/usr/lib/stillopen-release")
    machine_id: Path = Path("/etc/machine-id")
    certificate: Path = Path("/etc/stillopen/update-ca.pem")
    configuration: Path = Path("/etc/swupdate.cfg")
    lane_socket: Path = Path("/var/lib/stillopen/lane.sock")
    # On the data partition: the kernel is unpacked here before it is written.
    temporary: Path = Path("/var/lib/stillopen-updater/tmp")


class RealMachine:
    """The machine this program runs on."""

    def __init__(self, places: Places = Places()) -> None:  # noqa: B008  # frozen
        self._places = places

    # -- what runs -----------------------------------------------------------

    def running(self) -> Running:
        fields: dict[str, str] = {}
        try:
            text = self._places.release.read_text(encoding="utf-8")
        except OSError as error:
            log.error("what runs cannot be read: %s", error)
            text = ""
        for line in text.splitlines():
            name, _, value = line.partition("=")
            fields[name.strip()] = "".join(shlex.split(value))
        return Running(
            fields.get("RELEASE", ""),
            fields.get("HARDWARE", ""),
            fields.get("VARIANT", ""),
        )

    def running_slot(self) -> Slot | None:
        # `bg_printenv -c` names the next slot after an install, never the running one.
        table = self._tool("dmsetup", "table", "root")
        found = re.search(
            r"\bverity \d+ (\d+:\d+) (\d+:\d+) \d+ \d+ \d+ \d+ \S+ ([0-9a-f]+)\b",
            table or "",
        )
        words = self._read(self._places.proc / "cmdline").split()
        if found is None or f"stillopen.roothash={found[3]}" not in words:
            log.error("the root is not the verified one that the command line names")
            return None
        about = self._read(self._places.sys / "dev" / "block" / found[1] / "uevent")
        for slot in Slot:
            if f"PARTNAME={slot.root_label}" in about.splitlines():
                return slot
        log.error("the root lies on %s, which is neither slot", found[1])
        return None

    def machine_id(self) -> str:
        return self._read(self._places.machine_id).strip()

    # -- the boot loader -----------------------------------------------------

    def boot_state(self) -> BootState | None:
        found: list[Environment] = []
        for index in (0, 1):
            told = self._tool("bg_printenv", "--part", str(index), "--raw")
            environment = parse(index, told or "")
            if environment is None:
                log.error("the boot loader's environment %s cannot be read", index)
                return None
            found.append(environment)
        return BootState(tuple(found))

    def confirm(self) -> bool:
        if self._tool("bg_setenv", "--confirm") is None:
            return False
        boot = self.boot_state()
        return boot is not None and boot.ustate is Ustate.OK

    def start_next(self, environment: int, revision: int) -> bool:
        told = self._tool(
            "bg_setenv",
            "--part",
            str(environment),
            "--revision",
            str(revision),
            "--ustate",
            str(int(Ustate.INSTALLED)),
        )
        return told is not None

    # -- SWUpdate ------------------------------------------------------------

    def install(
        self, bundle: Path, slot: Slot, running: Running, *, may_go_back: bool
    ) -> Written:
        places = self._places
        shutil.rmtree(places.temporary, ignore_errors=True)
        places.temporary.mkdir(parents=True, mode=0o700)
        command = [
            "swupdate",
            "-v",
            *("-f", str(places.configuration)),
            *("-k", str(places.certificate)),
            *("-e", f"stable,{slot.selection}"),
            *("-H", f"stillopen:{running.hardware}"),
            *("-R", running.release),
            *([] if may_go_back else ["-N", running.release]),
            *("-i", str(bundle)),
        ]
        try:
            ended = subprocess.run(
                command,
                check=False,
                timeout=_INSTALL_SECONDS,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env={**os.environ, "TMPDIR": str(places.temporary), "LC_ALL": "C"},
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Written(is_good=False, log=f"ERROR: {error}")
        finally:
            shutil.rmtree(places.temporary, ignore_errors=True)
        told = ended.stdout[-_LONGEST_LOG:].decode("utf-8", errors="replace")
        if ended.returncode:
            told += f"\nswupdate ended with status {ended.returncode}"
        return Written(ended.returncode == 0, told)

    # -- systemd and the file systems ----------------------------------------

    def restart(self) -> None:
        self._tool("systemctl", "reboot", "--no-block")

    def failed_units(self) -> tuple[str, ...]:
        told = self._tool(
            "systemctl", "list-units", "--state=failed", "--plain", "--no-legend"
        )
        if told is None:
            return ("systemd",)
        return tuple(line.split()[0] for line in told.splitlines() if line.strip())

    def is_mounted(self, path: Path) -> bool:
        return path.is_mount()

    def free_bytes(self, path: Path) -> int:
        return free_bytes(path)

    # -- the lane ------------------------------------------------------------

    def lane_status(self) -> LaneStatus | None:
        answer = ask(self._places.lane_socket, StatusAsked())
        return answer if isinstance(answer, LaneStatus) else None

    def ask_lease(self, release: str) -> LeaseAnswer | None:
        answer = ask(self._places.lane_socket, LeaseAsked(release))
        return answer if isinstance(answer, LeaseAnswer) else None

    # -- time ----------------------------------------------------------------

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    def uptime(self) -> float:
        return time.clock_gettime(time.CLOCK_BOOTTIME)

    def wait(self, seconds: float) -> None:
        time.sleep(seconds)

    # -- programs and files --------------------------------------------------

    def _tool(self, *command: str) -> str | None:
        """Run a program; return what it told, or nothing when it failed."""
        try:
            ended = _run(command)
        except (OSError, subprocess.TimeoutExpired) as error:
            log.error("%s: %s", command[0], error)
            return None
        if ended.returncode:
            log.error("%s: %s", shlex.join(command), ended.stderr.strip()[-500:])
            return None
        return ended.stdout

    def _read(self, path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8", errors="replace")
        except OSError as error:
            log.error("%s cannot be read: %s", path, error.strerror)
            return ""


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        check=False,
        timeout=_TOOL_SECONDS,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
