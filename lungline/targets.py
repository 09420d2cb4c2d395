"""Where results are sent, as LUNGLINE_DELIVER_TO names it: folders, DICOM application entities, DICOMweb servers."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_ENTITY: Final = re.compile(r"([ -Z\[\]^-~]{1,16})@([^@:\s/]+|\[[0-9A-Fa-f:]+\]):(\d{1,5})")  # no backslash in a title: PS3.5 6.2, VR AE
_LONGEST: Final = 200


@dataclass(frozen=True)
class Folder:
    """A folder, which must be there."""

    path: Path


@dataclass(frozen=True)
class Entity:
    """A DICOM application entity."""

    title: str
    host: str
    port: int


@dataclass(frozen=True)
class Web:
    """A DICOMweb server, by the address that `/studies` follows."""

    url: str


Target = Folder | Entity | Web


def parse_targets(setting: str) -> dict[str, Target]:
    """The targets of a comma-separated list: how each is named there -> what that means.

    Raises:
        ValueError: one is malformed.
    """
    return {name: _parse(name) for name in (each.strip() for each in setting.split(",")) if name}


def _parse(name: str) -> Target:
    kind, _, rest = name.partition(":")
    if len(name) > _LONGEST:
        raise ValueError(f"a target has more than {_LONGEST} characters")
    if kind == "folder" and Path(rest).is_absolute():
        return Folder(Path(rest))
    if kind == "dicom" and (found := _ENTITY.fullmatch(rest)) and 0 < int(found[3]) < 65536:
        return Entity(found[1].strip(), found[2].strip("[]"), int(found[3]))
    if kind == "dicomweb" and _is_plain(rest):
        return Web(rest.rstrip("/"))
    raise ValueError("must be folder:/PATH, dicom:AET@HOST:PORT or dicomweb:URL, separated by commas; a URL names no user and no password")


def _is_plain(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None and parts.port != 0
    except ValueError:
        return False
