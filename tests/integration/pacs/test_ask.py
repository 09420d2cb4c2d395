"""A series is final as soon as all is there that the PACS has; one that is away or does not know it holds up nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from db.writer import Writer
from imaging.isolate import ReaderPool
from imaging.phantoms import phantom
from lungline.errors import SettingsError
from lungline.settings import load
from operations.doctor.sending import check_asking
from pacs.ask import Asker
from tests.corpus.files import dicom
from tests.orthanc import DICOM_WEB, Orthanc, needs_orthanc
from tests.servers import free_port
from tests.studies import STUDY_UID, assess_study, enter_slice
from workers import reading

NEVER = 1e6  # seconds of silence after which a series would be final
needs_web = pytest.mark.skipif(not DICOM_WEB.exists(), reason="no DICOMweb in this Orthanc (Debian: apt install orthanc-dicomweb)")


@pytest.fixture(scope="module")
def pool() -> Iterator[ReaderPool]:
    pool = ReaderPool(reading.FUNCTION, 1, timeout=60, memory_bytes=3 << 30)
    yield pool
    pool.close()


@pytest.fixture
def asker_of(writer: Writer, pool: ReaderPool, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Asker]:
    """An asker of a PACS, which asks at once."""

    def asker_of(pacs: str, pause_seconds: float = 30.0) -> Asker:
        monkeypatch.setenv("LUNGLINE_DICOM_ASK", pacs)
        settings = load().model_copy(update={"series_quiet_seconds": 0.0})
        return Asker(settings, writer, pool, pause_seconds)

    return asker_of


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    (tmp_path / "orthanc").mkdir()
    orthanc = Orthanc(tmp_path / "orthanc")
    for number in range(1, 5):
        uids: dict[str, Any] = {"StudyInstanceUID": STUDY_UID, "SeriesInstanceUID": f"{STUDY_UID}.1", "PatientID": "P"}
        orthanc.post("/instances", dicom(phantom("ct", number), "CT", SOPInstanceUID=f"{STUDY_UID}.1.{number}", **uids))
    yield orthanc
    orthanc.stop()


def receive(writer: Writer, *numbers: int) -> None:
    for number in numbers:
        writer.do(enter_slice, load().store, number, 0.9)


def current(writer: Writer) -> tuple[Any, ...]:
    with writer.engine.connect() as connection:
        return tuple(connection.execute(text("SELECT stage, slices, slices_expected FROM series_results")).one())


def asks_until_final(writer: Writer, asker: Asker) -> None:
    receive(writer, 1, 2, 3)
    assert asker.ask() == 1
    assert asker.ask() == 0  # it was told
    writer.do(assess_study, NEVER)
    assert current(writer) == ("provisional", 3, 4)
    receive(writer, 4)
    assert asker.ask() == 1  # another slice came: the PACS may have more by now
    writer.do(assess_study, NEVER)
    assert current(writer) == ("final", 4, 4)
    assert asker.ask() == 0


@needs_orthanc
def test_the_pacs_is_asked_by_c_find(writer: Writer, asker_of: Callable[..., Asker], orthanc: Orthanc) -> None:
    asks_until_final(writer, asker_of(f"dicom:ORTHANC@127.0.0.1:{orthanc.dicom_port}"))


@needs_orthanc
@needs_web
def test_the_pacs_is_asked_by_dicomweb(writer: Writer, asker_of: Callable[..., Asker], orthanc: Orthanc) -> None:
    asks_until_final(writer, asker_of(f"dicomweb:{orthanc.dicom_web}"))


@needs_orthanc
def test_an_answer_that_comes_late_makes_it_final_at_once(writer: Writer, asker_of: Callable[..., Asker], orthanc: Orthanc) -> None:
    receive(writer, 1, 2, 3, 4)
    writer.do(assess_study, NEVER)
    assert current(writer) == ("provisional", 4, None)

    asker_of(f"dicom:ORTHANC@127.0.0.1:{orthanc.dicom_port}").ask()

    with writer.engine.connect() as connection:
        due = connection.scalar(text("SELECT (julianday(due_at) - julianday('now')) * 86400 FROM jobs WHERE kind = 'assess'"))
    assert due is not None
    assert due < 1
    writer.do(assess_study, NEVER)
    assert current(writer) == ("final", 4, 4)


@needs_orthanc
@pytest.mark.parametrize("kind", ["dicom", "dicomweb"])
def test_a_series_that_the_pacs_does_not_know_is_left(writer: Writer, asker_of: Callable[..., Asker], tmp_path: Path, kind: str) -> None:
    (tmp_path / "empty").mkdir()
    empty = Orthanc(tmp_path / "empty")
    try:
        receive(writer, 1)
        asker = asker_of(f"dicom:ORTHANC@127.0.0.1:{empty.dicom_port}" if kind == "dicom" else f"dicomweb:{empty.dicom_web}")
        assert (asker.ask(), asker.ask()) == (1, 0)
    finally:
        empty.stop()
    writer.do(assess_study, NEVER)
    assert current(writer) == ("provisional", 1, None)


@pytest.mark.parametrize("kind", ["dicom:PACS@127.0.0.1:{}", "dicomweb:http://127.0.0.1:{}/dicom-web"])
def test_a_pacs_that_is_away_is_asked_later(writer: Writer, asker_of: Callable[..., Asker], kind: str) -> None:
    receive(writer, 1)
    asker = asker_of(kind.format(free_port()), pause_seconds=NEVER)

    assert (asker.ask(), asker.ask()) == (0, 0)

    writer.do(assess_study, 0.0)
    assert current(writer) == ("final", 1, None)


def test_a_series_whose_bytes_are_gone_is_not_asked_for(writer: Writer, asker_of: Callable[..., Asker]) -> None:
    receive(writer, 1)
    for path in load().store.glob("*/*/*.dcm"):
        path.unlink()
    asker = asker_of(f"dicom:PACS@127.0.0.1:{free_port()}")

    assert (asker.ask(), asker.ask()) == (1, 0)


@pytest.mark.parametrize("wrong", ["folder:/srv", "dicom:A@h:1,dicom:B@h:2", "dicom:A"])
def test_one_pacs_is_asked(wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_DICOM_ASK", wrong)
    with pytest.raises(SettingsError, match="DICOM_ASK"):
        load()


@needs_orthanc
def test_the_doctor_asks_whether_it_is_there(orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_DICOM_ASK", f"dicom:ORTHANC@127.0.0.1:{orthanc.dicom_port}")
    assert list(check_asking(load())) == ["the PACS of LUNGLINE_DICOM_ASK answers"]
    orthanc.stop()
    with pytest.raises(SettingsError, match="LUNGLINE_DICOM_ASK"):
        list(check_asking(load()))
