"""Mount points as the kernel writes them, whatever their names."""

import os
from pathlib import Path

import pytest

from lungline import filesystems


@pytest.mark.parametrize("name", ["plain", "a b", "Röntgen", "back\\slash", os.fsdecode(b"raw\xff")])
def test_the_share_that_a_path_lies_on_is_found(tmp_path: Path, name: str) -> None:
    point = tmp_path / name
    (point / "inbox").mkdir(parents=True)
    mounts = tmp_path / "mounts"
    written = os.fsencode(point).replace(b"\\", rb"\134").replace(b" ", rb"\040")
    mounts.write_bytes(b"/dev/sda / ext4 rw 0 0\nserver:/share " + written + b" nfs4 rw 0 0\n")
    assert filesystems.kind(point / "inbox" / "not there yet", mounts) == "nfs4"
    assert filesystems.kind(tmp_path, mounts) == "ext4"
    assert filesystems.is_remote(point, mounts)
