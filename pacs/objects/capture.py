"""The picture of a result as a Secondary Capture (DICOM PS3.3 A.8.1), uncompressed RGB: viewers show JPEG captures in many ways."""

from collections.abc import Sequence

from highdicom.sc import SCImage
from pydicom import Dataset

from imaging import tags
from lungline.findings import Modality
from pacs.evidence import Evidence
from pacs.objects import common
from pacs.objects.drawing import draw
from pacs.objects.order import Identity
from pacs.objects.originals import Original, reference


def make(evidence: Evidence, originals: Sequence[Original], identity: Identity) -> Dataset:
    """The capture of a study, with what `draw` draws."""
    first = originals[0]
    inherited = reference(first.header)
    made = SCImage(
        pixel_array=draw(evidence, originals),
        photometric_interpretation="RGB",
        bits_allocated=8,
        coordinate_system="PATIENT",
        study_instance_uid=inherited.StudyInstanceUID,
        patient_id=inherited.PatientID,
        patient_name=inherited.PatientName,
        patient_birth_date=inherited.PatientBirthDate,
        patient_sex=inherited.PatientSex or None,
        accession_number=inherited.AccessionNumber,
        study_id=inherited.StudyID,
        study_date=inherited.StudyDate or None,
        study_time=inherited.StudyTime or None,
        referring_physician_name=inherited.ReferringPhysicianName,
        patient_orientation=_orientation(first),
        **common.identify("sc", identity),
    )
    common.inherit(made, first.header)
    made.Modality = "OT"
    made.ImageType = ["DERIVED", "SECONDARY"]
    made.BurnedInAnnotation = "YES"
    made.BodyPartExamined = "CHEST"
    made.DerivationDescription = common.describe(evidence, identity.former_uid)
    made.SourceImageSequence = [_source(original) for original in originals if original.series == first.series]
    return made


def _orientation(original: Original) -> tuple[str, str]:
    """How a frontal film or an axial slice is drawn: the patient's left on the right, feet or back below (PS3.3 C.7.6.1.1.1)."""
    said = tags.value(original.header, "PatientOrientation")
    if said and len(said) == 2 and all(said):
        return str(said[0]), str(said[1])
    return ("L", "P") if original.series.modality == Modality.CT else ("L", "F")


def _source(original: Original) -> Dataset:
    item = Dataset()
    item.ReferencedSOPClassUID = original.header.SOPClassUID
    item.ReferencedSOPInstanceUID = original.header.SOPInstanceUID
    if "NumberOfFrames" in original.header:
        item.ReferencedFrameNumber = original.image.frame
    return item
