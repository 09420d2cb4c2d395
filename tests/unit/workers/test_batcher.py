"""The batcher: batches what waits, urgent first; a failing batch is run scan by scan; a stop loses nothing."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import select, text

from db import ledger, migrate
from db.ledger import Claim, Drop
from db.results import ScanFacts, Verdict
from db.tables import Priority, scans
from db.writer import Writer
from imaging.header import Facts
from lungline.errors import LedgerError, ModelError
from lungline.findings import Modality, Status
from lungline.ids import new_id
from lungline.settings import load
from workers.batcher import Batcher, StoppingError, Waiting
from workers.reading import Reading

FACTS = Facts(
    modality=None,
    rejection=None,
    patient_id=None,
    study_uid=None,
    series_uid=None,
    instance_uid=None,
    patient_sex=None,
    patient_age_band=None,
    view=None,
    manufacturer=None,
    device_model=None,
)
VERDICT = Verdict("e-1", Status.ACCEPTED, "covid19", 0.9, None, 0.0, 0.1, {"covid19": 0.9, "non_covid": 0.1})

Judged = list[tuple[Modality | None, Verdict]]
Batch = Sequence[tuple[Reading, Modality | None]]


@pytest.fixture
def writer() -> Iterator[Writer]:
    engine = migrate.open_database(load())
    writer = Writer(engine)
    yield writer
    writer.close()
    engine.dispose()


def claim(writer: Writer, priority: Priority = Priority.SCANS) -> Claim:
    drop = Drop(new_id(), new_id().replace("-", "") * 2, 1, priority, None)
    writer.do(lambda connection: ledger.accept(connection, drop))
    scan_id = writer.do(lambda connection: connection.scalar(select(scans.c.id).where(scans.c.file_id == drop.id)))
    claimed = writer.do(lambda connection: ledger.claim(connection, str(scan_id), "slot/boot/x"))
    assert claimed is not None
    return claimed


def waiting(claim: Claim, mark: int = 0) -> Waiting:
    reading = Reading(FACTS, 1, 4, 4, {"p": np.full((4, 4, 1), mark, np.float32)})
    return Waiting(claim, reading, ScanFacts(None, 4, 4))


def marks(batch: Batch) -> list[int]:
    return [int(reading.inputs["p"][0, 0, 0]) for reading, _ in batch]


class Gate:
    """A judge whose first batch waits until it is opened, so that others pile up behind it."""

    def __init__(self, answer: Callable[[Batch], Judged]) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.open = threading.Event(), threading.Event()
        self._answer = answer

    def __call__(self, batch: Batch) -> Judged:
        self.batches.append(marks(batch))
        self.begun.set()
        assert self.open.wait(20)
        return self._answer(batch)


def accept(batch: Batch) -> Judged:
    return [(Modality.CT, VERDICT)] * len(batch)


def test_what_waits_is_one_batch_with_the_urgent_first(writer: Writer) -> None:
    gate = Gate(accept)
    batcher = Batcher(gate, writer, 3)
    futures: list[Future[Verdict | None]] = [batcher.submit(waiting(claim(writer), 0))]
    assert gate.begun.wait(20)
    futures += [batcher.submit(waiting(claim(writer), mark)) for mark in (1, 2, 3)]
    futures.append(batcher.submit(waiting(claim(writer, Priority.STAT), 4)))
    gate.open.set()
    assert [future.result(20) for future in futures] == [VERDICT] * 5
    assert gate.batches == [[0], [4, 1, 2], [3]]
    assert writer.do(lambda connection: connection.scalar(text("SELECT count(*) FROM scan_results WHERE modality = 'ct'"))) == 5
    batcher.stop()


def test_a_failing_batch_costs_only_the_scan_that_fails(writer: Writer) -> None:
    def answer(batch: Batch) -> Judged:
        if 2 in marks(batch):
            raise ModelError("a number that is none")
        return accept(batch)

    gate = Gate(answer)
    batcher = Batcher(gate, writer, 8)
    first = batcher.submit(waiting(claim(writer), 0))
    assert gate.begun.wait(20)
    rest = [batcher.submit(waiting(claim(writer), mark)) for mark in (1, 2, 3)]
    gate.open.set()
    assert first.result(20) == VERDICT
    assert rest[0].result(20) == rest[2].result(20) == VERDICT
    with pytest.raises(ModelError):
        rest[1].result(20)
    batcher.stop()


def test_a_void_claim_gets_no_verdict(writer: Writer) -> None:
    stale = claim(writer)
    writer.do(lambda connection: ledger.give_back(connection, [stale]))
    batcher = Batcher(lambda batch: accept(batch), writer, 8)
    assert batcher.submit(waiting(stale)).result(20) is None
    assert writer.do(lambda connection: connection.scalar(text("SELECT count(*) FROM scan_results"))) == 0
    batcher.stop()


def test_a_stop_ends_the_batch_under_way_and_returns_the_rest(writer: Writer) -> None:
    gate = Gate(accept)
    batcher = Batcher(gate, writer, 1)
    first = batcher.submit(waiting(claim(writer)))
    assert gate.begun.wait(20)
    second = batcher.submit(waiting(claim(writer)))
    stopper = threading.Thread(target=batcher.stop)
    stopper.start()
    gate.open.set()
    stopper.join(20)
    assert first.result(1) == VERDICT
    with pytest.raises(StoppingError):
        second.result(1)
    with pytest.raises(StoppingError):
        batcher.submit(waiting(claim(writer))).result(1)


def test_a_row_that_no_database_takes_does_not_end_the_batcher(writer: Writer) -> None:
    batcher = Batcher(lambda batch: accept(batch), writer, 1)
    bad = waiting(claim(writer))
    with pytest.raises(LedgerError, match=r"written \(UnicodeEncodeError\)"):
        batcher.submit(replace(bad, facts=ScanFacts(None, 4, 4, manufacturer="\ud800"))).result(20)
    assert batcher.submit(waiting(claim(writer))).result(20) == VERDICT
    batcher.stop()


def test_nothing_is_lost_when_the_database_is(writer: Writer, tmp_path: Path) -> None:
    one = waiting(claim(writer))
    batcher = Batcher(lambda batch: accept(batch), writer, 8)
    writer.close()
    with pytest.raises(Exception, match="stopping"):
        batcher.submit(one).result(20)
    batcher.stop()
