"""The batcher: batches what waits, urgent first; a failing batch is run scan by scan; a stop loses nothing."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import text

from db import job_leases
from db.jobs import Claim
from db.results import ScanFacts, Verdict
from db.tables import Priority, Rank
from db.writer import Writer
from imaging.header import Facts
from lungline.errors import LedgerFault, ModelError
from lungline.findings import Modality, Status
from tests.ledger import any_drop, claim_scan, enter
from tests.waiting import wait_for
from workers.batcher import Batcher, BatchJudge, StoppingError, Waiting
from workers.inference import mind_hanging
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

ReadVerdict = list[tuple[Modality | None, Verdict]]
Batch = Sequence[tuple[Reading, Modality | None]]


def claim(writer: Writer, priority: Priority = Priority.SCANS) -> Claim:
    scan_id = enter(writer, any_drop(priority))
    claimed = writer.do(claim_scan, scan_id, "slot/boot/x")
    assert claimed is not None
    return claimed


def waiting(claim: Claim, judge: BatchJudge, mark: int = 0) -> Waiting:
    reading = Reading(FACTS, 1, 4, 4, {"p": np.full((4, 4, 1), mark, np.float32)})
    return Waiting(claim, None, reading, ScanFacts(None, 4, 4), judge)


def marks(batch: Batch) -> list[int]:
    return [int(reading.inputs["p"][0, 0, 0]) for reading, _ in batch]


class Answers:
    """A judge that answers as a function does."""

    def __init__(self, answer: Callable[[Batch], ReadVerdict]) -> None:
        self._answer = answer

    def judge(self, batch: Batch) -> ReadVerdict:
        return self._answer(batch)

    def is_sound(self) -> bool:
        return True


class Barrier:
    """A judge whose first batch waits until it is opened, so that others pile up behind it."""

    def __init__(self, answer: Callable[[Batch], ReadVerdict]) -> None:
        self.batches: list[list[int]] = []
        self.begun, self.open = threading.Event(), threading.Event()
        self._answer = answer

    def judge(self, batch: Batch) -> ReadVerdict:
        self.batches.append(marks(batch))
        self.begun.set()
        assert self.open.wait(20)
        return self._answer(batch)

    def is_sound(self) -> bool:
        return True


def accept(batch: Batch) -> ReadVerdict:
    return [(Modality.CT, VERDICT)] * len(batch)


ACCEPTS = Answers(accept)


def broken() -> None:
    raise AssertionError("the runtime is sound")


def test_what_waits_is_one_batch_with_the_urgent_first(writer: Writer) -> None:
    gate = Barrier(accept)
    batcher = Batcher(writer, 3, broken)
    futures: list[Future[Verdict | None]] = [batcher.submit(waiting(claim(writer), gate))]
    assert gate.begun.wait(20)
    futures += [batcher.submit(waiting(claim(writer), gate, mark)) for mark in (1, 2, 3)]
    futures.append(batcher.submit(waiting(claim(writer, Priority.STAT), gate, 4)))
    gate.open.set()
    assert [future.result(20) for future in futures] == [VERDICT] * 5
    assert gate.batches == [[0], [4, 1, 2], [3]]
    assert writer.do(lambda connection: connection.scalar(text("SELECT count(*) FROM scan_results WHERE modality = 'ct'"))) == 5
    batcher.stop()


def test_what_is_read_again_comes_last(writer: Writer) -> None:
    gate = Barrier(accept)
    batcher = Batcher(writer, 2, broken)
    futures = [batcher.submit(waiting(claim(writer), gate))]
    assert gate.begun.wait(20)
    futures += [batcher.submit(waiting(replace(claim(writer, Priority.STAT), priority=Rank.BACKGROUND), gate, 9))]
    futures += [batcher.submit(waiting(claim(writer), gate, mark)) for mark in (1, 2, 3)]
    gate.open.set()
    assert [future.result(20) for future in futures] == [VERDICT] * 5
    assert gate.batches == [[0], [1, 2], [3, 9]]
    batcher.stop()


def test_scan_is_judged_by_the_champion_it_was_prepared_for(writer: Writer) -> None:
    other = replace(VERDICT, ensemble="e-2")
    gate, successor = Barrier(accept), Barrier(lambda batch: [(Modality.CT, other)] * len(batch))
    successor.open.set()
    batcher = Batcher(writer, 8, broken)
    futures = [batcher.submit(waiting(claim(writer), gate, 0))]
    assert gate.begun.wait(20)
    futures += [batcher.submit(waiting(claim(writer), judge, mark)) for mark, judge in enumerate((gate, successor, gate, successor), 1)]
    gate.open.set()
    assert [future.result(20) for future in futures] == [VERDICT, VERDICT, other, VERDICT, other]
    assert (gate.batches, successor.batches) == ([[0], [1, 3]], [[2, 4]])
    batcher.stop()


def test_a_failing_batch_costs_only_the_scan_that_fails(writer: Writer) -> None:
    def answer(batch: Batch) -> ReadVerdict:
        if 2 in marks(batch):
            raise ModelError("a number that is none")
        return accept(batch)

    gate = Barrier(answer)
    batcher = Batcher(writer, 8, broken)
    first = batcher.submit(waiting(claim(writer), gate))
    assert gate.begun.wait(20)
    rest = [batcher.submit(waiting(claim(writer), gate, mark)) for mark in (1, 2, 3)]
    gate.open.set()
    assert first.result(20) == VERDICT
    assert rest[0].result(20) == rest[2].result(20) == VERDICT
    with pytest.raises(ModelError):
        rest[1].result(20)
    batcher.stop()


def test_runtime_that_always_fails_blames_no_scan(writer: Writer) -> None:
    class Broken(Answers):
        def is_sound(self) -> bool:
            return False

    def fails(batch: Batch) -> ReadVerdict:
        raise RuntimeError("no memory")

    was_called = threading.Event()
    batcher = Batcher(writer, 8, was_called.set)
    with pytest.raises(StoppingError):
        batcher.submit(waiting(claim(writer), Broken(fails))).result(20)
    assert was_called.is_set()
    batcher.stop()


def test_a_void_claim_gets_no_verdict(writer: Writer) -> None:
    stale = claim(writer)
    writer.do(job_leases.give_back, [stale])
    batcher = Batcher(writer, 8, broken)
    assert batcher.submit(waiting(stale, ACCEPTS)).result(20) is None
    assert writer.do(lambda connection: connection.scalar(text("SELECT count(*) FROM scan_results"))) == 0
    batcher.stop()


def test_a_stop_ends_the_batch_under_way_and_returns_the_rest(writer: Writer) -> None:
    gate = Barrier(accept)
    batcher = Batcher(writer, 1, broken)
    first = batcher.submit(waiting(claim(writer), gate))
    assert gate.begun.wait(20)
    second = batcher.submit(waiting(claim(writer), gate))
    stopper = threading.Thread(target=batcher.stop)
    stopper.start()
    gate.open.set()
    stopper.join(20)
    assert first.result(1) == VERDICT
    with pytest.raises(StoppingError):
        second.result(1)
    with pytest.raises(StoppingError):
        batcher.submit(waiting(claim(writer), gate)).result(1)


def test_a_row_that_no_database_takes_does_not_end_the_batcher(writer: Writer) -> None:
    batcher = Batcher(writer, 1, broken)
    bad = waiting(claim(writer), ACCEPTS)
    with pytest.raises(LedgerFault, match=r"\(UnicodeEncodeError\)"):
        batcher.submit(replace(bad, facts=ScanFacts(None, 4, 4, manufacturer="\ud800"))).result(20)
    assert batcher.submit(waiting(claim(writer), ACCEPTS)).result(20) == VERDICT
    batcher.stop()


def test_nothing_is_lost_when_the_database_is(writer: Writer, tmp_path: Path) -> None:
    first = waiting(claim(writer), ACCEPTS)
    batcher = Batcher(writer, 8, broken)
    writer.close()
    with pytest.raises(Exception, match="stopping"):
        batcher.submit(first).result(20)
    batcher.stop()


def test_a_worker_whose_engine_hangs_ends(writer: Writer) -> None:
    ended = threading.Event()
    gate = Barrier(lambda batch: [(Modality.CT, VERDICT)] * len(batch))
    batcher = Batcher(writer, 4, lambda: None)
    assert batcher.under_way is None
    done = batcher.submit(waiting(claim(writer), gate))
    assert gate.begun.wait(10)
    hanging = mind_hanging(batcher, 0.01, 0.05, ended.set)
    hanging.start()
    assert ended.wait(10)
    hanging.stop()
    gate.open.set()
    assert done.result(10) == VERDICT
    wait_for(lambda: batcher.under_way is None)
    batcher.stop()


def test_a_verdict_that_the_database_refuses_fails_alone(writer: Writer) -> None:
    """A NaN is NULL on SQLite; the column refuses it."""

    def answer(batch: Batch) -> ReadVerdict:
        refused = replace(VERDICT, probabilities={"covid19": float("nan")})
        return [(Modality.CT, refused if mark in (2, 5) else VERDICT) for mark in marks(batch)]

    gate = Barrier(answer)
    batcher = Batcher(writer, 8, broken)
    first = batcher.submit(waiting(claim(writer), gate))
    assert gate.begun.wait(20)
    rest = [batcher.submit(waiting(claim(writer), gate, mark)) for mark in range(1, 8)]
    gate.open.set()
    assert first.result(20) == VERDICT
    for mark, future in enumerate(rest, 1):
        if mark in (2, 5):
            with pytest.raises(LedgerFault):
                future.result(20)
        else:
            assert future.result(20) == VERDICT
    assert writer.do(lambda connection: connection.scalar(text("SELECT count(*) FROM scan_results"))) == 6
    batcher.stop()
