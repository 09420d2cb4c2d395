"""One table of open work: what waits or runs among scans and training runs becomes jobs, and both keep facts alone."""

import sqlalchemy as sa
from alembic import op

from db.clock import UtcTime

revision = "0007"
down_revision = "0006"

_SCANS = """
    INSERT INTO jobs (id, kind, subject, queue, priority, state, exclusive, attempt, owner, lease_until, due_at, rung_at, created_at, alone,
                      lost_leases, deaths, timeouts)
    SELECT id, CASE WHEN again THEN 'reread' ELSE 'read' END, id, CASE WHEN again THEN 'scans' ELSE priority END,
           CASE WHEN again THEN 2 WHEN priority = 'stat' THEN 0 ELSE 1 END, CASE WHEN state = 'reading' THEN 'running' ELSE 'waiting' END,
           {false}, attempt, lease_owner, lease_until, received_at, rung_at, received_at, alone, lost_leases, deaths, timeouts
    FROM scans WHERE state IN ('waiting', 'reading')
"""
_RUNS = """
    INSERT INTO jobs (id, kind, subject, queue, priority, state, exclusive, attempt, owner, lease_until, due_at, rung_at, created_at, alone,
                      lost_leases, deaths, timeouts)
    SELECT id, 'train', id, 'training', 1, state, {true}, attempt, lease_owner, lease_until, entered_at, rung_at, entered_at, {true}, 0,
           CASE WHEN state = 'running' AND barren > 0 THEN barren - 1 ELSE barren END, 0
    FROM runs WHERE state IN ('waiting', 'running')
"""
_OF_SCANS = ("state", "attempt", "lease_owner", "lease_until", "alone", "lost_leases", "deaths", "timeouts", "rung_at", "again")
_OF_RUNS = ("state", "rung_at", "attempt", "barren", "lease_owner", "lease_until")


def upgrade() -> None:
    """Moves open work, then drops the columns that held it; on SQLite both tables are written anew, which takes a minute for a million."""
    _make_jobs()
    literals = {"true": "true", "false": "false"} if op.get_bind().dialect.name == "postgresql" else {"true": "1", "false": "0"}
    op.execute(_SCANS.format(**literals))
    op.execute(_RUNS.format(**literals))
    _keep_facts()


def _make_jobs() -> None:
    op.create_table(
        "jobs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("subject", sa.String(length=36), nullable=False),
        sa.Column("queue", sa.String(length=16), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=7), nullable=False),
        sa.Column("exclusive", sa.Boolean(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("owner", sa.String(length=120)),
        sa.Column("lease_until", UtcTime()),
        sa.Column("due_at", UtcTime(), nullable=False),
        sa.Column("rung_at", UtcTime()),
        sa.Column("created_at", UtcTime(), nullable=False),
        sa.Column("alone", sa.Boolean(), nullable=False),
        sa.Column("lost_leases", sa.Integer(), nullable=False),
        sa.Column("deaths", sa.Integer(), nullable=False),
        sa.Column("timeouts", sa.Integer(), nullable=False),
        sa.CheckConstraint("state in ('waiting', 'running')", name="ck_jobs_state"),
        sa.PrimaryKeyConstraint("id", name="pk_jobs"),
        sa.UniqueConstraint("kind", "subject", name="uq_jobs_kind_subject"),
    )
    op.create_index("ix_jobs_queue_state_created_at", "jobs", ["queue", "state", "created_at"])
    op.create_index("ix_jobs_kind_state", "jobs", ["kind", "state"])
    op.create_index("ix_jobs_subject", "jobs", ["subject"])
    op.create_index(
        "uq_jobs_exclusive",
        "jobs",
        ["kind"],
        unique=True,
        sqlite_where=sa.text("exclusive = 1 and state = 'running'"),
        postgresql_where=sa.text("exclusive and state = 'running'"),
    )


def _keep_facts() -> None:
    op.drop_index("ix_scans_again", "scans")
    op.drop_index("ix_scans_state_priority_received_at", "scans")
    with op.batch_alter_table("scans") as scans:
        scans.drop_constraint("ck_scans_state", type_="check")
        for column in _OF_SCANS:
            scans.drop_column(column)
        scans.alter_column("again_reason", new_column_name="reread_reason")
    op.drop_index("uq_runs_running", "runs")
    with op.batch_alter_table("runs") as runs:
        runs.add_column(sa.Column("outcome", sa.String(length=7)))
    op.execute("UPDATE runs SET outcome = state WHERE state IN ('done', 'failed', 'skipped')")
    with op.batch_alter_table("runs") as runs:
        runs.drop_constraint("ck_runs_state", type_="check")
        for column in _OF_RUNS:
            runs.drop_column(column)
        runs.create_check_constraint("ck_runs_outcome", "outcome in ('done', 'failed', 'skipped')")
    is_open = sa.text("released_at IS NULL")
    op.create_index("ix_quarantine_open", "quarantine", ["scan_id"], sqlite_where=is_open, postgresql_where=is_open)
