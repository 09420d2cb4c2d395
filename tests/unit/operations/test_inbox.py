"""Names in the inbox: none is written over, and none is too long."""

import os
from pathlib import Path

import pytest

from operations.inbox import put


@pytest.mark.parametrize("name", ["a.png", "é" * 125 + ".png", "x" * 255, "." + "x" * 254, os.fsdecode(b"\xff\xfe.dcm")])
@pytest.mark.parametrize("links", [True, False])
def test_no_file_is_written_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, links: bool) -> None:
    def no_links(*_: object, **__: object) -> None:
        raise PermissionError

    if not links:
        monkeypatch.setattr(os, "link", no_links)
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for number in range(3):
        file = tmp_path / "file"
        file.write_text(str(number))
        put(file, inbox, name)
        assert not file.exists()
    assert (inbox / name).read_text() == "0"
    assert sorted(path.read_text() for path in inbox.iterdir()) == ["0", "1", "2"]


def test_a_name_that_is_no_utf_8_keeps_its_bytes(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    for _ in range(2):
        draft = tmp_path / "draft"
        draft.write_text("x")
        put(draft, inbox, "caf\udce9.png")
    assert sorted(os.listdir(os.fsencode(inbox))) == [b"caf\xe9-1.png", b"caf\xe9.png"]
