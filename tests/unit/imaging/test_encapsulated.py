"""Frames out of fragments, whatever the offset tables say: the right frame or none."""

import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from pydicom.uid import (
    UID,
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    JPEGLSLossless,
    RLELossless,
)

from imaging.phantoms import phantom
from imaging.read import read
from lungline.errors import UnreadableScan
from lungline.reasons import Reason
from tests.corpus import compressed
from tests.corpus.files import dicom

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom")

SYNTAXES = (JPEGLSLossless, JPEGLosslessSV1, JPEGExtended12Bit, JPEG2000Lossless, RLELossless)
MARKED = tuple(syntax for syntax in SYNTAXES if syntax != RLELossless)
FRAMES = [phantom("ct", seed, side=32) for seed in range(3)]


@cache
def streams(syntax: UID) -> tuple[bytes, ...]:
    """Each of FRAMES compressed, of even length."""
    found = []
    for pixels in FRAMES:
        if syntax == RLELossless:
            data = dicom(pixels, "CT", syntax=syntax)
            at = data.rindex(b"\xfe\xff\0\xe0") + 8
            found.append(data[at : at + int.from_bytes(data[at - 4 : at], "little")])
        else:
            data = compressed.compress(pixels, syntax, 12)
            found.append(data + b"\0" * (len(data) % 2))
    return tuple(found)


def item(value: bytes) -> bytes:
    return b"\xfe\xff\0\xe0" + struct.pack("<I", len(value)) + value


def scan(syntax: UID, fragments: Sequence[bytes], table: Sequence[int] | None = (), *, frames: int | None = 3, **tags: Any) -> bytes:
    """A file of these fragments behind this offset table; None leaves the table out."""
    values = ([] if table is None else [struct.pack(f"<{len(table)}I", *table)]) + list(fragments)
    data = b"".join(map(item, values)) + b"\xfe\xff\xdd\xe0" + bytes(4)
    made = dicom(FRAMES[0] >> 8, "CT", syntax=JPEGLSLossless, NumberOfFrames=frames, PixelData=data, BitsStored=12, HighBit=11, **tags)
    length_at = made.index(str(JPEGLSLossless).encode()) - 2
    uid = str(syntax).encode() + b"\0" * (len(str(syntax)) % 2)
    return (
        made[:length_at]
        + len(uid).to_bytes(2, "little")
        + uid
        + made[length_at + 2 + len(str(JPEGLSLossless)) + len(str(JPEGLSLossless)) % 2 :]
    )


@cache
def alone(syntax: UID, number: int) -> npt.NDArray[np.float32]:
    return read(scan(syntax, streams(syntax)[number - 1 : number], frames=1)).pixels


def assert_right(data: bytes, syntax: UID, frames: Sequence[int] = (1, 2, 3)) -> None:
    for number in frames:
        assert np.array_equal(read(data, number).pixels, alone(syntax, number))


def starts(syntax: UID) -> list[int]:
    ends = np.cumsum([8 + len(stream) for stream in streams(syntax)]).tolist()
    return [0, *ends[:-1]]


def halves(syntax: UID) -> list[bytes]:
    return [half for stream in streams(syntax) for half in (stream[: len(stream) // 4 * 2], stream[len(stream) // 4 * 2 :])]


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_frames_alone_differ(syntax: UID) -> None:
    assert np.abs(alone(syntax, 1) - alone(syntax, 3)).max() > 0.1


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_offset_table_never_moves_a_frame_with_one_fragment(syntax: UID) -> None:
    right = starts(syntax)
    tables = {
        "empty": [],
        "right": right,
        "zeros": [0, 0, 0],
        "absolute": [at + 1000 for at in right],
        "behind the first item": [at + 8 for at in right],
        "in another order": [right[0], right[2], right[1]],
        "short": right[:2],
        "long": [*right, right[-1] + 5000],
        "beyond the end": [0, 2**31, 2**32 - 1],
    }
    for table in tables.values():
        assert_right(scan(syntax, streams(syntax), table), syntax)
    assert_right(scan(syntax, streams(syntax), None), syntax)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_extended_offset_tables_move_no_frame_either(syntax: UID) -> None:
    lengths = [len(stream) for stream in streams(syntax)]
    for offsets, sizes in ((starts(syntax), lengths), ([0, 0, 0], lengths), ([8, 16, 24], [1, 1, 1]), ([0], lengths[:1])):
        tables: dict[str, Any] = {
            "ExtendedOffsetTable": struct.pack(f"<{len(offsets)}Q", *offsets),
            "ExtendedOffsetTableLengths": struct.pack(f"<{len(sizes)}Q", *sizes),
        }
        assert_right(scan(syntax, streams(syntax), **tables), syntax)


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize("table", [[], [0], [8], [1234], [0, 0], [2**32 - 1]], ids=str)
def test_a_single_frame_is_all_its_fragments(syntax: UID, table: list[int]) -> None:
    for fragments in (streams(syntax)[:1], halves(syntax)[:2], [*streams(syntax)[:1], b""]):
        assert_right(scan(syntax, fragments, table, frames=1), syntax, [1])
        assert_right(scan(syntax, fragments, table, frames=None), syntax, [1])


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
@pytest.mark.parametrize("table", [[], [0, 0, 0], [0, 8, 16]], ids=str)
def test_frames_of_several_fragments_are_split_by_their_starts(syntax: UID, table: list[int]) -> None:
    parts = halves(syntax)
    assert_right(scan(syntax, parts, table), syntax)
    assert_right(scan(syntax, [streams(syntax)[0], *parts[2:4], streams(syntax)[2]], table), syntax)
    assert_right(scan(syntax, [*streams(syntax), b""], table), syntax)


def refusal(data: bytes, number: int) -> UnreadableScan:
    with pytest.raises(UnreadableScan) as error:
        read(data, number)
    return error.value


@pytest.mark.parametrize("syntax", SYNTAXES, ids=lambda syntax: syntax.keyword)
def test_more_or_fewer_frames_than_the_header_says_give_none(syntax: UID) -> None:
    first, second, third = streams(syntax)
    for number in (1, 2):
        error = refusal(scan(syntax, [first, second, third], starts(syntax), frames=2), number)
        assert (error.reason, error.detail) == (Reason.NOT_AN_IMAGE, "The file has more compressed frames than its header says.")
    for number in (1, 2, 3):
        error = refusal(scan(syntax, [first, second]), number)
        assert (error.reason, error.detail) == (Reason.TRUNCATED, "The file has fewer compressed frames than its header says.")


@pytest.mark.parametrize("syntax", MARKED, ids=lambda syntax: syntax.keyword)
def test_as_many_fragments_as_frames_may_still_be_fewer_frames(syntax: UID) -> None:
    """The first in two fragments, the third cut off: the third fragment is no third frame."""
    data = scan(syntax, [*halves(syntax)[:2], streams(syntax)[1]])
    for number in (1, 2, 3):
        assert refusal(data, number).reason is Reason.TRUNCATED


@pytest.mark.parametrize("syntax", MARKED, ids=lambda syntax: syntax.keyword)
def test_a_damaged_frame_leaves_the_others(syntax: UID) -> None:
    first, second, third = streams(syntax)
    data = scan(syntax, [first, b"\1\2" + second[2:], third])
    assert_right(data, syntax, [1, 3])
    assert refusal(data, 2).reason is Reason.NOT_AN_IMAGE


def test_no_fragment_at_all_is_a_cut() -> None:
    assert refusal(scan(JPEGLSLossless, [], frames=1), 1).reason is Reason.TRUNCATED
    assert refusal(scan(JPEGLSLossless, [b"", b""], frames=2), 1).reason is Reason.TRUNCATED
