"""PNG and JPEG to gray, after a look at the header: no dimension is believed, and no half a file is taken for a whole one."""

import struct
from typing import Any, Final

import cv2
import numpy as np
import numpy.typing as npt

from imaging.codestream import SOF, jpeg_segments, sof
from imaging.formats import Format
from imaging.limits import check_size
from lungline.errors import UnreadableScan
from lungline.reasons import Reason

# Baseline, extended and progressive, by Huffman or arithmetic coding (ITU-T T.81, table B.1); no decoder here reads the other processes.
_SOF_READ: Final = frozenset({0xC0, 0xC1, 0xC2, 0xC9, 0xCA})


def decode(data: bytes, kind: Format) -> npt.NDArray[np.float32]:
    """A PNG of any mode, or an 8-bit JPEG with 1, 3 or 4 components, as float32 (rows, columns) in [0, 1].

    Colour becomes luma (ITU-R BT.601), what is transparent lies on black, an EXIF orientation is obeyed. 16-bit samples often hold a
    detector's 10 to 14: they are scaled by the smallest bit depth that covers the brightest pixel.

    Raises:
        UnreadableScan: `truncated`, `too_large`, `unsupported_format` or `not_an_image`.
    """
    has_alpha = _check_png(data) if kind is Format.PNG else _check_jpeg(data)
    # OpenCV obeys the orientation only if it may drop alpha.
    flags = cv2.IMREAD_UNCHANGED if has_alpha else cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR
    try:
        decoded = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError from None
        decoded = None
    if decoded is None:
        raise UnreadableScan(Reason.NOT_AN_IMAGE)
    return _gray(decoded)


def _gray(decoded: npt.NDArray[Any]) -> npt.NDArray[np.float32]:
    gray: npt.NDArray[Any] = decoded if decoded.ndim == 2 else cv2.cvtColor(decoded[..., :3], cv2.COLOR_BGR2GRAY)
    depth = 8 if gray.dtype == np.uint8 else max(8, int(gray.max()).bit_length())
    pixels = gray.astype(np.float32)
    pixels *= np.float32(1 / (2**depth - 1))
    if decoded.ndim == 3 and decoded.shape[2] == 4:
        pixels *= decoded[..., 3] / np.float32(np.iinfo(decoded.dtype).max)
    return np.minimum(pixels, 1, out=pixels)


def _check_png(data: bytes) -> bool:
    """Looks at IHDR, then walks the chunks to IEND; returns whether some pixels are transparent (PNG, third edition, 5.3, 11.2)."""
    if len(data) < 33:
        raise UnreadableScan(Reason.TRUNCATED)
    length, name, columns, rows, _depth, colour = struct.unpack_from(">I4sIIBB", data, 8)
    if name != b"IHDR" or length != 13:
        raise UnreadableScan(Reason.NOT_AN_IMAGE)
    check_size(rows, columns)
    has_alpha = colour in (4, 6)
    at = 8
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        if name == b"IEND":
            return has_alpha
        if not name.isalpha():
            # Some senders set a file's length first and write its bytes later.
            raise UnreadableScan(Reason.NOT_AN_IMAGE if any(data[at : at + 12]) else Reason.TRUNCATED)
        has_alpha = has_alpha or name == b"tRNS"
        at += 12 + length
    raise UnreadableScan(Reason.TRUNCATED)


def _check_jpeg(data: bytes) -> bool:
    """Looks at the head of the frame; returns False, as a JPEG is never transparent."""
    is_framed = False
    for marker, body in jpeg_segments(data):
        if marker not in SOF:
            continue
        if marker not in _SOF_READ:
            raise UnreadableScan(Reason.UNSUPPORTED_FORMAT, "The JPEG is lossless, hierarchical or JPEG-LS, which Lungline does not read.")
        is_framed = True
        head = sof(body)
        if head.bits != 8:
            raise UnreadableScan(Reason.UNSUPPORTED_FORMAT, "The JPEG has more than 8 bits a sample, which Lungline does not read.")
        check_size(head.rows, head.columns)
    if not is_framed:
        raise UnreadableScan(Reason.NOT_AN_IMAGE)
    return False
