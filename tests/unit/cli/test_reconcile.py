"""`lungline reconcile` beside a watcher that goes on working."""

from pathlib import Path

import pytest

from cli import reconcile
from lungline.store import Store


def test_bytes_that_are_put_in_place_while_it_looks_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Store(tmp_path)
    sha256 = "a" * 64
    coming = store.incoming / "1~scans~any" / "a.png"
    coming.parent.mkdir(parents=True)
    coming.write_bytes(b"data")
    find = Store.find

    def found_too_early(store: Store, sha256: str, file_id: str) -> Path | None:
        path = find(store, sha256, file_id)
        if path == coming:
            store.folder(sha256).mkdir(parents=True)
            path.rename(store.folder(sha256) / path.name)
        return path

    monkeypatch.setattr(Store, "find", found_too_early)
    assert reconcile._holds(store, sha256, "1", 4)
    assert not reconcile._holds(store, sha256, "1", 5)
    assert not reconcile._holds(store, "b" * 64, "2", 4)
