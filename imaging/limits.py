"""How large an image may be: checked against the header, before anything is allocated."""

from typing import Final

from lungline.errors import UnreadableScan
from lungline.reasons import Reason

# The largest chest radiographs, film scanned at 50 µm, have some 60 megapixels. At 100 a 16-bit frame takes 200 MB, and 400 MB as float32.
PIXELS_MAX: Final = 100_000_000
# Real multi-frame files hold some thousands. A header may claim 2**31, and each frame becomes a row in the database.
FRAMES_MAX: Final = 10_000
# What a deflated DICOM file may unfold into; a bomb of 4 MB unfolds into 4 GB.
INFLATED_BYTES_MAX: Final = 256 * 1024 * 1024


def check_size(rows: int, columns: int, frames: int = 1) -> None:
    """Refuses dimensions that no scan has.

    Raises:
        UnreadableScan: `not_an_image` for an empty picture, `too_large` for more than PIXELS_MAX pixels or FRAMES_MAX frames.
    """
    if rows < 1 or columns < 1:
        raise UnreadableScan(Reason.NOT_AN_IMAGE, "According to its header, the image has no rows or no columns.")
    if rows * columns > PIXELS_MAX:
        raise UnreadableScan(
            Reason.TOO_LARGE, f"According to its header, the image has more than {PIXELS_MAX // 1_000_000} million pixels."
        )
    if frames > FRAMES_MAX:
        raise UnreadableScan(Reason.TOO_LARGE, f"According to its header, the file has more than {FRAMES_MAX:,} frames.")


def check_frame(frame: int, frames: int) -> None:
    """Refuses a frame that the file does not hold.

    Raises:
        UnreadableScan: `no_pixels`.
    """
    if not 1 <= frame <= frames:
        raise UnreadableScan(Reason.NO_PIXELS, "The file has fewer frames than its header says.")
