"""What the lane may ask of the caretaker, and what it can hear: a closed list.

One line of JSON each way over a Unix socket. No request carries a path, a command or
a name of a device; who asks is in it for the log alone.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TypeAlias

import msgspec

from kiosk.domain.network import NetworkSetting

SOCKET = Path("/run/stillopen-caretaker/socket")
# The longest request is a network setting.
LONGEST_LINE = 4096


class _Shape(
    msgspec.Struct,
    frozen=True,
    tag=True,
    forbid_unknown_fields=True,
    omit_defaults=True,
):
    """Unknown fields are refused: nobody speaks to the caretaker by chance."""

    attendant: str = ""


class SetNetwork(_Shape, frozen=True):
    """Set one network card to DHCP or to a fixed IPv4 address, now and at each start."""

    setting: NetworkSetting = NetworkSetting()


class ExportLogs(_Shape, frozen=True):
    """Write the system's log to the USB stick."""


class CopyBundle(_Shape, frozen=True):
    """Copy the one update on the USB stick into the updater's inbox."""


class FactoryReset(_Shape, frozen=True):
    """Mark this machine to be erased at its next start, and restart it."""


class Restart(_Shape, frozen=True):
    """Restart the machine."""


Request: TypeAlias = SetNetwork | ExportLogs | CopyBundle | FactoryReset | Restart


class Outcome(Enum):
    """How a request ended. The screen has words for each."""

    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"
    NO_ANSWER = "no_answer"
    UNREACHABLE = "unreachable"
    NO_STICK = "no_stick"
    SEVERAL_STICKS = "several_sticks"
    STICK_UNREADABLE = "stick_unreadable"
    STICK_LOCKED = "stick_locked"
    STICK_FULL = "stick_full"
    STICK_PULLED = "stick_pulled"
    NO_BUNDLE = "no_bundle"
    SEVERAL_BUNDLES = "several_bundles"
    DISK_FULL = "disk_full"
    UNSENT_SALES = "unsent_sales"
    BAD_NETWORK = "bad_network"


class Progress(msgspec.Struct, frozen=True, tag=True):
    """So many bytes were written so far."""

    done_bytes: int


class Answer(msgspec.Struct, frozen=True, tag=True):
    """What came of the request; `detail` is for the technician."""

    outcome: Outcome
    detail: str = ""


Reply: TypeAlias = Progress | Answer

request_decoder: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
reply_decoder: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)
