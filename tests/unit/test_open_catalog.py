"""What a lane sells from before anybody gave it goods."""

from __future__ import annotations

from pathlib import Path

import pytest
from enrolling import lane_toml
from msgspec.structs import replace

from kiosk.opening import open_catalog
from kiosk.settings import ConfigError, Settings, parse
from kiosk.sync.catalog import version_of


def lane(folder: Path, more: str = "") -> Settings:
    settings = parse(lane_toml("lane-1") + more, "lane.toml")
    return replace(settings, state_dir=str(folder))


def test_a_lane_with_a_back_office_opens_before_its_goods_came(tmp_path: Path) -> None:
    sync = '\n[sync]\nserver_url = "http://127.0.0.1:9"\n'
    sync += 'server_key = "office.pub"\nenrol_token = "w"'
    with open_catalog(lane(tmp_path, sync)) as catalog:
        assert catalog.item("plu:4011") is None
    # Version 0: whatever the back office has is newer.
    assert version_of(tmp_path / "catalog.db") == 0


def test_a_lane_alone_says_where_goods_come_from(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no catalogue yet; name a CSV"):
        open_catalog(lane(tmp_path))
    assert not (tmp_path / "catalog.db").exists()
