"""The staff as an admin reaches it: HTTP around `Staff`. Decides nothing.

A PIN comes in the body alone, over a line that a proxy encrypts where it is not the
same machine; nothing here writes a body down.
"""

from __future__ import annotations

from asyncio import to_thread
from collections.abc import Callable
from typing import TypeAlias

import msgspec
from litestar import MediaType, Request, Response, get, post
from litestar.datastructures import State
from litestar.handlers import HTTPRouteHandler
from litestar.params import RawBody

from kiosk.backoffice.api import refuse
from kiosk.backoffice.staff import Staff, StaffError
from kiosk.sync.wire import Refusal, WireError, read

Asked: TypeAlias = Request[object, object, State]


class PutStaff(msgspec.Struct, frozen=True):
    """An admin adds one who helps, or changes one. Without a PIN the former holds."""

    attendant_id: str
    name: str
    roles: tuple[str, ...]
    pin: str = ""

    def __repr__(self) -> str:
        # A PIN is never shown, wherever this may be printed.
        return f"PutStaff({self.attendant_id!r})"


class RemoveStaff(msgspec.Struct, frozen=True):
    """An admin takes one away."""

    attendant_id: str


def staff_routes(
    staff: Staff, stranger: Callable[[Asked], Response[bytes] | None]
) -> list[HTTPRouteHandler]:
    """Return what answers under /api/v1/fleet/staff; `stranger` refuses who is none."""

    # Litestar wraps `sync_to_thread` twice where a path has two methods, and then never
    # waits for the first: these two go to a worker by themselves.
    @get("/api/v1/fleet/staff")
    async def everyone(request: Asked) -> Response[bytes]:
        if (no := stranger(request)) is not None:
            return no
        return _as_json(await to_thread(staff.all))

    # A PIN's hash takes its time, and lanes are answered meanwhile.
    @post("/api/v1/fleet/staff", status_code=200)
    async def put(request: Asked, body: RawBody) -> Response[bytes]:
        if (no := stranger(request)) is not None:
            return no
        try:
            asked = read(body, PutStaff)
            return _as_json(
                await to_thread(
                    staff.put, asked.attendant_id, asked.name, asked.roles, asked.pin
                )
            )
        except (WireError, StaffError) as error:
            return refuse(Refusal(400, str(error)))

    @post("/api/v1/fleet/staff/remove", sync_to_thread=True, status_code=200)
    def remove(request: Asked, body: RawBody) -> Response[bytes]:
        if (no := stranger(request)) is not None:
            return no
        try:
            return _as_json(staff.remove(read(body, RemoveStaff).attendant_id))
        except (WireError, StaffError) as error:
            return refuse(Refusal(400, str(error)))

    return [everyone, put, remove]


def _as_json(content: object) -> Response[bytes]:
    return Response(msgspec.json.encode(content), media_type=MediaType.JSON)
