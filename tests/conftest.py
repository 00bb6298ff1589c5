"""What holds for every test: the same examples on each run, however slow the machine."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("stillopen", deadline=None, derandomize=True)
settings.load_profile("stillopen")
