"""The root file system: Debian's packages, the lane's own, and Ansible's roles over it.

Every stage leaves a whole tree behind. Runs as root: the files of a root are root's.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from imagebuild import packages
from imagebuild.stage import CACHE, PROJECT, BuildError, Stage, need, remove, run

ANSIBLE = PROJECT / "ansible"
LANE_LOCK = PROJECT / "image-build" / "lock" / "lane.lock"
TOOLS = CACHE / "tools"
_PYTHON = "3.13"
_SITE = "usr/lib/stillopen"
# A root holds no simulator and no bench, and nothing that asks for the back office's
# libraries: its program, and the fleet's commands, which speak its words.
SKIPPED = shutil.ignore_patterns(
    "__pycache__", "simulated", "bench", "backoffice", "fleet"
)
_RECAP = re.compile(r"changed=(\d+).*failed=(\d+)")
# What builds an image, and the Debian package that it comes from.
_NEEDED = {
    "mmdebstrap": "mmdebstrap",
    "apt-ftparchive": "apt-utils",
    "mksquashfs": "squashfs-tools",
    "veritysetup": "cryptsetup-bin",
    "sfdisk": "fdisk",
    "mformat": "mtools",
    "dpkg-deb": "dpkg",
    "sbsign": "sbsigntool",
    "cpio": "cpio",
    "openssl": "openssl",
}


def base(repository: Stage, folder: Path) -> None:
    """Install the locked packages."""
    run(
        [
            "mmdebstrap",
            "--variant=minbase",
            f"--include={','.join(packages.names())}",
            '--aptopt=APT::Install-Recommends "false"',
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/man/*",
            # Licences must go with what they allow to be handed on.
            "--dpkgopt=path-include=/usr/share/doc/*/copyright",
            "--skip=check/qemu",
            packages.SUITE,
            str(folder / "root"),
            f"deb [trusted=yes] copy:{repository.folder} ./",
        ],
        log=CACHE / "base.log",
    )


def lane(folder: Path) -> None:
    """Install the lane's Python packages and the lane itself."""
    run(
        [
            *(sys.executable, "-m", "pip", "-q", "install", "--no-deps"),
            *("--target", str(folder / "site"), "--python-version", _PYTHON),
            *("--platform", "manylinux_2_28_x86_64", "--only-binary", ":all:"),
            *("--platform", "manylinux_2_17_x86_64", "--implementation", "cp"),
            *("--require-hashes", "--disable-pip-version-check", "--no-compile"),
            # The hashes say which files; the Python that runs pip is not the lane's.
            "--ignore-requires-python",
            *("--report", str(folder / "report.json")),
            *("-r", str(LANE_LOCK)),
        ]
    )
    source, wheels = folder / "source", folder / "wheels"
    source.mkdir()
    for name in ("kiosk", "hardware"):
        shutil.copytree(PROJECT / name, source / name, ignore=SKIPPED)
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(PROJECT / name, source / name)
    quiet = ("-q", "--disable-pip-version-check", "--no-deps")
    pip = [sys.executable, "-m", "pip"]
    run([*pip, "wheel", *quiet, "--no-build-isolation", "-w", str(wheels), str(source)])
    (wheel,) = wheels.glob("*.whl")
    run([*pip, "install", *quiet, "--target", str(folder / "site"), str(wheel)])
    for left in (source, wheels, folder / "site" / "bin"):
        remove(left)
    forget_origin(folder / "site")


def forget_origin(site: Path) -> None:
    """Remove where on the build machine a package came from: no business of a kiosk's."""
    for note in site.glob("*.dist-info/direct_url.json"):
        note.unlink()
        record = note.with_name("RECORD")
        lines = record.read_text().splitlines(keepends=True)
        record.write_text("".join(x for x in lines if "direct_url.json" not in x))


def ansible(base_stage: Stage, lane_stage: Stage, folder: Path) -> None:
    """Apply the roles; a second run must find nothing to do."""
    root = folder / "root"
    run(["cp", "-a", "--reflink=auto", str(base_stage.folder / "root"), str(root)])
    shutil.copytree(lane_stage.folder / "site", root / _SITE, symlinks=True)
    (root / "usr/sbin/policy-rc.d").write_text("#!/bin/sh\nexit 101\n")
    (root / "usr/sbin/policy-rc.d").chmod(0o755)
    with mounted(root):
        for number in (1, 2):
            told = run(
                [
                    str(TOOLS / "bin" / "ansible-playbook"),
                    *("--connection", "community.general.chroot"),
                    *("--inventory", f"{root},", "image.yml"),
                ],
                log=CACHE / f"ansible-{number}.log",
                ANSIBLE_CONFIG=str(ANSIBLE / "ansible.cfg"),
                ANSIBLE_LOCAL_TEMP=str(CACHE / "ansible-tmp"),
                folder=ANSIBLE,
            )
            found = _RECAP.search(told)
            if found is None or found[2] != "0":
                raise BuildError(f"Ansible did not finish; see {CACHE}/ansible-1.log")
            if number == 2 and found[1] != "0":
                raise BuildError(
                    f"A second run of the roles changed {found[1]} things: they do not"
                    f" settle. See {CACHE}/ansible-2.log."
                )


@contextmanager
def mounted(root: Path) -> Iterator[None]:
    """Mount what programs in a chroot need, and take it away again, come what may."""
    mounts = [("proc", "proc"), ("sysfs", "sys"), ("devtmpfs", "dev")]
    done: list[str] = []
    try:
        for kind, place in mounts:
            run(["mount", "-t", kind, kind, str(root / place)])
            done.append(str(root / place))
        yield
    finally:
        for place in reversed(done):
            run(["umount", "--lazy", place])


def need_tools() -> None:
    """Raise for whoever cannot make files of root, or has not what builds them."""
    if os.geteuid() != 0:
        raise BuildError("The image is made as root: sudo make image")
    need(_NEEDED, "build the image")
