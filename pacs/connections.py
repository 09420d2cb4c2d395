"""How this home reaches others: associations by DICOM, sessions by HTTP, as the settings say."""

import ssl

import requests
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian
from pynetdicom import AE
from pynetdicom.association import Association

from lungline.errors import DeliveryError, SettingsError
from lungline.reasons import Reason
from lungline.settings import Settings
from lungline.targets import Entity


class Connections:
    """To others, by the settings of this home."""

    def __init__(self, settings: Settings, seconds: float) -> None:
        """
        Args:
            settings: of this home.
            seconds: how long each answer may take.

        Raises:
            SettingsError: a certificate cannot be used.
        """
        self.seconds = seconds
        self._settings = settings
        self._tls = _tls(settings)

    def associate(self, target: Entity, *services: str) -> Association:
        """An association for these SOP classes; it must be released.

        Raises:
            DeliveryError: `target_away` or `target_refused`.
        """
        entity = AE(ae_title=self._settings.dicom_ae_title)
        entity.acse_timeout = entity.dimse_timeout = entity.network_timeout = entity.connection_timeout = self.seconds
        for service in services:
            entity.add_requested_context(service, [ExplicitVRLittleEndian, ImplicitVRLittleEndian])
        tls = (self._tls, target.host) if self._tls else None
        association = entity.associate(target.host, target.port, ae_title=target.title, tls_args=tls)
        if not association.is_established:
            raise DeliveryError(Reason.TARGET_REFUSED if association.is_rejected else Reason.TARGET_AWAY)
        return association

    def session(self) -> requests.Session:
        """For DICOMweb, with the CA and the log-in that are set."""
        session = requests.Session()
        session.trust_env = False  # no proxy and no password of the environment
        if self._settings.deliver_ca:
            session.verify = str(self._settings.deliver_ca)
        if self._settings.deliver_user:
            session.auth = (self._settings.deliver_user, self._settings.deliver_password.get_secret_value())
        return session


def _tls(settings: Settings) -> ssl.SSLContext | None:
    """For DICOM by TLS, where a CA is set."""
    if settings.deliver_ca is None:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.deliver_ca)
        if settings.dicom_certificate is not None:
            context.load_cert_chain(settings.dicom_certificate, settings.dicom_key)
    except OSError:  # ssl.SSLError is one
        raise SettingsError(
            "LUNGLINE_DELIVER_CA, LUNGLINE_DICOM_CERTIFICATE or LUNGLINE_DICOM_KEY is not a PEM file that can be used."
        ) from None
    return context
