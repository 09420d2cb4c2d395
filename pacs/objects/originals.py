"""The originals that a result speaks of: their headers, of which results inherit patient, study and order, and their pictures."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt
from pydicom import Dataset
from pydicom.datadict import dictionary_VR
from pydicom.multival import MultiValue
from pydicom.uid import UID
from pydicom.valuerep import DA, TM

from db.shown_images import ShownImage
from imaging import formats, tags
from imaging.dicom import parse
from imaging.formats import Format
from imaging.original import read_original
from imaging.read import read
from lungline.errors import UnreadableScan
from lungline.reasons import Reason
from pacs.evidence import Evidence, ShownSeries


@dataclass(frozen=True, eq=False)
class Original:
    """An image that is shown."""

    image: ShownImage
    series: ShownSeries
    header: Dataset
    """Without pixels."""
    pixels: npt.NDArray[np.float32]
    """(rows, columns) in [0, 1], 0 black; of CT the lung window."""


def load(evidence: Evidence, paths: dict[str, str]) -> list[Original]:
    """The shown images of every series, the most telling first.

    Raises:
        UnreadableScan: the store lacks one, or holds other bytes; or it is not DICOM, or names no study.
    """
    found = [_load(image, series, paths[image.scan_id]) for series in evidence.series for image in series.images]
    if not found:
        raise UnreadableScan(Reason.NO_PIXELS, "No image of the study was read.")
    return found


def _load(image: ShownImage, series: ShownSeries, path: str) -> Original:
    data = read_original(path, image.sha256)
    if formats.detect(data) is not Format.DICOM:
        raise UnreadableScan(Reason.UNSUPPORTED_FORMAT, "Only results of DICOM studies can be sent.")
    header = parse(data)
    del header.PixelData
    if not all(tags.text(header, keyword) for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID")):
        raise UnreadableScan(Reason.UNSUPPORTED_FORMAT, "The original does not say which study and instance it is.")
    return Original(image, series, header, read(data, image.frame).pixels)


def reference(header: Dataset) -> Dataset:
    """An original as results refer to it and inherit from it: with every element that they need, empty where it has none.

    But for its character set, which an object gets once it is made (`common.inherit`): highdicom knows no code extensions.
    """
    found = Dataset()
    for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "SOPClassUID"):
        setattr(found, keyword, UID(tags.text(header, keyword) or ""))
    for keyword in _INHERITED:
        setattr(found, keyword, _sound(keyword, tags.value(header, keyword)) or "")
    if items := tags.items(header, "RequestAttributesSequence"):
        found.RequestAttributesSequence = items
    for keyword in ("Rows", "Columns", "NumberOfFrames"):
        if (count := tags.whole(header, keyword, 0)) > 0:
            setattr(found, keyword, count)
    return found


def _sound(keyword: str, value: Any) -> Any:
    """A value of a header as results may have it: no object may be kept back for a date that a device wrote in its own way.

    Identifiers stay as they are, even if they break the standard: by them the target knows the study.
    """
    text = str(value or "").strip()
    vr = dictionary_VR(keyword)
    try:
        if vr == "DA":
            return DA(text) and f"{DA(text):%Y%m%d}"
        if vr == "TM":
            TM(text)
    except ValueError:
        return None
    if vr == "PN" and isinstance(value, MultiValue):
        return value[0]
    return None if keyword == "PatientSex" and text not in ("F", "M", "O") else value


_INHERITED: Final = (
    "PatientName",
    "PatientID",
    "PatientBirthDate",
    "PatientSex",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "ReferringPhysicianName",
    "StudyDescription",
    "IssuerOfPatientID",
    "Modality",
)
