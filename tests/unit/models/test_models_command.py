"""`lungline models list` and `show`."""

import json

import pytest
from typer.testing import CliRunner

from cli.models import app
from lungline.errors import ModelError
from models.registry import descriptions


def test_list_as_json_has_one_object_a_version() -> None:
    done = CliRunner().invoke(app, ["list", "--json"])
    assert done.exit_code == 0
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert {row["version"] for row in rows} == {each.version for each in descriptions()}
    assert set(rows[0]) >= {"version", "kind", "name", "modality", "sha256"}


@pytest.mark.parametrize("kind", ["member", "ensemble"])
def test_show_tells_about_every_version(kind: str) -> None:
    for each in descriptions():
        if each.kind == kind:
            plain, as_json = (CliRunner().invoke(app, ["show", each.version, *options]) for options in ([], ["--json"]))
            assert each.version in plain.stdout
            assert json.loads(as_json.stdout)["version"] == each.version


def test_show_of_an_unknown_version_names_the_way_out() -> None:
    done = CliRunner().invoke(app, ["show", "xray-9-00000000"])
    assert isinstance(done.exception, ModelError)
    assert "lungline models list" in str(done.exception)
