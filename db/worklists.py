"""Lists of studies and of scans, a page at a time: each page begins behind the last row of the one before, so none counts or skips rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, bindparam, text
from sqlalchemy.sql.expression import TextClause

from db.clock import UtcTime
from db.rows import ViewRow

PAGE_ROWS: Final = 50


class StudyOrder(StrEnum):
    """Which studies, and which of them first."""

    FIRST = "first"
    """Those of `study_worklist`: the surest covid19 first, then the oldest."""
    NEWEST = "newest"
    """All, those that were assessed last first."""


@dataclass(frozen=True)
class ListFilter:
    """What a list is narrowed down to; None: not by that."""

    finding: str | None = None
    status: str | None = None
    modality: str | None = None
    day: date | None = None
    """In UTC: of the assessment or verdict."""


@dataclass(frozen=True)
class ListPage:
    """Some rows of a list."""

    rows: list[ViewRow]
    next: str | None
    """Where the next page begins, for the `after` of a list; None: there is none."""


# What a list is sorted by, ascending, each with the kind of its values.
_NUMBER, _TIME, _TEXT = "number", "time", "text"
_FIRST_KEYS: Final = (
    ("CASE WHEN finding = 'covid19' THEN 0 ELSE 1 END", _NUMBER),
    ("CASE WHEN finding = 'covid19' THEN -probability ELSE 0 END", _NUMBER),
    ("first_received_at", _TIME),
    ("study_key", _TEXT),
    ("coalesce(patient_key, '')", _TEXT),
)
_NEWEST_KEYS: Final = (("finished_at", _TIME), ("study_key", _TEXT), ("coalesce(patient_key, '')", _TEXT))
_SCAN_KEYS: Final = (("scan_id", _TEXT),)  # ids sort by when they were entered


def list_studies(connection: Connection, order: StudyOrder, narrowed: ListFilter, after: str = "") -> ListPage:
    """One page of studies, with all columns of `study_results`; `after`: the `next` of the page before, anything else is the first."""
    conditions, values = _conditions(narrowed, "',' || modalities || ',' LIKE '%,' || :modality || ',%'")
    if order is StudyOrder.FIRST:
        conditions.append("(finding = 'covid19' OR status = 'review')")
    keys, is_newest_first = (_FIRST_KEYS, False) if order is StudyOrder.FIRST else (_NEWEST_KEYS, True)
    return _page(connection, "study_results", keys, conditions, values, after, is_descending=is_newest_first)


def list_scans(connection: Connection, narrowed: ListFilter, after: str = "") -> ListPage:
    """One page of scans that have a verdict, those that came last first, with all columns of `scan_results`."""
    conditions, values = _conditions(narrowed, "modality = :modality")
    return _page(connection, "scan_results", _SCAN_KEYS, conditions, values, after, is_descending=True)


def _conditions(narrowed: ListFilter, of_modality: str) -> tuple[list[str], dict[str, Any]]:
    conditions: list[str] = []
    values: dict[str, Any] = {}
    for name, condition in (("finding", "finding = :finding"), ("status", "status = :status"), ("modality", of_modality)):
        if (wanted := getattr(narrowed, name)) is not None:
            conditions.append(condition)
            values[name] = str(wanted)  # an enum would be bound by its name
    if narrowed.day is not None:
        begin = datetime(narrowed.day.year, narrowed.day.month, narrowed.day.day, tzinfo=UTC)
        conditions.append("finished_at >= :since AND finished_at < :until")
        values |= {"since": begin, "until": begin + timedelta(days=1)}
    return conditions, values


def _page(
    connection: Connection,
    view: str,
    keys: Sequence[tuple[str, str]],
    conditions: list[str],
    values: dict[str, Any],
    after: str,
    *,
    is_descending: bool,
) -> ListPage:
    if (start := _read_cursor(after, keys)) is not None:
        left, right = ", ".join(key for key, _ in keys), ", ".join(f":{name}" for name in start)
        conditions = [*conditions, f"({left}) {'<' if is_descending else '>'} ({right})"]
        values = values | start
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    sorted_by = ", ".join(f"{key} DESC" if is_descending else key for key, _ in keys)
    cursor = ", ".join(f"{key} AS after_{number}" for number, (key, _) in enumerate(keys))
    query = text(f"SELECT v.*, {cursor} FROM {view} v {where} ORDER BY {sorted_by} LIMIT :most")
    found = list(connection.execute(_typed(query, values), values | {"most": PAGE_ROWS + 1}).mappings())
    rows: list[ViewRow] = [{name: row[name] for name in row if not name.startswith("after_")} for row in found[:PAGE_ROWS]]
    has_more = len(found) > PAGE_ROWS
    return ListPage(rows, _cursor(found[PAGE_ROWS - 1], len(keys)) if has_more else None)


def _typed(query: TextClause, values: Mapping[str, Any]) -> TextClause:
    return query.bindparams(*(bindparam(name, type_=UtcTime) for name, value in values.items() if isinstance(value, datetime)))


def _cursor(row: Mapping[Any, Any], keys: int) -> str:
    values = (row[f"after_{number}"] for number in range(keys))
    return "~".join(value.isoformat() if isinstance(value, datetime) else str(value) for value in values)


def _read_cursor(after: str, keys: Sequence[tuple[str, str]]) -> dict[str, Any] | None:
    parts = after.split("~")
    if not after or len(parts) != len(keys):
        return None
    try:
        return {f"start_{number}": _value(part, kind) for number, (part, (_, kind)) in enumerate(zip(parts, keys, strict=True))}
    except ValueError:
        return None


def _value(said: str, kind: str) -> float | datetime | str:
    if kind == _NUMBER:
        return float(said)
    return datetime.fromisoformat(said).astimezone(UTC) if kind == _TIME else said
