"""What a DICOM header tells about its image: facts for analysts, and whether the models know its kind."""

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from imaging import tags
from lungline.findings import Modality
from lungline.reasons import Reason

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# Computed and digital radiography. RG is a radiograph on conventional film, which reaches a PACS through a film scanner:
# old chest films come so. Fluoroscopy and angiography (RF, XA) are runs of a contrast agent's way, which no model here has seen.
_RADIOGRAPHS: Final = frozenset({"CR", "DX", "RG"})
# Tell how the picture came into the PACS, not what it shows: the picture itself must be asked.
_UNDECIDED: Final = frozenset({"OT", "SC", "HC", "DOC"})

# View Position (0018,5101): the defined terms of PS3.3 C.8.1.1.1 (CR) and C.8.11.5 (DX), and what devices write instead.
_VIEWS: Final = {
    **{code: code for code in ("AP", "PA", "LL", "RL", "LLD", "RLD", "LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "LATERAL")},
    **dict.fromkeys(("LAT", "LATERALVIEW"), "LATERAL"),
    **dict.fromkeys(("LEFTLATERAL", "LLAT", "LATL"), "LL"),
    **dict.fromkeys(("RIGHTLATERAL", "RLAT", "LATR"), "RL"),
}
# LLD and RLD are decubitus films: the patient lies on a side, but the beam goes through from front to back.
_LATERAL: Final = frozenset({"LL", "RL", "LATERAL"})
# View Code Sequence (0054,0220), context group 4010 of PS3.16, in SNOMED CT and in the older SNOMED RT.
_VIEW_CODES: Final = {
    **dict.fromkeys(("399348003", "R-10206"), "AP"),
    **dict.fromkeys(("272479007", "R-10214"), "PA"),
    **dict.fromkeys(("399173006", "R-10236"), "LL"),
    **dict.fromkeys(("399198007", "R-10232"), "RL"),
    **dict.fromkeys(("399067008", "R-10228"), "LATERAL"),
}

_SECONDARY_CAPTURE: Final = "1.2.840.10008.5.1.4.1.1.7"
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
    rejection: Reason | None = None
    """`not_chest` or `not_frontal`, if the header alone shows that the models do not know this kind of image."""
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


def facts(dataset: "Dataset") -> Facts:
    """The facts of a DICOM object. Never raises: what is missing or malformed is None."""
    code = tags.text(dataset, "Modality") or ""
    view = _view(dataset)
    sex = tags.text(dataset, "PatientSex")
    return Facts(
        modality=_modality(code, dataset),
        rejection=_rejection(code, view, dataset),
        patient_id=tags.text(dataset, "PatientID"),
        study_uid=tags.text(dataset, "StudyInstanceUID"),
        series_uid=tags.text(dataset, "SeriesInstanceUID"),
        instance_uid=tags.text(dataset, "SOPInstanceUID"),
        patient_sex=sex if sex in ("F", "M", "O") else None,
        patient_age_band=_age_band(dataset),
        view=view,
        manufacturer=_device(tags.text(dataset, "Manufacturer")),
        device_model=_device(tags.text(dataset, "ManufacturerModelName")),
    )


def _modality(code: str, dataset: "Dataset") -> Modality | None:
    if code in _RADIOGRAPHS:
        return Modality.XRAY
    # A capture of a CT's screen (a dose report, a 3D view) keeps the code CT; films that were digitised or converted keep CR or DX too,
    # but those are still radiographs.
    if code == "CT" and tags.text(dataset, "SOPClassUID") != _SECONDARY_CAPTURE:
        return Modality.CT
    return None


def _rejection(code: str, view: str | None, dataset: "Dataset") -> Reason | None:
    if code in _RADIOGRAPHS:
        return Reason.NOT_FRONTAL if view in _LATERAL else None
    if code == "CT":
        return Reason.NOT_FRONTAL if "LOCALIZER" in _image_type(dataset) else None
    if code in _UNDECIDED or not _MODALITY.fullmatch(code):
        return None
    return Reason.NOT_CHEST


def _image_type(dataset: "Dataset") -> list[str]:
    found = tags.value(dataset, "ImageType")
    return [found] if isinstance(found, str) else [str(one).strip().upper() for one in found or ()]


def _view(dataset: "Dataset") -> str | None:
    said = re.sub(r"[^A-Z]", "", (tags.text(dataset, "ViewPosition") or "").upper())
    if said in _VIEWS:
        return _VIEWS[said]
    codes = [tags.text(item, "CodeValue") or "" for item in tags.items(dataset, "ViewCodeSequence")]
    return next((_VIEW_CODES[code] for code in codes if code in _VIEW_CODES), None)


def _age_band(dataset: "Dataset") -> str | None:
    years = _years(dataset)
    if years is None or years > 130:
        return None
    return "90+" if years >= 90 else f"{years // 10 * 10}-{years // 10 * 10 + 9}"


def _years(dataset: "Dataset") -> int | None:
    """Patient's Age (0010,1010), VR AS; some public sets leave the unit out. Else from birth to study."""
    if told := _AGE.fullmatch((tags.text(dataset, "PatientAge") or "").upper()):
        return int(told[1]) // {"D": 365, "W": 52, "M": 12}.get(told[2], 1)
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
