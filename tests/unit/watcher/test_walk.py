"""What counts as lying in the inbox, and what its folders say."""

import os
import shutil
from pathlib import Path

import pytest

from db.tables import Priority
from lungline.findings import Modality
from lungline.inbox_names import is_ignored, patterns
from lungline.settings import load
from watcher.walk import said_by_folders, walk

IGNORE = patterns("*.part, *.tmp,DICOMDIR,Thumbs.db")


def names(inbox: Path) -> list[str]:
    return sorted(os.path.relpath(entry.path, inbox) for entry in walk(inbox, IGNORE, []))


def test_walk_meets_all_but_what_is_ignored(tmp_path: Path) -> None:
    for name in ("a.png", "deep/er/b", ".hidden", ".folder/c", "d.part", "e.tmp", "DICOMDIR", "Thumbs.db", "f.part.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("/")
    (tmp_path / "folder.png").mkdir()
    assert names(tmp_path) == ["a.png", "deep/er/b", "f.part.png", "link", "pipe"]


@pytest.mark.parametrize(
    "name",
    [
        *("a.filepart", "A.PART", "b.Tmp", "c.crdownload", "d.partial", "~$slide.dcm", "dicomdir", "DicomDir", "thumbs.DB", "Desktop.ini"),
        *("@eaDir/a.dcm", "#recycle/a.dcm", "$RECYCLE.BIN/S-1-5/a.dcm", "$Recycle.Bin/a.dcm", ".Trash-1000/files/a.dcm"),
        *("__MACOSX/._a.dcm", "study/__MACOSX/a.dcm", "System Volume Information/a.dcm", "study.tmp/a.dcm", "stat/@EADIR/a.dcm"),
    ],
)
def test_debris_of_senders_and_file_servers_is_ignored(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    ignore = patterns(load().ignore)
    assert list(walk(tmp_path, ignore, [])) == []
    assert any(is_ignored(part, ignore) for part in Path(name).parts)


@pytest.mark.parametrize("name", ["a.dcm", "part", "tmp/a.dcm", "recycle/a.dcm", "part.dcm", "a~$.dcm", "DICOMDIR.dcm", "DICOM/IM0001"])
def test_what_only_looks_like_it_is_met(tmp_path: Path, name: str) -> None:
    (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / name).touch()
    assert [os.path.relpath(entry.path, tmp_path) for entry in walk(tmp_path, patterns(load().ignore), [])] == [name]


def test_an_inbox_that_is_away_is_not_taken_for_an_empty_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        names(tmp_path / "gone")


def test_walk_goes_on_past_what_vanishes(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").touch()
    closed: list[str] = []
    met = walk(tmp_path, IGNORE, closed)
    assert next(met).name == "a.png"
    for folder in tmp_path.iterdir():
        shutil.rmtree(folder)
    assert len(list(met)) <= 1
    assert closed == []


def test_walk_bears_any_name_and_depth(tmp_path: Path) -> None:
    folder = tmp_path.joinpath(*["d"] * 200)
    folder.mkdir(parents=True)
    (folder / os.fsdecode(b"\xff\n\"'" + b"x" * 251)).touch()
    assert len(list(walk(tmp_path, IGNORE, []))) == 1


def test_a_path_longer_than_the_system_takes_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for _ in range(30):
        os.mkdir("d" * 200)
        os.chdir("d" * 200)
    Path("a.png").touch()
    closed: list[str] = []
    assert list(walk(tmp_path, IGNORE, closed)) == []
    assert len(closed) == 1
    monkeypatch.chdir(tmp_path)
    shutil.rmtree(tmp_path / ("d" * 200))


@pytest.mark.parametrize(
    ("path", "priority", "hint"),
    [
        ("a.png", Priority.SCANS, None),
        ("stat/a.png", Priority.STAT, None),
        ("STAT/ward/CT/a.png", Priority.STAT, Modality.CT),
        ("ct/xray/a.png", Priority.SCANS, Modality.XRAY),
        ("ct", Priority.SCANS, None),
        ("stat.png", Priority.SCANS, None),
    ],
)
def test_folders_say_priority_and_modality(path: str, priority: Priority, hint: Modality | None) -> None:
    assert said_by_folders(f"/in/{path}", Path("/in")) == (priority, hint)


def test_folders_above_the_inbox_say_nothing() -> None:
    assert said_by_folders("/stat/ct/in/a", Path("/stat/ct/in")) == (Priority.SCANS, None)
