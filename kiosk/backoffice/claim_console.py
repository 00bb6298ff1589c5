"""The pages about waiting kiosks as a browser reaches them.

Everybody who reaches the address may look; to approve or refuse takes a form of ours
and the admins' word.
"""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import parse_qs

from litestar import Request, Response, get, post
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import RawBody

from kiosk.backoffice import claim_pages, pages
from kiosk.backoffice.claims import LARGEST_SETTINGS, ClaimError, Claims
from kiosk.backoffice.console import in_html, is_ours
from kiosk.backoffice.fleet_api import is_admin

# Settings in a form grow where they are percent-encoded.
LARGEST_FORM = 3 * LARGEST_SETTINGS


def claim_console_routes(
    claims: Claims, form_token: str, token: str, now_ms: Callable[[], int]
) -> list[HTTPRouteHandler]:
    """Return what answers an admin's browser about waiting kiosks."""

    def not_allowed(
        request: Request[object, object, State], form: dict[str, str]
    ) -> Response[bytes] | None:
        if not is_ours(request, form, form_token):
            return said("Not done", "Please open the page anew and try again.", 403)
        if not is_admin(form.get("word", "").strip(), token):
            return said(
                "Not done",
                "That is not the admins' word. It stands in the file admin.token of"
                " the back office's folder.",
                403,
            )
        return None

    @get("/kiosks", sync_to_thread=True)
    def waiting() -> Response[bytes]:
        return in_html(claim_pages.kiosks(claims.waiting(), form_token, now_ms()))

    @post("/kiosks/approve", sync_to_thread=True, status_code=200)
    def approve(
        request: Request[object, object, State], body: RawBody
    ) -> Response[bytes]:
        form = read_long_form(body)
        if (no := not_allowed(request, form)) is not None:
            return no
        try:
            approved = claims.approve(
                form.get("code", ""),
                form.get("lane", "").strip(),
                form.get("settings", "").replace("\r\n", "\n"),
                replace=form.get("replace") == "yes",
            )
        except ClaimError as error:
            return said("Not done", str(error), 400)
        return said(
            "Approved",
            f"The kiosk fetches its settings within seconds and starts as"
            f" {approved.lane_id}.",
        )

    @post("/kiosks/refuse", sync_to_thread=True, status_code=200)
    def send_away(
        request: Request[object, object, State], body: RawBody
    ) -> Response[bytes]:
        form = read_long_form(body)
        if (no := not_allowed(request, form)) is not None:
            return no
        try:
            claims.refuse(form.get("claim", ""))
        except ClaimError as error:
            return said("Not done", str(error), 400)
        return said("Refused", "The kiosk shows another code in a minute.")

    return [waiting, approve, send_away]


def said(title: str, text: str, status: int = 200) -> Response[bytes]:
    """Return a page that says one thing."""
    return in_html(pages.message(title, text), status)


def read_long_form(body: bytes) -> dict[str, str]:
    """Return the fields of a form that may hold a lane's settings."""
    if len(body) > LARGEST_FORM:
        return {}
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=20)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}
