"""Tells a file's format by its first bytes."""

import re
from enum import StrEnum
from typing import Final

from lungline.errors import UnreadableScan
from lungline.reasons import Reason


class Format(StrEnum):
    """The formats that are read."""

    DICOM = "dicom"
    PNG = "png"
    JPEG = "jpeg"


_READ: Final = {b"\x89PNG\r\n\x1a\n": Format.PNG, b"\xff\xd8\xff": Format.JPEG}

# (name for people, offset, bytes there): known, and not read.
_KNOWN: Final = (
    ("a TIFF image", 0, rb"II[*+]\0|MM\0[*+]"),
    ("a BMP image", 0, rb"BM.{12}[\x0c\x28\x34\x38\x40\x6c\x7c]\0\0\0"),
    ("a GIF image", 0, rb"GIF8[79]a"),
    ("a WebP image", 0, rb"RIFF.{4}WEBP"),
    ("a JPEG 2000 image", 0, rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51"),
    ("a JPEG XL image", 0, rb"\0\0\0\x0cJXL |\xff\x0a"),
    ("a HEIF, AVIF or video file", 4, rb"ftyp"),
    ("a netpbm image", 0, rb"P[1-7][\r\n #]"),
    ("a Photoshop image", 0, rb"8BPS\0"),
    ("an SVG drawing", 0, rb"(<\?xml[^>]*>\s*)?<svg"),
    ("a NIfTI volume", 344, rb"n[i+]1\0"),
    ("an NRRD volume", 0, rb"NRRD000"),
    ("a MetaImage volume", 0, rb"ObjectType *= *Image"),
    ("a PDF document", 0, rb"%PDF-"),
    ("an HDF5 file", 0, rb"\x89HDF\r\n\x1a\n"),
)

# Of these, a ZIP archive that is dropped by itself is unpacked (imaging/archives.py), and comes here only within another file.
_ARCHIVES: Final = (
    ("a ZIP archive", 0, rb"PK(\x03\x04|\x05\x06|\x07\x08)"),
    ("a gzip archive", 0, rb"\x1f\x8b\x08"),
    ("a 7z archive", 0, rb"7z\xbc\xaf\x27\x1c"),
    ("a RAR archive", 0, rb"Rar!\x1a\x07"),
    ("a tar archive", 257, rb"ustar"),
    ("a bzip2 archive", 0, rb"BZh[1-9](1AY&SY|\x17\x72\x45\x38\x50\x90)"),
    ("an xz archive", 0, rb"\xfd7zXZ\0"),
    ("a Zstandard archive", 0, rb"\x28\xb5\x2f\xfd"),
)

# A data set without preamble begins with an element of group 0002 or 0008: explicit VR, big endian, or implicit VR with a small length.
_BARE_DICOM: Final = re.compile(rb"[\x02\x08]\0.\0([A-Z]{2}|..\0\0)|\0[\x02\x08]\0.[A-Z]{2}", re.DOTALL)


def detect(data: bytes) -> Format:
    """The format of a file's bytes.

    Raises:
        UnreadableScan: `empty`, `unsupported_format` for a known format that is not read, else `not_an_image`.
    """
    if not data:
        raise UnreadableScan(Reason.EMPTY)
    for magic, found in _READ.items():
        if data.startswith(magic):
            return found
        if magic.startswith(data):
            raise UnreadableScan(Reason.TRUNCATED)
    if data[128:132] == b"DICM":  # before the known others: a preamble may make the file a TIFF image too (PS3.10 7.1)
        return Format.DICOM
    for name, offset, pattern in (*_KNOWN, *_ARCHIVES):
        if re.compile(pattern, re.DOTALL).match(data, offset):
            raise UnreadableScan(Reason.UNSUPPORTED_FORMAT, f"The bytes are {name}, which Lungline does not read.")
    if _BARE_DICOM.match(data):
        return Format.DICOM
    raise UnreadableScan(Reason.NOT_AN_IMAGE)


def is_archive(head: bytes) -> bool:
    """Whether a file that begins with these bytes, 512 or more if it has so many, is an archive of a kind that is known, and no DICOM."""
    return head[128:132] != b"DICM" and any(re.compile(pattern).match(head, offset) for _, offset, pattern in _ARCHIVES)
