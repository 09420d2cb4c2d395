"""Unpacks a ZIP archive, within bounds: the whole of what runs in the reader process for it.

The bounds are judged by the archive's directory before anything is unpacked. No member can exceed them later: of each, no more bytes are
taken than the directory says that it has, and no two may share bytes of the archive.
"""

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final
from zipfile import ZipFile, ZipInfo

from imaging.formats import is_archive
from lungline.errors import UnreadableScan
from lungline.inbox_names import is_ignored
from lungline.layout import FILE_BYTES_MAX
from lungline.reasons import Reason

FUNCTION: Final = "imaging.archives:unpack"

_BUFFER: Final = 1 << 20
_ENCRYPTED: Final = 0x1  # general purpose bit flag (APPNOTE 4.4.4)
_LOCAL_HEADER_BYTES: Final = 30  # without name and extra field (APPNOTE 4.3.7)
_LONGEST_NAME: Final = 255  # bytes, on every file system that matters


@dataclass(frozen=True)
class ArchiveLimits:
    """What one archive may hold. Tests lower these."""

    members: int = 50_000
    unpacked_bytes: int = 16 << 30
    ratio: int = 200
    """Unpacked bytes for each of the archive's; a film that is blank but for its frame has 50."""
    judged_bytes: int = 256 << 20
    """What unpacks to less is not judged by its ratio."""


@dataclass(frozen=True)
class ArchiveMember:
    """A file that an archive holds. Its bytes lie at `<target>/<number>/<name>`: all of them, or what could be had if it is refused."""

    number: int
    """In the archive's directory, from 0; always the same."""
    folders: str
    """Separated by `/`."""
    bytes: int
    """As many as the directory says."""
    sha256: str | None
    """None if not all bytes could be had."""
    reason: Reason | None
    """Why it is refused."""


def unpack(path: str, sha256: str, target: str, ignore: list[str], limits: ArchiveLimits = ArchiveLimits()) -> list[ArchiveMember] | str:
    """Unpacks the archive at `path`, whose bytes must have the hash `sha256`, into the empty folder `target`.

    Folders, and what hidden names or the patterns `ignore` leave alone, are passed over.

    Returns:
        The members in the order of the directory; or what is wrong with the disk, as the name of an error, if they cannot be written or
        the archive cannot be read now.

    Raises:
        UnreadableScan: `bytes_missing` if the archive is not there; `archive_damaged`, `archive_too_large` or `encrypted` if nothing
            of it is to be taken in.
    """
    try:
        with open(path, "rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise UnreadableScan(Reason.ARCHIVE_DAMAGED)
            with _opened(file) as archive:
                members = [(number, info) for number, info in enumerate(archive.infolist()) if _counts(info, ignore)]
                _check_bounds(archive, os.fstat(file.fileno()).st_size, limits)
                _check_room(Path(target), sum(info.file_size for _, info in members))
                if members and all(info.flag_bits & _ENCRYPTED for _, info in members):
                    raise UnreadableScan(Reason.ENCRYPTED)
                return [_unpack_member(archive, number, info, Path(target, str(number))) for number, info in members]
    except FileNotFoundError:
        raise UnreadableScan(Reason.BYTES_MISSING) from None
    except OSError as error:
        return os.strerror(error.errno or errno.EIO)


def _opened(file: IO[bytes]) -> ZipFile:
    try:
        return ZipFile(file)
    except MemoryError:
        raise UnreadableScan(Reason.ARCHIVE_TOO_LARGE) from None
    except Exception as error:  # whatever a malformed directory makes of the library
        if _is_of_disk(error):
            raise
        raise UnreadableScan(Reason.ARCHIVE_DAMAGED) from None


def _is_of_disk(error: Exception) -> bool:
    """Whether the system failed, and not the archive: bzip2's errors have no number, and a seek before the beginning is `EINVAL`."""
    return isinstance(error, OSError) and error.errno not in (None, errno.EINVAL)


def _check_bounds(archive: ZipFile, archive_bytes: int, limits: ArchiveLimits) -> None:
    infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
    unpacked = sum(info.file_size for info in infos)
    is_bomb = unpacked > limits.judged_bytes and unpacked > limits.ratio * archive_bytes
    if len(infos) > limits.members or unpacked > limits.unpacked_bytes or is_bomb:
        raise UnreadableScan(Reason.ARCHIVE_TOO_LARGE)
    ends = (info.header_offset + _LOCAL_HEADER_BYTES + len(info.orig_filename) + info.compress_size for info in infos)
    starts = (*(info.header_offset for info in infos[1:]), archive.start_dir)
    if any(end > start for end, start in zip(ends, starts, strict=False)):
        raise UnreadableScan(Reason.ARCHIVE_DAMAGED)  # members that share bytes: such a bomb needs no compression of itself


def _check_room(target: Path, unpacked: int) -> None:
    """Before anything is written: a disk that fills up meanwhile would stop the database as well."""
    if shutil.disk_usage(target).free < unpacked:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _parts(info: ZipInfo) -> list[str]:
    return info.filename.replace("\\", "/").split("/")


def _counts(info: ZipInfo, ignore: list[str]) -> bool:
    """Whether it is a file, and not left alone by its name or that of a folder."""
    parts = _parts(info)
    is_folder = parts[-1] == "" or stat.S_ISDIR(info.external_attr >> 16)
    return not is_folder and not any(is_ignored(part, ignore) for part in parts if part not in ("", ".", ".."))


def _is_unsafe(parts: Sequence[str]) -> bool:
    """Whether a path leads elsewhere than below the archive: `..`, an absolute one, or one of a drive. Here only its last part is used."""
    return parts[0] == "" or ".." in parts or parts[-1] == "." or parts[0][1:2] == ":"


def _unpack_member(archive: ZipFile, number: int, info: ZipInfo, folder: Path) -> ArchiveMember:
    parts = _parts(info)
    folder.mkdir()
    path = folder / _storable(parts[-1])
    mode = info.external_attr >> 16
    reason: Reason | None = None
    if info.flag_bits & _ENCRYPTED:
        reason = Reason.ENCRYPTED
    elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        reason = Reason.NOT_A_REGULAR_FILE
    elif info.file_size > FILE_BYTES_MAX:
        reason = Reason.TOO_LARGE
    if reason is not None:
        path.touch()  # for its name
        return ArchiveMember(number, "/".join(parts[:-1]), info.file_size, None, reason)
    sha256, head = _write(archive, info, path)
    if sha256 is None:
        reason = Reason.MEMBER_DAMAGED
    elif _is_unsafe(parts):
        reason = Reason.UNSAFE_NAME
    elif is_archive(head):
        reason = Reason.NESTED_ARCHIVE
    elif info.file_size == 0:
        reason = Reason.EMPTY
    return ArchiveMember(number, "/".join(parts[:-1]), info.file_size, sha256, reason)


def _storable(name: str) -> str:
    """A name that any file system takes; of one that is too long the end."""
    name = name.replace("\0", "")
    if name in ("", ".", ".."):
        return "unnamed"
    return os.fsdecode(os.fsencode(name)[-_LONGEST_NAME:])


def _write(archive: ZipFile, info: ZipInfo, path: Path) -> tuple[str | None, bytes]:
    """Unpacks one member; the hash of its bytes, or None if they are not all to be had or not as they were, and the first of them."""
    digest, size, head = hashlib.sha256(), 0, b""
    with path.open("xb") as file:
        try:
            with archive.open(info) as member:
                while data := member.read(_BUFFER):
                    head = head or data
                    digest.update(data)
                    size += file.write(data)
            file.flush()
        except Exception as error:  # a wrong checksum, a compression that is not known, a header that contradicts the directory
            if _is_of_disk(error):
                raise
            return None, head
    return digest.hexdigest() if size == info.file_size else None, head
