"""Asks a PACS how many images a series has: by C-FIND (PS3.4 C.6.2) or by QIDO-RS (PS3.18 10.6)."""

from typing import Final

import requests
from pydicom import Dataset
from pynetdicom.association import Association
from pynetdicom.sop_class import StudyRootQueryRetrieveInformationModelFind  # type: ignore[attr-defined]

from imaging import tags
from lungline.errors import DeliveryError
from lungline.reasons import Reason
from lungline.targets import Entity, Web
from pacs.connections import Connections

_COUNT: Final = "00201209"  # Number of Series Related Instances
_MOST: Final = 20_000  # images of a series that are counted one by one
_SUCCESS, _PENDING = 0x0000, (0xFF00, 0xFF01)  # PS3.4 C.4.1.1.4


def count_images(connections: Connections, pacs: Entity | Web, study_uid: str, series_uid: str) -> int | None:
    """How many images a series has in the PACS; None if it has no such series.

    Raises:
        DeliveryError: it is away, or refuses.
    """
    try:
        if isinstance(pacs, Web):
            return _by_web(connections, pacs, study_uid, series_uid)
        association = connections.associate(pacs, StudyRootQueryRetrieveInformationModelFind)
        try:
            return _by_find(association, study_uid, series_uid)
        finally:
            association.release()
    except OSError:
        raise DeliveryError(Reason.TARGET_AWAY) from None


def _by_find(association: Association, study_uid: str, series_uid: str) -> int | None:
    series = _find(association, study_uid, series_uid, "SERIES", "NumberOfSeriesRelatedInstances")
    if not series:
        return None
    counts = [tags.whole(each, "NumberOfSeriesRelatedInstances", 0) for each in series]
    if max(counts) > 0:
        return max(counts)
    return len(_find(association, study_uid, series_uid, "IMAGE", "SOPInstanceUID")) or None  # a PACS need not know the number


def _find(association: Association, study_uid: str, series_uid: str, level: str, wanted: str) -> list[Dataset]:
    query = Dataset()
    query.QueryRetrieveLevel = level
    query.StudyInstanceUID = study_uid
    query.SeriesInstanceUID = series_uid
    setattr(query, wanted, None)
    found: list[Dataset] = []
    try:
        for status, answer in association.send_c_find(query, StudyRootQueryRetrieveInformationModelFind):
            if (code := status.get("Status")) is None:  # no answer in time
                raise DeliveryError(Reason.TARGET_AWAY)
            if code in _PENDING and answer is not None:
                found.append(answer)
            elif code != _SUCCESS or len(found) > _MOST:
                raise DeliveryError(Reason.TARGET_REFUSED)
    except ValueError:  # it answers no such questions
        raise DeliveryError(Reason.TARGET_REFUSED) from None
    return found


def _by_web(connections: Connections, pacs: Web, study_uid: str, series_uid: str) -> int | None:
    answer = connections.session().get(
        f"{pacs.url}/studies/{study_uid}/series",
        params={"SeriesInstanceUID": series_uid, "includefield": _COUNT},
        headers={"Accept": "application/dicom+json"},
        timeout=connections.seconds,
    )
    if answer.status_code in (requests.codes.no_content, requests.codes.not_found):
        return None
    if answer.status_code >= 500:
        raise DeliveryError(Reason.TARGET_AWAY)
    try:
        answer.raise_for_status()
        counts = [int(each[_COUNT]["Value"][0]) for each in answer.json() if each.get(_COUNT, {}).get("Value")]
    except (requests.RequestException, ValueError, TypeError, LookupError, AttributeError):
        raise DeliveryError(Reason.TARGET_REFUSED) from None
    return max(counts, default=None)
