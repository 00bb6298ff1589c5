"""A slot that was kept rots: the machine starts from the other one, with no hand near it.

The disk is made here as an update would have left it: another release in slot B, newest
and good. Its kernel is a release's own, so the initial file system is the shipped one.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from imagebuild import disk as layout
from imagebuild.machine import Machine

CACHE = Path("var/image")
# The firmware, the kernel and three looks at each slot, emulated; and all of it again.
BOOT_SECONDS = 240.0


def _flipped(file: Path) -> None:
    """Alter a byte in the first block of the squashfs, after what tells its kind."""
    with file.open("r+b") as content:
        content.seek(64)
        (byte,) = content.read(1)
        content.seek(64)
        content.write(bytes([byte ^ 1]))


def _put(disk: Path, partition: str, file: Path, target: str) -> None:
    place = f"{disk}@@{layout.begin_mib()[partition]}M"
    subprocess.run(["mcopy", "-o", "-i", place, str(file), f"::/{target}"], check=True)


def _environment(target: Path, revision: int) -> None:
    (root,) = CACHE.glob("final-*/root")
    library = root / "usr/lib/x86_64-linux-gnu"
    subprocess.run(
        [
            *(str(library / "ld-linux-x86-64.so.2"), "--library-path", str(library)),
            *(str(root / "usr/bin/bg_setenv"), "-f", str(target)),
            *(f"--revision={revision}", "--ustate=OK", "--kernel=C:BOOT1:k.efi"),
            f"--watchdog={layout.WATCHDOG_SECONDS}",
        ],
        check=True,
    )


def _root_into_b(disk: Path, root: Path) -> None:
    seek = f"seek={layout.begin_mib()['ROOT_B']}"
    words = ["dd", f"if={root}", f"of={disk}", "bs=1M", seek, "conv=notrunc"]
    subprocess.run([*words, "status=none"], check=True)


@pytest.fixture(scope="module")
def updated(disk: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A disk whose slot B holds a kept release that rotted."""
    told = os.environ.get("STILLOPEN_NEXT", "")
    bundle = Path(told) if told else next(CACHE.glob("next/*.swu"), None)
    if bundle is None or not bundle.is_file():
        pytest.skip("there is no other release: `make test-image` makes it")
    folder = tmp_path_factory.mktemp("rot")
    with bundle.open("rb") as file:
        unpack = ["cpio", "--quiet", "-i", "root.img", "kernel.efi"]
        subprocess.run(unpack, stdin=file, cwd=folder, check=True)
    target = folder / "disk.img"
    subprocess.run(["cp", "--sparse=always", str(disk), str(target)], check=True)
    _flipped(folder / "root.img")
    _root_into_b(target, folder / "root.img")
    _environment(folder / "BGENV.DAT", revision=2)
    _put(target, "BOOT1", folder / "kernel.efi", "k.efi")
    _put(target, "BOOT1", folder / "BGENV.DAT", "BGENV.DAT")
    yield target
    for path in folder.glob("*.[ie]*"):
        path.unlink()


def test_the_other_release_is_started_by_itself(updated: Path, tmp_path: Path) -> None:
    machine = Machine(updated, tmp_path / "machine")
    machine.start()
    try:
        machine.wait_for("Starting C:BOOT1:k.efi", BOOT_SECONDS)
        machine.wait_for("The other release is started", BOOT_SECONDS)
        machine.wait_for("Starting C:BOOT0:k.efi", BOOT_SECONDS)
        before, _, _ = machine.said.partition("Starting C:BOOT0:k.efi")
        assert "systemd[1]" not in before
        machine.wait_for(
            r"(?s)Starting C:BOOT0:k.efi.*systemd\[1\]: Started", BOOT_SECONDS
        )
        # A pulled plug does not bring the rotten one back.
        machine.kill()
        machine.start()
        machine.wait_for(r"systemd\[1\]: Started", BOOT_SECONDS)
        assert "Starting C:BOOT1" not in machine.said
    finally:
        machine.kill()
