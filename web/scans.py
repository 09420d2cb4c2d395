"""The list of scans, one scan with its picture, and that picture as PNG."""

from dataclasses import dataclass
from typing import Any, Final

from starlette.responses import Response

from db import scan_views, scans, worklists
from db.rows import ViewRow
from db.scan_views import ScanRecord
from db.series import SeriesName, slices_of
from imaging.picture import PictureOrder
from lungline.errors import StoreError, UnreadableScan
from lungline.findings import FINDINGS, Modality, labels
from lungline.layout import Store
from web.site import Visit
from web.studies import filter_choices, read_filter

SIDE: Final = 1024
_SIDE_MIN, _SIDE_MAX = 32, 2048
_HEADER: Final = (
    ("view", "View"),
    ("body_part", "Body part"),
    ("orientation", "Plane"),
    ("instance_number", "Instance number"),
    ("slice_position_mm", "Position (mm)"),
    ("patient_sex", "Sex"),
    ("patient_age_band", "Age (years)"),
    ("manufacturer", "Manufacturer"),
    ("device_model", "Device"),
)
# A scan without a verdict lacks these.
_OF_NONE: Final[ViewRow] = dict.fromkeys(
    (
        *("modality", "finding", "probability", "status", "reason", "disagreement", "ensemble"),
        *("patient_key", "study_key", "rows", "columns", "superseded_at", "quarantine_id", "state"),
    )
)


@dataclass(frozen=True)
class PictureWindow:
    """A window that a picture may be shown in: centre and width, and how far each may be moved."""

    unit: str
    centre: float
    width: float
    centres: tuple[int, int]
    widths: tuple[int, int]


_HOUNSFIELD: Final = PictureWindow("Hounsfield units", -600, 1500, (-1000, 1000), (1, 3000))
_PERCENT: Final = PictureWindow("percent of the grays", 50, 100, (0, 100), (1, 200))
PRESETS: Final = {"Lung": (-600, 1500), "Mediastinum": (40, 400), "Bone": (300, 1500)}


def scan_list(visit: Visit) -> Response:
    """Scans that have a verdict, those that came last first."""
    narrowed = read_filter(visit)
    with visit.site.database.reading() as connection:
        page = worklists.list_scans(connection, narrowed, visit.query("after"))
    return visit.draw("scans.html", page=page, **filter_choices(visit, narrowed))


def scan(visit: Visit) -> Response:
    """All that is known of one scan."""
    scan_id = visit.request.path_params["scan_id"]
    with visit.site.database.reading() as connection:
        found = scan_views.find_records(connection, scan_id=scan_id)
        if not found:
            return _missing(visit)
        record = found[0]
        history = scan_views.scan_history(connection, scan_id)
        versions = scan_views.member_versions(connection, scan_id)
        said = scan_views.scan_labels(connection, scan_id)
        before, after = _neighbours([each.scan_id for each in slices_of(connection, _series(record.columns))], scan_id)
    return visit.draw(
        "scan.html",
        scan={**_OF_NONE, **record.columns},
        **_predictions(record),
        versions=versions,
        history=history,
        said=said,
        before=before,
        after_this=after,
        header=[(label, record.columns[name]) for name, label in _HEADER if record.columns.get(name) is not None],
        window=window_of(record.columns),
        shown=_window(visit) or (window_of(record.columns).centre, window_of(record.columns).width),
        presets=PRESETS if window_of(record.columns) is _HOUNSFIELD else {},
        side=SIDE,
        choices=labels(Modality(str(record.columns["modality"]))) if record.columns.get("modality") else (),
    )


def picture(visit: Visit) -> Response:
    """The scan as PNG; `side`, `centre` and `width` are parameters of the address."""
    scan_id = visit.request.path_params["scan_id"]
    with visit.site.database.reading() as connection:
        known = scans.find(connection, [scan_id]).get(scan_id)
    if known is None:
        return _missing(visit)
    path = Store(visit.site.settings.store).find(known.sha256, known.file_id)
    if path is None:
        return visit.say(404, "The bytes are gone", "The store does not hold this scan now; `lungline reconcile` says what is missing.")
    side = int(_number(visit.query("side"), SIDE, _SIDE_MIN, _SIDE_MAX))
    try:
        drawn = visit.site.painter.draw(PictureOrder(str(path), known.sha256, known.frame, side, _window(visit)))
    except UnreadableScan as error:
        return visit.say(404, "There is no picture", error.detail)
    except StoreError as error:
        return visit.say(503, "There is no picture now", str(error))
    return Response(drawn, media_type="image/png", headers={"Cache-Control": "private, no-store"})


def window_of(columns: ViewRow) -> PictureWindow:
    """What a scan's window is measured in: a CT with a DICOM header in Hounsfield units."""
    return _HOUNSFIELD if columns.get("modality") == Modality.CT and columns.get("image_key") else _PERCENT


def _series(columns: ViewRow) -> SeriesName:
    return SeriesName(*(str(columns.get(name) or "") for name in ("patient_key", "study_key", "series_key", "modality")))


def _neighbours(ids: list[str], scan_id: str) -> tuple[str | None, str | None]:
    if scan_id not in ids:
        return None, None
    at = ids.index(scan_id)
    return ids[at - 1] if at else None, ids[at + 1] if at + 1 < len(ids) else None


def _predictions(record: ScanRecord) -> dict[str, Any]:
    """The members' answers, in the order in which the findings of the modality stand."""
    modality = record.columns.get("modality")
    findings = FINDINGS[Modality(str(modality))] if modality in set(Modality) else tuple(record.probabilities)
    members = {member: [said.get(finding) for finding in findings] for member, said in sorted(record.predictions.items())}
    return {"findings": findings, "ensemble": [record.probabilities.get(finding) for finding in findings], "members": members}


def _window(visit: Visit) -> tuple[float, float] | None:
    """The window that the address asks for."""
    centre, width = visit.query("centre"), visit.query("width")
    if not centre or not width:
        return None
    return _number(centre, -600, -10_000, 10_000), _number(width, 1500, 1, 20_000)


def _number(said: str, usual: float, low: float, high: float) -> float:
    try:
        value = float(said)
    except ValueError:
        return usual
    return min(high, max(low, value)) if value == value else usual  # not a number equals nothing


def _missing(visit: Visit) -> Response:
    return visit.say(404, "There is no such scan", "It may never have been taken in; the list of scans shows those that were read.")
