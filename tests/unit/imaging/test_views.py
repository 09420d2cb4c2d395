"""Lateral films are known by any header that says so, and frontal ones are left alone."""

from typing import Any

import pytest
from pydicom.uid import SecondaryCaptureImageStorage

from imaging.header import facts
from lungline.reasons import Reason
from tests.unit.imaging.headers import code, header

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

NOT_FRONTAL, IN_DOUBT = Reason.NOT_FRONTAL, Reason.VIEW_IN_DOUBT


def judge_view(modality: str = "DX", **tags: Any) -> tuple[str | None, Reason | None, Reason | None]:
    found = facts(header(modality, **({"ViewPosition": None} | tags)))
    return found.view, found.rejection, found.review


@pytest.mark.parametrize("modality", ["CR", "DX", "RG"])
@pytest.mark.parametrize("orientation", [["A", "F"], ["P", "F"], ["AF", "FP"], ["PL", "F"], ["A"], ["A", "H"], ["F", "A"], ["a", "f"]])
def test_rows_from_front_to_back_are_a_lateral(modality: str, orientation: list[str]) -> None:
    view, rejection, _ = judge_view(modality, PatientOrientation=orientation)
    assert (view, rejection) == ("LATERAL", NOT_FRONTAL)


@pytest.mark.parametrize(
    "orientation", [["L", "F"], ["R", "F"], ["LA", "FP"], ["RP", "FA"], ["L"], [], ["", ""], ["X", "F"], ["L", "F", "A"]]
)
def test_frontal_and_silent_orientations_are_no_lateral(orientation: list[str]) -> None:
    assert judge_view(PatientOrientation=orientation) == (None, None, None)


@pytest.mark.parametrize("empty", [None, "", "Plantagenet^Zebedee"])
def test_orientation_decides_where_view_position_is_empty(empty: str | None) -> None:
    assert judge_view(ViewPosition=empty, PatientOrientation=["P", "F"])[:2] == ("LATERAL", NOT_FRONTAL)


def test_view_position_wins_and_contradictions_go_to_review() -> None:
    frontal, lateral = [code("272479007")], [code("399067008")]
    assert judge_view(ViewPosition="PA", ViewCodeSequence=lateral, PatientOrientation=["L", "F"]) == ("PA", None, None)
    assert judge_view(ViewCodeSequence=frontal, PatientOrientation=["A", "F"]) == ("PA", None, IN_DOUBT)
    assert judge_view(ViewPosition="LL", PatientOrientation=["L", "F"])[:2] == ("LL", NOT_FRONTAL)


@pytest.mark.parametrize(
    ("value", "scheme", "view"),
    [
        *(("399067008", "SCT", "LATERAL"), ("R-102CD", "SRT", "LATERAL"), ("399173006", "SCT", "LL"), ("R-10232", "SNM3", "RL")),
        *(("399352003", "SCT", "LATERAL"), ("R-10228", "99SDM", "LATERAL"), ("399135007", "SCT", "LAO"), ("R-102C1", "SRT", "OBLIQUE")),
    ],
)
def test_view_codes_of_films_that_are_not_frontal(value: str, scheme: str, view: str) -> None:
    assert judge_view(ViewCodeSequence=[code(value, scheme)])[:2] == (view, NOT_FRONTAL)


@pytest.mark.parametrize("view", ["LAO", "RPO", "LLO", "Oblique", "LATERAL LEFT", "LT LAT"])
def test_oblique_and_lateral_view_positions(view: str) -> None:
    assert judge_view(ViewPosition=view)[1] is NOT_FRONTAL


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"SeriesDescription": "Thorax lat."}, IN_DOUBT),
        ({"ProtocolName": "W Chest LATERAL"}, IN_DOUBT),
        ({"AcquisitionDeviceProcessingDescription": "CHEST,LAT"}, IN_DOUBT),
        ({"SeriesDescription": "CHEST LAT", "ViewPosition": "PA"}, IN_DOUBT),
        ({"ViewPosition": "CHEST LAT UPR"}, IN_DOUBT),
        ({"ViewPosition": "LATERAL DECUBIT."}, IN_DOUBT),
        ({"ViewPosition": "AP SUPINE"}, None),
        ({"SeriesDescription": "Chest PA and lateral"}, None),
        ({"SeriesDescription": "view: PA"}, None),
        ({"SeriesDescription": "Bilateral chest"}, None),
        ({"StudyDescription": "XR CHEST 2 VIEWS LATERAL"}, None),
    ],
)
def test_free_text_never_rejects(tags: dict[str, Any], expected: Reason | None) -> None:
    assert judge_view(**tags)[1:] == (None, expected)


@pytest.mark.parametrize(
    "tags",
    [{"ViewPosition": "LLD"}, {"SeriesDescription": "Decubitus"}, {"PatientOrientation": ["F", "R"]}, {"PatientOrientation": ["L", "H"]}],
)
def test_films_that_do_not_stand_upright_are_looked_at(tags: dict[str, Any]) -> None:
    assert judge_view(**tags)[1:] == (None, IN_DOUBT)


def test_a_capture_is_judged_by_what_it_says_of_the_view() -> None:
    assert judge_view("OT", SOPClassUID=SecondaryCaptureImageStorage, PatientOrientation=["A", "F"])[1] is NOT_FRONTAL
    assert judge_view("OT", SOPClassUID=SecondaryCaptureImageStorage, PatientOrientation=["L", "P"]) == (None, None, None)
    assert judge_view("CT", PatientOrientation=["L", "P"])[:2] == (None, None)


def test_animals_have_directions_of_their_own() -> None:
    assert judge_view(PatientOrientation=["A", "F"], AnatomicalOrientationType="QUADRUPED")[:2] == (None, None)
