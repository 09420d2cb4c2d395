"""What both kinds of object say alike: of the original what must be kept, of Lungline what made them."""

from typing import Any, Final

from highdicom import ContributingEquipment
from pydicom import Dataset
from pydicom.sr.coding import Code
from pydicom.uid import ExplicitVRLittleEndian

from imaging import tags
from lungline import MANUFACTURER, RESEARCH_USE, __version__
from pacs.evidence import Evidence
from pacs.objects.order import Identity

SERIES_NUMBERS: Final = {"sc": 9901, "sr": 9902}
"""High, so that results stand behind the originals."""
_LONGEST: Final = {"StudyDescription": 64, "SeriesDescription": 64, "DerivationDescription": 1024}  # LO, ST: PS3.5 6.2


def identify(kind: str, identity: Identity) -> dict[str, Any]:
    """What highdicom is told of an object of this kind (`sc` or `sr`): which one it is, and that Lungline made it."""
    return {
        "series_instance_uid": identity.series_uid,
        "series_number": SERIES_NUMBERS[kind],
        "sop_instance_uid": identity.instance_uid,
        "instance_number": identity.number,
        "manufacturer": MANUFACTURER,
        "manufacturer_model_name": MANUFACTURER,
        "software_versions": __version__,
        "transfer_syntax_uid": ExplicitVRLittleEndian,
        "contributing_equipment": [_equipment()],
    }


def inherit(made: Dataset, original: Dataset) -> None:
    """Takes over what is the study's and the patient's beyond what highdicom does, and the original's character set."""
    for keyword in ("SpecificCharacterSet", "IssuerOfPatientID"):
        if value := tags.value(original, keyword):
            setattr(made, keyword, value)
    if description := tags.text(original, "StudyDescription"):
        made.StudyDescription = description[: _LONGEST["StudyDescription"]]
    made.SeriesDescription = "Lungline: research use only, not for diagnosis"[: _LONGEST["SeriesDescription"]]


def describe(evidence: Evidence, former_uid: str | None) -> str:
    """What the result was made by, and what it follows."""
    versions = dict.fromkeys(series.assessment.ensemble for series in evidence.series if series.assessment.ensemble)
    rules = dict.fromkeys(series.assessment.rule for series in evidence.series)
    text = f"Lungline {__version__}; ensembles {', '.join(versions) or 'none'}; rules {', '.join(rules)}. {RESEARCH_USE}"
    return (text + (f" Supersedes {former_uid}." if former_uid else ""))[: _LONGEST["DerivationDescription"]]


def _equipment() -> ContributingEquipment:
    """Lungline, as a contributing equipment (PS3.3 C.12.1)."""
    return ContributingEquipment(
        MANUFACTURER,
        Code("109102", "DCM", "Processing Equipment"),
        manufacturer_model_name=MANUFACTURER,
        software_versions=__version__,
        contribution_description=RESEARCH_USE,
    )
