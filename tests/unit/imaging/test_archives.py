"""What is unpacked of an archive, what is refused of it by name, and which archives are refused as a whole."""

import hashlib
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from imaging.archives import ArchiveLimits, ArchiveMember, unpack
from lungline.errors import UnreadableScan
from lungline.layout import FILE_BYTES_MAX
from lungline.reasons import Reason
from tests.corpus.archives import encrypted, link, overlapping, streamed, with_wrong_checksum, zip64, zipped, zipped_list

Unpack = Callable[..., list[ArchiveMember]]


@pytest.fixture
def target(tmp_path: Path) -> Path:
    folder = tmp_path / "target"
    folder.mkdir()
    return folder


@pytest.fixture
def unpacked(tmp_path: Path, target: Path) -> Unpack:
    def unpacked(data: bytes, ignore: tuple[str, ...] = (), limits: ArchiveLimits | None = None) -> list[ArchiveMember]:
        path = tmp_path / "archive"
        path.write_bytes(data)
        found = unpack(str(path), hashlib.sha256(data).hexdigest(), str(target), list(ignore), limits or ArchiveLimits())
        assert isinstance(found, list)
        return found

    return unpacked


def reasons(members: list[ArchiveMember]) -> list[Reason | None]:
    return [member.reason for member in members]


@pytest.mark.parametrize("make", [zipped, streamed, zip64], ids=lambda make: make.__name__)
def test_members_are_unpacked_whole(unpacked: Unpack, target: Path, make: Callable[..., bytes]) -> None:
    data = {"IM1": b"one" * 5000, "STAT/ct/IM2.dcm": b"two"}
    members = unpacked(make(data))
    assert [(member.folders, member.bytes, member.reason) for member in members] == [("", 15000, None), ("STAT/ct", 3, None)]
    assert [member.sha256 for member in members] == [hashlib.sha256(bytes_).hexdigest() for bytes_ in data.values()]
    assert (target / "1" / "IM2.dcm").read_bytes() == b"two"


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_other_compressions_are_unpacked(unpacked: Unpack, target: Path, compression: int) -> None:
    assert reasons(unpacked(zipped({"a": b"data" * 100}, compression))) == [None]
    assert (target / "0" / "a").read_bytes() == b"data" * 100


def test_names_that_are_left_alone_are_passed_over(unpacked: Unpack) -> None:
    data = {"DICOMDIR": b"x", "a/.hidden": b"x", ".git/b": b"x", "__MACOSX/._c": b"x", "a/": b"", "a/d.png": b"x"}
    (member,) = unpacked(zipped(data), ("DICOMDIR", "__MACOSX"))
    assert (member.number, member.folders) == (5, "a")


def test_an_archive_without_files_holds_none(unpacked: Unpack) -> None:
    assert unpacked(zipped({})) == []


def test_members_of_one_name_are_two_files(unpacked: Unpack, target: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        data = zipped_list([("a", b"one"), ("a", b"two")])
    assert reasons(unpacked(data)) == [None, None]
    assert [(target / number / "a").read_bytes() for number in "01"] == [b"one", b"two"]


@pytest.mark.parametrize("name", ["../../x", "/etc/x", "C:\\x", "a\\..\\..\\x", "a/../x", "\\x", "a/."])
def test_a_path_that_leads_out_is_refused(unpacked: Unpack, target: Path, tmp_path: Path, name: str) -> None:
    assert reasons(unpacked(zipped({name: b"bad", "good": b"good"}))) == [Reason.UNSAFE_NAME, None]
    assert sorted(path.name for path in target.rglob("*") if path.is_file()) == sorted(["x" if name[-1] == "x" else "unnamed", "good"])
    assert sorted(path.name for path in tmp_path.iterdir() if path != tmp_path / "home") == ["archive", "target"]


def test_a_link_is_not_made(unpacked: Unpack, target: Path) -> None:
    assert reasons(unpacked(zipped_list([link("a", b"/etc/hostname"), ("b", b"good")]))) == [Reason.NOT_A_REGULAR_FILE, None]
    assert not (target / "0" / "a").is_symlink()
    assert (target / "0" / "a").stat().st_size == 0


def test_damaged_members_harm_no_other(unpacked: Unpack) -> None:
    data = with_wrong_checksum(zipped({"a": b"first member", "b": b"second"}, zipfile.ZIP_STORED), b"first member")
    first, second = unpacked(data)
    assert (first.reason, first.sha256, first.bytes) == (Reason.MEMBER_DAMAGED, None, 12)
    assert second.reason is None


def test_a_compression_that_is_not_known_is_refused(unpacked: Unpack) -> None:
    data = bytearray(zipped({"a": b"data"}))
    data[8] = data[data.index(b"PK\1\2") + 10] = 9  # Deflate64
    assert reasons(unpacked(bytes(data))) == [Reason.MEMBER_DAMAGED]


def test_no_more_is_taken_than_the_directory_says(unpacked: Unpack, target: Path) -> None:
    data = bytearray(zipped({"a": bytes(1 << 20), "b": b"good"}))
    at = data.index(b"PK\1\2") + 24
    data[at : at + 4] = (1000).to_bytes(4, "little")
    assert reasons(unpacked(bytes(data))) == [Reason.MEMBER_DAMAGED, None]
    assert (target / "0" / "a").stat().st_size <= 1000


@pytest.mark.parametrize("inner", [zipped({"a": b"x"}), zipped({}), b"\x1f\x8b\x08" + bytes(20), b"7z\xbc\xaf\x27\x1c", b"Rar!\x1a\x07\0"])
def test_archives_in_archives_are_refused(unpacked: Unpack, target: Path, inner: bytes) -> None:
    nested, good = unpacked(zipped({"inner": inner, "good": b"good"}))
    assert (nested.reason, nested.sha256) == (Reason.NESTED_ARCHIVE, hashlib.sha256(inner).hexdigest())
    assert (target / "0" / "inner").read_bytes() == inner
    assert good.reason is None


def test_encrypted_members_are_refused(unpacked: Unpack) -> None:
    data = zipped({"first": b"secret", "second": b"open"})
    assert reasons(unpacked(encrypted(data, "first"))) == [Reason.ENCRYPTED, None]


def test_empty_and_long_names_and_members(unpacked: Unpack, target: Path) -> None:
    assert reasons(unpacked(zipped({"empty": b"", "ä" * 300 + ".png": b"x"}))) == [Reason.EMPTY, None]
    (entry,) = (target / "1").iterdir()
    assert entry.name.endswith("ä.png")


def test_a_member_larger_than_any_scan_is_refused(unpacked: Unpack, target: Path) -> None:
    data = bytearray(zipped({"a": b"x", "b": b"good"}))
    at = data.index(b"PK\1\2") + 24
    data[at : at + 4] = (FILE_BYTES_MAX + 1).to_bytes(4, "little")
    limits = ArchiveLimits(judged_bytes=1 << 40)
    assert reasons(unpacked(bytes(data), limits=limits)) == [Reason.TOO_LARGE, None]


def _refused(reason: Reason, data: bytes, unpacked: Unpack, target: Path, limits: ArchiveLimits | None = None) -> None:
    with pytest.raises(UnreadableScan) as raised:
        unpacked(data, limits=limits)
    assert raised.value.reason is reason
    assert list(target.iterdir()) == []


def test_a_bomb_is_refused_by_its_ratio(unpacked: Unpack, target: Path) -> None:
    data = zipped({str(number): bytes(1 << 20) for number in range(4)})
    _refused(Reason.ARCHIVE_TOO_LARGE, data, unpacked, target, ArchiveLimits(judged_bytes=2 << 20))


def test_a_bomb_of_ten_gigabytes_is_refused(unpacked: Unpack, target: Path) -> None:
    data = bytearray(zipped({"a": b"x", "b": b"x", "c": b"x"}))
    at = 0
    for _ in range(3):
        at = data.index(b"PK\1\2", at) + 24
        data[at : at + 4] = (0xFFFFFF00).to_bytes(4, "little")
    _refused(Reason.ARCHIVE_TOO_LARGE, bytes(data), unpacked, target)


def test_a_bomb_of_overlapping_members_is_refused(unpacked: Unpack, target: Path) -> None:
    _refused(Reason.ARCHIVE_DAMAGED, overlapping(2), unpacked, target)


def test_more_members_than_allowed_are_refused(unpacked: Unpack, target: Path) -> None:
    _refused(Reason.ARCHIVE_TOO_LARGE, zipped({str(number): b"" for number in range(65_536)}, zipfile.ZIP_STORED), unpacked, target)


def test_an_encrypted_archive_is_refused(unpacked: Unpack, target: Path) -> None:
    data = zipped({"first": b"secret", "second": b"secret"})
    _refused(Reason.ENCRYPTED, encrypted(data, "first", "second"), unpacked, target)


@pytest.mark.parametrize("cut", [100, 30, 1])
def test_an_archive_that_is_cut_off_is_refused(unpacked: Unpack, target: Path, cut: int) -> None:
    _refused(Reason.ARCHIVE_DAMAGED, zipped({"a": b"data" * 100, "b": b"data"})[:-cut], unpacked, target)


def test_a_directory_without_sense_is_refused(unpacked: Unpack, target: Path) -> None:
    data = bytearray(zipped({"a": b"data" * 100}))
    at = data.rindex(b"PK\5\6")
    data[at + 12 : at + 20] = b"\xf0\xff\xff\x00\xf0\xff\xff\x00"
    _refused(Reason.ARCHIVE_DAMAGED, bytes(data), unpacked, target)


def test_changed_and_missing_archives_are_told_apart(tmp_path: Path, target: Path) -> None:
    path = tmp_path / "archive"
    for reason in (Reason.BYTES_MISSING, Reason.ARCHIVE_DAMAGED):
        with pytest.raises(UnreadableScan) as raised:
            unpack(str(path), "0" * 64, str(target), [])
        assert raised.value.reason is reason
        path.write_bytes(zipped({"a": b"x"}))


def test_what_cannot_be_written_is_no_fault_of_the_archive(tmp_path: Path, target: Path) -> None:
    data = zipped({"a": b"x"})
    (tmp_path / "archive").write_bytes(data)
    (target / "0").write_text("in the way")
    assert unpack(str(tmp_path / "archive"), hashlib.sha256(data).hexdigest(), str(target), []) == "File exists"


def test_what_has_no_room_is_not_begun(tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = zipped({"a": b"x" * 100})
    (tmp_path / "archive").write_bytes(data)
    monkeypatch.setattr("imaging.archives.shutil.disk_usage", lambda _: SimpleNamespace(free=99))
    assert unpack(str(tmp_path / "archive"), hashlib.sha256(data).hexdigest(), str(target), []) == "No space left on device"
    assert list(target.iterdir()) == []
