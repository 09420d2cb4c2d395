"""The store's labelled scans as training data: who agrees is learnt from, and nobody crosses from test into training."""

import hashlib
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import Connection, select, update
from typer.testing import CliRunner

from cli.data import app
from db import drops, labels
from db import scans as scan_states
from db.drops import Drop
from db.results import ScanFacts, Verdict
from db.tables import Priority, scans
from db.writer import Writer
from imaging.phantoms import picture
from lungline import label_rows
from lungline.findings import Modality, Status
from lungline.ids import new_id
from lungline.layout import Store
from lungline.pseudonyms import PseudonymKey
from lungline.reasons import Reason
from lungline.settings import PREFIX, load
from tests.corpus.files import jpeg, png
from tests.ledger import claim_scan, find_scan, record
from training.data import manifests, store_labels
from training.data.builders.groups import side_of
from training.data.manifests import Row


class LabelClinic:
    """A ledger and a store with scans that were judged, and readers who label them."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        settings = load()
        self.store = Store(settings.store)
        self.key = PseudonymKey.load_or_create(settings.key_file)
        self.skipped: Counter[str] = Counter()

    def scan(
        self, data: bytes, patient: str | None = None, *, frame: int = 1, rejected: bool = False, manufacturer: str | None = None
    ) -> str:
        """A scan that is done; the hash of its bytes."""
        sha256 = hashlib.sha256(data).hexdigest()
        folder = self.store.folder(sha256)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "DOE^JANE.png").write_bytes(data)
        patient_key = self.key.pseudonym("patient", patient) if patient else None
        facts = ScanFacts(Modality.XRAY, 1, 1, patient_key=patient_key, manufacturer=manufacturer)
        said = Verdict("e-1", Status.ACCEPTED, "normal", 1.0, None, 0.0, 0.0, {"normal": 1.0})
        rejection = Verdict("admission-1", Status.REJECTED, reason=Reason.NOT_CHEST)

        def enter(connection: Connection) -> None:
            drops.accept(connection, Drop(new_id(), sha256, len(data), Priority.SCANS, None))
            for number in range(1, frame + 1):
                waits = select(scans.c.id).where(scans.c.sha256 == sha256, scans.c.frame == number)
                claim = claim_scan(connection, str(connection.scalar(waits)), "slot/boot/x")
                assert claim is not None
                if number == 1:
                    scan_states.enter_frames(connection, find_scan(connection, claim.subject), range(2, frame + 1))
                record(connection, claim, facts, rejection if rejected else said)

        self._writer.do(enter)
        return sha256

    def reads(self, *rows: tuple[str, str, str], frame: int = 1) -> None:
        """(scan, finding, reader)."""
        lines = "\n".join(f"{sha256},{finding},{reader},2024-11-20,{frame}" for sha256, finding, reader in rows)
        table = label_rows.read(f"sha256,finding,reader,read_at,frame\n{lines}".encode())
        done = self._writer.do(labels.enter, table, {}, self.key, who="me", sha256="f" * 64)
        assert done.refused == ()

    def rows(self) -> list[Row]:
        self.skipped.clear()
        return self._writer.do(store_labels.find_labelled_rows, self.store, self.skipped)


@pytest.fixture
def clinic(writer: Writer) -> LabelClinic:
    return LabelClinic(writer)


def chest(number: int) -> bytes:
    return png(picture("xray", number))


def patient_of(side: str) -> str:
    """A patient whom their key puts on a side."""
    key = PseudonymKey.load_or_create(load().key_file)
    return next(name for name in map(str, range(1000)) if side_of(key.pseudonym("patient", name)) == side)


def manifest(folder: Path, *rows: tuple[bytes, str, str, str]) -> list[Row]:
    """(picture, label, patient, split)."""
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    for number, (data, label, patient, split) in enumerate(rows):
        (folder / f"{number}.png").write_bytes(data)
        found.append(Row(number + 2, folder / f"{number}.png", "xray", label, patient, patient or f"g{number}", "there", split))
    manifests.write(folder / "manifest.csv", found)
    return found


def test_scans_whose_readers_agree_become_rows(clinic: LabelClinic) -> None:
    known, alone = clinic.scan(chest(1), "P1", manufacturer="ACME"), clinic.scan(chest(2))
    clinic.reads((known, "covid19", "A"), (known, "covid19", "B"), (alone, "normal", "A"))
    first, second = clinic.rows()
    key = clinic.key.pseudonym("patient", "P1")
    assert (first.label, first.patient, first.group, first.source, first.split) == ("covid19", key, key, "ACME", side_of(key))
    assert (second.label, second.patient, second.group, second.source) == ("normal", "", alone[:16], "store")
    assert second.split == side_of(alone[:16])
    assert first.path.read_bytes() == chest(1)
    assert "DOE" not in str(first.path)


def test_what_cannot_be_learnt_from_is_left_out_and_counted(clinic: LabelClinic) -> None:
    torn, rejected, lost, framed = (
        clinic.scan(chest(1)),
        clinic.scan(chest(2), rejected=True),
        clinic.scan(chest(3)),
        clinic.scan(chest(4), frame=2),
    )
    clinic.reads((torn, "covid19", "A"), (torn, "normal", "B"), (rejected, "normal", "A"), (lost, "normal", "A"))
    clinic.reads((framed, "normal", "A"), frame=2)
    (clinic.store.folder(lost) / "DOE^JANE.png").unlink()
    assert clinic.rows() == []
    assert sorted(clinic.skipped.values()) == [1, 1, 1, 1]


def test_a_label_of_a_study_gives_way_to_one_of_the_scan(clinic: LabelClinic, writer: Writer) -> None:
    well, ill, beyond = (clinic.scan(chest(number)) for number in range(3))
    writer.do(lambda connection: connection.execute(update(scans).values(study_key=clinic.key.pseudonym("study", "1.2"))))
    writer.do(lambda connection: connection.execute(update(scans).where(scans.c.sha256 == beyond).values(lung_share=0.01)))
    table = label_rows.read(b"study_instance_uid,finding,reader,read_at\n1.2,covid19,A,2024-11-20")
    assert writer.do(labels.enter, table, {}, clinic.key, who="me", sha256="f" * 64).refused == ()

    clinic.reads((well, "normal", "A"))

    assert {row.path.name: row.label for row in clinic.rows()} == {well: "normal", ill: "covid19"}
    assert [why for why, count in clinic.skipped.items() if count] == [
        "that lie beyond the lungs, in a series or study that was labelled as a whole"
    ]


def test_label_of_the_former_modality_is_not_learnt(clinic: LabelClinic, writer: Writer) -> None:
    scan = clinic.scan(chest(1))
    clinic.reads((scan, "pneumonia", "A"))
    writer.do(lambda connection: connection.execute(update(scans).values(modality="ct")))
    assert clinic.rows() == []
    assert sorted(clinic.skipped.values()) == [1]


@pytest.mark.parametrize("side", ["train", "val", "gate", "test"])
def test_a_patient_stays_on_the_side_of_its_key(clinic: LabelClinic, side: str) -> None:
    patient = patient_of(side)
    for number in range(3):
        clinic.reads((clinic.scan(chest(number), patient), "normal", "A"))
    joined = store_labels.join([], clinic.rows(), clinic.key)
    assert [row.split for row in joined.rows] == [side] * 3


def test_relabelled_test_patient_does_not_reach_training(clinic: LabelClinic, tmp_path: Path) -> None:
    patient = patient_of("train")  # as far as the store knows
    clinic.reads((clinic.scan(chest(1), patient), "normal", "A"))
    known = manifest(tmp_path / "data", (chest(50), "normal", patient, "test"), (chest(51), "covid19", "other", "train"))
    ours = clinic.rows()
    joined = store_labels.join(known, ours, clinic.key)
    assert [(row.split, row.path) for row in joined.rows] == [(row.split, row.path) for row in known]
    assert ours  # the store had it to offer


@pytest.mark.parametrize("copy", ["bytes", "jpeg", "brighter"])
def test_a_copy_of_a_picture_of_test_does_not_reach_training(clinic: LabelClinic, tmp_path: Path, copy: str) -> None:
    pixels = picture("xray", 1)
    brighter = np.clip(pixels.astype(np.float32) * 1.05 + 3, 0, 255).astype(np.uint8)
    data = {"bytes": chest(1), "jpeg": jpeg(pixels), "brighter": png(brighter)}[copy]
    others = [(chest(number), "normal", f"p{number}", "train") for number in range(60, 70)]
    known = manifest(tmp_path / "data", (chest(1), "normal", "somebody", "test"), *others)
    clinic.reads((clinic.scan(data, patient_of("train")), "normal", "A"))
    joined = store_labels.join(known, clinic.rows(), clinic.key)
    assert [row.path for row in joined.rows] == [row.path for row in known]


def test_test_patients_of_the_store_leave_the_manifest_training(clinic: LabelClinic, tmp_path: Path) -> None:
    patient = patient_of("test")
    clinic.reads((clinic.scan(chest(1), patient), "normal", "A"))
    known = manifest(tmp_path / "data", (chest(50), "normal", patient, "train"), (chest(51), "normal", "other", "train"))
    joined = store_labels.join(known, clinic.rows(), clinic.key)
    assert sorted(row.split for row in joined.rows) == ["test", "train"]
    assert known[0].path not in {row.path for row in joined.rows}


def test_a_picture_with_two_labels_is_learnt_from_nowhere(clinic: LabelClinic, tmp_path: Path) -> None:
    patient = patient_of("train")
    clinic.reads((clinic.scan(chest(1), patient), "covid19", "A"))
    known = manifest(tmp_path / "data", (chest(1), "normal", patient, "train"), (chest(51), "normal", "other", "train"))
    joined = store_labels.join(known, clinic.rows(), clinic.key)
    assert [row.path for row in joined.rows] == [known[1].path]


def test_a_picture_that_the_manifest_has_counts_once(clinic: LabelClinic, tmp_path: Path) -> None:
    patient = patient_of("train")
    clinic.reads((clinic.scan(chest(1), patient), "normal", "A"))
    known = manifest(tmp_path / "data", (chest(1), "normal", patient, "train"))
    assert len(store_labels.join(known, clinic.rows(), clinic.key).rows) == 1
    built = clinic.rows()  # and one that was built from the store itself
    assert len(store_labels.join(built, clinic.rows(), clinic.key).rows) == 1


def test_the_command_writes_the_store_s_part(clinic: LabelClinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, kept = clinic.scan(chest(1), patient_of("train")), clinic.scan(chest(2), patient_of("gate"))
    clinic.reads((taken, "normal", "A"), (kept, "covid19", "A"))
    manifest(tmp_path / "data", (chest(1), "normal", "somebody", "test"))
    monkeypatch.setenv(f"{PREFIX}TRAINING_DATA", str(tmp_path / "data"))
    out = tmp_path / "out" / "manifest.csv"
    result = CliRunner().invoke(app, ["build", "--from", "store", "--out", str(out)])
    assert result.exit_code == 0, result.output
    (row,) = manifests.read(out)
    assert (row.label, row.split) == ("covid19", "gate")
    assert row.path.read_bytes() == chest(2)
    assert "DOE" not in out.read_text() + result.output


def test_a_store_without_labels_is_told(clinic: LabelClinic, tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["build", "--from", "store", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert CliRunner().invoke(app, ["build", "--from", "store", "--out", str(tmp_path), "x"]).exit_code == 2
    assert CliRunner().invoke(app, ["build", "--from", "tree", "--out", str(tmp_path)]).exit_code == 2
