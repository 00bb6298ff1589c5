"""A machine with an updater."""

from __future__ import annotations

from pathlib import Path

import pytest
from updated import Kiosk


@pytest.fixture
def kiosk(tmp_path: Path) -> Kiosk:
    return Kiosk(tmp_path)
