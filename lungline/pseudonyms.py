"""Keyed pseudonyms: what names a patient becomes an HMAC that only the holder of the key file can make again."""

import hashlib
import hmac
import secrets
from pathlib import Path

from lungline.durable import create_text
from lungline.errors import SettingsError

_KEY_BYTES = 32


class PseudonymKey:
    """The secret of one home. The same key gives the same pseudonym for the same id, on every host."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    @classmethod
    def load_or_create(cls, path: Path) -> "PseudonymKey":
        """Reads the key file (32 bytes as hex, mode 0600); makes it where there is none.

        Raises:
            SettingsError: the file is unreadable or holds no key.
        """
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        try:
            if not path.exists():
                create_text(path, secrets.token_hex(_KEY_BYTES) + "\n", mode=0o600)  # two processes that start at once agree on one key
            secret = bytes.fromhex(path.read_text().strip())
        except (OSError, ValueError) as error:
            raise SettingsError("LUNGLINE_KEY_FILE cannot be read as a key of 64 hex digits; restore it from its backup.") from error
        if len(secret) != _KEY_BYTES:
            raise SettingsError("LUNGLINE_KEY_FILE does not hold 64 hex digits; restore it from its backup.")
        return cls(secret)

    @property
    def fingerprint(self) -> str:
        """16 hex digits that tell two keys apart and give neither away."""
        return self.pseudonym("fingerprint", "")

    def pseudonym(self, kind: str, value: str) -> str:
        """HMAC-SHA-256 of `value`, cut to 16 hex digits; `kind` (patient, study, …) keeps equal values of two kinds apart."""
        message = f"{kind}\0{value}".encode("utf-8", "surrogateescape")
        return hmac.new(self._secret, message, hashlib.sha256).hexdigest()[:16]
