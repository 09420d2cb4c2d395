"""What the watcher takes for an archive, and when one has its end."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lungline.layout import ARCHIVE_BYTES_MAX, FILE_BYTES_MAX
from tests.corpus.archives import streamed, zip64, zipped, zipped_list
from watcher.archives import bytes_max, has_end, is_archive
from watcher.limits import Limits
from watcher.stability import patience_seconds

DATA = {"DICOM/IM1": b"slice" * 1000, "DICOM/IM2": b"slice"}


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[[bytes], int]]:
    descriptors = []

    def opened(data: bytes) -> int:
        path = tmp_path / "a"
        path.write_bytes(data)
        descriptors.append(os.open(path, os.O_RDONLY))
        return descriptors[-1]

    yield opened
    for descriptor in descriptors:
        os.close(descriptor)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (zipped(DATA), True),
        (zipped({}), True),
        (b"PK\x03\x04" + bytes(124) + b"DICM" + bytes(100), False),
        (b"\x89PNG\r\n\x1a\n", False),
        (b"", False),
    ],
)
def test_an_archive_is_known_by_how_it_begins(opened: Callable[[bytes], int], data: bytes, expected: bool) -> None:
    descriptor = opened(data)
    assert is_archive(descriptor) is expected
    assert bytes_max(descriptor) == (ARCHIVE_BYTES_MAX if expected else FILE_BYTES_MAX)


@pytest.mark.parametrize("make", [zipped, streamed, zip64], ids=lambda make: make.__name__)
def test_an_archive_ends_with_its_directory(opened: Callable[[bytes], int], make: Callable[..., bytes]) -> None:
    data = make(DATA)
    assert has_end(opened(data), len(data))
    for cut in (1, 22, 60, len(data) // 2):
        assert not has_end(opened(data[:-cut]), len(data) - cut)


def test_a_comment_belongs_to_the_end(opened: Callable[[bytes], int]) -> None:
    data = bytearray(zipped(DATA))
    data[-2:] = (300).to_bytes(2, "little")
    assert not has_end(opened(bytes(data)), len(data))
    data += bytes(300)
    assert has_end(opened(bytes(data)), len(data))


def test_end_of_an_inner_archive_is_not_that_of_the_outer(opened: Callable[[bytes], int]) -> None:
    inner = zipped(DATA)
    outer = zipped_list([("first", bytes(5000)), ("inner.zip", inner), ("last", b"x")], 0)
    cut = outer[: outer.index(inner) + len(inner)]
    assert not has_end(opened(cut), len(cut))


def test_an_archive_without_its_end_is_waited_for(opened: Callable[[bytes], int], monkeypatch: pytest.MonkeyPatch) -> None:
    data, limits = zipped(DATA), Limits()
    assert patience_seconds(opened(data), len(data), limits) == 0.0
    half = len(data) // 2
    assert patience_seconds(opened(data[:half]), half, limits) == limits.patience
    monkeypatch.setattr("watcher.stability.has_writer", lambda _: None)  # as on a network share
    assert patience_seconds(opened(data[:half]), half, limits) == limits.patience_for_archive
