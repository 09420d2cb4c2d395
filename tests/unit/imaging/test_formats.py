"""Formats are told by bytes."""

import pytest

from imaging.formats import Format, detect
from lungline.errors import UnreadableScan
from lungline.reasons import Reason
from tests.corpus.catalogue import good


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("named like a JPEG.jpg", Format.PNG),
        ("progressive.jpg", Format.JPEG),
        ("IM000001", Format.DICOM),
        ("no_preamble", Format.DICOM),
    ],
)
def test_the_name_does_not_matter(name: str, expected: Format) -> None:
    assert detect(good()[name]) is expected


def test_dicom_with_a_tiff_preamble_is_dicom() -> None:
    assert detect(b"II*\0" + good()["dx.dcm"][4:]) is Format.DICOM


@pytest.mark.parametrize("data", [b"BMI 31.2, weight 92 kg\n" * 9, b"PK", b"P5\tnot a picture", b"GIF", b"\x02\x00", b"a ftyp"])
def test_what_only_resembles_a_format_is_no_image(data: bytes) -> None:
    with pytest.raises(UnreadableScan) as error:
        detect(data)
    assert error.value.reason is Reason.NOT_AN_IMAGE


def test_the_detail_names_the_format() -> None:
    with pytest.raises(UnreadableScan) as error:
        detect(b"%PDF-1.7 secret")
    assert error.value.detail == "The bytes are a PDF document, which Lungline does not read."
