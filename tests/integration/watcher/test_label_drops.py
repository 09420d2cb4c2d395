"""Files of labels in the inbox, taken by a real watcher: imported, kept, told of, and counted among no scans."""

import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from cli import reconcile
from db import labels, status
from db.writer import Writer
from lungline import label_rows
from lungline.errors import LedgerError, StoreError
from lungline.label_rows import Fault
from lungline.settings import PREFIX, Settings, load
from operations.drop import drop_and_wait
from watcher import label_drops
from watcher.label_drops import LabelDrops
from watcher.limits import Limits
from watcher.watch import Watcher

ROWS = f"sha256,finding,reader,read_at\n{'a' * 64},normal,A,2024-11-20\n"


class LabelledHome:
    """A watcher whose loop is turned by hand, and may be made anew as a restarted one would."""

    def __init__(self) -> None:
        self.settings: Settings = load()
        (self.settings.inbox / "labels").mkdir(parents=True)
        self.watcher = Watcher(self.settings, Limits())
        self.start()

    def start(self) -> None:
        self.watcher._leftovers.begin()
        self.watcher._labels.finish()

    def restart(self) -> None:
        self.watcher.close()
        self.watcher = Watcher(self.settings, Limits())
        self.start()

    def drop(self, name: str = "labels/march.csv", data: bytes = ROWS.encode()) -> Path:
        path = self.settings.inbox / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return path

    def take(self) -> None:
        """As long as something settles."""
        deadline = time.monotonic() + 20
        self.watcher._sightings.walk(time.monotonic())
        while len(self.watcher._sightings.stability) and time.monotonic() < deadline:
            self.watcher._taking.take_in(time.monotonic())
            self.watcher._taking.wait()
            time.sleep(0.02)

    @property
    def kept(self) -> list[Path]:
        return sorted(path for path in self.watcher._store.labels.iterdir() if path.suffix == ".csv")

    @property
    def reports(self) -> list[str]:
        return [path.read_text() for path in sorted(self.watcher._store.labels.glob("*.txt"))]

    def audit(self) -> list[str]:
        with self.watcher._engine.begin() as connection:
            return list(connection.scalars(text("SELECT detail FROM audit_log WHERE action = 'labels' ORDER BY audit_id")))

    def counts(self) -> tuple[object, ...]:
        counted = status.counts(self.watcher._engine)
        return tuple(counted[name] for name in ("files", "accepted", "duplicates", "refused"))


@pytest.fixture
def home_of(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., LabelledHome]]:
    monkeypatch.setenv(f"{PREFIX}BROKER_URL", "redis://127.0.0.1:1/0")
    monkeypatch.setenv(f"{PREFIX}QUIET_SECONDS", "0.05")
    made: list[LabelledHome] = []

    def make(**settings: str) -> LabelledHome:
        for name, value in settings.items():
            monkeypatch.setenv(f"{PREFIX}{name}", value)
        made.append(LabelledHome())
        return made[-1]

    yield make
    for home in made:
        home.watcher.close()


NONE_KNOWN = "1 rows: 0 new, 0 known before, 1 refused."


def test_a_file_of_labels_is_imported_kept_and_told_of(home_of: Callable[..., LabelledHome]) -> None:
    home = home_of()
    path = home.drop()
    home.take()
    assert not path.exists()
    (kept,) = home.kept
    assert (kept.read_bytes(), kept.stat().st_mode & 0o777) == (ROWS.encode(), 0o600)
    assert home.reports == [f"{NONE_KNOWN}\nline 2: {Fault.UNKNOWN_SCAN.sentence}\n"]
    assert home.audit() == [NONE_KNOWN]
    assert home.counts() == (0, 0, 0, 0)
    reconcile.reconcile()
    home.restart()
    assert len(home.audit()) == 1
    home.drop()
    home.take()
    assert len(home.audit()) == 2  # dropped once more: its scans may have come meanwhile


def test_scans_may_lie_in_that_folder_and_tables_elsewhere(home_of: Callable[..., LabelledHome]) -> None:
    home = home_of()
    home.drop("labels/scan.png", b"scan")
    home.drop("march.csv")
    home.drop("ward 7/labels/march.csv", ROWS.encode() + b"\n")
    home.drop("Labels/april/APRIL.CSV")
    home.take()
    assert home.counts() == (3, 3, 0, 0)
    assert home.audit() == [NONE_KNOWN]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4000 + b"IEND", "header must have the columns"),
        (b'"' * 500_000, "header must have the columns"),
        (b"name,age\nDOE^JANE,44\n", "header must have the columns"),
        (b"x" * (label_rows.BYTES_MAX + 1), "split it"),
    ],
)
def test_what_is_no_file_of_labels_is_refused_and_kept(home_of: Callable[..., LabelledHome], data: bytes, said: str) -> None:
    home = home_of()
    path = home.drop(data=data)
    home.take()
    assert not path.exists()
    assert home.kept[0].read_bytes() == data
    assert said in home.reports[0]
    assert said in home.audit()[0]
    assert "DOE" not in str(home.audit())
    assert home.counts() == (0, 0, 0, 0)


def test_a_gigabyte_is_not_read(home_of: Callable[..., LabelledHome]) -> None:
    home = home_of()
    path = home.drop()
    os.truncate(path, 1 << 30)
    began = time.monotonic()
    home.take()
    assert time.monotonic() - began < 10
    assert home.kept[0].stat().st_size == 1 << 30
    assert "split it" in home.reports[0]


def test_what_stays_in_the_inbox_is_imported_once(home_of: Callable[..., LabelledHome]) -> None:
    home = home_of(INTAKE="leave")
    path = home.drop()
    large = home.drop("labels/large.csv", b"x" * (label_rows.BYTES_MAX + 1))
    home.take()
    home.take()
    home.restart()
    home.take()
    assert path.exists()
    assert large.exists()
    assert len(home.audit()) == len(home.reports) == 2
    reconcile.reconcile()
    path.write_text(ROWS + ROWS.splitlines()[1].replace("normal", "covid19") + "\n")
    home.take()
    assert len(home.audit()) == 3


def test_one_that_is_too_large_and_cannot_be_moved_is_not_lost(
    home_of: Callable[..., LabelledHome], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = home_of()
    path = home.drop(data=b"x" * (label_rows.BYTES_MAX + 1))

    def refuses(*_: object) -> None:
        raise OSError(18, "another file system")

    with monkeypatch.context() as patch:
        patch.setattr("watcher.label_drops.os.rename", refuses)
        home.take()
    assert path.exists()
    home.restart()
    home.take()
    assert path.exists()
    assert len(home.audit()) == 1


def test_a_store_that_is_away_is_not_made_anew(home_of: Callable[..., LabelledHome]) -> None:
    home = home_of()
    path = home.drop()
    store = home.settings.store
    away = store.rename(store.with_name("away"))
    store.mkdir()  # its mount point
    with pytest.raises(StoreError, match="LUNGLINE_STORE"):
        home.watcher._labels.take(str(path), path.lstat(), 60.0)
    assert list(store.iterdir()) == []
    store.rmdir()
    away.rename(store)
    home.take()
    assert len(home.kept) == len(home.reports) == 1


@pytest.mark.parametrize("step", ["enter", "replace_text", "_stays"])
def test_a_watcher_may_die_at_any_step(home_of: Callable[..., LabelledHome], monkeypatch: pytest.MonkeyPatch, step: str) -> None:
    home = home_of()
    path = home.drop()

    class Died(BaseException):
        pass

    def dies(*_: object, **__: object) -> None:
        raise Died

    drops = LabelDrops(home.watcher._store, home.watcher._writer, home.watcher._intake._key, "move", Limits())
    where = {"enter": labels, "replace_text": label_drops, "_stays": LabelDrops}[step]
    with monkeypatch.context() as patch:
        patch.setattr(where, step, dies)
        if step == "enter":  # the writer's thread must live on
            patch.setattr(Writer, "do", dies)
        with pytest.raises(Died):
            drops.take(str(path), path.lstat(), 60.0)
    assert path.exists()
    home.restart()
    assert label_drops.left(home.watcher._store) == []
    home.take()
    assert not path.exists()
    assert home.audit() == [NONE_KNOWN]
    assert len(home.kept) == len(home.reports) == 1


def test_a_database_that_is_away_is_waited_for(home_of: Callable[..., LabelledHome], monkeypatch: pytest.MonkeyPatch) -> None:
    home = home_of()
    path = home.drop()

    def away(*_: object) -> None:
        raise LedgerError("away")

    home.watcher._sightings.walk(time.monotonic())
    with monkeypatch.context() as patch:
        patch.setattr(Writer, "do", away)
        time.sleep(0.1)
        assert not home.watcher._taking.take_in(time.monotonic())
    assert path.exists()
    home.take()
    assert home.audit() == [NONE_KNOWN]
    assert len(home.kept) == 1


def test_drop_reports_what_became_of_label_files(home_of: Callable[..., LabelledHome], tmp_path: Path) -> None:
    home = home_of()
    folder = tmp_path / "labels"
    folder.mkdir()
    (folder / "april.csv").write_text(ROWS)
    (folder / "may.csv").write_text("name,age\n")
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(0.05):
            home.take()

    watching = threading.Thread(target=watch)
    watching.start()
    answer = drop_and_wait(home.settings, [folder], 60)
    ended.set()
    watching.join(30)
    assert sorted((outcome.name, outcome.outcome) for outcome in answer) == [("april.csv", "done"), ("may.csv", "refused")]
