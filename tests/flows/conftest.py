"""Lanes to play with."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from played import RULES, PlayedLane


@pytest.fixture
def lane() -> PlayedLane:
    return PlayedLane()


@pytest.fixture
def with_rules():
    """Return a maker of lanes under other rules or limits."""

    def make(limits: dict[str, Any] | None = None, **rules: Any) -> PlayedLane:
        changed = replace(RULES, **rules)
        if limits:
            changed = replace(changed, limits=replace(RULES.limits, **limits))
        return PlayedLane(changed)

    return make
