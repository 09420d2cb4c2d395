"""The worklist of studies, and one study with its series."""

from datetime import date
from enum import StrEnum
from typing import Any, Final, TypeVar

from sqlalchemy import Connection
from starlette.responses import Response

from db import errors, status, study_views, worklists
from db.assessments import MOST_TELLING
from db.rows import ViewRow
from db.series import SeriesName, slices_of
from db.worklists import ListFilter, StudyOrder
from lungline.findings import FINDINGS, Modality, Status
from web.plot import draw_plot
from web.site import Visit

Code = TypeVar("Code", bound=StrEnum)

ALL_FINDINGS: Final = tuple(dict.fromkeys(finding for findings in FINDINGS.values() for finding in findings))


def worklist(visit: Visit) -> Response:
    """Studies, those to look at first or the newest, narrowed down by the address's parameters."""
    order = _code(StudyOrder, visit.query("order")) or StudyOrder.FIRST
    narrowed = read_filter(visit)
    with visit.site.database.reading() as connection:
        page = worklists.list_studies(connection, order, narrowed, visit.query("after"))
    with errors.translating():
        counts = status.counts(visit.site.database.engine())
    return visit.draw("worklist.html", order=order, orders=list(StudyOrder), page=page, counts=counts, **filter_choices(visit, narrowed))


def study(visit: Visit) -> Response:
    """One study with its series and the patient's earlier studies."""
    study_key = visit.request.path_params["study_key"]
    with visit.site.database.reading() as connection:
        found = study_views.find_studies(connection, study_key)
        shown = [[_series(connection, *row) for row in zip(each.series, each.set_aside, each.telling, strict=True)] for each in found]
    if not found:
        return visit.say(404, "There is no such study", "It may not be assessed yet: that begins once no image has come for a while.")
    return visit.draw("study.html", studies=list(zip(found, shown, strict=True)), study_key=study_key)


def _series(connection: Connection, row: ViewRow, set_aside: dict[str, int], telling_ids: list[str]) -> dict[str, Any]:
    """A series as its part of the page shows it: columns, slices, plot, and the images that tell most."""
    name = SeriesName(*(str(row[key] or "") for key in ("patient_key", "study_key", "series_key", "modality")))
    slices = sorted(slices_of(connection, name), key=lambda each: (each.position_mm is None, each.position_mm or 0.0))
    by_id = {each.scan_id: each for each in slices}
    telling = [by_id[scan_id] for scan_id in telling_ids if scan_id in by_id]
    return {"row": row, "set_aside": set_aside, "slices": slices, "plot": draw_plot(slices), "telling": telling or slices[:MOST_TELLING]}


def filter_choices(visit: Visit, narrowed: ListFilter) -> dict[str, Any]:
    """What the form of a list shows."""
    lists: dict[str, Any] = {"findings": ALL_FINDINGS, "statuses": list(Status), "modalities": list(Modality)}
    kept = {name: value for name, value in visit.request.query_params.items() if name != "after" and value}
    return {"narrowed": narrowed, "kept": kept, **lists}


def read_filter(visit: Visit) -> ListFilter:
    """What the address narrows a list down to; what it does not understand is left out."""
    finding, modality, said_status = visit.query("finding"), _code(Modality, visit.query("modality")), _code(Status, visit.query("status"))
    return ListFilter(finding if finding in ALL_FINDINGS else None, said_status, modality, _day(visit.query("day")))


def _day(said: str) -> date | None:
    try:
        day = date.fromisoformat(said)
    except ValueError:
        return None
    return day if 1900 < day.year < 9999 else None


def _code(kind: type[Code], said: str) -> Code | None:
    try:
        return kind(said)
    except ValueError:
        return None
