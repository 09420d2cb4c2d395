"""A header that names another part of the body makes a scan one for review; unknown words and the chest change nothing."""

from typing import Any

import pytest

from imaging.body_part import BodyPart, body_part
from imaging.header import facts
from lungline.reasons import Reason
from tests.unit.imaging.headers import code, frames, header, item

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


@pytest.mark.parametrize("modality", ["CR", "DX", "RG", "CT", "OT"])
@pytest.mark.parametrize(
    "part", ["KNEE", "ABDOMEN", "SKULL", "Knee R", "C-SPINE", "TSPINE", "LOWER LEG", "ABDOMEN_PELVIS", "Thoracic Spine"]
)
def test_another_part_of_the_body_is_in_doubt(modality: str, part: str) -> None:
    found = facts(header(modality, BodyPartExamined=part))
    assert (found.rejection, found.review) == (None, Reason.BODY_PART_IN_DOUBT)


@pytest.mark.parametrize(
    "part",
    [
        *(
            "CHEST",
            "Thorax",
            "LUNG",
            "LUNGS",
            "RIB",
            "RIBCAGE",
            "WHOLEBODY",
            "CHESTABDOMEN",
            "CHESTABDPELVIS",
            "NECKCHEST",
            "NECKCHESTABDPELV",
        ),
        *("HEART", "MEDIASTINUM", "CHEST ABDOMEN", "HEADNECKCHEST", "TORAX", "TRUNK", "CHEST_TO_PELVIS", "Chest & Abdomen"),
        *("", None, "ROUTINE", "Plantagenet", "UNKNOWN", "ORTHO", "STERNUM"),
    ],
)
@pytest.mark.parametrize("modality", ["DX", "CT"])
def test_the_chest_what_includes_it_and_unknown_words_are_not(modality: str, part: str | None) -> None:
    assert facts(header(modality, BodyPartExamined=part)).review is None


@pytest.mark.parametrize(
    ("value", "scheme", "expected"),
    [
        *(("72696002", "SCT", "other"), ("T-D9200", "SRT", "other"), ("T-D4000", "SRT", "other"), ("818981001", "SCT", "other")),
        *(("816094009", "SCT", "chest"), ("T-D3000", "SNM3", "chest"), ("416775004", "SCT", "chest"), ("999", "99LOCAL", None)),
    ],
)
def test_anatomic_region_codes(value: str, scheme: str, expected: BodyPart | None) -> None:
    assert body_part(header("CT", AnatomicRegionSequence=[code(value, scheme)])) == expected


def test_the_chest_counts_where_two_say_different_things() -> None:
    tags: dict[str, Any] = {"BodyPartExamined": "ABDOMEN", "AnatomicRegionSequence": [code("816094009")]}
    assert body_part(header("CT", **tags)) is BodyPart.CHEST
    assert body_part(header("CT", BodyPartExamined="CHEST", AnatomicRegionSequence=[code("818981001")])) is BodyPart.CHEST


def test_each_frame_has_its_own_anatomy() -> None:
    macros = [{"FrameAnatomySequence": item(AnatomicRegionSequence=[code(value)])} for value in ("816094009", "69536005")]
    dataset = header("CT", PerFrameFunctionalGroupsSequence=frames(*macros))
    assert [body_part(dataset, frame) for frame in (1, 2)] == ["chest", "other"]
