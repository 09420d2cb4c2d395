"""Shares that go away and come back, disks that fill up or fail, a database that is held: the watcher goes on by itself."""

import os
import sqlite3
import subprocess
import threading
import time
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.integration.watcher.arrival.watching import PICTURE, Watching, different
from tests.mounts import mounted, needs_root


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


@pytest.mark.parametrize("how", ["renamed", pytest.param("unmounted", marks=[needs_root, pytest.mark.slow])])
def test_store_that_flaps_while_files_arrive_loses_none(watching: Watching, tmp_path: Path, how: str) -> None:
    disk, files = tmp_path / "disk", 600
    disk.mkdir()

    def drop() -> None:
        for number in range(files):
            (watching.inbox / f"{number}.png").write_bytes(different(number))
            time.sleep(0.01)

    watching.settings["QUIET_SECONDS"] = "0.05"
    watching.limits["full"] = 0.1
    with mounted(watching.store, "--bind", str(disk)) if how == "unmounted" else nullcontext():
        watching.start()
        dropping = threading.Thread(target=drop)
        dropping.start()
        for flap in range(20):
            time.sleep(0.2 + 0.01 * (flap % 7))  # so that it goes away at each step of taking in
            away = 3.0 if flap == 9 else 0.05
            if how == "renamed":
                watching.store.rename(disk / "away")
                time.sleep(away)
                (disk / "away").rename(watching.store)
            else:
                subprocess.run(["umount", "-l", str(watching.store)], check=True)
                time.sleep(away)
                subprocess.run(["mount", "--bind", str(disk), str(watching.store)], check=True)
        dropping.join()
        watching.takes_in(accepted=files)
        assert watching.bytes_in_store() == sorted(different(number) for number in range(files))
        assert list(watching.inbox.iterdir()) == []
        watching.stop()


@needs_root
def test_a_full_store_and_room_in_it_again(watching: Watching, tmp_path: Path) -> None:
    watching.limits["full"] = 0.5
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


def test_sqlite_locked_longer_than_the_busy_timeout(watching: Watching) -> None:
    watching.settings["DATABASE_URL"] = f"sqlite:///{watching.database}?timeout=0.2"
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
def test_file_on_a_bad_sector_is_unreadable_and_others_finish(watching: Watching) -> None:
    watching.limits = {"unreadable": 1.0, "patience_if_empty": 0.0}
    bad = watching.inbox / "bad.dcm"
    bad.touch()
    result = subprocess.run(["mount", "--bind", f"/proc/{os.getpid()}/mem", str(bad)], capture_output=True, text=True)
    if result.returncode:
        pytest.skip(f"mounting is not allowed here: {result.stderr.strip()}")
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
