"""Facts come from good headers, and nothing worse than None from bad ones."""

from datetime import date
from io import BytesIO
from typing import Any

import numpy as np
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.uid import ImplicitVRLittleEndian, SecondaryCaptureImageStorage

from imaging.header import Facts, facts
from lungline.findings import Modality
from lungline.reasons import Reason
from tests.corpus.files import PLANTED, PLANTED_WORDS, dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

PIXELS = np.zeros((4, 4), np.uint16)


def read_facts(modality: str = "DX", **tags: Any) -> Facts:
    return facts(dcmread(BytesIO(dicom(PIXELS, modality, **tags)), force=True))


def with_raw(element: bytes, value: bytes, **tags: Any) -> Facts:
    """The facts after bytes were put in place of a text element's value, as no writer of DICOM would."""
    data = dicom(PIXELS, syntax=ImplicitVRLittleEndian, **tags)
    at = data.index(element) + 8
    return facts(dcmread(BytesIO(data[:at] + value + data[at + len(value) :]), force=True))


@pytest.mark.parametrize(
    ("code", "modality", "rejection"),
    [
        ("CR", Modality.XRAY, None),
        ("DX", Modality.XRAY, None),
        ("RG", Modality.XRAY, None),
        ("CT", Modality.CT, None),
        ("OT", None, None),
        ("SC", None, None),
        (None, None, None),
        ("dose", None, None),
        ("MR", None, Reason.NOT_CHEST),
        ("US", None, Reason.NOT_CHEST),
        ("MG", None, Reason.NOT_CHEST),
        ("XA", None, Reason.NOT_CHEST),
        ("RF", None, Reason.NOT_CHEST),
        ("PT", None, Reason.NOT_CHEST),
    ],
)
def test_modality(code: str | None, modality: Modality | None, rejection: Reason | None) -> None:
    found = read_facts(code or "DX", Modality=code)
    assert (found.modality, found.rejection) == (modality, rejection)


def test_screen_capture_has_no_hounsfield_units() -> None:
    assert read_facts("CT", SOPClassUID=SecondaryCaptureImageStorage).modality is None
    assert read_facts("CR", SOPClassUID=SecondaryCaptureImageStorage).modality is Modality.XRAY


@pytest.mark.parametrize(
    ("said", "view", "rejection"),
    [
        ("PA", "PA", None),
        ("ap", "AP", None),
        ("LL", "LL", Reason.NOT_FRONTAL),
        ("RL", "RL", Reason.NOT_FRONTAL),
        ("LAT", "LATERAL", Reason.NOT_FRONTAL),
        ("LATERAL", "LATERAL", Reason.NOT_FRONTAL),
        ("LEFT LATERAL", "LL", Reason.NOT_FRONTAL),
        ("LLD", "LLD", None),
        ("Plantagenet^Zebedee", None, None),
        (None, None, None),
    ],
)
def test_view(said: str | None, view: str | None, rejection: Reason | None) -> None:
    found = read_facts(ViewPosition=said)
    assert (found.view, found.rejection) == (view, rejection)


@pytest.mark.parametrize(("code", "view"), [("R-10236", "LL"), ("399067008", "LATERAL"), ("272479007", "PA"), ("T-1234", None)])
def test_view_codes_stand_in_for_a_missing_view_position(code: str, view: str | None) -> None:
    item = Dataset()
    item.CodeValue = code
    assert read_facts(ViewPosition=None, ViewCodeSequence=[item]).view == view


def test_a_ct_localizer_is_not_frontal() -> None:
    assert read_facts("CT", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]).rejection is Reason.NOT_FRONTAL
    assert read_facts("CT", ImageType="LOCALIZER").rejection is Reason.NOT_FRONTAL
    assert read_facts("CT", ImageType=None).rejection is None


@pytest.mark.parametrize(
    ("age", "band"),
    [
        *(("000Y", "0-9"), ("045Y", "40-49"), ("089Y", "80-89"), ("090Y", "90+"), ("130Y", "90+"), ("011M", "0-9"), ("130M", "10-19")),
        *(("006W", "0-9"), ("51", "50-59"), ("045y", "40-49"), ("999Y", None), ("-12Y", None), ("45 years", None), ("ABCD", None)),
    ],
)
def test_age_band(age: str, band: str | None) -> None:
    assert read_facts(PatientAge=age, PatientBirthDate=None).patient_age_band == band


@pytest.mark.parametrize(
    ("born", "seen", "band"),
    [
        ("19500601", "20200531", "60-69"),
        ("19500601", "20200601", "70-79"),
        ("2020", "20200601", None),
        ("20210101", "20200101", None),
        ("XXXXXXXX", "20200101", None),
        (None, "20200101", None),
    ],
)
def test_age_from_birth_to_study(born: str | None, seen: str, band: str | None) -> None:
    assert read_facts(PatientAge=None, PatientBirthDate=born, StudyDate=seen).patient_age_band == band


@pytest.mark.parametrize(("sex", "expected"), [("F", "F"), ("M", "M"), ("O", "O"), ("female", None), ("", None), (None, None)])
def test_sex(sex: str | None, expected: str | None) -> None:
    assert read_facts(PatientSex=sex).patient_sex == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("GE MEDICAL  SYSTEMS ", "GE MEDICAL SYSTEMS"),
        ("DigitalDiagnost 4 (C90)", "DigitalDiagnost 4 (C90)"),
        ("Plantagenet^Zebedee", None),
        ("Scanner 20200316", None),
        ("line\nbreak", "line break"),
        ("\x1b[31mred", None),
        ("=cmd|' /C calc'!A0", None),
        ("東芝", None),
        ("x" * 65, None),
    ],
)
def test_device_names_are_of_a_safe_shape(said: str, expected: str | None) -> None:
    found = read_facts(Manufacturer=said, ManufacturerModelName=said)
    assert (found.manufacturer, found.device_model) == (expected, expected)


def test_identifiers_are_told_but_never_printed() -> None:
    found = read_facts()
    assert found.patient_id == PLANTED["PatientID"]
    assert found.study_uid is not None
    assert found.series_uid is not None
    assert found.instance_uid is not None
    assert found.study_uid not in repr(found)
    assert not [word for word in PLANTED_WORDS if word in repr(found)]


def test_an_empty_header_tells_nothing() -> None:
    assert facts(Dataset()) == Facts()


def test_an_unknown_character_set_harms_nothing() -> None:
    found = read_facts(SpecificCharacterSet="ISO 2022 NONSENSE", PatientID="MÜ-1")
    assert found.patient_sex == "F"
    assert found.modality is Modality.XRAY


def test_bytes_outside_their_character_set_do_no_harm() -> None:
    found = with_raw(b"\x10\x00\x20\x00", b"\xff\xfe\xff", PatientSex="M")
    assert found.patient_id is not None
    assert found.patient_sex == "M"


def test_malformed_dates_and_numbers_harm_nothing() -> None:
    found = with_raw(b"\x10\x00\x30\x00", b"2020-1-1", PatientAge=None)
    assert found.patient_age_band is None
    assert found.view == "PA"
    assert read_facts(PatientAge=None, PatientBirthDate=date(1980, 1, 1)).patient_age_band == "40-49"
