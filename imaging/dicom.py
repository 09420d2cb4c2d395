"""A DICOM object's frame to gray, and its header's facts; which codec decodes which transfer syntax stands in _CODECS."""

import re
import warnings
from dataclasses import replace
from io import BytesIO
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import encapsulate
from pydicom.pixels.processing import apply_color_lut
from pydicom.pixels.utils import get_expected_length, pixel_array
from pydicom.uid import (
    HTJ2K,
    JPEG2000,
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    HTJ2KLossless,
    HTJ2KLosslessRPCL,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGLSLossless,
    JPEGLSNearLossless,
    RLELossless,
)

from imaging import codestream, encapsulated, gdcm_jpeg, polarity, stored, tags, tail, window
from imaging.codestream import Head
from imaging.deflated import inflate, meta_end
from imaging.header import Facts, facts
from imaging.limits import check_frame, check_size
from lungline.errors import UnreadableScan
from lungline.findings import Modality
from lungline.reasons import Reason

# pydicom's warnings quote what stands in the header.
warnings.filterwarnings("ignore", module=r"pydicom\b")
pydicom.config.settings.reading_validation_mode = pydicom.config.IGNORE

gdcm_jpeg.install()
_JPEG_LS: Final = (JPEGLSLossless, JPEGLSNearLossless)
# Transfer syntax -> pydicom's name for the plugin that decodes it. One each: pydicom would try every other codec at hand on bytes that one
# refuses, GDCM's old copies of OpenJPEG and CharLS among them.
_CODECS: Final = {
    **dict.fromkeys((ImplicitVRLittleEndian, ExplicitVRLittleEndian, ExplicitVRBigEndian, DeflatedExplicitVRLittleEndian), ""),
    RLELossless: "pydicom",
    **dict.fromkeys(gdcm_jpeg.SYNTAXES, gdcm_jpeg.NAME),
    **dict.fromkeys(_JPEG_LS, "pyjpegls"),
    **dict.fromkeys((JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K), "pylibjpeg"),
}
SYNTAXES: Final = tuple(_CODECS)
"""The transfer syntaxes that are read."""
# Tags ascend (PS3.5 7.1), from group 0002 or 0008, or 0004 in a directory; explicit VR in either byte order, or implicit VR.
_FIRST_ELEMENT: Final = re.compile(rb"[\x02\x04\x08]\0..([A-Z]{2}|..\0\0)|\0[\x02\x04\x08]..[A-Z]{2}", re.DOTALL)
_MONOCHROME: Final = ("MONOCHROME1", "MONOCHROME2")
# Photometric Interpretation -> Samples per Pixel (PS3.3 C.7.6.3.1.2).
_SAMPLES: Final = {
    **dict.fromkeys((*_MONOCHROME, "PALETTE COLOR"), 1),
    **dict.fromkeys(("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT"), 3),
}


def decode(
    data: bytes, frame: int, units_window: tuple[float, float] = (window.LUNG_CENTRE, window.LUNG_WIDTH)
) -> tuple[npt.NDArray[np.float32], int, Facts]:
    """One frame (from 1) as float32 (rows, columns) in [0, 1], the number of frames, and the header's facts.

    A CT's Hounsfield units are shown in a window of centre and width `units_window`.

    Raises:
        UnreadableScan: `truncated`, `too_large`, `no_pixels` or `unsupported_format`.
        Exception: whatever pydicom meets in damaged bytes.
    """
    dataset = parse(data)
    frames = _check(dataset)
    check_frame(frame, frames)
    found = tail.check(dataset, facts(dataset, frame))
    found = replace(found, review=found.review or polarity.doubt(dataset, found.modality))
    syntax = dataset.file_meta.TransferSyntaxUID
    head = _take_frame(dataset, frame, frames) if syntax.is_encapsulated else None
    index = 0 if syntax.is_encapsulated else frame - 1
    raw = pixel_array(
        dataset,
        index=index,
        decoding_plugin=_CODECS[syntax],
        view_only=True,  # else a copy of what may be large
        # imaging/stored.py puts bits and signs right: pydicom overlooks High Bit, and takes a compressed image's depth for the header's.
        correct_unused_bits=False,
        apply_j2k_sign_correction=False,
        apply_jls_sign_correction=False,
    )
    if dataset.PhotometricInterpretation in _MONOCHROME:
        is_ct = found.modality is Modality.CT
        shown = window.render(stored.values(raw, dataset, head), dataset, frame, is_ct=is_ct, units_window=units_window)
        return shown, frames, found
    return _luma(raw, dataset), frames, found


def describe(data: bytes, frame: int) -> Facts:
    """The header's facts of one frame (from 1), its pixels left alone.

    Raises:
        UnreadableScan, Exception: as `decode` does.
    """
    dataset = parse(data)
    check_frame(frame, _check(dataset))
    return facts(dataset, frame)


class _Source(BytesIO):
    """The file's bytes; remembers whether a read went beyond their end, which pydicom passes over in silence."""

    is_short = False

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        # Between elements pydicom asks for 8 bytes, and once for 1: to get none there is the end that every file has.
        if size is not None and len(chunk) < size and (chunk or size not in (1, 8)):
            self.is_short = True
        return chunk


def parse(data: bytes) -> FileDataset:
    """The data set of an image, with what decoding needs filled in.

    Raises:
        UnreadableScan: `truncated`, `no_pixels` or `not_an_image`.
    """
    plain = inflate(data)
    source = _Source(plain)
    try:
        dataset = pydicom.dcmread(source, force=True)
    except MemoryError:
        raise
    except Exception:
        raise UnreadableScan(Reason.TRUNCATED if source.is_short and _begins_well(plain) else Reason.NOT_AN_IMAGE) from None
    if not tags.value(dataset, "PixelData"):
        if source.is_short or not len(dataset):
            is_sound = _begins_well(plain) and list(dataset.keys()) == sorted(dataset.keys())
            raise UnreadableScan(Reason.TRUNCATED if is_sound else Reason.NOT_AN_IMAGE)
        raise UnreadableScan(Reason.NO_PIXELS)
    if not dataset.file_meta.get("TransferSyntaxUID"):
        is_implicit, is_little = dataset.original_encoding
        explicit = ExplicitVRLittleEndian if is_little else ExplicitVRBigEndian
        dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if is_implicit else explicit
    for keyword, default in (("SamplesPerPixel", 1), ("PhotometricInterpretation", "MONOCHROME2"), ("PixelRepresentation", 0)):
        if tags.value(dataset, keyword) is None:
            setattr(dataset, keyword, default)
    return dataset


def _begins_well(data: bytes) -> bool:
    """Whether a file that is too short begins as one that was cut would: nonsense behind a prefix also claims more than is there."""
    start = meta_end(data)
    first = data[start : start + 8]
    return len(first) < 8 or _FIRST_ELEMENT.match(first) is not None


def _check(dataset: FileDataset) -> int:
    """Refuses what cannot be decoded, before anything is allocated; returns the number of frames."""
    frames = max(1, tags.whole(dataset, "NumberOfFrames", 1))
    dataset.NumberOfFrames = frames
    check_size(tags.whole(dataset, "Rows", 0), tags.whole(dataset, "Columns", 0), frames)
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax not in _CODECS:
        raise UnreadableScan(
            Reason.UNSUPPORTED_FORMAT, f"The pixels are in the transfer syntax {_name(syntax)}, which Lungline does not read."
        )
    if dataset.PhotometricInterpretation not in _SAMPLES:
        raise UnreadableScan(Reason.UNSUPPORTED_FORMAT, "The photometric interpretation is one that Lungline does not read.")
    if dataset.SamplesPerPixel != _SAMPLES[dataset.PhotometricInterpretation]:
        raise UnreadableScan(Reason.NOT_AN_IMAGE)
    if not syntax.is_encapsulated and len(dataset.PixelData) < get_expected_length(dataset):
        raise UnreadableScan(Reason.TRUNCATED)
    return frames


def _take_frame(dataset: FileDataset, frame: int, frames: int) -> Head | None:
    """Leaves one compressed frame in the data set, whose own head is held against the header: a codec allocates what the former says.

    Returns the head of a kind of codestream that pydicom decodes at its own depth.
    """
    syntax = dataset.file_meta.TransferSyntaxUID
    data = encapsulated.frame(dataset.PixelData, syntax, frame, frames)
    dataset.PixelData, dataset.NumberOfFrames = encapsulate([data], has_bot=False), 1
    for keyword in ("ExtendedOffsetTable", "ExtendedOffsetTableLengths"):
        if keyword in dataset:
            delattr(dataset, keyword)
    if syntax == RLELossless:
        return None
    is_jpeg = syntax in (*gdcm_jpeg.SYNTAXES, *_JPEG_LS)
    head = codestream.jpeg(data) if is_jpeg else codestream.jpeg_2000(data)
    check_size(head.rows, head.columns)
    size = (dataset.Rows, dataset.Columns, dataset.SamplesPerPixel)
    if (head.rows, head.columns, head.samples) != size or head.bits > dataset.BitsAllocated:
        raise UnreadableScan(Reason.NOT_AN_IMAGE, "The header and the compressed image give different sizes.")
    return None if syntax in gdcm_jpeg.SYNTAXES else head


def _name(syntax: UID) -> str:
    """The standard's keyword; an unknown UID is the file's own word, which is not repeated."""
    return syntax.keyword if not syntax.is_private and syntax.keyword else "of a private kind"


def _luma(raw: npt.NDArray[Any], dataset: Dataset) -> npt.NDArray[np.float32]:
    """Colour as luma (ITU-R BT.601) in [0, 1]; windows are not for colour (PS3.3 C.11.2.1.2)."""
    bits = tags.whole(dataset, "BitsStored", 8 * raw.dtype.itemsize)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        raw = apply_color_lut(raw, dataset)
        bits = 8 * raw.dtype.itemsize
    colour = raw[..., :3].astype(np.float32)
    colour *= np.float32(1 / (2**bits - 1))
    return np.clip(cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY), 0, 1).astype(np.float32, copy=False)
