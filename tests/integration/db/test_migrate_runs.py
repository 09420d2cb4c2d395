"""Training runs of the version before, whose lists were text: the view shows them as it did, and they go on."""

from pathlib import Path

from sqlalchemy import text

from db import migrate, runs
from db.connect import connect
from lungline.settings import Settings
from tests.ledger import claim_run, upgrade_to

_BEFORE = "0008"
_THEN = "'2026-11-01T10:00:00.000+00:00'"
_SHOWN = ("recipes", "split", "libraries", "settings")
# name of the run: what its row held, and its view showed
_RUNS = {
    "waiting": ("", None, None, None),
    "begun": ("xray-cnn", None, None, None),
    "done": (
        "xray-cnn,ct-cnn",
        "train 60, val 36, gate 0",
        "keras 3.15.1, numpy 2.4.6",
        "weights imagenet, device cpu, promote auto",
    ),
    "cut": ("ct-cnn", "train 60", "keras 3.15.1, nump", "weights imagenet"),
}


def test_runs_show_the_text_they_showed_before(database_url: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=database_url)
    before = connect(settings.database_url)
    insert = text(
        "INSERT INTO runs (id, trigger, recipes, split, libraries, settings, forced, seed, entered_at, epochs_done, resumed, outcome,"
        f" finished_at) VALUES (:id, 'hand', :recipes, :split, :libraries, :settings, false, 0, {_THEN}, 0, 0, :outcome, {_THEN})"
    )
    with before.begin() as connection:
        upgrade_to(connection, _BEFORE)
        for run_id, shown in _RUNS.items():
            outcome = "done" if run_id == "done" else None
            connection.execute(insert, {"id": run_id, **dict(zip(_SHOWN, shown, strict=True)), "outcome": outcome})
        connection.execute(
            text(
                "INSERT INTO jobs (id, kind, subject, queue, priority, state, exclusive, attempt, due_at, created_at, alone, lost_leases,"
                f" deaths, timeouts) VALUES ('j', 'train', 'begun', 'training', 1, 'waiting', true, 0, {_THEN}, {_THEN}, true, 0, 0, 0)"
            )
        )
    before.dispose()

    engine = migrate.open_database(settings)
    with engine.begin() as connection:
        rows = connection.execute(text("SELECT * FROM training_runs")).mappings().all()
        assert {row["run_id"]: tuple(row[name] for name in _SHOWN) for row in rows} == _RUNS
        last = runs.last_done(connection)
        assert last is not None
        assert last[1] == ["xray-cnn", "ct-cnn"]
        assert claim_run(connection, "begun") is not None
        assert runs.begin(connection, "begun").recipes == ["xray-cnn"]
    engine.dispose()
