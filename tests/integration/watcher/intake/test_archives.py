"""Archives taken in, each with a job to unpack it, against a real ledger and a real store."""

from sqlalchemy import Connection, select

from db.tables import Outcome, jobs
from lungline.layout import FILE_BYTES_MAX
from lungline.reasons import Reason
from tests.corpus.archives import zipped
from tests.integration.watcher.intake.place import IntakePlace
from watcher.entering import enter_rows

ARCHIVE = zipped({"DICOM/IM1": b"slice"})


def open_jobs(place: IntakePlace) -> list[tuple[str, str, str, int]]:
    def ask(connection: Connection) -> list[tuple[str, str, str, int]]:
        return [tuple(row) for row in connection.execute(select(jobs.c.kind, jobs.c.subject, jobs.c.queue, jobs.c.priority))]

    return place.writer.do(ask)


def test_an_archive_is_stored_and_waits_to_be_unpacked(place: IntakePlace) -> None:
    staged = place.stage(place.drop("study.zip", ARCHIVE))  # from a folder `stat`
    assert place.entering.enter([staged]) == [Outcome.UNPACKED]
    assert open_jobs(place) == [("unpack", staged.drop.id, "stat", 0)]
    assert place.stored(ARCHIVE) == ["study.zip"]
    assert place.in_incoming() == []


def test_entered_once_more_it_is_the_same_archive(place: IntakePlace) -> None:
    staged = place.stage(place.drop("study.zip", ARCHIVE))
    place.entering.enter([staged])
    place.writer.do(lambda connection: connection.execute(jobs.delete()))  # it was unpacked
    assert place.writer.do(enter_rows, [staged]) == [Outcome.UNPACKED]
    assert open_jobs(place) == []
    assert place.counts()[0] == 1


def test_the_same_archive_twice_is_unpacked_twice(place: IntakePlace) -> None:
    for name in ("a.zip", "b"):
        place.entering.enter([place.stage(place.drop(name, ARCHIVE))])
    assert len(open_jobs(place)) == 2
    assert place.stored(ARCHIVE) == ["a.zip", "b"]
    (folder,) = place.store.folders()
    assert len({path.stat().st_ino for path in folder.iterdir()}) == 1


def test_what_a_dead_watcher_left_is_an_archive_still(place: IntakePlace) -> None:
    place.stage(place.drop("whole.zip", ARCHIVE))
    cut = place.inbox / "cut.zip"
    cut.write_bytes(ARCHIVE[:-30])
    place.stage(cut)
    place.restarted()
    assert place.leftovers.finish() == 0
    assert len(open_jobs(place)) == 1
    assert place.counts() == (2, 0, 0, 1)
    assert place.in_incoming() == []


def test_an_archive_that_stays_without_its_end_is_refused(place: IntakePlace) -> None:
    staged = place.stage(place.drop("study.zip", ARCHIVE[:-30]))
    assert staged.reason is Reason.ARCHIVE_DAMAGED
    assert place.entering.enter([staged]) == [Outcome.REFUSED]
    assert place.store.refused_names(staged.drop.id) == ["study.zip"]
    assert open_jobs(place) == []


def test_an_archive_may_be_larger_than_a_scan(place: IntakePlace) -> None:
    path = place.drop("study.zip", ARCHIVE)
    with path.open("r+b") as file:
        file.seek(FILE_BYTES_MAX + 1)
        file.write(zipped({}))
    staged = place.stage(path)
    assert staged.is_archive
    assert staged.reason is not Reason.TOO_LARGE
