"""What lies in deploy/, as data."""

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest
import yaml  # type: ignore[import-untyped]

from lungline.processes import own_processes
from lungline.settings import load

REPOSITORY: Final = Path(__file__).resolve().parents[3]
DEPLOY: Final = REPOSITORY / "deploy"
UNITS: Final = DEPLOY / "systemd"
COMMON: Final = UNITS / "lungline-.service.d" / "common.conf"
OPTIONAL: Final = {
    "LUNGLINE_DICOM_PORT": "11112",
    "LUNGLINE_DICOM_ASK": "dicom:PACS@host:104",
    "LUNGLINE_DELIVER_TO": "dicom:PACS@host:104",
}
"""Settings without which `receive`, `ask` and `deliver` do not run."""
PROGRAM: Final = "/opt/lungline/.venv/bin/lungline"


@dataclass(frozen=True)
class SystemdUnit:
    """A unit file: each key with all its values, in their order."""

    name: str
    values: Mapping[str, list[str]]

    def value_of(self, key: str) -> str:
        (value,) = self.values[key]
        return value


def unit(path: Path) -> SystemdUnit:
    """Reads a unit, or any other file of `key=value` lines."""
    values: dict[str, list[str]] = {}
    for line in path.read_text().splitlines():
        if line and line[0] not in "#;[":
            key, _, value = line.partition("=")
            values.setdefault(key, []).append(value)
    return SystemdUnit(path.name, values)


def services() -> list[SystemdUnit]:
    return [unit(path) for path in sorted(UNITS.glob("lungline-*.service"))]


def arguments(service: SystemdUnit) -> list[str]:
    """What the unit's command tells `lungline`, as the first instance of a template."""
    program, *rest = shlex.split(service.value_of("ExecStart").replace("%i", "0"))
    assert program == PROGRAM
    return rest


def every_process() -> dict[str, list[str]]:
    """What `lungline up` starts where everything is set: each one's name and arguments."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in OPTIONAL.items():
            patch.setenv(name, value)
        return {name: list(command) for name, command in own_processes(load()).items()}


def compose(name: str = "compose.yaml") -> Any:
    return yaml.safe_load((DEPLOY / name).read_text())


def own_services() -> dict[str, Any]:
    """Those services of compose.yaml that are Lungline's own processes."""
    return {name: service for name, service in compose()["services"].items() if service["image"].startswith("lungline:")}


def instructions() -> Iterator[tuple[str, str]]:
    """The Dockerfile's instructions: name and the rest, in their order."""
    text = re.sub(r"\\\n", " ", (DEPLOY / "Dockerfile").read_text())
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            yield name, " ".join(rest.split())


def image_environment() -> dict[str, str]:
    found: dict[str, str] = {}
    for name, rest in instructions():
        if name == "ENV":
            found |= dict(pair.split("=", 1) for pair in shlex.split(rest))
    return found
