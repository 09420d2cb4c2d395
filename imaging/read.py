"""From the bytes of a file to a gray image in [0, 1] and what its header tells; the format is told by the bytes, never by a name."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from imaging import formats, raster
from imaging.formats import Format
from imaging.header import Facts
from imaging.limits import check_frame
from lungline.errors import UnreadableScan
from lungline.reasons import Reason


@dataclass(frozen=True, eq=False)
class Image:
    """One frame of a file."""

    pixels: npt.NDArray[np.float32]
    """(rows, columns), float32 in [0, 1], 0 black. CT: Hounsfield units in the lung window (centre -600, width 1500)."""
    frames: int
    """How many frames the file holds; 1 for PNG and JPEG."""
    rows: int
    columns: int
    facts: Facts


def read(data: bytes, frame: int = 1) -> Image:
    """Decodes one frame (from 1) of a DICOM, PNG or JPEG file.

    Raises:
        UnreadableScan: always with one of our reasons, whatever the bytes are.
    """
    try:
        if (found := formats.detect(data)) is Format.DICOM:
            from imaging import dicom  # half a second and 50 MB of codecs, which an owner of readers need not load

            pixels, frames, facts = dicom.decode(data, frame)
        else:
            check_frame(frame, 1)
            pixels, frames, facts = raster.decode(data, found), 1, Facts()
    except UnreadableScan:
        raise
    except MemoryError:
        raise UnreadableScan(Reason.TOO_LARGE) from None
    except Exception:  # a library met bytes that it did not expect; its words may quote them
        raise UnreadableScan(Reason.NOT_AN_IMAGE) from None
    rows, columns = pixels.shape
    return Image(pixels, frames, rows, columns, facts)
