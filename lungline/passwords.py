"""Passwords as they are kept: scrypt (RFC 7914) with a salt each, so that the database holds none that could be used."""

import hashlib
import hmac
import secrets
import threading
from typing import Final

_COST, _BLOCK, _LANES = 1 << 15, 8, 3  # 32 MiB and about a quarter of a second, as OWASP's cheat sheet on passwords has it
_MEMORY_MAX: Final = 64 << 20
_SALT_BYTES: Final = 16
_AT_ONCE: Final = threading.Semaphore(2)  # so that a flood of log-ins takes neither memory nor all cores
LENGTH_MIN: Final = 12
LENGTH_MAX: Final = 256


def make_password() -> str:
    """A new random password of 24 characters, for a person to type once."""
    return secrets.token_urlsafe(18)


def hash_password(password: str) -> str:
    """The form that is kept: `scrypt$salt$hash`, both in hex."""
    salt = secrets.token_bytes(_SALT_BYTES)
    return f"scrypt${salt.hex()}${_scrypt(password, salt).hex()}"


def is_password(password: str, kept: str | None) -> bool:
    """Whether `kept` was made of this password. Takes as long where there is none, so that the time does not show which users exist."""
    _, salt, wanted = (kept or f"scrypt${bytes(_SALT_BYTES).hex()}$").split("$")
    found = _scrypt(password, bytes.fromhex(salt))
    return kept is not None and hmac.compare_digest(found, bytes.fromhex(wanted))


def _scrypt(password: str, salt: bytes) -> bytes:
    data = password.encode("utf-8", "surrogatepass")
    with _AT_ONCE:
        return hashlib.scrypt(data, salt=salt, n=_COST, r=_BLOCK, p=_LANES, maxmem=_MEMORY_MAX)
