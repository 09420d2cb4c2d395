"""Which end of an image's values is white: what the header asks for, and where it leaves that open (DICOM PS3.3 C.7.6.3.1.2, C.8.11.3)."""

from typing import Final

from pydicom.dataset import Dataset
from pydicom.uid import DigitalXRayImageStorageForProcessing

from imaging import lut, tags
from lungline.findings import Modality
from lungline.reasons import Reason

_SHAPES: Final = ("IDENTITY", "INVERSE")


def is_inverse(dataset: Dataset) -> bool:
    """Whether the lowest value of a monochrome image is white.

    Values straight from the detector have no presentation: there the side decides on which the lungs are dark.
    """
    sign = _detector_sign(dataset)
    return _is_shown_inverse(dataset) if sign is None else sign > 0


def doubt(dataset: Dataset, modality: Modality | None) -> Reason | None:
    """`polarity_in_doubt` where the header leaves open what is black and white, or asks for a negative of a CT slice; else None."""
    photometric, shape = tags.text(dataset, "PhotometricInterpretation"), tags.text(dataset, "PresentationLUTShape")
    if photometric not in ("MONOCHROME1", "MONOCHROME2"):
        return None
    inverse = _is_shown_inverse(dataset)
    doubts = (
        shape is not None and shape not in _SHAPES,
        # Some devices write IDENTITY whatever they mean, and PS3.3 C.8.11.3 forbids it here.
        (photometric, shape) == ("MONOCHROME1", "IDENTITY"),
        # Presentation LUTs belong to presentation states, so viewers pass them over in an image.
        any(table.is_descending for item in tags.items(dataset, "PresentationLUTSequence") if (table := lut.read(item, dataset))),
        _is_for_processing(dataset) and _detector_sign(dataset) != (1 if inverse else -1),
        # A film's grays, and those that the models know, go with the logarithm of the X-rays.
        _is_for_processing(dataset) and tags.text(dataset, "PixelIntensityRelationship") == "LIN",
        # Hounsfield units say which end is dark; a header that turns them over contradicts them.
        modality is Modality.CT and inverse,
    )
    return Reason.POLARITY_IN_DOUBT if any(doubts) else None


def _is_shown_inverse(dataset: Dataset) -> bool:
    """What a viewer shows: Presentation LUT Shape (2050,0020) outranks the Photometric Interpretation, as in dcmtk and dcm4che."""
    shape = tags.text(dataset, "PresentationLUTShape")
    return shape == "INVERSE" if shape in _SHAPES else tags.text(dataset, "PhotometricInterpretation") == "MONOCHROME1"


def _detector_sign(dataset: Dataset) -> int | None:
    """Of values for processing: 1 where lower ones mean less X-rays, as behind bone, -1 where higher ones do (PS3.3 C.8.11.3.1.2)."""
    sign = tags.whole(dataset, "PixelIntensityRelationshipSign", 0)
    return sign if sign in (1, -1) and _is_for_processing(dataset) else None


def _is_for_processing(dataset: Dataset) -> bool:
    intent = tags.text(dataset, "PresentationIntentType")
    return intent == "FOR PROCESSING" or tags.text(dataset, "SOPClassUID") == DigitalXRayImageStorageForProcessing
