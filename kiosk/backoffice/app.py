"""The back office as a program: settings, its parts put together, and serving.

The only file here that reads the clock, draws ids or opens files.
"""

from __future__ import annotations

import logging
import secrets
import time
from pathlib import Path

import msgspec
import uvicorn
from litestar import Litestar

from kiosk.backoffice.api import lane_routes
from kiosk.backoffice.catalogue import Catalogues
from kiosk.backoffice.claim_console import claim_console_routes
from kiosk.backoffice.claims import Claims
from kiosk.backoffice.console import console_routes
from kiosk.backoffice.fleet_api import admin_token, fleet_routes, stranger_to
from kiosk.backoffice.intake import Intake
from kiosk.backoffice.log_fetch import LogFetches
from kiosk.backoffice.orders import Orders
from kiosk.backoffice.staff import Staff
from kiosk.backoffice.staff_api import staff_routes
from kiosk.backoffice.store import Store
from kiosk.records.keys import SigningKey, device_secret
from kiosk.sync.wire import LARGEST_BODY

log = logging.getLogger(__name__)


class OfficeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a back office is started with.

    `folder` keeps the database, the signing key and the catalogue. Without an
    `enrol_token` no new lane is taken.
    """

    folder: Path
    enrol_token: str = ""
    store_name: str = "Stillopen"
    catalog_csv: Path | None = None
    catalog_language: str = "en"
    # One row that cannot be understood, and the catalogue before stays in force.
    refuse_bad_rows: bool = False


def now_ms() -> int:
    """Return the wall clock in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def new_id() -> str:
    """Return an id that nobody can guess."""
    return secrets.token_hex(8)


def new_token() -> str:
    """Return a word that is known to whom it is given, and to nobody else."""
    return secrets.token_urlsafe(24)


def server_key(folder: Path) -> SigningKey:
    """Return the back office's key, made at its first start.

    Its public half, which every lane is given, is put beside it as `server.pub`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    key = SigningKey.load_or_create(folder / "server.key")
    public = folder / "server.pub"
    if not public.exists():
        public.write_bytes(key.public_pem())
    return key


def create_app(settings: OfficeSettings) -> Litestar:
    """Put the back office together."""
    key = server_key(settings.folder)
    store = Store.open(settings.folder / "office.db")
    intake = Intake(store, now_ms, new_id)
    orders = Orders(store, key, now_ms, new_id)
    # Every lane that is enrolled by claim gets it, so that one hash fits all lanes.
    pin_secret = device_secret(settings.folder / "pins.secret")
    claims = Claims(store, key, now_ms, new_token, pin_secret)
    staff = Staff(orders, key, pin_secret, now_ms)
    logs = LogFetches(store, orders, settings.folder / "logs", now_ms)
    token = admin_token(settings.folder)
    # Another page cannot know it, so it cannot press our buttons.
    form_token = secrets.token_hex(16)

    catalogues = Catalogues(settings.folder / "catalog", key, now_ms)
    if settings.catalog_csv is not None:
        _import(catalogues, settings)

    async def close() -> None:
        store.close()

    return Litestar(
        route_handlers=[
            *lane_routes(intake, orders, catalogues, key, settings.enrol_token),
            *fleet_routes(store, claims, logs, key, token),
            *staff_routes(staff, stranger_to(token)),
            *claim_console_routes(claims, form_token, token, now_ms),
            *console_routes(
                store, orders, claims, form_token, settings.store_name, now_ms
            ),
        ],
        on_shutdown=[close],
        request_max_body_size=LARGEST_BODY,
        openapi_config=None,
        # What is logged, and where to, is the program's decision.
        logging_config=None,
    )


def _import(catalogues: Catalogues, settings: OfficeSettings) -> None:
    if settings.catalog_csv is None:
        return
    version, problems = catalogues.import_csv(
        settings.catalog_csv,
        skip_bad_rows=not settings.refuse_bad_rows,
        language=settings.catalog_language,
    )
    for problem in problems:
        log.warning(
            "%s, row %s: %s", settings.catalog_csv, problem.row, problem.message
        )
    if version:
        log.info("catalogue version %s is in force", version)
    else:
        log.error(
            "%s: nothing was loaded; the catalogue before stays in force",
            settings.catalog_csv,
        )


def serve(host: str, port: int, settings: OfficeSettings) -> None:
    """Serve until told to stop."""
    uvicorn.run(
        create_app(settings),
        host=host,
        port=port,
        log_level="warning",
        # No name and version for strangers; long polls end when we stop.
        server_header=False,
        timeout_graceful_shutdown=1,
    )
