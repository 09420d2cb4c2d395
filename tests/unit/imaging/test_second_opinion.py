"""What is displayed, against dcmtk for DICOM and TensorFlow for pictures: pydicom's own files, every quirk, and real ones."""

from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pydicom
import pytest
from pydicom import dcmread
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.uid import ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEGLosslessSV1, JPEGLSLossless

from imaging.phantoms import phantom, picture
from imaging.read import read
from lungline.errors import UnreadableScan
from lungline.reasons import Reason
from tests.corpus import compressed
from tests.corpus.files import dicom
from tests.unit.imaging.dcmtk import GRAY_LEVEL, assert_as_dcmtk, assert_shown_alike, needs_dcmtk

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

DATA = Path(pydicom.__file__).parent / "data"
ORIGINALS = Path(__file__).parents[4] / "shared" / "data" / "originals"
DEEP, FILM = phantom("xray", 41, side=64), picture("xray", 41, side=64)
RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)
# 32 bits in words of 16, big endian: dcmtk takes the halves for swapped, pydicom and Lungline do not. Doses, not images.
DOSES = ("rtdose_expb.dcm", "rtdose_expb_1frame.dcm", "badVR.dcm")
NO_IMAGES = {"crayons.icc", "README", "no_meta.dcm", "rtplan.dump", "rtstruct.dump", "meta_missing_tsyntax.dcm", "nested_priv_SQ.dcm"}
BROKEN = {"JPEG2000-embedded-sequence-delimiter.dcm"}


@cache
def bundled() -> dict[str, Path]:
    """What lies in pydicom's package: images and other objects, whole and broken."""
    kinds = {".py", ".pyc", ".json", ".txt", ".md", ".csv", ".xml"}
    return {path.name: path for path in sorted(DATA.rglob("*")) if path.is_file() and path.suffix not in kinds}


def test_each_of_pydicoms_files_is_read_or_named() -> None:
    """Nothing but a reason, and the reason that fits."""
    named: dict[str, Reason] = {}
    for name, path in bundled().items():
        try:
            assert np.isfinite(read(path.read_bytes()).pixels).all()
        except UnreadableScan as error:
            named[name] = error.reason
    assert {name for name, reason in named.items() if reason is Reason.NOT_AN_IMAGE} == (NO_IMAGES | BROKEN) & set(bundled())
    assert {name for name, reason in named.items() if reason is Reason.TRUNCATED} == {"MR_truncated.dcm", "rtplan_truncated.dcm"}
    assert named["DICOMDIR"] is Reason.NO_PIXELS
    assert len(bundled()) - len(named) > 80


def uncompressed() -> list[str]:
    found = []
    for name, path in bundled().items():
        header = dcmread(path, force=True, stop_before_pixels=True)
        syntax = header.file_meta.get("TransferSyntaxUID")
        is_image = "Rows" in header and "PixelData" in dcmread(path, force=True)
        if syntax and not syntax.is_encapsulated and is_image and name not in {*DOSES, "MR_truncated.dcm"}:
            found.append(name)
    return found


@needs_dcmtk
@pytest.mark.parametrize("name", uncompressed())
def test_dcmtk_shows_pydicoms_uncompressed_files_alike(name: str, tmp_path: Path) -> None:
    assert_as_dcmtk(dcmread(bundled()[name], force=True), tmp_path)


def table(first: int, bits: int, entries: npt.NDArray[Any], vr: str = "OW") -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 2**16, first, bits]
    item.add_new(0x00283006, vr, entries.astype("<u2").tobytes() if vr == "OW" else entries.tolist())
    return item


def palette(count: int, bits: int) -> dict[str, Any]:
    """A palette that goes from blue over green to red."""
    top = 2**bits - 1
    levels = np.linspace(0, top, count).astype(np.uint16)
    tags: dict[str, Any] = {"PhotometricInterpretation": "PALETTE COLOR", "RescaleSlope": None, "RescaleIntercept": None}
    for colour, entries in {"Red": levels, "Green": np.abs(2 * levels.astype(int) - top).astype(np.uint16), "Blue": levels[::-1]}.items():
        tags[f"{colour}PaletteColorLookupTableDescriptor"] = [count % 2**16, 0, bits]
        tags[f"{colour}PaletteColorLookupTableData"] = entries.astype("<u2" if bits > 8 else "u1").tobytes()
    return tags


COLOUR = np.dstack([FILM, 255 - FILM, FILM // 2])
SIGNED = (RAMP.astype(np.int32) - 2048).astype(np.int16)
WINDOW: dict[str, Any] = {"WindowCenter": 1800, "WindowWidth": 2500}
CURVE = (np.linspace(0, 1, 4096) ** 2 * 4095).astype(np.uint16)
# name -> (pixels, tags, options of dcm2pnm for what the tags mean)
QUIRKS: dict[str, tuple[npt.NDArray[Any], dict[str, Any], tuple[str, ...]]] = {
    "window": (DEEP, WINDOW, ()),
    "MONOCHROME1": (DEEP, WINDOW | {"PhotometricInterpretation": "MONOCHROME1"}, ()),
    "MONOCHROME1, IDENTITY": (DEEP, WINDOW | {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "IDENTITY"}, ()),
    "MONOCHROME1, INVERSE": (DEEP, WINDOW | {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "INVERSE"}, ()),
    "MONOCHROME2, IDENTITY": (DEEP, WINDOW | {"PresentationLUTShape": "IDENTITY"}, ()),
    "MONOCHROME2, INVERSE": (DEEP, WINDOW | {"PresentationLUTShape": "INVERSE"}, ()),
    "MONOCHROME2, a shape unknown to the standard": (DEEP, WINDOW | {"PresentationLUTShape": "LIN OD"}, ()),
    "MONOCHROME1, a shape unknown to the standard": (
        DEEP,
        WINDOW | {"PhotometricInterpretation": "MONOCHROME1", "PresentationLUTShape": "LIN OD"},
        (),
    ),
    "a presentation LUT": (RAMP, WINDOW | {"PresentationLUTSequence": [table(0, 12, CURVE)]}, ()),
    "INVERSE behind a VOI LUT": (RAMP, {"VOILUTSequence": [table(0, 12, CURVE)], "PresentationLUTShape": "INVERSE"}, ("+Wl", "1")),
    "padding that no pixel can have": (FILM, {"WindowCenter": 120, "WindowWidth": 200, "PixelPaddingValue": 65535}, ()),
    "LINEAR_EXACT is another function": (DEEP, WINDOW | {"VOILUTFunction": "LINEAR_EXACT"}, ()),
    "sigmoid": (DEEP, WINDOW | {"VOILUTFunction": "SIGMOID"}, ()),
    "sigmoid, MONOCHROME1": (DEEP, WINDOW | {"VOILUTFunction": "SIGMOID", "PhotometricInterpretation": "MONOCHROME1"}, ()),
    "two windows": (DEEP, {"WindowCenter": [1800, 500], "WindowWidth": [2500, 300]}, ()),
    "signed": (SIGNED, {"WindowCenter": 0, "WindowWidth": 3000}, ()),
    "signed, 12 bits stored": (
        (SIGNED.astype(np.int32) & 0xFFF).astype(np.uint16),
        {"WindowCenter": 0, "WindowWidth": 3000, "BitsStored": 12, "HighBit": 11, "PixelRepresentation": 1},
        (),
    ),
    "12 bits at the top": (RAMP << 4, WINDOW | {"BitsStored": 12, "HighBit": 15}, ()),
    "10 bits in the middle": ((RAMP % 1024) << 3, {"BitsStored": 10, "HighBit": 12, "WindowCenter": 500, "WindowWidth": 900}, ()),
    "rescale": (DEEP, {"RescaleSlope": 2, "RescaleIntercept": -1000, "WindowCenter": 2600, "WindowWidth": 5000}, ()),
    "rescale by a fraction": (
        DEEP & 0xFFC,
        {"RescaleSlope": "0.25", "RescaleIntercept": -100, "WindowCenter": 350, "WindowWidth": 600},
        (),
    ),
    "negative slope": (DEEP, {"RescaleSlope": -1, "RescaleIntercept": 4095, "WindowCenter": 2000, "WindowWidth": 3000}, ()),
    "VOI LUT": (RAMP, {"VOILUTSequence": [table(0, 12, CURVE)]}, ("+Wl", "1")),
    "VOI LUT of 8 bits": (RAMP, {"VOILUTSequence": [table(0, 8, CURVE >> 4, "US")]}, ("+Wl", "1")),
    "VOI LUT from 1000 on": (RAMP, {"VOILUTSequence": [table(1000, 12, CURVE[:2000])]}, ("+Wl", "1")),
    "VOI LUT, MONOCHROME1": (
        RAMP,
        {"VOILUTSequence": [table(0, 12, CURVE)], "PhotometricInterpretation": "MONOCHROME1"},
        ("+Wl", "1"),
    ),
    "modality LUT": (RAMP, {"ModalityLUTSequence": [table(0, 16, CURVE * 16)], "WindowCenter": 30_000, "WindowWidth": 50_000}, ()),
    "8 bits": (FILM, {"WindowCenter": 120, "WindowWidth": 200}, ()),
    "8 bits stored in 16": (FILM.astype(np.uint16), {"WindowCenter": 120, "WindowWidth": 200, "BitsStored": 8, "HighBit": 7}, ()),
    "RGB": (COLOUR, {}, ()),
    "RGB by plane": (
        COLOUR,
        {"PlanarConfiguration": 1, "PixelData": np.ascontiguousarray(COLOUR.transpose(2, 0, 1)).tobytes()},
        (),
    ),
    "YBR_FULL": (COLOUR, {"PhotometricInterpretation": "YBR_FULL"}, ()),
    "palette": (FILM, palette(256, 8), ()),
    "palette of 16 bits": (FILM, palette(256, 16), ()),
    "palette of 4096": (DEEP, palette(4096, 16), ()),
}


@needs_dcmtk
@pytest.mark.parametrize("name", QUIRKS)
def test_dcmtk_shows_quirks_alike(name: str, tmp_path: Path) -> None:
    pixels, tags, how = QUIRKS[name]
    assert_shown_alike(dcmread(BytesIO(dicom(pixels, "DX", **tags))), tmp_path, *how)


@needs_dcmtk
@pytest.mark.parametrize("name", ["signed", "VOI LUT", "palette of 16 bits", "RGB", "10 bits in the middle"])
@pytest.mark.parametrize("syntax", [ImplicitVRLittleEndian, ExplicitVRBigEndian], ids=["implicit", "big endian"])
def test_dcmtk_shows_quirks_alike_in_every_encoding(name: str, syntax: pydicom.uid.UID, tmp_path: Path) -> None:
    pixels, tags, how = QUIRKS[name]
    made = read(dicom(pixels, "DX", **tags)).pixels
    if syntax == ExplicitVRBigEndian and name in ("VOI LUT", "palette of 16 bits"):
        pytest.skip("the corpus writes tables in little endian alone")
    data = dicom(pixels, "DX", syntax=syntax, **tags)
    assert np.array_equal(read(data).pixels, made)
    assert_shown_alike(dcmread(BytesIO(data)), tmp_path, *how)


@needs_dcmtk
@pytest.mark.parametrize("shape", ["IDENTITY", "INVERSE"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_dcmtk_shows_ct_alike_whatever_its_polarity(photometric: str, shape: str, tmp_path: Path) -> None:
    data = dicom(phantom("ct", 41, side=64), "CT", PhotometricInterpretation=photometric, PresentationLUTShape=shape)
    assert_shown_alike(dcmread(BytesIO(data)), tmp_path, "+Ww", "-600", "1500")


@needs_dcmtk
@pytest.mark.parametrize("is_signed", [0, 1])
@pytest.mark.parametrize(("bits", "stored"), [(12, 12), (12, 14), (12, 16), (16, 12), (16, 16)])
@pytest.mark.parametrize("syntax", [JPEGLosslessSV1, JPEGLSLossless], ids=lambda syntax: syntax.keyword)
def test_dcmtk_finds_the_same_signs(syntax: pydicom.uid.UID, bits: int, stored: int, is_signed: int, tmp_path: Path) -> None:
    """A compressed depth below the header's, and above it."""
    encoded = encapsulate([compressed.compress(RAMP, syntax, bits)])
    tags: dict[str, Any] = WINDOW | {"BitsStored": stored, "HighBit": stored - 1, "PixelRepresentation": is_signed}
    assert_shown_alike(dcmread(BytesIO(dicom(RAMP, "DX", syntax=syntax, PixelData=encoded, **tags))), tmp_path)


def originals() -> list[Path]:
    return sorted(path for path in ORIGINALS.glob("*") if path.suffix in (".png", ".jpg", ".jpeg"))


@pytest.mark.skipif(not originals(), reason="no real pictures beside the clone (shared/data/originals)")
def test_tensorflow_shows_real_pictures_alike() -> None:
    import tensorflow as tf

    for path in originals():
        data = path.read_bytes()
        is_deep = data[:4] == b"\x89PNG" and data[24] == 16
        if data[:4] == b"\x89PNG":
            shown = tf.io.decode_png(data, dtype=tf.uint16 if is_deep else tf.uint8).numpy().astype(np.float64)
        else:
            shown = tf.io.decode_jpeg(data, dct_method="INTEGER_ACCURATE").numpy().astype(np.float64)
        gray = shown[..., 0] if shown.shape[-1] < 3 else shown[..., :3] @ [0.299, 0.587, 0.114]
        depth = 255 if not is_deep else 2 ** int(gray.max()).bit_length() - 1
        pixels = read(data).pixels
        assert pixels.shape == gray.shape
        assert float(np.abs(pixels - gray / depth).max()) <= 1.01 * GRAY_LEVEL
