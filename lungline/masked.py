"""Addresses as they may be shown."""

import re


def masked(address: str) -> str:
    """The address with its password hidden, whether that stands before the host or among the parameters."""
    address = re.sub(r"(://[^:@/]*:).*@", r"\1***@", address)
    return re.sub(r"(?i)([?&][^=&]*password=)[^&#]*", r"\1***", address)
