"""`lungline settings`: each setting with its value and where that comes from."""

import sys

import typer

from lungline.masked import masked


def settings(as_json: bool = typer.Option(False, "--json", help="One JSON object a line.")) -> None:
    """Show each setting, its value and where the value comes from."""
    import json

    from lungline.settings import load, unknown

    now = load()
    sources = _sources()
    for name in type(now).model_fields:
        value = getattr(now, name)
        shown = None if value in (None, "") else masked(str(value))
        source = sources.get(name, "default")
        if as_json:
            print(json.dumps({"name": name, "value": shown, "source": source}))
        else:
            print(f"{name:<15} {'-' if shown is None else shown}  ({source})")
    for slip in unknown():
        print(f"{slip} is not a setting and has no effect.", file=sys.stderr)


def _sources() -> dict[str, str]:
    """Setting -> where it comes from, for those that are set at all; the last source goes before the others."""
    from pydantic_settings import EnvSettingsSource

    from lungline.settings import Settings, secret_files, toml_file

    sources = {"lungline.toml": toml_file(Settings), "secret file": secret_files(Settings), "environment": EnvSettingsSource(Settings)}
    return {setting: name for name, source in sources.items() for setting in source()}
