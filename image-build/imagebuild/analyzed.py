"""Where a booted machine's time went, told by its own systemd on its serial line.

Says how a machine is asked (units that firmware hands to its PID 1, which no disk holds)
and reads the answer. Boots nothing.
"""

from __future__ import annotations

import base64
import re

import msgspec

LANE = "stillopen-lane.service"
_UNIT = "stillopen-report.service"
# Said last, by a program that every root has.
END = "stillopen report ends"
# The lane is left out, and nothing else: what a condition leaves out has not failed.
NO_LANE = "ConditionPathExists=/the-lane-is-left-out"
_ASKING = f"""\
[Unit]
Description=What systemd says of this start
[Service]
Type=simple
Environment=LANG=C.UTF-8
# Nothing is told before the start is done with, and no shell is needed to wait for it.
ExecStart=-/usr/bin/systemctl is-system-running --wait
ExecStopPost=-/usr/bin/systemd-analyze --no-pager time
ExecStopPost=-/usr/bin/systemd-analyze --no-pager blame
ExecStopPost=-/usr/bin/systemd-analyze --no-pager critical-chain
ExecStopPost=-/usr/bin/echo {END}
TimeoutStartSec=infinity
TimeoutStopSec=300
"""
_FROM = re.compile(r"^\[ *[0-9.]+\] ([\w-]+)\[\d+\]: (.*)$", re.M)
_TIME = re.compile(r"(?:(\d+)min ?)?(?:([0-9.]+)s|(\d+)ms)?")
_BLAMED = re.compile(r"^ *((?:\d+min )?[0-9.]+m?s) (\S+\.\w+)$")
_STARTUP = re.compile(r"^Startup finished in .* = (.+?)\s*$")
_CHAIN = re.compile(r"^\S+\.target @|^ *(└─|`-)")
_REACHED = re.compile(r"^\S+\.target reached after ")


class Analysis(msgspec.Struct, frozen=True):
    """What `systemd-analyze` told: the whole, the slowest units, the chain they form."""

    startup: list[str]
    seconds: float
    blame: list[tuple[float, str]]
    chain: list[str]


def without_lane() -> str:
    """Return the string of firmware that leaves the lane out of a start."""
    return _credential(f"systemd.unit-dropin.{LANE}", f"[Unit]\n{NO_LANE}\n")


def asking() -> list[str]:
    """Return the strings of firmware that make a machine tell of its start."""
    wanting = f"[Unit]\nWants={_UNIT}\n"
    return [
        _credential(f"systemd.extra-unit.{_UNIT}", _ASKING),
        _credential("systemd.unit-dropin.multi-user.target~report", wanting),
    ]


def analysis(said: str) -> Analysis | None:
    """Return what the machine told on its serial line; None: it told nothing."""
    lines = [words for name, words in _FROM.findall(said) if name == "systemd-analyze"]
    totals = [found[1] for line in lines if (found := _STARTUP.match(line))]
    if not totals:
        return None
    startup = [x for x in lines if _STARTUP.match(x) or _REACHED.match(x)]
    blame = [(seconds(m[1]), m[2]) for line in lines if (m := _BLAMED.match(line))]
    chain = [line for line in lines if _CHAIN.match(line)]
    return Analysis(startup, seconds(totals[-1]), blame, chain)


def seconds(words: str) -> float:
    """Return how long `1min 2.345s`, `12.3s` or `56ms` is."""
    if not words or (found := _TIME.fullmatch(words)) is None:
        raise ValueError(f"{words!r} is no length of time")
    minutes, whole, milli = found.groups()
    return 60 * int(minutes or 0) + float(whole or 0) + int(milli or 0) / 1000


def _credential(name: str, text: str) -> str:
    packed = base64.b64encode(text.encode()).decode()
    return f"io.systemd.credential.binary:{name}={packed}"
