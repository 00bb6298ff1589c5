"""A machine with an updater, started as often as it takes."""

from __future__ import annotations

from pathlib import Path

import msgspec
from made_bundles import bundle, in_inbox
from simulated_machine import PowerCut, SimulatedMachine, WentDown

from kiosk.updater.gate import Gate
from kiosk.updater.store import Folders, State, Status, Store
from kiosk.updater.updater import Updater


class Kiosk:
    """The machine, and the units that its starts start, in their order."""

    def __init__(self, folder: Path) -> None:
        self.folders = Folders(
            own=folder / "own",
            state=folder / "state",
            fleet_key=folder / "fleet-key.pub",
            data=folder,
        )
        self.folders.own.mkdir()
        self.folders.state.mkdir()
        self.machine = SimulatedMachine()

    def give(self, release: str = "2.0.0", **wrong: object) -> Kiosk:
        """Lay a bundle into the inbox."""
        in_inbox(self.folders.inbox, bundle(release, **wrong))  # type: ignore[arg-type]
        return self

    def one_start(self) -> None:
        """Do what the units of one start do."""
        gate = Gate(self.machine, self.folders)
        gate.count_start()
        gate.confirm()
        self.update()

    def update(self) -> None:
        """Do what the updater's unit does when a bundle came."""
        Updater(self.machine, self.folders).run()

    def live(self) -> Kiosk:
        """Start, and start again, until nothing is left to do."""
        for _ in range(20):
            try:
                self.one_start()
            except (WentDown, PowerCut):
                self.machine.boot()
            else:
                return self
        raise AssertionError("the machine restarts for ever")

    @property
    def state(self) -> State:
        return Store(self.folders.own).load()

    @property
    def status(self) -> Status:
        path = self.folders.own / "status.json"
        return msgspec.json.decode(path.read_bytes(), type=Status)
