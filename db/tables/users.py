"""The tables of the page: who may use it, and who is logged in."""

from enum import StrEnum

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, String, Table, UniqueConstraint

from db.clock import UtcTime
from db.tables.base import id_column, metadata


class Role(StrEnum):
    """What a user of the page may do."""

    READER = "reader"
    """Look at everything, upload scans, label them."""
    ADMIN = "admin"
    """Also release from quarantine, promote and roll back."""


users = Table(
    "users",
    metadata,
    id_column(),
    Column("name", String(64), nullable=False),
    Column("role", String(6), nullable=False),
    Column("password", String(160), nullable=False),  # lungline/passwords.py
    Column("must_change", Boolean, nullable=False),  # the password is for one log-in
    Column("failures", Integer, nullable=False),  # log-ins that were tried since the last that succeeded
    Column("locked_until", UtcTime),
    Column("created_at", UtcTime, nullable=False),
    UniqueConstraint("name"),
)

logins = Table(  # a row for each browser that is logged in
    "logins",
    metadata,
    Column("token_hash", String(64), primary_key=True),  # SHA-256: whoever reads the table is not logged in by it
    Column("user_id", String(36), ForeignKey("users.id"), nullable=False),
    Column("form_token", String(64), nullable=False),  # against forged requests
    Column("created_at", UtcTime, nullable=False),
    Column("seen_at", UtcTime, nullable=False),
)
Index("ix_logins_user_id", logins.c.user_id)
