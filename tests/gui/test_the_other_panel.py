"""The same on the other panel: Kivy has one window per process, so in another one."""

from __future__ import annotations

import os

import pytest


@pytest.mark.skipif("STILLOPEN_PANEL" in os.environ, reason="is the other process")
def test_everything_holds_on_the_landscape_panel_too(other_panel):
    said, _ = other_panel.communicate(timeout=300)

    assert other_panel.returncode == 0, said[-6000:]
