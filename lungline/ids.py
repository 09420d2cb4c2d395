"""Opaque ids: UUIDv7 text, so that they sort by time and tell nothing else."""

from uuid6 import uuid7


def new_id() -> str:
    """A fresh UUIDv7 (RFC 9562) as 36 characters of text."""
    return str(uuid7())
