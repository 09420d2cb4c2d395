"""From which side a radiograph was taken: View Position, else View Code Sequence, else Patient Orientation; free text only casts doubt."""

import re
from typing import TYPE_CHECKING, Final

from imaging import tags
from lungline.reasons import Reason

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

# View Position (0018,5101): the defined terms of PS3.3 C.8.1.1.1 (CR) and C.8.11.5 (DX), and what devices write instead.
_VIEWS: Final = {
    **{code: code for code in ("AP", "PA", "LL", "RL", "LLD", "RLD", "LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "LATERAL", "OBLIQUE")},
    **dict.fromkeys(("LAT", "LATERALVIEW", "LATVIEW", "LATERALCHEST", "CHESTLATERAL", "CHESTLAT", "LATLAT"), "LATERAL"),
    **dict.fromkeys(("LEFTLATERAL", "LLAT", "LATL", "LATERALLEFT", "LATERALL", "LATLEFT", "LTLAT"), "LL"),
    **dict.fromkeys(("RIGHTLATERAL", "RLAT", "LATR", "LATERALRIGHT", "LATERALR", "LATRIGHT", "RTLAT"), "RL"),
    **dict.fromkeys(("OBL", "OBLI", "OBLIQ"), "OBLIQUE"),
}
# View Code Sequence (0054,0220), context group 4010 of PS3.16, in SNOMED CT and in the older SNOMED RT.
_VIEW_CODES: Final = {
    **dict.fromkeys(("399348003", "R-10206"), "AP"),
    **dict.fromkeys(("272479007", "R-40888", "R-10214"), "PA"),
    **dict.fromkeys(("399173006", "R-10236"), "LL"),
    **dict.fromkeys(("399198007", "R-10232"), "RL"),
    **dict.fromkeys(("399067008", "R-102CD", "30730003", "G-A145"), "LATERAL"),
    **dict.fromkeys(("399352003", "R-10228", "399260004", "R-10224"), "LATERAL"),  # lateral-medial and back
    **dict.fromkeys(("399135007", "R-10220"), "LAO"),
    **dict.fromkeys(("399356000", "R-40985"), "RAO"),
    **dict.fromkeys(("399006002", "R-10212"), "LPO"),
    **dict.fromkeys(("399038007", "R-10210"), "RPO"),
    **dict.fromkeys(
        (
            *("399182000", "R-102C1", "399236003", "R-10234", "399184004", "R-10238", "399160007", "R-10204", "399059000", "R-10216"),
            *("399312000", "R-10208", "260427002", "R-40783", "260426006", "R-40782", "399099002", "R-10230", "399368009", "R-10226"),
        ),
        "OBLIQUE",
    ),
}
_NOT_FRONTAL: Final = frozenset({"LL", "RL", "LATERAL", "LLO", "RLO", "LAO", "RAO", "LPO", "RPO", "OBLIQUE"})
# Decubitus films: the patient lies on a side, the beam goes through from front to back. Frontal, but as the models never saw a chest.
_LYING: Final = frozenset({"LLD", "RLD"})

# Free text of the film itself (a study's would speak of its other films, too).
_TEXTS: Final = ("SeriesDescription", "ProtocolName", "AcquisitionDeviceProcessingDescription")
_LATERAL_WORD: Final = re.compile(r"\b(?:LATERAL[EIS]?|LAT|LLAT|RLAT|LATERO\w*|LL|SEITLICH|PROFILE?|PERFIL|OBLIQUE|DECUB\w*)\b")
_FRONTAL_WORD: Final = re.compile(r"\b(?:P ?A|A ?P|FRONTAL[E]?|FACE|FRONT|POSTERO ?ANTERIOR|ANTERO ?POSTERIOR)\b")


def view(dataset: "Dataset") -> str | None:
    """AP, PA, LL, RL, LATERAL, LAO …; None where nothing coded says so."""
    said = _position(dataset)
    if said in _VIEWS:
        return _VIEWS[said]
    codes = [tags.text(item, "CodeValue") or "" for item in tags.items(dataset, "ViewCodeSequence")]
    if found := next((_VIEW_CODES[code] for code in codes if code in _VIEW_CODES), None):
        return found
    return "LATERAL" if _is_seen_from_a_side(_directions(dataset)) else None


def rejection(dataset: "Dataset") -> Reason | None:
    """`not_frontal` for lateral and oblique films; None for all others."""
    return Reason.NOT_FRONTAL if view(dataset) in _NOT_FRONTAL else None


def review(dataset: "Dataset") -> Reason | None:
    """`view_in_doubt` for a film that may be lateral, or does not stand upright, by what the header says besides."""
    directions = _directions(dataset)
    # A View Position in a device's own words is free text, too.
    text = " | ".join(tags.words(dataset, *_TEXTS, *(() if _position(dataset) in _VIEWS else ("ViewPosition",))))
    is_lateral_by_text = _LATERAL_WORD.search(text) is not None and _FRONTAL_WORD.search(text) is None
    is_turned = directions[:1] in (["F"], ["H"]) or directions[1:] == ["H"]
    if view(dataset) in _LYING or is_lateral_by_text or is_turned or _is_seen_from_a_side(directions):
        return Reason.VIEW_IN_DOUBT
    return None


def _position(dataset: "Dataset") -> str:
    return re.sub(r"[^A-Z]", "", (tags.text(dataset, "ViewPosition") or "").upper())


def _directions(dataset: "Dataset") -> list[str]:
    """Patient Orientation (0020,0020): to which side of the patient rows run, then columns: L, R, A, P, H or F (C.7.6.1.1.1).

    The first letter of each counts: it is the main direction, others refine it. Empty where it is not that of a human, or not well formed.
    """
    found = tags.words(dataset, "PatientOrientation")
    if tags.text(dataset, "AnatomicalOrientationType") == "QUADRUPED" or not 1 <= len(found) <= 2:
        return []
    is_sound = all(re.fullmatch(r"[LRAPHF]{1,3}", letters) for letters in found)
    return [letters[0] for letters in found] if is_sound else []


def _is_seen_from_a_side(directions: list[str]) -> bool:
    """Whether rows run from front to back or from back to front; or columns do, in a film that was turned by a quarter."""
    return directions[:1] in (["A"], ["P"]) or (directions[:1] in (["F"], ["H"]) and directions[1:] in (["A"], ["P"]))
