"""What a DICOM header tells about its image: facts for analysts, and whether the models know its kind."""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from imaging import slices, tags, views
from imaging.acquisition import Acquisition, acquisition
from imaging.body_part import BodyPart, body_part
from imaging.units import Unit, unit
from lungline import MANUFACTURER
from lungline.findings import Modality
from lungline.reasons import Reason

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# Computed and digital radiography. RG is a radiograph on conventional film, which reaches a PACS through a film scanner:
# old chest films come so. Fluoroscopy and angiography (RF, XA) are runs of a contrast agent's way, which no model here has seen.
_RADIOGRAPHS: Final = frozenset({"CR", "DX", "RG"})
# Tell how the picture came into the PACS, not what it shows: the picture itself must be asked.
_UNDECIDED: Final = frozenset({"OT", "SC", "HC", "DOC"})

# CT Image, Enhanced CT Image, Legacy Converted Enhanced CT Image Storage.
_CT_CLASSES: Final = frozenset({"1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.5.1.4.1.1.2.1", "1.2.840.10008.5.1.4.1.1.2.2"})
_AGE: Final = re.compile(r"(\d{1,3})([DWMY]?)")
_DATE: Final = re.compile(r"(\d{4})(\d{2})(\d{2})")
_MODALITY: Final = re.compile(r"[A-Z]{2,6}")
_DEVICE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9 .,&+/()_-]{0,63}")
_LONG_NUMBER: Final = re.compile(r"\d{6}")


@dataclass(frozen=True)
class Facts:
    """What the header tells, None where it does not; PNG and JPEG tell nothing.

    The four identifiers are raw: they must be made pseudonyms before they go anywhere. All others are of a closed or checked shape.
    """

    modality: Modality | None = None
    """None where the picture must be asked: the header does not tell, or this is a picture of what a screen showed."""
    captured: Modality | None = None
    """What the screen showed: the picture is read as that if it looks like it, and turned away else."""
    rejection: Reason | None = None
    """If the header alone shows that the models do not know such an image: `own_result`, `not_chest`, `not_frontal`, `not_axial` or
    `not_hounsfield`."""
    review: Reason | None = None
    """Why a person should look at this image, however sure the networks are."""
    patient_id: str | None = field(default=None, repr=False)
    study_uid: str | None = field(default=None, repr=False)
    series_uid: str | None = field(default=None, repr=False)
    instance_uid: str | None = field(default=None, repr=False)
    patient_sex: str | None = None
    """F, M or O."""
    patient_age_band: str | None = None
    """0-9, 10-19 … 80-89, 90+ years."""
    view: str | None = None
    """AP, PA, LL, RL, LATERAL …"""
    manufacturer: str | None = None
    device_model: str | None = None
    body_part: BodyPart | None = None
    acquisition: Acquisition = field(default_factory=Acquisition)


def facts(dataset: "Dataset", frame: int = 1) -> Facts:
    """The facts of a DICOM object and of one of its frames (from 1). Never raises: what is missing or malformed is None."""
    code = _code(dataset)
    is_rendering = code == "CT" and unit(dataset, frame) is Unit.RENDERING
    sex = tags.text(dataset, "PatientSex")
    is_own = tags.text(dataset, "Manufacturer") == MANUFACTURER
    return Facts(
        modality=Modality.XRAY if code in _RADIOGRAPHS else Modality.CT if code == "CT" and not is_rendering else None,
        captured=Modality.CT if is_rendering else None,
        rejection=Reason.OWN_RESULT if is_own else _rejection(code, dataset, frame),
        review=_review(code, dataset, frame),
        patient_id=tags.text(dataset, "PatientID"),
        # A PACS may send our results back: as part of their study they would change it, and each change makes a new result.
        study_uid=None if is_own else tags.text(dataset, "StudyInstanceUID"),
        series_uid=None if is_own else tags.text(dataset, "SeriesInstanceUID"),
        instance_uid=tags.text(dataset, "SOPInstanceUID"),
        patient_sex=sex if sex in ("F", "M", "O") else None,
        patient_age_band=_age_band(dataset),
        view=None if code == "CT" else views.view(dataset),
        manufacturer=_device(tags.text(dataset, "Manufacturer")),
        device_model=_device(tags.text(dataset, "ManufacturerModelName")),
        body_part=body_part(dataset, frame),
        acquisition=acquisition(dataset, frame, max(1, tags.whole(dataset, "NumberOfFrames", 1))),
    )


def _code(dataset: "Dataset") -> str:
    """Modality (0008,0060); where it is missing, a CT's class says the same."""
    found = tags.text(dataset, "Modality")
    return found or ("CT" if tags.text(dataset, "SOPClassUID") in _CT_CLASSES else "")


def _rejection(code: str, dataset: "Dataset", frame: int) -> Reason | None:
    if code == "CT":
        return slices.rejection(dataset, frame)
    if code in _RADIOGRAPHS:
        return views.rejection(dataset)
    if code in _UNDECIDED or not _MODALITY.fullmatch(code):
        return views.rejection(dataset) or slices.rejection_of_unknown(dataset, frame)
    return Reason.NOT_CHEST


def _review(code: str, dataset: "Dataset", frame: int) -> Reason | None:
    found = None if code in _RADIOGRAPHS else slices.review(dataset, frame)
    found = found or (None if code == "CT" else views.review(dataset))
    return found or (Reason.BODY_PART_IN_DOUBT if body_part(dataset, frame) is BodyPart.OTHER else None)


def _age_band(dataset: "Dataset") -> str | None:
    years = _years(dataset)
    if years is None or years > 130:
        return None
    return "90+" if years >= 90 else f"{years // 10 * 10}-{years // 10 * 10 + 9}"


def _years(dataset: "Dataset") -> int | None:
    """Patient's Age (0010,1010), VR AS; some public sets leave the unit out. Else from birth to study."""
    if age := _AGE.fullmatch((tags.text(dataset, "PatientAge") or "").upper()):
        return int(age[1]) // {"D": 365, "W": 52, "M": 12}.get(age[2], 1)
    born = _DATE.match(tags.text(dataset, "PatientBirthDate") or "")
    seen = _DATE.match(tags.text(dataset, "StudyDate") or "")
    if not born or not seen:
        return None
    years = int(seen[1]) - int(born[1]) - ((seen[2], seen[3]) < (born[2], born[3]))
    return years if years >= 0 else None


def _device(said: str | None) -> str | None:
    """A maker's or model's name. Free text, so only what looks like one passes: a long number may be a date or an id."""
    said = " ".join((said or "").split())
    return said if _DEVICE.fullmatch(said) and not _LONG_NUMBER.search(said) else None
