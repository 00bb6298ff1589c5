"""The same on the other panel: Kivy has one window per process, so in another one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif("STILLOPEN_PANEL" in os.environ, reason="is the other process")
def test_everything_holds_on_the_landscape_panel_too():
    done = subprocess.run(
        [sys.executable, "-m", "pytest", str(Path(__file__).parent)],
        env={**os.environ, "STILLOPEN_PANEL": "landscape"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )

    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
