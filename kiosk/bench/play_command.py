"""`kiosk run --play`: a whole shop, and a page on loopback to play shopper on.

The page shows the lane's live screen and passes clicks on it; its buttons move the
simulated devices and pull plugs. It listens on loopback only and takes orders from
no other page.
"""

from __future__ import annotations

import csv
import html
import json
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from litestar import Litestar, MediaType, Response, get, post
from litestar.connection import ASGIConnection
from litestar.exceptions import NotAuthorizedException, NotFoundException
from litestar.handlers import BaseRouteHandler
from rich.console import Console

from hardware.simulated.control import ControlError
from kiosk.bench.play import SHOP, STAFF, PlayError, PlayOptions, Shop

PAGE = Path(__file__).parent / "page.html"
PAGE_PORT = 8090
OFFICE_PORT = 8080
_WHOLE_NUMBERS = {"grams", "ms"}
_SHOWN_RECEIPTS = 6


class Tap(msgspec.Struct, frozen=True):
    """A touch, in pixels of the lane's screen from its top left."""

    x: float
    y: float


class Label(msgspec.Struct, frozen=True):
    """A label's text."""

    label: str


class Deed(msgspec.Struct, frozen=True):
    """What to do to which part: "terminal.present_card"."""

    what: str
    details: dict[str, str] = {}


def play(folder: Path, landscape: bool) -> None:
    """Start the shop and its page; return when told to stop (Ctrl-C)."""
    console = Console()
    page_port = _port_near(PAGE_PORT)
    options = PlayOptions(
        folder, landscape=landscape, office_port=_port_near(OFFICE_PORT)
    )
    try:
        shop = Shop(options)
    except PlayError as error:
        console.print(f"[bold red]{error}[/]")
        raise SystemExit(1) from error
    has_display = bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))
    console.print("starting the shop: devices, back office, lane ...")
    try:
        shop.start()
    except PlayError as error:
        shop.stop()
        console.print(f"[bold red]{error}[/]")
        raise SystemExit(1) from error
    where = "in its window and on" if has_display else "on"
    console.print(f"the lane's screen is {where} [bold]http://127.0.0.1:{page_port}[/]")
    console.print(f"the back office is on    [bold]{shop.office_url}[/]")
    console.print(f"everything is kept in    {shop.folder}")
    console.print("Ctrl-C stops the shop.")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        uvicorn.run(
            page(shop, page_port),
            host="127.0.0.1",
            port=page_port,
            log_level="warning",
            server_header=False,
        )
    except KeyboardInterrupt:
        pass
    finally:
        console.print("stopping the shop ...")
        shop.stop()


def page(shop: Shop, port: int) -> Litestar:
    """Return the page and what its buttons ask for."""
    content = _page(shop)

    @get("/", media_type=MediaType.HTML, sync_to_thread=False)
    def index() -> str:
        return content

    @get("/screen.jpg", sync_to_thread=True)
    def screen() -> Response[bytes]:
        try:
            picture = shop.window.screenshot("JPEG")
        except (OSError, ControlError) as error:
            raise NotFoundException("the lane is not running") from error
        return Response(picture, media_type="image/jpeg")

    @get("/state", sync_to_thread=True)
    def state() -> dict[str, Any]:
        names = [path.name for path in sorted(shop.receipts.glob("*.png"))]
        return {"words": _words(shop), "receipts": names[-_SHOWN_RECEIPTS:][::-1]}

    @get("/receipts/{name:str}", sync_to_thread=True)
    def receipt(name: str) -> Response[bytes]:
        path = shop.receipts / name
        if path.parent != shop.receipts or path.suffix != ".png" or not path.exists():
            raise NotFoundException("there is no such receipt")
        return Response(path.read_bytes(), media_type="image/png")

    @post("/tap", sync_to_thread=True, guards=[_own_page])
    def tap(data: Tap) -> dict[str, str]:
        return _said(lambda: shop.window.tap(data.x, data.y), "")

    @post("/scan", sync_to_thread=True, guards=[_own_page])
    def scan(data: Label) -> dict[str, str]:
        return _said(lambda: shop.scanner.type(data.label), f"scanned {data.label}")

    @post("/hold_up", sync_to_thread=True, guards=[_own_page])
    def hold_up(data: Label) -> dict[str, str]:
        symbology = "ean13" if data.label.isdigit() else "code128"
        return _said(
            lambda: shop.camera.hold_up_label(data.label, symbology),
            f"held {data.label} up to the camera",
        )

    @post("/do", sync_to_thread=True, guards=[_own_page])
    def do(data: Deed) -> dict[str, str]:
        return _said(lambda: _deed(shop, data), data.what.replace(".", ": "))

    return Litestar(
        [index, screen, state, receipt, tap, scan, hold_up, do],
        # A name that a stranger's DNS points here (rebinding) is not ours.
        allowed_hosts=[f"{host}:{port}" for host in ("127.0.0.1", "localhost")],
        openapi_config=None,
    )


def _own_page(request: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    # No other page can send this header here without our consent (CORS).
    if request.headers.get("X-Bench") != "1":
        raise NotAuthorizedException("only the bench's own page may do this")


def _deed(shop: Shop, deed: Deed) -> None:
    part, _, what = deed.what.partition(".")
    details: dict[str, object] = {
        key: int(value) if key in _WHOLE_NUMBERS else value
        for key, value in deed.details.items()
    }
    match part, what:
        case "lane", "kill":
            shop.parts["lane"].kill()
        case "lane", "start":
            if not shop.parts["lane"].is_running:
                shop.start_lane()
        case "cable", "pull":
            shop.cable.pull()
        case "cable", "plug":
            shop.cable.plug()
        case "scanner", "plug":
            shop.scanner.plug()
        case "scanner", "unplug":
            shop.scanner.unplug()
        case "terminal", _:
            answer = shop.terminal.tell("terminal", what, **details)
            if what == "present_card" and answer is False:
                raise ControlError("the terminal does not ask for a card now")
        case "ups", _:
            shop.ups.tell("ups", what, **details)
        case "printer", _:
            shop.printer.tell("printer", what, **details)
        case _:
            shop.window.tell(part, what, **details)


def _said(do: Callable[[], object], done: str) -> dict[str, str]:
    try:
        do()
    except (OSError, ControlError, PlayError, ValueError) as error:
        return {"said": str(error) or "that did not work"}
    return {"said": done}


def _words(shop: Shop) -> str:
    try:
        seen = shop.window.state()
    except (OSError, ControlError):
        return "The lane is not running"
    online = "online" if seen.state.get("is_online", True) else "offline"
    cable = "" if shop.cable.is_plugged else ", cable pulled"
    return f"{seen.mode} · entry {seen.seq} · {online}{cable}"


def _page(shop: Shop) -> str:
    with (SHOP / "catalog.csv").open(encoding="utf-8", newline="") as source:
        rows = list(csv.DictReader(source))
    items = [
        {
            "name": f"{row['name_en']} {row['size']}".strip(),
            "label": row["gtin"],
            "price": row["price"],
        }
        for row in rows
        if row["gtin"]
    ]
    items.append({"name": "Coupon 1.00 off", "label": "SAVE1", "price": "-1.00"})
    staff = "<br>".join(
        html.escape(f"{name}: number {number}, PIN {pin} ({', '.join(roles)})")
        for number, name, pin, roles in STAFF
    )
    words = {
        "__ITEMS__": json.dumps(items).replace("<", "\\u003c"),
        "__STAFF__": staff,
        "__OFFICE__": html.escape(shop.office_url),
    }
    text = PAGE.read_text(encoding="utf-8")
    for word, value in words.items():
        text = text.replace(word, value)
    return text


def _port_near(wanted: int) -> int:
    """Return the wanted port, or the next one that is free."""
    for port in range(wanted, wanted + 50):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise PlayError(f"no free port from {wanted} to {wanted + 49} on loopback")
