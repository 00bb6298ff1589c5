"""The image's tests boot it. `make test-image` runs them; nothing else collects them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from imagebuild.stand import Stand

PROJECT = Path(__file__).parents[2]
OUT = PROJECT / "var" / "test-image"
# As make test-image says: without it, this folder has no tests.
collect_ignore_glob = [] if os.environ.get("STILLOPEN_IMAGE") else ["test_*.py"]


@pytest.fixture(scope="session")
def disk() -> Path:
    """The shipped disk, as the build left it."""
    return Path(os.environ["STILLOPEN_IMAGE"])


@pytest.fixture(scope="module")
def stand(disk: Path, request: pytest.FixtureRequest) -> Iterator[Stand]:
    """A machine of this module's own, not started yet."""
    stand = Stand(disk, OUT / request.module.__name__.rpartition("test_")[2])
    yield stand
    stand.close()
