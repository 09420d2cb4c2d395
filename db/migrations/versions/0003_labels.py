"""What readers said of scans; the audit; and scans that are read again while their verdict stands."""

import sqlalchemy as sa
from alembic import op

from db.clock import UtcTime
from lungline.ids import new_id

revision = "0003"
down_revision = "0002"

_REFUSAL = "the audit is never altered"


def upgrade() -> None:
    """Makes the tables; every promotion so far begins the audit."""
    audit = op.create_table(
        "audit",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("at", UtcTime(), nullable=False),
        sa.Column("action", sa.String(length=16), nullable=False),
        sa.Column("who", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=120)),
        sa.Column("detail", sa.String(length=600), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit"),
    )
    op.create_table(
        "labels",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("scan_id", sa.String(length=36), nullable=False),
        sa.Column("label", sa.String(length=16), nullable=False),
        sa.Column("finding", sa.String(length=16), nullable=False),
        sa.Column("reader", sa.String(length=64), nullable=False),
        sa.Column("read_at", UtcTime(), nullable=False),
        sa.Column("imported_at", UtcTime(), nullable=False),
        sa.Column("import_id", sa.String(length=36), nullable=False),
        sa.ForeignKeyConstraint(["scan_id"], ["scans.id"], name="fk_labels_scan_id"),
        sa.PrimaryKeyConstraint("id", name="pk_labels"),
        sa.UniqueConstraint("scan_id", "reader", "read_at", "label", name="uq_labels_scan_id_reader_read_at_label"),
    )
    op.create_table(
        "reprocesses",
        sa.Column("id", sa.String(length=36), nullable=False),
        sa.Column("asked", sa.String(length=120), nullable=False),
        sa.Column("champions", sa.String(length=300), nullable=False),
        sa.Column("began_at", UtcTime(), nullable=False),
        sa.Column("ended_at", UtcTime()),
        sa.PrimaryKeyConstraint("id", name="pk_reprocesses"),
    )
    op.add_column("scans", sa.Column("again", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("scans", sa.Column("again_reason", sa.String(length=32)))
    op.create_index("ix_scans_image_key", "scans", ["image_key"])
    op.create_index("ix_scans_again", "scans", ["id"], sqlite_where=sa.text("again = 1"), postgresql_where=sa.text("again"))
    op.add_column("verdicts", sa.Column("reinstated_at", UtcTime()))
    _enter_promotions(audit)
    _keep(op.get_bind().dialect.name)


def _enter_promotions(audit: sa.Table) -> None:
    named = ("action", "promoted_by", "to_version", "from_version", "why")
    promotions = sa.table("promotions", *(sa.column(name) for name in named), sa.column("promoted_at", UtcTime()))
    rows = [
        {
            "id": new_id(),
            "at": row.promoted_at,
            "action": row.action,
            "who": row.promoted_by,
            "subject": row.to_version,
            "detail": f"over {row.from_version or 'none'}: {row.why}",
        }
        for row in op.get_bind().execute(sa.select(promotions).order_by(promotions.c.promoted_at)).all()
    ]
    op.bulk_insert(audit, rows)


def _keep(dialect: str) -> None:
    """Has the database refuse to change or delete a row of the audit."""
    if dialect == "sqlite":
        for change in ("UPDATE", "DELETE"):
            op.execute(f"CREATE TRIGGER audit_{change.lower()} BEFORE {change} ON audit BEGIN SELECT RAISE(ABORT, '{_REFUSAL}'); END")
        return
    op.execute(f"CREATE FUNCTION audit_kept() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '{_REFUSAL}'; END $$")
    op.execute("CREATE TRIGGER audit_kept BEFORE UPDATE OR DELETE ON audit FOR EACH ROW EXECUTE FUNCTION audit_kept()")
