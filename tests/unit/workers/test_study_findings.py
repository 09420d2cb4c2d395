from dataclasses import replace
from datetime import UTC, datetime

from db.assessments import AssessedSeries, SeriesAssessment
from db.tables import Priority, Stage
from lungline.findings import Status
from workers.study_findings import assess, leave_out_reconstructions

PLACED = {"acquisition": 2, "from_mm": 0.0, "to_mm": 300.0}
ANSWER = SeriesAssessment(
    finding="non_covid",
    probability=0.8,
    status=Status.ACCEPTED,
    stage=Stage.FINAL,
    reason=None,
    priority=Priority.SCANS,
    first_received_at=datetime(2026, 1, 1, tzinfo=UTC),
    slices=100,
    slices_used=100,
    slices_expected=None,
    gaps=0,
    ensemble="ct-1",
    rule="r-1",
    inputs=PLACED,
)
LUNGS = AssessedSeries("1", "ct", False, ANSWER)


def test_the_most_suspicious_series_speaks_for_the_study() -> None:
    ill = AssessedSeries("2", "ct", False, replace(ANSWER, finding="covid19", probability=0.7, status=Status.REVIEW, inputs={}))
    film = AssessedSeries("3", "xray", False, replace(ANSWER, finding="normal", probability=0.9))

    found = assess([LUNGS, ill, film])

    assert (found.finding, found.probability, found.status) == ("covid19", 0.7, Status.REVIEW)
    assert (found.modalities, found.series, found.scans, found.stage) == (["ct", "xray"], 3, 300, Stage.FINAL)


def test_a_study_is_provisional_while_a_series_is() -> None:
    early = replace(LUNGS, series_id="2", assessment=replace(ANSWER, stage=Stage.PROVISIONAL))
    due = replace(LUNGS, series_id="3", is_open=True)

    assert assess([LUNGS, early]).stage is Stage.PROVISIONAL
    assert assess([LUNGS, due]).stage is Stage.PROVISIONAL


def test_one_series_counts_of_each_acquisition() -> None:
    sharp = AssessedSeries("2", "ct", False, replace(ANSWER, slices_used=90, finding="covid19", inputs=PLACED | {"from_mm": 5.0}))
    belly = AssessedSeries("3", "ct", False, replace(ANSWER, slices_used=80, inputs={"acquisition": 2, "from_mm": -300.0, "to_mm": -10.0}))

    kept = leave_out_reconstructions([LUNGS, sharp, belly])

    assert [name.series_id for name in kept] == ["1", "3"]


def test_series_that_name_no_acquisition_all_count() -> None:
    unnamed = [replace(LUNGS, series_id=str(n), assessment=replace(ANSWER, inputs={"acquisition": None})) for n in range(2)]

    assert len(leave_out_reconstructions(unnamed)) == 2
