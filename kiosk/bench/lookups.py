"""How long it takes to find an item among 100,000."""

from __future__ import annotations

import random
import time
from pathlib import Path

from kiosk.bench.stand import ITEMS, gtin
from kiosk.records.catalog_db import Catalog

LOOKUPS = 5_000


def measure(catalog: Path) -> list[float]:
    """Return the microseconds of look-ups of different items, each decoded."""
    chance = random.Random(100_000)
    names = [gtin(chance.randrange(ITEMS)).zfill(14) for _ in range(LOOKUPS)]
    taken = []
    with Catalog.open(catalog) as found:
        for name in names:
            began_ns = time.perf_counter_ns()
            item = found.item(name)
            taken.append((time.perf_counter_ns() - began_ns) / 1e3)
            if item is None or item.item_id != name:
                raise LookupError(f"the catalogue does not find {name}")
    return taken
