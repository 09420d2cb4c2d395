"""A corrected instance that is sent again: the later one is current, whichever was judged first, and the earlier one is kept."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import Connection, Engine, select, text
from typer.testing import CliRunner

from cli.main import app
from db import drops, labels, migrate, rereads, status
from db import scans as scan_states
from db.drops import Drop
from db.jobs import Claim
from db.rereads import Choice
from db.results import ScanFacts, Verdict
from db.scans import State
from db.tables import Outcome, Priority, scans
from lungline import label_rows
from lungline.findings import Modality, Status
from lungline.ids import new_id
from lungline.pseudonyms import PseudonymKey
from lungline.reasons import Reason
from lungline.settings import load
from tests.ledger import claim_scan, find_scan, record
from workers import failed_reads

FACTS = ScanFacts(Modality.XRAY, 10, 20, patient_key="p", study_key="st", series_key="se", image_key="i")
VERDICT = Verdict("e-1", Status.ACCEPTED, "normal", 0.7, None, 0.0, 0.5, {"normal": 0.7, "covid19": 0.3}, [("m", "m-1", {"normal": 1.0})])


@pytest.fixture
def connection(engine: Engine) -> Iterator[Connection]:
    with engine.connect() as connection:
        yield connection


def dropped(connection: Connection, byte: str) -> str:
    """The scan of new bytes."""
    assert drops.accept(connection, Drop(new_id(), byte * 64, 10, Priority.SCANS, None)) is Outcome.ACCEPTED
    return str(connection.scalar(select(scans.c.id).where(scans.c.sha256 == byte * 64)))


def claimed(connection: Connection, scan_id: str) -> Claim:
    claim = claim_scan(connection, scan_id, "slot/boot/x")
    assert claim is not None
    return claim


def record_verdict(connection: Connection, scan_id: str, facts: ScanFacts = FACTS, verdict: Verdict = VERDICT) -> str:
    assert record(connection, claimed(connection, scan_id), facts, verdict)
    return scan_id


def current(connection: Connection) -> list[Any]:
    return list(connection.scalars(text("SELECT scan_id FROM scan_results ORDER BY received_at, scan_id")))


def superseded(connection: Connection) -> dict[str, bool]:
    query = text("SELECT scan_id, superseded_at, finished_at FROM scan_history")
    rows = connection.execute(query).all()
    assert all(row.superseded_at is None or row.superseded_at >= row.finished_at for row in rows)
    return {row.scan_id: row.superseded_at is not None for row in rows}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_the_later_one_is_current_whichever_was_judged_first(connection: Connection, order: tuple[int, ...]) -> None:
    ids = [dropped(connection, byte) for byte in "abc"]
    for number in order:
        record_verdict(connection, ids[number])
    assert current(connection) == [ids[2]]
    assert superseded(connection) == {ids[0]: True, ids[1]: True, ids[2]: False}
    for view in ("worklist", "scan_probabilities", "model_predictions"):
        assert set(connection.scalars(text(f"SELECT scan_id FROM {view}"))) <= {ids[2]}
    assert connection.scalar(text("SELECT sum(scans) FROM daily_counts")) == 1
    assert scan_states.count_states(connection)[State.DONE] == 3


def test_until_the_correction_is_judged_the_earlier_one_stands(connection: Connection) -> None:
    first, second = record_verdict(connection, dropped(connection, "a")), dropped(connection, "b")
    assert current(connection) == [first]
    claim = claimed(connection, second)
    assert current(connection) == [first]
    assert failed_reads.turn_away(connection, claim, Reason.TRUNCATED, "x")  # what cannot be read corrects nothing
    assert current(connection) == [first]
    assert superseded(connection) == {first: False}


def test_a_rejected_correction_is_one(connection: Connection) -> None:
    record_verdict(connection, dropped(connection, "a"))
    second = record_verdict(connection, dropped(connection, "b"), verdict=Verdict("adm-1", Status.REJECTED, reason=Reason.NOT_FRONTAL))
    assert current(connection) == [second]


def test_resent_original_is_a_duplicate_and_correction_stays(connection: Connection) -> None:
    record_verdict(connection, dropped(connection, "a"))
    second = record_verdict(connection, dropped(connection, "b"))
    assert drops.accept(connection, Drop(new_id(), "a" * 64, 10, Priority.SCANS, None)) is Outcome.DUPLICATE
    assert current(connection) == [second]


def test_reading_the_earlier_one_again_changes_no_order(connection: Connection) -> None:
    first, second = record_verdict(connection, dropped(connection, "a")), record_verdict(connection, dropped(connection, "b"))
    assert set(rereads.ask(connection, Choice(), "", 10)) == {first, second}
    assert current(connection) == [second]
    for scan_id in (second, first):
        record_verdict(connection, scan_id, verdict=replace(VERDICT, ensemble="e-2"))
        assert current(connection) == [second]
    assert connection.scalar(text("SELECT ensemble FROM scan_results")) == "e-2"


@pytest.mark.parametrize("key", ["patient_key", "study_key", "series_key", "image_key"])
@pytest.mark.parametrize("value", ["other", None])
def test_instance_uid_of_another_patient_corrects_nothing(connection: Connection, key: str, value: str | None) -> None:
    first = record_verdict(connection, dropped(connection, "a"))
    second = record_verdict(connection, dropped(connection, "b"), replace(FACTS, **{key: value}))  # type: ignore[arg-type]
    assert current(connection) == [first, second]


def test_without_an_instance_uid_nothing_is_corrected(connection: Connection) -> None:
    nameless = replace(FACTS, image_key=None)
    assert len({record_verdict(connection, dropped(connection, byte), nameless) for byte in "ab"} & set(current(connection))) == 2


def test_where_no_patient_is_named_the_rest_decides(connection: Connection) -> None:
    nobody = replace(FACTS, patient_key=None)
    _, second = (record_verdict(connection, dropped(connection, byte), nobody) for byte in "ab")
    assert current(connection) == [second]


def test_a_device_that_stamps_one_uid_on_all_hides_none_of_them(connection: Connection) -> None:
    ids = [record_verdict(connection, dropped(connection, byte)) for byte in "abcde"]
    assert current(connection) == ids[-1:]
    ids.append(record_verdict(connection, dropped(connection, "f")))
    assert current(connection) == ids
    assert not any(superseded(connection).values())


def test_frames_are_corrected_frame_by_frame(connection: Connection) -> None:
    ids: dict[tuple[str, int], str] = {}
    for byte, frames in (("a", 3), ("b", 2)):
        scan_id = dropped(connection, byte)
        claim = claimed(connection, scan_id)
        scan_states.enter_frames(connection, find_scan(connection, claim.subject), range(2, frames + 1))
        assert record(connection, claim, FACTS, VERDICT)
        ids[byte, 1] = scan_id
        for frame in range(2, frames + 1):
            which = select(scans.c.id).where(scans.c.sha256 == byte * 64, scans.c.frame == frame)
            ids[byte, frame] = record_verdict(connection, str(connection.scalar(which)))
    assert set(current(connection)) == {ids["b", 1], ids["b", 2], ids["a", 3]}


def test_the_sums_hold(engine: Engine) -> None:
    with engine.begin() as connection:
        record_verdict(connection, dropped(connection, "a"))
        record_verdict(connection, dropped(connection, "b"))
    counted = status.counts(engine)
    assert (counted["scans"], counted["done"]) == (2, 2)


def test_a_label_by_instance_uid_goes_to_the_correction(connection: Connection) -> None:
    key = PseudonymKey(b"k" * 32)
    facts = replace(FACTS, image_key=key.pseudonym("image", "1.2.3"))
    _, second = (record_verdict(connection, dropped(connection, byte), facts) for byte in "ab")
    table = label_rows.read(b"sop_instance_uid,finding,reader,read_at\n1.2.3,normal,A,2024-11-20\n")
    imported = labels.enter(connection, table, {}, key, who="me", sha256="f" * 64)
    assert (imported.added, imported.refused) == (1, ())
    assert connection.scalar(text("SELECT scan_id FROM scan_labels")) == second


def test_show_tells_of_the_earlier_one_too(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = migrate.open_database(load())
    with engine.begin() as connection:
        first, _ = (record_verdict(connection, dropped(connection, byte)) for byte in "ab")
    printed = json.loads(CliRunner().invoke(app, ["show", first, "--json"]).stdout.splitlines()[0])
    assert printed["finding"] == "normal"
    assert printed["superseded_at"]
