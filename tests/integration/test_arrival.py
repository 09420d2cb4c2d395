"""The watcher as a process of its own, and files that arrive in every odd way: slow, swapped, deep, from shares and disks that fail."""

import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from imaging.phantoms import picture
from lungline.presence import live
from lungline.settings import PREFIX
from tests.corpus.files import chunk, png

PICTURE = png(picture("xray", 77, side=64))
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount and make devices")


def different(number: int, size: int = 0) -> bytes:
    """Readable pictures, no two alike, of some bytes at least."""
    return PICTURE[:-12] + chunk(b"tEXt", b"Comment\0%d" % number + bytes(size)) + PICTURE[-12:]


class Watching:
    """A home whose inbox, store and database may be put elsewhere, and its watcher."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.inbox, self.store, self.database = home / "inbox", home / "store", home / "lungline.db"
        self.settings: dict[str, str] = {"QUIET_SECONDS": "0.2", "BROKER_URL": "redis://127.0.0.1:1/0"}
        self.prelude = ""
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def environment(self) -> dict[str, str]:
        places = {"HOME": self.home, "INBOX": self.inbox, "STORE": self.store, "DATABASE_URL": f"sqlite:///{self.database}"}
        told = {f"{PREFIX}{name}": str(value) for name, value in (places | self.settings).items()}
        return {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)} | told

    def start(self) -> None:
        script = f"import sys\n{self.prelude}\nfrom cli.main import main\nsys.argv = ['lungline', 'watch']\nmain()"
        self.process = subprocess.Popen(
            [sys.executable, "-c", script], env=self.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self.until(lambda: live(self.home / "run").get("watch", (0, False))[1], "watching")

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            self.process.wait(30)
            self.process = None

    def query(self, statement: str) -> list[Any]:
        connection = sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=30)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def files(self) -> dict[str, int]:
        return dict(self.query("SELECT outcome, count(*) FROM files GROUP BY outcome"))

    def reasons(self) -> list[str]:
        return [row[0] for row in self.query("SELECT reason FROM quarantined_files ORDER BY reason")]

    def until(self, done: Callable[[], bool], what: str, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not done():
            assert self.process is None or self.process.poll() is None, "the watcher ended"
            if time.monotonic() > deadline:
                raise TimeoutError(f"not {what}: {self.files()}, {self.reasons()}, {self.reconciles()}")
            time.sleep(0.05)

    def takes_in(self, **outcomes: int) -> None:
        """Waits until so many files were taken in, and checks that it stays at that, and that all is accounted for."""
        self.until(lambda: self.files() == outcomes, f"taken in {outcomes}")
        self.until(lambda: self.reconciles()[0] == 0, "accounted for")
        assert self.files() == outcomes

    def reconciles(self) -> tuple[int, str]:
        """Exit status of `lungline reconcile`, and what it says."""
        told = CliRunner().invoke(app, ["reconcile"], env=self.environment)
        return told.exit_code, told.output

    def bytes_in_store(self) -> list[bytes]:
        return sorted(path.read_bytes() for path in self.store.glob("[0-9a-f][0-9a-f]/*/*"))


@pytest.fixture
def watching(home: Path) -> Iterator[Watching]:
    watching = Watching(home)
    watching.inbox.mkdir()
    yield watching
    watching.stop(signal.SIGKILL)


@contextmanager
def mounted(folder: Path, *how: str) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    told = subprocess.run(["mount", *how, str(folder)], capture_output=True, text=True)
    if told.returncode:
        pytest.skip(f"mounting is not allowed here: {told.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=False, capture_output=True)


def test_a_picture_that_grows_with_pauses_longer_than_the_quiet_period_200_folders_deep(watching: Watching) -> None:
    watching.start()
    folder = watching.inbox.joinpath(*[f"level-{number:03}" for number in range(200)])
    folder.mkdir(parents=True)
    for part in range(4):  # opened and closed each time: nobody holds it open
        with (folder / "slow.png").open("ab") as file:
            file.write(PICTURE[part * len(PICTURE) // 4 : (part + 1) * len(PICTURE) // 4])
        time.sleep(0.7)
    watching.takes_in(accepted=1)
    assert watching.bytes_in_store() == [PICTURE]


def test_files_that_are_replaced_renamed_or_removed_before_they_settle(watching: Watching) -> None:
    watching.settings["QUIET_SECONDS"] = "1.0"
    watching.start()
    for name in ("replaced", "renamed", "removed", "rewritten"):
        (watching.inbox / f"{name}.png").write_bytes(different(1))
    time.sleep(0.4)
    (watching.inbox / ".draft").write_bytes(different(2))
    (watching.inbox / ".draft").rename(watching.inbox / "replaced.png")
    (watching.inbox / "renamed.png").rename(watching.inbox / "other name.png")
    (watching.inbox / "removed.png").unlink()
    (watching.inbox / "rewritten.png").write_bytes(different(3))
    watching.takes_in(accepted=3)
    assert watching.bytes_in_store() == sorted(different(number) for number in (1, 2, 3))


@pytest.mark.slow
def test_a_file_that_is_swapped_all_the_time_ends_as_one_of_its_versions(watching: Watching) -> None:
    watching.settings["QUIET_SECONDS"] = "0.05"
    watching.start()
    whole = {different(number) for number in range(200)}
    for data in whole:
        (watching.inbox / ".draft").write_bytes(data)
        (watching.inbox / ".draft").rename(watching.inbox / "a.png")
        time.sleep(0.01)
    watching.until(lambda: sum(watching.files().values()) >= 1 and not (watching.inbox / "a.png").exists(), "taken in")
    watching.until(lambda: watching.reconciles()[0] == 0, "accounted for")
    assert set(watching.bytes_in_store()) <= whole


def test_a_folder_that_is_renamed_away_in_mid_copy_and_comes_back(watching: Watching, tmp_path: Path) -> None:
    watching.settings["QUIET_SECONDS"] = "1.0"
    watching.start()
    folder = watching.inbox / "study"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}.png").write_bytes(different(number))
    folder.rename(tmp_path / "away")
    time.sleep(2)
    assert watching.files() == {}
    (tmp_path / "away").rename(watching.inbox / "renamed")
    watching.takes_in(accepted=20)


@needs_root
def test_what_is_no_file_is_refused_unopened(watching: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    watching.start()
    listener = socket.socket(socket.AF_UNIX)
    monkeypatch.chdir(watching.inbox)  # a socket's path may have 107 bytes
    listener.bind("socket")
    os.mkfifo(watching.inbox / "pipe")
    try:
        os.mknod(watching.inbox / "tape", 0o600 | 0o020000, os.makedev(9, 0))  # reading would rewind it; opening may wait
    except PermissionError:
        pytest.skip("devices may not be made here")
    os.mknod(watching.inbox / "disk", 0o600 | 0o060000, os.makedev(7, 99))
    (watching.inbox / "link").symlink_to(watching.home)
    watching.takes_in(refused=5)
    assert watching.reasons() == ["not_a_regular_file"] * 5
    listener.close()


def test_a_sparse_file_of_10_gigabytes_keeps_nobody_waiting(watching: Watching) -> None:
    with (watching.inbox / "huge.dcm").open("wb") as file:
        file.truncate(10 << 30)
    for number in range(10):
        (watching.inbox / f"{number}.png").write_bytes(different(number))
    began = time.monotonic()
    watching.start()
    watching.takes_in(accepted=10, refused=1)
    assert watching.reasons() == ["too_large"]
    assert time.monotonic() - began < 30  # reading it takes longer


@needs_root
@pytest.mark.parametrize("intake", ["move", pytest.param("leave", marks=pytest.mark.slow)])
def test_a_share_that_goes_away_and_comes_back(watching: Watching, tmp_path: Path, intake: str) -> None:
    share = tmp_path / "share"
    share.mkdir()
    watching.settings |= {"INTAKE": intake, "OBSERVER": "auto" if intake == "move" else "polling", "QUIET_SECONDS": "0.5"}
    with mounted(watching.inbox, "--bind", str(share)):
        watching.start()
        for number in range(10):
            (watching.inbox / f"{number}.png").write_bytes(different(number))
        watching.until(lambda: watching.files() == {"accepted": 10}, "taken in")
        for number in range(10, 20):
            (watching.inbox / f"{number}.png").write_bytes(different(number))
        subprocess.run(["umount", "-l", str(watching.inbox)], check=True)  # before they settled
        time.sleep(3)
        assert watching.files() == {"accepted": 10}
        (share / "meanwhile.png").write_bytes(different(20))
        subprocess.run(["mount", "--bind", str(share), str(watching.inbox)], check=True)
        watching.takes_in(accepted=21)
        (watching.inbox / "after.png").write_bytes(different(21))  # events come from the new mount
        watching.takes_in(accepted=22)
        watching.stop()  # its working folder lies elsewhere, but its events hold the mount


@pytest.mark.slow
def test_an_inbox_that_is_gone_for_a_while(watching: Watching) -> None:
    watching.start()
    (watching.inbox / "a.png").write_bytes(different(1))
    watching.takes_in(accepted=1)
    watching.inbox.rename(watching.home / "elsewhere")
    time.sleep(2.5)
    code, said = watching.reconciles()
    assert (code, "share away" in said) == (1, True)
    (watching.home / "elsewhere" / "b.png").write_bytes(different(2))
    (watching.home / "elsewhere").rename(watching.inbox)
    watching.takes_in(accepted=2)


@needs_root
def test_a_full_store_and_room_in_it_again(watching: Watching, tmp_path: Path) -> None:
    watching.prelude = "from watcher import watch; watch._FULL_SECONDS = 0.5"
    with mounted(watching.store, "-t", "tmpfs", "-o", "size=1m", "none"):
        ballast = watching.store / "ballast"
        ballast.write_bytes(bytes(900_000))
        watching.start()
        for number in range(12):
            (watching.inbox / f"{number}.png").write_bytes(different(number, 20_000))
        time.sleep(3)
        left = [path.name for path in watching.inbox.iterdir()]
        assert sum(watching.files().values()) + len(left) == 12
        assert left
        ballast.unlink()
        watching.takes_in(accepted=12)
        assert watching.bytes_in_store() == sorted(different(number, 20_000) for number in range(12))
        watching.stop()


@needs_root
def test_a_full_disk_under_the_database_and_room_on_it_again(watching: Watching, tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    watching.database = disk / "lungline.db"
    with mounted(disk, "-t", "tmpfs", "-o", "size=2m", "none"):
        watching.start()
        (watching.inbox / "first.png").write_bytes(different(0))
        watching.takes_in(accepted=1)
        try:
            with (disk / "ballast").open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        except OSError:
            pass
        for number in range(1, 200):
            (watching.inbox / f"{number}.png").write_bytes(different(number))
        time.sleep(3)
        assert watching.files().get("accepted", 0) < 200
        (disk / "ballast").unlink()
        watching.takes_in(accepted=200)
        watching.stop()


def test_sqlite_is_locked_by_another_for_longer_than_anyone_waits(watching: Watching) -> None:
    watching.prelude = "import db.connect; db.connect._BUSY_MS = 200"
    watching.start()
    other = sqlite3.connect(watching.database, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    for number in range(20):
        (watching.inbox / f"{number}.png").write_bytes(different(number))
    time.sleep(3)
    assert watching.files() == {}
    other.execute("COMMIT")
    other.close()
    watching.takes_in(accepted=20)


@needs_root
def test_a_file_on_a_bad_sector_ends_as_unreadable_and_the_others_as_ever(watching: Watching) -> None:
    watching.prelude = "from watcher import settle; settle._FAILED_SECONDS = 1.0; settle.EMPTY_PATIENCE_SECONDS = 0.0"
    bad = watching.inbox / "bad.dcm"
    bad.touch()
    told = subprocess.run(["mount", "--bind", f"/proc/{os.getpid()}/mem", str(bad)], capture_output=True, text=True)
    if told.returncode:
        pytest.skip(f"mounting is not allowed here: {told.stderr.strip()}")
    try:
        with pytest.raises(OSError, match="Input/output error"):
            bad.read_bytes()
        (watching.inbox / "good.png").write_bytes(PICTURE)
        watching.start()
        watching.takes_in(accepted=1, refused=1)  # it stays, since a mount cannot be moved, and counts once
        assert watching.reasons() == ["unreadable"]
        watching.stop()
        watching.start()
        time.sleep(1)
        watching.takes_in(accepted=1, refused=1)
        watching.stop()
    finally:
        subprocess.run(["umount", "-l", str(bad)], check=True)


def test_a_watcher_that_is_killed_again_and_again_among_copies_and_moves(watching: Watching, tmp_path: Path) -> None:
    originals = tmp_path / "originals"
    originals.mkdir()
    for number in range(300):
        path = watching.inbox / f"{number}.png"
        if number % 3:
            path.write_bytes(different(number))
        else:  # a second name elsewhere: it must be copied
            (originals / path.name).write_bytes(different(number))
            os.link(originals / path.name, path)
    for seconds in (0.3, 0.35, 0.4, 0.45):
        watching.start()
        time.sleep(seconds)
        watching.stop(signal.SIGKILL)
    watching.start()
    watching.takes_in(accepted=300)
    assert len(watching.bytes_in_store()) == 300
    assert list(watching.inbox.iterdir()) == []


def test_reconcile_tells_that_no_watcher_runs(watching: Watching) -> None:
    watching.start()
    watching.stop()
    (watching.inbox / "a.png").write_bytes(PICTURE)
    code, said = watching.reconciles()
    assert code == 1
    assert "lungline up" in said
