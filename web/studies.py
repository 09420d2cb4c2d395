"""The worklist of studies, and one study with its series."""

from datetime import date
from enum import StrEnum
from typing import Any, Final, TypeVar

from starlette.responses import Response

from db import status, worklists
from db.worklists import ListFilter, StudyOrder
from lungline.findings import FINDINGS, Modality, Status
from web.site import Visit

Code = TypeVar("Code", bound=StrEnum)

ALL_FINDINGS: Final = tuple(dict.fromkeys(finding for findings in FINDINGS.values() for finding in findings))


def worklist(visit: Visit) -> Response:
    """Studies, those to look at first or the newest, narrowed down by the address's parameters."""
    order = _code(StudyOrder, visit.query("order")) or StudyOrder.FIRST
    narrowed = read_filter(visit)
    with visit.site.database.reading() as connection:
        page = worklists.list_studies(connection, order, narrowed, visit.query("after"))
    counts = status.counts(visit.site.database.engine())
    return visit.draw("worklist.html", order=order, orders=list(StudyOrder), page=page, counts=counts, **filter_choices(visit, narrowed))


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
