"""Each setting with its value and where that comes from."""

from dataclasses import dataclass

from pydantic_settings import EnvSettingsSource

from lungline.masked import masked
from lungline.settings import Settings, load, secret_files, toml_file


@dataclass(frozen=True)
class SettingValue:
    """A setting as it holds now."""

    name: str
    value: str | None  # passwords hidden; None: empty
    source: str  # default, lungline.toml, secret file or environment


def list_settings() -> list[SettingValue]:
    """All settings of this home.

    Raises:
        SettingsError: one makes no sense.
    """
    settings = load()
    sources = _sources()
    found = []
    for name in Settings.model_fields:
        value = getattr(settings, name)
        found.append(SettingValue(name, None if value in (None, "") else masked(str(value)), sources.get(name, "default")))
    return found


def _sources() -> dict[str, str]:
    """Setting -> where it comes from, for those that are set at all; the last source goes before the others."""
    sources = {"lungline.toml": toml_file(Settings), "secret file": secret_files(Settings), "environment": EnvSettingsSource(Settings)}
    return {setting: name for name, source in sources.items() for setting in source()}
