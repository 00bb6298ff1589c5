"""Views for technicians: the service screen's sections.

What may be done is decided by the lane and again by the caretaker; here only what
makes sense is offered. The steps of a deed stand in `service_deeds.py`.
"""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.domain.events import AttendantLeft
from kiosk.domain.service import ATTEST, LOGS, RESET, RESTART, TRY, UPDATE
from kiosk.domain.state import Servicing
from kiosk.machine import DeviceLook, NetworkCard
from kiosk.ui import service_deeds
from kiosk.ui.local import Local
from kiosk.ui.scene import Scene
from kiosk.ui.view import Button, Layout, Row, View
from kiosk.ui.words import N, plain

SECTIONS: dict[str, str] = {
    "system": N("System"),
    "devices": N("Devices"),
    "network": N("Network"),
    "queue": N("Queue"),
    "work": N("Actions"),
}
DEVICE_NAMES: dict[str, str] = {
    "scanner": N("Scanner"),
    "camera": N("Camera"),
    "hand_scanner": N("Hand scanner"),
    "printer": N("Receipt printer"),
    "terminal": N("Card reader"),
    "scale": N("Scale"),
    "bagging": N("Bagging scale"),
    "ups": N("Battery unit"),
    "light": N("Lane light"),
    "speaker": N("Loudspeaker"),
    "keypad": N("Keypad"),
    "disk": N("Disk"),
}
_HEALTH: dict[str, str] = {
    "ready": N("works"),
    "degraded": N("works badly"),
    "absent": N("does not answer"),
}
# The updater's phases and reasons, in its own words (kiosk.updater).
UPDATE_PHASES: dict[str, str] = {
    "idle": N("nothing to do"),
    "writing": N("is being written"),
    "written": N("waits for a quiet moment"),
    "lease": N("waits for a quiet moment"),
    "rebooting": N("restarts"),
    "testing": N("is on trial"),
    "kept": N("installed"),
    "fallen_back": N("went back to the release before"),
    "refused": N("refused"),
}
UPDATE_REASONS: dict[str, str] = {
    "not_a_bundle": N("The file is no update."),
    "unreadable": N("The update cannot be read: try another stick."),
    "truncated": N("The update is not complete: load it again."),
    "tampered": N("The update was changed after it was made."),
    "unsigned": N("The update is not signed."),
    "wrong_key": N("The update is signed with a key that is not trusted here."),
    "wrong_hardware": N("The update is for other hardware."),
    "older": N("The update is older than what runs."),
    "running_already": N("This release runs already."),
    "failed_before": N("This release did not work here before."),
    "no_space": N("There is no room for the update."),
    "write_failed": N("The update could not be written."),
    "no_slot": N("It is unclear which of the two systems runs."),
    "no_boot_loader": N("The boot loader's state cannot be read."),
    "another_waits": N("Another update waits for its restart."),
    "lost": N("The update was lost on the way: load it again."),
    "not_healthy": N("The new release did not pass its check."),
    "never_finished": N("The new release hung, or the power went."),
    "failed_starts": N("The release did not start three times in a row."),
    "root_unreadable": N("The release could not be read: the disk may be failing."),
}
# Seen one after the other with "More": so many fit on the lowest panel.
DEVICES_SHOWN = 8
CARDS_SHOWN = 3
_MINUTE_MS = 60_000


def servicing(scene: Scene, mode: Servicing) -> View:
    """The section that is open, the deed in hand, or what came of the last one."""
    panel = scene.local.panel
    if mode.doing:
        return service_deeds.doing(scene, mode)
    if mode.done and not panel:
        return service_deeds.outcome(scene, mode)
    match panel:
        case "service_devices":
            return _devices(scene)
        case "service_network":
            return _network(scene)
        case "service_queue":
            return _queue(scene)
        case "service_work":
            return _work(scene, mode)
        case "service_card" | "service_type" | "service_set" if card := _card(scene):
            return service_deeds.network(scene, mode, card)
        case "service_sure" | "service_very_sure":
            return service_deeds.sure(scene, mode)
        case _:
            return _system(scene)


def _section(
    scene: Scene,
    name: str,
    rows: tuple[Row, ...] = (),
    *,
    choices: tuple[Button, ...] = (),
    buttons: tuple[Button, ...] = (),
) -> View:
    t = scene.t
    tabs = tuple(
        Button(
            f"tab_{section}",
            t(label),
            kind="chosen" if section == name else "plain",
            local=Local(panel=f"service_{section}"),
        )
        for section, label in SECTIONS.items()
    )
    leave = Button("leave", t("End service"), icon="back", post=AttendantLeft())
    return scene.view(
        f"service_{name}",
        Layout.SERVICE,
        t("Service: {lane}", lane=plain(scene.machine.lane_id)),
        icon="wrench",
        tabs=tabs,
        rows=rows,
        choices=choices,
        buttons=(leave, *buttons),
    )


def _system(scene: Scene) -> View:
    t, machine = scene.t, scene.machine
    release, update = machine.release, machine.update
    variant = t("Development") if release.variant == "development" else ""
    facts = [
        (t("Release"), release.release),
        (t("Variant"), variant or (release.variant and t("Production"))),
        (t("Build"), release.build[:12]),
        (t("Hardware"), release.hardware),
        (t("Root hash"), release.root_hash[:16]),
        (t("Lane"), machine.lane_id),
        (t("Prices from"), _ago(scene, machine.catalog_ms)),
    ]
    phase = UPDATE_PHASES.get(update.phase)
    state = t(phase) if phase else plain(update.phase)
    words = " · ".join(filter(None, (plain(update.release), state)))
    if update.at_ms:
        words = f"{words} · {_ago(scene, update.at_ms)}" if words else ""
    rows = [_fact(scene, name, value) for name, value in facts]
    rows.append(_fact(scene, t("Last update"), words or t("none yet")))
    if update.reason:
        # A reason of a later updater is shown as that one says it.
        known = UPDATE_REASONS.get(update.reason)
        why = t(known) if known else plain(update.words)[:200]
        rows.append(Row(t("Why"), why or plain(update.reason), kind="long"))
    return _section(scene, "system", tuple(rows))


def _devices(scene: Scene) -> View:
    looks = sorted(scene.machine.devices, key=_place)
    first = min(scene.local.first, max(0, len(looks) - 1))
    first -= first % DEVICES_SHOWN
    shown = looks[first : first + DEVICES_SHOWN]
    leaf: tuple[Button, ...] = ()
    if len(looks) > DEVICES_SHOWN:
        further = first + DEVICES_SHOWN
        is_last = further >= len(looks)
        leaf = (
            Button(
                "previous" if is_last else "next",
                scene.t("Previous") if is_last else scene.t("More"),
                icon="up" if is_last else "down",
                local=replace(scene.local, first=0 if is_last else further),
            ),
        )
    rows = tuple(_device(scene, look) for look in shown)
    return _section(scene, "devices", rows, buttons=leaf)


def _place(look: DeviceLook) -> tuple[bool, int]:
    """Return where a device stands: those that the lane has first."""
    names = list(DEVICE_NAMES)
    place = names.index(look.name) if look.name in names else len(names)
    return look.driver == "none", place


def _device(scene: Scene, look: DeviceLook) -> Row:
    t = scene.t
    # The lane's own word is newer than what was read beside it.
    health = scene.lane.devices.get(look.name, look.health)
    words = t(_HEALTH[health]) if health in _HEALTH else t("not heard of yet")
    if look.driver == "none":
        words = t("this lane has none")
    if look.trouble:
        trouble = plain(look.trouble)[:80]
        is_over = health == "ready"
        words += " · " + (t("last: {trouble}", trouble=trouble) if is_over else trouble)
        if look.trouble_ms:
            words += f" ({scene.words.time(look.trouble_ms)})"
    name = t(DEVICE_NAMES[look.name]) if look.name in DEVICE_NAMES else look.name
    kind = {"ready": "fact", "absent": "bad"}.get(health, "fact")
    return Row(name, words, detail=look.driver, kind=kind)


def _network(scene: Scene) -> View:
    t = scene.t
    rows: list[Row] = []
    cards = scene.machine.cards[:CARDS_SHOWN]
    for card in cards:
        link = t("cable is in") if card.has_link else t("no cable")
        how = t("set by hand") if card.is_fixed else t("by DHCP")
        address = card.address or t("no address")
        rows.append(
            Row(
                card.name,
                f"{address} · {how} · {link}",
                kind="fact" if card.has_link else "bad",
            )
        )
        further = [
            t("Gateway {address}", address=card.gateway) if card.gateway else "",
            t("Names {address}", address=", ".join(card.names)) if card.names else "",
        ]
        if any(further):
            rows.append(Row("", " · ".join(filter(None, further)), kind="fact"))
    if not cards:
        rows.append(_fact(scene, t("Network"), t("No network card was found")))
    setters = tuple(
        Button(
            f"set_{n}",
            t("Set {card}", card=card.name),
            icon="network",
            local=Local(panel="service_card", chosen=card.name),
        )
        for n, card in enumerate(cards)
    )
    return _section(scene, "network", tuple(rows), buttons=setters)


def _queue(scene: Scene) -> View:
    t, queue = scene.t, scene.machine.queue
    rows = []
    if not queue.has_office:
        rows.append(_fact(scene, t("Back office"), t("This lane has none")))
    else:
        answers = t("answers") if scene.lane.is_online else t("does not answer")
        rows.append(_fact(scene, t("Back office"), answers))
        rows.append(_fact(scene, t("Last contact"), _ago(scene, queue.contact_ms)))
    if queue.entries < 0:
        rows.append(_fact(scene, t("Not yet sent"), t("cannot be counted")))
    else:
        entries = scene.words.tn("{count} entry", "{count} entries", queue.entries)
        sales = scene.words.tn("{count} with money", "{count} with money", queue.sales)
        rows.append(_fact(scene, t("Not yet sent"), f"{entries} · {sales}"))
        oldest = _ago(scene, queue.oldest_ms) if queue.entries else t("nothing waits")
        rows.append(_fact(scene, t("Oldest of them"), oldest))
    return _section(scene, "queue", tuple(rows))


def _work(scene: Scene, mode: Servicing) -> View:
    t = scene.t

    def asks(deed: str, label: str, icon: str) -> Button:
        return Button(
            deed,
            label,
            icon=icon,
            post=service_deeds.asked(deed, mode),
            local=Local(),
        )

    def asks_first(deed: str, label: str, icon: str, kind: str = "plain") -> Button:
        sure = Local(panel="service_sure", todo=deed)
        return Button(deed, label, icon=icon, kind=kind, local=sure)

    return _section(
        scene,
        "work",
        choices=(
            asks(ATTEST, t("Attestation code"), "qr"),
            asks(LOGS, t("Logs to a USB stick"), "usb"),
            asks(UPDATE, t("Update from a USB stick"), "usb"),
            asks_first(TRY, t("Try the card terminal"), "card"),
            asks_first(RESTART, t("Restart"), "undo"),
            asks_first(RESET, t("Factory reset"), "clear", "stop"),
        ),
    )


def _card(scene: Scene) -> NetworkCard | None:
    named = (c for c in scene.machine.cards if c.name == scene.local.chosen)
    return next(named, None)


def _fact(scene: Scene, name: str, value: str) -> Row:
    return Row(name, plain(value) or scene.t("unknown"), kind="fact")


def _ago(scene: Scene, at_ms: int) -> str:
    """Return how long ago a moment was, in its largest whole unit."""
    if not at_ms:
        return scene.t("never")
    minutes = max(0, scene.machine.now_ms - at_ms) // _MINUTE_MS
    tn = scene.words.tn
    if minutes < 1:
        return scene.t("a moment ago")
    if minutes < 60:
        return tn("{count} minute ago", "{count} minutes ago", minutes)
    if minutes < 48 * 60:
        return tn("{count} hour ago", "{count} hours ago", minutes // 60)
    return tn("{count} day ago", "{count} days ago", minutes // (24 * 60))
