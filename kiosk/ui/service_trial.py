"""Views for technicians: the card terminal's trial, step by step, and why it failed.

Decides nothing: what a trial is and when it may run is the lane's to say.
"""

from __future__ import annotations

from kiosk.asked import DeedAsked
from kiosk.domain.service import FORGET, STOP
from kiosk.domain.state import Servicing
from kiosk.machine import TrialStep
from kiosk.ui.local import Local
from kiosk.ui.scene import Scene
from kiosk.ui.view import Button, Layout, View
from kiosk.ui.words import N, plain

DOING = N("The card terminal is being tried")
_STEPS_TOLD: dict[str, str] = {
    "earlier": N("An earlier trial was cut short: the terminal is asked about it."),
    "nothing_taken": N("Nothing was taken by it."),
    "answers": N("Terminal {terminal_id} answers."),
    "amount": N("A trial payment of {amount}."),
    "card": N("Hold a real card to the terminal now."),
    "pin": N("Enter the card's PIN at the terminal."),
    "take_card": N("Take the card."),
    "approved": N("Approved. The terminal is asked about it."),
    "told": N("The terminal tells it truly. The money is given back."),
    "given_back": N("The trial payment was given back."),
}
# Why a terminal was not enabled (`NotCommissioned.code`), and what to do about it.
NOT_DONE: dict[str, tuple[str, str]] = {
    "trial_stopped": (
        N("The trial was stopped"),
        N("Nothing was taken. Try again with a card in your hand."),
    ),
    "trial_no_recovery": (
        N("This terminal cannot tell how a payment ended"),
        N("Connect another model, or ask the people who look after the software."),
    ),
    "trial_no_mark": (
        N("The terminal does not answer"),
        N("Check its cable, address and password, then try again."),
    ),
    "trial_not_approved": (
        N("The trial payment was not approved"),
        N("Nothing was taken. Try again, or take another card."),
    ),
    "trial_unclear": (
        N("The trial payment has no clear end"),
        N("Try again: the terminal is asked, and the money given back."),
    ),
    "trial_silent": (
        N("The terminal cannot say how it ended"),
        N("Try again when it answers: the money is given back then."),
    ),
    "trial_untrue": (
        N("The terminal did not tell this payment"),
        N("It cannot be used here: connect another. The money was given back."),
    ),
    "trial_not_given_back": (
        N("The trial payment was not given back"),
        N("Try again. If it fails again, reverse it at the terminal itself."),
    ),
    "trial_unknown": (
        N("Nobody can tell whether the trial took money"),
        N("Look into the terminal's own journal and reverse the payment there."),
    ),
    "trial_unreadable": (
        N("What an earlier trial did cannot be read"),
        N("Look into the terminal's own journal and reverse the payment there."),
    ),
    "trial_not_kept": (
        N("The trial could not be written down"),
        N("Try again: what was taken is given back. Then copy the logs."),
    ),
}
# A person may settle these at the terminal; afterwards the trial is forgotten.
_FOR_A_PERSON = ("trial_not_given_back", "trial_unknown", "trial_unreadable")


def trying(scene: Scene, mode: Servicing) -> View:
    """The step that the trial is at, and the one before; nobody leaves meanwhile."""
    t, steps = scene.t, scene.machine.trial
    said = [_step(scene, step) for step in steps[-2:]]
    stop = Button(
        "stop", t("Stop the trial"), icon="clear", post=DeedAsked(STOP, mode.attendant)
    )
    return scene.view(
        "service_doing_try_terminal",
        Layout.MESSAGE,
        t(DOING),
        text=said[-1] if said else t("One moment, please"),
        detail=said[0] if len(said) > 1 else "",
        icon="card",
        tone="wait",
        buttons=(stop,),
    )


def _step(scene: Scene, step: TrialStep) -> str:
    amount = scene.money(step.amount_minor, step.currency) if step.currency else ""
    words = _STEPS_TOLD.get(step.code, DOING)
    return scene.t(words, terminal_id=plain(step.terminal_id), amount=amount)


def settled(scene: Scene, mode: Servicing) -> tuple[Button, ...]:
    """Offer to forget a trial payment that only a person can settle."""
    if mode.outcome not in _FOR_A_PERSON:
        return ()
    sure = Local(panel="service_sure", todo=FORGET)
    label = scene.t("It is settled there")
    return (Button("forget", label, icon="check", local=sure),)
