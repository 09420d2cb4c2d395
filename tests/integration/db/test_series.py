"""Series and studies in the ledger, on both databases: entered with verdicts, assessed by a job, one current assessment each."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select, text, update

from db import drops, headers, job_doorbells, jobs, series
from db.clock import now
from db.drops import Drop
from db.job_leases import Cause
from db.jobs import Claim, NewJob
from db.results import ScanFacts, Verdict
from db.scans import REREAD
from db.series import SeriesName
from db.tables import Priority, Rank
from db.tables import jobs as jobs_table
from jobs.kinds import ASSESS, HEADERS
from lungline.findings import Modality, Status
from lungline.ids import new_id
from lungline.reasons import Reason
from models.series_rule import SeriesRule
from tests.ledger import claim_scan, plans, record
from workers import failed_reads
from workers.assessing import assess

RULE = SeriesRule(version="r-1", ensemble="e-1", features=("mean",), weights=(10.0,), intercept=-5.0, low=0.2, high=0.8, lung_share_min=0.1)
FACTS = ScanFacts(Modality.CT, 10, 20, patient_key="p", study_key="st", series_key="se", orientation="axial", lung_share=0.4)
ILL = Verdict("e-1", Status.ACCEPTED, "covid19", 0.9, None, 0.0, 0.5, {"covid19": 0.9, "non_covid": 0.1})
WELL = replace(ILL, finding="non_covid", probabilities={"covid19": 0.1, "non_covid": 0.9})


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection


def judge(connection: Connection, number: int, verdict: Verdict = ILL, priority: Priority = Priority.SCANS, **facts: Any) -> str:
    """A new slice with its verdict; its scan."""
    sha256 = f"{number:064x}"
    drops.accept(connection, Drop(new_id(), sha256, 10, priority, None))
    scan_id = str(connection.scalar(text("SELECT id FROM scans WHERE sha256 = :it"), {"it": sha256}))
    claim = claim_scan(connection, scan_id, "slot/boot/x")
    assert claim is not None
    made = replace(FACTS, instance_number=number, slice_position_mm=2.0 * number, **facts)
    assert record(connection, claim, made, verdict, quiet_seconds=0.0)
    return scan_id


def claim_series(connection: Connection) -> Claim:
    subject = connection.scalar(text("SELECT subject FROM jobs WHERE kind = 'assess' ORDER BY priority, id"))
    return jobs.claim(connection, (ASSESS.name,), [str(subject)], "slot/boot/x", ASSESS.lease_seconds)[str(subject)]


def assess_one(connection: Connection, final_seconds: float = 900.0) -> None:
    assert assess(connection, claim_series(connection), RULE, final_seconds) is not None


def rows(connection: Connection, view: str) -> list[Any]:
    return [dict(row) for row in connection.execute(text(f"SELECT * FROM {view}")).mappings()]


def open_jobs(connection: Connection) -> int:
    return connection.scalar(text("SELECT count(*) FROM jobs WHERE kind = 'assess'")) or 0


def test_slices_of_a_series_are_assessed_together(connection: Connection) -> None:
    for number in (3, 1, 2):
        judge(connection, number)
    assert open_jobs(connection) == 1

    assess_one(connection)

    (found,) = rows(connection, "series_results")
    assert (found["series_key"], found["study_key"], found["patient_key"], found["modality"]) == ("se", "st", "p", "ct")
    assert (found["finding"], found["stage"], found["slices"], found["slices_used"], found["rule"]) == (
        "covid19",
        "provisional",
        3,
        3,
        "r-1",
    )
    (study,) = rows(connection, "study_results")
    assert (study["finding"], study["stage"], study["series"], study["scans"]) == ("covid19", "provisional", 1, 3)
    assert study["turnaround_seconds"] >= 0
    assert [row["study_key"] for row in rows(connection, "study_worklist")] == ["st"]


def test_a_provisional_series_becomes_final_by_itself(connection: Connection) -> None:
    judge(connection, 1)
    assess_one(connection)
    assert open_jobs(connection) == 1  # due when the series counts as complete

    assess_one(connection, final_seconds=0.0)

    assert [row["stage"] for row in rows(connection, "series_results")] == ["final"]
    assert [row["stage"] for row in rows(connection, "study_results")] == ["final"]
    assert open_jobs(connection) == 0
    assert [row["superseded_at"] is None for row in rows(connection, "series_history")].count(True) == 1


def test_a_late_slice_supersedes_a_final_assessment(connection: Connection) -> None:
    judge(connection, 1, WELL)
    assess_one(connection, final_seconds=0.0)

    judge(connection, 2)
    judge(connection, 3)
    assess_one(connection, final_seconds=0.0)

    assert [row["finding"] for row in rows(connection, "series_results")] == ["covid19"]
    assert len(rows(connection, "series_history")) == 2


def test_what_did_not_change_is_not_written_anew(connection: Connection) -> None:
    judge(connection, 1)
    assess_one(connection, final_seconds=0.0)
    series.schedule(connection, str(connection.scalar(text("SELECT id FROM series"))), Priority.SCANS, 0.0)

    assess_one(connection, final_seconds=0.0)

    assert len(rows(connection, "series_history")) == 1


def test_slice_that_comes_during_the_assessment_is_not_lost(connection: Connection) -> None:
    judge(connection, 1)
    claim = claim_series(connection)
    judge(connection, 2)

    assert assess(connection, claim, RULE, 0.0) is not None

    assert [row["slices"] for row in rows(connection, "series_results")] == [2]


def test_a_study_that_comes_for_an_hour_is_assessed_meanwhile(connection: Connection) -> None:
    for number in range(3):
        judge(connection, number)
    name = SeriesName("p", "st", "se", "ct")
    connection.execute(text("DELETE FROM jobs WHERE kind = 'assess'"))

    def comes(ago: float) -> float:
        """A slice comes now, `ago` seconds after the first; for how long the assessment waits."""
        latest = update(jobs_table).where(jobs_table.c.kind == "assess").values(latest_at=now(600.0 - ago))
        connection.execute(latest)
        series.note_verdict(connection, name, Priority.SCANS, 60.0)
        due = connection.execute(select(jobs_table.c.due_at, now().label("at")).where(jobs_table.c.kind == "assess")).one()
        return float(round((due.due_at - due.at).total_seconds()))

    assert [comes(ago) for ago in (0.0, 50.0, 500.0, 570.0)] == [60, 60, 60, 30]
    assert comes(650.0) < 0
    assess_one(connection)
    assert [row["stage"] for row in rows(connection, "series_results")] == ["provisional"]
    assert comes(0.0) == 60  # from now on, anew


def test_no_assessment_waits_for_a_clock_that_was_set_back(connection: Connection) -> None:
    judge(connection, 1)
    assess_one(connection)  # due again in 15 minutes
    assert job_doorbells.to_ring(connection, "assess", (Rank.LIVE,), 10) == []

    hours_ahead = {"due_at": now(7200.0 + 900.0), "due_set_at": now(7200.0), "rung_at": None}
    connection.execute(update(jobs_table).where(jobs_table.c.kind == "assess").values(hours_ahead))

    assert len(job_doorbells.to_ring(connection, "assess", (Rank.LIVE,), 10)) == 1
    assess_one(connection)
    assert job_doorbells.to_ring(connection, "assess", (Rank.LIVE,), 10) == []


def test_a_void_claim_writes_nothing(connection: Connection) -> None:
    judge(connection, 1)
    claim = claim_series(connection)
    assert assess(connection, replace(claim, attempt=7), RULE, 0.0) is None

    assert rows(connection, "series_results") == []


def test_one_series_uid_over_two_patients_is_two_series(connection: Connection) -> None:
    judge(connection, 1)
    judge(connection, 2, WELL, patient_key="other")
    assess_one(connection, 0.0)
    assess_one(connection, 0.0)

    found = {row["patient_key"]: row["finding"] for row in rows(connection, "series_results")}
    assert found == {"p": "covid19", "other": "non_covid"}
    assert len(rows(connection, "study_results")) == 2


def test_two_modalities_under_one_series_uid_are_two_series(connection: Connection) -> None:
    judge(connection, 1)
    judge(connection, 2, replace(WELL, finding="normal"), modality=Modality.XRAY)
    assess_one(connection, 0.0)
    assess_one(connection, 0.0)

    assert {row["modality"] for row in rows(connection, "series_results")} == {"ct", "xray"}
    (study,) = rows(connection, "study_results")
    assert (study["modalities"], study["series"], study["finding"]) == ("ct,xray", 2, "covid19")


def test_a_scan_that_names_no_series_belongs_to_none(connection: Connection) -> None:
    judge(connection, 1, series_key=None)
    judge(connection, 2, study_key=None)

    assert open_jobs(connection) == 0


def test_a_stat_series_goes_before_others(connection: Connection) -> None:
    judge(connection, 1, priority=Priority.STAT)
    judge(connection, 2)  # one of the same series that is not urgent

    (queue,) = connection.scalars(text("SELECT queue FROM jobs WHERE kind = 'assess'"))

    assert queue == "stat"


def test_prior_studies_of_a_patient_are_counted(connection: Connection) -> None:
    for number, study in enumerate(("st1", "st2", "st3")):
        judge(connection, number, study_key=study)
    judge(connection, 9, study_key="st4", patient_key=None)
    for _ in range(4):
        assess_one(connection, 0.0)

    found = {row["study_key"]: row["prior_studies"] for row in rows(connection, "study_results")}
    assert found == {"st1": 0, "st2": 1, "st3": 2, "st4": 0}


def test_a_study_that_a_person_closes_is_final(connection: Connection) -> None:
    judge(connection, 1)
    assess_one(connection)

    assert series.close_study(connection, "st") == 1
    assess_one(connection)

    assert [row["stage"] for row in rows(connection, "study_results")] == ["final"]
    assert series.close_study(connection, "nobody") == 0


def test_a_series_that_ends_its_workers_is_for_review(connection: Connection) -> None:
    judge(connection, 1)
    series_id = str(connection.scalar(text("SELECT id FROM series")))

    ASSESS.condemn(connection, series_id, Cause.DEATH)

    (found,) = rows(connection, "series_results")
    assert (found["finding"], found["status"], found["reason"]) == (None, "review", "internal_error")
    (study,) = rows(connection, "study_worklist")
    assert (study["status"], study["reason"], study["scans"]) == ("review", "internal_error", 1)


def test_old_scans_get_facts_and_series_from_their_headers(connection: Connection) -> None:
    ids = [judge(connection, number, series_key=None, header_version=0) for number in (1, 2)]
    assert headers.count_left(connection) == 2

    assert set(headers.ask(connection, "", 10)) == set(ids)
    assert (headers.count_left(connection), headers.count_open(connection)) == (0, 2)
    for number, scan_id in enumerate(ids):
        claim = jobs.claim(connection, (HEADERS.name,), [scan_id], "slot/boot/x", HEADERS.lease_seconds)[scan_id]
        found = replace(FACTS, modality=None, rows=0, columns=0, slice_position_mm=float(number), kernel="sharp")
        assert headers.record(connection, claim, found, quiet_seconds=0.0)

    assert headers.count_left(connection) + headers.count_open(connection) == 0
    results = rows(connection, "scan_results")
    assert [(row["slice_position_mm"], row["rows"], row["modality"]) for row in results] == [(0.0, 10, "ct"), (1.0, 10, "ct")]
    assess_one(connection)
    assert [row["slices"] for row in rows(connection, "series_results")] == [2]


def test_a_header_that_cannot_be_read_is_not_asked_for_again(connection: Connection) -> None:
    (scan_id,) = [judge(connection, 1, series_key=None, header_version=0)]
    headers.ask(connection, "", 10)
    claim = jobs.claim(connection, (HEADERS.name,), [scan_id], "slot/boot/x", HEADERS.lease_seconds)[scan_id]

    assert failed_reads.turn_away(connection, claim, Reason.BYTES_MISSING, "x")

    assert (headers.count_left(connection), headers.count_open(connection)) == (0, 0)
    assert len(rows(connection, "scan_results")) == 1


def test_a_series_that_lost_its_scans_is_not_spoken_of(connection: Connection) -> None:
    scan_id = judge(connection, 1, replace(WELL, finding="normal"), modality=Modality.XRAY)
    assess_one(connection, 0.0)
    jobs.enter(connection, [NewJob(REREAD, scan_id, "scans", Rank.BACKGROUND)])
    claim = claim_scan(connection, scan_id, "slot/boot/x")
    assert claim is not None

    assert record(connection, claim, FACTS, replace(ILL, ensemble="e-2"), quiet_seconds=0.0)
    assess_one(connection, 0.0)
    assess_one(connection, 0.0)

    assert [row["modality"] for row in rows(connection, "series_results")] == ["ct"]
    (study,) = rows(connection, "study_results")
    assert (study["modalities"], study["series"], study["scans"]) == ("ct", 1, 1)
    assert open_jobs(connection) == 0


def test_assessing_goes_by_indexes_alone(connection: Connection) -> None:
    """Else each assessment reads all that was ever predicted."""
    if connection.dialect.name != "sqlite":
        pytest.skip("PostgreSQL reads tables as a whole while they are small")
    judge(connection, 1)

    with plans(connection.engine) as steps:
        assess_one(connection)

    assert any("ix_scans_series_key" in step for step in steps)
    assert [step for step in steps if step.startswith(("SCAN", "MATERIALIZE")) and step != "SCAN alike"] == []
