"""ZIP archives as the watcher knows them: by how they begin, whether their end is there, and how large they may be."""

import os
import struct
from typing import Final

from lungline.layout import ARCHIVE_BYTES_MAX, FILE_BYTES_MAX

_BEGINNINGS: Final = (b"PK\x03\x04", b"PK\x05\x06")  # the first member, or the end of an empty archive (APPNOTE 4.3.7, 4.3.16)
_END: Final = struct.Struct("<4s4H2LH")  # end of central directory record
_END_MARK: Final = b"PK\x05\x06"
_ENTRY_MARK: Final = b"PK\x01\x02"
_LONGEST_COMMENT: Final = 0xFFFF
_IN_ZIP64: Final = 0xFFFFFFFF  # where the directory begins is told elsewhere


def is_archive(descriptor: int) -> bool:
    """Whether a file begins as a ZIP archive; one that is DICOM as well counts as DICOM."""
    head = os.pread(descriptor, 132, 0)
    return head.startswith(_BEGINNINGS) and head[128:132] != b"DICM"


def bytes_max(descriptor: int) -> int:
    """How large a file may be to be read: an archive may be larger than what it holds."""
    return ARCHIVE_BYTES_MAX if is_archive(descriptor) else FILE_BYTES_MAX


def has_end(descriptor: int, size: int) -> bool:
    """Whether an archive ends with the record that is written last (APPNOTE 4.3.16), and that points to its directory.

    An archive that is cut off may end within a stored archive, whose record points elsewhere.
    """
    start = max(0, size - _END.size - _LONGEST_COMMENT)
    tail = os.pread(descriptor, size - start, start)
    at = tail.rfind(_END_MARK)
    while at >= 0:
        if len(tail) - at >= _END.size:
            _, _, _, _, entries, _, directory, comment = _END.unpack_from(tail, at)
            mark = _ENTRY_MARK if entries else _END_MARK
            is_at_end = start + at + _END.size + comment == size
            if is_at_end and (directory == _IN_ZIP64 or os.pread(descriptor, 4, directory) == mark):
                return True
        at = tail.rfind(_END_MARK, 0, at)
    return False
