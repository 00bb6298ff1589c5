"""Kiosks that wait to become lanes, on pages for an admin. Values in, HTML out.

A page never shows a claim code: the admin types the one on the kiosk's screen, and
so has compared it.
"""

from __future__ import annotations

from kiosk.backoffice.claims import ClaimSeen
from kiosk.backoffice.html import Child, Markup, page, table, tag
from kiosk.backoffice.words import age


def notice(waiting: list[ClaimSeen]) -> Markup | None:
    """Return the first page's word about kiosks that wait, or nothing."""
    if not waiting:
        return None
    are = "kiosk waits" if len(waiting) == 1 else "kiosks wait"
    return tag(
        "section",
        tag("h2", "Kiosks waiting"),
        tag(
            "a",
            tag("strong", f"{len(waiting)} new {are}"),
            tag("span", "Compare the code and approve"),
            class_="card call",
            href="/kiosks",
        ),
    )


def kiosks(waiting: list[ClaimSeen], form_token: str, now_ms: int) -> bytes:
    """Return the page on which an admin approves or refuses kiosks."""
    rows: list[list[Child]] = [
        [
            one.hardware or "unknown",
            one.release or "unknown",
            one.was or "new",
            one.address,
            f"{age(one.made_ms, now_ms)}, silent now"
            if one.is_gone
            else age(one.made_ms, now_ms),
            _refuse(one, form_token),
        ]
        for one in waiting
    ]
    return page(
        "Kiosks waiting",
        tag("header", tag("h1", tag("a", "\u2190 All lanes", href="/"))),
        tag(
            "main",
            tag(
                "section",
                tag("h2", "Kiosks waiting"),
                table(
                    ["Hardware", "Release", "Was", "Address", "Waits for", "Refuse"],
                    rows,
                    empty="No kiosk waits. A blank kiosk asks by itself once it is"
                    " switched on and reaches this back office.",
                ),
            ),
            _approve(form_token) if waiting else None,
        ),
    )


def _approve(form_token: str) -> Markup:
    return tag(
        "section",
        tag("h2", "Approve a kiosk"),
        tag(
            "p",
            "Type the code that the kiosk's own screen shows. No other kiosk is"
            " approved by it.",
        ),
        tag(
            "form",
            tag("input", type="hidden", name="token", value=form_token),
            _field("Code on the kiosk's screen", "code", 11),
            _field("Name of the lane, like lane-3", "lane", 40),
            tag(
                "label",
                "Its settings (lane.toml)",
                tag("textarea", name="settings", required=True, rows=12),
            ),
            tag(
                "label",
                tag("input", type="checkbox", name="replace", value="yes"),
                "It replaces the machine that is this lane now",
            ),
            _word(),
            tag("div", tag("button", "Approve"), class_="buttons"),
            method="post",
            action="/kiosks/approve",
        ),
        class_="narrow",
    )


def _refuse(one: ClaimSeen, form_token: str) -> Markup:
    return tag(
        "form",
        tag("input", type="hidden", name="token", value=form_token),
        tag("input", type="hidden", name="claim", value=one.claim_id),
        _word(),
        tag("button", "Refuse", class_="second"),
        method="post",
        action="/kiosks/refuse",
    )


def _field(label: str, name: str, longest: int) -> Markup:
    return tag(
        "label",
        label,
        tag("input", name=name, required=True, maxlength=longest, autocomplete="off"),
    )


def _word() -> Markup:
    return tag(
        "label",
        "Admins' word",
        tag(
            "input",
            name="word",
            type="password",
            required=True,
            maxlength=80,
            autocomplete="off",
        ),
    )
