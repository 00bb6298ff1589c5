"""The composition root: settings -> devices -> journal -> lane -> screen.

The only file that knows everything. It decides nothing about a sale: it joins parts,
starts them in order, and ends the program when one of them fails.
"""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from importlib.metadata import version
from pathlib import Path
from time import tzset
from zoneinfo import ZoneInfo

import msgspec
from msgspec.structs import replace

from hardware import registry
from hardware.ports import Camera, Recovery, Viewfinder
from kiosk.answering import Answering
from kiosk.asked import Asked, ResumeAsked
from kiosk.clock import RandomIds, SystemClock
from kiosk.domain import body as bodies
from kiosk.domain.events import (
    DayEnded,
    DirectiveReceived,
    Event,
    ItemUnknown,
    NetworkChanged,
    RosterChanged,
    RosterEntry,
    RulesChanged,
    StateCarried,
)
from kiosk.domain.policy import Rules
from kiosk.domain.promotion import Offer
from kiosk.domain.state import Closed, Idle, Lane
from kiosk.effects import Devices, Effects
from kiosk.health import DiskWatch, listener
from kiosk.lookup import KnownLabels, PinVault, Resolver
from kiosk.notify import Notifier
from kiosk.opening import cannot_go_on, open_catalog, open_records
from kiosk.receipt import Composer
from kiosk.records import pins
from kiosk.records.catalog_db import Catalog, CatalogError
from kiosk.records.documents import DocumentDamaged, Roster, RosterRefused
from kiosk.records.journal import Journal, JournalFailed
from kiosk.records.keys import load_public_key
from kiosk.records.rotation import rotate
from kiosk.runner import LaneRunner, recover
from kiosk.servicing import Desk
from kiosk.settings import ConfigError, Settings, version_of
from kiosk.sync.socket import (
    Acknowledged,
    CatalogArrived,
    EpochWanted,
    LaneSocket,
    Message,
    OfficeSeen,
)
from kiosk.sync.wire import Directive, Document
from kiosk.timers import Timers
from kiosk.trial import TerminalTrial
from kiosk.ui import environment

log = logging.getLogger(__name__)

RELEASE = version("stillopen")

# The kinds of entry that carry the whole state: recovery begins at the last of them.
_CARRIED = {"StateCarried", "CarriedForward"}
# Failure of a part. systemd starts the program again; the journal knows the rest.
_EXIT_FAILED = 70
_DAY_SECONDS = 20.0
# Some ten sales: 2,000 took 30 ms to fold in, so this is never felt.
_FOLD_ENTRIES = 200
_NOBODYS_PIN = "739164"


def last_known(journal: Journal) -> tuple[Lane, int]:
    """Fold the journal: where the lane was, and when it last wrote (0: never)."""
    entries = list(journal.entries(journal.first_seq))
    begin = 0
    for index, entry in enumerate(entries):
        if entry.kind in _CARRIED:
            begin = index
    return recover(entries[begin:]), entries[-1].at_ms if entries else 0


class LaneProgram:
    """One running lane, screen aside. `start` it, post to it, `close` it."""

    def __init__(self, settings: Settings, show: Callable[[Lane], None]) -> None:
        self.settings = settings
        self._office_key = _office_key(settings)
        self.records = open_records(settings)
        self.clock = SystemClock()
        self._catalog = open_catalog(settings)
        self._catalog_arrived = threading.Event()
        self._wanted_epoch: str | None = None
        self._directives: set[str] = set()
        self._stopped = threading.Event()
        lane, self._last_ms = last_known(self.records.journal)
        self._show = show
        self._folded_seq = lane.seq
        pins_waiting = PinVault()
        resolver = Resolver(
            self._catalog,
            settings.label_rules(),
            settings.store.timezone,
            pins_waiting,
            lambda: self.desk.unsent_sales(),
        )
        self._resolve = resolver
        self._journal = self.records.journal
        self.runner = LaneRunner(
            lane,
            self._journal,
            self.clock,
            RandomIds(),
            translate=self._translate,
            carry_out=lambda effect: self.effects.carry_out(effect),
            show=self._shown,
            on_disk=self._on_disk,
            begin_day=self._begin_day,
        )
        self.timers = Timers(self.runner.post)
        try:
            self.devices = {
                name: registry.build(name, options, self._known_labels())
                for name, options in settings.all_devices().items()
            }
        except registry.DeviceConfigError as error:
            # A file that an option names: its shape was looked at before.
            raise ConfigError(str(error)) from error
        self.answering = Answering(
            RELEASE,
            settings.state / "journal",
            self.records.key.public,
            self.runner.post,
            lambda: self.runner.lane,
        )
        self._trial = TerminalTrial(
            self.devices["terminal"],
            str(settings.all_devices()["terminal"]["driver"]),
            settings.state / "documents",
            settings.store.currency,
            self.clock.now_ms,
        )
        self.desk = Desk(
            lane_id=settings.lane_id,
            state=settings.state,
            release=RELEASE,
            drivers=settings.all_devices(),
            has_office=bool(settings.sync.server_url),
            key=self.records.key,
            head=lambda: self._journal.head,
            catalog_ms=lambda: self._catalog.made_ms,
            clock=self.clock,
            trial=self._trial,
        )
        self._roster: Roster | None = None
        self._was_online: bool | None = None
        self._acknowledged = 0
        self._pins_waiting = pins_waiting
        composer = Composer(
            settings.store.name, settings.lane_id, settings.store.timezone
        )
        self.effects = Effects(
            Devices(
                terminal=self.devices["terminal"],
                printer=self.devices["printer"],
                light=self.devices["light"],
                ups=self.devices["ups"],
            ),
            self.runner.post,
            self.timers,
            receipt=composer.receipt,
            slip=lambda code, figures: composer.slip(
                code, figures, settings.store.languages[0]
            ),
            check_pin=self._check_pin,
            sound=self.devices["speaker"].play,
            may_not_use=self._may_not_use,
            answer_updater=self.answering.lease_answered,
            serve=self.desk.serve,
        )
        self._disk = DiskWatch(settings.state, self.records.ballast, self.runner.post)
        self._socket: LaneSocket | None = None
        self._thread = threading.Thread(target=self._run, name="lane")

    def watch(self, show: Callable[[Viewfinder], None]) -> None:
        """Give what a camera sees to `show`, if this lane has one; before `start`."""
        for device in self.devices.values():
            if isinstance(device, Camera):
                device.watch(show)

    def start(self) -> None:
        """Recover, say what is owed, open the devices, and take events."""
        self._thread.start()

    def close(self) -> None:
        """Stop taking events, write what was taken, and close the journal."""
        self._stopped.set()
        # The lane's thread first: it may still be opening what is closed here.
        self.runner.stop()
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._disk.close()
        self.desk.close()
        if self._socket:
            self._socket.close()
        for device in self.devices.values():
            device.close()
        try:
            self._journal.checkpoint()
            self._journal.close()
        except JournalFailed as error:
            # Every entry is on disk; the next start folds the log in.
            log.error("the journal was not folded in: %s", error)
        self._catalog.close()
        os.close(self.records.lock)

    # -- the lane's thread ---------------------------------------------------

    def _run(self) -> None:
        rules = self.settings.rules()
        if (lane := self.runner.lane).rules is None or lane.rules.version != (
            rules.version
        ):
            self.runner.handle(RulesChanged(rules))
        self._take_roster()
        # First of all: on a full disk not even a first basket is begun.
        self._disk.start()
        self.runner.start(RELEASE, self._last_ms)
        self._open_devices()
        self._open_socket()
        threading.Thread(target=self._watch_day, name="day", daemon=True).start()
        log.info("lane %s is ready", self.settings.lane_id)
        self.runner.run()

    def _open_devices(self) -> None:
        for name, device in self.devices.items():
            device.open(listener(name, self.runner.post))

    def _translate(self, asked: Asked, lane: Lane, now_ms: int) -> Event | None:
        if self._catalog_arrived.is_set():
            self._catalog_arrived.clear()
            self._take_catalog()
        try:
            return self._resolve(asked, lane, now_ms)
        except CatalogError as error:
            # A page rotted under us: this item needs a colleague, the others sell.
            log.error("%s; remove it, or let sync fetch it again", error)
            return None if isinstance(asked, ResumeAsked) else ItemUnknown("")

    def _take_catalog(self) -> None:
        try:
            self._catalog.refresh()
        except CatalogError as error:
            log.error(
                "the new catalogue was refused, the one before sells on: %s", error
            )

    def _on_disk(self, event: Event) -> None:
        self.effects.on_disk(event)
        self.answering.heard(event)
        self.desk.heard(event)

    def _known_labels(self) -> KnownLabels:
        return KnownLabels(
            lambda: Catalog.open(self._catalog.path), self.settings.label_rules()
        )

    def _shown(self, lane: Lane) -> None:
        """Hand a state to the screen; fold the journal's log in while nobody waits."""
        self._show(lane)
        self.desk.follow(lane)
        if isinstance(lane.mode, Idle) and lane.seq - self._folded_seq >= _FOLD_ENTRIES:
            self._folded_seq = lane.seq
            self._journal.checkpoint()

    def _begin_day(self, carried: StateCarried, now_ms: int) -> Journal:
        self._journal = rotate(
            self._journal,
            self.records.directory,
            carry_forward=bodies.encode(carried, ()),
            at_ms=now_ms,
            mono_ms=self.clock.mono_ms(),
            boot_id=self.clock.boot_id,
            epoch=self._wanted_epoch,
        )
        self._wanted_epoch = None
        return self._journal

    # -- attendants ----------------------------------------------------------

    def _take_roster(self) -> None:
        """Take up the roster on this disk, if the back office signed it."""
        key = self._office_key
        if key is None:
            log.warning("sync.server_key is not set: no attendant can sign on")
            return
        at_least = self.runner.lane.roster_version
        try:
            roster = self.records.documents.load_roster(key, at_least=at_least)
        except (RosterRefused, DocumentDamaged) as error:
            log.error("no attendant can sign on: %s", error)
            return
        if roster is None:
            return
        self._roster = roster
        entries = tuple(
            RosterEntry(a.attendant_id, a.name, a.roles) for a in roster.attendants
        )
        lane = self.runner.lane
        if (lane.roster_version, lane.roster) != (roster.version, entries):
            self.runner.post(RosterChanged(roster.version, entries))

    def _check_pin(self, attendant: str, nonce: str) -> bool:
        pin = self._pins_waiting.take(nonce)
        found = self._roster.attendant(attendant) if self._roster else None
        if found is None:
            # An unknown number takes as long as a known one.
            pins.hash_pin(self.records.secret, _NOBODYS_PIN)
            return False
        return pins.check_pin(self.records.secret, found.pin_hash, pin)

    # -- the card terminal ---------------------------------------------------

    def _may_not_use(self, terminal_id: str) -> str:
        """Say why this terminal may take no money, or nothing when it may."""
        recovery: Recovery = self.devices["terminal"].capabilities().recovery
        match recovery:
            case Recovery.BY_ID:
                return ""
            case Recovery.NONE if self.settings.payments.manual_reconciliation:
                return ""
            case Recovery.NONE:
                return "it cannot tell how a payment ended (manual_reconciliation)"
            case Recovery.LAST_TX:
                return self._is_unproven(terminal_id)

    def _is_unproven(self, terminal_id: str) -> str:
        if self._trial.is_unclear():
            return (
                "nobody knows yet how the terminal's trial payment ended; a technician"
                " must try the terminal again: service screen, Actions, 'Try the card"
                " terminal' (or `kiosk devices commission terminal`)"
            )
        try:
            proven = self.records.documents.device_choices().get("terminal")
        except DocumentDamaged as error:
            return str(error)
        if proven and proven.settings.get("terminal_id") == terminal_id:
            return ""
        return (
            f"terminal {terminal_id} is not commissioned at this lane; a technician"
            " must try it: service screen, Actions, 'Try the card terminal' (or stop"
            " the lane and run `kiosk devices commission terminal`)"
        )

    # -- the back office, and the updater ------------------------------------

    def _open_socket(self) -> None:
        try:
            self._socket = LaneSocket(
                self.settings.state / "lane.sock",
                self._hear,
                lane_id=self.settings.lane_id,
                server_key=self._office_key,
                on_question=self.answering.answer,
            )
        except OSError as error:
            log.error("neither sync nor the updater can reach this lane: %s", error)

    def _hear(self, message: Message) -> None:
        """Take what sync brought. On the socket's thread."""
        match message:
            case OfficeSeen(is_online=is_online):
                self.desk.office_seen(is_online)
                if is_online != self._was_online:
                    self._was_online = is_online
                    self.runner.post(NetworkChanged(is_online))
            case Acknowledged(epoch=epoch, seq=seq):
                if epoch == self._journal.epoch:
                    self._acknowledged = seq
            case CatalogArrived():
                self._catalog_arrived.set()
            case EpochWanted(epoch=epoch):
                self._wanted_epoch = epoch
            case Directive():
                self._direct(message)
            case Document(kind="roster", content=content):
                self._new_roster(content)
            case Document(kind="rules", content=content):
                self._new_offers(content)
            case Document(kind=kind):
                log.warning("a document of unknown kind %s was left alone", kind)

    def _direct(self, directive: Directive) -> None:
        if directive.directive_id in self._directives:
            return
        self._directives.add(directive.directive_id)
        if directive.expires_ms < self.clock.now_ms():
            log.warning("directive %s came too late", directive.directive_id)
            return
        self.runner.post(
            DirectiveReceived(
                directive.directive_id,
                directive.order,
                directive.attendant,
                directive.asked,
            )
        )

    def _new_roster(self, content: msgspec.Raw) -> None:
        key = self._office_key
        if key is None:
            return
        try:
            roster = msgspec.json.decode(content, type=Roster)
            self.records.documents.save_roster(roster, key)
        except (msgspec.DecodeError, OSError) as error:
            log.error("the new roster was refused: %s", error)
            return
        self._take_roster()

    def _new_offers(self, content: msgspec.Raw) -> None:
        try:
            offers = msgspec.json.decode(content, type=tuple[Offer, ...])
        except msgspec.DecodeError as error:
            log.error("the new offers were refused: %s", error)
            return
        rules = self.settings.rules()
        rules = replace(rules, pricing=replace(rules.pricing, offers=offers))
        self._post_rules(replace(rules, version=version_of(rules)))

    def _post_rules(self, rules: Rules) -> None:
        current = self.runner.lane.next_rules or self.runner.lane.rules
        if current is None or current.version != rules.version:
            self.runner.post(RulesChanged(rules))

    # -- the trading day -----------------------------------------------------

    def _watch_day(self) -> None:
        """Close the trading day at its local time, as soon as nothing is open."""
        zone = ZoneInfo(self.settings.store.timezone)
        hours, minutes = map(int, self.settings.store.day_ends_at.split(":"))
        ends_at = time(hours, minutes)

        def trading_day() -> str:
            now = datetime.now(UTC).astimezone(zone)
            day = now.date() - timedelta(days=1 if now.time() < ends_at else 0)
            return day.isoformat()

        day = trading_day()
        while not self._stopped.wait(_DAY_SECONDS):
            if trading_day() <= day:
                continue
            lane = self.runner.lane
            owes = any(a.stage.is_open for a in lane.ledger.values())
            if isinstance(lane.mode, Idle | Closed) and not owes:
                self.runner.post(DayEnded(day))
                day = trading_day()
            self.records.directory.delete_closed(
                self._acknowledged, self.clock.now_ms()
            )


def _office_key(settings: Settings) -> bytes | None:
    """Return the key that the back office signs with, where there is one."""
    path = settings.sync.server_key
    try:
        return load_public_key(Path(path)) if path else None
    except OSError as error:
        raise ConfigError(f"sync.server_key: {error}") from error


def run(settings: Settings, bench: Path | None = None) -> None:
    """Run one lane with its screen until it is told to stop.

    `bench` is a socket on which a bench may see the screen and tap on it; no
    production image has the module for it.
    """
    if settings.production:
        refuse_bench()
    # The screen's times are the store's, wherever the machine believes to be.
    os.environ["TZ"] = settings.store.timezone
    tzset()
    environment.prepare()
    environment.check_fonts()
    threading.excepthook = end_program
    # Before the window: what is wrong with the disk is said at once.
    program = LaneProgram(settings, lambda lane: app.show(lane))
    # Kivy opens its window on import, by the environment just prepared.
    screen = importlib.import_module("kiosk.ui.app")
    notifier = Notifier(program.runner.busy_seconds)

    def drawn(seq: int) -> None:
        notifier.drawn(seq)
        program.answering.drawn(seq)

    def second() -> None:
        if notifier.second():
            program.answering.beat()

    app = screen.LaneApp(
        environment.Panel(
            settings.panel.width_px,
            settings.panel.height_px,
            settings.panel.diagonal_inches,
        ),
        post=program.runner.post,
        catalog=open_catalog(settings),
        production=settings.production,
        on_drawn=drawn,
        on_second=second,
        machine=program.desk.machine,
    )
    if bench is not None:
        window = importlib.import_module("kiosk.bench.window")
        app.bind(on_start=lambda _: window.serve(bench, app, program))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: app.stop())
    program.watch(app.see)
    program.desk.start(app.know)
    program.start()
    try:
        app.run()
    finally:
        program.close()


def refuse_bench() -> None:
    """Raise `ConfigError` where what plays shopper is installed in production."""
    for package in ("kiosk.bench", "hardware.simulated"):
        if importlib.util.find_spec(package) is not None:
            raise ConfigError(
                f"production = true, but {package} is installed: a production lane"
                " holds no simulator and no bench; install the production package"
            )


def end_program(failure: threading.ExceptHookArgs) -> None:
    """A thread failed: say why and end at once. The journal brings the sale back."""
    name = failure.thread.name if failure.thread else "?"
    if words := cannot_go_on(failure.exc_value):
        log.critical("the lane ends before it can lie: %s", words)
        sys.stderr.flush()
        os._exit(_EXIT_FAILED)
    log.critical(
        "thread %s failed, the lane ends and is started again",
        name,
        exc_info=(failure.exc_type, failure.exc_value, failure.exc_traceback),  # type: ignore[arg-type]  # None only at interpreter exit
    )
    sys.stderr.flush()
    os._exit(_EXIT_FAILED)
