"""`lungline bench`: what it prints; the figures themselves are nothing to assert on a machine that does other things beside."""

import json

import pytest
from typer.testing import CliRunner

from cli.bench import page, print_tables
from cli.main import app
from operations.bench.figures import BenchFigure, Part


def _figures() -> list[BenchFigure]:
    return [
        BenchFigure.over(Part.NETWORKS, "system 1", "runtime keras", "images/s", [9.0, 7.0, 8.0]),
        BenchFigure.over(Part.FLOW, "system 1", "from file to row, over the runtime alone", "ratio", [0.91]),
    ]


def test_a_figure_is_the_median_beside_the_extremes() -> None:
    figure = _figures()[0]
    assert (figure.value, figure.low, figure.high, figure.rounds) == (8.0, 7.0, 9.0, 3)


def test_the_page_has_a_table_a_part() -> None:
    text = page(_figures(), "a machine")
    assert "## Networks alone" in text
    assert "| system 1 | runtime keras | 8.00 | 7.00 | 9.00 | images/s |" in text
    assert "| system 1 | from file to row, over the runtime alone | 0.91 | 0.91 | 0.91 | ratio |" in text
    assert "Taking files in" not in text  # was not timed


def test_people_read_tables(capsys: pytest.CaptureFixture[str]) -> None:
    print_tables(_figures(), "a machine")
    said = capsys.readouterr().out
    assert "From file to row" in said
    assert "runtime keras" in said


def test_the_intake_is_timed_on_a_home_of_its_own() -> None:
    said = CliRunner().invoke(app, ["bench", "intake", "--files", "200", "--json"])
    assert said.exit_code == 0, said.output
    rows = [json.loads(line) for line in said.stdout.splitlines()]
    assert {(row["of"], row["unit"]) for row in rows} == {
        (f"{count} small PNG files at once", unit) for count in (20, 200) for unit in ("files/s", "MiB")
    }
    assert all(row["value"] > 0 for row in rows)
