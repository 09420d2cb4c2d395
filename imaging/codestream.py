"""What a compressed image says of itself: the heads of JPEG, JPEG-LS and JPEG 2000, read before a codec allocates what they claim."""

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from lungline.errors import UnreadableScan
from lungline.reasons import Reason

# Markers of ITU-T T.81, table B.1, and of JPEG-LS (T.87, table C.1). Start of frame: C0 to CF less DHT, JPG and DAC; F7 is JPEG-LS's.
SOF: Final = frozenset({*range(0xC0, 0xD0), 0xF7} - {0xC4, 0xC8, 0xCC})
_SOS, _LSE = 0xDA, 0xF8
_LOSSLESS: Final = frozenset({0xC3, 0xC7, 0xCB, 0xCF, 0xF7})
_BITS_DCT, _BITS_LOSSLESS = (8, 12), range(2, 17)  # T.81, table B.2; T.87 C.2.2
_EOI: Final = b"\xff\xd9"
_FIRST_OF_JPEG: Final = 0xC0  # below are a stuffed zero, and what is reserved
_NO_LENGTH: Final = frozenset({0x01, *range(0xD0, 0xD9)})  # TEM, RST0-7, SOI
_OVERSIZE: Final = 4  # the kind of an LSE segment that gives another size than the frame's own

# ITU-T T.800, table A.2.
J2K_START: Final = b"\xff\x4f\xff\x51"  # SOC and SIZ
_SOT, _EOC = b"\xff\x90", b"\xff\xd9"
JP2_START: Final = b"\0\0\0\x0cjP  "
_TILES_LIMIT: Final = 65_535  # the standard's
_TILES_MAX: Final = 4096  # OpenJPEG allocates for each before it reads one; scans have one, or some dozens


@dataclass(frozen=True)
class Head:
    """Of one frame; `bits` are a sample's."""

    rows: int
    columns: int
    samples: int
    bits: int
    is_signed: bool | None = None
    """Whether samples are signed; None where the format has no word for it (JPEG, JPEG-LS)."""


def jpeg_segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Markers with their segments' bodies, to the first scan's, behind which an end mark must stand (ITU-T T.81 B.1.1).

    Raises:
        UnreadableScan: `truncated`, or `not_an_image` for what is no marker.
    """
    at = 2
    while at + 4 <= len(data):
        if data[at] != 0xFF:
            # Some senders set a file's length first and write its bytes later.
            raise UnreadableScan(Reason.NOT_AN_IMAGE if any(data[at : at + 12]) else Reason.TRUNCATED)
        marker = data[at + 1]
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if marker in _NO_LENGTH:
            at += 2
            continue
        if marker < _FIRST_OF_JPEG:
            raise UnreadableScan(Reason.NOT_AN_IMAGE)
        end = at + 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
        if end > len(data):
            break
        yield marker, data[at + 4 : end]
        if marker == _SOS:
            if data.rfind(_EOI, end) < 0:
                break
            return
        at = end
    raise UnreadableScan(Reason.TRUNCATED)


def sof(body: bytes) -> Head:
    """The head of a frame from the body of its SOF segment.

    Raises:
        UnreadableScan: `not_an_image`, if the segment is too short for one.
    """
    if len(body) < 6:
        raise UnreadableScan(Reason.NOT_AN_IMAGE)
    bits, rows, columns, samples = struct.unpack_from(">BHHB", body)
    return Head(rows, columns, samples, bits)


def jpeg(data: bytes) -> Head:
    """The head of a JPEG or JPEG-LS image.

    Raises:
        UnreadableScan: `truncated` or `not_an_image`.
    """
    found: Head | None = None
    if not data.startswith(b"\xff\xd8\xff"):
        raise UnreadableScan(Reason.NOT_AN_IMAGE)
    for marker, body in jpeg_segments(data):
        if marker == _LSE and body[:1] == bytes((_OVERSIZE,)):
            raise UnreadableScan(Reason.NOT_AN_IMAGE)
        if marker in SOF:
            head = sof(body)
            if found or head.bits not in (_BITS_LOSSLESS if marker in _LOSSLESS else _BITS_DCT):
                raise UnreadableScan(Reason.NOT_AN_IMAGE)
            found = head
    if found is None:
        raise UnreadableScan(Reason.NOT_AN_IMAGE)
    return found


def jpeg_2000(data: bytes) -> Head:
    """The head of a JPEG 2000 codestream, bare or in a JP2 file, whose tiles must be whole (ITU-T T.800 A.4.2, A.5.1).

    Raises:
        UnreadableScan: `truncated`, `too_large` or `not_an_image`.
    """
    data = data[_jp2_codestream(data) :] if data.startswith(JP2_START) else data
    if not data.startswith(J2K_START):
        raise UnreadableScan(Reason.NOT_AN_IMAGE)
    if len(data) < 42 or len(data) < 4 + int.from_bytes(data[4:6], "big"):
        raise UnreadableScan(Reason.TRUNCATED)
    length, right, bottom, left, top, tile_width, tile_height, tile_left, tile_top, samples = struct.unpack_from(">H2x8IH", data, 4)
    components = data[42 : 42 + 3 * samples]
    # One size for all samples, and one depth: subsampled colour is for video.
    if not samples or length != 38 + 3 * samples or components != components[:3] * samples or components[1:3] != b"\1\1":
        raise UnreadableScan(Reason.NOT_AN_IMAGE)
    if not (tile_width and tile_height and tile_left <= left < right and tile_top <= top < bottom):
        raise UnreadableScan(Reason.NOT_AN_IMAGE)
    tiles = -(-(right - tile_left) // tile_width) * -(-(bottom - tile_top) // tile_height)
    if tiles > _TILES_LIMIT:
        raise UnreadableScan(Reason.NOT_AN_IMAGE)
    if tiles > _TILES_MAX:
        raise UnreadableScan(Reason.TOO_LARGE, f"The compressed image has more than {_TILES_MAX:,} tiles.")
    _check_tiles(data, 4 + length)
    return Head(bottom - top, right - left, samples, (components[0] & 0x7F) + 1, components[0] > 0x7F)


def _jp2_codestream(data: bytes) -> int:
    """Where the codestream begins in a JP2 file (T.800 annex I); its palette, which would multiply the samples, is not for DICOM."""
    found = re.search(rb"jp2c", data)
    if not found or b"pclr" in data[: found.start()]:
        raise UnreadableScan(Reason.NOT_AN_IMAGE)
    return found.end()


def _check_tiles(data: bytes, at: int) -> None:
    """Follows the main header's segments, then the tile parts, whose lengths tell whether all bytes are there."""
    while data[at : at + 2] != _SOT:
        if at + 4 > len(data):
            raise UnreadableScan(Reason.TRUNCATED)
        at += 2 + max(2, int.from_bytes(data[at + 2 : at + 4], "big"))
    while data[at : at + 2] == _SOT:
        length = int.from_bytes(data[at + 6 : at + 10], "big")
        if length == 0:  # the last part may leave it to the end mark
            if data.rfind(_EOC, at) < 0:
                raise UnreadableScan(Reason.TRUNCATED)
            return
        at += max(12, length)
    if at > len(data):
        raise UnreadableScan(Reason.TRUNCATED)
