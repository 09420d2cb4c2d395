"""Archives from claim to the rows of what they hold, with real readers, on both databases; and workers that are killed meanwhile."""

import hashlib
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, text

from db import archives, jobs
from db.consistency import check_tables
from db.drops import Drop
from db.status import counts
from db.tables import Priority
from db.writer import Writer
from imaging.archives import FUNCTION
from imaging.isolate import ReaderPool
from imaging.phantoms import picture
from jobs.leases import Leases
from lungline.findings import Modality
from lungline.ids import new_id
from lungline.layout import Store
from lungline.settings import load
from tests.corpus.archives import encrypted, with_wrong_checksum, zipped
from tests.corpus.files import noted, png
from workers.unpacking import ArchiveUnpacker

PICTURE = png(picture("xray", 5, side=64))


def pictures(count: int) -> dict[str, bytes]:
    """Readable pictures by their paths in an archive, no two alike."""
    return {f"DICOM/IM{number:05}": noted(PICTURE, b"%d" % number) for number in range(count)}


class Unpacking:
    """A worker without Celery that unpacks."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.writer = Writer(engine)
        self.store = Store(load().store)
        self.store.incoming.mkdir(parents=True)
        self.pool = ReaderPool(FUNCTION, 1, timeout=60, memory_bytes=1 << 30)
        self.begin()

    def begin(self) -> None:
        """As a worker that takes the place of another."""
        self.leases = Leases(self.writer, "slot")
        self.unpacker = ArchiveUnpacker(self.leases, self.writer, self.store, self.pool, ["DICOMDIR"], pause_seconds=0.01)

    def drop(self, data: bytes, priority: Priority = Priority.SCANS, hint: Modality | None = None, *, is_there: bool = True) -> str:
        """Enters an archive, and puts it into the store; its id."""
        drop = Drop(new_id(), hashlib.sha256(data).hexdigest(), len(data), priority, hint)
        self.writer.do(archives.enter, drop)
        if is_there:
            folder = self.store.folder(str(drop.sha256))
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "study.zip").write_bytes(data)
        return drop.id

    def unpack(self, archive_id: str) -> str:
        """Answers the archive's doorbell; what became of it."""
        return self.unpacker.answering.answer(archive_id, lambda _: None)

    def rows(self, statement: str) -> list[tuple[object, ...]]:
        return self.writer.do(lambda connection: [tuple(row) for row in connection.execute(text(statement))])

    def files(self) -> dict[str, object]:
        found = counts(self.engine)
        assert found["files"] == sum(int(found[part] or 0) for part in ("accepted", "duplicates", "refused", "unpacked"))
        broken = self.writer.do(lambda connection: [check.sentence for check in check_tables(connection) if check.wrong])
        assert broken == []
        return {name: found[name] for name in ("accepted", "duplicates", "refused", "unpacked")}

    def close(self) -> None:
        self.unpacker.stop()
        self.leases.stop()
        self.writer.close()


@pytest.fixture
def unpacking(engine: Engine) -> Iterator[Unpacking]:
    unpacking = Unpacking(engine)
    yield unpacking
    unpacking.close()


def test_each_member_becomes_a_file_of_its_own(unpacking: Unpacking) -> None:
    members = {**pictures(3), "DICOMDIR": b"index", "README.TXT": b"Dear colleague", "stat/xray/film.png": noted(PICTURE, b"urgent")}
    archive_id = unpacking.drop(zipped(members), hint=Modality.CT)

    assert unpacking.unpack(archive_id) == "unpacked: 5 files, 0 of them refused"

    assert unpacking.files() == {"accepted": 5, "duplicates": 0, "refused": 0, "unpacked": 1}
    scans = unpacking.rows("SELECT sha256, priority, hint FROM scans")
    assert {row[1:] for row in scans} == {("scans", "ct"), ("stat", "xray")}
    assert len(unpacking.writer.do(jobs.subjects, "read")) == 5
    assert unpacking.store.names(hashlib.sha256(members["DICOM/IM00001"]).hexdigest()) == ["IM00001"]
    assert list(unpacking.store.unpacking.iterdir()) == []
    assert unpacking.unpack(archive_id) == "nothing to do: it does not wait"


def test_bad_members_are_named_and_harm_no_other(unpacking: Unpacking) -> None:
    good, bad = pictures(2), noted(PICTURE, b"damaged on its way")
    inner = zipped({"a": b"x"})
    data = with_wrong_checksum(zipped({**good, "bad.png": bad, "inner.zip": inner, "../out.png": PICTURE}, 0), bad)

    assert unpacking.unpack(unpacking.drop(data)) == "unpacked: 5 files, 3 of them refused"

    assert unpacking.files() == {"accepted": 2, "duplicates": 0, "refused": 3, "unpacked": 1}
    reasons = {unpacking.store.refused_names(str(row[0]))[0]: row[1] for row in unpacking.rows("SELECT file_id, reason FROM quarantine")}
    assert reasons == {"bad.png": "member_damaged", "inner.zip": "nested_archive", "out.png": "unsafe_name"}


def test_files_that_are_known_are_duplicates(unpacking: Unpacking) -> None:
    data = zipped(pictures(4))
    for archive_id in (unpacking.drop(data), unpacking.drop(data), unpacking.drop(zipped(pictures(5)))):
        unpacking.unpack(archive_id)

    assert unpacking.files() == {"accepted": 5, "duplicates": 8, "refused": 0, "unpacked": 3}


def test_an_archive_without_files_is_unpacked(unpacking: Unpacking) -> None:
    assert unpacking.unpack(unpacking.drop(zipped({}))) == "unpacked: 0 files, 0 of them refused"
    assert unpacking.files() == {"accepted": 0, "duplicates": 0, "refused": 0, "unpacked": 1}


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda data: encrypted(data, "DICOM/IM00000", "DICOM/IM00001"), "encrypted"),
        (lambda data: data[:-30], "archive_damaged"),
    ],
)
def test_of_a_refused_archive_nothing_is_entered(unpacking: Unpacking, make: Callable[[bytes], bytes], reason: str) -> None:
    assert unpacking.unpack(unpacking.drop(make(zipped(pictures(2))))) == f"refused: {reason}"
    assert unpacking.files() == {"accepted": 0, "duplicates": 0, "refused": 1, "unpacked": 0}
    assert unpacking.rows("SELECT reason FROM quarantined_files") == [(reason,)]


def test_an_archive_that_the_store_lacks_is_refused(unpacking: Unpacking) -> None:
    assert unpacking.unpack(unpacking.drop(zipped(pictures(1)), is_there=False)) == "refused: bytes_missing"


def test_a_reader_that_dies_twice_has_it_refused(unpacking: Unpacking) -> None:
    dying = ReaderPool("os:_exit", 1, timeout=60, memory_bytes=1 << 30)
    unpacker = ArchiveUnpacker(unpacking.leases, unpacking.writer, unpacking.store, dying, [], pause_seconds=0.01)
    archive_id = unpacking.drop(zipped(pictures(1)))

    said = [unpacker.answering.answer(archive_id, lambda _: None) for _ in range(2)]

    unpacker.stop()
    assert said == ["waits again: reader_died", "refused: reader_died"]
    assert unpacking.files() == {"accepted": 0, "duplicates": 0, "refused": 1, "unpacked": 0}


# A worker that is killed once so many members are in place.
_KILLED = """
import os, sys
from db.connect import connect
from db.writer import Writer
from jobs.leases import Leases
from lungline.layout import Store
from lungline.settings import load
from workers import unpacking

left, archive_id, database_url = [int(sys.argv[1])], *sys.argv[2:]
put = unpacking.put_in_place

def put_or_die(*arguments, **named):
    if left[0] == 0:
        os._exit(9)
    left[0] -= 1
    put(*arguments, **named)

unpacking.put_in_place = put_or_die
writer, store, pool = Writer(connect(database_url)), Store(load().store), unpacking.start_readers()
unpacker = unpacking.ArchiveUnpacker(Leases(writer, "slot"), writer, store, pool, [])
unpacker.answering.answer(archive_id, lambda _: None)
"""


@pytest.mark.parametrize("places", [0, 100, 300])
def test_a_killed_worker_leaves_each_file_once(unpacking: Unpacking, database_url: str, places: int) -> None:
    archive_id = unpacking.drop(zipped(pictures(400)))

    killed = subprocess.run([sys.executable, "-c", _KILLED, str(places), archive_id, database_url], timeout=120)

    assert killed.returncode == 9
    assert len(list(unpacking.store.unpacking.iterdir())) == 1
    unpacking.begin()  # frees what its predecessor held
    assert unpacking.unpack(archive_id) == "unpacked: 400 files, 0 of them refused"
    assert unpacking.files() == {"accepted": 400, "duplicates": 0, "refused": 0, "unpacked": 1}
    assert len(unpacking.store.folders()) == 401
    assert list(unpacking.store.unpacking.iterdir()) == []


def test_what_killed_workers_left_is_removed_once_the_job_ended(unpacking: Unpacking) -> None:
    open_id, ended = unpacking.drop(zipped(pictures(1))), unpacking.store.unpacking / f"{new_id()}~1"
    kept = unpacking.store.unpacking / f"{open_id}~1"
    for folder in (kept, ended):
        folder.mkdir(parents=True)
    unpacking.unpacker.clear()
    assert list(unpacking.store.unpacking.iterdir()) == [kept]
