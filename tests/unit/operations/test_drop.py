"""What a drop copies into the inbox, what it leaves out, and how it follows what becomes of each file."""

import hashlib
import os
import resource
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import insert

from db import drops
from db.clock import now
from db.drops import Drop
from db.migrate import open_database
from db.tables import Priority, jobs, verdicts
from lungline.errors import StoreError
from lungline.ids import new_id
from lungline.reasons import Reason
from lungline.settings import load
from operations.drop import drop_and_wait
from tests.servers import Postgres
from tests.waiting import wait_for


def test_what_the_watcher_ignores_is_not_dropped(tmp_path: Path, home: Path) -> None:
    study = tmp_path / "study"
    (study / ".cache").mkdir(parents=True)
    (study / "@eaDir").mkdir()
    for name in ("a.dcm", "DICOMDIR", ".hidden", ".cache/b.dcm", "@eaDir/c.dcm", "d.FILEPART"):
        (study / name).write_bytes(name.encode())
    assert sorted((file.name, file.outcome) for file in drop_and_wait(load(), [study], 0)) == [
        (".hidden", "ignored"),
        ("DICOMDIR", "ignored"),
        ("a.dcm", "dropped"),
        ("b.dcm", "ignored"),
        ("c.dcm", "ignored"),
        ("d.FILEPART", "ignored"),
    ]
    assert [path.name for path in (home / "inbox").rglob("*") if path.is_file()] == ["a.dcm"]


def test_what_is_no_regular_file_is_neither_followed_nor_read(tmp_path: Path, home: Path) -> None:
    study, elsewhere = tmp_path / "study", tmp_path / "elsewhere"
    for folder in (study, elsewhere):
        folder.mkdir()
        (folder / f"{folder.name}.dcm").write_bytes(folder.name.encode())
    (study / "link.dcm").symlink_to(elsewhere / "elsewhere.dcm")
    (study / "folder").symlink_to(elsewhere)
    os.mkfifo(study / "pipe")
    refused = ("refused", "not_a_regular_file")
    dropped = drop_and_wait(load(), [study, Path("/dev/zero")], 0)
    assert {file.name: (file.outcome, file.detail) for file in dropped} == {
        "study.dcm": ("dropped", ""),
        "link.dcm": refused,
        "folder": refused,
        "pipe": refused,
        "zero": refused,
    }
    assert [path.name for path in (home / "inbox").rglob("*") if path.is_file()] == ["study.dcm"]


def test_a_disk_that_is_full_is_told(tmp_path: Path, home: Path) -> None:
    (tmp_path / "large.dcm").write_bytes(bytes(4 << 20))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (3 << 20, before[1]))  # as good as full
    try:
        with pytest.raises(StoreError, match=r"LUNGLINE_INBOX \(File too large\)"):
            drop_and_wait(load(), [tmp_path / "large.dcm"], 0)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((home / "inbox").iterdir()) == []


def take_in_and_read(inbox: Path, files: int) -> None:
    """What a watcher and a worker do, once so many files lie in the inbox."""
    wait_for(lambda: len([path for path in inbox.rglob("*.png") if path.is_file()]) == files, "dropped")
    engine = open_database(load())
    with engine.begin() as connection:
        for path in sorted(inbox.rglob("*.png")):
            data = path.read_bytes()
            drops.accept(connection, Drop(new_id(), hashlib.sha256(data).hexdigest(), len(data), Priority.SCANS, None))
            path.unlink()
        said = {"finding": "normal", "probability": 0.75, "status": "accepted", "disagreement": 0.0, "entropy": 0.5}
        for scan in connection.scalars(jobs.delete().returning(jobs.c.subject)).all():
            connection.execute(insert(verdicts).values(id=new_id(), scan_id=scan, ensemble="xray-1", finished_at=now(), **said))
    engine.dispose()


def test_again_means_known_before_and_not_twice_in_a_drop(tmp_path: Path, home: Path) -> None:
    open_database(load()).dispose()
    study = tmp_path / "study"
    study.mkdir()
    for name, data in (("c1.png", b"c"), ("c2.png", b"c"), ("d.png", b"d")):
        (study / name).write_bytes(data)

    def drop_study() -> dict[str, str]:
        worker = threading.Thread(target=take_in_and_read, args=(home / "inbox", 3))
        worker.start()
        dropped = drop_and_wait(load(), [study], 60)
        worker.join(30)
        return {file.name: file.detail for file in dropped}

    assert drop_study() == {
        "c1.png": "normal 0.750, accepted",
        "c2.png": "same bytes as c1.png: normal 0.750, accepted",
        "d.png": "normal 0.750, accepted",
    }
    assert set(drop_study().values()) == {"again: normal 0.750, accepted"}


def test_it_goes_on_waiting_while_the_database_is_restarted(
    tmp_path: Path, home: Path, fresh_postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "a.png"
    source.write_bytes(b"a")
    with fresh_postgres.database() as url, ThreadPoolExecutor(1) as threads:
        monkeypatch.setenv("LUNGLINE_DATABASE_URL", url)
        settings = load()
        waits = threads.submit(drop_and_wait, settings, [source], 30.0)
        wait_for(lambda: list(settings.inbox.glob("*.png")), "the drop")
        with fresh_postgres.away():
            time.sleep(0.6)  # some turns of its loop
            assert not waits.done()
        engine = open_database(settings)
        digest = hashlib.sha256(b"a").hexdigest()
        with engine.begin() as connection:
            drops.refuse(connection, Drop(new_id(), digest, 1, Priority.SCANS, None), Reason.UNREADABLE)
        engine.dispose()
        assert [(dropped.outcome, dropped.detail) for dropped in waits.result(40)] == [("refused", "unreadable")]
