"""ZIP archives as people, programs and attackers make them."""

import io
import struct
import zipfile
from collections.abc import Mapping
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

ENCRYPTED = 0x1


def zipped(members: Mapping[str, bytes], compression: int = ZIP_DEFLATED) -> bytes:
    """An archive of files by their paths."""
    return zipped_list(list(members.items()), compression)


def zipped_list(members: list[tuple[str | ZipInfo, bytes]], compression: int = ZIP_DEFLATED) -> bytes:
    """The same, in which names may repeat."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w", compression) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


def streamed(members: Mapping[str, bytes]) -> bytes:
    """As a program writes it that cannot go back: sizes follow the bytes, in data descriptors."""

    class Pipe(io.RawIOBase):
        def __init__(self) -> None:
            self.data = bytearray()

        def writable(self) -> bool:
            return True

        def write(self, data: object) -> int:
            self.data += bytes(data)  # type: ignore[call-overload]
            return len(bytes(data))  # type: ignore[call-overload]

    pipe = Pipe()
    with ZipFile(pipe, "w", ZIP_DEFLATED) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return bytes(pipe.data)


def zip64(members: Mapping[str, bytes]) -> bytes:
    """With the records that large archives have."""
    buffer = io.BytesIO()
    with ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(data)
    return _with_zip64_end(buffer.getvalue())


def _with_zip64_end(data: bytes) -> bytes:
    at = data.rindex(b"PK\5\6")
    _, _, _, _, entries, size, offset, _ = struct.unpack("<4s4H2LH", data[at : at + 22])
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, size, offset)
    locator = struct.pack("<4sLQL", b"PK\6\7", 0, at, 1)
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return data[:at] + record + locator + end


def encrypted(data: bytes, *names: str) -> bytes:
    """With the flag of an encrypted member set for these names, in the directory and before the member itself."""
    found = bytearray(data)
    with ZipFile(io.BytesIO(data)) as archive:
        for name in names:
            found[archive.getinfo(name).header_offset + 6] |= ENCRYPTED
    for name in names:
        entry = found.index(name.encode(), found.index(b"PK\1\2")) - 46
        found[entry + 8] |= ENCRYPTED
    return bytes(found)


def overlapping(members: int) -> bytes:
    """A bomb without much compression: all members are the same bytes of the archive."""
    data = zipped({"a": b"x" * 1000}, zipfile.ZIP_STORED)
    directory = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    entries = data[directory:end] * members
    return data[:directory] + entries + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, members, members, len(entries), directory, 0)


def with_wrong_checksum(data: bytes, content: bytes) -> bytes:
    """A stored member's bytes changed by one bit."""
    at = data.index(content)
    return data[:at] + bytes((data[at] ^ 1,)) + data[at + 1 :]


def link(name: str, target: bytes) -> tuple[ZipInfo, bytes]:
    """A symbolic link, as Unix archives hold them."""
    info = ZipInfo(name)
    info.create_system = 3
    info.external_attr = 0o120777 << 16
    return info, target
