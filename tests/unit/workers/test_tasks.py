"""A scan from claim to its end, with real readers and a ledger of its own."""

import hashlib
import os
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import structlog.testing
from sqlalchemy import select, text

from db import jobs, migrate
from db.drops import Drop
from db.jobs import NewJob
from db.results import Verdict
from db.tables import Priority, Rank, scans
from db.writer import Writer
from imaging.isolate import ReaderPool, ReadersStopped
from imaging.phantoms import phantom, picture
from jobs.kinds import REREAD
from jobs.leases import Leases
from lungline.errors import UnexpectedError
from lungline.findings import Modality, Status
from lungline.ids import new_id
from lungline.layout import Store
from lungline.pseudonyms import PseudonymKey
from lungline.settings import load
from tests.corpus.files import dicom, png
from tests.ledger import enter
from workers import reading
from workers.batcher import Batcher
from workers.judge import Judge
from workers.reading import Reading
from workers.tasks import ScanReader


class Bench:
    """A worker without Celery and without networks."""

    def __init__(self) -> None:
        settings = load()
        self.engine = migrate.open_database(settings)
        self.writer = Writer(self.engine)
        self.store = Store(settings.store)
        self.store.incoming.mkdir(parents=True)
        self.leases = Leases(self.writer, "slot")
        self.batcher = Batcher(self.writer, 4, lambda: None)
        self.pool = ReaderPool(reading.FUNCTION, 1, timeout=120, memory_bytes=2 << 30)
        self.key = PseudonymKey.load_or_create(settings.key_file)
        self.reader = ScanReader(self.leases, self.writer, self.store, self.key, self.pool, self.batcher, lambda: JUDGE, 0.01)

    def drop(self, data: bytes, *, store_in: str = "place") -> str:
        """Enters a scan whose bytes are in place, still in `incoming`, or nowhere."""
        drop = Drop(new_id(), hashlib.sha256(data).hexdigest(), len(data), Priority.SCANS, Modality.XRAY)
        scan_id = enter(self.writer, drop)
        incoming = self.store.incoming / f"{drop.id}~scans~any"
        folder = {"place": self.store.folder(str(drop.sha256)), "incoming": incoming}.get(store_in)
        if folder is not None:
            folder.mkdir(parents=True)
            (folder / "name").write_bytes(data)
        return scan_id

    def read(self, scan_id: str) -> str:
        """Answers the scan's doorbell; what became of it."""
        return self.reader.answering.answer(scan_id, lambda _: None)

    def scalar(self, statement: str) -> object:
        return self.writer.do(lambda connection: connection.scalar(text(statement)))

    def close(self) -> None:
        self.reader.stop()
        self.leases.stop()
        self.writer.close()
        self.engine.dispose()


class NoNetworks(Judge):
    """Finds everything normal."""

    def __init__(self) -> None: ...

    @property
    def always(self) -> list[str]:
        return ["gray-96"]

    @property
    def by_modality(self) -> dict[Modality, list[str]]:
        return {Modality.XRAY: ["gray-224"]}

    def judge(self, batch: Sequence[tuple[Reading, Modality | None]]) -> list[tuple[Modality | None, Verdict]]:
        for scalar, _ in batch:
            assert scalar.inputs["gray-96"].shape == (96, 96, 1)
        doubts = [scalar.facts.review for scalar, _ in batch]
        statuses = [Status.REVIEW if doubt else Status.ACCEPTED for doubt in doubts]
        answer = zip(statuses, doubts, strict=True)
        return [(Modality.XRAY, Verdict("e-1", status, "normal", 1.0, doubt, 0.0, 0.0, {"normal": 1.0})) for status, doubt in answer]


JUDGE = NoNetworks()


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


def test_a_scan_is_read_and_judged(bench: Bench) -> None:
    scan_id = bench.drop(png(picture("xray")))
    assert bench.read(scan_id).startswith("normal 1.000 accepted, waited ")
    assert bench.read(scan_id) == "nothing to do: it does not wait"
    assert bench.scalar("SELECT count(*) FROM scan_results") == 1


def test_a_row_may_be_ahead_of_its_bytes(bench: Bench) -> None:
    said = bench.read(bench.drop(png(picture("xray", 1)), store_in="incoming"))
    assert said.startswith("normal 1.000 accepted")


def test_bytes_that_move_while_they_are_looked_for_are_found(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    data = png(picture("xray", 2))
    scan_id = bench.drop(data, store_in="incoming")
    find = Store.find

    def found_too_early(store: Store, sha256: str, file_id: str) -> Path | None:
        path = find(store, sha256, file_id)
        if path is not None and path.is_relative_to(store.incoming):  # the watcher goes on at this very moment
            store.folder(sha256).mkdir(parents=True)
            os.rename(path, store.folder(sha256) / path.name)
        return path

    monkeypatch.setattr(Store, "find", found_too_early)
    assert bench.read(scan_id).startswith("normal 1.000 accepted, waited ")


def test_lost_bytes_are_said(bench: Bench) -> None:
    assert bench.read(bench.drop(b"x", store_in="nowhere")) == "quarantined: bytes_missing"


def test_while_the_store_is_away_its_scans_wait(bench: Bench) -> None:
    scan_id = bench.drop(png(picture("xray", 5)))
    away = bench.store.root.rename(bench.store.root.with_name("unmounted"))
    assert "mount the disk of LUNGLINE_STORE" in bench.read(scan_id)
    assert bench.scalar("SELECT state FROM jobs") == "waiting"
    away.rename(bench.store.root)
    assert bench.read(scan_id).startswith("normal 1.000 accepted")


@pytest.mark.parametrize("flaps", [1, 2])
def test_a_store_that_returns_between_two_looks_lost_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch, flaps: int) -> None:
    scan_id = bench.drop(png(picture("xray", 7)))
    find, reads = Store.find, []

    def flap(store: Store, sha256: str, file_id: str) -> Path | None:
        reads.append(sha256)
        if len(reads) > flaps:
            return find(store, sha256, file_id)
        away = store.root.rename(store.root.with_name("unmounted"))
        found = find(store, sha256, file_id)
        away.rename(store.root)
        return found

    monkeypatch.setattr(Store, "find", flap)
    assert bench.read(scan_id).startswith("normal")
    assert bench.scalar("SELECT count(*) FROM quarantine") == 0


def test_what_another_process_has_open_still_is_for_review(bench: Bench) -> None:
    scan_id = bench.drop(png(picture("xray", 6)))
    note = bench.store.held_note(str(bench.scalar("SELECT id FROM files")))
    note.touch()
    assert bench.read(scan_id).startswith("normal")
    assert bench.scalar("SELECT reason FROM scan_results WHERE status = 'review'") == "still_written"


def test_scans_wait_where_no_reader_can_be_started(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    scan_id = bench.drop(png(picture("xray", 6)))

    def refused(*_: object) -> None:
        raise ReadersStopped("A reader process does not start; see `lungline doctor`.")

    with monkeypatch.context() as context, structlog.testing.capture_logs() as logged:
        context.setattr(bench.pool, "run", refused)
        assert "lungline doctor" in bench.read(scan_id)
    assert [line["log_level"] for line in logged] == ["error"]
    assert bench.read(scan_id).startswith("normal 1.000 accepted")


def test_bytes_that_changed_are_looked_at_again(bench: Bench) -> None:
    data = png(picture("xray", 3))
    scan_id = bench.drop(data)
    path = bench.store.find(hashlib.sha256(data).hexdigest(), "")
    assert path is not None
    path.write_bytes(data + b"more")
    assert bench.read(scan_id) == "quarantined: truncated"
    assert bench.scalar("SELECT count(*) FROM quarantine WHERE next_look_at IS NOT NULL") == 1


def test_every_frame_is_a_scan(bench: Bench) -> None:
    frames = phantom("xray", 4)[None].repeat(3, axis=0)
    assert bench.read(bench.drop(dicom(frames, "DX"))).startswith("normal")
    others = bench.writer.do(lambda connection: connection.scalars(select(scans.c.id).where(scans.c.frame > 1)).all())
    assert [bench.read(str(other))[:6] for other in others] == ["normal"] * 2
    assert bench.scalar("SELECT count(DISTINCT frame) FROM scan_results") == 3


def test_what_names_a_patient_becomes_a_pseudonym(bench: Bench) -> None:
    bench.read(bench.drop(dicom(phantom("xray", 5), "DX", PatientID=" ABC ")))
    assert bench.scalar("SELECT patient_key FROM scan_results") == bench.key.pseudonym("patient", "ABC")


def test_a_worker_that_stops_claims_nothing(bench: Bench) -> None:
    scan_id = bench.drop(png(picture("xray", 6)))
    bench.reader.stop()
    assert bench.read(scan_id) == "returned: the worker stops"
    assert bench.scalar("SELECT state FROM jobs") == "waiting"


def test_machine_error_blames_no_scan_and_is_logged_by_type(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise OSError(24, "DOE^JANE.dcm")

    scan_id = bench.drop(png(picture("xray", 7)))
    monkeypatch.setattr(Store, "find", fails)
    with pytest.raises(UnexpectedError) as raised:
        bench.read(scan_id)
    assert "DOE" not in "".join(traceback.format_exception(raised.value))
    assert bench.scalar("SELECT state FROM jobs") == "running"


def test_an_error_of_the_program_costs_one_scan_its_place(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise ValueError("DOE^JANE.dcm")

    scan_id = bench.drop(png(picture("xray", 7)))
    with monkeypatch.context() as patch, structlog.testing.capture_logs() as logged:
        patch.setattr(Store, "find", fails)
        assert bench.read(scan_id) == "quarantined: internal_error"
    assert [(line["scan"], line["error"]) for line in logged] == [(scan_id, "ValueError")]
    assert "DOE" not in str(logged)
    assert "DOE" not in str(bench.scalar("SELECT detail FROM quarantine"))
    assert bench.read(bench.drop(png(picture("xray", 6)))).startswith("normal 1.000 accepted")


def test_scan_whose_verdict_is_refused_is_quarantined(bench: Bench) -> None:
    bench.scalar("SELECT 1")
    with bench.engine.begin() as connection:
        refuses = "CREATE TRIGGER no BEFORE INSERT ON verdicts BEGIN SELECT RAISE(ABORT, 'no'); END"
        connection.execute(text(refuses))
    assert bench.read(bench.drop(png(picture("xray", 7)))) == "quarantined: internal_error"


def test_failed_reread_keeps_the_verdict(bench: Bench) -> None:
    data = png(picture("xray", 8))
    scan_id = bench.drop(data)
    bench.read(scan_id)
    asked = NewJob(REREAD.name, scan_id, "scans", Rank.BACKGROUND)
    bench.writer.do(jobs.enter, [asked])
    assert bench.read(scan_id) == "normal 1.000 accepted, read again"
    bench.writer.do(jobs.enter, [asked])
    path = bench.store.find(hashlib.sha256(data).hexdigest(), "")
    assert path is not None
    path.write_bytes(b"rotten")
    assert bench.read(scan_id) == "its verdict stands: truncated"
    assert bench.scalar("SELECT count(*) FROM scan_results") == 1
    assert bench.scalar("SELECT count(*) FROM quarantine") == 0
