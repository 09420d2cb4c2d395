from dataclasses import replace
from datetime import UTC, datetime, timedelta

from db.series import Series, SeriesName, Slice
from db.tables import Stage
from models.series_rule import SeriesRule
from workers import series_findings
from workers.series_findings import assess, choose_reconstruction, count_gaps, one_a_position

NOW = datetime(2026, 1, 1, tzinfo=UTC)
CT = Series("s", "t", SeriesName("patient", "study", "series", "ct"), silent_seconds=60.0, is_closed=False)
RULE = SeriesRule(
    version="r-1", ensemble="ct-1", features=("mean",), weights=(10.0,), intercept=-5.0, low=0.2, high=0.8, lung_share_min=0.1
)
FINAL = 900.0


def a_slice(number: int, position: float | None, covid19: float | None = 0.9, **how: object) -> Slice:
    plain = Slice(
        f"scan-{number:03}", f"file-{number:03}", "covid19", covid19, "accepted", None, covid19, "ct-1", "axial", position, "sharp", 2.0,
        "original", 1, None, 0.4, "scans", NOW + timedelta(seconds=number),
    )  # fmt: skip
    return replace(plain, **how)  # type: ignore[arg-type]


def a_stack(count: int, step: float = 2.0, **how: object) -> list[Slice]:
    return [a_slice(number, step * number, **how) for number in range(count)]  # type: ignore[arg-type]


def test_all_slices_of_a_stack_count() -> None:
    found = assess(CT, a_stack(30), RULE, FINAL)

    assert (found.slices, found.slices_used, found.gaps) == (30, 30, 0)
    assert (found.finding, found.stage, found.reason) == ("covid19", Stage.PROVISIONAL, None)
    assert found.first_received_at == NOW
    assert found.rule == "r-1"


def test_a_series_of_one_slice_is_a_series() -> None:
    found = assess(CT, a_stack(1), RULE, FINAL)

    assert (found.slices, found.slices_used, found.gaps, found.finding) == (1, 1, None, "covid19")


def test_missing_slices_are_counted_and_reviewed() -> None:
    stack = a_stack(30)
    del stack[10:13], stack[20]

    found = assess(CT, stack, RULE, FINAL)

    assert (found.gaps, found.reason, found.status) == (4, "slices_missing", "review")


def test_two_slices_at_one_position_count_once() -> None:
    stack = [*a_stack(10), a_slice(50, 4.0, covid19=0.1)]

    kept = one_a_position(stack)

    assert len(kept) == 10
    assert [name.scan_id for name in kept if name.position_mm == 4.0] == ["scan-050"]  # what came last


def test_slices_without_positions_all_count() -> None:
    stack = [a_slice(number, None) for number in range(5)]

    assert len(one_a_position(stack)) == 5
    assert count_gaps(stack) is None


def test_positions_that_are_all_equal_say_nothing() -> None:
    found = assess(CT, a_stack(30, step=0.0), RULE, FINAL)

    assert (found.slices_used, found.gaps) == (30, None)


def test_a_series_of_thousands_of_slices_is_assessed_as_one() -> None:
    found = assess(CT, a_stack(5000, step=0.5), RULE, FINAL)

    assert (found.slices, found.slices_used, found.gaps, len(found.inputs["scores"])) == (5000, 5000, 0, 5000)


def test_one_of_two_reconstructions_counts() -> None:
    sharp, smooth = a_stack(20), [replace(value, scan_id=f"z-{value.scan_id}", kernel="smooth") for value in a_stack(18)]

    chosen, count = choose_reconstruction([*smooth, *sharp])

    assert ({value.kernel for value in chosen}, len(chosen), count) == ({"sharp"}, 20, 2)


def test_two_acquisitions_of_different_parts_both_count() -> None:
    upper, lower = a_stack(20), [replace(value, scan_id=f"z-{value.scan_id}", acquisition=2, position_mm=-40.0 + 2 * i) for i, value in
                                 enumerate(a_stack(20))]  # fmt: skip

    chosen, count = choose_reconstruction([*upper, *lower])

    assert (len(chosen), count) == (40, 1)


def test_other_planes_and_projections_are_set_aside() -> None:
    scout = a_slice(90, None, status="rejected", reason="not_frontal", covid19=None, orientation="coronal")
    mip = a_slice(91, 6.0, derivation="projection", status="review", reason="projection")

    found = assess(CT, [*a_stack(10), scout, mip], RULE, FINAL)

    assert (found.slices, found.slices_used) == (12, 10)
    assert found.inputs["set_aside"]["rejected"] == 1
    assert found.inputs["set_aside"]["projection"] == 1
    assert found.inputs["orientations"] == ["axial", "coronal"]


def test_slices_beyond_the_lungs_do_not_count() -> None:
    stack = [
        replace(slice_, lung_share=0.02, covid19=0.99) if number in (0, 1, 9) else slice_
        for number, slice_ in enumerate(a_stack(10, covid19=0.1))
    ]

    found = assess(CT, stack, RULE, FINAL)

    assert (found.slices_used, found.finding, found.inputs["set_aside"]["beyond_lungs"]) == (7, "non_covid", 3)


def test_a_series_without_lungs_is_for_review() -> None:
    found = assess(CT, a_stack(10, lung_share=0.0), RULE, FINAL)

    assert (found.status, found.reason) == ("review", "no_lung_slices")


def test_it_is_final_by_the_number_in_the_header() -> None:
    stack = [replace(value, expected=10) for value in a_stack(10)]

    assert assess(CT, stack, RULE, FINAL).stage is Stage.FINAL
    assert assess(CT, stack[:9], RULE, FINAL).stage is Stage.PROVISIONAL


def test_it_is_final_after_silence_or_when_closed() -> None:
    assert assess(replace(CT, silent_seconds=900.0), a_stack(3), RULE, FINAL).stage is Stage.FINAL
    assert assess(replace(CT, is_closed=True), a_stack(3), RULE, FINAL).stage is Stage.FINAL


def test_fewer_than_expected_at_the_end_is_for_review() -> None:
    stack = [replace(value, expected=20) for value in a_stack(10)]

    found = assess(replace(CT, silent_seconds=900.0), stack, RULE, FINAL)

    assert (found.stage, found.reason, found.status, found.slices_expected) == (Stage.FINAL, "slices_missing", "review", 20)


def test_the_most_suspicious_view_speaks_for_films() -> None:
    films = replace(CT, name=replace(CT.name, modality="xray"))
    normal = a_slice(1, None, finding="normal", probability=0.9)
    ill = a_slice(2, None, finding="pneumonia", probability=0.6, status="review")
    lateral = a_slice(3, None, finding=None, probability=None, status="rejected", reason="not_frontal")

    found = assess(films, [normal, ill, lateral], RULE, FINAL)

    assert (found.finding, found.probability, found.status, found.slices, found.slices_used) == ("pneumonia", 0.6, "review", 3, 2)


def test_a_series_of_rejected_images_says_why() -> None:
    rejected = [a_slice(n, None, status="rejected", reason="not_axial", finding=None, probability=None) for n in range(3)]

    found = assess(CT, rejected, RULE, FINAL)

    assert (found.finding, found.status, found.reason, found.slices_used) == (None, "rejected", "not_axial", 0)


def test_suspicion_puts_covid19_first_and_sure_normals_last() -> None:
    answers = [("normal", 0.9), (None, None), ("covid19", 0.6), ("normal", 0.5), ("covid19", 0.9), ("pneumonia", 0.7)]

    ordered = sorted(answers, key=lambda value: series_findings.suspicion(*value))

    assert ordered == [("covid19", 0.9), ("covid19", 0.6), ("pneumonia", 0.7), ("normal", 0.5), ("normal", 0.9), (None, None)]


def test_a_series_is_final_when_all_files_of_the_pacs_are_there() -> None:
    stages = [assess(replace(CT, announced=announced), a_stack(30), RULE, FINAL) for announced in (31, 30, 29)]

    assert [found.stage for found in stages] == [Stage.PROVISIONAL, Stage.FINAL, Stage.FINAL]
    assert [found.slices_expected for found in stages] == [31, 30, 29]


def test_the_pacs_counts_files_not_frames() -> None:
    frames = a_stack(30, file_id="one")

    found = assess(replace(CT, announced=1), frames, RULE, FINAL)

    assert (found.stage, found.slices_expected) == (Stage.FINAL, None)
    assert assess(replace(CT, announced=2), frames, RULE, FINAL).stage is Stage.PROVISIONAL
