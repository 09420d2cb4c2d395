"""What a reader makes of a file: prepared for the networks as it should lie, with the doubt beside it."""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from imaging.phantoms import phantom, picture
from imaging.read import Image
from imaging.read import read as decode
from lungline.findings import Modality
from lungline.reasons import Reason
from tests.corpus.files import dicom, png
from workers import reading
from workers.reading import Reading, read_scan

FILM = picture("xray", 7)
ALL: dict[Modality, Sequence[str]] = {Modality.XRAY: ["gray-224"], Modality.CT: ["lung-224"]}


def read(folder: Path, data: bytes, hint: str | None = None) -> Reading:
    path = folder / "scan"
    path.write_bytes(data)
    return read_scan(str(path), hashlib.sha256(data).hexdigest(), 1, ["gray-128"], ALL, hint)


@pytest.mark.parametrize("hint", [None, "xray"])
@pytest.mark.parametrize(
    ("wrong", "doubt"),
    [
        (255 - FILM, Reason.POLARITY_IN_DOUBT),
        (np.rot90(FILM), Reason.NOT_UPRIGHT),
        (np.rot90(255 - FILM, 2), Reason.POLARITY_IN_DOUBT),
    ],
)
def test_a_film_that_lies_wrong_is_prepared_as_it_should_lie(
    tmp_path: Path, wrong: npt.NDArray[np.uint8], doubt: Reason, hint: str | None
) -> None:
    right, found = read(tmp_path, png(FILM), hint), read(tmp_path, png(np.ascontiguousarray(wrong)), hint)
    assert (right.facts.review, found.facts.review) == (None, doubt)
    assert found.inputs.keys() == right.inputs.keys()
    for name, prepared in found.inputs.items():
        np.testing.assert_allclose(prepared, right.inputs[name], atol=1e-5)


def test_film_with_the_wrong_polarity_in_its_header_is_doubted(tmp_path: Path) -> None:
    stored = phantom("xray", 7)
    right = read(tmp_path, dicom(stored, "DX"))
    wrong = read(tmp_path, dicom(stored, "DX", PhotometricInterpretation="MONOCHROME1"))
    assert (right.facts.review, wrong.facts.review) == (None, Reason.POLARITY_IN_DOUBT)


def test_a_slice_that_is_a_negative_is_prepared_as_it_should_be(tmp_path: Path) -> None:
    image = picture("ct", 7)
    right, found = read(tmp_path, png(image)), read(tmp_path, png(255 - image))
    assert (right.facts.review, found.facts.review) == (None, Reason.POLARITY_IN_DOUBT)
    np.testing.assert_allclose(found.inputs["lung-224"], right.inputs["lung-224"], atol=1e-5)


def test_the_headers_own_doubt_goes_before_the_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def doubted(data: bytes, frame: int) -> Image:
        image = decode(data, frame)
        return replace(image, facts=replace(image.facts, review=Reason.BODY_PART_IN_DOUBT))

    monkeypatch.setattr(reading, "read", doubted)
    assert read(tmp_path, png(255 - FILM)).facts.review is Reason.BODY_PART_IN_DOUBT
