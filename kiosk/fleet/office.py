"""The back office as an admin's commands reach it: HTTP, with the admins' word.

Every way it goes wrong is a `FleetError` in the admin's words.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TypeVar

import msgspec
import requests

from kiosk.backoffice.claims import Approved, ClaimSeen
from kiosk.backoffice.fleet_api import Approve, AskLog, Refuse
from kiosk.backoffice.log_fetch import LogFetch
from kiosk.backoffice.machines import MachineSeen
from kiosk.backoffice.staff import Colleague
from kiosk.backoffice.staff_api import PutStaff, RemoveStaff
from kiosk.sync.wire import Refusal, WireError, read

TIMEOUT_SECONDS = (5.0, 30.0)
LOOK_SECONDS = 1.0

T = TypeVar("T")


class FleetError(Exception):
    """What cannot be done, in the admin's words."""


class FleetOffice:
    """The back office for one admin. Used from one thread."""

    def __init__(self, url: str, token_file: Path) -> None:
        try:
            token = token_file.read_text(encoding="utf-8").strip()
        except OSError as error:
            raise FleetError(
                f"{token_file}: cannot be read: {error.strerror}. The back office makes"
                " it in its folder at its first start (--token-file)"
            ) from error
        self._url = url.rstrip("/")
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {token}"

    def waiting(self) -> list[ClaimSeen]:
        """Return the kiosks that wait."""
        return self._ask("GET", "claims", None, list[ClaimSeen])

    def approve(
        self, code: str, lane_id: str, settings: str, replace: bool
    ) -> Approved:
        """Let the kiosk with this code be a lane."""
        asked = Approve(code, lane_id, settings, replace)
        return self._ask("POST", "approve", asked, Approved)

    def refuse(self, claim_id: str) -> None:
        """Send a kiosk away."""
        self._ask("POST", "refuse", Refuse(claim_id), Refuse)

    def lanes(self) -> list[MachineSeen]:
        """Return who runs what."""
        return self._ask("GET", "lanes", None, list[MachineSeen])

    def staff(self) -> list[Colleague]:
        """Return who may help at the lanes."""
        return self._ask("GET", "staff", None, list[Colleague])

    def put_staff(
        self, number: str, name: str, roles: tuple[str, ...], pin: str
    ) -> Colleague:
        """Add one who helps, or change one; without a PIN the former one holds."""
        asked = PutStaff(number, name, roles, pin)
        return self._ask("POST", "staff", asked, Colleague)

    def remove_staff(self, number: str) -> Colleague:
        """Take one away."""
        return self._ask("POST", "staff/remove", RemoveStaff(number), Colleague)

    def log_of(
        self,
        lane_id: str,
        hours: int,
        seconds: float,
        wait: Callable[[float], object],
    ) -> bytes:
        """Ask a lane for its log and wait for it, so long at most."""
        fetch = self._ask("POST", "logs", AskLog(lane_id, hours), LogFetch)
        give_up = monotonic() + seconds
        path = f"logs/{fetch.directive_id}"
        while not fetch.is_done:
            if monotonic() > give_up:
                raise FleetError(
                    f"{lane_id} sent no log within {seconds:.0f} s. Is it online"
                    " (`kiosk fleet list`)? It is asked for an hour; try again later"
                )
            wait(LOOK_SECONDS)
            fetch = self._ask("GET", path, None, LogFetch)
        return self._send("GET", f"{path}/text", None).content

    def _ask(
        self, method: str, path: str, body: msgspec.Struct | None, kind: type[T]
    ) -> T:
        answer = self._send(method, path, body)
        try:
            return msgspec.json.decode(answer.content, type=kind)
        except msgspec.DecodeError as error:
            raise FleetError(
                f"what answers at {self._url} is no back office of this release"
            ) from error

    def _send(
        self, method: str, path: str, body: msgspec.Struct | None
    ) -> requests.Response:
        try:
            answer = self._session.request(
                method,
                f"{self._url}/api/v1/fleet/{path}",
                data=None if body is None else msgspec.json.encode(body),
                timeout=TIMEOUT_SECONDS,
                allow_redirects=False,
            )
        except requests.RequestException as error:
            raise FleetError(
                f"the back office at {self._url} does not answer. Is it running"
                " (--office)?"
            ) from error
        if answer.status_code != 200:
            raise FleetError(_refusal(answer))
        return answer


def _refusal(answer: requests.Response) -> str:
    try:
        return read(answer.content, Refusal).reason
    except WireError:
        return f"the back office failed ({answer.status_code})"
