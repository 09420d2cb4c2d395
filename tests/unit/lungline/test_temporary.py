"""Folders of temporary files whose path is too long for a socket, or that are not there."""

import socket
import tempfile
from pathlib import Path

import pytest

from lungline.errors import SettingsError
from lungline.temporary import describe_fault, folder_for_sockets


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that TMPDIR names, not made yet, whose path has more than 150 bytes."""
    folder = tmp_path / ("long-" * 30)
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def test_socket_fits_though_the_path_is_long(name: Path) -> None:
    name.mkdir()
    assert tempfile.gettempdir() == str(name)
    assert describe_fault() == ""
    with tempfile.TemporaryDirectory(dir=folder_for_sockets(40)) as folder, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"{folder}/{'s' * 20}")


def test_a_short_path_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", "/dev/shm")
    assert folder_for_sockets(40) == Path("/dev/shm")


def test_where_no_other_folder_is_usable_it_says_what_to_set(name: Path) -> None:
    name.mkdir()
    with pytest.raises(SettingsError, match="TMPDIR is too long for a socket: set it to a folder whose path has 67 bytes at most"):
        folder_for_sockets(40, ("/nowhere", str(name)))


@pytest.mark.parametrize("kind", ["nothing", "file"])
def test_a_folder_that_is_none_is_said(kind: str, name: Path) -> None:
    if kind == "file":
        name.touch()
    assert describe_fault().startswith(
        f"TMPDIR is not a folder that this user can write to, so temporary files go to {tempfile.gettempdir()}"
    )
