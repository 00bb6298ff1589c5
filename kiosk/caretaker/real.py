"""The appliance itself: mounts sticks, reads the log, reloads networkd, restarts.

Programs are started with lists of words, never through a shell, and none of those
words comes from a request.
"""

from __future__ import annotations

import errno
import logging
import os
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from kiosk.caretaker import usb
from kiosk.caretaker.outside import Mounted, StickAt

log = logging.getLogger(__name__)

MOUNT_POINT = Path("/run/stillopen-stick")
_LOGS = (Path("/var/log/journal"), Path("/run/log/journal"))
_NETWORK_CARDS = Path("/sys/class/net")
# ARPHRD_ETHER of if_arp.h.
_ETHERNET = "1"
# A stick just let in is enumerated, scanned and probed by udev.
_STICK_SECONDS = 8.0
_LOOK_SECONDS = 0.5
_PROGRAM_SECONDS = 60.0


class Appliance:
    """Keeps the promises of `Outside` on a real machine, as root."""

    def __init__(self, mount_point: Path = MOUNT_POINT) -> None:
        self._mount_point = mount_point
        self._pause = threading.Event()

    # -- sticks ----------------------------------------------------------------

    @contextmanager
    def sticks(self) -> Iterator[tuple[StickAt, ...]]:
        let_in: list[str] = []
        try:
            yield self._look(let_in)
        finally:
            for number in let_in:
                with suppress(OSError):
                    _run("usbguard", "block-device", number)

    def _look(self, let_in: list[str]) -> tuple[StickAt, ...]:
        until = time.monotonic() + _STICK_SECONDS
        while True:
            for number in _blocked():
                _run("usbguard", "allow-device", number)
                let_in.append(number)
            listed = _run(
                "lsblk", "--json", "--output", "PATH,TYPE,FSTYPE,TRAN", "--tree"
            )
            found = usb.sticks(listed)
            if found or time.monotonic() > until:
                return found
            self._pause.wait(_LOOK_SECONDS)

    @contextmanager
    def mounted(self, stick: StickAt, *, writable: bool) -> Iterator[Mounted]:
        if stick.kind not in usb.KINDS:
            raise OSError(errno.EINVAL, f"{stick.kind} is not mounted here")
        self._mount_point.mkdir(mode=0o700, exist_ok=True)
        access = "rw" if writable else "ro"
        options = f"{access},nosuid,nodev,noexec,umask=077"
        _run(
            "mount",
            "--types",
            stick.kind,
            "--options",
            options,
            "--",
            stick.device,
            str(self._mount_point),
        )
        try:
            # mount(8) falls back to read-only by itself.
            is_locked = os.statvfs(self._mount_point).f_flag & os.ST_RDONLY
            if writable and is_locked:
                raise OSError(errno.EROFS, "the stick is read-only")
            yield _Folder(self._mount_point)
        finally:
            self._unmount()

    def _unmount(self) -> None:
        """Unmount; a stick that was pulled is let go of, and that is said."""
        try:
            _run("umount", "--", str(self._mount_point))
        except OSError as error:
            log.warning("the stick is let go of: %s", error)
            with suppress(OSError):
                _run("umount", "--lazy", "--", str(self._mount_point))
            raise OSError(errno.EIO, "the stick was not unmounted in order") from error

    # -- logs --------------------------------------------------------------------

    def log_lines(self) -> Iterator[bytes]:
        words = ["journalctl", "--output=json", "--no-pager", "--quiet"]
        with subprocess.Popen(words, stdout=subprocess.PIPE) as reader:
            out = reader.stdout
            if out is None:
                raise OSError(errno.EPIPE, "journalctl gives nothing")
            try:
                yield from out
            finally:
                if reader.poll() is None:
                    reader.terminate()

    def log_bytes(self) -> int:
        total = 0
        for folder in _LOGS:
            for path in folder.rglob("*.journal"):
                with suppress(OSError):
                    total += path.stat().st_blocks * 512
        return total

    # -- the machine ---------------------------------------------------------------

    def cards(self) -> tuple[str, ...]:
        return tuple(
            sorted(
                card.name
                for card in _NETWORK_CARDS.iterdir()
                if (card / "device").exists() and _line(card / "type") == _ETHERNET
            )
        )

    def reload_network(self) -> None:
        _run("networkctl", "reload")

    def restart(self) -> None:
        _run("systemctl", "reboot", "--no-block")

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000


class _Folder:
    """A mounted stick's top folder."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def names(self) -> list[str]:
        with os.scandir(self._path) as found:
            return [e.name for e in found if e.is_file(follow_symlinks=False)]

    def size(self, name: str) -> int:
        return (self._path / name).stat(follow_symlinks=False).st_size

    def open(self, name: str) -> BinaryIO:
        descriptor = os.open(self._path / name, os.O_RDONLY | os.O_NOFOLLOW)
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(errno.EINVAL, "no plain file")
        return os.fdopen(descriptor, "rb")

    def create(self, name: str) -> BinaryIO:
        return (self._path / name).open("wb")

    def settle(self, file: BinaryIO) -> None:
        file.flush()
        os.fsync(file.fileno())

    def rename(self, old: str, new: str) -> None:
        (self._path / old).rename(self._path / new)

    def remove(self, name: str) -> None:
        (self._path / name).unlink(missing_ok=True)

    def free_bytes(self) -> int:
        found = os.statvfs(self._path)
        return found.f_bavail * found.f_frsize


def _blocked() -> tuple[str, ...]:
    """Return which sticks usbguard keeps out; without usbguard it keeps out none."""
    try:
        told = _run("usbguard", "list-devices", "--blocked")
    except OSError as error:
        log.debug("usbguard does not answer: %s", error)
        return ()
    return usb.blocked_sticks(told.decode(errors="replace"))


def _run(*words: str) -> bytes:
    """Run a program to its end and return what it printed; raises `OSError`."""
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            check=False,
            timeout=_PROGRAM_SECONDS,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired as error:
        raise OSError(errno.ETIMEDOUT, f"{words[0]} does not end") from error
    if done.returncode:
        said = done.stderr.decode(errors="replace").strip()[-200:]
        number = errno.EROFS if "write-protected" in said else errno.EIO
        raise OSError(number, f"{words[0]}: {said}")
    return done.stdout


def _line(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""
