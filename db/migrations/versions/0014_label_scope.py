"""Readers may label whole series and studies: each label says what its reader labelled. Until now, all were of scans."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """A column, and its place in the key: the same reader may say the same of a scan and of its study at the same time.

    And an index by which the scans of a study are found.
    """
    with op.batch_alter_table("labels") as labels:
        labels.add_column(sa.Column("scope", sa.String(length=6), nullable=False, server_default="scan"))
        labels.drop_constraint("uq_labels_scan_id_reader_read_at_label", type_="unique")
        labels.create_unique_constraint("uq_labels_scan_id_reader_read_at_label_scope", ["scan_id", "reader", "read_at", "label", "scope"])
    with op.batch_alter_table("labels") as labels:
        labels.alter_column("scope", server_default=None)
    op.create_index("ix_scans_study_key", "scans", ["study_key"])
