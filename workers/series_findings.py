"""From the verdicts of its scans to what a series shows. Pure: all that it needs is given to it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from db.assessments import SeriesAssessment
from db.series import Series, Slice
from db.tables import Priority, Stage
from imaging.acquisition import Derivation
from imaging.geometry import Plane
from lungline.findings import Modality, Status
from lungline.reasons import Reason
from models.series_rule import SeriesRule, SliceScore

VIEWS_RULE: Final = "xray-most-suspicious-view-1"
_SAME_PLACE_MM: Final = 0.05  # positions are written with a few digits
_GAP: Final = 1.5  # times the usual step between neighbours: one more slice would have room
_ORDER: Final = ("covid19", "pneumonia", "non_covid", "normal")  # the most suspicious first


def assess(of: Series, slices: Sequence[Slice], rule: SeriesRule, final_seconds: float) -> SeriesAssessment:
    """What a series shows by the verdicts that there are.

    Args:
        of: the series.
        slices: its scans with their current verdicts, one at least.
        rule: from slice scores of a CT to the series'.
        final_seconds: of silence after which no more slices are waited for.
    """
    expected = _expected(of, slices)
    is_complete = (expected is not None and len(slices) >= expected) or _has_all_files(of, slices)
    is_final = of.is_closed or is_complete or of.silent_seconds >= final_seconds
    common: dict[str, Any] = {
        "stage": Stage.FINAL if is_final else Stage.PROVISIONAL,
        "priority": Priority.STAT if any(slice_.priority == Priority.STAT for slice_ in slices) else Priority.SCANS,
        "first_received_at": min(slice_.received_at for slice_ in slices),
        "slices": len(slices),
        "slices_expected": expected,
    }
    read = [slice_ for slice_ in slices if slice_.status != Status.REJECTED]
    if not read:
        return _rejected(slices, common)
    return _of_slices(slices, read, rule, common) if of.name.modality == Modality.CT else _of_views(read, common)


def _expected(of: Series, slices: Sequence[Slice]) -> int | None:
    """How many images the headers of a CT announce, or the PACS, which counts files: of multi-frame files, it says nothing of slices."""
    said = [slice_.expected for slice_ in slices if slice_.expected] if of.name.modality == Modality.CT else []
    if of.announced is not None and len({slice_.file_id for slice_ in slices}) == len(slices):
        said.append(of.announced)
    return max(said, default=None)


def _has_all_files(of: Series, slices: Sequence[Slice]) -> bool:
    return of.announced is not None and len({slice_.file_id for slice_ in slices}) >= of.announced


def suspicion(finding: str | None, probability: float | None) -> tuple[int, float]:
    """Sorts findings, the most suspicious first: the surest covid19, then other disease, then normal, the least sure first."""
    if finding is None:
        return len(_ORDER), 0.0
    sure = probability or 0.0
    return _ORDER.index(finding), sure if finding in ("normal", "non_covid") else -sure


def _rejected(slices: Sequence[Slice], common: dict[str, Any]) -> SeriesAssessment:
    """No image of it is of a kind that the models know; why most of them are not."""
    reason, _ = Counter(slice_.reason for slice_ in slices).most_common(1)[0]
    return SeriesAssessment(
        finding=None,
        probability=None,
        status=Status.REJECTED,
        reason=reason,
        slices_used=0,
        gaps=None,
        ensemble=None,
        rule=VIEWS_RULE,
        inputs={"set_aside": {"rejected": len(slices)}},
        **common,
    )


def _of_views(read: Sequence[Slice], common: dict[str, Any]) -> SeriesAssessment:
    """Each film is a view of its own: the most suspicious one speaks for all. Laterals were rejected as scans."""
    worst = min(read, key=lambda slice_: (suspicion(slice_.finding, slice_.probability), slice_.scan_id))
    return SeriesAssessment(
        finding=worst.finding,
        probability=worst.probability,
        status=Status(worst.status),
        reason=worst.reason,
        slices_used=len(read),
        gaps=None,
        ensemble=worst.ensemble,
        rule=VIEWS_RULE,
        inputs={"scan_id": worst.scan_id, "set_aside": {"rejected": common["slices"] - len(read)}},
        **common,
    )


def _of_slices(slices: Sequence[Slice], read: Sequence[Slice], rule: SeriesRule, common: dict[str, Any]) -> SeriesAssessment:
    """Only slices count that the models know: axial, no projections, of lung, one a position, of one reconstruction."""
    plain = [
        slice_ for slice_ in read if slice_.derivation != Derivation.PROJECTION and slice_.orientation in (None, Plane.AXIAL, Plane.UNKNOWN)
    ]
    chosen, reconstructions = choose_reconstruction(plain)
    single = one_a_position(chosen)
    lung = [slice_ for slice_ in single if slice_.lung_share is None or slice_.lung_share >= rule.lung_share_min]
    set_aside = {
        "rejected": len(slices) - len(read),
        "projection": len(read) - len(plain),
        "other_reconstructions": len(plain) - len(chosen),
        "duplicates": len(chosen) - len(single),
        "beyond_lungs": len(single) - len(lung),
    }
    used = lung or single or list(read)  # a series without lungs is for review, not for silence
    gaps = count_gaps(single)
    ensemble = Counter(slice_.ensemble for slice_ in used).most_common(1)[0][0]
    score = rule.judge([SliceScore(slice_.position_mm, slice_.covid19 or 0.0) for slice_ in used], ensemble)
    is_short = bool(gaps) or (common["stage"] is Stage.FINAL and (common["slices_expected"] or 0) > common["slices"])
    reason = Reason.NO_LUNG_SLICES if not lung else Reason.SLICES_MISSING if is_short else None
    places = [slice_.position_mm for slice_ in used if slice_.position_mm is not None]
    return SeriesAssessment(
        finding=score.finding,
        probability=score.probability,
        status=Status.REVIEW if reason or score.is_unsure else Status.ACCEPTED,
        reason=reason,
        slices_used=len(used),
        gaps=gaps,
        ensemble=ensemble,
        rule=rule.version,
        inputs={
            "set_aside": set_aside,
            "orientations": sorted({slice_.orientation or Plane.UNKNOWN for slice_ in slices}),
            "reconstructions": reconstructions,
            "acquisition": used[0].acquisition,
            "kernel": used[0].kernel,
            "thickness_mm": used[0].thickness_mm,
            "from_mm": min(places, default=None),
            "to_mm": max(places, default=None),
            "scores": [[slice_.scan_id, slice_.position_mm, slice_.lung_share, round(slice_.covid19 or 0.0, 6)] for slice_ in used],
        },
        **common,
    )


def choose_reconstruction(slices: Sequence[Slice]) -> tuple[list[Slice], int]:
    """The slices of one reconstruction, and how many there are: the same part of the body was reconstructed in several ways.

    Acquisitions of different parts of the body are no two reconstructions of one: all of them count.
    """
    ways: dict[tuple[object, ...], list[Slice]] = {}
    for slice_ in slices:
        ways.setdefault((slice_.acquisition, slice_.kernel, slice_.thickness_mm), []).append(slice_)
    ordered = sorted(ways.values(), key=lambda way: (-len(way), way[0].scan_id))
    chosen = list(ordered[0]) if ordered else []
    others = 0
    for way in ordered[1:]:
        if _overlap(chosen, way):
            others += 1
        else:
            chosen += way
    return sorted(chosen, key=lambda slice_: slice_.scan_id), 1 + others


def show_one_part(here: tuple[float, float], there: tuple[float, float]) -> bool:
    """Whether half of the shorter of two stretches of the body, in mm, lies in the other."""
    shared = min(here[1], there[1]) - max(here[0], there[0])
    return shared >= min(here[1] - here[0], there[1] - there[0]) / 2


def _overlap(some: Sequence[Slice], others: Sequence[Slice]) -> bool:
    """Whether both show one part of the body; also where positions are not known."""
    here, there = ([slice_.position_mm for slice_ in each if slice_.position_mm is not None] for each in (some, others))
    return not here or not there or show_one_part((min(here), max(here)), (min(there), max(there)))


def one_a_position(slices: Sequence[Slice]) -> list[Slice]:
    """The slice that came last at each position, in their order; those without a position all count.

    Three or more that all lie at one position have a device that writes no positions, or show one place over time: all of them count.
    """
    places = [slice_.position_mm for slice_ in slices if slice_.position_mm is not None]
    if len(places) > 2 and len(places) == len(slices) and max(places) - min(places) <= _SAME_PLACE_MM:
        return list(slices)
    kept: list[Slice] = []
    for slice_ in sorted(slices, key=lambda slice_: (slice_.position_mm is None, slice_.position_mm or 0.0, slice_.scan_id)):
        before = kept[-1].position_mm if kept else None
        if slice_.position_mm is not None and before is not None and slice_.position_mm - before <= _SAME_PLACE_MM:
            kept[-1] = slice_
        else:
            kept.append(slice_)
    return kept


def count_gaps(slices: Sequence[Slice]) -> int | None:
    """How many slices are missing between neighbours, by the usual step; None where fewer than three have a position."""
    places = np.array(sorted(slice_.position_mm for slice_ in slices if slice_.position_mm is not None))
    if len(places) < 3 or len(places) < len(slices) or places[-1] - places[0] <= _SAME_PLACE_MM:
        return None
    steps = np.diff(places)
    usual = float(np.median(steps))
    wide = steps[steps > _GAP * usual]
    return int((np.round(wide / usual) - 1).sum())
