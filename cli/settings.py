"""`lungline settings`: each setting with its value and where that comes from."""

import json
import sys
from dataclasses import asdict
from typing import Annotated

import typer


def settings(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """Show each setting, its value and where the value comes from."""
    from lungline.settings import unknown
    from operations.settings import list_settings

    for setting in list_settings():
        if as_json:
            print(json.dumps(asdict(setting)))
        else:
            print(f"{setting.name:<15} {'-' if setting.value is None else setting.value}  ({setting.source})")
    for slip in unknown():
        print(f"{slip} is not a setting and has no effect.", file=sys.stderr)
