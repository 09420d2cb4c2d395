"""Archives are unpacked: a file may be `unpacked`, and the files from it say from which."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Files that are there already came by themselves."""
    with op.batch_alter_table("files") as files:
        files.add_column(sa.Column("archive_id", sa.String(length=36)))
        files.create_foreign_key("fk_files_archive_id", "files", ["archive_id"], ["id"])
        files.drop_constraint("ck_files_outcome", type_="check")
        files.create_check_constraint("ck_files_outcome", "outcome in ('accepted', 'duplicate', 'refused', 'unpacked')")
    op.create_index("ix_files_archive_id", "files", ["archive_id"])
