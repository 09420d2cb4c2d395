"""From readings to verdicts, with the shipped networks."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom.uid import MultiFrameGrayscaleByteSecondaryCaptureImageStorage

from imaging.header import Facts
from imaging.phantoms import phantom, picture
from lungline.findings import Modality, Status
from lungline.reasons import Reason
from models import registry
from models.files import ADMISSION
from models.preprocess import prepare
from models.runtimes.choice import RuntimeChoice
from tests.corpus.files import dicom
from workers.judge import Judge
from workers.reading import Reading, read_scan


@pytest.fixture
def judge(runtime_choice: RuntimeChoice) -> Judge:
    parts = {name.value: registry.load_ensemble(files, runtime_choice) for name, files in registry.shipped().items()}
    return Judge({**parts, ADMISSION: registry.load_admission(registry.shipped_admission(), runtime_choice)})


def read_film(judge: Judge) -> Reading:
    pixels = (picture("xray") / 255).astype(np.float32)
    names = [*judge.always, *judge.by_modality[Modality.XRAY]]
    return Reading(Facts(modality=Modality.XRAY), 1, pixels.shape[0], pixels.shape[1], {name: prepare(name, pixels) for name in names})


def test_a_capture_of_a_ct_is_read_as_a_slice_or_turned_away(judge: Judge) -> None:
    film = read_film(judge)
    captured = replace(film, facts=Facts(captured=Modality.CT))
    pixels = (picture("ct") / 255).astype(np.float32)
    names = [*judge.always, *judge.by_modality[Modality.CT]]
    shown = replace(captured, inputs={name: prepare(name, pixels) for name in names})

    (of_neither, of_a_film), (modality, of_a_slice) = judge.judge([(captured, Modality.XRAY), (shown, Modality.XRAY)])

    assert (of_neither, of_a_film.status, of_a_film.reason) == (None, Status.REJECTED, Reason.NOT_CHEST)
    assert modality is Modality.CT
    assert of_a_slice.status is not Status.REJECTED


def test_a_reason_for_review_stands_beside_the_finding(judge: Judge) -> None:
    plain = read_film(judge)
    doubted = replace(plain, facts=replace(plain.facts, review=Reason.POLARITY_IN_DOUBT))

    (_, before), (_, after) = judge.judge([(plain, None), (doubted, None)])

    assert before.reason is None
    assert (after.status, after.reason) == (Status.REVIEW, Reason.POLARITY_IN_DOUBT)
    assert after.finding == before.finding is not None


def test_headers_lead_to_their_status_and_reason(judge: Judge, tmp_path: Path) -> None:
    coronal = [1, 0, 0, 0, 0, -1]
    capture: dict[str, Any] = {"SOPClassUID": MultiFrameGrayscaleByteSecondaryCaptureImageStorage, "RescaleIntercept": 0}
    cases: list[tuple[bytes, Modality | None, str | None]] = [
        *(
            (dicom(phantom("ct", seed), "CT", **tags), Modality.CT, reason)
            for seed, (tags, reason) in enumerate[tuple[dict[str, Any], str | None]](
                [
                    ({}, None),
                    ({"ImageOrientationPatient": coronal}, "not_axial"),
                    ({"ImageType": ["ORIGINAL", "PRIMARY", "SCOUT"]}, "not_frontal"),
                    ({"ImageType": ["DERIVED", "SECONDARY", "SCREEN SAVE"]}, "not_chest"),
                    ({"RescaleType": "Z_EFF"}, "not_hounsfield"),
                    ({"ImageType": ["DERIVED", "SECONDARY", "AXIAL", "MIP"]}, "projection"),
                    ({"BodyPartExamined": "ABDOMEN"}, "body_part_in_doubt"),
                ]
            )
        ),
        (dicom(picture("ct"), "CT", **capture), Modality.CT, None),
        (dicom(phantom("xray"), "DX", ViewPosition=None, PatientOrientation=["P", "F"]), Modality.XRAY, "not_frontal"),
        (dicom(phantom("xray"), "DX", ViewPosition=None, SeriesDescription="Chest lat"), Modality.XRAY, "view_in_doubt"),
        (dicom(phantom("xray"), "DX", BodyPartExamined="KNEE"), Modality.XRAY, "body_part_in_doubt"),
    ]
    by_modality: dict[Modality, Sequence[str]] = dict(judge.by_modality)
    path = tmp_path / "scan"
    batch = []
    for data, _, _ in cases:
        path.write_bytes(data)
        batch.append((read_scan(str(path), hashlib.sha256(data).hexdigest(), 1, judge.always, by_modality, None), None))

    found = judge.judge(batch)

    assert [(modality, verdict.reason) for modality, verdict in found] == [(modality, reason) for _, modality, reason in cases]
    statuses = {reason: Status.REJECTED if reason and reason.startswith("not_") else Status.REVIEW for _, _, reason in cases if reason}
    assert {verdict.reason: verdict.status for _, verdict in found if verdict.reason} == statuses
    assert all(verdict.finding is None or verdict.status is not Status.REJECTED for _, verdict in found)
