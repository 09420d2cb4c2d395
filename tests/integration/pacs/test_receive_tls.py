"""The receiver over TLS: a sender that knows the CA is served, one without a certificate of its own is not where one is asked for."""

import ssl
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian
from pynetdicom import AE

from imaging.phantoms import phantom
from lungline.errors import SettingsError
from pacs.receive import DicomReceiver
from tests.corpus.files import dicom
from tests.tls import Authority

Start = Callable[..., DicomReceiver]


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "ca")


@pytest.fixture
def start_tls(start: Start, authority: Authority) -> Start:
    certificate, key = map(str, authority.sign("DNS:localhost"))
    return lambda **settings: start(**{"certificate": certificate, "key": key, **settings})


def send(receiver: DicomReceiver, context: ssl.SSLContext | None) -> int | None:
    entity = AE(ae_title="PACS")
    entity.add_requested_context(CTImageStorage, ExplicitVRLittleEndian)
    tls = (context, "localhost") if context else None
    association = entity.associate("127.0.0.1", receiver.port, ae_title="LUNGLINE", tls_args=tls)
    if not association.is_established:
        return None
    answer = association.send_c_store(dcmread(BytesIO(dicom(phantom("ct", 1), "CT"))))
    association.release()
    return int(answer.Status)


def trusting(authority: Authority) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(authority.file))


def test_a_sender_that_knows_the_ca_is_served(start_tls: Start, authority: Authority) -> None:
    assert send(start_tls(), trusting(authority)) == 0x0000


def test_a_sender_without_tls_is_not(start_tls: Start) -> None:
    assert send(start_tls(), None) is None


def test_a_sender_must_show_a_certificate_where_a_ca_is_set(start_tls: Start, authority: Authority) -> None:
    receiver = start_tls(ca=str(authority.file))
    known = trusting(authority)
    known.load_cert_chain(*authority.sign("DNS:sender"))

    assert send(receiver, known) == 0x0000
    assert send(receiver, trusting(authority)) is None


def test_a_certificate_that_is_none_is_refused_by_name(start_tls: Start, tmp_path: Path) -> None:
    (tmp_path / "none.pem").write_text("no certificate")

    with pytest.raises(SettingsError, match="DICOM_CERTIFICATE"):
        start_tls(certificate=str(tmp_path / "none.pem"))
