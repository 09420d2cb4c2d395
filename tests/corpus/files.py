"""Pictures into the bytes of PNG, JPEG and DICOM files, in every form that is met; written here, so that no reader tests itself."""

import hashlib
import struct
import zlib
from collections.abc import Sequence
from io import BytesIO
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
from pydicom import dcmwrite
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000,
    UID,
    ComputedRadiographyImageStorage,
    CTImageStorage,
    DigitalXRayImageStorageForPresentation,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    JPEGBaseline8Bit,
    RLELossless,
    SecondaryCaptureImageStorage,
)

from tests.corpus import compressed

Pixels = npt.NDArray[Any]

# Names a patient in every way that a header can; none of it may be found outside the store.
PLANTED = {
    "PatientName": "Plantagenet^Zebedee",
    "PatientID": "MRN-90417733",
    "PatientBirthDate": "19470213",
    "PatientAddress": "17 Quicksilver Lane",
    "OtherPatientIDs": "SSN-557120934",
    "ReferringPhysicianName": "Ravensworth^Ottilie",
    "OperatorsName": "Thistlewood^Ignatius",
    "InstitutionName": "Wyvernholme Infirmary",
    "AccessionNumber": "ACC20170344821",
    "StudyID": "STU88123405",
    "StudyDate": "20200316",
    "StudyDescription": "Chest of Zebedee Plantagenet",
}
PLANTED_WORDS = (
    *("Plantagenet", "Zebedee", "90417733", "19470213", "Quicksilver", "557120934", "Ravensworth", "Ottilie"),
    *("Thistlewood", "Ignatius", "Wyvernholme", "20170344821", "88123405", "20200316"),
)

_SOP_CLASSES = {
    "CR": ComputedRadiographyImageStorage,
    "DX": DigitalXRayImageStorageForPresentation,
    "CT": CTImageStorage,
}
# What colour becomes on its way into these.
_COLOURS = {JPEGBaseline8Bit: "YBR_FULL_422", JPEG2000Lossless: "YBR_RCT", JPEG2000: "YBR_ICT"}
_ADAM7 = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))  # x, y, steps


def png(pixels: Pixels, *, palette: Sequence[Sequence[int]] = (), bits: int = 0, is_interlaced: bool = False, exif: bytes = b"") -> bytes:
    """A PNG of uint8 or uint16 pixels: (h, w) gray, (h, w, 2) gray and alpha, (h, w, 3) RGB, (h, w, 4) RGBA.

    Args:
        pixels: with `bits` 1, 2 or 4, values below 2**bits; with a palette, indices.
        palette: rows of red, green, blue, and alpha if some are transparent.
        bits: a sample's bits if not those of the dtype.
        is_interlaced: Adam7.
        exif: a TIFF block for the eXIf chunk.
    """
    height, width = pixels.shape[:2]
    channels = 1 if pixels.ndim == 2 else pixels.shape[2]
    bits = bits or 8 * pixels.dtype.itemsize
    colour = 3 if palette else {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    passes = _ADAM7 if is_interlaced else ((0, 0, 1, 1),)
    rows = b"".join(b"\0" + _packed(row, bits) for x, y, dx, dy in passes for row in pixels[y::dy, x::dx] if row.size)
    chunks = [chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, is_interlaced))]
    if palette:
        chunks.append(chunk(b"PLTE", bytes(value for entry in palette for value in entry[:3])))
        if len(palette[0]) == 4:
            chunks.append(chunk(b"tRNS", bytes(entry[3] for entry in palette)))
    if exif:
        chunks.append(chunk(b"eXIf", exif))
    return b"".join((b"\x89PNG\r\n\x1a\n", *chunks, chunk(b"IDAT", zlib.compress(rows)), chunk(b"IEND", b"")))


def chunk(name: bytes, body: bytes) -> bytes:
    """One chunk of a PNG."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def noted(whole: bytes, note: bytes) -> bytes:
    """The same PNG picture with a note before its end: another file to whoever compares bytes."""
    return whole[:-12] + chunk(b"tEXt", b"Comment\0" + note) + whole[-12:]


def jpeg(pixels: Pixels, *, quality: int = 95, is_progressive: bool = False, exif: bytes = b"") -> bytes:
    """A JPEG of uint8 pixels: (h, w) gray or (h, w, 3) RGB, with a TIFF block as its EXIF segment."""
    flags = [cv2.IMWRITE_JPEG_QUALITY, quality, cv2.IMWRITE_JPEG_PROGRESSIVE, int(is_progressive)]
    written, encoded = cv2.imencode(".jpg", pixels if pixels.ndim == 2 else pixels[..., ::-1], flags)
    assert written
    data = encoded.tobytes()
    return data[:2] + _segment(0xE1, b"Exif\0\0" + exif) + data[2:] if exif else data


def cmyk_jpeg(cmyk: Pixels) -> bytes:
    """A baseline JPEG of uint8 (h, w, 4) as Adobe writes CMYK, inverted: four gray JPEGs of one quality, as four scans of one file."""
    scans = [jpeg(np.ascontiguousarray(255 - cmyk[..., index])) for index in range(4)]
    first = scans[0]
    frame, start = first.index(b"\xff\xc0"), first.index(b"\xff\xda")
    height, width = cmyk.shape[:2]
    components = b"".join(bytes((index + 1, 0x11, 0)) for index in range(4))
    # Everything but SOF0 is a gray JPEG's own: its tables serve all four.
    frame_end = frame + 2 + int.from_bytes(first[frame + 2 : frame + 4], "big")
    parts = [b"\xff\xd8", _segment(0xEE, b"Adobe\0\x64\0\0\0\0\0"), first[2:frame]]
    parts += [_segment(0xC0, struct.pack(">BHHB", 8, height, width, 4) + components), first[frame_end:start]]
    for index, data in enumerate(scans):
        entropy = data[data.index(b"\xff\xda") + 10 : -2]
        parts += [_segment(0xDA, bytes((1, index + 1, 0, 0, 63, 0))), entropy]
    return b"".join((*parts, b"\xff\xd9"))


def orientation(value: int) -> bytes:
    """A TIFF block that holds nothing but the EXIF orientation."""
    return struct.pack(">2sHIHHHIHHI", b"MM", 42, 8, 1, 0x0112, 3, 1, value, 0, 0)


def dicom(pixels: Pixels, modality: str = "DX", *, syntax: UID = ExplicitVRLittleEndian, has_preamble: bool = True, **tags: Any) -> bytes:
    """A DICOM file with the planted patient.

    Args:
        pixels: (h, w) or (frames, h, w) of uint8, uint16 or int16; (h, w, 3) of uint8 for RGB.
        modality: CT gets RescaleIntercept -1024, unless told otherwise.
        syntax: implicit, explicit, big endian, deflated, RLE, or one of compressed.SYNTAXES.
        has_preamble: False leaves out preamble, prefix and file meta group.
        tags: keywords set last; None removes one.
    """
    dataset = _dataset(pixels, modality)
    for keyword, value in tags.items():
        if value is None:
            if keyword in dataset:
                del dataset[keyword]
        else:
            setattr(dataset, keyword, value)
    if syntax == RLELossless:
        dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        dataset.compress(RLELossless, generate_instance_uid=False)
    if syntax in compressed.SYNTAXES and "PixelData" not in tags:
        frames = pixels if dataset.get("NumberOfFrames") else [pixels]
        bits = _bits(pixels)
        unsigned = [frame.view(np.uint16) if frame.dtype == np.int16 else frame for frame in frames]
        dataset.PixelData = encapsulate([compressed.compress(frame, syntax, bits) for frame in unsigned])
        dataset["PixelData"].VR = "OB"  # PS3.5 A.4
    if syntax in _COLOURS and dataset.get("SamplesPerPixel") == 3 and "PhotometricInterpretation" not in tags:
        dataset.PhotometricInterpretation = _COLOURS[syntax]
    dataset.file_meta.TransferSyntaxUID = syntax
    if syntax == ExplicitVRBigEndian and "PixelData" in dataset and dataset.BitsAllocated == 16:
        dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
    buffer = BytesIO()
    if has_preamble:
        dataset.preamble = bytes(128)
        dcmwrite(buffer, dataset, enforce_file_format=True)
        return buffer.getvalue()
    del dataset.file_meta
    dcmwrite(buffer, dataset, implicit_vr=syntax == ImplicitVRLittleEndian, little_endian=syntax != ExplicitVRBigEndian)
    return buffer.getvalue()


def report() -> bytes:
    """A DICOM structured report: no image at all."""
    return dicom(np.zeros((2, 2), np.uint8), "SR", PixelData=None, Rows=None, Columns=None, BitsAllocated=None)


def _dataset(pixels: Pixels, modality: str) -> Dataset:
    is_colour = pixels.ndim == 3 and pixels.shape[2] == 3
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    digest = hashlib.sha256(pixels.tobytes() + modality.encode()).digest()
    for keyword, level in (("StudyInstanceUID", 1), ("SeriesInstanceUID", 2), ("SOPInstanceUID", 3)):
        setattr(dataset, keyword, f"2.25.{int.from_bytes(digest[:12], 'big')}{level}")
    for keyword, value in PLANTED.items():
        setattr(dataset, keyword, value)
    dataset.SOPClassUID = _SOP_CLASSES.get(modality, SecondaryCaptureImageStorage)
    dataset.file_meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    dataset.file_meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
    dataset.SpecificCharacterSet = "ISO_IR 192"
    dataset.Modality = modality
    dataset.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"] if modality == "CT" else ["ORIGINAL", "PRIMARY"]
    dataset.PatientSex, dataset.PatientAge = "F", "073Y"
    dataset.Manufacturer, dataset.ManufacturerModelName = "Lungline Phantoms", "Corpus 1"
    if modality in ("CR", "DX"):
        dataset.ViewPosition = "PA"
    if modality == "CT":
        dataset.RescaleIntercept, dataset.RescaleSlope = -1024, 1
    dataset.SamplesPerPixel = 3 if is_colour else 1
    dataset.PhotometricInterpretation = "RGB" if is_colour else "MONOCHROME2"
    if is_colour:
        dataset.PlanarConfiguration = 0
    if pixels.ndim == 3 and not is_colour:
        dataset.NumberOfFrames = pixels.shape[0]
    dataset.Rows, dataset.Columns = pixels.shape[:2] if is_colour else pixels.shape[-2:]
    dataset.BitsAllocated = 8 * pixels.dtype.itemsize
    dataset.BitsStored = _bits(pixels)
    dataset.HighBit = dataset.BitsStored - 1
    dataset.PixelRepresentation = int(np.issubdtype(pixels.dtype, np.signedinteger))
    data = pixels.tobytes()
    dataset.PixelData = data + b"\0" * (len(data) % 2)
    dataset["PixelData"].VR = "OW" if dataset.BitsAllocated > 8 else "OB"
    return dataset


def _bits(pixels: Pixels) -> int:
    return max(8, int(pixels.max()).bit_length()) if pixels.dtype == np.uint16 else 8 * pixels.dtype.itemsize


def _packed(row: Pixels, bits: int) -> bytes:
    if bits == 16:
        return row.astype(">u2").tobytes()
    if bits == 8:
        return row.tobytes()
    every = np.unpackbits(row.astype(np.uint8)[:, None], axis=1)[:, 8 - bits :]
    return np.packbits(every.ravel()).tobytes()


def _segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body
