"""Gives up what a reader of pictures never needs: network, disk, memory, other programs.

systemd's sandbox does more; this holds without it too, and where the kernel lacks
Landlock (Linux 5.13) the rest still does. There is no way back. It will never decide
what the process does afterwards.
"""

from __future__ import annotations

import ctypes
import os
import resource
import struct
import sys
from pathlib import Path

from hardware.scanner.source import Source

# The readers' libraries map 440 MB, of which they use 65; a frame needs 20 more.
MEMORY_BYTES = 1024 * 1024 * 1024
OPEN_FILES = 32
_CLONE_NEWNET = 0x40000000
_CLONE_NEWUSER = 0x10000000
_PR_SET_DUMPABLE = 4
_PR_SET_NO_NEW_PRIVS = 38

# linux/landlock.h; the numbers of the calls are those of every architecture.
_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_ASK_VERSION = 1
_PATH_BENEATH = 1
_EXECUTE, _WRITE, _READ_FILE, _READ_DIR, _REMOVE_FILE = 1, 2, 4, 8, 32
_IOCTL_DEVICE = 1 << 15
# Rights over files that each version knows, counted from the lowest bit.
_FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15}
_MOST_FILE_RIGHTS = 16
_OF_FILES = _EXECUTE | _WRITE | _READ_FILE | _IOCTL_DEVICE
_BIND_AND_CONNECT = 3
_SOCKETS_AND_SIGNALS = 3


def confine(source: Source) -> None:
    """Keep only what it takes to look at `source`. Call it before any thread starts."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, OPEN_FILES))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    kernel = ctypes.CDLL(None, use_errno=True)
    # Without the right to a network of its own, a user of its own brings it; where
    # the kernel refuses both, no socket is opened all the same.
    if kernel.unshare(_CLONE_NEWNET) != 0:
        kernel.unshare(_CLONE_NEWUSER | _CLONE_NEWNET)
    kernel.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    kernel.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    _close_the_disk(kernel, source)


def _close_the_disk(kernel: ctypes.CDLL, source: Source) -> None:
    version = kernel.syscall(_CREATE_RULESET, None, 0, _ASK_VERSION)
    if version < 1:
        return
    known = (1 << _FILE_RIGHTS.get(version, _MOST_FILE_RIGHTS)) - 1
    rights = struct.pack("=Q", known)
    if version >= 4:
        rights += struct.pack("=Q", _BIND_AND_CONNECT)
    if version >= 6:
        rights += struct.pack("=Q", _SOCKETS_AND_SIGNALS)
    rules = kernel.syscall(_CREATE_RULESET, rights, len(rights), 0)
    if rules < 0:
        return
    for path, allowed in _needed(source):
        _allow(kernel, rules, path, allowed & known)
    kernel.syscall(_RESTRICT_SELF, rules, 0)
    os.close(rules)


def _needed(source: Source) -> list[tuple[Path, int]]:
    """Return the program's own files, to read, and the source, to look at."""
    program = {"/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/proc/self"}
    program |= {sys.prefix, sys.base_prefix, *sys.path} - {""}
    needed = [(Path(path), _EXECUTE | _READ_FILE | _READ_DIR) for path in program]
    look = _READ_FILE | _READ_DIR
    match source.kind:
        case "device":
            # The whole folder: a camera plugged in again is another file.
            needed.append((Path("/dev"), look | _WRITE | _IOCTL_DEVICE))
        case "watch":
            needed.append((_nearest(Path(source.place)), look | _REMOVE_FILE))
        case _:
            needed.append((_nearest(Path(source.place)), look))
    return needed


def _nearest(path: Path) -> Path:
    """Return a path, or the nearest folder above it that is there already."""
    path = path.absolute()
    while not path.exists() and path != path.parent:
        path = path.parent
    return path


def _allow(kernel: ctypes.CDLL, rules: int, path: Path, allowed: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        # Not on this machine: nothing to allow.
        return
    if not path.is_dir():
        allowed &= _OF_FILES
    rule = struct.pack("=Qi", allowed, place)
    kernel.syscall(_ADD_RULE, rules, _PATH_BENEATH, rule, 0)
    os.close(place)
