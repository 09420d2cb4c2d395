"""The objects that tell a study's result: of the right patient and study, marked as what they are, sound by the standard."""

import shutil
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydicom import Dataset, dcmread
from pydicom.uid import ComprehensiveSRStorage, ExplicitVRLittleEndian, SecondaryCaptureImageStorage
from sqlalchemy import text

from db.writer import Writer
from imaging.read import read
from lungline.errors import UnreadableScan
from lungline.layout import Store
from lungline.reasons import Reason
from pacs import evidence
from pacs.objects.build import build
from pacs.objects.order import Identity, ObjectOrder, identify
from tests.corpus.files import PLANTED
from tests.studies import MEMBER, STUDY_UID, enter_study

Make = Callable[..., Dataset]
IDENTITY = Identity("2.25.1", "2.25.2", 1, None)


def order(writer: Writer, store: Path, kind: str, identity: Identity = IDENTITY) -> ObjectOrder:
    """For the one study of a ledger."""
    with writer.engine.connect() as connection:
        row = connection.execute(text("SELECT id, study_id FROM study_assessments WHERE superseded_at IS NULL")).one()
        found = evidence.gather(connection, row.study_id, row.id)
    images = [image for series in found.series for image in series.images]
    return ObjectOrder(kind, found, {image.scan_id: str(Store(store).find(image.sha256, image.file_id)) for image in images}, identity)


@pytest.fixture
def make(writer: Writer, tmp_path: Path) -> Make:
    """Makes an object of a study whose originals have these tags."""

    def make(kind: str, identity: Identity = IDENTITY, **tags: Any) -> Dataset:
        writer.do(enter_study, tmp_path, **tags)
        return dcmread(BytesIO(build(order(writer, tmp_path, kind, identity))))

    return make


@pytest.mark.parametrize("kind", ["sc", "sr"])
def test_it_belongs_to_the_patient_and_study(make: Make, kind: str) -> None:
    made = make(kind)
    for keyword in ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber", "StudyID", "StudyDate", "ReferringPhysicianName"):
        assert str(made[keyword].value) == PLANTED[keyword], keyword
    assert made.StudyInstanceUID == STUDY_UID
    assert made.StudyDescription == PLANTED["StudyDescription"]
    assert made.SeriesInstanceUID == "2.25.1"
    assert made.SOPInstanceUID == made.file_meta.MediaStorageSOPInstanceUID == "2.25.2"
    assert made.SeriesNumber > 9000
    assert "research use only" in made.SeriesDescription
    assert made.ContributingEquipmentSequence[0].Manufacturer == "Lungline"
    assert made.file_meta.TransferSyntaxUID == ExplicitVRLittleEndian
    assert not [element for element in made.iterall() if element.tag.is_private]


def test_the_picture_says_what_it_is(make: Make) -> None:
    made = make("sc", Identity("2.25.1", "2.25.3", 2, "2.25.2"))
    assert made.SOPClassUID == SecondaryCaptureImageStorage
    assert list(made.ImageType) == ["DERIVED", "SECONDARY"]
    assert (made.BurnedInAnnotation, made.BodyPartExamined, made.Modality) == ("YES", "CHEST", "OT")
    assert list(made.PatientOrientation) == ["L", "P"]
    assert "ct-1" in made.DerivationDescription
    assert "2.25.2" in made.DerivationDescription
    assert {item.ReferencedSOPInstanceUID for item in made.SourceImageSequence} == {f"{STUDY_UID}.1.{number}" for number in (1, 2, 3, 4)}
    picture = made.pixel_array
    assert picture.shape == (1024, 1664, 3)
    assert np.ptp(picture[:, :1024]) == 255  # images
    assert np.ptp(picture[:, 1024:]) == 255  # text


def test_the_report_says_what_was_found_and_by_what(make: Make) -> None:
    made = make("sr", Identity("2.25.1", "2.25.3", 2, "2.25.2"))
    assert made.SOPClassUID == ComprehensiveSRStorage
    assert (made.CompletionFlag, made.VerificationFlag, made.PreliminaryFlag) == ("COMPLETE", "UNVERIFIED", "PRELIMINARY")
    said = {element.value for element in made.iterall() if element.keyword in ("TextValue", "CodeMeaning")}
    assert {"COVID-19", "Accepted", "Final", "ensemble ct-1", "rule r-1", f"member {MEMBER} v1"} <= said
    (referenced,) = made.CurrentRequestedProcedureEvidenceSequence
    assert {item.ReferencedSOPInstanceUID for item in referenced.ReferencedSeriesSequence[0].ReferencedSOPSequence} == {
        f"{STUDY_UID}.1.{number}" for number in (1, 2, 3, 4)
    }
    (former,) = made.PredecessorDocumentsSequence
    assert former.ReferencedSeriesSequence[0].ReferencedSOPSequence[0].ReferencedSOPInstanceUID == "2.25.2"


@pytest.mark.parametrize("kind", ["sc", "sr"])
@pytest.mark.parametrize(
    ("charset", "name"),
    [("ISO_IR 192", "Müller^Jürgen"), ("ISO_IR 100", "Müller^Jürgen"), (["", "ISO 2022 IR 87"], "Yamada^Tarou=山田^太郎=やまだ^たろう")],
)
def test_the_character_set_is_kept(make: Make, kind: str, charset: Any, name: str) -> None:
    made = make(kind, SpecificCharacterSet=charset, PatientName=name)
    assert made.SpecificCharacterSet == charset
    assert str(made.PatientName) == name


@pytest.mark.parametrize("kind", ["sc", "sr"])
def test_a_patient_of_whom_little_is_known_has_results_too(make: Make, kind: str) -> None:
    made = make(kind, **dict.fromkeys(["PatientName", "PatientBirthDate", "StudyDate", "AccessionNumber", "ReferringPhysicianName"], ""))
    assert str(made.PatientName) == ""
    assert made.StudyInstanceUID == STUDY_UID


@pytest.mark.parametrize("kind", ["sc", "sr"])
def test_malformed_dates_are_left_out_and_old_ones_rewritten(make: Make, kind: str) -> None:
    made = make(kind, PatientSex="secret", StudyDate="2020.03.16", StudyTime="10:11", PatientBirthDate="20200230")
    assert (made.PatientSex or "", made.PatientBirthDate or "", made.get("StudyTime") or "") == ("", "", "")
    assert made.StudyDate == "20200316"


@pytest.mark.parametrize("kind", ["sc", "sr"])
def test_identifiers_stay_and_texts_are_cut(make: Make, kind: str) -> None:
    identity = {"PatientID": "P" * 70, "AccessionNumber": "A" * 20, "StudyInstanceUID": "1.02.3"}
    made = make(kind, StudyDescription="D" * 80, PatientName="First^A\\Second^B", **identity)
    assert {keyword: str(made[keyword].value) for keyword in identity} == identity
    assert made.StudyDescription == "D" * 64
    assert str(made.PatientName) == "First^A"


def test_a_picture_that_comes_back_belongs_to_no_study(writer: Writer, tmp_path: Path) -> None:
    writer.do(enter_study, tmp_path)
    found = read(build(order(writer, tmp_path, "sc"))).facts
    assert found.rejection is Reason.OWN_RESULT
    assert (found.study_uid, found.series_uid) == (None, None)


def test_bytes_that_changed_are_not_reported_on(writer: Writer, tmp_path: Path) -> None:
    writer.do(enter_study, tmp_path)
    asked = order(writer, tmp_path, "sc")
    Path(next(iter(asked.paths.values()))).write_bytes(b"other")
    with pytest.raises(UnreadableScan) as refused:
        build(asked)
    assert refused.value.reason is Reason.TRUNCATED


def test_an_object_sent_twice_has_one_identity() -> None:
    asked = ("sc", "folder:/a", "study", "assessment", 2, "former")
    found = identify(*asked)
    assert found == identify(*asked)
    assert found.instance_uid != identify("sc", "folder:/b", *asked[2:]).instance_uid
    assert found.instance_uid != identify("sr", *asked[1:]).instance_uid
    assert found.former_uid == identify("sc", "folder:/a", "study", "former", 1, None).instance_uid
    assert len(found.instance_uid) <= 64


@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="no dciodvfy on this machine (Debian: apt install dicom3tools)")
@pytest.mark.parametrize("kind", ["sc", "sr"])
def test_the_standard_is_kept(make: Make, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "made.dcm"
    make(kind).save_as(path)
    said = subprocess.run(["dciodvfy", str(path)], capture_output=True, text=True, timeout=60).stderr
    assert [line for line in said.splitlines() if line.startswith("Error")] == []
