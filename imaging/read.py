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

_ZEROS = 4096  # bytes


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


def read(data: bytes, frame: int = 1, units_window: tuple[float, float] | None = None) -> Image:
    """Decodes one frame (from 1) of a DICOM, PNG or JPEG file.

    `units_window`: centre and width that a CT's Hounsfield units are shown in, for people; networks see the lung window.

    Raises:
        UnreadableScan: always with one of our reasons, whatever the bytes are.
    """
    try:
        if (found := formats.detect(data)) is Format.DICOM:
            from imaging import dicom  # half a second and 50 MB of codecs, which an owner of readers need not load

            pixels, frames, facts = dicom.decode(data, frame, *filter(None, [units_window]))
        else:
            check_frame(frame, 1)
            pixels, frames, facts = raster.decode(data, found), 1, Facts()
    except UnreadableScan as error:
        raise _or_unwritten(error, data) from None
    except MemoryError:
        raise UnreadableScan(Reason.TOO_LARGE) from None
    except Exception:  # a library met bytes that it did not expect; its words may quote them
        raise _or_unwritten(UnreadableScan(Reason.NOT_AN_IMAGE), data) from None
    rows, columns = pixels.shape
    return Image(pixels, frames, rows, columns, facts)


def read_facts(data: bytes, frame: int = 1) -> Facts:
    """What the header of a file says of one frame (from 1), without decoding its pixels; of PNG and JPEG nothing.

    Raises:
        UnreadableScan: as `read` does.
    """
    try:
        if formats.detect(data) is not Format.DICOM:
            return Facts()
        from imaging import dicom

        return dicom.describe(data, frame)
    except UnreadableScan:
        raise
    except Exception:
        raise UnreadableScan(Reason.NOT_AN_IMAGE) from None


def _or_unwritten(error: UnreadableScan, data: bytes) -> UnreadableScan:
    """Of an image that cannot be decoded and ends in zeros: its sender set the file's length first, and never came to its end."""
    is_unwritten = error.reason is Reason.NOT_AN_IMAGE and any(data[:_ZEROS]) and len(data) > _ZEROS and not any(data[-_ZEROS:])
    return UnreadableScan(Reason.TRUNCATED) if is_unwritten else error
