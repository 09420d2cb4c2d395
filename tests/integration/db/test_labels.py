"""Readers' labels on real SQLite and real PostgreSQL: each once, none overwritten, none believed that means nothing."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from db import audit, drops, labels, migrate
from db import scans as scan_states
from db.audit import Action
from db.drops import Drop
from db.labels import ImportedLabels
from db.results import ScanFacts, Verdict
from db.tables import Priority
from lungline import label_rows
from lungline.findings import Modality, Status
from lungline.ids import new_id
from lungline.label_rows import Fault
from lungline.layout import Store
from lungline.pseudonyms import PseudonymKey
from lungline.settings import Settings
from tests.ledger import claim_scan, find_scan, record

KEY = PseudonymKey(b"k" * 32)
XRAY, CT, WAITS = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
def engine(database_url: str, tmp_path: Path) -> Iterator[Engine]:
    engine = migrate.open_database(Settings(home=tmp_path, database_url=database_url))
    with engine.begin() as connection:
        read(connection, XRAY, Modality.XRAY, "normal", "1.2.3")
        read(connection, CT, Modality.CT, "non_covid", "1.2.4")
        drops.accept(connection, Drop(new_id(), WAITS, 1, Priority.SCANS, None))
    yield engine
    engine.dispose()


def read(connection: Connection, sha256: str, modality: Modality, finding: str, uid: str, frames: int = 1) -> None:
    """A scan that is done, or one a frame."""
    drops.accept(connection, Drop(new_id(), sha256, 1, Priority.SCANS, None))
    for _ in range(frames):
        first = text("SELECT s.id FROM scans s JOIN jobs j ON j.subject = s.id WHERE s.sha256 = :of ORDER BY s.frame")
        waits = connection.scalar(first, {"of": sha256})
        claim = claim_scan(connection, str(waits), "slot/boot/x")
        assert claim is not None
        scan = find_scan(connection, claim.subject)
        if scan.frame == 1:
            scan_states.enter_frames(connection, scan, range(2, frames + 1))
        facts = ScanFacts(modality, 1, 1, image_key=KEY.pseudonym("image", uid))
        record(connection, claim, facts, Verdict("e-1", Status.ACCEPTED, finding, 1.0, None, 0.0, 0.0, {finding: 1.0}))


def enter(
    connection: Connection, rows: str, head: str = "sha256,finding,reader,read_at", store: Path = Path("none"), **more: str
) -> ImportedLabels:
    table = label_rows.read(f"{head}\n{rows}".encode())
    return labels.enter(connection, table, Store(store).named(table.file_names), KEY, who="me", sha256="f" * 64, **more)


def faults(done: ImportedLabels) -> list[tuple[int, Fault]]:
    return [(refusal.line, refusal.fault) for refusal in done.refused]


def agreement(connection: Connection) -> list[tuple[object, ...]]:
    query = text("SELECT reader, reader_finding, model_finding, agrees FROM label_agreement ORDER BY reader, reader_finding")
    return [tuple(row) for row in connection.execute(query)]


def test_good_rows_go_in_and_the_others_are_told(connection: Connection) -> None:
    rows = [
        f"{XRAY.upper()},Corona virus,A,2024-11-20",
        f"{'d' * 64},covid19,A,2024-11-20",
        f"{XRAY},non_covid,A,2024-11-20",  # of CT
        f"{WAITS},covid19,A,2024-11-20",
        f"{CT},cap,A,2024-11-20",
        "../etc/passwd,covid19,A,2024-11-20",
        f"{CT},covid19,A",
    ]
    done = enter(connection, "\n".join(rows))
    assert (done.added, done.known, done.conflicts) == (2, 0, 0)
    assert faults(done) == [
        (3, Fault.UNKNOWN_SCAN),
        (4, Fault.UNKNOWN_FINDING),
        (5, Fault.NOT_READ_YET),
        (7, Fault.UNKNOWN_SCAN),
        (8, Fault.MALFORMED),
    ]
    assert agreement(connection) == [("A", "covid19", "normal", False), ("A", "non_covid", "non_covid", True)]
    row = connection.execute(text("SELECT action, who, subject, detail FROM audit_log")).one()
    assert tuple(row) == ("labels", "me", "f" * 64, "7 rows: 2 new, 0 known before, 5 refused.")


def test_the_same_row_again_is_no_second_row(connection: Connection) -> None:
    rows = f"{XRAY},normal,A,2024-11-20T08:00:00Z\n{XRAY},normal,A,2024-11-20T09:00:00+01:00\n"
    assert (enter(connection, rows).added, enter(connection, rows).known) == (1, 2)
    assert connection.scalar(text("SELECT count(*) FROM scan_labels")) == 1


def test_readings_that_contradict_each_other_are_kept_and_shown(connection: Connection) -> None:
    enter(connection, f"{XRAY},normal,A,2024-11-20\n{CT},cap,A,2024-11-20\n{CT},normal,B,2024-11-20\n")
    assert connection.scalar(text("SELECT count(*) FROM scan_labels WHERE conflicts")) == 0  # cap and normal are one finding
    assert enter(connection, f"{XRAY},covid19,A,2024-11-20\n").conflicts == 1  # the same reader at the same time
    done = enter(connection, f"{CT},covid19,B,2024-11-21\n")
    assert done.conflicts == 1
    assert done.text.endswith("the readings of 1 scans contradict each other.")
    assert connection.scalar(text("SELECT count(*) FROM scan_labels WHERE conflicts")) == 5
    assert [row[:2] for row in agreement(connection) if row[2] == "normal"] == [("A", "covid19"), ("A", "normal")]


def test_an_import_that_was_broken_off_is_noted_once(connection: Connection) -> None:
    done = enter(connection, f"{XRAY},normal,A,2024-11-20\n")
    repeated = enter(connection, f"{XRAY},normal,A,2024-11-20\n", import_id=done.import_id)
    assert (repeated.import_id, repeated.added) == (done.import_id, 0)
    assert connection.scalar(text("SELECT count(*) FROM audit_log")) == 1


def test_a_scan_is_named_by_its_instance_or_by_its_file(connection: Connection, tmp_path: Path) -> None:
    uid = enter(connection, "1.2.3,normal,A,2024-11-20\n9.9,normal,A,2024-11-20", "sop_instance_uid,finding,reader,read_at")
    assert (uid.added, faults(uid)) == (1, [(3, Fault.UNKNOWN_SCAN)])
    for sha256, name in ((XRAY, "one.png"), (XRAY, "same.png"), (CT, "same.png")):
        folder = Store(tmp_path).folder(sha256)
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    rows = "one.png,normal,B,2024-11-20\nsame.png,normal,B,2024-11-20\nnone.png,normal,B,2024-11-20\n"
    done = enter(connection, rows, "file_name,finding,reader,read_at", tmp_path)
    assert (done.added, faults(done)) == (1, [(3, Fault.SEVERAL_SCANS), (4, Fault.UNKNOWN_SCAN)])


def test_of_a_file_with_frames_a_row_names_one(connection: Connection) -> None:
    read(connection, "e" * 64, Modality.CT, "covid19", "1.2.5", frames=3)
    head = "sha256,finding,reader,read_at,frame"
    done = enter(connection, "\n".join(f"{'e' * 64},covid19,A,2024-11-20,{frame}" for frame in ("", "2", "4")), head)
    assert (done.added, faults(done)) == (1, [(2, Fault.SEVERAL_SCANS), (4, Fault.UNKNOWN_SCAN)])
    assert connection.scalar(text("SELECT frame FROM scan_labels")) == 2


def test_agreement_follows_the_current_verdict(connection: Connection) -> None:
    enter(connection, f"{XRAY},normal,A,2024-11-20\n")
    connection.execute(text("UPDATE verdicts SET superseded_at = finished_at WHERE finding = 'normal'"))
    connection.execute(
        text(
            "INSERT INTO verdicts (id, scan_id, ensemble, status, reason, finished_at)"
            " SELECT 'v', scan_id, 'e-2', 'rejected', 'not_chest', finished_at FROM verdicts WHERE finding = 'normal'"
        )
    )
    assert agreement(connection) == [("A", "normal", None, False)]


@pytest.mark.parametrize("change", ["UPDATE audit SET detail = 'x'", "DELETE FROM audit"])
def test_the_audit_is_never_altered(engine: Engine, change: str) -> None:
    with engine.begin() as connection:
        audit.note(connection, Action.RUN, "x" * 1000, who="me", subject=None)
    with pytest.raises(DBAPIError, match="never altered"), engine.begin() as connection:
        connection.execute(text(change))
    with engine.connect() as connection:
        assert connection.scalar(text("SELECT length(detail) FROM audit_log")) == 600


def test_a_file_may_have_more_rows_than_a_statement_takes(connection: Connection) -> None:
    rows = [f"{XRAY},normal,reader {number},2024-11-20" for number in range(1200)]
    done = enter(connection, "\n".join([*rows, *(f"{number:064},normal,A,2024-11-20" for number in range(1200))]))
    assert (done.added, len(done.refused)) == (1200, 1200)
