"""A back office, a line to it that misbehaves, and blank kiosks that ask through it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
import requests
from bad_line import BadLine

from kiosk.backoffice.app import OfficeSettings
from kiosk.backoffice.serving import Serving
from kiosk.enrolment.files import Places, what_is_shown
from kiosk.enrolment.process import Enroller
from kiosk.fleet_settings import FleetSettings
from kiosk.machine import Release as Root

LANE_TOML = """
lane_id = "{lane}"
state_dir = "/var/lib/stillopen"

[store]
name = ["Corner"]
currency = "EUR"
timezone = "Europe/Berlin"

[tax]
inclusive = true
rates = [{{ tax_class = "standard", rate_ppm = 190000, letter = "A" }}]

[devices.scanner]
driver = "serial"
port = "/dev/ttyS1"

[devices.printer]
driver = "escpos_serial"
port = "/dev/ttyS2"

[devices.terminal]
driver = "zvt_tcp"
host = "10.0.2.100"
password_file = "/etc/stillopen/terminal-password"
"""


def lane_toml(lane: str) -> str:
    return LANE_TOML.format(lane=lane)


class Fleet:
    """A back office with its admin, and the line that kiosks reach it by."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.office = folder / "office"
        self.serving = Serving(OfficeSettings(self.office))
        self.line = BadLine(self.serving.port)

    @property
    def token(self) -> str:
        return (self.office / "admin.token").read_text().strip()

    def places(self, name: str = "kiosk") -> Places:
        folder = self.folder / name
        return Places(folder / "state", folder / "config", folder / "run")

    def kiosk(
        self, name: str = "kiosk", office_key: str = "", answer_seconds: float = 5
    ) -> Enroller:
        return Enroller(
            FleetSettings(office=self.line.url, office_key=office_key),
            self.places(name),
            Root(release="1.2.3", hardware="x86-64-v1"),
            answer_seconds=answer_seconds,
        )

    def code(self, name: str = "kiosk") -> str:
        return what_is_shown(self.places(name)).code

    def trouble(self, name: str = "kiosk") -> str:
        return what_is_shown(self.places(name)).trouble

    def ask(self, method: str, path: str, token: str | None = None, **body: Any) -> Any:
        answer = requests.request(
            method,
            f"{self.serving.url}/api/v1/fleet/{path}",
            data=msgspec.json.encode(body) if body else None,
            headers={
                "Authorization": f"Bearer {self.token if token is None else token}"
            },
            timeout=10,
        )
        return answer.json()

    def text(self, path: str) -> str:
        return requests.get(
            f"{self.serving.url}/api/v1/fleet/{path}",
            headers={"Authorization": f"Bearer {self.token}"},
            timeout=10,
        ).text

    def approve(self, code: str, lane: str = "lane-3", **more: Any) -> Any:
        body = {"code": code, "lane_id": lane, "settings": lane_toml(lane), **more}
        return self.ask("POST", "approve", **body)

    def close(self) -> None:
        self.line.close()
        self.serving.close()
