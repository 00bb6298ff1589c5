"""What the caretaker does for each request, step by step.

Every input is looked at again; no request names a file, a device or a program. All
that touches the machine goes through `Outside`. Expected trouble is an outcome.
"""

from __future__ import annotations

import errno
import logging
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import msgspec

from kiosk.caretaker import logs, network
from kiosk.caretaker.outside import Mounted, Outside, StickAt
from kiosk.caretaker.places import Places
from kiosk.caretaker.words import (
    Answer,
    CopyBundle,
    ExportLogs,
    FactoryReset,
    Outcome,
    Request,
    Restart,
    SetNetwork,
)
from kiosk.domain.network import NetworkSetting, problem
from kiosk.records import unsent
from kiosk.records.chain import Head
from kiosk.records.disk import free_bytes, replace_file, sync_folder
from kiosk.settings import ConfigError, load
from kiosk.sync.state import SyncState

log = logging.getLogger(__name__)

# Room that must be left on DATA after a bundle: the journal needs it.
_SPARE_BYTES = 256 * 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_BUNDLE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,99}\.swu")
# Packed, a log is about a third of what it takes on the disk.
_PACKED_SHARE = 2

Tell = Callable[[int], None]


class _Ended(Exception):
    """The deed cannot go on."""

    def __init__(self, outcome: Outcome, detail: str = "") -> None:
        super().__init__(outcome.value)
        self.answer = Answer(outcome, detail)


class Caretaker:
    """Carries out one request at a time. Used from one thread."""

    def __init__(self, outside: Outside, places: Places) -> None:
        self._outside = outside
        self._places = places
        self.wants_restart = False

    def carry_out(self, request: Request, progress: Tell) -> Answer:
        """Do what is asked and say what came of it.

        A restart is only wanted here: whoever sent the answer calls `finish`.
        """
        who = request.attendant[:12]
        log.info("%s for attendant %r", type(request).__name__, who)
        try:
            detail = self._do(request, progress)
        except _Ended as ended:
            log.warning("%s: %s", type(request).__name__, ended.answer)
            return ended.answer
        except OSError as error:
            log.error("%s failed: %s", type(request).__name__, error)
            return Answer(Outcome.FAILED, error.strerror or str(error))
        return Answer(Outcome.DONE, detail)

    def finish(self) -> None:
        """Restart the machine, if that was asked for."""
        if self.wants_restart:
            self.wants_restart = False
            self._outside.restart()

    def _do(self, request: Request, progress: Tell) -> str:
        match request:
            case SetNetwork(setting=setting):
                return self._set_network(setting)
            case ExportLogs():
                return self._export_logs(progress)
            case CopyBundle():
                return self._copy_bundle(progress)
            case FactoryReset():
                return self._factory_reset(request.attendant[:12])
            case Restart():
                self.wants_restart = True
                return ""

    # -- network ---------------------------------------------------------------

    def _set_network(self, setting: NetworkSetting) -> str:
        if wrong := problem(setting):
            raise _Ended(Outcome.BAD_NETWORK, wrong)
        if setting.interface not in self._outside.cards():
            raise _Ended(Outcome.BAD_NETWORK, "interface")
        if not setting.address and self._is_set_for_another(setting):
            # It asks by DHCP already, as every card without a file of its own.
            return "DHCP"
        text, unit = network.to_toml(setting), network.to_unit(setting)
        replace_file(self._places.network_toml, text.encode(), 0o644)
        self._places.networkd.mkdir(parents=True, exist_ok=True)
        replace_file(self._places.network_unit, unit.encode(), 0o644)
        self._outside.reload_network()
        return setting.address or "DHCP"

    def _is_set_for_another(self, setting: NetworkSetting) -> bool:
        try:
            text = self._places.network_toml.read_text(encoding="utf-8")
            return network.from_toml(text).interface != setting.interface
        except (OSError, UnicodeDecodeError, network.NetworkFileError):
            return False

    # -- USB sticks ------------------------------------------------------------

    def _export_logs(self, progress: Tell) -> str:
        now_ms = self._outside.now_ms()
        name = logs.file_name(self._lane_id(), now_ms)
        with self._stick(writable=True) as stick:
            if stick.free_bytes() < self._outside.log_bytes() // _PACKED_SHARE:
                raise _Ended(Outcome.STICK_FULL)
            part = f"{name}.part"
            try:
                with stick.create(part) as out:
                    lines = self._outside.log_lines()
                    logs.pack(lines, out, now_ms, progress)
                    stick.settle(out)
                stick.rename(part, name)
            except OSError:
                _try(lambda: stick.remove(part))
                raise
        return name

    def _copy_bundle(self, progress: Tell) -> str:
        with self._stick(writable=False) as stick:
            bundles = [n for n in stick.names() if n.lower().endswith(".swu")]
            # Shells of other systems leave such files beside the real ones.
            bundles = [name for name in bundles if not name.startswith("._")]
            if not bundles:
                raise _Ended(Outcome.NO_BUNDLE)
            if len(bundles) > 1:
                raise _Ended(Outcome.SEVERAL_BUNDLES, ", ".join(sorted(bundles))[:100])
            (name,) = bundles
            inbox = self._places.inbox
            size = stick.size(name)
            with _on_own_disk():
                if free_bytes(inbox) - size < _SPARE_BYTES:
                    raise _Ended(Outcome.DISK_FULL)
            as_named = name if _BUNDLE.fullmatch(name) else "from-a-stick.swu"
            part = inbox / f".{as_named}.part"
            try:
                with stick.open(name) as source:
                    _copy(source, part, progress)
                with _on_own_disk():
                    part.rename(inbox / as_named)
                    sync_folder(inbox)
            finally:
                with _on_own_disk():
                    part.unlink(missing_ok=True)
        return as_named

    @contextmanager
    def _stick(self, *, writable: bool) -> Iterator[Mounted]:
        """Find the one stick and mount it; whatever happens, it is unmounted."""
        with self._outside.sticks() as sticks:
            stick = _only(sticks)
            is_mounted = False
            try:
                with self._outside.mounted(stick, writable=writable) as mounted:
                    is_mounted = True
                    yield mounted
            except OSError as error:
                if not is_mounted:
                    raise _Ended(
                        Outcome.STICK_LOCKED
                        if error.errno == errno.EROFS
                        else Outcome.STICK_UNREADABLE,
                        error.strerror or "",
                    ) from error
                raise _of_stick(error) from error

    # -- the whole machine -----------------------------------------------------

    def _factory_reset(self, attendant: str) -> str:
        """Mark the machine to be erased, unless sales would be lost with it.

        The mark stands before the restart is ordered; the start's own code erases
        DATA and removes the mark last, so that a power cut only repeats it.
        """
        lane = self._places.lane
        try:
            waiting = unsent.count(lane / "journal", self._acknowledged())
        except unsent.CannotCount as error:
            raise _Ended(Outcome.UNSENT_SALES, str(error)[:100]) from error
        if waiting.sales:
            raise _Ended(Outcome.UNSENT_SALES, str(waiting.sales))
        mark = {
            "lane_id": self._lane_id(),
            "attendant": attendant,
            "at_ms": self._outside.now_ms(),
        }
        content = msgspec.json.encode(mark) + b"\n"
        replace_file(self._places.reset_mark, content, 0o644)
        self.wants_restart = True
        return ""

    def _acknowledged(self) -> Head:
        """Return the entry up to which sync says that the back office holds all."""
        path = self._places.lane / "sync" / "sync.json"
        try:
            return msgspec.json.decode(path.read_bytes(), type=SyncState).acknowledged
        except (OSError, msgspec.DecodeError):
            return Head(0, "")

    def _lane_id(self) -> str:
        try:
            return load(self._places.lane_toml).lane_id
        except ConfigError:
            return "lane"


def _only(sticks: tuple[StickAt, ...]) -> StickAt:
    if not sticks:
        raise _Ended(Outcome.NO_STICK)
    if len(sticks) > 1:
        raise _Ended(Outcome.SEVERAL_STICKS)
    return sticks[0]


def _of_stick(error: OSError) -> _Ended:
    """Say in one word what a stick did."""
    match error.errno:
        case errno.ENOSPC | errno.EFBIG:
            return _Ended(Outcome.STICK_FULL)
        case errno.EROFS | errno.EACCES | errno.EPERM:
            return _Ended(Outcome.STICK_LOCKED)
        case errno.EIO | errno.ENODEV | errno.ENXIO | errno.ENOENT | errno.EBADF:
            return _Ended(Outcome.STICK_PULLED)
        case _:
            return _Ended(Outcome.FAILED, error.strerror or str(error))


def _copy(source: BinaryIO, part: Path, progress: Tell) -> None:
    """Copy a file from the stick; when this returns it is on our disk."""
    with _on_own_disk():
        target = part.open("wb")
    with target:
        done = 0
        while chunk := source.read(_CHUNK_BYTES):
            with _on_own_disk():
                target.write(chunk)
            done += len(chunk)
            progress(done)
        with _on_own_disk():
            os.fchmod(target.fileno(), 0o640)
            target.flush()
            os.fsync(target.fileno())


@contextmanager
def _on_own_disk() -> Iterator[None]:
    """What fails in here is this machine's disk, not the stick."""
    try:
        yield
    except OSError as error:
        raise _own_disk(error) from error


def _own_disk(error: OSError) -> _Ended:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return _Ended(Outcome.DISK_FULL)
    return _Ended(Outcome.FAILED, error.strerror or str(error))


def _try(job: Callable[[], None]) -> None:
    try:
        job()
    except OSError as error:
        log.warning("what was begun on the stick stays there: %s", error)
