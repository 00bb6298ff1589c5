"""Who runs what: each lane's machine as the fleet's admin wants to see it. Reads only."""

from __future__ import annotations

import msgspec
from sqlalchemy import Connection, func, select

from kiosk.backoffice import queries, tables


class MachineSeen(msgspec.Struct, frozen=True):
    """A lane's machine by its last word. `queue`: entries it has and we do not."""

    lane_id: str
    release: str
    slot: str
    contact_ms: int
    queue: int
    updater: str


def machines(connection: Connection) -> list[MachineSeen]:
    """Return all lanes' machines, by name."""
    said = {
        row.lane_id: row for row in connection.execute(select(tables.machine)).all()
    }
    branch = tables.branch.c
    # By epoch: of a machine that took a lane's place nothing may be held yet.
    held = {
        (row.lane_id, row.epoch): row.held_seq
        for row in connection.execute(
            select(
                branch.lane_id,
                branch.epoch,
                func.max(branch.held_seq).label("held_seq"),
            ).group_by(branch.lane_id, branch.epoch)
        )
    }
    return [
        MachineSeen(
            lane.lane_id,
            lane.release,
            said[lane.lane_id].slot if lane.lane_id in said else "",
            lane.contact_ms,
            max(0, lane.head_seq - held.get((lane.lane_id, lane.epoch), 0)),
            said[lane.lane_id].updater if lane.lane_id in said else "",
        )
        for lane in queries.lanes(connection)
    ]
