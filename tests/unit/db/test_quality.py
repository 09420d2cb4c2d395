"""Figures of cards as rows, on both databases."""

from pathlib import Path

import pytest
from sqlalchemy import text

from db import migrate, quality
from db.quality import Quality
from lungline.settings import Settings

FIGURES = {
    "images": 307,
    "groups": 254,
    "macro_auroc": {"value": 0.96, "low": 0.94, "high": 0.98},
    "accepted_share": 0.67,
    "calibrated": True,
    "note": "words",
    "missing": None,
    "per_finding": {"covid19": {"recall": {"value": 0.9, "low": 0.8, "high": 1.0, "images": 137}}},
    "within_source": {"NIH": {"images": 10, "groups": 9, "accuracy": {"value": 0.5, "low": 0.2, "high": 0.8}}},
}


def test_figures_become_rows_with_their_counts() -> None:
    assert quality.rows("m-1", "test", FIGURES) == [
        Quality("m-1", "test", "macro_auroc", None, 0.96, 0.94, 0.98, 307, 254),
        Quality("m-1", "test", "accepted_share", None, 0.67, None, None, 307, 254),
        Quality("m-1", "test", "per_finding.covid19.recall", None, 0.9, 0.8, 1.0, 137, 254),
        Quality("m-1", "test", "accuracy", "NIH", 0.5, 0.2, 0.8, 10, 9),
    ]


def test_what_is_measured_anew_takes_the_place_of_what_was(database_url: str, tmp_path: Path) -> None:
    engine = migrate.open_database(Settings(home=tmp_path, database_url=database_url))
    with engine.begin() as connection:
        quality.enter(connection, [])
        quality.enter(connection, quality.rows("m-1", "test", FIGURES))
        quality.enter(connection, [Quality("m-1", "test", "macro_auroc", None, 0.5), Quality("m-1", "val", "macro_auroc", "NIH", 0.7)])
        found = connection.execute(text("SELECT * FROM model_quality WHERE metric = 'macro_auroc' ORDER BY data")).mappings().all()
        assert quality.known(connection) == {("m-1", "test"), ("m-1", "val")}
    engine.dispose()
    assert [(row["data"], row["source"], row["value"], row["low"], row["images"]) for row in found] == [
        ("test", None, 0.5, None, None),
        ("val", "NIH", 0.7, None, None),
    ]
    assert found[0]["measured_at"] is not None


def test_a_figure_that_is_no_number_is_left_out() -> None:
    assert quality.rows("m-1", "test", {"macro_auroc": float("nan"), "accuracy": {"value": float("inf")}}) == []


@pytest.mark.parametrize("figures", [{}, {"within_source": {}}, {"images": 3}])
def test_no_figures_no_rows(figures: dict[str, object]) -> None:
    assert quality.rows("m-1", "test", figures) == []
