"""Sends one object to one target: into a folder, by C-STORE, or by STOW-RS."""

import os
from io import BytesIO
from pathlib import Path
from typing import Final

import requests
from dicomweb_client import DICOMwebClient
from pydicom import Dataset, dcmread
from pydicom.uid import ComprehensiveSRStorage, SecondaryCaptureImageStorage
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

from lungline.durable import replace_bytes
from lungline.errors import DeliveryError
from lungline.reasons import Reason
from lungline.settings import Settings
from lungline.targets import Entity, Folder, Target, Web
from pacs.connections import Connections

_WARNINGS: Final = frozenset({0xB000, 0xB006, 0xB007})  # it was stored, and something was put right: PS3.4 B.2.3


class Sender:
    """Sends by the settings of this home."""

    def __init__(self, settings: Settings, patience_seconds: float = 30.0) -> None:
        """
        Args:
            settings: of this home.
            patience_seconds: to wait for each answer of a target.

        Raises:
            SettingsError: a certificate cannot be used.
        """
        self._patience = patience_seconds
        self._connections = Connections(settings, patience_seconds)

    def send(self, data: bytes, target: Target) -> None:
        """Returns once the target has the object.

        Raises:
            DeliveryError: `target_away` or `target_refused`.
        """
        try:
            if isinstance(target, Folder):
                _put(data, target.path)
            elif isinstance(target, Entity):
                self._store(dcmread(BytesIO(data)), target)
            else:
                self._post(dcmread(BytesIO(data)), target)
        except OSError:
            raise DeliveryError(Reason.TARGET_AWAY) from None

    def check(self, target: Target) -> None:
        """Asks a target whether it is there, without sending anything: a folder that can be written to, C-ECHO, any answer by HTTP.

        Raises:
            DeliveryError: it is away, or refuses.
        """
        if isinstance(target, Folder):
            if not os.access(target.path, os.W_OK | os.X_OK):
                raise DeliveryError(Reason.TARGET_AWAY)
        elif isinstance(target, Entity):
            self._connections.associate(target, Verification).release()
        else:
            try:
                self._connections.session().get(target.url, timeout=self._patience)
            except OSError:
                raise DeliveryError(Reason.TARGET_AWAY) from None

    def _store(self, dataset: Dataset, target: Entity) -> None:
        """By C-STORE."""
        association = self._connections.associate(target, SecondaryCaptureImageStorage, ComprehensiveSRStorage)
        try:
            status = association.send_c_store(dataset).get("Status")
        except ValueError:  # it accepts no such objects
            raise DeliveryError(Reason.TARGET_REFUSED) from None
        finally:
            association.release()
        if status is None:  # no answer in time
            raise DeliveryError(Reason.TARGET_AWAY)
        if status != 0x0000 and status not in _WARNINGS:
            raise DeliveryError(Reason.TARGET_REFUSED)

    def _post(self, dataset: Dataset, target: Web) -> None:
        """By STOW-RS (PS3.18 10.5)."""
        client = DICOMwebClient(target.url, session=self._connections.session(), timeout=self._patience)
        client.set_http_retry_params(retry=False)
        try:
            answer = client.store_instances([dataset])
        except requests.HTTPError as error:
            is_away = error.response is not None and error.response.status_code >= 500
            raise DeliveryError(Reason.TARGET_AWAY if is_away else Reason.TARGET_REFUSED) from None
        if answer.get("FailedSOPSequence"):
            raise DeliveryError(Reason.TARGET_REFUSED)


def _put(data: bytes, folder: Path) -> None:
    """Under the object's own UID, whole or not at all."""
    name = dcmread(BytesIO(data), stop_before_pixels=True, specific_tags=["SOPInstanceUID"]).SOPInstanceUID
    replace_bytes(folder / f"{name}.dcm", data)
