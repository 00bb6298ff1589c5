"""The back office as people reach it: pages, receipts, and two buttons.

Anybody who reaches the address may look; only a form of ours may order something.
It listens on loopback unless told otherwise (README.md says what that leaves open).
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

from litestar import MediaType, Request, Response, get, post
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, RawBody

from kiosk.backoffice import pages, queries, receipt_page
from kiosk.backoffice.claims import Claims
from kiosk.backoffice.orders import OrderError, Orders
from kiosk.backoffice.store import Store

STYLE = (Path(__file__).parent / "style.css").read_bytes()

# Nothing runs, nothing is loaded from elsewhere, nobody frames us.
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src data:; form-action 'self'; "
        "frame-ancestors 'none'; base-uri 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
LARGEST_FORM = 4096


def console_routes(
    store: Store,
    orders: Orders,
    claims: Claims,
    form_token: str,
    store_name: str,
    now_ms: Callable[[], int],
) -> list[HTTPRouteHandler]:
    """Return what answers a browser."""

    @get("/", sync_to_thread=True)
    def overview() -> Response[bytes]:
        kiosks = claims.waiting()
        with store.reading() as connection:
            return in_html(
                pages.overview(
                    store_name,
                    now_ms(),
                    kiosks,
                    queries.lanes(connection),
                    queries.waiting(connection),
                    queries.open_items(connection),
                    queries.at_risk(connection),
                    queries.alarms(connection),
                    queries.sales(connection),
                    queries.days(connection),
                )
            )

    @get("/style.css", sync_to_thread=False)
    def style() -> Response[bytes]:
        return Response(STYLE, media_type="text/css; charset=utf-8")

    @get("/r/{lane_id:str}/{seq:int}", sync_to_thread=True)
    def receipt(
        lane_id: FromPath[str], seq: FromPath[int], k: FromQuery[str] = ""
    ) -> Response[bytes]:
        with store.reading() as connection:
            sale = queries.sale_by_key(connection, lane_id, seq, k)
        if sale is None:
            return in_html(receipt_page.no_receipt(), 404)
        return in_html(receipt_page.receipt(store_name, sale))

    @get("/r/{basket_id:str}", sync_to_thread=True)
    def receipt_of_basket(basket_id: FromPath[str]) -> Response[bytes]:
        with store.reading() as connection:
            sale = queries.sale_by_basket(connection, basket_id)
        if sale is None:
            return in_html(receipt_page.no_receipt(), 404)
        return in_html(receipt_page.receipt(store_name, sale))

    def find_waiting(lane_id: str, asked: int) -> queries.Waiting | None:
        with store.reading() as connection:
            for one in queries.waiting(connection):
                if (one.lane_id, one.asked) == (lane_id, asked):
                    return one
        return None

    @get("/waiting/{lane_id:str}/{asked:int}", sync_to_thread=True)
    def decide(lane_id: FromPath[str], asked: FromPath[int]) -> Response[bytes]:
        one = find_waiting(lane_id, asked)
        if one is None:
            return in_html(
                pages.message("Done", "Nobody waits for this any more."), 404
            )
        return in_html(pages.decide(one, form_token, now_ms()))

    # A path of its own: litestar 2.25 wraps the handlers of a path with two methods
    # into threads twice.
    @post("/decided/{lane_id:str}/{asked:int}", sync_to_thread=True, status_code=200)
    def decided(
        request: Request[object, object, State],
        lane_id: FromPath[str],
        asked: FromPath[int],
        body: RawBody,
    ) -> Response[bytes]:
        form = read_form(body)
        if not is_ours(request, form, form_token):
            return in_html(
                pages.message("Not done", "Please open the page anew and try again."),
                403,
            )
        one = find_waiting(lane_id, asked)
        if one is None:
            return in_html(
                pages.message("Done", "Nobody waits for this any more."), 404
            )
        if form.get("order") not in ("approve", "refuse"):
            return in_html(pages.message("Not done", "Approve or refuse?"), 400)
        attendant = form.get("attendant", "").strip()
        if not (attendant.isalnum() and attendant.isascii() and len(attendant) <= 20):
            return in_html(
                pages.message("Not done", "Your attendant number is needed."), 400
            )
        try:
            orders.give(
                lane_id, form["order"], attendant, asked, form.get("reason", "")[:100]
            )
        except OrderError as error:
            return in_html(pages.message("Not done", str(error)), 400)
        return in_html(
            pages.message("On its way", f"{lane_id} is told; it journals what it does.")
        )

    return [overview, style, receipt, receipt_of_basket, decide, decided]


def in_html(content: bytes, status: int = 200) -> Response[bytes]:
    """Return a page with the headers that keep it harmless."""
    return Response(
        content, status_code=status, media_type=MediaType.HTML, headers=HEADERS
    )


def read_form(body: bytes) -> dict[str, str]:
    """Return a form's fields; of one that comes twice, the first."""
    if len(body) > LARGEST_FORM:
        return {}
    try:
        fields = parse_qs(body.decode("utf-8", "replace"), max_num_fields=20)
    except ValueError:
        return {}
    return {name: values[0] for name, values in fields.items()}


def is_ours(
    request: Request[object, object, State], form: dict[str, str], token: str
) -> bool:
    """Say whether a form was sent from a page of ours."""
    origin = request.headers.get("Origin", "")
    if origin and urlsplit(origin).netloc != request.headers.get("Host", ""):
        return False
    return hmac.compare_digest(form.get("token", "").encode(), token.encode())
