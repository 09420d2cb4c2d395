"""A study as a PACS exports it: slices of a CT, and what lies beside them."""

from typing import Any

from pydicom.uid import generate_uid

from imaging.phantoms import phantom
from tests.acceptance.stack import Stack
from tests.corpus.files import dicom

AXIAL, CORONAL = [1, 0, 0, 0, 1, 0], [1, 0, 0, 0, 0, -1]


class Export:
    """One study of one patient, as its modality made it."""

    def __init__(self, patient: str) -> None:
        self.patient, self.uid, self.series = patient, generate_uid(), generate_uid()
        self._made = 100 * int(patient[-1])

    def slice(self, number: int, **tags: Any) -> bytes:
        self._made += 1
        plain: dict[str, Any] = {
            "PatientID": self.patient,
            "StudyInstanceUID": self.uid,
            "SeriesInstanceUID": self.series,
            "SOPInstanceUID": generate_uid(),
            "InstanceNumber": number,
            "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
            "ImageOrientationPatient": AXIAL,
            "ImagePositionPatient": [-150, -150, 5.0 * number],
            "SliceThickness": 5,
            "BodyPartExamined": "CHEST",
        }
        return dicom(phantom("ct", self._made), "CT", **plain | tags)

    def others(self) -> list[bytes]:
        """What lies in the same series and is no axial slice."""
        scout = self.slice(90, ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"], ImageOrientationPatient=CORONAL)
        reformat = self.slice(91, ImageType=["DERIVED", "SECONDARY", "MPR"], ImageOrientationPatient=CORONAL)
        return [scout, reformat]


def study_of(stack: Stack, patient: str) -> str:
    key = stack.run("key", patient).stdout.split()[-1]
    stack.until(lambda: bool(stack.query("SELECT 1 FROM study_results WHERE patient_key = :key", key=key)), 120, "an assessment")
    return str(stack.query("SELECT study_key FROM study_results WHERE patient_key = :key", key=key)[0]["study_key"])
