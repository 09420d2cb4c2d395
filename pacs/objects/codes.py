"""The coded words of a report: SNOMED CT and DICOM where they have one, our own scheme where they have none."""

from typing import Final

from pydicom.sr.coding import Code

from lungline.findings import Modality, Status
from pacs.evidence import ShownSeries

OWN: Final = "99LUNGLINE"  # a private scheme begins with 99 (DICOM PS3.16 8)

FINDINGS: Final = {
    "covid19": Code("840539006", "SCT", "COVID-19"),
    "pneumonia": Code("233604007", "SCT", "Pneumonia"),
    "normal": Code("17621005", "SCT", "Normal"),
    "non_covid": Code("non_covid", OWN, "Not COVID-19"),
    None: Code("not_read", OWN, "Not read: of a kind that the networks do not know"),
}
STATUS: Final = {
    Status.ACCEPTED: Code("accepted", OWN, "Accepted"),
    Status.REVIEW: Code("review", OWN, "For review by a radiologist"),
    Status.REJECTED: Code("rejected", OWN, "Rejected"),
}
STATUS_OF_RESULT: Final = Code("status", OWN, "Status of the result")
STAGE: Final = Code("stage", OWN, "Stage of the result")
STAGES: Final = {
    "provisional": Code("provisional", OWN, "Provisional: images may still come"),
    "final": Code("final", OWN, "Final"),
}
PROBABILITY: Final = Code("probability", OWN, "Probability of the finding")
IMAGES_USED: Final = Code("images_used", OWN, "Images used")
NO_UNIT: Final = Code("1", "UCUM", "no units")
LUNGS: Final = Code("39607008", "SCT", "Lung")
TITLE: Final = Code("126000", "DCM", "Imaging Measurement Report")
_PROCEDURES: Final = {
    Modality.CT: Code("169069000", "SCT", "CT of chest"),
    Modality.XRAY: Code("399208008", "SCT", "Plain chest X-ray"),
}


def procedure(series: ShownSeries) -> Code:
    """What was reported on."""
    return _PROCEDURES[Modality(series.modality)] if series.modality else Code("363680008", "SCT", "Radiographic imaging procedure")
