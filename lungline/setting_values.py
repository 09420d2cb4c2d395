"""What the values of some settings must look like; each check raises ValueError with what an admin should write instead."""

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, StringConstraints

from lungline import broker
from lungline.schedule import crontab_of, zone_of
from lungline.targets import Folder, parse_targets


def _check_devices(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|\d+(,\d+)*", value):
        raise ValueError("must be auto, cpu, or GPU numbers such as 0,1")
    return value


def _check_device(value: str) -> str:
    if not re.fullmatch(r"auto|cpu|\d+", value):
        raise ValueError("must be auto, cpu, or the number of a GPU")
    return value


def _check_zone(value: str) -> str:
    zone_of(value)
    return value


def _check_broker_url(value: str) -> str:
    if value and (urlsplit(value).scheme not in ("redis", "rediss") or not urlsplit(value).hostname or not _has_sound_port(value)):
        raise ValueError("must look like redis://[:PASSWORD@]HOST[:PORT]/0, or rediss:// for TLS")
    if value:
        broker.parse(value)
    return value


def _has_sound_port(address: str) -> bool:
    try:
        return urlsplit(address).port != 0
    except ValueError:
        return False


def _check_targets(value: str) -> str:
    parse_targets(value)
    return value


def _check_pacs(value: str) -> str:
    targets = list(parse_targets(value).values())
    if len(targets) > 1 or any(isinstance(target, Folder) for target in targets):
        raise ValueError("must be one dicom:AET@HOST:PORT or dicomweb:URL")
    return value


def _check_objects(value: str) -> str:
    objects = value.replace(" ", "")
    if not objects or not set(objects.split(",")) <= {"sc", "sr"}:
        raise ValueError("must be sc, sr, or sc,sr")
    return objects


def _strip_slashes(value: str) -> str:
    return value.strip("/")


Devices = Annotated[str, AfterValidator(_check_devices)]
Device = Annotated[str, AfterValidator(_check_device)]
Crontab = Annotated[str, AfterValidator(crontab_of)]
Zone = Annotated[str, AfterValidator(_check_zone)]
BrokerUrl = Annotated[str, AfterValidator(_check_broker_url)]
Targets = Annotated[str, AfterValidator(_check_targets)]
Pacs = Annotated[str, AfterValidator(_check_pacs)]
ResultObjects = Annotated[str, AfterValidator(_check_objects)]
UrlPrefix = Annotated[str, StringConstraints(pattern=r"^/?([A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*/?)?$"), AfterValidator(_strip_slashes)]
