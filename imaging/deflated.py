"""Where a DICOM file's meta group really ends, and what a deflated one unfolds into (DICOM PS3.10 7.1, PS3.5 A.5)."""

import re
import zlib
from typing import Final

from pydicom.uid import ExplicitVRLittleEndian

from imaging.limits import INFLATED_BYTES_MAX
from lungline.errors import UnreadableScan
from lungline.reasons import Reason

_META: Final = 132  # preamble and prefix
_ELEMENT: Final = re.compile(rb"\x02\0(..)([A-Z]{2})", re.DOTALL)
_LONG: Final = frozenset({b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT", b"UV"})  # PS3.5 table 7.1-1
_SYNTAX: Final = b"\x10\0"
_DEFLATED: Final = b"1.2.840.10008.1.2.1.99"


def meta_end(data: bytes) -> int:
    """Where the data set begins, behind preamble and meta group; beyond the end of a file that was cut in between.

    The group's elements tell it, not its length, which editors of headers leave as it was.
    """
    start, elements = _meta_elements(data)
    return max((end for _begin, end in elements.values()), default=start)


def inflate(data: bytes) -> bytes:
    """A deflated file as the explicit little endian one that it was made from; other files as they are.

    pydicom would inflate without bound.

    Raises:
        UnreadableScan: `not_an_image`, `truncated` or `too_large`.
    """
    _start, elements = _meta_elements(data)
    begin, end = elements.get(_SYNTAX, (0, 0))
    if data[begin:end].rstrip(b"\0 ") != _DEFLATED:
        return data
    head_end = meta_end(data)
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        plain = inflater.decompress(data[head_end:], INFLATED_BYTES_MAX)
    except zlib.error:
        raise UnreadableScan(Reason.NOT_AN_IMAGE) from None
    if not inflater.eof:
        raise UnreadableScan(Reason.TOO_LARGE if inflater.unconsumed_tail else Reason.TRUNCATED)
    syntax = str(ExplicitVRLittleEndian).encode().ljust(end - begin, b"\0")
    return data[:begin] + syntax + data[end:head_end] + plain


def _meta_elements(data: bytes) -> tuple[int, dict[bytes, tuple[int, int]]]:
    """Where the meta group begins, and element number -> begin and end of the value; explicit VR in little endian, their numbers ascend."""
    start = at = _META if data[_META - 4 : _META] == b"DICM" else 0
    elements: dict[bytes, tuple[int, int]] = {}
    while (found := _ELEMENT.match(data, at)) and all(found[1][::-1] > number[::-1] for number in elements):
        begin, size = (at + 12, 4) if found[2] in _LONG else (at + 8, 2)
        at = begin + int.from_bytes(data[begin - size : begin], "little")
        elements[found[1]] = begin, at
    return start, elements
