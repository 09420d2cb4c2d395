"""Which CT images the models know, by their header: axial slices in Hounsfield units; no scouts, screens, other planes or projections."""

import re
from typing import TYPE_CHECKING, Final

from imaging import tags
from imaging.geometry import Plane, plane
from imaging.units import CAPTURES, Unit, unit
from lungline.reasons import Reason

if TYPE_CHECKING:
    from pydicom.dataset import Dataset


def _any_of(*words: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(words)})\b")


# Of Image Type (C.7.6.1.1.2, C.8.2.1.1.1), Frame Type (C.8.16.1) and what makers write there; of Scan Options and Acquisition Type.
_SCOUT: Final = _any_of(r"LOCALI[SZ]ERS?", r"SCOUTS?", r"TOPO(?:GRAM)?S?", "SURVIEW", r"SCANO(?:GRAM|SCOPE)?S?", "CONSTANT ANGLE", "TOP")
_SCREEN: Final = _any_of(
    *(r"SCREEN\w*", r"(?<!LOW )DOSE\w*", r"\w*REPORT", "PROTOCOL", "PROT", "FILMING", "CAPTURE", "VRT", r"(?:VOLUME|SURFACE) RENDER\w*"),
    *("SNAPSHOT", "HARDCOPY", "FUSION", "FUSED", r"SHADED SURFACE\w*"),
)
_VIEW_3D: Final = _any_of("3D", "VR", "SSD", r"RENDER\w*", r"ENDOSCOP\w*", r"FLY ?THROUGH", "GRAPH", "PLOT", "HISTOGRAM")
_AXIAL: Final = _any_of("AXIAL", "TRANSVERSAL", "TRANSVERSE")
_REFORMAT: Final = _any_of("MPR", "MPVR", r"REFORMAT\w*", r"CORONAL\w*", r"SAGITTAL\w*", r"OBLIQUE\w*", "COR", "SAG")
_CURVED: Final = _any_of("CURVED", "CPR", "CURVED MPR", "DISTORTED")
_PROJECTION: Final = _any_of("MIP", "MINIP", "MAX ?IP", "MIN ?IP", r"PROJECTIONS?", "MAXIMUM", "MINIMUM")
# Free text, believed where nothing coded speaks. No COR: it is the heart, too, and coronary arteries.
_OTHER_PLANE: Final = _any_of(r"CORONAL\w*", r"SAGITTAL\w*", "SAG", r"LOCALI[SZ]ERS?", r"SCOUTS?", r"TOPOGRAMS?", "SURVIEW", r"SCANOGRAMS?")
_PROJECTED: Final = _any_of("MIP", "MINIP", "MAX ?IP", "MIN ?IP", r"(?:MAXIMUM|MINIMUM) INTENSITY PROJECTIONS?")

# Derivation Code Sequence: context group 7203 of PS3.16, coded by DICOM itself.
_CURVED_CODES: Final = frozenset({"113073"})
_RENDERED_CODES: Final = frozenset({"113074", "113075"})
_PROJECTION_CODES: Final = frozenset({"113078", "113079", "113048", "113051"})


def rejection(dataset: "Dataset", frame: int = 1) -> Reason | None:
    """Why the models do not know a frame (from 1) of an object with the modality CT: by its header's words, its geometry, its unit.

    Geometry goes before words: a reformat that lies in the axial plane is an axial slice, thick averages too.
    """
    words, lies = _words(dataset, frame), plane(dataset, frame)
    if _is_scout(dataset, frame, words, lies):
        return Reason.NOT_FRONTAL
    if _is_screen(dataset, words):
        return Reason.NOT_CHEST
    if _is_of_another_plane(dataset, words, lies):
        return Reason.NOT_AXIAL
    if unit(dataset, frame) is Unit.OTHER:
        return Reason.NOT_HOUNSFIELD
    return None


def rejection_of_unknown(dataset: "Dataset", frame: int = 1) -> Reason | None:
    """Why the models do not know a frame of an object that does not say by which modality it came: only what is plain in any of them."""
    words = _words(dataset, frame)
    if _SCOUT.search(words):
        return Reason.NOT_FRONTAL
    if _SCREEN.search(words):
        return Reason.NOT_CHEST
    return None if plane(dataset, frame) in (Plane.AXIAL, Plane.UNKNOWN) else Reason.NOT_AXIAL


def review(dataset: "Dataset", frame: int = 1) -> Reason | None:
    """Why a person should look at a frame that is not rejected: a projection, or free text that speaks of another plane."""
    if is_projection(dataset, frame):
        return Reason.PROJECTION
    words, text = _words(dataset, frame), _free_text(dataset)
    if plane(dataset, frame) is Plane.UNKNOWN and _OTHER_PLANE.search(text) and not _AXIAL.search(words):
        return Reason.VIEW_IN_DOUBT
    return None


def is_projection(dataset: "Dataset", frame: int = 1) -> bool:
    """Whether a frame shows the brightest or darkest of several slices, by its type, its free text or its derivation's code."""
    is_said = _PROJECTION.search(_words(dataset, frame)) or _PROJECTED.search(_free_text(dataset))
    return bool(is_said or _derivations(dataset) & _PROJECTION_CODES)


def _free_text(dataset: "Dataset") -> str:
    return " | ".join(tags.words(dataset, "SeriesDescription", "DerivationDescription"))


def _words(dataset: "Dataset", frame: int) -> str:
    """The frame's type in words: of its own where it has one, as Image Type is a summary of all frames (C.8.16.1)."""
    item = tags.macro(dataset, frame, "CTImageFrameTypeSequence")
    found = tags.words(item, "FrameType") or tags.words(dataset, "ImageType")
    return " | ".join([*found, *tags.words(item, "VolumetricProperties", "VolumeBasedCalculationTechnique")])


def _is_scout(dataset: "Dataset", frame: int, words: str, lies: Plane) -> bool:
    acquired = tags.words(tags.macro(dataset, frame, "CTAcquisitionTypeSequence"), "AcquisitionType")
    if _SCOUT.search(" | ".join([words, *acquired, *tags.words(dataset, "ScanOptions")])):
        return True
    # No scanner acquires a coronal or sagittal slice: what it makes itself in such a plane, and does not call a slice, is a scout.
    is_slice = _AXIAL.search(words) or _REFORMAT.search(words) or re.search(r"\bVOLUME\b", words)
    return words.startswith("ORIGINAL") and lies in (Plane.CORONAL, Plane.SAGITTAL) and not is_slice


def _is_screen(dataset: "Dataset", words: str) -> bool:
    """Screen saves, dose reports, 3D views: made from images for people to look at."""
    is_acquired = words.startswith("ORIGINAL | PRIMARY | AXIAL")  # further words of makers' own may mean anything there
    if (_SCREEN.search(words) and not is_acquired) or _derivations(dataset) & _RENDERED_CODES:
        return True
    is_secondary = re.search(r"\bSECONDARY\b", words) is not None
    is_capture = tags.text(dataset, "SOPClassUID") in CAPTURES
    if is_secondary and is_capture and words.startswith("DERIVED") and not _AXIAL.search(words):
        return True
    is_burned_in = (tags.text(dataset, "BurnedInAnnotation") or "").upper() == "YES"
    if is_burned_in and (is_secondary or is_capture):
        return True
    is_colour = tags.whole(dataset, "SamplesPerPixel", 1) != 1
    is_view_3d = _VIEW_3D.search(words) and not _AXIAL.search(words) and not _REFORMAT.search(words)
    return words.startswith("DERIVED") and bool(is_colour or is_view_3d)


def _is_of_another_plane(dataset: "Dataset", words: str, lies: Plane) -> bool:
    if _CURVED.search(words) or _derivations(dataset) & _CURVED_CODES:
        return True
    if lies is Plane.UNKNOWN:  # a reformat that does not tell its plane may lie in any
        return _REFORMAT.search(words) is not None and not _AXIAL.search(words)
    return lies is not Plane.AXIAL


def _derivations(dataset: "Dataset") -> set[str]:
    return {tags.text(item, "CodeValue") or "" for item in tags.items(dataset, "DerivationCodeSequence")}
