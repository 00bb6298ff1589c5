"""Reads what this machine says of itself: release, updater, network cards.

Files, `/proc` and one socket that sends nothing; no program is started, nothing is
changed. What is not there is left empty: a developer's machine has little of it.
"""

from __future__ import annotations

import fcntl
import logging
import shlex
import socket
import struct
import tomllib
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path

import msgspec

from kiosk.machine import NetworkCard, Release, Update

log = logging.getLogger(__name__)

# linux/sockios.h
_SIOCGIFADDR, _SIOCGIFNETMASK = 0x8915, 0x891B
# linux/if.h: the longest name with its end; linux/if_arp.h: Ethernet.
_IFNAMSIZ, _ETHERNET = 16, "1"
# linux/route.h: the route goes over a gateway.
_RTF_GATEWAY = 0x2
_ROOT_WORD = "stillopen.roothash="
# Enough of a root's hash to tell two slots' contents apart; a line of a table.
_HASH_DIGITS, _LONGEST_OUTCOME = 12, 200


class Sources(msgspec.Struct, frozen=True):
    """Where each thing is read."""

    release: Path = Path("/usr/lib/stillopen-release")
    cmdline: Path = Path("/proc/cmdline")
    update: Path = Path("/var/lib/stillopen-updater/status.json")
    network: Path = Path("/var/lib/stillopen-config/network.toml")
    cards: Path = Path("/sys/class/net")
    routes: Path = Path("/proc/net/route")
    resolvers: tuple[Path, ...] = (
        Path("/run/systemd/resolve/resolv.conf"),
        Path("/etc/resolv.conf"),
    )


def release(sources: Sources) -> Release:
    """Return what the root says it is."""
    told: dict[str, str] = {}
    for line in _text(sources.release).splitlines():
        name, _, value = line.partition("=")
        try:
            told[name.strip()] = "".join(shlex.split(value))
        except ValueError:
            log.warning("%s: %s cannot be read", sources.release, name)
    words = _text(sources.cmdline).split()
    roots = [w.removeprefix(_ROOT_WORD) for w in words if w.startswith(_ROOT_WORD)]
    # The first, as the initial file system takes it: firmware can only add words.
    root_hash = roots[0].lower() if roots else ""
    is_hash = len(root_hash) == 64 and set(root_hash) <= set("0123456789abcdef")
    return Release(
        told.get("RELEASE", ""),
        told.get("VARIANT", ""),
        told.get("BUILD", ""),
        told.get("HARDWARE", ""),
        root_hash if is_hash else "",
    )


def update(sources: Sources) -> Update:
    """Return the updater's last word."""
    text = _text(sources.update)
    if not text:
        return Update()
    try:
        return msgspec.json.decode(text, type=Update)
    except msgspec.DecodeError as error:
        log.warning("%s cannot be read: %s", sources.update, error)
        return Update()


def slot_and_outcome(sources: Sources) -> tuple[str, str]:
    """Return the slot that runs and the updater's last outcome, as the back office is
    told them. Without a word from the updater the slot is the root's hash, shortened.
    """
    last = update(sources)
    slot = last.running_slot or release(sources).root_hash[:_HASH_DIGITS]
    outcome = " ".join(filter(None, (last.phase, last.release, last.reason)))
    return slot, outcome[:_LONGEST_OUTCOME]


def cards(sources: Sources) -> tuple[NetworkCard, ...]:
    """Return the wired network cards, as they are now."""
    if not sources.cards.is_dir():
        return ()
    by_hand = _fixed_card(sources)
    gateways, names = _gateways(sources), _resolvers(sources)
    found = []
    for folder in sorted(sources.cards.iterdir()):
        is_wired = _text(folder / "type").strip() == _ETHERNET
        if not (is_wired and (folder / "device").exists()):
            continue
        address = _address(folder.name)
        found.append(
            NetworkCard(
                folder.name,
                address,
                gateways.get(folder.name, ""),
                names if address else (),
                has_link=_text(folder / "carrier").strip() == "1",
                is_fixed=folder.name == by_hand,
            )
        )
    return tuple(found)


def _fixed_card(sources: Sources) -> str:
    """Return the card whose address was set by hand."""
    try:
        told = tomllib.loads(_text(sources.network))
    except tomllib.TOMLDecodeError:
        return ""
    return str(told.get("interface", "")) if told.get("address") else ""


def _address(card: str) -> str:
    """Return a card's IPv4 address with its prefix (netdevice(7)), or nothing."""
    asked = struct.pack(f"{_IFNAMSIZ}s16x", card.encode()[: _IFNAMSIZ - 1])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
        try:
            address, mask = (
                IPv4Address(fcntl.ioctl(wire, code, asked)[20:24])
                for code in (_SIOCGIFADDR, _SIOCGIFNETMASK)
            )
        except OSError:
            return ""
    return IPv4Interface(f"{address}/{mask}").with_prefixlen


def _gateways(sources: Sources) -> dict[str, str]:
    """Return each card's default gateway (proc(5), /proc/net/route)."""
    found: dict[str, str] = {}
    for line in _text(sources.routes).splitlines()[1:]:
        match line.split():
            case [card, "00000000", gateway, flags, *_] if (
                int(flags, 16) & _RTF_GATEWAY
            ):
                # The kernel prints the address as its own word.
                packed = struct.pack("=I", int(gateway, 16))
                found.setdefault(card, str(IPv4Address(packed)))
            case _:
                pass
    return found


def _resolvers(sources: Sources) -> tuple[str, ...]:
    for path in sources.resolvers:
        lines = (line.split() for line in _text(path).splitlines())
        names = tuple(w[1] for w in lines if len(w) > 1 and w[0] == "nameserver")
        if names:
            return names[:3]
    return ()


def _text(path: Path) -> str:
    """Return a file's text; empty when it is not there or no text."""
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
