"""Made-up USB devices at the booted machine's ports: put in, found, pulled out.

Speaks with QEMU and reads the kernel's lines, which a machine says only with
`ignore_loglevel`. What the devices are is their own affair.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from imagebuild.machine import Machine
from usb_liar import Plug

FOUND = r"usb (\d+-[\d.]+): New USB device found, idVendor"
PLUG_SECONDS = 90.0


@contextmanager
def joined(machine: Machine, plug: Plug, name: str) -> Iterator[str]:
    """Put a plug in, and tell at which port the kernel found it. Each has its own name."""
    since = len(machine.said)
    address = {"type": "unix", "data": {"path": str(plug.path)}}
    peer = {"type": "socket", "data": {"addr": address, "server": False}}
    machine.tell("chardev-add", id=f"{name}-wire", backend=peer)
    machine.tell("device_add", driver="usb-redir", id=name, chardev=f"{name}-wire")
    port = port_of_newest(machine, since)
    try:
        yield port
    finally:
        pull(machine, name, port)


def port_of_newest(machine: Machine, since: int) -> str:
    """Return where the kernel found a device that was put in since then."""
    machine.wait_for(FOUND, PLUG_SECONDS, since)
    return str(re.findall(FOUND, machine.said[since:])[-1])


def pull(machine: Machine, name: str, port: str) -> None:
    """Pull a device out, and wait until the kernel has seen it."""
    since = len(machine.said)
    machine.tell("device_del", id=name)
    machine.wait_for(f"usb {port}: USB disconnect", PLUG_SECONDS, since)
