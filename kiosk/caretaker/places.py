"""Where the caretaker reads and writes: every path it touches stands here."""

from __future__ import annotations

from pathlib import Path

import msgspec


class Places(msgspec.Struct, frozen=True):
    """The appliance's folders, as image.md lays them out."""

    # What enrolment or a technician set; root:stillopen 0750.
    config: Path = Path("/var/lib/stillopen-config")
    # The defaults in the read-only root.
    defaults: Path = Path("/etc/stillopen")
    # What is rendered at each start.
    run: Path = Path("/run/stillopen")
    networkd: Path = Path("/run/systemd/network")
    # The lane's own state.
    lane: Path = Path("/var/lib/stillopen")
    # Survives a factory reset.
    state: Path = Path("/state")
    inbox: Path = Path("/var/lib/stillopen-updater/inbox")

    @property
    def network_toml(self) -> Path:
        return self.config / "network.toml"

    @property
    def network_unit(self) -> Path:
        return self.networkd / "70-lane.network"

    @property
    def lane_toml(self) -> Path:
        return self.run / "lane.toml"

    @property
    def reset_mark(self) -> Path:
        return self.state / "factory-reset"
