"""Senders that set a file's length first and fill it later: what is in the store keeps its hash, and half of a file is no scan."""

import hashlib
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from tests.corpus.files import dicom
from tests.integration.watcher.arrival.watching import Watching

FILM = dicom(np.random.default_rng(0).integers(20, 4000, (256, 256)).astype(np.uint16), "DX")


@contextmanager
def opened(path: Path) -> Iterator[int]:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def begin(descriptor: int, how: str) -> None:
    """As SMB servers and robocopy do (sparse or reserved), or clients that write zeros first."""
    if how == "sparse":
        os.truncate(descriptor, len(FILM))
    elif how == "reserved":
        os.posix_fallocate(descriptor, 0, len(FILM))
    else:
        os.pwrite(descriptor, bytes(len(FILM)), 0)
    os.pwrite(descriptor, FILM[: len(FILM) // 2], 0)


def go_on(descriptor: int) -> None:
    os.pwrite(descriptor, FILM[len(FILM) // 2 :], len(FILM) // 2)


def differing(store: Path) -> list[str]:
    paths = store.glob("[0-9a-f][0-9a-f]/*/*")
    return [path.name for path in paths if hashlib.sha256(path.read_bytes()).hexdigest() != path.parent.name]


@pytest.mark.parametrize("how", ["sparse", "reserved", "zeros"])
def test_what_is_half_filled_and_closed_is_waited_for(watching: Watching, how: str) -> None:
    watching.limits = {"patience": 4.0, "tend": 0.3}
    watching.start()
    path = watching.inbox / "film.dcm"
    with opened(path) as descriptor:
        begin(descriptor, how)
    time.sleep(1.5)
    assert watching.files() == {}
    with opened(path) as descriptor:
        go_on(descriptor)
    watching.takes_in(accepted=1)
    assert watching.bytes_in_store() == [FILM]


def test_open_file_is_copied_and_taken_in_anew_after_a_change(watching: Watching) -> None:
    watching.limits = {"patience": 1.0, "tend": 0.3}
    watching.start()
    path = watching.inbox / "film.dcm"
    with opened(path) as descriptor:
        begin(descriptor, "sparse")
        watching.until(lambda: watching.files() == {"accepted": 1}, "copied")
        assert os.fstat(descriptor).st_ino == path.stat().st_ino
        go_on(descriptor)
        time.sleep(0.5)
        assert differing(watching.store) == []
    watching.takes_in(accepted=2)
    assert FILM in watching.bytes_in_store()
    assert differing(watching.store) == []
    assert list(watching.inbox.iterdir()) == []


@pytest.mark.parametrize("restarted", [False, True])
def test_whole_open_file_leaves_the_inbox_once_closed(watching: Watching, restarted: bool) -> None:
    watching.limits = {"patience": 1.0, "tend": 0.3}
    watching.start()
    path = watching.inbox / "film.dcm"
    with opened(path) as descriptor:
        os.pwrite(descriptor, FILM, 0)
        watching.until(lambda: watching.files() == {"accepted": 1}, "copied")
        time.sleep(1)
        assert path.exists()
        assert len(list(watching.store.glob("incoming/*.held"))) == 1
        if restarted:
            watching.stop()
            watching.start()
            time.sleep(2)
            assert path.exists()
    watching.until(lambda: not path.exists(), "let go of")
    watching.takes_in(accepted=1)
    watching.until(lambda: list(watching.store.glob("incoming/*.held")) == [], "forgotten")
    assert watching.bytes_in_store() == [FILM]
