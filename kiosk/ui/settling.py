"""Views for what was left open: baskets put aside, paid sales, unsettled payments."""

from __future__ import annotations

from kiosk.asked import ResumeAsked
from kiosk.domain.attending import APPROVE, VOID
from kiosk.domain.events import ReprintAsked, TenderSettled
from kiosk.domain.modes import core
from kiosk.domain.settling import UNKNOWN_DECISIONS, item_decisions
from kiosk.domain.state import Attending, OutcomeUnknown
from kiosk.domain.tender import Stage
from kiosk.ui.local import Local
from kiosk.ui.scene import Scene
from kiosk.ui.view import Button, Field, Layout, View
from kiosk.ui.words import N

DECISIONS: dict[str, tuple[str, str, str]] = {
    "paid": (N("Paid"), N("The card was charged: make it a sale"), "check"),
    "not_paid": (N("Not paid"), N("The card was not charged: go on"), "card_no"),
    "taken_at_till": (N("Taken at the till"), N("Paid there instead"), "till"),
    "reverse": (N("Give the money back"), N("The card gets it back"), "undo"),
    "elsewhere": (N("Settled elsewhere"), N("By the bank or by hand"), "till"),
}


def resume(scene: Scene, mode: Attending) -> View:
    t = scene.t
    choices = [
        Button(
            f"resume_{basket.suspended_seq}",
            t("Basket {code}", code=basket.code),
            kind="row",
            icon="bag",
            detail=f"{scene.words.time(basket.at_ms)} · {scene.count(basket.figures.count)}",
            amount=scene.money(basket.figures.total_minor, basket.figures.currency),
            post=ResumeAsked(basket.suspended_seq, mode.attendant),
            local=Local(),
        )
        for basket in reversed(scene.lane.suspended)
    ]
    shown, leaf = scene.page(choices)
    return scene.view(
        "attendant_resume",
        Layout.CHOICES,
        t("Take up a basket"),
        text="" if choices else t("No basket is waiting."),
        icon="bag",
        choices=shown,
        buttons=(*leaf, scene.back()),
    )


def sales(scene: Scene) -> View:
    t = scene.t
    choices = [
        Button(
            f"sale_{sale.sale_seq}",
            t("Sale {number}", number=sale.sale_seq),
            kind="row",
            icon="receipt",
            detail=f"{scene.words.time(sale.at_ms)} · {scene.count(sale.figures.count)}",
            amount=scene.money(sale.figures.total_minor, sale.figures.currency),
            local=Local(panel="sale", chosen=str(sale.sale_seq)),
        )
        for sale in reversed(scene.lane.recent_sales)
    ]
    shown, leaf = scene.page(choices)
    return scene.view(
        "attendant_sales",
        Layout.CHOICES,
        t("Paid sales"),
        text=t("Which sale?") if choices else t("Nothing was sold yet."),
        icon="receipt",
        choices=shown,
        buttons=(*leaf, scene.back()),
    )


def sale(scene: Scene, mode: Attending) -> View:
    t, chosen = scene.t, scene.local.chosen
    sale = next((s for s in scene.lane.recent_sales if str(s.sale_seq) == chosen), None)
    if sale is None:
        return sales(scene)
    deeds = []
    if APPROVE in mode.roles:
        deeds.append(
            Button(
                "reprint",
                t("Print again"),
                icon="receipt",
                post=ReprintAsked(sale.sale_seq, mode.attendant),
            )
        )
    attempt = scene.lane.ledger.get(sale.attempt_id)
    state = ""
    if attempt and attempt.stage in {Stage.REVERSING, Stage.REFUNDING}:
        state = t("Money is being given back")
    elif attempt and attempt.stage in {Stage.REVERSED, Stage.REFUNDED}:
        state = t("Money was given back")
    elif VOID in mode.roles:
        deeds.append(
            Button(
                "give_void",
                t("Void the sale"),
                icon="undo",
                detail=t("same day"),
                local=Local(panel="reason", todo="give_void", chosen=chosen),
            )
        )
        deeds.append(
            Button(
                "give_refund",
                t("Refund"),
                icon="undo",
                detail=t("later days"),
                local=Local(panel="reason", todo="give_refund", chosen=chosen),
            )
        )
    facts = (
        scene.words.time(sale.at_ms),
        scene.count(sale.figures.count),
        scene.money(sale.figures.total_minor, sale.figures.currency),
        state,
    )
    return scene.view(
        "attendant_sale",
        Layout.MENU,
        t("Sale {number}", number=sale.sale_seq),
        text=" · ".join(fact for fact in facts if fact),
        icon="receipt",
        choices=tuple(deeds),
        buttons=(scene.back("sales"),),
    )


# -- open payments -----------------------------------------------------------


def to_settle(scene: Scene, mode: Attending) -> list[tuple[str, int, str, str]]:
    """Return what a person must settle: attempt, amount, currency, why."""
    waiting = [
        (i.attempt_id, i.amount_minor, i.currency, i.why) for i in scene.lane.open_items
    ]
    match core(mode):
        case OutcomeUnknown(tender=tender):
            figures = tender.figures
            waiting.insert(
                0,
                (tender.attempt_id, tender.amount_minor, figures.currency, "unknown"),
            )
        case _:
            pass
    return waiting


WHY_OPEN: dict[str, str] = {
    "unknown": N("The card reader has not answered"),
    "found_late": N("Found after a restart"),
    "nobody_waits": N("Approved after the end"),
    "reversal_refused": N("The card reader would not give it back"),
    "return_unknown": N("Perhaps given back already"),
}


def settle(scene: Scene, mode: Attending) -> View:
    t = scene.t
    choices = [
        Button(
            f"settle_{n}",
            attempt_id[-8:],
            kind="row",
            icon="card",
            detail=t(WHY_OPEN.get(why, WHY_OPEN["unknown"])),
            amount=scene.money(minor, currency),
            local=Local(panel="decision", chosen=attempt_id),
        )
        for n, (attempt_id, minor, currency, why) in enumerate(to_settle(scene, mode))
    ]
    shown, leaf = scene.page(choices)
    return scene.view(
        "attendant_settle",
        Layout.CHOICES,
        t("Open payments"),
        text=t("Which payment?") if choices else t("Everything is settled."),
        icon="card",
        choices=shown,
        buttons=(*leaf, scene.back()),
    )


def decision(scene: Scene, mode: Attending) -> View:
    t, chosen = scene.t, scene.local.chosen
    item = next((i for i in scene.lane.open_items if i.attempt_id == chosen), None)
    attempt = scene.lane.ledger.get(chosen)
    decisions = item_decisions(item, attempt) if item else UNKNOWN_DECISIONS
    choices = tuple(
        Button(
            f"decide_{decision}",
            t(DECISIONS[decision][0]),
            kind="row",
            icon=DECISIONS[decision][2],
            detail=t(DECISIONS[decision][1]),
            local=Local(panel="reason", todo=decision, chosen=chosen),
        )
        for decision in decisions
    )
    return scene.view(
        "attendant_decision",
        Layout.CHOICES,
        t("What happened?"),
        text=t("Reference {code}", code=chosen[-8:]),
        icon="card",
        choices=choices,
        buttons=(scene.back("settle"),),
    )


def reference(scene: Scene, mode: Attending) -> View:
    t, local = scene.t, scene.local
    return scene.view(
        "attendant_reference",
        Layout.KEYS,
        t("Receipt number"),
        text=t("From the slip, if there is one."),
        icon="receipt",
        field=Field(local.typed, t("Number")),
        keys=scene.digits("typed", 12),
        buttons=(scene.back("settle"),),
        primary=Button(
            "enter",
            t("Settle it"),
            kind="primary",
            icon="check",
            post=TenderSettled(
                local.chosen, local.todo, mode.attendant, local.reason, local.typed
            ),
            local=Local(),
            is_guarded=True,
        ),
    )
