"""A machine that boots the image: QEMU with firmware, told and watched through QMP.

Emulated by software unless told otherwise: a paravirtual KVM may exist and run neither
firmware nor kernel. The disk is never written: each machine has its own layer over it.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from imagebuild.stage import run

FIRMWARE = Path("/usr/share/OVMF")
# QEMU 7.2 emulates AVX, and what Mesa's llvmpipe compiles for it ends in SIGSEGV.
_CPU = "max,avx=off,avx2=off,f16c=off,fma=off"


class Machine:
    """One machine in a folder: its disk's layer, serial log and pictures."""

    def __init__(self, disk: Path, folder: Path, extra: Sequence[str] = ()) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.serial = folder / "serial.log"
        self._socket = folder / "qmp"
        layer, variables = folder / "disk.qcow2", folder / "vars.fd"
        if not layer.exists():
            backing = f"backing_file={disk.resolve()},backing_fmt=raw"
            run(["qemu-img", "create", "-q", "-f", "qcow2", "-o", backing, str(layer)])
        if not variables.exists():
            shutil.copyfile(FIRMWARE / "OVMF_VARS_4M.fd", variables)
        code = FIRMWARE / "OVMF_CODE_4M.fd"
        self._process = subprocess.Popen(
            [
                *("qemu-system-x86_64", "-machine", "q35,smm=on,i8042=off"),
                *("-accel", "tcg,thread=multi", "-cpu", _CPU, "-smp", "2"),
                *("-m", "2048", "-nodefaults", "-display", "none"),
                *("-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={code}"),
                *("-drive", f"if=pflash,format=raw,unit=1,file={variables}"),
                *("-drive", f"if=virtio,format=qcow2,file={layer}"),
                *("-device", "virtio-vga,xres=800,yres=600"),
                *("-device", "qemu-xhci", "-device", "usb-kbd"),
                *("-serial", f"file:{self.serial}"),
                *("-qmp", f"unix:{self._socket},server=on,wait=off"),
                *(
                    "-netdev",
                    "user,id=net,restrict=on",
                    "-device",
                    "virtio-net,netdev=net",
                ),
                *extra,
            ],
            stderr=(folder / "qemu.log").open("wb"),
        )
        self._qmp = self._greeted()

    def _greeted(self) -> socket.socket:
        until = time.monotonic() + 20
        while True:
            try:
                link = socket.socket(socket.AF_UNIX)
                link.connect(str(self._socket))
                break
            except OSError:
                if time.monotonic() > until or self._process.poll() is not None:
                    raise
                # QEMU makes its socket some time after it started, and says nothing.
                time.sleep(0.05)
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
                raise OSError(answer["error"]["desc"])

    def picture(self, name: str) -> Path:
        """Keep what the screen shows as a PNG."""
        path = self.folder / f"{name}.png"
        self.tell("screendump", filename=str(path), format="png")
        return path

    def press(self, *keys: str) -> None:
        """Press keys together on the machine's only keyboard."""
        self.tell("send-key", keys=[{"type": "qcode", "data": key} for key in keys])

    def kill(self) -> None:
        """Pull the plug."""
        self._process.kill()
        self._process.wait()
        self._qmp.close()

    @property
    def is_running(self) -> bool:
        """Whether it still has power."""
        return self._process.poll() is None
