"""Whole training runs on drawn pictures, from the row to the outcome: promoted, held, refused or skipped, and what fails cleanly."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Engine, text

from db import runs, versions
from db.jobs import Claim
from db.migrate import open_database
from db.writer import Writer
from lungline.layout import Store
from lungline.settings import Settings, load
from models.files import WEIGHTS
from tests.drawn_data_set import COUNTS, draw_data_set
from tests.ledger import claim_run
from tests.mounts import mounted
from training import recipes
from workers import catalogue
from workers.outcome import RunResult, commit_outcome
from workers.retraining import Retraining

RECIPES = ("xray-cnn", "xray-mobilenetv2")


def quick(name: str) -> recipes.Recipe:
    """A recipe of the book whose network learns drawn discs in seconds."""
    small = dataclasses.replace(BOOK(name), architecture="small_cnn", preprocess="gray-96", tuned_from=None, frozen_norms=False)
    return dataclasses.replace(small, epochs=5, patience=5, batch=16, augment=recipes.Augment(), average=0.0, learning_rate=3e-3)


BOOK = recipes.load


class TrainingHome:
    """A home whose training runs are made in this process."""

    def __init__(self, home: Path) -> None:
        self.settings: Settings = load()
        self.engine: Engine = open_database(self.settings)
        self.writer = Writer(self.engine)
        with self.engine.begin() as connection:
            catalogue.enter(connection, Store(self.settings.store).models)

    def begin(self, *, recipes: Sequence[str] = RECIPES, forced: bool = False) -> Claim:
        run_id = self.writer.do(runs.enter, "hand", recipes, forced=forced)
        claim = self.writer.do(claim_run, str(run_id), "slot/boot/a")
        assert claim
        return claim

    def retrain(self, claim: Claim | None = None, **how: Any) -> dict[str, Any]:
        """A run from its entry to its end; its row."""
        claim = claim or self.begin(**how)
        commit_outcome(self.settings, self.writer, claim, self.attempt(claim))
        (row,) = self.query("SELECT * FROM training_runs WHERE run_id = :id", id=claim.subject)
        return row

    def attempt(self, claim: Claim) -> RunResult:
        run = self.writer.do(runs.begin, claim.subject)
        return Retraining(self.settings, self.engine, claim, run).run()

    def query(self, statement: str, **parameters: Any) -> list[dict[str, Any]]:
        with self.engine.connect() as connection:
            return [dict(row) for row in connection.execute(text(statement), parameters).mappings()]

    def champion(self) -> str:
        with self.engine.connect() as connection:
            return versions.champions(connection)["xray"]

    def close(self) -> None:
        self.writer.close()
        self.engine.dispose()


@pytest.fixture
def quickly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.recipes.load", quick)
    monkeypatch.setattr("training.metrics.figures.RESAMPLES", 200)
    monkeypatch.setattr("training.evaluation.controls.SHUFFLES", 1)
    monkeypatch.setenv("LUNGLINE_ENGINE", "keras")


@pytest.fixture
def at_home(home: Path, quickly: None, monkeypatch: pytest.MonkeyPatch) -> Iterator[TrainingHome]:
    monkeypatch.setenv("LUNGLINE_TRAINING_DATA", str(home.parent / "data"))
    made = TrainingHome(home)
    yield made
    made.close()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_promotes_better_holds_equal_and_refuses_shuffled(at_home: TrainingHome, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shipped = at_home.champion()
    data = draw_data_set(home.parent / "data")
    first = at_home.retrain()
    assert (first["state"], first["decision"]) == ("done", "promoted"), first["reason"]
    assert first["epochs_done"] == 10
    assert first["split"] == "train 60, val 36, gate 60"
    promoted = at_home.champion()
    assert promoted != shipped
    (rows,) = at_home.query("SELECT * FROM model_versions WHERE version = :v", v=promoted)
    assert (rows["run_id"], rows["promoted_by"]) == (first["run_id"], "lungline")
    clauses = at_home.query("SELECT * FROM gate_clauses WHERE run_id = :id ORDER BY number", id=first["run_id"])
    found = {row["clause"]: row for row in clauses}
    assert found["better"]["outcome"] == "given"
    assert found["macro_auroc"]["images"] == 60
    assert found["macro_auroc"]["uses"] == 1
    assert len([row for row in clauses if row["clause"] == "shuffled_labels"]) == 2

    repeated = at_home.retrain()
    assert (repeated["state"], repeated["decision"]) == ("skipped", None)
    assert "Nothing is new" in repeated["reason"]

    forced = at_home.retrain(forced=True)
    assert (forced["decision"], at_home.champion()) == ("held", promoted)
    of = "SELECT challenger FROM gate_rulings WHERE run_id = :id"
    challengers = [at_home.query(of, id=run["run_id"])[0]["challenger"] for run in (first, forced)]
    assert challengers[0] == challengers[1]  # the version names the weights

    draw_data_set(data, wrong=("train", "val"))
    refused = at_home.retrain()
    assert (refused["decision"], at_home.champion()) == ("refused", promoted)
    assert "macro_auroc: failed" in refused["reason"]
    states = at_home.query("SELECT state FROM model_versions WHERE run_id = :id", id=refused["run_id"])
    assert {row["state"] for row in states} == {"refused"}
    assert {row["action"] for row in at_home.query("SELECT action FROM audit")} >= {"run", "gate", "promote"}


def test_asked_to_ask_it_promotes_nothing_by_itself(at_home: TrainingHome, home: Path) -> None:
    draw_data_set(home.parent / "data")
    at_home.settings.retrain_promote = "ask"
    shipped = at_home.champion()
    row = at_home.retrain(recipes=["xray-cnn"])
    assert (row["decision"], at_home.champion()) == ("held", shipped)
    assert "lungline models promote xray-" in row["reason"]
    (ruling,) = at_home.query("SELECT challenger FROM gate_rulings")
    # the member that was not trained anew stood for the vote, too; and all lies in the store, nothing where it was trained
    models = Store(at_home.settings.store).models
    assert {path.parent.parent.name for path in models.glob(f"*/*/{WEIGHTS}")} == {"xray-cnn", "xray-mobilenetv2"}
    assert list(at_home.settings.layout.training.iterdir()) == []
    assert at_home.query("SELECT state FROM model_versions WHERE version = :v", v=ruling["challenger"]) == [{"state": "challenger"}]
    card = models / "ensembles" / f"{ruling['challenger']}.md"
    assert f"# {ruling['challenger']}" in card.read_text()
    assert at_home.query("SELECT 1 FROM model_quality WHERE version = :v AND data = 'val'", v=ruling["challenger"])
    made = at_home.query("SELECT name, kind FROM model_versions WHERE run_id = :r ORDER BY name", r=row["run_id"])
    assert made == [{"name": "xray", "kind": "ensemble"}, {"name": "xray-cnn", "kind": "member"}]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("no manifest", "no manifest.csv"),
        ("one class", "only one finding"),
        ("few", "Fewer than 10"),
        ("no gate", "`gate` has no xray scan"),
        ("leak", "split_leak"),
    ],
)
def test_data_of_which_nothing_can_be_learnt_is_refused_clearly(at_home: TrainingHome, home: Path, change: str, said: str) -> None:
    data = home.parent / "data"
    data.mkdir()
    if change != "no manifest":
        counts = {"few": {**COUNTS, "train": 8}, "no gate": {**COUNTS, "gate": 0}}.get(change, COUNTS)
        manifest = draw_data_set(data, counts=counts) / "manifest.csv"
        lines = manifest.read_text().splitlines()
        if change == "one class":
            manifest.write_text("\n".join([lines[0], *(line for line in lines if "covid19" in line)]))
        if change == "leak":
            manifest.write_text("\n".join([*lines[:-1], lines[-1].replace(lines[-1].split(",")[4], lines[1].split(",")[4])]))
    row = at_home.retrain()
    assert row["state"] == "failed"
    assert said in row["reason"]


def test_without_any_data_a_scheduled_run_is_skipped(at_home: TrainingHome) -> None:
    at_home.settings.training_data = None
    assert at_home.retrain()["state"] == "skipped"
    assert at_home.retrain(forced=True)["state"] == "failed"


def test_disk_full_at_a_checkpoint_fails_the_run_alone(at_home: TrainingHome, home: Path) -> None:
    draw_data_set(home.parent / "data")
    shipped = at_home.champion()
    claim = at_home.begin()
    with mounted(at_home.settings.layout.training, "-t", "tmpfs", "-o", "size=1m", "none"):
        row = at_home.retrain(claim)
        assert (row["state"], at_home.champion()) == ("failed", shipped)
        assert "disk is full" in row["reason"]
        assert list(at_home.settings.layout.training.iterdir()) == []


def test_admission_is_not_retrained(at_home: TrainingHome, home: Path) -> None:
    draw_data_set(home.parent / "data")
    row = at_home.retrain(recipes=["admission-cnn"])
    assert row["state"] == "failed"
    assert "no gate" in row["reason"]
