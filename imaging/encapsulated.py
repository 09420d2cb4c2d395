"""Which fragments of encapsulated pixel data make which frame (DICOM PS3.5 A.4).

Offset tables are not asked: many are zero, absolute, short, or of another file. Compressed frames say themselves where they begin and end.
"""

from typing import Final

from pydicom.encaps import parse_fragments
from pydicom.uid import HTJ2K, JPEG2000, UID, HTJ2KLossless, HTJ2KLosslessRPCL, JPEG2000Lossless, RLELossless

from imaging.codestream import J2K_START, JP2_START
from lungline.errors import UnreadableScan
from lungline.reasons import Reason

_JPEG_2000: Final = (JPEG2000Lossless, JPEG2000, HTJ2KLossless, HTJ2KLosslessRPCL, HTJ2K)
_JPEG_START: Final = b"\xff\xd8\xff"
_END: Final = b"\xff\xd9"  # of JPEG, JPEG-LS and JPEG 2000 alike
_PADDING_MAX: Final = 64  # zeros behind the end mark; the standard has one at most
# An RLE frame's header (PS3.5 G.5): the number of segments, then where each begins, the first of them behind the header.
_RLE_HEADER, _SEGMENTS_MAX = 64, 15
_RLE_START: Final = b"\0\0\0" + _RLE_HEADER.to_bytes(4, "little")


def frame(value: bytes, syntax: UID, number: int, frames: int) -> bytes:
    """One compressed frame.

    Args:
        value: of Pixel Data, with its items.
        syntax: the transfer syntax.
        number: of the frame, from 1.
        frames: how many the header tells of; a single one is made of all fragments.

    Raises:
        UnreadableScan: `truncated` or `not_an_image`, if there are fewer or more frames than that.
        ValueError: the value holds something else than items.
    """
    fragments = _fragments(value, syntax)
    if not fragments:
        raise UnreadableScan(Reason.TRUNCATED)
    firsts = _firsts(fragments, syntax, frames)
    if len(firsts) < frames:
        raise UnreadableScan(Reason.TRUNCATED, "The file has fewer compressed frames than its header says.")
    if len(firsts) > frames:
        raise UnreadableScan(Reason.NOT_AN_IMAGE, "The file has more compressed frames than its header says.")
    last = firsts[number] if number < frames else len(fragments)
    return b"".join(fragments[firsts[number - 1] : last])


def _fragments(value: bytes, syntax: UID) -> list[memoryview]:
    """All items but the basic offset table, and without empty ones at the end."""
    _count, offsets = parse_fragments(value)
    whole = memoryview(value)  # a file of many frames is not copied for each of them
    items = [whole[at + 8 : at + 8 + int.from_bytes(value[at + 4 : at + 8], "little")] for at in offsets]
    if items and not _begins(items[0], syntax):  # some writers leave the table out
        del items[0]
    while items and not items[-1]:
        items.pop()
    return items


def _firsts(fragments: list[memoryview], syntax: UID, frames: int) -> list[int]:
    """The place of each frame's first fragment."""
    if frames == 1:
        return [0]
    if syntax == RLELossless and len(fragments) == frames:  # as the standard has it
        return list(range(frames))
    # A frame whose own beginning is damaged is still a frame, if the one before it has ended.
    return [at for at, each in enumerate(fragments) if at == 0 or _begins(each, syntax) or _ends(fragments[at - 1], syntax)]


def _begins(fragment: memoryview, syntax: UID) -> bool:
    head = bytes(fragment[:_RLE_HEADER])
    if syntax == RLELossless:
        return len(head) == _RLE_HEADER and head[0] in range(1, _SEGMENTS_MAX + 1) and head[1:8] == _RLE_START
    return head.startswith((J2K_START, JP2_START) if syntax in _JPEG_2000 else _JPEG_START)


def _ends(fragment: memoryview, syntax: UID) -> bool:
    return syntax != RLELossless and bytes(fragment[-_PADDING_MAX:]).rstrip(b"\0").endswith(_END)
