"""`lungline show --explain`: a picture of where a member looked, or a plain word on why there is none."""

import json
import stat
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from sqlalchemy import insert
from typer.testing import CliRunner

from cli.main import app
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


def explained(*arguments: str) -> dict[str, Any]:
    said = CliRunner().invoke(app, ["show", *arguments, "--explain", "--json"])
    assert said.exit_code == 0, (said.output, said.exception)
    row: dict[str, Any] = json.loads(said.stdout)
    return row


def refused(*arguments: str) -> Exception:
    said = CliRunner().invoke(app, ["show", *arguments, "--explain"])
    assert isinstance(said.exception, LunglineError), said.output
    return said.exception


def test_the_heaviest_member_is_explained_on_what_it_saw(home: Path) -> None:
    scan = dropped("done", SAID)
    row = explained(scan)
    heaviest = max(CT.places, key=lambda place: place.weight).member
    assert row["explained_member"] == heaviest.version
    assert row["explained_finding"] == "covid19"
    path = Path(row["explained"])
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
    row = explained(scan, "--member", other.name, "--out", str(tmp_path / "map.png"))
    assert row["explained_member"] == other.version
    assert Path(row["explained"]) == tmp_path / "map.png"
    assert (tmp_path / "map.png").is_file()
    assert stat.S_IMODE((tmp_path / "map.png").stat().st_mode) == 0o600
    (tmp_path / "map.png").chmod(0o644)
    explained(scan, "--member", other.name, "--out", str(tmp_path / "map.png"))
    assert stat.S_IMODE((tmp_path / "map.png").stat().st_mode) == 0o600  # one that was there before, too
    assert isinstance(refused(scan, "--member", "nobody"), ModelError)
    assert isinstance(refused(scan, "--member", "xray-cnn"), ModelError)


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
