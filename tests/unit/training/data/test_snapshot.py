"""What a retraining learns from: never a row of test, the same for ever, and enough of each finding."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
import pytest

from lungline.errors import TrainingError
from lungline.findings import Modality
from lungline.layout import Store
from lungline.pseudonyms import PseudonymKey
from tests.drawn_data_set import COUNTS, disc, draw_data_set
from training.data import manifests, snapshot
from training.data.snapshot import Labels, NoTrainingData, Snapshot


@pytest.fixture
def none(tmp_path: Path) -> Labels:
    return Labels((), None, PseudonymKey.load_or_create(tmp_path / "key"))


@pytest.fixture
def taken(tmp_path: Path, none: Labels) -> Snapshot:
    return snapshot.take(tmp_path / "store" / "training" / "run", draw_data_set(tmp_path / "data"), none)


def test_snapshot_audits_test_rows_and_never_learns_from_them(taken: Snapshot) -> None:
    rows = manifests.read(taken.folder / "manifest.csv")
    assert {row.split for row in rows} == {"train", "val", "gate"}
    assert all(row.path.is_file() for row in rows)
    assert {row.split for row in manifests.read(taken.audited)} == set(COUNTS)
    assert taken.split == {"train": 60, "val": 36, "gate": 60}


def test_the_same_data_have_the_same_hash_and_others_another(tmp_path: Path, taken: Snapshot, none: Labels) -> None:
    repeated = snapshot.take(tmp_path / "store" / "training" / "other", tmp_path / "data", none)
    assert repeated.sha256 == taken.sha256
    manifest = tmp_path / "data" / "manifest.csv"
    manifest.write_text("\n".join(manifest.read_text().splitlines()[:-20]))  # of test and gate
    assert snapshot.take(tmp_path / "store" / "training" / "third", tmp_path / "data", none).sha256 != taken.sha256


def test_new_training_pictures_or_labels_count_as_new(tmp_path: Path, taken: Snapshot, none: Labels) -> None:
    manifest = tmp_path / "data" / "manifest.csv"
    lines = manifest.read_text().splitlines()
    known = snapshot.count_training_labels(taken.folder, Modality.XRAY)
    assert known
    assert known.total() == COUNTS["train"] * 3

    def after(lines: list[str]) -> Counter[tuple[str, str, str]]:
        manifest.write_text("\n".join(lines))
        folder = snapshot.take(tmp_path / "store" / "training" / "next", tmp_path / "data", none).folder
        return snapshot.count_training_labels(folder, Modality.XRAY) or Counter()

    assert after([lines[0], *reversed(lines[5:])]) < known  # fewer, in another order
    assert not after([lines[0], lines[1].replace("covid19", "normal"), *lines[2:]]) <= known
    assert snapshot.count_training_labels(taken.folder, Modality.CT) == Counter()
    assert snapshot.count_training_labels(tmp_path / "gone", Modality.XRAY) is None
    moved = (tmp_path / "data").rename(tmp_path / "elsewhere")
    folder = snapshot.take(tmp_path / "store" / "training" / "moved", moved, none).folder
    assert snapshot.count_training_labels(folder, Modality.XRAY) == snapshot.count_training_labels(
        tmp_path / "store" / "training" / "next", Modality.XRAY
    )


def test_a_run_that_goes_on_learns_from_what_it_began_with(tmp_path: Path, taken: Snapshot) -> None:
    known = taken.columns()
    assert snapshot.reopen(taken.folder, known) == taken
    (taken.folder / "manifest.csv").write_text("path\n")
    assert snapshot.reopen(taken.folder, known) is None
    assert snapshot.reopen(tmp_path / "nowhere", known) is None


def test_nothing_at_all_is_told_from_a_fault(tmp_path: Path, none: Labels) -> None:
    with pytest.raises(NoTrainingData, match="LUNGLINE_TRAINING_DATA"):
        snapshot.take(tmp_path / "store", None, none)
    with pytest.raises(TrainingError, match=r"manifest\.csv"):
        snapshot.take(tmp_path / "store", tmp_path, none)


def labelled(folder: Path, key: PseudonymKey, patient: str, split: str, seed: int) -> manifests.Row:
    """A scan of the store that a reader labelled; its patient under the pseudonym that the ledger has."""
    path = save(folder / f"{seed:064x}", disc(0, np.random.default_rng(seed)))
    return manifests.Row(2, path, "xray", "covid19", key.pseudonym("patient", patient), f"store-{patient}", "ACME", split)


def save(path: Path, picture: "np.ndarray[tuple[int, int], np.dtype[np.uint8]]") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bytes(cv2.imencode(".png", picture)[1]))  # the store keeps names apart
    return path


def test_the_stores_labelled_scans_join_but_no_patient_of_test(tmp_path: Path, taken: Snapshot) -> None:
    key = PseudonymKey.load_or_create(tmp_path / "key")
    until = datetime(2026, 11, 21, tzinfo=UTC)
    rows = [
        labelled(tmp_path / "own" / "labelled", key, "ROE", "train", 501),
        labelled(tmp_path / "own" / "labelled", key, "POE", "test", 502),  # by the hash of its key
        labelled(tmp_path / "own" / "labelled", key, "DOE-3-test-0", "train", 503),  # in the manifest's test
    ]
    joined = snapshot.take(tmp_path / "store" / "training" / "joined", tmp_path / "data", Labels(rows, until, key))
    learnt = {row.path.name for row in manifests.read(joined.folder / "manifest.csv")}
    assert f"{501:064x}" in learnt
    assert not learnt & {f"{502:064x}", f"{503:064x}"}
    assert joined.split == {"train": 61, "val": 36, "gate": 60}
    assert not snapshot.trains_on_store(joined.folder, Modality.XRAY, Store(tmp_path))
    assert snapshot.trains_on_store(joined.folder, Modality.XRAY, Store(tmp_path / "own"))
    assert not snapshot.trains_on_store(joined.folder, Modality.CT, Store(tmp_path / "own"))
    assert joined.labels == 1  # those that are learnt from or judged by
    assert joined.labels_until == until
    assert joined.sha256 != taken.sha256
    assert joined.manifest_sha256 == taken.manifest_sha256
