"""Labels of whole series and studies on both databases: each scan has them, and the narrower label says what it shows."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, text

from db import drops, labels, migrate
from db.connect import connect
from db.drops import Drop
from db.labels import ImportedLabels
from db.results import ScanFacts, Verdict
from db.tables import Priority
from lungline import label_rows
from lungline.findings import Modality, Status
from lungline.ids import new_id
from lungline.label_rows import Fault
from lungline.pseudonyms import PseudonymKey
from lungline.settings import Settings
from tests.ledger import claim_scan, record, upgrade_to
from tests.studies import assess_study

KEY = PseudonymKey(b"k" * 32)
STUDY, CT, FILMS = "1.2.9", "1.2.9.1", "1.2.9.2"


@pytest.fixture
def connection(database_url: str, tmp_path: Path) -> Iterator[Connection]:
    """A study with a CT of three slices and a film, assessed."""
    engine: Engine = migrate.open_database(Settings(home=tmp_path, database_url=database_url))
    with engine.begin() as connection:
        for number in range(3):
            read(connection, number, Modality.CT, "non_covid", CT)
        read(connection, 3, Modality.XRAY, "normal", FILMS)
        assess_study(connection)
        yield connection
    engine.dispose()


def read(connection: Connection, number: int, modality: Modality, finding: str, series: str, patient: str = "P") -> str:
    """A scan of the study that is done; its hash."""
    sha256 = f"{number:064x}"
    drops.accept(connection, Drop(new_id(), sha256, 1, Priority.SCANS, None))
    scan_id = str(connection.scalar(text("SELECT id FROM scans WHERE sha256 = :it"), {"it": sha256}))
    claim = claim_scan(connection, scan_id)
    assert claim is not None
    keys: dict[str, Any] = {"patient_key": KEY.pseudonym("patient", patient), "study_key": KEY.pseudonym("study", STUDY)}
    facts = ScanFacts(modality, 1, 1, **keys, series_key=KEY.pseudonym("series", series), lung_share=0.4)
    both = {finding: 0.9, "covid19": 0.1}
    assert record(connection, claim, facts, Verdict("e-1", Status.ACCEPTED, finding, 0.9, None, 0.0, 0.0, both), quiet_seconds=0.0)
    return sha256


def enter(connection: Connection, head: str, *rows: str) -> ImportedLabels:
    table = label_rows.read("\n".join([head, *rows]).encode())
    return labels.enter(connection, table, {}, KEY, who="me", sha256="f" * 64)


def rows(connection: Connection, query: str) -> list[tuple[Any, ...]]:
    return [tuple(row) for row in connection.execute(text(query))]


SERIES_HEAD = "series_instance_uid,finding,reader,read_at"
STUDY_HEAD = "study_instance_uid,finding,reader,read_at"


def test_a_label_of_a_series_is_one_of_each_of_its_scans(connection: Connection) -> None:
    done = enter(connection, SERIES_HEAD, f"{CT},covid19,A,2024-11-20", "9.9,covid19,A,2024-11-20", f"{CT},pneumonic,A,2024-11-20")

    assert (done.added, done.known) == (1, 0)
    assert [(row.line, row.fault) for row in done.refused] == [(3, Fault.UNKNOWN_SCAN), (4, Fault.UNKNOWN_FINDING)]
    assert rows(connection, "SELECT modality, label, scope FROM scan_labels") == [("ct", "covid19", "series")] * 3
    assert rows(connection, "SELECT * FROM label_agreement") == []
    agreement = "SELECT series_key, reader, reader_finding, model_finding, agrees FROM study_label_agreement"
    assert rows(connection, agreement) == [(KEY.pseudonym("series", CT), "A", "covid19", "non_covid", False)]


def test_a_label_of_a_study_is_of_scans_that_may_show_it(connection: Connection) -> None:
    enter(connection, STUDY_HEAD, f"{STUDY},covid19,A,2024-11-20", f"{STUDY},Non-COVID,B,2024-11-20")

    found = "SELECT reader, modality, count(*) FROM scan_labels GROUP BY reader, modality ORDER BY reader, modality"
    assert rows(connection, found) == [("A", "ct", 3), ("A", "xray", 1), ("B", "ct", 3)]
    agreement = "SELECT reader, series_key, reader_finding, model_finding, agrees FROM study_label_agreement ORDER BY reader"
    assert rows(connection, agreement) == [("A", None, "covid19", "non_covid", False), ("B", None, "non_covid", "non_covid", True)]


def test_an_import_again_labels_what_came_since(connection: Connection) -> None:
    row = f"{CT},covid19,A,2024-11-20"
    enter(connection, SERIES_HEAD, row)
    assert (enter(connection, SERIES_HEAD, row).added, enter(connection, SERIES_HEAD, row).known) == (0, 1)
    read(connection, 7, Modality.CT, "non_covid", CT)

    assert enter(connection, SERIES_HEAD, row).added == 1

    assert connection.scalar(text("SELECT count(*) FROM scan_labels")) == 4


def test_a_label_of_a_scan_does_not_contradict_its_study_s(connection: Connection) -> None:
    enter(connection, STUDY_HEAD, f"{STUDY},covid19,A,2024-11-20")
    done = enter(connection, "sha256,finding,reader,read_at", f"{0:064x},normal,A,2024-11-20", f"{1:064x},covid19,A,2024-11-20")

    assert (done.added, done.conflicts) == (2, 0)
    assert connection.scalar(text("SELECT count(*) FROM scan_labels WHERE conflicts")) == 0
    assert enter(connection, STUDY_HEAD, f"{STUDY},Non-COVID,B,2024-11-20").conflicts == 3


def test_a_study_of_two_patients_is_named_not_guessed(connection: Connection) -> None:
    read(connection, 8, Modality.CT, "non_covid", CT, patient="Q")

    done = enter(connection, SERIES_HEAD, f"{CT},covid19,A,2024-11-20")

    assert [row.fault for row in done.refused] == [Fault.SEVERAL_SCANS]


def test_a_file_labels_so_many_scans_and_names_the_rest(connection: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(labels, "SCANS_MAX", 7)

    done = enter(connection, SERIES_HEAD, *(f"{CT},covid19,reader {number},2024-11-20" for number in range(4)))

    assert (done.added, [(row.line, row.fault) for row in done.refused]) == (2, [(4, Fault.TOO_MANY_SCANS), (5, Fault.TOO_MANY_SCANS)])


def test_labels_before_the_update_are_of_scans(database_url: str, tmp_path: Path) -> None:
    settings = Settings(home=tmp_path, database_url=database_url)
    engine = connect(settings.database_url)
    then = "'2026-11-01T10:00:00.000+00:00'"
    with engine.begin() as connection:
        upgrade_to(connection, "0012")
        for statement in (
            f"INSERT INTO files (id, outcome, sha256, bytes, priority, received_at) VALUES ('f', 'accepted', 'aa', 1, 'scans', {then})",
            f"INSERT INTO scans (id, file_id, sha256, frame, priority, received_at) VALUES ('s', 'f', 'aa', 1, 'scans', {then})",
            "INSERT INTO labels (id, scan_id, label, finding, reader, read_at, imported_at, import_id)"
            f" VALUES ('l', 's', 'normal', 'normal', 'A', {then}, {then}, 'i')",
        ):
            connection.execute(text(statement))
    engine.dispose()
    engine = migrate.open_database(settings)
    with engine.connect() as connection:
        assert rows(connection, "SELECT label_id, scope FROM scan_labels") == [("l", "scan")]
    engine.dispose()
