"""New champions are taken up while the old ones judge; what cannot be loaded leaves those that run."""

import json
import math
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from sqlalchemy import Engine
from structlog.testing import capture_logs

from db import migrate, versions
from imaging.phantoms import picture
from lungline.errors import ModelError
from lungline.findings import Modality
from lungline.settings import load
from models import registry
from models.files import WEIGHTS, Place, adopt
from models.preprocess import prepare
from models.runtimes.choice import RuntimeChoice
from tests.unit.workers.test_batcher import FACTS
from tests.waiting import wait_for
from workers import catalogue
from workers.champions import Champions
from workers.judge import Judge
from workers.reading import Reading


@pytest.fixture
def database() -> Iterator[Engine]:
    engine = migrate.open_database(load())
    yield engine
    engine.dispose()


@pytest.fixture
def models(tmp_path: Path) -> Path:
    return tmp_path / "models"


@pytest.fixture
def running(database: Engine, models: Path, runtime_choice: RuntimeChoice) -> Iterator[Champions]:
    """Champions that ask ten times a second, and try soon again what cannot be loaded."""
    running = Champions(database, models, runtime_choice, 4, ask_seconds=0.1, pauses=(0.2,))
    running.watch()
    yield running
    running.stop(timeout=30)


@pytest.fixture
def adopted(tmp_path: Path, database: Engine, models: Path) -> Callable[[str], str]:
    """Puts another ensemble of a name into the store, and enters it; returns its version."""

    def make(name: str) -> str:
        copy = Path(shutil.copytree(registry.SHIPPED, tmp_path / f"trained-{name}"))
        path = copy / "ensembles" / f"{name}.json"
        facts = json.loads(path.read_text())
        facts["number"] = 77
        path.write_text(json.dumps(facts))
        (version,) = (files.version for files in adopt(copy, models) if files.name == name)
        with database.begin() as connection:
            catalogue.enter(connection, models)
        return version

    return make


def promote(database: Engine, version: str) -> None:
    with database.begin() as connection:
        versions.promote(connection, version, [], "dr who", "better")


def read(judge: Judge, kind: Modality) -> tuple[Modality | None, str]:
    """What a drawn chest is judged as, and by which version."""
    gray = (picture(kind.value, 1) / 255).astype(np.float32)
    names = [*judge.always, *judge.by_modality[kind]]
    rows, columns = gray.shape
    reading = Reading(replace(FACTS, modality=kind), 1, rows, columns, {name: prepare(name, gray) for name in names})
    ((modality, verdict),) = judge.judge([(reading, None)])
    return modality, verdict.ensemble


@pytest.mark.parametrize("name", ["xray", "ct", "admission"])
def test_a_promoted_version_judges_without_a_restart(
    running: Champions, adopted: Callable[[str], str], database: Engine, name: str
) -> None:
    before, version = running.judge, adopted(name)
    promote(database, version)
    wait_for(lambda: running.judge is not before)
    assert running.judge.names == {**before.names, name: version}
    kept = [value for value in before.parts if value != name]
    assert all(running.judge.parts[value] is before.parts[value] for value in kept)  # what did not change is not loaded again
    if name != "admission":
        assert read(running.judge, Modality(name)) == (Modality(name), version)
        assert read(before, Modality(name)) == (Modality(name), before.names[name])  # a batch under way ends as it began


def test_a_start_takes_the_promoted_one(
    adopted: Callable[[str], str], database: Engine, models: Path, runtime_choice: RuntimeChoice
) -> None:
    version = adopted("xray")
    promote(database, version)
    assert Champions(database, models, runtime_choice, 4).judge.names["xray"] == version


def test_a_start_without_the_champions_files_is_refused(
    adopted: Callable[[str], str], database: Engine, models: Path, runtime_choice: RuntimeChoice
) -> None:
    version = adopted("xray")
    promote(database, version)
    shutil.rmtree(models)
    with pytest.raises(ModelError, match=f"{version}.*are missing.*rollback"):
        Champions(database, models, runtime_choice, 4)


def test_what_cannot_be_loaded_is_said_once_and_tried_again(
    running: Champions, adopted: Callable[[str], str], database: Engine, models: Path
) -> None:
    before, version = running.judge, adopted("xray")
    member = registry.shipped()[Modality.XRAY].places[0].member
    weights = models / member.name / member.version / WEIGHTS
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    with capture_logs() as logs:
        promote(database, version)
        wait_for(lambda: running._load_failure is not None and running._load_failure.failures >= 3)
    errors = [line for line in logs if line["log_level"] == "error"]
    assert len(errors) == 1
    assert "damaged" in errors[0]["why"]
    assert running.judge is before
    weights.write_bytes(whole)
    wait_for(lambda: running.judge.names["xray"] == version)
    assert running._load_failure is None


def test_those_that_run_go_on_while_the_database_is_away(
    running: Champions, adopted: Callable[[str], str], database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, version = running.judge, adopted("ct")
    path, away = load().home / "lungline.db", load().home / "away.db"
    with capture_logs() as logs:
        database.dispose()
        path.rename(away)
        path.mkdir()  # nothing can be opened there
        wait_for(lambda: any("does not name the champions now" in line["event"] for line in logs))
        time.sleep(0.5)
        assert sum("does not name the champions now" in line["event"] for line in logs) == 1
        assert running.judge is before
        path.rmdir()
        away.rename(path)
    promote(database, version)
    wait_for(lambda: running.judge.names["ct"] == version)


class Fails:
    """A runtime that breaks when it is told to."""

    name = "fails"

    def __init__(self, runtime: object) -> None:
        self._run = runtime.run  # type: ignore[attr-defined]
        self.answer: float | None = None

    def run(self, batch: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
        answers: npt.NDArray[np.float32] = self._run(batch)
        return answers if self.answer is None else np.full_like(answers, self.answer)

    def warm(self, batch_max: int) -> None: ...


def test_an_engine_that_breaks_is_found_out_and_is_no_champion(
    running: Champions, adopted: Callable[[str], str], database: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Fails] = []

    def make(self: RuntimeChoice, place: Place) -> Fails:
        made.append(Fails(real(self, place)))
        return made[-1]

    real = RuntimeChoice.make
    monkeypatch.setattr(RuntimeChoice, "make", make)
    promote(database, adopted("xray"))
    wait_for(lambda: bool(made) and running.judge.names["xray"] != registry.shipped()[Modality.XRAY].version)
    assert running.judge.is_sound()
    made[0].answer = math.nan
    assert not running.judge.is_sound()
    monkeypatch.setattr(Fails, "run", lambda self, batch: np.full_like(self._run(batch), math.nan))
    before = running.judge
    with capture_logs() as logs:
        promote(database, adopted("ct"))
        wait_for(lambda: running._load_failure is not None)
    assert "not a number" in logs[-1]["why"]
    assert running.judge is before


def test_a_judge_needs_admission_and_every_modality(running: Champions) -> None:
    with pytest.raises(ModelError, match="no champion"):
        Judge({name: part for name, part in running.judge.parts.items() if name != "ct"})
