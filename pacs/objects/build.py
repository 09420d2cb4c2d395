"""Makes one object, in a child process: what it reads are untrusted bytes."""

from io import BytesIO
from typing import Final

from lungline.errors import UnreadableScan
from lungline.reasons import Reason
from pacs.objects import capture, originals, report
from pacs.objects.order import ObjectOrder

FUNCTION: Final = "pacs.objects.build:build"


def build(order: ObjectOrder) -> bytes:
    """A DICOM file (Part 10).

    Raises:
        UnreadableScan: the originals cannot be read, or lack what an object needs.
    """
    shown = originals.load(order.evidence, order.paths)
    try:
        made = (capture if order.kind == "sc" else report).make(order.evidence, shown, order.identity)
        buffer = BytesIO()
        made.save_as(buffer, enforce_file_format=True)
    except (ValueError, TypeError, AttributeError, LookupError):  # a header's value that the standard forbids; its words may quote it
        raise UnreadableScan(Reason.UNSUPPORTED_FORMAT, "The header of the original has values that no result can inherit.") from None
    return buffer.getvalue()
