"""`lungline show` and `quarantine list`: names as they are, and figures that a program can read."""

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, text
from typer.testing import CliRunner

from cli.main import app
from db import drops, migrate
from db.clock import now
from db.drops import Drop
from db.tables import Priority, jobs, predictions, probabilities, scans, verdicts
from lungline.errors import LedgerError
from lungline.ids import new_id
from lungline.layout import Store
from lungline.settings import load
from tests.studies import enter_study

_SHA256 = "ab" * 32
_NAMES = ["a, b.png", "né\n.png"]


@pytest.fixture
def scan(home: Path) -> str:
    """A scan that was dropped under two names and judged."""
    settings = load()
    for name in _NAMES:
        path = Store(settings.store).folder(_SHA256) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("pixels")
    engine = migrate.open_database(settings)
    verdict = new_id()
    with engine.begin() as connection:
        drops.accept(connection, Drop(new_id(), _SHA256, 6, Priority.SCANS, None))
        scan_id = str(connection.scalar(scans.select()))
        connection.execute(jobs.delete())
        said = {"finding": "covid19", "probability": 0.75, "status": "accepted", "disagreement": 0.0, "entropy": 0.5}
        connection.execute(insert(verdicts).values(id=verdict, scan_id=scan_id, ensemble="xray-1", finished_at=now(), **said))
        for finding, probability in (("covid19", 0.75), ("normal", 0.25)):
            row = {"verdict_id": verdict, "finding": finding, "probability": probability}
            connection.execute(insert(probabilities).values(row))
            connection.execute(insert(predictions).values(row | {"member": "cnn", "member_version": "cnn-1"}))
    engine.dispose()
    return scan_id


def _said(*arguments: str) -> dict[str, Any]:
    said = CliRunner().invoke(app, [*arguments])
    assert said.exit_code == 0, said.output
    row: dict[str, Any] = json.loads(said.stdout)
    return row


def test_show_json_has_names_and_figures_as_values(scan: str) -> None:
    row = _said("show", scan, "--json")
    assert sorted(row["names"]) == sorted(_NAMES)
    assert row["probabilities"] == {"covid19": 0.75, "normal": 0.25}
    assert row["predictions"] == {"cnn": {"covid19": 0.75, "normal": 0.25}}


def test_show_gives_people_one_line_a_figure(scan: str) -> None:
    said = CliRunner().invoke(app, ["show", scan]).stdout
    assert "predictions cnn covid19" in said
    assert "n\\xe9\\n.png" in said
    starts = {line.index("  ") for line in said.splitlines() if line.startswith("predictions cnn covid19")}
    assert len(starts) == 1


def test_show_of_what_is_not_there_names_scans_and_studies() -> None:
    said = CliRunner().invoke(app, ["show", "nosuch"])
    assert isinstance(said.exception, LedgerError)
    assert "no such scan or study" in str(said.exception)
    assert "`lungline studies`" in str(said.exception)


def test_a_study_cannot_be_explained(home: Path) -> None:
    engine = migrate.open_database(load())
    with engine.begin() as connection:
        enter_study(connection, load().store)
        study_key = connection.scalar(text("SELECT study_key FROM study_results"))
    engine.dispose()
    assert CliRunner().invoke(app, ["show", str(study_key)]).exit_code == 0
    said = CliRunner().invoke(app, ["show", str(study_key), "--explain"])
    assert said.exit_code == 2
    assert "--explain" in said.stderr
