"""Keyed pseudonyms: what names a patient becomes an HMAC that only the holder of the key file can make again."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path

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
        # Written beside and linked into place: two processes that start at once agree on one key, and none sees half of it.
        draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        try:
            if not path.exists():
                descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(descriptor, "w") as file:
                    file.write(secrets.token_hex(_KEY_BYTES) + "\n")
                    file.flush()
                    os.fsync(file.fileno())
                try:
                    os.link(draft, path)
                except FileExistsError:
                    pass
            secret = bytes.fromhex(path.read_text().strip())
        except (OSError, ValueError) as error:
            raise SettingsError("LUNGLINE_KEY_FILE cannot be read as a key of 64 hex digits; restore it from its backup.") from error
        finally:
            draft.unlink(missing_ok=True)
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
