"""The whole room: every good file of the corpus is read, every bad one named, and damage never raises anything else."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset
from pydicom.uid import DeflatedExplicitVRLittleEndian, ExplicitVRBigEndian, JPEGBaseline8Bit, RLELossless

from imaging import dicom as dicom_reader
from imaging.header import Facts
from imaging.isolate import ReaderPool
from imaging.phantoms import phantom, picture
from imaging.read import read
from lungline.errors import UnreadableScan
from lungline.reasons import Reason
from tests.corpus import compressed
from tests.corpus.catalogue import bad, good
from tests.corpus.files import PLANTED_WORDS, cmyk_jpeg, dicom, jpeg, png

ROOT = Path(__file__).parents[3]
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")


@pytest.mark.parametrize("name", good())
def test_good_files_are_read(name: str) -> None:
    image = read(good()[name])
    assert image.pixels.dtype == np.float32
    assert image.pixels.shape == (image.rows, image.columns) == (256, 256)
    assert image.pixels.flags.c_contiguous
    assert 0 <= image.pixels.min() < 0.3
    assert 0.8 < image.pixels.max() <= 1
    assert image.frames == (3 if name == "multiframe.dcm" else 1)


@pytest.mark.parametrize("name", bad())
def test_bad_files_are_named(name: str) -> None:
    data, expected = bad()[name]
    with pytest.raises(UnreadableScan) as error:
        read(data)
    assert error.value.reason is expected
    assert not [word for word in PLANTED_WORDS if word in error.value.detail]


def test_the_corpus_has_no_file_twice() -> None:
    every = [*good().values(), *good(1).values(), *(data for data, _ in bad().values())]
    assert len(set(every)) == len(every)


def test_pictures_tell_nothing_of_a_patient() -> None:
    assert read(good()["gray.png"]).facts == Facts()


def test_a_second_frame_of_a_picture_is_not_there() -> None:
    with pytest.raises(UnreadableScan) as error:
        read(good()["gray.png"], frame=2)
    assert error.value.reason is Reason.NO_PIXELS


@pytest.mark.parametrize(("raised", "expected"), [(MemoryError(), Reason.TOO_LARGE), (RecursionError("John Doe"), Reason.NOT_AN_IMAGE)])
def test_what_libraries_raise_is_put_into_our_words(monkeypatch: pytest.MonkeyPatch, raised: Exception, expected: Reason) -> None:
    def fail(data: bytes, frame: int) -> None:
        raise raised

    monkeypatch.setattr(dicom_reader, "decode", fail)
    with pytest.raises(UnreadableScan) as error:
        read(good()["dx.dcm"])
    assert error.value.reason is expected
    assert error.value.detail == expected.sentence
    assert error.value.__suppress_context__


def lookup_table() -> Dataset:
    item = Dataset()
    item.LUTDescriptor, item.LUTData = [4096, 0, 12], np.arange(4096).astype(">u2").tobytes()
    item["LUTData"].VR = "OW"
    return item


def rescaled() -> Dataset:
    macro, item = Dataset(), Dataset()
    macro.RescaleSlope, macro.RescaleIntercept = 1, -1024
    item.PixelValueTransformationSequence = [macro]
    return item


def palette() -> dict[str, Any]:
    tags: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR"}
    for colour in ("Red", "Green", "Blue"):
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [256, 0, 8]
        tags[f"{colour}PaletteColorLookupTableData"] = bytes(range(256))
    return tags


SMALL = (
    png(picture("xray", 1, side=32)),
    jpeg(picture("xray", 2, side=32)),
    cmyk_jpeg(np.dstack([picture("xray", 3, side=32)] * 4)),
    dicom(phantom("ct", 4, side=32), "CT", PixelPaddingValue=0),
    dicom(phantom("xray", 5, side=32), "DX", has_preamble=False, WindowCenter=2000, WindowWidth=1000),
    dicom(phantom("xray", 6, side=32), "DX", syntax=RLELossless),
    dicom(np.dstack([picture("xray", 7, side=32)] * 3), "OT", syntax=JPEGBaseline8Bit),
    *(dicom(phantom("xray", 8, side=32), "DX", syntax=syntax) for syntax in compressed.SYNTAXES if syntax != JPEGBaseline8Bit),
    dicom(phantom("ct", 9, side=32), "CT", syntax=DeflatedExplicitVRLittleEndian),
    dicom(phantom("xray", 10, side=32), "DX", syntax=ExplicitVRBigEndian, VOILUTSequence=[lookup_table()]),
    dicom(np.stack([phantom("ct", 11, side=32)] * 2), "CT", PerFrameFunctionalGroupsSequence=[rescaled(), rescaled()]),
    dicom(picture("xray", 12, side=32), "OT", **palette()),
)
FUZZ_SECONDS = float(os.environ.get("LUNGLINE_TEST_FUZZ_SECONDS", "60" if os.environ.get("CI") else "15"))
EXAMPLES_A_SECOND = 150  # on one busy core


@pytest.mark.parametrize("place", range(len(SMALL)))
def test_what_is_to_be_mutated_can_be_read(place: int) -> None:
    assert read(SMALL[place]).pixels.shape == (32, 32)


@pytest.fixture(scope="module")
def pool() -> Iterator[ReaderPool]:
    """A codec that meets damage may take its process with it; the test's own must not be that."""
    shared = ReaderPool("imaging.read:read", 1, timeout=20, memory_bytes=2**30)
    yield shared
    shared.close()


@pytest.mark.timeout(60 + 10 * FUZZ_SECONDS)
@settings(max_examples=max(1, round(FUZZ_SECONDS * EXAMPLES_A_SECOND)), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.sampled_from(SMALL), st.data())
def test_mutated_files_are_read_or_named(pool: ReaderPool, whole: bytes, data: st.DataObject) -> None:
    mutated = bytearray(whole)
    # Headers are where it hurts: the file's, and the compressed frame's.
    pixels = max(0, whole.find(b"\xe0\x7f\x10\0"))
    ranges = ((0, len(whole)), (0, min(len(whole), 1200)), (pixels, min(len(whole), pixels + 200)))
    places = st.one_of(*(st.integers(first, end - 1) for first, end in ranges))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(places)
        mutated[at : at + data.draw(st.integers(0, 4))] = data.draw(st.binary(max_size=4))
    try:
        image = pool.run(bytes(mutated))
    except UnreadableScan:
        return
    assert image.pixels.dtype == np.float32
    assert np.isfinite(image.pixels).all()
    assert image.pixels.min() >= 0
    assert image.pixels.max() <= 1


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff\xe0", bytes(128) + b"DICM", b"\x08\0\x05\0CS"]), st.binary(max_size=400))
def test_garbage_behind_any_beginning_is_named(beginning: bytes, rest: bytes) -> None:
    with pytest.raises(UnreadableScan):
        read(beginning + rest)


def test_codecs_are_loaded_for_dicom_alone() -> None:
    """An owner of readers imports this room too, and needs none of them."""
    script = "import sys, imaging.read, imaging.isolate; print(*({'pydicom', 'gdcm', 'openjpeg', 'jpeg_ls'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True, timeout=60).stdout == "\n"
