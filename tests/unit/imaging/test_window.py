"""Gray values, compared with pydicom's own transformations over its own files and over made ones."""

from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.pixels.processing import apply_modality_lut, apply_voi_lut, apply_windowing

from imaging.phantoms import phantom
from imaging.read import read
from imaging.window import lung, window
from tests.corpus.files import dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

GRAY_LEVEL = 1 / 255
BUNDLED = (
    *("MR_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "MR_small_expb.dcm", "MR_small_implicit.dcm", "MR_small_padded.dcm"),
    *("examples_overlay.dcm", "CT_small.dcm"),
)
RAMP = np.arange(4096, dtype=np.uint16).reshape(64, 64)


def expected(dataset: Dataset) -> npt.NDArray[np.float64]:
    """What pydicom makes of a data set, scaled to [0, 1]."""
    values = apply_modality_lut(dataset.pixel_array, dataset)
    if dataset.Modality == "CT":
        dataset.WindowCenter, dataset.WindowWidth = -600, 1500
        shown = apply_windowing(values, dataset)
    else:
        shown = apply_voi_lut(values, dataset)
    if "VOILUTSequence" in dataset:
        low, high = 0.0, 2.0 ** dataset.VOILUTSequence[0].LUTDescriptor[2] - 1
    elif "ModalityLUTSequence" in dataset:
        low, high = 0.0, 2.0 ** dataset.ModalityLUTSequence[0].LUTDescriptor[2] - 1
    else:
        signed = dataset.PixelRepresentation == 1
        low = -(2.0 ** (dataset.BitsStored - 1)) if signed else 0.0
        high = low + 2.0**dataset.BitsStored - 1
        slope, intercept = float(dataset.get("RescaleSlope", 1)), float(dataset.get("RescaleIntercept", 0))
        low, high = low * slope + intercept, high * slope + intercept
    gray: npt.NDArray[np.float64] = (shown.astype(np.float64) - low) / (high - low)
    return 1.0 - gray if dataset.PhotometricInterpretation == "MONOCHROME1" else gray


def assert_as_pydicom(data: bytes) -> None:
    pixels = read(data).pixels
    assert pixels.dtype == np.float32
    assert float(np.abs(pixels - expected(dcmread(BytesIO(data)))).max()) < GRAY_LEVEL / 4


@pytest.mark.parametrize("name", BUNDLED)
def test_pydicoms_own_files(name: str) -> None:
    path = get_testdata_file(name, download=False)
    assert isinstance(path, str)
    assert_as_pydicom(Path(path).read_bytes())


@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_window_functions(function: str, photometric: str) -> None:
    tags: dict[str, Any] = {"WindowCenter": 1800, "WindowWidth": 900, "VOILUTFunction": function, "PhotometricInterpretation": photometric}
    assert_as_pydicom(dicom(RAMP, "DX", **tags))


@settings(max_examples=60, deadline=None)
@given(
    bits=st.integers(8, 16),
    is_signed=st.booleans(),
    centre=st.floats(-3000, 3000),
    width=st.floats(1, 6000),
    slope=st.sampled_from([1.0, 0.5, 2.0]),
    intercept=st.sampled_from([0.0, -1024.0, 37.5]),
    seed=st.integers(0, 99),
)
def test_any_bits_signs_windows_and_rescales(
    bits: int, is_signed: bool, centre: float, width: float, slope: float, intercept: float, seed: int
) -> None:
    low = -(2 ** (bits - 1)) if is_signed else 0
    pixels = np.random.default_rng(seed).integers(low, low + 2**bits, (8, 8)).astype(np.int16 if is_signed else np.uint16)
    tags: dict[str, Any] = {"BitsStored": bits, "HighBit": bits - 1, "WindowCenter": f"{centre:.6g}", "WindowWidth": f"{width:.6g}"}
    data = dicom(pixels, "DX", RescaleSlope=slope, RescaleIntercept=intercept, **tags)
    shown = expected(dcmread(BytesIO(data)))
    assume(np.ptp(shown) > 0.1 and np.mean((shown > GRAY_LEVEL) & (shown < 1 - GRAY_LEVEL)) > 0.05)  # other windows are not believed
    assert_as_pydicom(data)


def table(first: int, bits: int, entries: npt.NDArray[np.uint16]) -> Dataset:
    item = Dataset()
    item.LUTDescriptor = [len(entries) % 2**16, first, bits]
    item.add_new(0x00283006, "OW", entries.astype("<u2").tobytes())
    return item


@pytest.mark.parametrize(("first", "bits"), [(0, 12), (1000, 12), (500, 16), (0, 10)])
def test_voi_lut(first: int, bits: int) -> None:
    entries = (np.linspace(0, 1, 2000) ** 2 * (2**bits - 1)).astype(np.uint16)
    assert_as_pydicom(dicom(RAMP, "DX", VOILUTSequence=[table(first, bits, entries)]))


def test_modality_lut_comes_before_the_window() -> None:
    entries = np.linspace(65535, 0, 4096).astype(np.uint16)
    assert_as_pydicom(dicom(RAMP, "DX", ModalityLUTSequence=[table(0, 16, entries)], WindowCenter=20_000, WindowWidth=15_000))


def test_a_voi_lut_of_65536_entries() -> None:
    entries = np.arange(65536).astype(np.uint16)
    ramp = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    assert_as_pydicom(dicom(ramp, "DX", VOILUTSequence=[table(0, 16, entries)]))


def test_a_voi_lut_for_negative_values() -> None:
    values = np.arange(-2048, 2048, dtype=np.int16).reshape(64, 64)
    item = table(0, 12, np.arange(4096).astype(np.uint16))
    item.LUTDescriptor = [4096, -2048, 12]
    item["LUTDescriptor"].VR = "SS"
    pixels = read(dicom(values, "DX", VOILUTSequence=[item])).pixels
    assert np.allclose(pixels, np.arange(4096).reshape(64, 64) / 4095)


def test_first_window_that_leaves_a_picture_counts() -> None:
    first = read(dicom(RAMP, "DX", WindowCenter=2000, WindowWidth=1000)).pixels
    for centres, widths in (([2000, 100], [1000, 50]), ([100, 2000], [0, 1000]), ([9000, 2000, 100], [500, 1000, 50])):
        several = read(dicom(RAMP, "DX", WindowCenter=centres, WindowWidth=widths)).pixels
        assert np.array_equal(first, several)


@pytest.mark.parametrize("tags", [{"WindowWidth": 0}, {"WindowWidth": -5}, {"WindowCenter": None}, {"WindowCenter": []}])
def test_a_senseless_window_is_none(tags: dict[str, Any]) -> None:
    plain = read(dicom(RAMP, "DX")).pixels
    assert np.array_equal(read(dicom(RAMP, "DX", **({"WindowCenter": 2000, "WindowWidth": 1000} | tags))).pixels, plain)


@pytest.mark.parametrize(
    ("centre", "width"), [(2000, 1), (2000, 2), (2000, 20), (50_000, 400), (-9000, 500), (0, 1), (32_768, 1_000_000), (2000, 1e9)]
)
@pytest.mark.parametrize("function", ["LINEAR", "LINEAR_EXACT", "SIGMOID"])
@pytest.mark.parametrize("photometric", ["MONOCHROME1", "MONOCHROME2"])
def test_a_window_that_leaves_no_picture_is_none(centre: float, width: float, function: str, photometric: str) -> None:
    plain = read(dicom(RAMP, "DX", PhotometricInterpretation=photometric)).pixels
    tags: dict[str, Any] = {"WindowCenter": centre, "WindowWidth": width, "VOILUTFunction": function}
    assert np.array_equal(read(dicom(RAMP, "DX", PhotometricInterpretation=photometric, **tags)).pixels, plain)


def test_8_bits_stay_as_they_are_without_a_usable_window() -> None:
    stored = phantom("xray", 3).clip(0, 4095) >> 4
    for centre, width in ((100, 1), (4000, 200), (2048, 1e6)):
        data = dicom(stored.astype(np.uint8), "CR", WindowCenter=centre, WindowWidth=width)
        assert np.allclose(read(data).pixels, stored / 255)


@pytest.mark.parametrize("width", [200, 4096, 20_000])
def test_narrow_and_wide_windows_are_obeyed(width: int) -> None:
    assert_as_pydicom(dicom(RAMP, "DX", WindowCenter=2000, WindowWidth=width))


def test_voi_lut_that_leaves_no_picture_yields_to_the_window() -> None:
    tags: dict[str, Any] = {"WindowCenter": 2000, "WindowWidth": 1000}
    steps = np.repeat(np.array([0, 4095], np.uint16), 2048)
    for entries in (np.full(4096, 7, np.uint16), np.full(4096, 4095, np.uint16), steps):
        shown = read(dicom(RAMP, "DX", VOILUTSequence=[table(0, 12, entries)], **tags)).pixels
        assert np.array_equal(shown, read(dicom(RAMP, "DX", **tags)).pixels)


def test_padding_does_not_count_for_what_a_window_leaves() -> None:
    stored = np.zeros((64, 64), np.uint16)
    stored[-6:] = RAMP[26:32]  # a tenth of the picture
    tags: dict[str, Any] = {"PixelPaddingValue": 0, "WindowCenter": 1850, "WindowWidth": 90}
    assert np.allclose(read(dicom(stored, "DX", **tags)).pixels[-6:], window(RAMP[26:32], 1850, 90, "LINEAR"))


def test_robust_extremes_are_the_window_where_none_is_given() -> None:
    stored = phantom("xray", 3)
    stored[0, :5], stored[1, :5] = 0, 65535  # a few defective pixels
    pixels = read(dicom(stored, "DX")).pixels
    low, high = np.quantile(stored, [0.005, 0.995])
    assert np.allclose(pixels, np.clip((stored - low) / (high - low), 0, 1), atol=GRAY_LEVEL)


def test_8_bits_without_a_window_stand_as_they_are() -> None:
    stored = np.full((4, 4), 100, np.uint8)
    stored[0] = 200
    assert np.allclose(read(dicom(stored, "CR")).pixels, stored / 255)


def test_a_picture_of_one_level_is_no_trouble() -> None:
    pixels = read(dicom(np.full((16, 16), 700, np.uint16), "DX")).pixels
    assert np.isfinite(pixels).all()


def test_ct_uses_the_lung_window_whatever_the_header_says() -> None:
    units = np.array([[-3000, -1350], [-600, 150], [-975, 3000]], np.int16)
    stored = dicom(units, "CT", RescaleIntercept=0, WindowCenter=40, WindowWidth=400)
    assert np.allclose(read(stored).pixels, np.array([[0, 0], [0.5, 1], [0.25, 1]]), atol=0.001)
    assert np.allclose(lung(units), read(stored).pixels)


def test_ct_offsets_and_slopes_lead_to_the_same_units() -> None:
    units = phantom("ct", 4).astype(np.int32) - 1024
    signed = read(dicom(units.astype(np.int16), "CT", RescaleIntercept=0)).pixels
    offset = read(dicom((units + 1024).astype(np.uint16), "CT")).pixels
    sloped = read(dicom((2 * (units + 1024)).astype(np.uint16), "CT", RescaleSlope="0.5")).pixels
    without_tags = read(dicom((units + 1024).astype(np.uint16), "CT", RescaleIntercept=None, RescaleSlope=None)).pixels
    assert signed.std() > 0.2
    for other in (offset, sloped, without_tags):
        assert np.allclose(signed, other)


def test_a_ct_rendering_of_8_bits_is_no_hounsfield_unit() -> None:
    shown = np.arange(256, dtype=np.uint8).reshape(16, 16)
    assert np.allclose(read(dicom(shown, "CT", RescaleIntercept=None, RescaleSlope=None)).pixels, shown / 255)


def test_padding_is_black_and_sets_no_contrast() -> None:
    stored = np.minimum(phantom("xray", 6), 3900)
    padded = stored.copy()
    padded[:, :100] = 4000
    padded[:, 100:110] = 4050
    tags: dict[str, Any] = {"PixelPaddingValue": 4000, "PixelPaddingRangeLimit": 4095, "BitsStored": 12, "HighBit": 11}
    for photometric in ("MONOCHROME1", "MONOCHROME2"):
        pixels = read(dicom(padded, "DX", PhotometricInterpretation=photometric, **tags)).pixels
        alone = read(dicom(np.ascontiguousarray(stored[:, 110:]), "DX", PhotometricInterpretation=photometric)).pixels
        assert (pixels[:, :110] == 0).all()
        assert np.allclose(pixels[:, 110:], alone)


def test_ct_padding_far_below_air_is_black_with_either_sign() -> None:
    units = (phantom("ct", 7).astype(np.int32) - 1024).astype(np.int16)
    units[:20] = -2000
    data = dicom(units, "CT", RescaleIntercept=0)
    dataset = dcmread(BytesIO(data))
    dataset.add_new(0x00280120, "US", 65536 - 2000)
    buffer = BytesIO()
    dataset.save_as(buffer)
    assert (read(buffer.getvalue()).pixels[:20] == 0).all()


def test_bits_beside_those_stored_do_not_count() -> None:
    clean = dicom(RAMP, "DX", BitsStored=12, HighBit=11, WindowCenter=2048, WindowWidth=4096)
    overlay = dicom(RAMP | 0x5000, "DX", BitsStored=12, HighBit=11, WindowCenter=2048, WindowWidth=4096)
    shifted = dicom((RAMP << 4) | 3, "DX", BitsStored=12, HighBit=15, WindowCenter=2048, WindowWidth=4096)
    assert np.array_equal(read(clean).pixels, read(overlay).pixels)
    assert np.array_equal(read(clean).pixels, read(shifted).pixels)


def test_signed_values_of_12_bits() -> None:
    units = np.arange(-2048, 2048, dtype=np.int16).reshape(64, 64)
    as_12_bits = (units.astype(np.int32) & 0x0FFF).astype(np.uint16)
    tags: dict[str, Any] = {"BitsStored": 12, "HighBit": 11, "PixelRepresentation": 1, "RescaleIntercept": 0}
    assert np.array_equal(read(dicom(as_12_bits, "CT", **tags)).pixels, read(dicom(units, "CT", RescaleIntercept=0)).pixels)


def test_frames_use_their_own_rescale_where_given() -> None:
    def group(keyword: str, **tags: float) -> Dataset:
        macro, item = Dataset(), Dataset()
        for name, value in tags.items():
            setattr(macro, name, value)
        setattr(item, keyword, [macro])
        return item

    units = (phantom("ct", 8, side=64).astype(np.int32) - 1024).clip(-1000, 1000)
    frames = np.stack([units + 1000, (units + 3000) // 2]).astype(np.uint16)
    per_frame = [group("PixelValueTransformationSequence", RescaleIntercept=-1000 * (2 * n + 1), RescaleSlope=n + 1) for n in range(2)]
    data = dicom(frames, "CT", PerFrameFunctionalGroupsSequence=per_frame, RescaleIntercept=None, RescaleSlope=None)
    first, second = read(data, 1), read(data, 2)
    assert (first.frames, second.frames) == (2, 2)
    assert np.allclose(first.pixels, second.pixels, atol=2 / 1500)
    assert np.allclose(first.pixels, lung(units))
    shared = group("FrameVOILUTSequence", WindowCenter=500, WindowWidth=300)
    shown = read(dicom(RAMP, "DX", SharedFunctionalGroupsSequence=[shared])).pixels
    assert np.allclose(shown, window(RAMP, 500, 300, "LINEAR"))


def test_a_broken_table_counts_as_none() -> None:
    item = Dataset()
    item.LUTDescriptor = [16, 0, 12]
    plain = read(dicom(RAMP, "DX", WindowCenter=2000, WindowWidth=1000)).pixels
    assert np.array_equal(read(dicom(RAMP, "DX", WindowCenter=2000, WindowWidth=1000, VOILUTSequence=[item])).pixels, plain)
