"""A DICOM object's frame to gray, and its header's facts; which codec decodes which transfer syntax stands in _CODECS."""

import re
import struct
import warnings
import zlib
from io import BytesIO
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt
import pydicom
from pydicom.dataset import Dataset, FileDataset
from pydicom.encaps import get_frame, parse_fragments
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

from imaging import codestream, gdcm_jpeg, tags, window
from imaging.header import Facts, facts
from imaging.limits import INFLATED_BYTES_MAX, check_frame, check_size
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
_DEFLATED: Final = b"1.2.840.10008.1.2.1.99"
_GROUP_LENGTH: Final = b"\x02\x00\x00\x00UL\x04\x00"
# Tags ascend (PS3.5 7.1), from group 0002 or 0008, or 0004 in a directory; explicit VR in either byte order, or implicit VR.
_FIRST_ELEMENT: Final = re.compile(rb"[\x02\x04\x08]\0..([A-Z]{2}|..\0\0)|\0[\x02\x04\x08]..[A-Z]{2}", re.DOTALL)
_META: Final = 132  # preamble and prefix (PS3.10 7.1)
_MONOCHROME: Final = ("MONOCHROME1", "MONOCHROME2")
# Photometric Interpretation -> Samples per Pixel (PS3.3 C.7.6.3.1.2).
_SAMPLES: Final = {
    **dict.fromkeys((*_MONOCHROME, "PALETTE COLOR"), 1),
    **dict.fromkeys(("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_RCT", "YBR_ICT"), 3),
}


def decode(data: bytes, frame: int) -> tuple[npt.NDArray[np.float32], int, Facts]:
    """One frame (from 1) as float32 (rows, columns) in [0, 1], the number of frames, and the header's facts.

    Raises:
        UnreadableScan: `truncated`, `too_large`, `no_pixels` or `unsupported_format`.
        Exception: whatever pydicom meets in damaged bytes.
    """
    dataset = _parse(data)
    frames = _check(dataset)
    check_frame(frame, frames)
    told = facts(dataset, frame)
    syntax = dataset.file_meta.TransferSyntaxUID
    if syntax.is_encapsulated and syntax != RLELossless:
        _check_codestream(dataset, frame, frames)
    # Unused bits are put right here, since pydicom does not look at High Bit. A view saves a copy of what may be large.
    raw = pixel_array(dataset, index=frame - 1, decoding_plugin=_CODECS[syntax], correct_unused_bits=False, view_only=True)
    if dataset.PhotometricInterpretation in _MONOCHROME:
        stored = _used_bits(raw, dataset)
        return window.render(stored, dataset, frame, is_ct=told.modality is Modality.CT), frames, told
    return _luma(raw, dataset), frames, told


class _Source(BytesIO):
    """The file's bytes; remembers whether a read went beyond their end, which pydicom passes over in silence."""

    is_short = False

    def read(self, size: int | None = -1, /) -> bytes:
        chunk = super().read(size)
        # Between elements pydicom asks for 8 bytes, and once for 1: to get none there is the end that every file has.
        if size is not None and len(chunk) < size and (chunk or size not in (1, 8)):
            self.is_short = True
        return chunk


def _parse(data: bytes) -> FileDataset:
    plain = _inflate(data)
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
    start = _META if data[_META - 4 : _META] == b"DICM" else 0
    if data[start : start + 8] == _GROUP_LENGTH and len(data) >= start + 12:
        start += 12 + int(struct.unpack_from("<I", data, start + 8)[0])
    first = data[start : start + 8]
    return len(first) < 8 or _FIRST_ELEMENT.match(first) is not None


def _inflate(data: bytes) -> bytes:
    """A deflated file (PS3.5 A.5) as the explicit little endian one that it was made from; other files as they are.

    pydicom would inflate without bound.
    """
    if data[_META : _META + 8] != _GROUP_LENGTH or len(data) < _META + 12:
        return data
    start = _META + 12 + struct.unpack_from("<I", data, _META + 8)[0]
    head = data[:start]
    if _DEFLATED not in head:
        return data
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(data[start:], INFLATED_BYTES_MAX)
    except zlib.error:
        raise UnreadableScan(Reason.NOT_AN_IMAGE) from None
    if not inflater.eof:
        raise UnreadableScan(Reason.TOO_LARGE if inflater.unconsumed_tail else Reason.TRUNCATED)
    return head.replace(_DEFLATED, str(ExplicitVRLittleEndian).encode().ljust(len(_DEFLATED), b"\0")) + plain


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
        raise UnreadableScan(Reason.UNSUPPORTED_FORMAT, "The photometric interpretation is none that Lungline reads.")
    if dataset.SamplesPerPixel != _SAMPLES[dataset.PhotometricInterpretation]:
        raise UnreadableScan(Reason.NOT_AN_IMAGE)
    if not syntax.is_encapsulated:
        is_whole = len(dataset.PixelData) >= get_expected_length(dataset)
    else:
        fragments, _offsets = parse_fragments(dataset.PixelData)
        is_whole = fragments >= frames
    if not is_whole:
        raise UnreadableScan(Reason.TRUNCATED)
    return frames


def _check_codestream(dataset: FileDataset, frame: int, frames: int) -> None:
    """Holds the compressed frame's own head against the header: a codec allocates what the former says."""
    tables = tags.value(dataset, "ExtendedOffsetTable"), tags.value(dataset, "ExtendedOffsetTableLengths")
    offsets = tables if all(tables) else None
    data = get_frame(dataset.PixelData, frame - 1, number_of_frames=frames, extended_offsets=offsets)
    is_jpeg = dataset.file_meta.TransferSyntaxUID in (*gdcm_jpeg.SYNTAXES, *_JPEG_LS)
    head = codestream.jpeg(data) if is_jpeg else codestream.jpeg_2000(data)
    check_size(head.rows, head.columns)
    told = (dataset.Rows, dataset.Columns, dataset.SamplesPerPixel)
    if (head.rows, head.columns, head.samples) != told or head.bits > dataset.BitsAllocated:
        raise UnreadableScan(Reason.NOT_AN_IMAGE, "The header and the compressed image in it tell of different sizes.")


def _name(syntax: UID) -> str:
    """The standard's keyword; an unknown UID is the file's own word, which is not repeated."""
    return syntax.keyword if not syntax.is_private and syntax.keyword else "of a private kind"


def _used_bits(raw: npt.NDArray[Any], dataset: Dataset) -> npt.NDArray[Any]:
    """The Bits Stored below High Bit, with their sign; what other bits hold is not part of the value (PS3.5 8.1.1)."""
    allocated = 8 * raw.dtype.itemsize
    stored = tags.whole(dataset, "BitsStored", allocated)
    high = tags.whole(dataset, "HighBit", stored - 1)
    if dataset.BitsAllocated == 1 or stored == allocated or not stored <= high + 1 <= allocated:
        return raw
    return (raw << (allocated - 1 - high)) >> (allocated - stored)


def _luma(raw: npt.NDArray[Any], dataset: Dataset) -> npt.NDArray[np.float32]:
    """Colour as luma (ITU-R BT.601) in [0, 1]; windows are not for colour (PS3.3 C.11.2.1.2)."""
    bits = tags.whole(dataset, "BitsStored", 8 * raw.dtype.itemsize)
    if dataset.PhotometricInterpretation == "PALETTE COLOR":
        raw = apply_color_lut(raw, dataset)
        bits = 8 * raw.dtype.itemsize
    colour = raw[..., :3].astype(np.float32)
    colour *= np.float32(1 / (2**bits - 1))
    return np.clip(cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY), 0, 1).astype(np.float32, copy=False)
