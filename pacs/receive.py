"""`lungline receive`: takes what a PACS sends by C-STORE, and puts each object into the inbox, whole.

An object is written to a hidden folder of the inbox as it comes, and renamed into the inbox once it is complete and on the disk. Success is
answered after that, so a sender that got it need not send again.
"""

import shutil
import ssl
import time
from pathlib import Path
from typing import Any, Final

import structlog
from pynetdicom import AE, evt
from pynetdicom.events import Event

from lungline.durable import rename_into
from lungline.errors import SettingsError
from lungline.ids import new_id
from lungline.layout import FILE_BYTES_MAX
from lungline.presence import Presence
from lungline.settings import Settings
from lungline.threads import Repeating
from lungline.wait import run_until_stopped
from pacs.incoming import write_into
from pacs.services import offer

NAME: Final = "receive"
URGENT: Final = "STAT"
"""The end of an AE title, the sender's or the one that it calls, by which what it sends is urgent."""
_RECEIVING: Final = ".receiving"  # hidden: the watcher leaves it alone
_ASSOCIATIONS: Final = 16  # at a time; further ones are rejected until one ends
_SILENT_SECONDS: Final = 60.0  # of a sender, until its association is ended
_TIDY_SECONDS: Final = 60.0
_STALE_SECONDS: Final = 600.0  # nothing is written to a file for so long: its sender is gone
_SUCCESS, _OUT_OF_RESOURCES = 0x0000, 0xA700  # PS3.4 B.2.3
_PERMANENT, _BY_USER, _CALLING_UNKNOWN, _CALLED_UNKNOWN = 0x01, 0x01, 0x03, 0x07

log = structlog.get_logger()


class DicomReceiver:
    """One storage provider on one inbox."""

    def __init__(self, settings: Settings, reserve_bytes: int = FILE_BYTES_MAX) -> None:
        """Does nothing yet.

        Args:
            settings: of this home.
            reserve_bytes: room that must be left on the inbox's disk; below that, nothing more is accepted.

        Raises:
            SettingsError: a certificate or key cannot be used.
        """
        self._settings = settings
        self._reserve = reserve_bytes
        self._peers = tuple(filter(None, (peer.strip() for peer in settings.dicom_peers.split(","))))
        self._folder = settings.inbox / _RECEIVING
        self._tls = make_tls_context(settings)
        self._entity = AE(ae_title=settings.dicom_ae_title)
        self._entity.maximum_associations = _ASSOCIATIONS
        self._entity.acse_timeout = self._entity.dimse_timeout = self._entity.network_timeout = _SILENT_SECONDS
        title = settings.dicom_ae_title
        self._titles = title, f"{title[: 16 - len(URGENT)]}{URGENT}"
        offer(self._entity)
        self._tidying = Repeating("tidying", _TIDY_SECONDS, self._tidy, "files of senders that are gone stay")
        self._server: Any = None

    @property
    def port(self) -> int:
        """That it listens on; another than the setting's where that is 0."""
        return int(self._server.server_address[1])

    def start(self) -> None:
        """Begins to listen.

        Raises:
            SettingsError: the port is taken, or the address is not this machine's.
        """
        shutil.rmtree(self._folder, ignore_errors=True)  # of a predecessor that was killed: its senders got no success
        self._folder.mkdir(parents=True)
        write_into(self._folder)  # on the inbox's own file system
        handlers: list[Any] = [(evt.EVT_REQUESTED, self._check), (evt.EVT_C_STORE, self._store)]
        address = (self._settings.dicom_address, self._settings.dicom_port or 0)
        try:
            self._server = self._entity.start_server(address, block=False, evt_handlers=handlers, ssl_context=self._tls)
        except OSError:
            raise SettingsError(
                "The receiver cannot listen: LUNGLINE_DICOM_PORT is taken, or LUNGLINE_DICOM_ADDRESS is not an address of this machine."
            ) from None
        self._tidying.start()

    def stop(self) -> None:
        """Ends all associations: what was not answered is sent again by its sender."""
        self._tidying.stop()
        self._entity.shutdown()

    def _check(self, event: Event) -> None:
        """Rejects senders that are not on the list, and those that call another title (reasons: PS3.8 9.3.4)."""
        sender, host, called = _names(event)
        if called not in self._titles:
            log.warning("an association is rejected: the sender called an AE title other than LUNGLINE_DICOM_AE_TITLE")
            _reject(event, _CALLED_UNKNOWN)
        elif self._peers and sender not in self._peers and f"{sender}@{host}" not in self._peers:
            log.warning("an association is rejected: LUNGLINE_DICOM_PEERS does not name the sender")
            _reject(event, _CALLING_UNKNOWN)

    def _store(self, event: Event) -> int:
        """The status that the sender is answered for one object."""
        try:
            if shutil.disk_usage(self._folder).free < self._reserve or not Path(event.dataset_path).exists():
                log.error("an object is refused: the inbox's disk is full")
                return _OUT_OF_RESOURCES
            self._put(Path(event.dataset_path), _is_urgent(event))
        except OSError as error:
            log.error("an object could not be put into the inbox", error=type(error).__name__, errno=error.errno)
            return _OUT_OF_RESOURCES
        return _SUCCESS

    def _put(self, path: Path, is_urgent: bool) -> None:
        inbox = self._settings.inbox / URGENT.lower() if is_urgent else self._settings.inbox
        inbox.mkdir(exist_ok=True)
        rename_into(path, inbox / f"{new_id()}.dcm")

    def _tidy(self) -> None:
        """Removes what senders left that broke off."""
        oldest = time.time() - _STALE_SECONDS
        for path in self._folder.iterdir():
            if path.stat().st_mtime < oldest:
                path.unlink(missing_ok=True)


def _names(event: Event) -> tuple[str, str, str]:
    """The sender's AE title and address, and the title that it calls."""
    requestor = event.assoc.requestor
    asked = requestor.primitive
    assert asked is not None  # an association begins with it
    return str(asked.calling_ae_title).strip(), str(requestor.address), str(asked.called_ae_title).strip()


def _reject(event: Event, reason: int) -> None:
    event.assoc.acse.send_reject(_PERMANENT, _BY_USER, reason)
    event.assoc.kill()


def _is_urgent(event: Event) -> bool:
    sender, _, called = _names(event)
    return sender.endswith(URGENT) or called.endswith(URGENT)


def make_tls_context(settings: Settings) -> ssl.SSLContext | None:
    """For TLS, where a certificate is set; senders must show one of their own where a CA is.

    Raises:
        SettingsError: a certificate or key cannot be used.
    """
    if settings.dicom_certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.dicom_certificate, settings.dicom_key)
        if settings.dicom_ca is not None:
            context.load_verify_locations(settings.dicom_ca)
            context.verify_mode = ssl.CERT_REQUIRED
    except OSError:  # ssl.SSLError is one
        raise SettingsError(
            "LUNGLINE_DICOM_CERTIFICATE, LUNGLINE_DICOM_KEY or LUNGLINE_DICOM_CA is not a PEM file that can be used."
        ) from None
    return context


def run(settings: Settings) -> None:
    """Receives until SIGTERM or Ctrl-C.

    Raises:
        AlreadyRunningError: this home has a receiver.
        SettingsError: no port is set, or a setting cannot be used.
    """
    if settings.dicom_port is None:
        raise SettingsError("LUNGLINE_DICOM_PORT is not set: set it to the port that the PACS sends to.")
    presence = Presence.take(settings.layout.run, NAME)
    receiver = DicomReceiver(settings)

    def begin() -> None:
        receiver.start()
        presence.tell(ready=True)
        log.info("ready", port=receiver.port)

    run_until_stopped(begin)
    receiver.stop()
    log.info("stopped")
