"""Files that arrive in every odd way: slow, swapped, deep, renamed, endless, or no files at all, and a watcher that is killed meanwhile."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from tests.integration.watcher.arrival.watching import PICTURE, Watching, different
from tests.mounts import needs_root


def test_slowly_growing_picture_deep_in_folders_arrives_whole(watching: Watching) -> None:
    watching.start()
    folder = watching.inbox.joinpath(*[f"level-{number:03}" for number in range(200)])
    folder.mkdir(parents=True)
    for part in range(4):  # opened and closed each time: nobody holds it open
        with (folder / "slow.png").open("ab") as file:
            file.write(PICTURE[part * len(PICTURE) // 4 : (part + 1) * len(PICTURE) // 4])
        time.sleep(0.7)
    watching.takes_in(accepted=1)
    assert watching.bytes_in_store() == [PICTURE]


def test_files_replaced_renamed_or_removed_while_unstable(watching: Watching) -> None:
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
def test_constantly_swapped_file_ends_as_one_of_its_versions(watching: Watching) -> None:
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


def test_folder_renamed_away_in_mid_copy_comes_back(watching: Watching, tmp_path: Path) -> None:
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


def test_repeated_kills_of_the_watcher_lose_no_file(watching: Watching, tmp_path: Path) -> None:
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


_POISON = """
import watcher.intake, watcher.relook, watcher.watch
from watcher.sightings import Sightings
stage, walk, walks = watcher.intake.Intake.stage, Sightings.walk, []
def stumbling(intake, path, *rest):
    if 'poison' in path:
        raise KeyError(path)
    return stage(intake, path, *rest)
def walking(sightings, at):
    walks.append(at)
    if len(walks) % 2:
        raise RuntimeError
    walk(sightings, at)
def looking(*_):
    raise ZeroDivisionError
watcher.intake.Intake.stage, Sightings.walk, watcher.watch.relook = stumbling, walking, looking
"""


def test_unexpected_error_costs_one_file_and_not_the_watcher(watching: Watching) -> None:
    watching.prelude = _POISON
    watching.settings["OBSERVER"] = "polling"
    watching.start()
    for name in ("a", "poison", "b"):
        (watching.inbox / f"{name}.png").write_bytes(different(len(name), ord(name[0])))
    watching.takes_in(accepted=2, refused=1)
    assert watching.reasons() == ["internal_error"]


def test_reconcile_tells_that_no_watcher_runs(watching: Watching) -> None:
    watching.start()
    watching.stop()
    (watching.inbox / "a.png").write_bytes(PICTURE)
    code, said = watching.reconciles()
    assert code == 1
    assert "lungline up" in said
