"""A machine that boots the image: QEMU with firmware, told and watched through QMP.

Emulated by software unless told otherwise: a paravirtual KVM may exist and run neither
firmware nor kernel. The built disk is never written: each machine has its own layer over
it, its own firmware variables and its own TPM, and keeps them when its plug is pulled.
"""

from __future__ import annotations

import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from imagebuild.stage import run

FIRMWARE = Path("/usr/share/OVMF")
# As a kiosk's disk: the rest becomes STATE and DATA.
DISK_GIB = 8
# QEMU 7.2 emulates AVX, and what Mesa's llvmpipe compiles for it ends in SIGSEGV.
_CPU = "max,avx=off,avx2=off,f16c=off,fma=off"
# With two, firmware was seen to hang at a warm restart; and two machines share two cores.
_PROCESSORS = "1"
_SCREEN = "virtio-vga,xres=1024,yres=768"
# What the machine id follows from.
_UUID = "5ee1f0e5-7a11-4b0a-9d6e-0123456789ab"
# What tests add to the kernel's command line: a serial line to read, and patience.
WORDS = (
    "console=ttyS0 loglevel=5 systemd.journald.forward_to_console=1"
    " systemd.journald.max_level_console=info"
    # A busy machine that emulates another one takes long over everything.
    " systemd.default_device_timeout_sec=300"
)
_ESCAPES = re.compile(r"\x1b\[[0-9;?=]*[a-zA-Z]")


class MachineError(Exception):
    """The machine did not do in time what was waited for."""


class Machine:
    """One machine in a folder: its disk's layer, TPM, serial log and pictures.

    With `log`, each write and each flush of one run is logged there (QEMU's
    blklogwrites), and the guest is told of a disk that keeps writes back, so that it
    flushes; without, it is told that every write is on disk at once.

    `variables` are the firmware's at first; with `secure`, firmware checks signatures by
    the keys that they hold. The disk is the shipped one: `WORDS`, which let it tell what
    it does, reach its kernel by the firmware's own strings (SMBIOS type 11; systemd-stub(7)).
    """

    def __init__(
        self,
        disk: Path,
        folder: Path,
        *,
        variables: Path = FIRMWARE / "OVMF_VARS_4M.fd",
        secure: bool = False,
        extra: Sequence[str] = (),
        more_words: str = "",
        log: Path | None = None,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.serial = folder / "serial.log"
        self._secure, self._extra = secure, list(extra)
        self.more_words = more_words
        # What else firmware tells (SMBIOS type 11): credentials for the guest's PID 1.
        self.told: Sequence[str] = ()
        self.log = log
        self._layer, self._variables = folder / "disk.qcow2", folder / "vars.fd"
        if not self._layer.exists():
            backing = f"backing_file={disk.resolve()},backing_fmt=raw"
            create = ["qemu-img", "create", "-q", "-f", "qcow2", "-o", backing]
            run([*create, str(self._layer), f"{DISK_GIB}G"])
        if not self._variables.exists():
            shutil.copyfile(variables, self._variables)
        self._starts = 0
        self._begun = 0.0
        self._process: subprocess.Popen[bytes] | None = None

    # -- power -------------------------------------------------------------

    def start(self, *more: str) -> None:
        """Give it power, with more options of QEMU's until its plug is pulled.

        What it said before stays in numbered logs.
        """
        drive = self._drive()
        if self.serial.exists():
            self._starts += 1
            self.serial.rename(self.folder / f"serial-{self._starts}.log")
        self._begun = time.monotonic()
        self._tpm = self._start_tpm()
        code = "OVMF_CODE_4M.secboot.fd" if self._secure else "OVMF_CODE_4M.fd"
        secure = ["-global", "driver=cfi.pflash01,property=secure,value=on"]
        self._process = subprocess.Popen(
            [
                *("qemu-system-x86_64", "-machine", "q35,smm=on,i8042=off"),
                *("-accel", "tcg,thread=single", "-cpu", _CPU),
                *("-smp", _PROCESSORS),
                *("-m", "2048", "-nodefaults", "-display", "none"),
                *("-uuid", _UUID, "-smbios", self._strings),
                *(secure if self._secure else []),
                "-drive",
                f"if=pflash,format=raw,unit=0,readonly=on,file={FIRMWARE / code}",
                "-drive",
                f"if=pflash,format=raw,unit=1,file={self._variables}",
                *("-drive", drive),
                *("-device", _SCREEN),
                *("-device", "qemu-xhci,p2=8,p3=8", "-device", "usb-kbd"),
                *("-device", "i6300esb", "-action", "watchdog=reset"),
                *("-chardev", f"socket,id=tpm,path={self._tpm_socket}"),
                *("-tpmdev", "emulator,id=tpm0,chardev=tpm"),
                *("-device", "tpm-crb,tpmdev=tpm0"),
                *("-serial", f"file:{self.serial}"),
                *("-qmp", f"unix:{self.folder / 'qmp'},server=on,wait=off"),
                *self._extra,
                *more,
            ],
            stderr=(self.folder / "qemu.log").open("ab"),
        )
        self._qmp = self._greeted()

    def flatten(self, target: Path) -> None:
        """Write its disk as it is now to a raw file: what a log goes on from."""
        if self.is_running:
            raise MachineError("its disk is copied while it has no power")
        convert = ["qemu-img", "convert", "-f", "qcow2", "-O", "raw"]
        run([*convert, str(self._layer), str(target)])

    def kill(self) -> None:
        """Pull the plug."""
        if self._process is None:
            return
        self._process.kill()
        self._process.wait()
        self._qmp.close()
        self._tpm.kill()
        self._tpm.wait()

    @property
    def is_running(self) -> bool:
        """Whether it still has power."""
        return self._process is not None and self._process.poll() is None

    @property
    def seconds(self) -> float:
        """For how long it has had power."""
        return time.monotonic() - self._begun

    def _drive(self) -> str:
        if self.log is None:
            return f"if=virtio,format=qcow2,file={self._layer},cache=writethrough"
        if self.log.exists() and self.log.stat().st_size:
            # What the last run wrote after its last flush is in no log.
            raise MachineError(f"{self.log} is of another run: flatten, log anew")
        self.log.touch()
        # The host's own flushes are for a host that loses its power.
        return (
            "if=virtio,cache=writeback,driver=blklogwrites,log-sector-size=512"
            ",log-super-update-interval=1"
            f",file.driver=qcow2,file.file.driver=file,file.file.filename={self._layer}"
            ",file.file.cache.no-flush=on"
            f",log.driver=file,log.filename={self.log},log.cache.no-flush=on"
        )

    @property
    def _strings(self) -> str:
        words = f"{WORDS} {self.more_words}".strip()
        told = [f"io.systemd.stub.kernel-cmdline-extra={words}", *self.told]
        # QEMU splits its options at commas; two stand for one.
        return "type=11" + "".join(f",value={one.replace(',', ',,')}" for one in told)

    @property
    def _tpm_socket(self) -> Path:
        return self.folder / "tpm.sock"

    def _start_tpm(self) -> subprocess.Popen[bytes]:
        state = self.folder / "tpm"
        state.mkdir(exist_ok=True)
        self._tpm_socket.unlink(missing_ok=True)
        process = subprocess.Popen(
            [
                *("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}"),
                *("--ctrl", f"type=unixio,path={self._tpm_socket}"),
                *("--flags", "startup-clear"),
            ],
            stderr=(self.folder / "swtpm.log").open("ab"),
        )
        until(self._tpm_socket.exists, 20, "the TPM's socket")
        return process

    # -- what it is told ---------------------------------------------------

    def _greeted(self) -> socket.socket:
        path = str(self.folder / "qmp")
        link = socket.socket(socket.AF_UNIX)

        def answers() -> bool:
            if not self.is_running:
                raise MachineError((self.folder / "qemu.log").read_text()[-500:])
            return link.connect_ex(path) == 0

        until(answers, 20, "QEMU's socket")
        self._reader = link.makefile("r")
        self._reader.readline()
        link.sendall(b'{"execute": "qmp_capabilities"}\n')
        self._reader.readline()
        return link

    def tell(self, command: str, **arguments: Any) -> Any:
        """Give one QMP order and return its answer."""
        order = {"execute": command, "arguments": arguments}
        self._qmp.sendall(json.dumps(order).encode() + b"\n")
        while True:
            answer = json.loads(self._reader.readline())
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise MachineError(answer["error"]["desc"])

    def press(self, *keys: str) -> None:
        """Press keys together on the machine's only keyboard."""
        self.tell("send-key", keys=[{"type": "qcode", "data": key} for key in keys])

    # -- what it shows -----------------------------------------------------

    def picture(self, name: str) -> Path:
        """Keep what the screen shows as a PNG."""
        path = self.folder / f"{name}.png"
        self.tell("screendump", filename=str(path), format="png")
        return path

    @property
    def said(self) -> str:
        """What came over its serial line since it got power."""
        if not self.serial.exists():
            return ""
        return _ESCAPES.sub("", self.serial.read_text(errors="replace"))

    def wait_for(self, words: str, seconds: float, since: int = 0) -> float:
        """Wait until the serial line says it (a regular expression).

        Looks only at what follows the first `since` characters. Returns the seconds since
        power came. Raises `MachineError`.
        """
        pattern = re.compile(words)
        until(lambda: bool(pattern.search(self.said, since)), seconds, words)
        return self.seconds


def until(is_so: Callable[[], bool], seconds: float, what: str) -> None:
    """Wait until it is so. Raises `MachineError` after so many seconds."""
    end = time.monotonic() + seconds
    while not is_so():
        if time.monotonic() > end:
            raise MachineError(f"not within {seconds:.0f} s: {what}")
        # Neither QEMU nor its guest wakes whoever waits: look again now and then.
        time.sleep(0.2)
