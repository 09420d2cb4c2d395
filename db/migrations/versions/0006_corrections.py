"""A corrected instance takes the place of the earlier one: its views, and the index by which they find it."""

from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """One index for another that begins alike; all views are made anew after any migration."""
    op.drop_index("ix_scans_image_key", "scans")
    op.create_index("ix_scans_image_key_frame", "scans", ["image_key", "frame"])
