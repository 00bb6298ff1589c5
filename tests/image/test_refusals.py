"""What must not boot does not: unsigned, signed by another, altered by a byte.

Firmware holds our keys and no others, as on a kiosk. Each machine is a new one.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from imagebuild import disk as layout
from imagebuild import keys, machine
from imagebuild.kernel import LOADER, sign

CACHE = Path("var/image")
OWNER = "5ee1f0e5-7a11-4b0a-9d6e-0000000000aa"
Alter = Callable[[Path, Path], None]


@pytest.fixture(scope="module")
def variables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The firmware's variables with the development key as its only one."""
    target = tmp_path_factory.mktemp("firmware") / "vars.fd"
    certificate = str(keys.chosen("development").public("secure-boot"))
    subprocess.run(
        [
            *(str(CACHE / "tools/bin/virt-fw-vars"), "--secure-boot"),
            *("--input", str(machine.FIRMWARE / "OVMF_VARS_4M.fd")),
            *("--output", str(target)),
            *("--set-pk", OWNER, certificate),
            *("--add-kek", OWNER, certificate),
            *("--add-db", OWNER, certificate),
        ],
        check=True,
    )
    return target


def _booted(disk: Path, folder: Path, variables: Path) -> machine.Machine:
    booted = machine.Machine(disk, folder, variables=variables, secure=True)
    booted.start()
    return booted


def _place(disk: Path, name: str) -> str:
    return f"{disk}@@{layout.begin_mib()[name]}M"


def _put(disk: Path, partition: str, file: Path, target: str) -> None:
    place = _place(disk, partition)
    subprocess.run(["mcopy", "-o", "-i", place, str(file), target], check=True)


def _get(disk: Path, partition: str, source: str, file: Path) -> None:
    place = _place(disk, partition)
    subprocess.run(["mcopy", "-o", "-i", place, source, str(file)], check=True)


def _unsigned_loader(disk: Path, folder: Path) -> None:
    (root,) = CACHE.glob("final-*/root")
    _put(disk, "ESP", root / LOADER, "::/EFI/BOOT/BOOTX64.EFI")


def _loader_of_another(disk: Path, folder: Path) -> None:
    keys.make(folder / "keys", "Somebody else")
    (root,) = CACHE.glob("final-*/root")
    sign(root / LOADER, folder / "loader.efi", keys.Keys(folder / "keys"))
    _put(disk, "ESP", folder / "loader.efi", "::/EFI/BOOT/BOOTX64.EFI")


def _unsigned_kernel(disk: Path, folder: Path) -> None:
    (unsigned,) = CACHE.glob("uki-*/kernel.efi")
    _put(disk, "BOOT0", unsigned, "::/k.efi")


def _altered_kernel(disk: Path, folder: Path) -> None:
    kernel = folder / "k.efi"
    _get(disk, "BOOT0", "::/k.efi", kernel)
    content = bytearray(kernel.read_bytes())
    content[len(content) // 2] ^= 1
    kernel.write_bytes(content)
    _put(disk, "BOOT0", kernel, "::/k.efi")


def _altered_root(disk: Path, folder: Path) -> None:
    place = layout.begin_mib()["ROOT_A"] << 20
    with disk.open("r+b") as file:
        # In the first block of the squashfs, after what tells its kind.
        file.seek(place + 64)
        (byte,) = file.read(1)
        file.seek(place + 64)
        file.write(bytes([byte ^ 1]))


def _copied(disk: Path, folder: Path) -> Path:
    target = folder / "disk.img"
    subprocess.run(["cp", "--sparse=always", str(disk), str(target)], check=True)
    return target


def test_what_we_signed_boots_with_secure_boot_on(
    disk: Path, variables: Path, tmp_path: Path
) -> None:
    booted = _booted(disk, tmp_path / "machine", variables)
    try:
        booted.wait_for("Starting C:BOOT0:k.efi", 120)
        booted.wait_for(r"systemd\[1\]: Started", 240)
    finally:
        booted.kill()


@pytest.mark.parametrize(
    ("alter", "words"),
    [
        (_unsigned_loader, "failed to load Boot.*Access Denied"),
        (_loader_of_another, "failed to load Boot.*Access Denied"),
        (_unsigned_kernel, "(?i)cannot load.*kernel|security violation|access denied"),
        (_altered_kernel, "(?i)cannot load.*kernel|security violation|access denied"),
    ],
)
def test_what_we_did_not_sign_is_refused(
    disk: Path, variables: Path, tmp_path: Path, alter: Alter, words: str
) -> None:
    altered = _copied(disk, tmp_path)
    alter(altered, tmp_path)
    booted = _booted(altered, tmp_path / "machine", variables)
    try:
        booted.wait_for(words, 180)
        assert "systemd[1]" not in booted.said
    finally:
        booted.kill()


def test_a_root_that_was_altered_by_a_byte_is_not_started(
    disk: Path, variables: Path, tmp_path: Path
) -> None:
    altered = _copied(disk, tmp_path)
    _altered_root(altered, tmp_path)
    booted = _booted(altered, tmp_path / "machine", variables)
    try:
        booted.wait_for("No slot holds the root that was signed", 400)
        assert "systemd[1]" not in booted.said
    finally:
        booted.kill()
