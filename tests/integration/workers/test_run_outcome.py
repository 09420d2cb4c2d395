"""What becomes of a challenger once the gate has spoken: a person's word stands, and so does another worker's claim."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from db import job_leases, runs, versions
from db.jobs import Claim
from db.migrate import open_database
from db.tables import RunOutcome
from db.writer import Writer
from lungline.errors import LedgerError
from lungline.layout import Store
from lungline.settings import load
from models.files import ENSEMBLES, read_ensemble
from models.registry import SHIPPED
from tests.ledger import claim_run
from training.rulings import ChallengerRuling, Clause, ClauseOutcome, Decision
from workers import catalogue
from workers.outcome import RunResult, commit_outcome


class RunClinic:
    """A home whose runs make a challenger of the shipped X-ray members, and pass."""

    def __init__(self) -> None:
        self.settings = load()
        self.engine = open_database(self.settings)
        self.writer = Writer(self.engine)
        self.models = Store(self.settings.store).models
        with self.engine.begin() as connection:
            catalogue.enter(connection, self.models)
        self.shipped = self.champion()

    def champion(self) -> str:
        with self.engine.connect() as connection:
            return versions.champions(connection)["xray"]

    def passed(self, *, against: str | None = None) -> tuple[Claim, RunResult]:
        """A claimed run, and its outcome; `against`: the champion that it was judged against."""
        run_id = str(self.writer.do(runs.enter, "hand", ("xray-cnn",)))
        claim = self.writer.do(claim_run, run_id, "slot/boot/a")
        assert claim
        out = self.settings.layout.training / run_id
        (out / ENSEMBLES).mkdir(parents=True)
        facts = json.loads((SHIPPED / ENSEMBLES / "xray.json").read_text())
        for member in ("xray-cnn", "xray-mobilenetv2"):
            shutil.copytree(SHIPPED / member, out / member)
        (out / ENSEMBLES / "xray.json").write_text(json.dumps(facts | {"thresholds": facts["thresholds"] | {"margin": 0.1}}))
        clause = Clause("newer_labels", ClauseOutcome.GIVEN)
        names = {"name": "xray", "champion": against or self.champion(), "challenger": read_ensemble(out, "xray").version}
        return claim, RunResult(
            state=RunOutcome.DONE, reason="", rulings=(ChallengerRuling(Decision.PASSED, "newer labels", (clause,), 1, **names),)
        )

    def close(self) -> None:
        self.writer.close()
        self.engine.dispose()


@pytest.fixture
def clinic(home: Path) -> Iterator[RunClinic]:
    made = RunClinic()
    yield made
    made.close()


def test_what_passed_is_promoted_and_its_folder_goes(clinic: RunClinic) -> None:
    claim, outcome = clinic.passed()
    assert commit_outcome(clinic.settings, clinic.writer, claim, outcome).startswith("promoted")
    assert clinic.champion() == outcome.rulings[0].challenger != clinic.shipped
    assert not (clinic.settings.layout.training / claim.subject).exists()


def test_what_a_person_went_back_from_waits_for_a_person(clinic: RunClinic) -> None:
    commit_outcome(clinic.settings, clinic.writer, *clinic.passed())
    promoted = clinic.champion()
    with clinic.engine.begin() as connection:
        versions.rollback(connection, promoted, clinic.shipped, [], "ann", "too many calls")
    said = commit_outcome(clinic.settings, clinic.writer, *clinic.passed())
    assert said.startswith("held")
    assert "ann: too many calls" in said
    assert clinic.champion() == clinic.shipped


def test_a_champion_promoted_meanwhile_is_not_overruled(clinic: RunClinic) -> None:
    claim, outcome = clinic.passed(against="xray-1-the-one-before")
    assert commit_outcome(clinic.settings, clinic.writer, claim, outcome).startswith("held")
    assert clinic.champion() == clinic.shipped


def test_a_run_that_another_worker_has_promotes_nothing(clinic: RunClinic) -> None:
    claim, outcome = clinic.passed()
    clinic.writer.do(job_leases.free_slot, "slot", "boot")
    clinic.writer.do(claim_run, claim.subject, "other/boot/b")
    with pytest.raises(LedgerError, match="Another worker"):
        commit_outcome(clinic.settings, clinic.writer, claim, outcome)
    assert clinic.champion() == clinic.shipped
    with clinic.engine.connect() as connection:
        assert connection.execute(text("SELECT * FROM gate_rulings")).all() == []
    assert (clinic.settings.layout.training / claim.subject).exists()
