"""Whether the DICOM receiver can work as it is set, and who may send to it."""

import os
import re
from collections.abc import Iterator
from ipaddress import ip_address
from typing import Final

from lungline.errors import SettingsError
from lungline.presence import live
from lungline.settings import PREFIX, Settings
from operations.doctor.ports import is_free

_TITLE: Final = re.compile(r"[ -\[\]-~]{1,16}")  # PS3.5 6.2, VR AE: no backslash and no control character


def check_receiver(settings: Settings) -> Iterator[str]:
    """Looks at the port, the certificates and the senders that are allowed."""
    if settings.dicom_port is None:
        yield "receiver: off (LUNGLINE_DICOM_PORT is not set)"
        return
    where = f"{settings.dicom_address} port {settings.dicom_port}, AE title {settings.dicom_ae_title}"
    if "receive" in live(settings.layout.run):
        yield f"receiver: running, {where}"
    elif is_free("DICOM", settings.dicom_address, settings.dicom_port):
        yield f"receiver: not running; {where} is free"
    else:
        raise SettingsError(f"Another program uses port {settings.dicom_port}: set LUNGLINE_DICOM_PORT to another one.")
    yield from _check_certificates(settings)
    yield from _check_peers(settings)


def _check_certificates(settings: Settings) -> Iterator[str]:
    from pacs.receive import make_tls_context

    files = {"CERTIFICATE": settings.dicom_certificate, "KEY": settings.dicom_key, "CA": settings.dicom_ca}
    for name, path in files.items():
        if path is not None and not (path.is_file() and os.access(path, os.R_OK)):
            raise SettingsError(f"{PREFIX}DICOM_{name} is not a file that this user can read: set it to another one, or unset it.")
    if settings.dicom_certificate is None:
        if without := [f"{PREFIX}DICOM_{name}" for name, path in files.items() if path is not None]:
            raise SettingsError(f"{' and '.join(without)} without LUNGLINE_DICOM_CERTIFICATE: the receiver uses no TLS. Set that, too.")
        yield "receiver: without TLS (LUNGLINE_DICOM_CERTIFICATE is not set)"
        return
    make_tls_context(settings)
    yield "receiver: TLS; " + (
        "senders must show a certificate of LUNGLINE_DICOM_CA" if settings.dicom_ca else "senders need no certificate"
    )


def _check_peers(settings: Settings) -> Iterator[str]:
    peers = [peer.strip() for peer in settings.dicom_peers.split(",") if peer.strip()]
    if not peers:
        yield "receiver: everyone who reaches the port may send (LUNGLINE_DICOM_PEERS is not set)"
        return
    for number, peer in enumerate(peers, 1):
        title, at, address = peer.partition("@")
        if not _TITLE.fullmatch(title) or (at and not _is_address(address)):
            raise SettingsError(f"Entry {number} of LUNGLINE_DICOM_PEERS is neither an AE title nor TITLE@ADDRESS with an IP address.")
    yield f"receiver: {len(peers)} senders may send (LUNGLINE_DICOM_PEERS)"


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True
