"""What may be asked of the lane over its socket, and what it answers: a line each way.

The updater asks; sync never does. Nothing here decides anything.
"""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TypeAlias

import msgspec

# The lane answers in milliseconds; one that takes this long is stuck.
ANSWER_SECONDS = 5.0
_LONGEST_ANSWER = 64 * 1024


class StatusAsked(msgspec.Struct, frozen=True, tag=True):
    """How is the lane?"""


class LeaseAsked(msgspec.Struct, frozen=True, tag=True):
    """May the machine restart into this release now?"""

    release: str


class LaneStatus(msgspec.Struct, frozen=True, tag=True):
    """How the lane is.

    `drawn_seconds` is how long ago its first picture was on the glass, and
    `beat_seconds` how long ago the screen last showed that it lives; both are -1 for
    never. `journal` is `checking`, `good`, or what is wrong with it. `devices` are
    those that told their health since this start: ready, degraded, absent. `refusal`
    is why a lease would be refused now; `lease` the release it is closed for.
    """

    release: str
    drawn_seconds: float
    beat_seconds: float
    journal: str
    devices: dict[str, str]
    refusal: str
    lease: str


class LeaseAnswer(msgspec.Struct, frozen=True, tag=True):
    """Whether the lane closed for the update; `refusal` is empty if it did."""

    refusal: str


Question: TypeAlias = StatusAsked | LeaseAsked
Answer: TypeAlias = LaneStatus | LeaseAnswer

_decoder: msgspec.json.Decoder[Answer] = msgspec.json.Decoder(Answer)


def ask(
    path: Path, question: Question, seconds: float = ANSWER_SECONDS
) -> Answer | None:
    """Return the lane's answer, or nothing when it does not give one in time."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as link:
            link.settimeout(seconds)
            link.connect(str(path))
            link.sendall(msgspec.json.encode(question) + b"\n")
            with link.makefile("rb") as lines:
                return _decoder.decode(lines.readline(_LONGEST_ANSWER))
    except (OSError, msgspec.DecodeError):
        # A lane that is not there, is stuck, or is of a release without this answer.
        return None
