"""What the real machine runs, and what it makes of the answers.

Little programs stand on PATH in the place of the real ones; they write down how they
were called and answer in the real ones' words.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from kiosk.updater.bootloader import Slot, Ustate, parse
from kiosk.updater.machine import Running
from kiosk.updater.real import Places, RealMachine

# `bg_printenv --part 1 --raw` of efibootguard 0.19 (tools/bg_printenv.c).
TOLD = """IN_PROGRESS=0
REVISION=3
KERNEL=C:BOOT1:k.efi
KERNELARGS=
WATCHDOG_TIMEOUT=60
USTATE=2
recovery_status=in_progress
USTATE=0
"""
HASH = "ab" * 32
# `dmsetup table root` of a root that veritysetup opened from one partition.
TABLE = f"0 2097152 verity 1 8:4 8:4 4096 4096 262144 262145 sha256 {HASH} {'00' * 32}"
RUNNING = Running("1.0.0", "x86-64-v1")


class Programs:
    """A folder on PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "bin"
        self.folder.mkdir()
        self.calls = folder / "calls"

    def put(self, name: str, answer: str = "", status: int = 0) -> None:
        words = self.folder / f"{name}.answer"
        words.write_text(answer)
        program = self.folder / name
        program.write_text(
            f'#!/bin/sh\necho "{name} $*" >> {self.calls}\n'
            f'echo "TMPDIR=$TMPDIR" >> {self.calls}.env\ncat {words}\nexit {status}\n'
        )
        program.chmod(0o755)

    @property
    def called(self) -> list[str]:
        return self.calls.read_text().splitlines()


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    programs = Programs(tmp_path)
    monkeypatch.setenv("PATH", f"{programs.folder}:/usr/bin:/bin")
    return programs


@pytest.fixture
def places(tmp_path: Path) -> Places:
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "cmdline").write_text(f"quiet stillopen.roothash={HASH}\n")
    block = tmp_path / "sys" / "dev" / "block" / "8:4"
    block.mkdir(parents=True)
    (block / "uevent").write_text("MAJOR=8\nMINOR=4\nPARTN=4\nPARTNAME=ROOT_B\n")
    (tmp_path / "release").write_text('RELEASE="1.2.3"\nHARDWARE=x86-64-v1\n')
    return Places(
        proc=tmp_path / "proc",
        sys=tmp_path / "sys",
        release=tmp_path / "release",
        machine_id=tmp_path / "machine-id",
        certificate=tmp_path / "ca.pem",
        configuration=tmp_path / "swupdate.cfg",
        lane_socket=tmp_path / "no.sock",
        temporary=tmp_path / "own" / "tmp",
    )


@pytest.fixture
def machine(programs: Programs, places: Places) -> RealMachine:
    return RealMachine(places)


# -- the boot loader -----------------------------------------------------------


def test_an_environment_is_read_as_it_is_told() -> None:
    found = parse(1, TOLD)
    assert found is not None
    assert (found.index, found.revision, found.ustate) == (1, 3, Ustate.TESTING)
    assert found.slot is Slot.B
    assert not found.is_good


def test_an_update_in_progress_is_not_good() -> None:
    told = TOLD.replace("IN_PROGRESS=0", "IN_PROGRESS=1").replace("TE=2", "TE=0")
    found = parse(1, told)
    assert found is not None
    assert found.in_progress
    assert not found.is_good


@pytest.mark.parametrize(
    "told", ["", "USTATE=0\n", TOLD.replace("=3", "=three"), "Values:\nustate: 0 (OK)"]
)
def test_what_does_not_tell_all_is_nothing(told: str) -> None:
    assert parse(0, told) is None


def test_both_environments_are_asked_for(
    machine: RealMachine, programs: Programs
) -> None:
    programs.put("bg_printenv", TOLD)
    boot = machine.boot_state()
    assert boot is not None
    assert boot.ustate is Ustate.TESTING
    assert programs.called == [
        "bg_printenv --part 0 --raw",
        "bg_printenv --part 1 --raw",
    ]


def test_the_tool_that_ends_well_and_tells_nothing_told_nothing(
    machine: RealMachine, programs: Programs
) -> None:
    programs.put("bg_printenv", "")
    assert machine.boot_state() is None


def test_a_confirmation_is_looked_up(machine: RealMachine, programs: Programs) -> None:
    programs.put("bg_setenv")
    programs.put("bg_printenv", TOLD)
    assert not machine.confirm()
    programs.put("bg_printenv", TOLD.replace("USTATE=2", "USTATE=0"))
    assert machine.confirm()
    assert programs.called[0] == "bg_setenv --confirm"


def test_the_other_slot_is_started_on_trial(
    machine: RealMachine, programs: Programs
) -> None:
    programs.put("bg_setenv")
    assert machine.start_next(0, 7)
    assert programs.called == ["bg_setenv --part 0 --revision 7 --ustate 1"]


# -- which slot runs -----------------------------------------------------------


def test_the_running_slot_is_the_one_whose_root_is_verified(
    machine: RealMachine, programs: Programs
) -> None:
    programs.put("dmsetup", TABLE)
    assert machine.running_slot() is Slot.B


@pytest.mark.parametrize(
    "table", ["", TABLE.replace(HASH, "cd" * 32), TABLE.replace("8:4", "8:9")]
)
def test_a_root_that_is_not_the_named_one_is_in_no_slot(
    machine: RealMachine, programs: Programs, table: str
) -> None:
    programs.put("dmsetup", table)
    assert machine.running_slot() is None


def test_no_dmsetup_no_slot(machine: RealMachine, programs: Programs) -> None:
    programs.put("dmsetup", status=1)
    assert machine.running_slot() is None


# -- SWUpdate ------------------------------------------------------------------


def test_swupdate_is_told_all_that_it_must_check(
    machine: RealMachine, programs: Programs, places: Places, tmp_path: Path
) -> None:
    programs.put("swupdate", "[INFO ] : SWUPDATE successful !")
    bundle = tmp_path / "bundle.swu"
    written = machine.install(bundle, Slot.B, RUNNING, may_go_back=False)
    assert written.is_good
    assert programs.called == [
        f"swupdate -v -f {places.configuration} -k {places.certificate}"
        " -e stable,slot_b -H stillopen:x86-64-v1 -R 1.0.0 -N 1.0.0"
        f" -i {bundle}"
    ]
    environment = Path(f"{programs.calls}.env").read_text()
    assert environment == f"TMPDIR={places.temporary}\n"
    assert not places.temporary.exists()


def test_only_a_permission_lets_it_go_back(
    machine: RealMachine, programs: Programs, tmp_path: Path
) -> None:
    programs.put("swupdate")
    machine.install(tmp_path / "b.swu", Slot.A, RUNNING, may_go_back=True)
    assert " -N " not in programs.called[0]


def test_a_failure_keeps_what_was_logged(
    machine: RealMachine, programs: Programs, tmp_path: Path
) -> None:
    programs.put("swupdate", "[ERROR] : SW not compatible with hardware", status=1)
    written = machine.install(tmp_path / "b.swu", Slot.A, RUNNING, may_go_back=False)
    assert not written.is_good
    assert "not compatible with hardware" in written.log


def test_no_swupdate_is_a_failure(machine: RealMachine, tmp_path: Path) -> None:
    written = machine.install(tmp_path / "b.swu", Slot.A, RUNNING, may_go_back=False)
    assert not written.is_good


# -- the rest ------------------------------------------------------------------


def test_what_runs_is_read_from_the_root(machine: RealMachine) -> None:
    assert machine.running() == Running("1.2.3", "x86-64-v1")


def test_failed_units_are_named(machine: RealMachine, programs: Programs) -> None:
    programs.put("systemctl", "nut.service loaded failed failed UPS\n")
    assert machine.failed_units() == ("nut.service",)


def test_a_systemd_that_does_not_answer_is_a_failed_unit(
    machine: RealMachine, programs: Programs
) -> None:
    programs.put("systemctl", status=1)
    assert machine.failed_units() == ("systemd",)


def test_a_lane_that_is_not_there_says_nothing(machine: RealMachine) -> None:
    assert machine.lane_status() is None
    assert machine.ask_lease("2.0.0") is None
