"""What the initial file system does when no slot holds the signed root, without a machine.

Its shell file is sourced as it is, by each POSIX shell that is here; mounts are links to
folders, and the boot loader's tools keep an environment as text.
"""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

FILES = Path(__file__).parents[2] / "ansible" / "roles" / "base" / "files"
_SHELLS = {"dash": ["dash"], "busybox": ["busybox", "sh"], "bash": ["bash", "--posix"]}
SHELLS = [words for name, words in _SHELLS.items() if shutil.which(name)]
OWN, OTHERS = "aa11", "bb22"
FAKES = """
mount() { [ -d "$5" ] && rmdir "$6" && ln -s "$5" "$6" && echo "$4 ${5##*/}" >>"$log"; }
umount() { [ -L "$1" ] && rm "$1" && mkdir "$1"; }
sync() { :; }
bg_printenv() { grep -q '^CRC=good' "$2" && grep -v '^CRC' "$2"; }
bg_setenv() {
	[ "$3" = --preserve ] || return 1
	sed -i -e "s/^REVISION=.*/REVISION=${4#*=}/" -e 's/^USTATE=.*/USTATE=3/' "$2"
}
"""


class Disk:
    """Two BOOT partitions, as folders."""

    def __init__(self, folder: Path, shell: list[str]) -> None:
        self.folder, self.shell = folder, shell

    def boot(
        self,
        number: int,
        revision: int,
        *,
        ustate: int = 0,
        in_progress: int = 0,
        crc: str = "good",
        kernel: str | None = None,
        root_hash: str = OTHERS,
    ) -> Disk:
        """Fill a BOOT partition; `kernel` is the file's content when not a kernel's."""
        place = self.folder / f"BOOT{number}"
        place.mkdir(parents=True)
        (place / "BGENV.DAT").write_text(
            f"CRC={crc}\nIN_PROGRESS={in_progress}\nREVISION={revision}\n"
            f"KERNEL=C:BOOT{number}:k.efi\nKERNELARGS=\nWATCHDOG_TIMEOUT=120\n"
            f"USTATE={ustate}\nREVISION=77\n"
        )
        if kernel is None:
            kernel = f"MZ\0\0 stillopen.roothash={root_hash} more\0"
        (place / "k.efi").write_text(kernel)
        return self

    def fall_back(self, more: str = "") -> str:
        """Run it as the kernel of hash `OWN`; return its verdict."""
        words = (
            f". {FILES / 'initramfs-fall-back'}\n{FAKES}\n"
            f"partitions={self.folder}\naside={self.folder}/aside\n"
            f"log={self.folder}/log\n{more}\nfall_back {OWN}\necho $verdict\n"
        )
        done = subprocess.run(
            [*self.shell, "-c", words], capture_output=True, text=True, check=False
        )
        return done.stdout.strip()

    @property
    def written(self) -> str:
        """Which partitions were mounted to be written to."""
        lines = (self.folder / "log").read_text().splitlines()
        return " ".join(line.split()[1] for line in lines if line.startswith("rw"))

    def environment(self, number: int) -> list[str]:
        return (self.folder / f"BOOT{number}" / "BGENV.DAT").read_text().splitlines()


@pytest.fixture(params=SHELLS, ids=lambda words: words[0])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Disk:
    return Disk(tmp_path, request.param)


def is_untouched(disk: Disk) -> bool:
    return disk.written == "" and not any(
        "USTATE=3" in disk.environment(number) for number in (0, 1)
    )


@pytest.mark.parametrize(("own", "other"), [(0, 1), (1, 0)])
def test_the_newest_is_left_for_the_other(disk: Disk, own: int, other: int) -> None:
    disk.boot(own, 4, root_hash=OWN).boot(other, 3)
    before = disk.environment(other)
    assert disk.fall_back() == "left"
    assert {"REVISION=0", "USTATE=3", f"KERNEL=C:BOOT{own}:k.efi"} <= set(
        disk.environment(own)
    )
    assert disk.environment(other) == before
    assert disk.written == f"BOOT{own}"
    assert not list(disk.folder.glob("BOOT*/BGENV.NEW"))


def test_the_second_that_rots_finds_no_other(disk: Disk) -> None:
    disk.boot(0, 4, root_hash=OWN).boot(1, 3, root_hash=OWN)
    assert disk.fall_back() == "left"
    first, second = disk.environment(0), disk.environment(1)
    assert [disk.fall_back() for _ in range(3)] == ["alone"] * 3
    assert (disk.environment(0), disk.environment(1)) == (first, second)


@pytest.mark.parametrize("ustate", [1, 2])
def test_a_release_on_trial_is_the_boot_loaders(disk: Disk, ustate: int) -> None:
    disk.boot(0, 3).boot(1, 4, ustate=ustate, root_hash=OWN)
    assert disk.fall_back() == "trial"
    assert is_untouched(disk)


@pytest.mark.parametrize(
    "other",
    [
        {"revision": 0},
        {"revision": 0, "ustate": 3},
        {"revision": 3, "ustate": 3},
        {"revision": 3, "ustate": 2},
        {"revision": 3, "crc": "bad"},
        {"revision": 3, "kernel": ""},
        # Cut off while it was written: the boot loader did not start it either.
        {"revision": 5, "in_progress": 1},
    ],
    ids=str,
)
def test_without_a_good_other_nothing_is_touched(
    disk: Disk, other: dict[str, Any]
) -> None:
    disk.boot(0, 4, root_hash=OWN).boot(1, **other)
    assert disk.fall_back() == "alone"
    assert disk.written == ""


def test_an_other_without_a_kernel_is_none(disk: Disk) -> None:
    disk.boot(0, 4, root_hash=OWN).boot(1, 3)
    (disk.folder / "BOOT1" / "k.efi").unlink()
    assert disk.fall_back() == "alone"


def test_an_other_that_starts_another_partitions_kernel_is_none(disk: Disk) -> None:
    disk.boot(0, 4, root_hash=OWN).boot(1, 3)
    environment = disk.folder / "BOOT1" / "BGENV.DAT"
    environment.write_text(environment.read_text().replace("C:BOOT1", "C:BOOT0"))
    assert disk.fall_back() == "alone"


def test_where_it_is_not_certain_which_was_started_nothing_is_touched(
    disk: Disk,
) -> None:
    # Its own kernel is not where the boot loader should have started it from.
    disk.boot(0, 4).boot(1, 3, root_hash=OWN)
    assert disk.fall_back() == "unclear"
    assert is_untouched(disk)


@pytest.mark.parametrize(
    ("own", "other"),
    [
        ({"revision": 3}, {"revision": 3}),
        ({"revision": 3, "crc": "bad"}, {"revision": 0}),
        ({"revision": 0}, {"revision": 0}),
        ({"revision": 3, "ustate": 3}, {"revision": 2}),
    ],
    ids=str,
)
def test_of_environments_that_make_no_sense_none_is_touched(
    disk: Disk, own: dict[str, Any], other: dict[str, Any]
) -> None:
    disk.boot(0, root_hash=OWN, **own).boot(1, **other)
    before = disk.environment(0)
    assert disk.fall_back() == "unclear"
    assert disk.written == ""
    assert disk.environment(0) == before


def test_without_boot_partitions_it_is_unclear(disk: Disk) -> None:
    assert disk.fall_back() == "unclear"


@pytest.mark.parametrize("name", ["bg_setenv", "cp", "mv"])
def test_what_was_not_written_is_not_called_left(disk: Disk, name: str) -> None:
    disk.boot(0, 4, root_hash=OWN).boot(1, 3)
    assert disk.fall_back(f"{name}() {{ return 1; }}") == "unwritten"
    assert "REVISION=4" in disk.environment(0)


@pytest.mark.parametrize("name", ["bg_setenv", "sync", "mv"])
def test_a_power_cut_leaves_the_old_environment_or_the_new(
    disk: Disk, name: str
) -> None:
    disk.boot(0, 4, root_hash=OWN).boot(1, 3)
    other = disk.environment(1)
    assert disk.fall_back(f"{name}() {{ exit 9; }}") == ""
    assert "REVISION=4" in disk.environment(0)
    assert disk.environment(1) == other
    # The next start does it again, whatever lies there.
    shutil.rmtree(disk.folder / "aside")
    assert disk.fall_back() == "left"
    assert "REVISION=0" in disk.environment(0)
