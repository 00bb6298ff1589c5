"""The back office as the fleet's admins and blank kiosks reach it: HTTP around `Claims`.

Kiosks prove themselves by their signature, admins by the word in `admin.token`.
Takes bytes apart and puts answers together; decides nothing.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from pathlib import Path

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath, RawBody

from kiosk.backoffice.api import in_json, refuse
from kiosk.backoffice.claims import ClaimError, Claims
from kiosk.backoffice.log_fetch import LogFetches
from kiosk.backoffice.machines import machines
from kiosk.backoffice.orders import OrderError
from kiosk.backoffice.store import Store
from kiosk.records.disk import replace_file
from kiosk.records.keys import SigningKey
from kiosk.sync.claim import OfficeKey
from kiosk.sync.wire import (
    ANSWER_DOMAIN,
    Answer,
    Refusal,
    Signed,
    WireError,
    read,
    seal,
)


class Approve(msgspec.Struct, frozen=True):
    """An admin lets the kiosk with this code become a lane."""

    code: str
    lane_id: str
    settings: str
    replace: bool = False


class AskLog(msgspec.Struct, frozen=True):
    """An admin wants a lane's technical log of the last hours."""

    lane_id: str
    hours: int


class Refuse(msgspec.Struct, frozen=True):
    """An admin sends a kiosk away."""

    claim_id: str


def admin_token(folder: Path) -> str:
    """Return the admins' word, made at the first start; whoever can read it is one."""
    path = folder / "admin.token"
    if not path.exists():
        replace_file(path, f"{secrets.token_urlsafe(24)}\n".encode(), 0o600)
    return path.read_text(encoding="utf-8").strip()


def is_admin(given: str, token: str) -> bool:
    """Say whether somebody gave the admins' word."""
    return bool(token) and hmac.compare_digest(given.encode(), token.encode())


def stranger_to(
    token: str,
) -> Callable[[Request[object, object, State]], Response[bytes] | None]:
    """Return what refuses a request without the admins' word."""

    def stranger(request: Request[object, object, State]) -> Response[bytes] | None:
        word = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if is_admin(word, token):
            return None
        return refuse(Refusal(401, "this needs the admins' word (admin.token)"))

    return stranger


def fleet_routes(
    store: Store, claims: Claims, logs: LogFetches, key: SigningKey, token: str
) -> list[HTTPRouteHandler]:
    """Return what answers kiosks without a lane, and admins, under /api/v1."""
    stranger = stranger_to(token)

    @get("/api/v1/office", sync_to_thread=False)
    def office() -> Response[bytes]:
        return as_json(OfficeKey(key.public.hex()))

    @post("/api/v1/claims", sync_to_thread=True, status_code=200)
    def claim(
        request: Request[object, object, State], body: RawBody
    ) -> Response[bytes]:
        try:
            signed = read(body, Signed)
        except WireError as error:
            return refuse(Refusal(400, str(error)))
        address = request.client.host if request.client else ""
        approval = claims.take(signed, address)
        if isinstance(approval, Refusal):
            return refuse(approval)
        content = msgspec.Raw(msgspec.json.encode(approval))
        return in_json(seal(key, ANSWER_DOMAIN, Answer(signed.signature, content)))

    @get("/api/v1/fleet/claims", sync_to_thread=True)
    def waiting(request: Request[object, object, State]) -> Response[bytes]:
        return stranger(request) or as_json(claims.waiting())

    @post("/api/v1/fleet/approve", sync_to_thread=True, status_code=200)
    def approve(
        request: Request[object, object, State], body: RawBody
    ) -> Response[bytes]:
        if (no := stranger(request)) is not None:
            return no
        try:
            asked = read(body, Approve)
            return as_json(
                claims.approve(
                    asked.code, asked.lane_id, asked.settings, replace=asked.replace
                )
            )
        except (WireError, ClaimError) as error:
            return refuse(Refusal(400, str(error)))

    @post("/api/v1/fleet/refuse", sync_to_thread=True, status_code=200)
    def send_away(
        request: Request[object, object, State], body: RawBody
    ) -> Response[bytes]:
        if (no := stranger(request)) is not None:
            return no
        try:
            asked = read(body, Refuse)
            claims.refuse(asked.claim_id)
        except (WireError, ClaimError) as error:
            return refuse(Refusal(400, str(error)))
        return as_json(asked)

    @get("/api/v1/fleet/lanes", sync_to_thread=True)
    def lanes(request: Request[object, object, State]) -> Response[bytes]:
        if (no := stranger(request)) is not None:
            return no
        with store.reading() as connection:
            return as_json(machines(connection))

    @post("/api/v1/fleet/logs", sync_to_thread=True, status_code=200)
    def ask_log(
        request: Request[object, object, State], body: RawBody
    ) -> Response[bytes]:
        if (no := stranger(request)) is not None:
            return no
        try:
            asked = read(body, AskLog)
            return as_json(logs.ask(asked.lane_id, asked.hours))
        except (WireError, OrderError) as error:
            return refuse(Refusal(400, str(error)))

    @get("/api/v1/fleet/logs/{directive_id:str}", sync_to_thread=True)
    def log(
        request: Request[object, object, State], directive_id: FromPath[str]
    ) -> Response[bytes]:
        if (no := stranger(request)) is not None:
            return no
        found = logs.find(directive_id)
        if found is None:
            return refuse(Refusal(404, "nobody asked for this log"))
        return as_json(found)

    @get("/api/v1/fleet/logs/{directive_id:str}/text", sync_to_thread=True)
    def log_text(
        request: Request[object, object, State], directive_id: FromPath[str]
    ) -> Response[bytes]:
        if (no := stranger(request)) is not None:
            return no
        found = logs.find(directive_id)
        if found is None:
            return refuse(Refusal(404, "nobody asked for this log"))
        return Response(b"".join(logs.text(found)), media_type=MediaType.TEXT)

    @post("/api/v1/lanes/{lane_id:str}/logs", sync_to_thread=True, status_code=200)
    def piece(lane_id: FromPath[str], body: RawBody) -> Response[bytes]:
        try:
            signed = read(body, Signed)
        except WireError as error:
            return refuse(Refusal(400, str(error)))
        held = logs.take(lane_id, signed)
        if isinstance(held, Refusal):
            return refuse(held)
        content = msgspec.Raw(msgspec.json.encode(held))
        return in_json(seal(key, ANSWER_DOMAIN, Answer(signed.signature, content)))

    return [
        office,
        claim,
        waiting,
        approve,
        send_away,
        lanes,
        ask_log,
        log,
        log_text,
        piece,
    ]


def as_json(content: object) -> Response[bytes]:
    """Return a value of ours as it travels to an admin."""
    return Response(msgspec.json.encode(content), media_type=MediaType.JSON)
