"""Training runs, and what the gate said of their challengers."""

import sqlalchemy as sa
from alembic import op

from db.clock import UtcTime, now

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Makes the tables, and notes since when this home is: no slot of the schedule before that is caught up."""
    op.create_table(
        "runs",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("slot", UtcTime()),
        sa.Column("trigger", sa.String(length=8), nullable=False),
        sa.Column("recipes", sa.String(length=500), nullable=False),
        sa.Column("forced", sa.Boolean(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("decision", sa.String(length=8)),
        sa.Column("reason", sa.String(length=500)),
        sa.Column("data_sha256", sa.String(length=64)),
        sa.Column("manifest_sha256", sa.String(length=64)),
        sa.Column("labels", sa.Integer()),
        sa.Column("labels_until", UtcTime()),
        sa.Column("split", sa.String(length=120)),
        sa.Column("seed", sa.Integer(), nullable=False),
        sa.Column("code_version", sa.String(length=64)),
        sa.Column("libraries", sa.String(length=300)),
        sa.Column("settings", sa.String(length=300)),
        sa.Column("entered_at", UtcTime(), nullable=False),
        sa.Column("rung_at", UtcTime()),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("barren", sa.Integer(), nullable=False),
        sa.Column("lease_owner", sa.String(length=120)),
        sa.Column("lease_until", UtcTime()),
        sa.Column("started_at", UtcTime()),
        sa.Column("heartbeat_at", UtcTime()),
        sa.Column("finished_at", UtcTime()),
        sa.Column("epochs_done", sa.Integer(), nullable=False),
        sa.Column("step", sa.String(length=120)),
        sa.Column("resumed", sa.Integer(), nullable=False),
        sa.CheckConstraint("state in ('waiting', 'running', 'done', 'failed', 'skipped')", name="ck_runs_state"),
        sa.CheckConstraint("decision in ('promoted', 'refused', 'held')", name="ck_runs_decision"),
        sa.PrimaryKeyConstraint("id", name="pk_runs"),
        sa.UniqueConstraint("slot", name="uq_runs_slot"),
    )
    running = sa.text("state = 'running'")
    op.create_index("uq_runs_running", "runs", ["state"], unique=True, sqlite_where=running, postgresql_where=running)
    op.create_table(
        "gates",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("champion", sa.String(length=80), nullable=False),
        sa.Column("challenger", sa.String(length=80), nullable=False),
        sa.Column("decision", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("uses", sa.Integer(), nullable=False),
        sa.Column("judged_at", UtcTime(), nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_gates_run_id"),
        sa.PrimaryKeyConstraint("run_id", "name", name="pk_gates"),
    )
    op.create_table(
        "clauses",
        sa.Column("run_id", sa.String(length=36), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("clause", sa.String(length=32), nullable=False),
        sa.Column("source", sa.String(length=200)),
        sa.Column("outcome", sa.String(length=9), nullable=False),
        sa.Column("champion", sa.Double()),
        sa.Column("challenger", sa.Double()),
        sa.Column("difference", sa.Double()),
        sa.Column("low", sa.Double()),
        sa.Column("high", sa.Double()),
        sa.Column("images", sa.Integer()),
        sa.Column("groups", sa.Integer()),
        sa.ForeignKeyConstraint(["run_id"], ["runs.id"], name="fk_clauses_run_id"),
        sa.PrimaryKeyConstraint("run_id", "name", "number", name="pk_clauses"),
    )
    facts = sa.table("facts", sa.column("name"), sa.column("value"))
    since = sa.cast(now(), sa.String(40)) if op.get_bind().dialect.name == "postgresql" else now()
    op.execute(facts.insert().values(name="since", value=since))
