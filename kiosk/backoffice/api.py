"""The back office as lanes reach it: HTTP around `Intake` and `Orders`.

Takes bytes apart and puts answers together; decides nothing. Every answer to a
lane is signed, so that nobody else can say "held".
"""

from __future__ import annotations

from typing import Annotated

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, FromQuery, QueryParameter, RawBody

from kiosk.backoffice.catalogue import Catalogues
from kiosk.backoffice.intake import Intake
from kiosk.backoffice.orders import Orders
from kiosk.records.keys import SigningKey
from kiosk.sync.wire import (
    ANSWER_DOMAIN,
    Answer,
    Enrolled,
    Held,
    Refusal,
    Signed,
    Welcome,
    WireError,
    read,
    seal,
    unpack,
)

# Shorter than the patience of proxies on the way (60 s is common).
LONG_POLL_SECONDS = 25.0


def lane_routes(
    intake: Intake,
    orders: Orders,
    catalogues: Catalogues,
    key: SigningKey,
    enrol_token: str,
) -> list[HTTPRouteHandler]:
    """Return what answers under /api/v1."""

    def answer(to: bytes, content: Welcome | Held | Enrolled) -> Response[bytes]:
        sealed = seal(
            key, ANSWER_DOMAIN, Answer(to, msgspec.Raw(msgspec.json.encode(content)))
        )
        return in_json(sealed)

    @post("/api/v1/lanes/{lane_id:str}/enrol", sync_to_thread=True, status_code=200)
    def enrol(lane_id: FromPath[str], body: RawBody) -> Response[bytes]:
        try:
            signed = read(body, Signed)
        except WireError as error:
            return refuse(Refusal(400, str(error)))
        known = intake.enrol(signed, enrol_token)
        if isinstance(known, Refusal):
            return refuse(known)
        return answer(signed.signature, known)

    @post("/api/v1/lanes/{lane_id:str}/hello", sync_to_thread=True, status_code=200)
    def hello(lane_id: FromPath[str], body: RawBody) -> Response[bytes]:
        try:
            signed = read(body, Signed)
        except WireError as error:
            return refuse(Refusal(400, str(error)))
        welcome = intake.hello(lane_id, signed)
        if isinstance(welcome, Refusal):
            return refuse(welcome)
        return answer(signed.signature, welcome)

    @post("/api/v1/lanes/{lane_id:str}/entries", sync_to_thread=True, status_code=200)
    def entries(lane_id: FromPath[str], body: RawBody) -> Response[bytes]:
        try:
            batch = unpack(body)
        except WireError as error:
            return refuse(Refusal(400, str(error)))
        if batch.lane_id != lane_id:
            return refuse(Refusal(403, "the batch is another lane's"))
        held = intake.take(batch)
        if isinstance(held, Refusal):
            return refuse(held)
        return answer(batch.signature, held)

    @get("/api/v1/lanes/{lane_id:str}/directives")
    async def directives(
        lane_id: FromPath[str],
        seen: FromQuery[str] = "",
        wait: FromQuery[float] = LONG_POLL_SECONDS,
    ) -> Response[bytes]:
        found = await orders.wait(
            lane_id,
            set(filter(None, seen.split(","))),
            max(0.0, min(wait, LONG_POLL_SECONDS)),
        )
        return in_json(found)

    @get("/api/v1/documents/{kind:str}", sync_to_thread=True)
    def documents(kind: FromPath[str], above: FromQuery[int] = 0) -> Response[bytes]:
        found = orders.newest(kind, above)
        return in_json([found] if found else [])

    @get("/api/v1/catalog", sync_to_thread=True)
    def catalog(request: Request[object, object, State]) -> Response[bytes]:
        whole = catalogues.newest()
        if whole is None:
            return Response(b"", status_code=204)
        etag = f'"{whole.version}"'
        if request.headers.get("If-None-Match") == etag:
            return Response(b"", status_code=304, headers={"ETag": etag})
        return Response(
            whole.signature + whole.path.read_bytes(),
            media_type="application/octet-stream",
            headers={"ETag": etag},
        )

    @get("/api/v1/catalog/delta", sync_to_thread=True)
    def catalog_delta(
        since: Annotated[int, QueryParameter(name="from")],
    ) -> Response[bytes]:
        whole = catalogues.newest()
        if whole is None or whole.version == since:
            return Response(b"", status_code=204)
        delta = catalogues.delta(since)
        if delta is None:
            return refuse(Refusal(404, f"there is no way from version {since}"))
        return Response(delta, media_type="application/msgpack")

    return [enrol, hello, entries, directives, documents, catalog, catalog_delta]


def in_json(content: Signed | list[Signed]) -> Response[bytes]:
    """Return signed texts as they travel."""
    return Response(msgspec.json.encode(content), media_type=MediaType.JSON)


def refuse(refusal: Refusal) -> Response[bytes]:
    """Return a refusal in our own form, by which a lane knows that it is ours."""
    return Response(
        msgspec.json.encode(refusal),
        status_code=refusal.status,
        media_type=MediaType.JSON,
    )
