"""Opaque ids: UUIDv7 text, so that they sort by time and tell nothing else."""

from hashlib import blake2b
from uuid import UUID

from uuid6 import uuid7


def new_id() -> str:
    """A fresh UUIDv7 (RFC 9562) as 36 characters of text."""
    return str(uuid7())


def derive_id(id: str, number: int) -> str:
    """The UUIDv7 of a part of what has the id `id`: always the same, of the same time, and sorting by `number`, 0 to 262,143."""
    digest = int.from_bytes(blake2b(f"{id}/{number}".encode(), digest_size=7).digest())
    time = UUID(id).int >> 80
    return str(UUID(int=time << 80 | 7 << 76 | number >> 6 << 64 | 2 << 62 | (number & 0x3F) << 56 | digest))
