"""The back office's tables. What came from a lane is only ever added to.

`entry` is the truth; `fact` is what reports and pages look up in it, and could be
made anew from it. No decision and no query here.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()

# One row: which database this is. A new one, or another, says so in every hello.
office = Table(
    "office",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("server_epoch", Text, nullable=False),
)

lane = Table(
    "lane",
    metadata,
    Column("lane_id", Text, primary_key=True),
    Column("public_key", LargeBinary, nullable=False),
    Column("enrolled_ms", BigInteger, nullable=False),
    Column("contact_ms", BigInteger, nullable=False, default=0),
    Column("epoch", Text, nullable=False, default=""),
    Column("head_seq", BigInteger, nullable=False, default=0),
    Column("oldest_unsent_ms", BigInteger, nullable=False, default=0),
    Column("catalog_version", BigInteger, nullable=False, default=0),
    Column("release", Text, nullable=False, default=""),
)

# One unbroken run of entries of a lane in one epoch. A lane has one for each epoch,
# and one more for each time a copy of it went its own way.
branch = Table(
    "branch",
    metadata,
    Column("branch_id", Integer, primary_key=True),
    Column("lane_id", Text, ForeignKey("lane.lane_id"), nullable=False),
    Column("epoch", Text, nullable=False),
    Column("start_seq", BigInteger, nullable=False),
    Column("start_digest", Text, nullable=False),
    Column("held_seq", BigInteger, nullable=False),
    Column("held_digest", Text, nullable=False),
    Column("is_fork", Boolean, nullable=False, default=False),
    Column("new_epoch", Text, nullable=False, default=""),
    Index("branch_by_end", "lane_id", "held_seq"),
)

entry = Table(
    "entry",
    metadata,
    Column("branch_id", Integer, ForeignKey("branch.branch_id"), nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("mono_ms", BigInteger, nullable=False),
    Column("boot_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("training", Boolean, nullable=False),
    Column("digest", Text, nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    PrimaryKeyConstraint("branch_id", "seq"),
    sqlite_with_rowid=False,
)

fact = Table(
    "fact",
    metadata,
    Column("branch_id", Integer, nullable=False),
    Column("seq", BigInteger, nullable=False),
    Column("number", Integer, nullable=False),
    Column("lane_id", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("training", Boolean, nullable=False),
    Column("kind", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("attendant", Text, nullable=False),
    Column("amount_minor", BigInteger, nullable=False),
    Column("currency", Text, nullable=False),
    Column("is_good", Boolean, nullable=False),
    PrimaryKeyConstraint("branch_id", "seq", "number"),
    Index("fact_by_kind", "kind", "at_ms"),
    Index("fact_by_reference", "reference", "kind"),
    sqlite_with_rowid=False,
)

alarm = Table(
    "alarm",
    metadata,
    Column("alarm_id", Integer, primary_key=True),
    Column("lane_id", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("at_ms", BigInteger, nullable=False),
    Column("what", Text, nullable=False),
    # The same trouble is told once, however often it is met.
    UniqueConstraint("lane_id", "subject"),
)

directive = Table(
    "directive",
    metadata,
    Column("directive_id", Text, primary_key=True),
    Column("lane_id", Text, ForeignKey("lane.lane_id"), nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("expires_ms", BigInteger, nullable=False),
    Column("content", LargeBinary, nullable=False),
    Column("taken_seq", BigInteger, nullable=False, default=0),
    Index("directive_by_lane", "lane_id", "taken_seq"),
)

# A blank kiosk that asks to be a lane. `state`: waiting, approved, refused, taken,
# withdrawn; the row stays, so that who was let in can be looked up.
claim = Table(
    "claim",
    metadata,
    Column("claim_id", Text, primary_key=True),
    Column("machine_key", LargeBinary, nullable=False),
    Column("box_key", LargeBinary, nullable=False),
    Column("code", Text, nullable=False),
    Column("hardware", Text, nullable=False),
    Column("release", Text, nullable=False),
    Column("was", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("seen_ms", BigInteger, nullable=False),
    Column("state", Text, nullable=False, default="waiting"),
    Column("lane_id", Text, nullable=False, default=""),
    Column("replaces", Boolean, nullable=False, default=False),
    Column("token_hash", Text, nullable=False, default=""),
    Column("sealed", LargeBinary, nullable=False, default=b""),
    Column("decided_ms", BigInteger, nullable=False, default=0),
    Index("claim_by_code", "code", "state"),
)

# What a lane's machine last said of itself. A table of its own: a database made by
# an older release gets it at the next start, and needs no migration.
machine = Table(
    "machine",
    metadata,
    Column("lane_id", Text, ForeignKey("lane.lane_id"), primary_key=True),
    Column("slot", Text, nullable=False),
    Column("updater", Text, nullable=False),
)

# A technical log that an admin asked a lane for; its pieces are files.
log_fetch = Table(
    "log_fetch",
    metadata,
    Column("directive_id", Text, primary_key=True),
    Column("lane_id", Text, ForeignKey("lane.lane_id"), nullable=False),
    Column("made_ms", BigInteger, nullable=False),
    Column("pieces", Integer, nullable=False, default=0),
    Column("is_done", Boolean, nullable=False, default=False),
)

document = Table(
    "document",
    metadata,
    Column("kind", Text, nullable=False),
    Column("version", BigInteger, nullable=False),
    Column("text", LargeBinary, nullable=False),
    Column("signature", LargeBinary, nullable=False),
    PrimaryKeyConstraint("kind", "version"),
)

# The schema is the guard, as in the lane's journal.
GUARDS = (
    "create trigger if not exists entry_is_final before update on entry"
    " begin select raise(abort, 'entries are final'); end",
    "create trigger if not exists entry_is_kept before delete on entry"
    " begin select raise(abort, 'entries are kept'); end",
)
