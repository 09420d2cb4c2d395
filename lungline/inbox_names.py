"""What the names of files and folders say: which are left alone, which file is urgent, and which modality it has."""

import fnmatch
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from lungline.findings import Modality

URGENT: Final = "stat"
_MODALITIES: Final = frozenset(modality.value for modality in Modality)


def patterns(ignore: str) -> list[str]:
    """The patterns of LUNGLINE_IGNORE."""
    return [pattern.strip() for pattern in ignore.split(",") if pattern.strip()]


def is_ignored(name: str, ignore: list[str]) -> bool:
    """Hidden files and folders, and what matches a pattern of LUNGLINE_IGNORE in any case: left alone and counted nowhere."""
    return matcher(tuple(ignore))(name) is not None


@lru_cache(16)
def matcher(ignore: tuple[str, ...]) -> Callable[[str], re.Match[str] | None]:
    """Matches the names that are left alone."""
    return re.compile("|".join(fnmatch.translate(pattern) for pattern in (*ignore, ".*")), re.IGNORECASE).match


@lru_cache(1024)
def said_by(folders: str) -> tuple[bool, Modality | None]:
    """What the folders of a path, separated by `/`, say: whether one is `stat`, and which of `xray` and `ct` is the nearest to the file."""
    names = folders.lower().split("/")
    return URGENT in names, next((Modality(name) for name in reversed(names) if name in _MODALITIES), None)
