"""EFI Boot Guard's two environments, as `bg_printenv` tells them. Values only.

The boot loader starts the environment of the highest revision. An update is INSTALLED
until it was started once, TESTING from then on, and OK when it was confirmed; one that
is still TESTING at the next start becomes FAILED, with revision 0, and the other is
started. (efibootguard, docs/UPDATE.md and env/fatvars.c.)
"""

from __future__ import annotations

import re
from enum import Enum, IntEnum

import msgspec


class Slot(Enum):
    """One of the two places that hold a release."""

    A = "a"
    B = "b"

    @property
    def other(self) -> Slot:
        return Slot.B if self is Slot.A else Slot.A

    @property
    def root_label(self) -> str:
        """The partition label of its root."""
        return f"ROOT_{self.value.upper()}"

    @property
    def boot_label(self) -> str:
        """The partition label of its kernel and environment."""
        return "BOOT0" if self is Slot.A else "BOOT1"

    @property
    def selection(self) -> str:
        """What SWUpdate calls it (`-e stable,...`)."""
        return f"slot_{self.value}"


class Ustate(IntEnum):
    """How far an update is."""

    OK = 0
    INSTALLED = 1
    TESTING = 2
    FAILED = 3
    UNKNOWN = 4


class Environment(msgspec.Struct, frozen=True):
    """One of the two. `kernel` names the partition it starts from."""

    index: int
    revision: int
    ustate: Ustate
    in_progress: bool = False
    kernel: str = ""

    @property
    def slot(self) -> Slot | None:
        """The slot it starts, which is not always the one it is stored beside."""
        for slot in Slot:
            if slot.boot_label in self.kernel:
                return slot
        return None

    @property
    def is_good(self) -> bool:
        """Would the boot loader start it, as one that was confirmed?"""
        return self.revision > 0 and self.ustate is Ustate.OK and not self.in_progress


class BootState(msgspec.Struct, frozen=True):
    """Both environments. Which slot runs does not follow from them."""

    environments: tuple[Environment, ...]

    @property
    def latest(self) -> Environment:
        return max(self.environments, key=lambda found: found.revision)

    @property
    def ustate(self) -> Ustate:
        """How the latest update stands; OK where none is on its way."""
        return self.latest.ustate

    def of(self, slot: Slot) -> Environment | None:
        """Return the environment that starts this slot."""
        for found in self.environments:
            if found.slot is slot:
                return found
        return None

    def is_good(self, slot: Slot) -> bool:
        """Can the machine fall back to this slot?"""
        found = self.of(slot)
        return found is not None and found.is_good

    @property
    def has_failed(self) -> bool:
        """Did the boot loader give an update up? So until the next is written."""
        return any(found.ustate is Ustate.FAILED for found in self.environments)


_LINE = re.compile(r"^([A-Z_]+)=(.*)$", re.MULTILINE)


def parse(index: int, told: str) -> Environment | None:
    """Read what `bg_printenv --raw --part INDEX` told.

    Nothing is returned where it told nothing: the tool ends with status 0 even when
    it could not read the environment.
    """
    # User variables follow in the same form: the first of a name is the real one.
    fields: dict[str, str] = {}
    for name, value in _LINE.findall(told):
        fields.setdefault(name, value.strip())
    try:
        ustate = int(fields["USTATE"])
        return Environment(
            index=index,
            revision=int(fields["REVISION"]),
            ustate=Ustate(ustate) if ustate <= Ustate.FAILED else Ustate.UNKNOWN,
            in_progress=fields["IN_PROGRESS"] != "0",
            kernel=fields.get("KERNEL", ""),
        )
    except (KeyError, ValueError):
        return None
