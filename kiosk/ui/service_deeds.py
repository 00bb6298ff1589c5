"""Views for technicians: the steps of each deed, its progress, and its outcome in words.

The lane decides what may be done; an address is looked at here only so that a slip of
the finger is named before it is sent.
"""

from __future__ import annotations

from msgspec.structs import replace

from kiosk.asked import DeedAsked
from kiosk.domain.events import AttendantLeft
from kiosk.domain.network import NetworkSetting, problem
from kiosk.domain.service import (
    ATTEST,
    FORGET,
    LOGS,
    NETWORK,
    RESET,
    RESTART,
    TRY,
    UPDATE,
)
from kiosk.domain.state import Servicing
from kiosk.machine import NetworkCard
from kiosk.ui import service_trial
from kiosk.ui.local import Local
from kiosk.ui.scene import Scene
from kiosk.ui.view import Button, Field, Layout, View
from kiosk.ui.words import N, plain

_DOING: dict[str, str] = {
    ATTEST: N("The code is being made"),
    NETWORK: N("The network is being set"),
    LOGS: N("The logs are being copied"),
    UPDATE: N("The update is being copied"),
    RESET: N("The reset is being prepared"),
    RESTART: N("The machine restarts"),
    TRY: service_trial.DOING,
    FORGET: N("The trial payment is being forgotten"),
}
_DONE: dict[str, tuple[str, str]] = {
    NETWORK: (N("The network is set"), N("Look under Network whether it works.")),
    LOGS: (N("The logs are on the stick"), N("You can take the stick out now.")),
    UPDATE: (
        N("The update is handed over"),
        N("You can take the stick out. System shows how it goes on."),
    ),
    RESET: (N("The machine restarts and is erased"), N("This takes a few minutes.")),
    RESTART: (N("The machine restarts"), N("This takes a minute.")),
    TRY: (
        N("The card terminal may take payments"),
        N("The trial payment was given back."),
    ),
    FORGET: (N("The trial payment is forgotten"), N("Try the card terminal again.")),
}
# Why something was not done, and what to do about it.
NOT_DONE: dict[str, tuple[str, str]] = {
    "no_answer": (
        N("No answer came"),
        N("Restart the machine, then try again."),
    ),
    "no_caretaker": (
        N("This machine cannot do that"),
        N("It has no caretaker service: it is no appliance."),
    ),
    "unreachable": (
        N("The caretaker does not answer"),
        N("Switch the machine off and on, then try again."),
    ),
    "refused": (
        N("The caretaker refused"),
        N("Tell the people who look after the software."),
    ),
    "failed": (N("That did not work"), N("Try again; then copy the logs.")),
    "no_stick": (
        N("There is no USB stick"),
        N("Put in a stick with FAT or exFAT, wait a moment, try again."),
    ),
    "several_sticks": (
        N("There are several USB sticks"),
        N("Leave one in and try again."),
    ),
    "stick_unreadable": (
        N("The stick cannot be read"),
        N("Format it with FAT or exFAT, or take another."),
    ),
    "stick_locked": (
        N("The stick cannot be written to"),
        N("Open its lock, or take another."),
    ),
    "stick_full": (
        N("The stick is full"),
        N("Make room on it, or take another."),
    ),
    "stick_pulled": (
        N("The stick was pulled out too early"),
        N("What is on it is not whole. Put it in and try again."),
    ),
    "no_bundle": (
        N("There is no update on the stick"),
        N("Put one file that ends in .swu on it, in no folder."),
    ),
    "several_bundles": (
        N("There are several updates on the stick"),
        N("Leave the one that you want."),
    ),
    "disk_full": (
        N("This machine has no room for the update"),
        N("Copy the logs and ask for help."),
    ),
    "unsent_sales": (
        N("Sales are not yet sent"),
        N("Connect the network and wait until Queue shows nothing with money."),
    ),
    "still_open": (
        N("Something is still open here"),
        N("Settle baskets put aside, payments and receipts first."),
    ),
    **service_trial.NOT_DONE,
    "bad_network": (N("These settings cannot work"), N("Check each address.")),
}
# What is typed, one after the other, and what must be wrong about it to be named.
_STEPS = ("address", "prefix", "gateway", "names")
_ASK: dict[str, tuple[str, str]] = {
    "address": (N("Address of this machine"), N("For example 192.168.1.20")),
    "prefix": (N("Length of the network's prefix"), N("For example 24")),
    "gateway": (N("Address of the gateway"), N("May stay empty")),
    "names": (N("Address of the name server"), N("May stay empty")),
}
_LONGEST = 15
# Title, words, the button's label, and the picture of what is asked once.
_SURE: dict[str, tuple[str, str, str, str]] = {
    RESTART: (
        N("Restart the machine?"),
        N("It is back in about a minute."),
        N("Restart"),
        "undo",
    ),
    TRY: (
        N("Have a real card ready"),
        N("A small payment is taken from it, asked about, and given back."),
        N("Begin the trial"),
        "card",
    ),
    FORGET: (
        N("Did you settle the trial payment?"),
        N("This lane will never ask the terminal about it again."),
        N("It is settled"),
        "warning",
    ),
}


def asked(
    deed: str, mode: Servicing, setting: NetworkSetting | None = None
) -> DeedAsked:
    """Return what a button posts that begins a deed."""
    return DeedAsked(deed, mode.attendant, setting or NetworkSetting())


def doing(scene: Scene, mode: Servicing) -> View:
    """The deed in hand, and how far it has come."""
    if mode.doing == TRY:
        return service_trial.trying(scene, mode)
    t, done = scene.t, scene.machine.done_bytes
    text = t("One moment, please")
    if done:
        text = t("{count} MB so far", count=scene.words.number(-(-done // 1_000_000)))
    leave = Button("leave", t("End service"), icon="back", post=AttendantLeft())
    return scene.view(
        f"service_doing_{mode.doing}",
        Layout.MESSAGE,
        t(_DOING.get(mode.doing, _DOING[RESTART])),
        text=text,
        icon="usb" if mode.doing in (LOGS, UPDATE) else "clock",
        tone="wait",
        buttons=(leave,),
    )


def outcome(scene: Scene, mode: Servicing) -> View:
    """What came of the last deed, in words, with what to do next."""
    t = scene.t
    panel = "service_network" if mode.done == NETWORK else "service_work"
    ok = Button("ok", t("OK"), kind="primary", icon="check", local=Local(panel=panel))
    if mode.outcome == "done" and mode.done == ATTEST:
        return _attestation(scene, mode, ok)
    is_done = mode.outcome == "done" and mode.done in _DONE
    title, text = (
        _DONE[mode.done] if is_done else NOT_DONE.get(mode.outcome, NOT_DONE["failed"])
    )
    return scene.view(
        f"service_{mode.done}_{mode.outcome}",
        Layout.MESSAGE,
        t(title),
        text=t(text),
        detail=plain(mode.detail)[:120],
        icon="done" if is_done else "warning",
        tone="good" if is_done else "wait",
        buttons=service_trial.settled(scene, mode),
        primary=ok,
    )


def _attestation(scene: Scene, mode: Servicing, ok: Button) -> View:
    t = scene.t
    code, _, short = mode.detail.partition(" ")
    return scene.view(
        "service_attestation",
        Layout.MESSAGE,
        t("Attestation code"),
        text=plain(short),
        detail=t("Check it with: kiosk attest verify"),
        qr=code,
        primary=ok,
    )


def sure(scene: Scene, mode: Servicing) -> View:
    """Ask once before a restart, twice before everything is erased."""
    t, deed = scene.t, scene.local.todo
    back = scene.back("service_work")
    if deed in _SURE:
        title, text, label, icon = _SURE[deed]
        yes = Button(
            "yes",
            t(label),
            kind="primary",
            icon="check",
            post=asked(deed, mode),
            local=Local(),
            is_guarded=True,
        )
        return scene.view(
            f"service_sure_{deed}",
            Layout.MESSAGE,
            t(title),
            text=t(text),
            icon=icon,
            buttons=(back,),
            primary=yes,
        )
    is_last = scene.local.panel == "service_very_sure"
    yes = Button(
        "yes",
        t("Erase everything now") if is_last else t("Go on"),
        kind="stop",
        icon="clear",
        post=asked(RESET, mode) if is_last else None,
        local=Local() if is_last else Local(panel="service_very_sure", todo=RESET),
        is_guarded=True,
    )
    return scene.view(
        "service_very_sure_reset" if is_last else "service_sure_reset",
        Layout.MESSAGE,
        t("Really erase this machine?") if is_last else t("Factory reset?"),
        text=t("Nothing can bring it back.")
        if is_last
        else t("Journal, settings and keys are erased. The lane is enrolled anew."),
        icon="warning",
        tone="alert",
        buttons=(back, yes),
    )


# -- the network -------------------------------------------------------------


def network(scene: Scene, mode: Servicing, card: NetworkCard) -> View:
    """DHCP or a fixed address, typed part by part and shown once more."""
    match scene.local.panel:
        case "service_type":
            return _type(scene, card)
        case "service_set":
            return _set(scene, mode, card)
        case _:
            return _how(scene, card)


def _how(scene: Scene, card: NetworkCard) -> View:
    t = scene.t
    by_dhcp = Local(
        panel="service_set", chosen=card.name, network=NetworkSetting(card.name)
    )
    by_hand = Local(
        panel="service_type",
        chosen=card.name,
        todo="address",
        typed=card.address.partition("/")[0],
        network=NetworkSetting(card.name),
    )
    return scene.view(
        "service_card",
        Layout.CHOICES,
        t("How does {card} get its address?", card=card.name),
        icon="network",
        choices=(
            Button("dhcp", t("By DHCP"), kind="row", icon="network", local=by_dhcp),
            Button("fixed", t("Set by hand"), kind="row", icon="keypad", local=by_hand),
        ),
        buttons=(scene.back("service_network"),),
    )


def _type(scene: Scene, card: NetworkCard) -> View:
    t, local = scene.t, scene.local
    step = local.todo if local.todo in _STEPS else _STEPS[0]
    title, hint = _ASK[step]
    told = _with(local.network, step, local.typed)
    is_wrong = bool(local.typed) and problem(told) == step
    is_needed = step in ("address", "prefix")
    place = _STEPS.index(step)
    if step == _STEPS[-1]:
        following = Local(panel="service_set", chosen=card.name, network=told)
    else:
        after = _STEPS[place + 1]
        following = Local(
            panel="service_type",
            chosen=card.name,
            todo=after,
            typed=_first_guess(card, after),
            network=told,
        )
    before = Local(panel="service_card", chosen=card.name)
    if place:
        before = Local(
            panel="service_type",
            chosen=card.name,
            todo=_STEPS[place - 1],
            typed=_part(local.network, _STEPS[place - 1]),
            network=local.network,
        )
    can_go_on = not is_wrong and (bool(local.typed) or not is_needed)
    enter = Button("enter", t("Next"), kind="primary", icon="check", local=following)
    return scene.view(
        f"service_type_{step}",
        Layout.KEYS,
        t(title),
        text=t("That cannot be so. Please look again.") if is_wrong else card.name,
        tone="alert" if is_wrong else "",
        icon="network",
        field=Field(local.typed, t(hint)),
        keys=scene.address_keys(_LONGEST),
        buttons=(Button("back", t("Back"), icon="back", local=before),),
        primary=enter if can_go_on else None,
    )


def _set(scene: Scene, mode: Servicing, card: NetworkCard) -> View:
    t, setting = scene.t, scene.local.network
    parts = [t("By DHCP")]
    if setting.address:
        parts = [setting.address]
        if setting.gateway:
            parts.append(t("Gateway {address}", address=setting.gateway))
        if setting.names:
            parts.append(t("Names {address}", address=", ".join(setting.names)))
    yes = Button(
        "set",
        t("Set it"),
        kind="primary",
        icon="check",
        post=asked(NETWORK, mode, setting),
        local=Local(),
        is_guarded=True,
    )
    return scene.view(
        "service_set",
        Layout.MESSAGE,
        t("Set {card} so?", card=card.name),
        text=" · ".join(parts),
        icon="network",
        buttons=(scene.back("service_network"),),
        primary=yes if not problem(setting) else None,
    )


def _with(setting: NetworkSetting, step: str, typed: str) -> NetworkSetting:
    """Return the setting with one part more."""
    match step:
        case "address":
            # The prefix comes next; any will do to look at the address alone.
            return replace(setting, address=f"{typed}/24" if typed else "")
        case "prefix":
            return replace(setting, address=f"{setting.address.split('/')[0]}/{typed}")
        case "gateway":
            return replace(setting, gateway=typed)
        case _:
            return replace(setting, names=(typed,) if typed else ())


def _part(setting: NetworkSetting, step: str) -> str:
    host, _, prefix = setting.address.partition("/")
    parts = {"address": host, "prefix": prefix, "gateway": setting.gateway}
    return parts.get(step, "".join(setting.names[:1]))


def _first_guess(card: NetworkCard, step: str) -> str:
    """Return what the card has now, to be kept or typed over."""
    now = NetworkSetting(card.name, card.address, card.gateway, card.names)
    return _part(now, step) or ("24" if step == "prefix" else "")
