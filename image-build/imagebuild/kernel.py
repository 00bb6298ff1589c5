"""The kernel, its initial file system and its command line as one file, and its signing.

Unsigned, the same inputs give the same bytes. Signing adds what the TPM must see before
it unlocks DATA (a signed PCR 11 policy), and the signature that firmware asks for.
"""

from __future__ import annotations

import shlex
from pathlib import Path

from imagebuild.keys import Keys
from imagebuild.root import TOOLS
from imagebuild.stage import Stage, run

COMMAND_LINE = (
    "boot=stillopen ro quiet loglevel=3 systemd.show_status=false"
    " vt.global_cursor_default=0 panic=10 rd.systemd.gpt_auto=no systemd.gpt_auto=no"
    # Drivers that find the loader's watchdog running have the kernel feed it for ever,
    # unless somebody opens it in time: a start that hangs before systemd must end.
    " watchdog.open_timeout=120"
    # Nobody types; nothing unsigned is loaded.
    " sysrq_always_enabled=0 module.sig_enforce=1 lockdown=integrity"
    " systemd.machine_id=firmware"
    # Units and settings come from the root, not from firmware's strings or the ESP.
    " systemd.import_credentials=no"
    # No USB device is used before usbguard let it in.
    " usbcore.authorized_default=0"
)
LOADER = "usr/lib/x86_64-linux-gnu/efibootguard/efibootguardx64.efi"


class Sources:
    """The stages that a kernel file is made of."""

    def __init__(self, tools: Stage, final: Stage, root: Stage) -> None:
        self.tools, self.final, self.root = tools, final, root

    def build(self, target: Path, keys: Keys | None = None, words: str = "") -> None:
        """Write the kernel file, signed when there are keys; `words` is told it more."""
        root_hash, offset = (
            (self.root.folder / name).read_text() for name in ("roothash", "offset")
        )
        line = (
            f"{COMMAND_LINE} stillopen.roothash={root_hash}"
            f" stillopen.hashoffset={offset}{words}"
        )
        stub = self.tools.folder / "root/usr/lib/systemd/boot/efi/linuxx64.efi.stub"
        signing = self._signing(target.parent, keys) if keys else []
        run(
            [
                str(TOOLS / "bin/python"),
                str(self.tools.folder / "root/usr/bin/ukify"),
                "build",
                f"--linux={self.final.folder / 'vmlinuz'}",
                f"--initrd={self.final.folder / 'initrd'}",
                f"--stub={stub}",
                f"--os-release=@{self.final.folder / 'root/usr/lib/os-release'}",
                f"--cmdline={line}",
                *signing,
                f"--output={target}",
            ]
        )

    def program(self, place: str) -> list[str]:
        """Return how to run one of the root's programs here, with its own libraries."""
        root = self.final.folder / "root"
        library = root / "usr/lib/x86_64-linux-gnu"
        return [
            str(library / "ld-linux-x86-64.so.2"),
            "--library-path",
            f"{library}:{library / 'systemd'}",
            str(root / place),
        ]

    def _signing(self, folder: Path, keys: Keys) -> list[str]:
        # Debian 12's systemd-measure knows no signed policy: run the root's own.
        measure = folder / "systemd-measure"
        words = self.program("usr/lib/systemd/systemd-measure")
        # DATA is unlocked before anything is measured after the kernel: no phase.
        measure.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@" --phase=\n')
        measure.chmod(0o755)
        return [
            f"--tools={folder}",
            f"--pcr-private-key={keys.private('pcr')}",
            f"--pcr-public-key={keys.public('pcr')}",
            "--pcr-banks=sha256",
            "--signtool=sbsign",
            f"--secureboot-private-key={keys.private('secure-boot')}",
            f"--secureboot-certificate={keys.public('secure-boot')}",
        ]


def unsigned(sources: Sources, folder: Path) -> None:
    """Make the kernel file that two builds of one commit share."""
    sources.build(folder / "kernel.efi")


def signed(sources: Sources, keys: Keys, folder: Path) -> None:
    """Make the kernel file and the boot loader that firmware accepts."""
    sources.build(folder / "kernel.efi", keys)
    sign(sources.final.folder / "root" / LOADER, folder / "loader.efi", keys)


def sign(source: Path, target: Path, keys: Keys) -> None:
    """Sign one program for UEFI Secure Boot."""
    run(
        [
            *("sbsign", "--key", str(keys.private("secure-boot"))),
            *("--cert", str(keys.public("secure-boot"))),
            *("--output", str(target), str(source)),
        ]
    )
