"""Results reach a folder, an Orthanc by C-STORE and one by DICOMweb, once, whatever was away or killed meanwhile."""

import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pydicom import dcmread
from pynetdicom import AE, evt
from pynetdicom.events import Event
from sqlalchemy import text, update

from db import deliveries
from db.clock import now
from db.deliveries import DeliveryRules
from db.tables import outgoing_objects
from db.writer import Writer
from imaging.isolate import ReaderPool
from imaging.phantoms import phantom
from jobs.kinds import DELIVER
from jobs.leases import Leases
from lungline.errors import DeliveryError, SettingsError
from lungline.reasons import Reason
from lungline.settings import load
from lungline.targets import parse_targets
from operations.doctor.sending import check_deliveries
from pacs.deliver import Deliverer, rules_of
from pacs.objects import build
from pacs.send import Sender
from tests.corpus.files import dicom
from tests.orthanc import DICOM_WEB, Orthanc, needs_orthanc
from tests.servers import free_port
from tests.studies import STUDY_UID, assess_study, enter_slice, enter_study
from tests.tls import Authority

SENT = {"1.2.840.10008.5.1.4.1.1.7", "1.2.840.10008.5.1.4.1.1.88.33"}
SMALL = dicom(phantom("xray"), "OT")  # a Secondary Capture


class Deliveries:
    """A process that delivers, turn by turn, with a study that was assessed."""

    def __init__(self, writer: Writer, target: str, pool: ReaderPool, monkeypatch: pytest.MonkeyPatch, **tags: Any) -> None:
        monkeypatch.setenv("LUNGLINE_DELIVER_TO", target)
        self.settings = load()
        self.writer, self._pool = writer, pool
        self.leases = Leases(writer, "slot", (DELIVER,))
        self.rules: DeliveryRules = rules_of(self.settings)
        self.start_anew()
        writer.do(deliveries.enter_due, self.rules)
        writer.do(enter_study, self.settings.store, **tags)
        writer.do(deliveries.enter_due, self.rules)

    def start_anew(self) -> None:
        """As a new process, which remembers nothing."""
        self._deliverer = Deliverer(self.settings, self.writer, self.leases, self._pool, Sender(self.settings))

    def turn(self) -> list[str]:
        """Answers the doorbells of all that waits, due or not; what Flower is told."""
        waiting = [str(each) for each in self._all("SELECT subject FROM jobs WHERE kind = 'deliver' AND state = 'waiting' ORDER BY id")]
        return [self._deliverer.answering.answer(each, lambda _: None) for each in waiting]

    def rows(self, column: str) -> list[Any]:
        return self._all(f"SELECT {column} FROM deliveries ORDER BY object")

    def seconds_to_last(self) -> float:
        return float(self._all("SELECT (julianday(max(due_at)) - julianday('now')) * 86400 FROM jobs WHERE kind = 'deliver'")[0])

    def _all(self, query: str) -> list[Any]:
        with self.writer.engine.connect() as connection:
            return list(connection.scalars(text(query)))


Start = Callable[..., Deliveries]


@pytest.fixture(scope="module")
def pool() -> Iterator[ReaderPool]:
    pool = ReaderPool(build.FUNCTION, 1, timeout=60, memory_bytes=3 << 30)
    yield pool
    pool.close()


@pytest.fixture
def start(writer: Writer, pool: ReaderPool, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    started: list[Deliveries] = []

    def start(target: str, **tags: Any) -> Deliveries:
        started.append(Deliveries(writer, target, pool, monkeypatch, **tags))
        return started[-1]

    yield start
    for each in started:
        each.leases.stop()


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    (tmp_path / "orthanc").mkdir()
    orthanc = Orthanc(tmp_path / "orthanc")
    yield orthanc
    orthanc.stop()


def test_a_folder_gets_the_objects_whole(start: Start, tmp_path: Path) -> None:
    folder = tmp_path / "out"
    sending = start(f"folder:{folder}")
    assert sending.turn() == ["waits: target_away", "waits: its target is away"]  # there is no such folder
    folder.mkdir()
    sending.start_anew()
    assert sending.turn() == ["delivered", "delivered"]
    found = [dcmread(path) for path in folder.iterdir()]
    assert {str(made.SOPClassUID) for made in found} == SENT
    assert {str(made.StudyInstanceUID) for made in found} == {STUDY_UID}
    assert sending.rows("state") == ["delivered", "delivered"]
    assert sending.turn() == []


@needs_orthanc
def test_orthanc_has_the_results_beside_the_study(start: Start, orthanc: Orthanc) -> None:
    sending = start(f"dicom:ORTHANC@127.0.0.1:{orthanc.dicom_port}")
    assert sending.turn() == ["delivered", "delivered"]
    found = orthanc.instances()
    assert {tags["SOPClassUID"] for tags in found} == SENT
    assert {tags["StudyInstanceUID"] for tags in found} == {STUDY_UID}
    assert len(orthanc.get("/patients")) == 1


@needs_orthanc
def test_what_was_sent_and_not_noted_is_sent_again_as_the_same(start: Start, orthanc: Orthanc) -> None:
    sending = start(f"dicom:ORTHANC@127.0.0.1:{orthanc.dicom_port}")
    assert sending.turn() == ["delivered", "delivered"]
    sending.writer.do(lambda connection: connection.execute(update(outgoing_objects).values(outcome="failed")))  # as if killed before
    sending.writer.do(deliveries.retry)
    assert sending.turn() == ["delivered", "delivered"]
    assert len(orthanc.instances()) == 2


@needs_orthanc
def test_a_late_slice_has_a_further_result_sent(start: Start, orthanc: Orthanc) -> None:
    sending = start(f"dicom:ORTHANC@127.0.0.1:{orthanc.dicom_port}")
    sending.turn()
    sending.writer.do(enter_slice, sending.settings.store, 7, 0.99)
    sending.writer.do(assess_study)
    sending.writer.do(deliveries.enter_due, sending.rules)
    assert sending.turn() == ["delivered", "delivered"]
    reports = [tags for tags in orthanc.instances() if tags["Modality"] == "SR"]
    assert len({tags["SeriesInstanceUID"] for tags in reports}) == 1
    assert sorted(tags["InstanceNumber"] for tags in reports) == ["1", "2"]


@needs_orthanc
@pytest.mark.skipif(not DICOM_WEB.exists(), reason="no DICOMweb in this Orthanc (Debian: apt install orthanc-dicomweb)")
def test_a_web_server_gets_the_objects(start: Start, orthanc: Orthanc) -> None:
    sending = start(f"dicomweb:{orthanc.dicom_web}")
    assert sending.turn() == ["delivered", "delivered"]
    assert {tags["SOPClassUID"] for tags in orthanc.instances()} == SENT


@pytest.mark.parametrize("kind", ["dicom:PACS@127.0.0.1:{}", "dicomweb:http://127.0.0.1:{}/dicom-web"])
def test_a_target_that_is_away_is_tried_ever_more_seldom(start: Start, kind: str) -> None:
    sending = start(kind.format(free_port()))
    assert sending.turn()[0] == "waits: target_away"
    assert sending.rows("attempts") == [1, 0]  # the second is not tried where the first just failed
    waits = []
    for _ in range(3):
        sending.start_anew()
        sending.turn()
        waits.append(sending.seconds_to_last())
    assert [round(wait, -1) for wait in waits] == [20, 40, 80]
    assert set(sending.rows("reason")) <= {"target_away", None}


def test_after_a_day_a_person_must_see_to_it(start: Start) -> None:
    sending = start(f"dicom:PACS@127.0.0.1:{free_port()}")
    sending.writer.do(lambda connection: connection.execute(update(outgoing_objects).values(created_at=now(-86_401.0))))
    sending.turn()
    sending.start_anew()
    sending.turn()
    assert sending.rows("state") == ["failed", "failed"]
    assert sending.rows("reason") == ["target_away", "target_away"]
    assert sending.turn() == []


@needs_orthanc
def test_a_target_that_takes_no_such_objects_refuses(start: Start, orthanc: Orthanc) -> None:
    sending = start(f"dicomweb:{orthanc.dicom_web.removesuffix('/dicom-web')}/nowhere")
    assert "waits: target_refused" in sending.turn()


@needs_orthanc
def test_the_doctor_asks_each_target(orthanc: Orthanc, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    targets = [f"folder:{tmp_path}", f"dicom:ORTHANC@127.0.0.1:{orthanc.dicom_port}", f"dicomweb:{orthanc.dicom_web}"]
    monkeypatch.setenv("LUNGLINE_DELIVER_TO", ",".join(targets))
    assert len(list(check_deliveries(load()))) == 4
    orthanc.stop()
    with pytest.raises(SettingsError, match="target 2 of LUNGLINE_DELIVER_TO"):
        list(check_deliveries(load()))


class StorageProvider:
    """A storage provider that answers each object as it is told."""

    def __init__(self, answer: Callable[[], int], tls: ssl.SSLContext | None = None) -> None:
        self.asked = 0
        entity = AE("PACS")
        for storage in SENT:
            entity.add_supported_context(storage)

        def store(_: Event) -> int:
            self.asked += 1
            return answer()

        self._server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, store)], ssl_context=tls)
        assert self._server is not None
        self.target = f"dicom:PACS@127.0.0.1:{self._server.server_address[1]}"

    def stop(self) -> None:
        assert self._server is not None
        self._server.shutdown()


@pytest.fixture
def provide() -> Iterator[Callable[..., StorageProvider]]:
    started: list[StorageProvider] = []

    def provide(answer: Callable[[], int] = lambda: 0x0000, tls: ssl.SSLContext | None = None) -> StorageProvider:
        started.append(StorageProvider(answer, tls))
        return started[-1]

    yield provide
    for each in started:
        each.stop()


@pytest.mark.parametrize("status", [0xA700, 0x0122, 0xC000])
def test_one_that_refuses_is_asked_again_later(start: Start, provide: Callable[..., StorageProvider], status: int) -> None:
    store = provide(lambda: status)
    sending = start(store.target)
    assert sending.turn() == ["waits: target_refused", "waits: target_refused"]
    assert store.asked == 2
    assert sending.rows("state") == ["waiting", "waiting"]


def test_a_warning_is_no_refusal(start: Start, provide: Callable[..., StorageProvider]) -> None:
    assert start(provide(lambda: 0xB000).target).turn() == ["delivered", "delivered"]


def test_one_that_never_answers_is_left(provide: Callable[..., StorageProvider], home: Path) -> None:
    over = threading.Event()
    store = provide(lambda: 0x0000 if over.wait(60) else 0xC000)
    sender = Sender(load(), patience_seconds=0.5)
    with pytest.raises(DeliveryError) as failed:
        sender.send(SMALL, next(iter(parse_targets(store.target).values())))
    over.set()
    assert failed.value.reason is Reason.TARGET_AWAY


def test_a_pacs_is_reached_by_tls(
    start: Start, provide: Callable[..., StorageProvider], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    authority = Authority(tmp_path / "ca")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.sign("IP:127.0.0.1"))
    monkeypatch.setenv("LUNGLINE_DELIVER_CA", str(authority.file))
    assert start(provide(tls=context).target).turn() == ["delivered", "delivered"]


def test_a_certificate_of_another_authority_is_not_believed(
    start: Start, provide: Callable[..., StorageProvider], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*Authority(tmp_path / "other").sign("IP:127.0.0.1"))
    monkeypatch.setenv("LUNGLINE_DELIVER_CA", str(Authority(tmp_path / "ca").file))
    store = provide(tls=context)
    assert start(store.target).turn()[0] == "waits: target_away"
    assert store.asked == 0


@needs_orthanc
@pytest.mark.skipif(not DICOM_WEB.exists(), reason="no DICOMweb in this Orthanc (Debian: apt install orthanc-dicomweb)")
def test_a_web_server_with_a_login(start: Start, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "orthanc").mkdir()
    orthanc = Orthanc(tmp_path / "orthanc", {"AuthenticationEnabled": True, "RegisteredUsers": {"sender": "secret"}})
    try:
        sending = start(f"dicomweb:{orthanc.dicom_web}")
        assert sending.turn() == ["waits: target_refused", "waits: target_refused"]
        monkeypatch.setenv("LUNGLINE_DELIVER_USER", "sender")
        monkeypatch.setenv("LUNGLINE_DELIVER_PASSWORD", "secret")
        sending.settings = load()
        sending.start_anew()
        assert sending.turn() == ["delivered", "delivered"]
    finally:
        orthanc.stop()


@needs_orthanc
def test_another_title_is_refused(start: Start, tmp_path: Path) -> None:
    (tmp_path / "orthanc").mkdir()
    orthanc = Orthanc(tmp_path / "orthanc", {"DicomCheckCalledAet": True})
    try:
        assert start(f"dicom:OTHER@127.0.0.1:{orthanc.dicom_port}").turn() == ["waits: target_refused", "waits: target_refused"]
    finally:
        orthanc.stop()


@needs_orthanc
def test_the_picture_is_shown_by_others(start: Start, orthanc: Orthanc) -> None:
    start(f"dicom:ORTHANC@127.0.0.1:{orthanc.dicom_port}").turn()
    (picture,) = [each for each in orthanc.get("/instances") if orthanc.get(f"/instances/{each}/simplified-tags")["Modality"] == "OT"]
    shown = cv2.imdecode(np.frombuffer(orthanc.fetch(f"/instances/{picture}/preview"), np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown.shape == (1024, 1664, 3)
    assert np.ptp(shown) == 255


def test_an_original_without_a_study_has_no_result(start: Start, tmp_path: Path) -> None:
    sending = start(f"folder:{tmp_path}", StudyInstanceUID="")
    assert sending.turn() == ["failed", "failed"]
    assert sending.rows("reason") == ["unsupported_format", "unsupported_format"]


def test_originals_that_are_gone_are_named(start: Start, tmp_path: Path) -> None:
    sending = start(f"folder:{tmp_path}")
    for path in sending.settings.store.glob("*/*/*.dcm"):
        path.unlink()
    assert sending.turn() == ["waits: bytes_missing", "waits: bytes_missing"]
    assert sending.rows("reason") == ["bytes_missing", "bytes_missing"]
