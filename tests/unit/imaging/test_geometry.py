"""The plane of a slice, of tilted, turned, badly written and missing orientations."""

import math
from itertools import permutations, product
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from imaging.geometry import Plane, of_cosines, plane
from tests.unit.imaging.headers import AXIAL, CORONAL, SAGITTAL, frames, header, item

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

ALONG = (Plane.SAGITTAL, Plane.CORONAL, Plane.AXIAL)


def tilted(degrees: float) -> list[float]:
    """Rows to the left; columns to the back, turned about the rows as a gantry is."""
    angle = math.radians(degrees)
    return [1, 0, 0, 0, math.cos(angle), -math.sin(angle)]


def test_patients_may_lie_in_any_of_the_24_ways_along_the_axes() -> None:
    axes = np.eye(3)
    for rows, columns in permutations(range(3), 2):
        for signs in product((1, -1), repeat=2):
            cosines = [*(signs[0] * axes[rows]), *(signs[1] * axes[columns])]
            assert of_cosines(cosines) is ALONG[3 - rows - columns]


@pytest.mark.parametrize(
    ("degrees", "expected"),
    [(0, "axial"), (22, "axial"), (-25, "axial"), (27, "oblique"), (45, "oblique"), (63, "oblique"), (66, "coronal"), (90, "coronal")],
)
def test_a_gantry_tilts_by_25_degrees_at_most(degrees: float, expected: str) -> None:
    assert of_cosines([round(value, 4) for value in tilted(degrees)]) == expected


@given(st.lists(st.floats(-1, 1), min_size=6, max_size=6), st.floats(0.01, 100), st.floats(0.01, 100))
def test_the_lengths_of_the_vectors_do_not_matter(cosines: list[float], first: float, second: float) -> None:
    rows, columns = np.array(cosines[:3]), np.array(cosines[3:])
    assume(min(np.linalg.norm(rows), np.linalg.norm(columns)) > 0.3)
    columns = columns - rows * (rows @ columns) / (rows @ rows)
    assume(np.linalg.norm(columns) > 0.3)
    normal = np.abs(np.cross(rows, columns)) / np.linalg.norm(np.cross(rows, columns))
    assume(abs(normal.max() - math.cos(math.radians(25))) > 1e-3)
    assert of_cosines([*rows, *columns]) is of_cosines([*(rows * first), *(columns * second)])


@pytest.mark.parametrize(
    "written",
    [None, "", [1, 0, 0], [0, 0, 0, 0, 0, 0], [1, 0, 0, 0, 0, 0], [1, 0, 0, 1, 0, 0], [1, 0, 0, 0.7, 0.7, 0], [*AXIAL, 0]],
)
def test_an_orientation_that_cannot_be_is_unknown(written: Any) -> None:
    assert plane(header("CT", ImageOrientationPatient=written)) is Plane.UNKNOWN


def test_text_for_numbers_is_unknown() -> None:
    assert of_cosines([]) is Plane.UNKNOWN
    dataset = header("CT", ImageOrientationPatient=AXIAL)
    dataset.add_new(0x00200037, "LO", ["A", "B", "C", "D", "E", "F"])
    assert plane(dataset) is Plane.UNKNOWN


def test_each_frame_has_its_own_plane_or_the_shared_one() -> None:
    macros = [{"PlaneOrientationSequence": item(ImageOrientationPatient=value)} for value in (AXIAL, CORONAL)]
    dataset = header(
        "CT",
        PerFrameFunctionalGroupsSequence=frames(*macros, {}),
        SharedFunctionalGroupsSequence=frames({"PlaneOrientationSequence": item(ImageOrientationPatient=SAGITTAL)}),
    )
    assert [plane(dataset, frame) for frame in (1, 2, 3)] == ["axial", "coronal", "sagittal"]
