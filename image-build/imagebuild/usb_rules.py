"""USBGuard's rules, made from the list of a kiosk's devices in `hardware/profiles/usb`.

Run as `python3 -m imagebuild.usb_rules > ansible/roles/usb/files/rules.conf`. Writes no
rule that lets a device in by its id alone, and none for storage, networks or wireless.
"""

from __future__ import annotations

import re
import sys
import tomllib
from pathlib import Path
from typing import Annotated

import msgspec

from imagebuild.stage import PROJECT, BuildError

DEVICES = PROJECT / "hardware" / "profiles" / "usb"
RULES = PROJECT / "ansible" / "roles" / "usb" / "files" / "rules.conf"
_INTERFACE = re.compile(r"([0-9a-f]{2}:[0-9a-f]{2}:[0-9a-f]{2})(?: x([1-9][0-9]?))?")
# USB-IF class codes: what a kiosk never has, whoever says so.
_NEVER = {
    "08": "storage",
    "e0": "a wireless adapter",
    "09": "a hub (those have rules of their own)",
}
# Communication devices that are network cards: ECM, EEM, NCM, MBIM, mobile (CDC 1.2).
_NETWORK = {"02:06", "02:0c", "02:0d", "02:0e", "02:08"}
# Hubs of one speed, of two, and with one or many translators (USB 2.0, 11.23.1).
_HUBS = (
    ("09:00:00",),
    ("09:00:01",),
    ("09:00:02",),
    ("09:00:03",),
    ("09:00:01", "09:00:02"),
)
_HEAD = """\
# Made by imagebuild/usb_rules.py from hardware/profiles/usb. Do not edit.
# What no rule lets in is blocked (ImplicitPolicyTarget).
"""


class Device(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of device that is let in."""

    name: Annotated[str, msgspec.Meta(min_length=1)]
    # Hexadecimal digits as the kernel writes them: small letters.
    usb: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{4}:[0-9a-f]{4}$")]
    interfaces: Annotated[tuple[str, ...], msgspec.Meta(min_length=1)]
    serial: Annotated[str, msgspec.Meta(pattern=r"^[\x20-\x7e]{0,126}$")] = ""
    port: Annotated[str, msgspec.Meta(pattern=r"^([0-9]+-[0-9.]+)?$")] = ""

    def kinds(self) -> list[str]:
        """Return each interface, alternate settings counted. Raises `BuildError`."""
        kinds: list[str] = []
        for text in self.interfaces:
            found = _INTERFACE.fullmatch(text)
            if found is None:
                raise BuildError(
                    f"{self.name}: {text!r} is no interface; expected 03:01:01 or"
                    " 0e:02:00 x12"
                )
            kind = found[1]
            if never := _NEVER.get(kind[:2]):
                raise BuildError(
                    f"{self.name}: {kind} is {never}: not let in by a list"
                )
            if kind[:5] in _NETWORK:
                raise BuildError(f"{self.name}: {kind} is a network card")
            kinds += [kind] * int(found[2] or 1)
        return kinds

    def rule(self) -> str:
        """Return the line that lets it in."""
        words = [f"allow id {self.usb}"]
        if self.serial:
            quoted = self.serial.replace("\\", "\\\\").replace('"', '\\"')
            words.append(f'serial "{quoted}"')
        if self.port:
            words.append(f'via-port "{self.port}"')
        words.append(_equal(self.kinds()))
        return " ".join(words)


class _List(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    device: tuple[Device, ...]


def devices(folder: Path = DEVICES) -> list[Device]:
    """Read every list in the folder. Raises `BuildError` for what is wrong in one."""
    found: list[Device] = []
    for file in sorted(folder.glob("*.toml")):
        try:
            table = tomllib.loads(file.read_text(encoding="utf-8"))
            found += msgspec.convert(table, _List).device
        except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
            raise BuildError(f"{file.name}: {error}") from error
    return found


def rules(listed: list[Device]) -> str:
    """Return the whole file of rules."""
    lines = [_HEAD]
    for interfaces in _HUBS:
        lines.append(f"allow {_equal(interfaces)}\n")
    for device in listed:
        lines.append(f"# {device.name}\n{device.rule()}\n")
    return "".join(lines)


def _equal(interfaces: tuple[str, ...] | list[str]) -> str:
    # USBGuard's `equals` compares the numbers, and looks for each of the rule's own in
    # the device: where a kind stands twice, the device has room for another. In order,
    # each is compared with its like.
    repeats = len(set(interfaces)) < len(interfaces)
    word = "equals-ordered" if repeats else "equals"
    return f"with-interface {word} {{ " + " ".join(interfaces) + " }"


if __name__ == "__main__":
    sys.stdout.write(rules(devices()))
