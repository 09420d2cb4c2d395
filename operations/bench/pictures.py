"""Many PNG files out of few pictures, for `lungline bench`: a note in each tells it from the others, so that none is a duplicate."""

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

_FILES_PER_FOLDER: Final = 1000  # files; as a PACS has a folder a study or day
_END_BYTES: Final = 12  # of the IEND chunk, which stands last


def write_noted(folder: Path, drawn: Sequence[npt.NDArray[np.uint8]], count: int, mark: str) -> None:
    """Writes `count` PNG files below `folder`, each of `drawn` in its turn, no two with the same bytes.

    Args:
        folder: made if it is not there.
        drawn: pictures of uint8 (height, width).
        count: of files.
        mark: stands in each note; files of another mark have other bytes.
    """
    encoded = [cv2.imencode(".png", pixels)[1].tobytes() for pixels in drawn]
    for number in range(count):
        path = folder / f"{number // _FILES_PER_FOLDER:04}" / f"{number:07}.png"
        if number % _FILES_PER_FOLDER == 0:
            path.parent.mkdir(parents=True)
        path.write_bytes(_noted(encoded[number % len(encoded)], f"{mark}/{number}"))


def _noted(png: bytes, note: str) -> bytes:
    """With a tEXt chunk before its end (PNG specification, third edition, 11.3.3.2)."""
    body = b"tEXtComment\0" + note.encode("latin-1")
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return png[:-_END_BYTES] + chunk + png[-_END_BYTES:]
