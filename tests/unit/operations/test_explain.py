"""A picture of where a member looked, or a plain word on why there is none."""

import stat
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from sqlalchemy import insert

from db import drops, migrate
from db.clock import now
from db.drops import Drop
from db.scans import quarantine_scan
from db.tables import Priority, jobs, scans, verdicts
from imaging.phantoms import picture
from lungline.errors import LedgerError, LunglineError, ModelError, StoreError
from lungline.findings import Modality
from lungline.ids import new_id
from lungline.layout import Store
from lungline.reasons import Reason
from lungline.settings import load
from models.registry import shipped
from operations.explain import Explanation, explain_scan
from operations.results import find_scans

CT = shipped()[Modality.CT]
SAID = {"finding": "covid19", "probability": 0.75, "status": "accepted", "disagreement": 0.0, "entropy": 0.5}


def dropped(state: str, verdict: dict[str, Any] | None, ensemble: str = CT.version) -> str:
    """A drawn CT slice in the store and the ledger, as a worker would leave it; gives the scan's id."""
    import hashlib

    data = bytes(cv2.imencode(".png", picture("ct", 5, 200))[1])
    sha256 = hashlib.sha256(data).hexdigest()
    settings = load()
    path = Store(settings.store).folder(sha256) / "DOE^JANE.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    engine = migrate.open_database(settings)
    with engine.begin() as connection:
        drops.accept(connection, Drop(new_id(), sha256, len(data), Priority.SCANS, Modality.CT))
        scan_id = str(connection.scalar(scans.select()))
        connection.execute(scans.update().values(modality="ct"))
        if state != "waiting":
            connection.execute(jobs.delete())
        if state == "quarantined":
            quarantine_scan(connection, scan_id, Reason.TRUNCATED, "x")
        if verdict:
            connection.execute(insert(verdicts).values(id=new_id(), scan_id=scan_id, ensemble=ensemble, finished_at=now(), **verdict))
    engine.dispose()
    return scan_id


def explained(scan_id: str, member: str | None = None, out: Path | None = None) -> Explanation:
    settings = load()
    (scan,) = find_scans(settings, scan_id)
    return explain_scan(settings, scan.record, member, out)


def refused(scan_id: str, member: str | None = None) -> Exception:
    with pytest.raises(LunglineError) as caught:
        explained(scan_id, member)
    return caught.value


def test_the_heaviest_member_is_explained_on_what_it_saw(home: Path) -> None:
    scan = dropped("done", SAID)
    explanation = explained(scan)
    heaviest = max(CT.places, key=lambda place: place.weight).member
    assert (explanation.member, explanation.finding) == (heaviest.version, "covid19")
    path = explanation.picture
    assert path.parent == home / "explained"
    assert "DOE" not in str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    drawn = cv2.imread(str(path))
    assert drawn is not None
    assert drawn.shape == (448, 904, 3)
    seen, over = drawn[:, :448], drawn[:, 456:]
    assert (np.ptp(seen.astype(int), axis=2) == 0).all()  # gray
    assert (np.ptp(over.astype(int), axis=2) > 40).any()  # and a map over it


def test_any_member_of_the_modality_may_be_asked(home: Path, tmp_path: Path) -> None:
    scan = dropped("done", SAID)
    other = min(CT.places, key=lambda place: place.weight).member
    explanation = explained(scan, other.name, tmp_path / "map.png")
    assert explanation == Explanation(tmp_path / "map.png", other.version, "covid19")
    assert (tmp_path / "map.png").is_file()
    assert stat.S_IMODE((tmp_path / "map.png").stat().st_mode) == 0o600
    (tmp_path / "map.png").chmod(0o644)
    explained(scan, other.name, tmp_path / "map.png")
    assert stat.S_IMODE((tmp_path / "map.png").stat().st_mode) == 0o600  # one that was there before, too
    assert isinstance(refused(scan, "nobody"), ModelError)
    assert isinstance(refused(scan, "xray-cnn"), ModelError)


@pytest.mark.parametrize(
    ("state", "verdict", "word"),
    [
        ("waiting", None, "waiting"),
        ("quarantined", None, "quarantined"),
        ("done", {"status": "rejected", "reason": "not_chest"}, "not_chest"),
    ],
)
def test_what_no_network_looked_at_is_told(home: Path, state: str, verdict: dict[str, Any] | None, word: str) -> None:
    error = refused(dropped(state, verdict))
    assert isinstance(error, LedgerError)
    assert word in str(error)
    assert not (home / "explained").exists()


def test_unknown_scans_lost_bytes_and_lost_models_are_told(home: Path) -> None:
    scan = dropped("done", SAID)
    assert isinstance(refused(new_id()), LedgerError)
    for path in Store(load().store).root.rglob("*.png"):
        path.unlink()
    error = refused(scan)
    assert isinstance(error, StoreError)
    assert "DOE" not in str(error)


def test_an_ensemble_that_is_gone_is_told(home: Path) -> None:
    error = refused(dropped("done", SAID, ensemble="ct-9-00000000"))
    assert isinstance(error, ModelError)
    assert "ct-9-00000000" in str(error)
