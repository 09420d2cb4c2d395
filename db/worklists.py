"""Lists of studies and of scans, a page at a time: each page begins behind the last row of the one before, so none counts or skips rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import Connection, bindparam, text

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


@dataclass(frozen=True)
class _Key:
    """What a list is sorted by, in its place."""

    expression: str
    kind: type
    is_descending: bool = False


@dataclass(frozen=True)
class _Block:
    """Rows that stand together in a list, before those of the next block."""

    view: str
    condition: str
    keys: tuple[_Key, ...]


_OF_STUDY: Final = ("study_key", "coalesce(patient_key, '')")
_SUREST: Final = _Block(
    "study_results",
    "finding = 'covid19'",
    (_Key("probability", float, True), _Key("first_received_at", datetime), *(_Key(name, str) for name in _OF_STUDY)),
)
_REVIEW: Final = _Block(
    "study_results",
    "status = 'review' AND coalesce(finding, '') <> 'covid19'",
    (_Key("first_received_at", datetime), *(_Key(name, str) for name in _OF_STUDY)),
)
_NEWEST: Final = _Block("study_results", "", (_Key("finished_at", datetime, True), *(_Key(name, str, True) for name in _OF_STUDY)))
_SCANS: Final = _Block("scan_results", "", (_Key("scan_id", str, True),))  # ids sort by when they were entered


def list_studies(connection: Connection, order: StudyOrder, narrowed: ListFilter, after: str = "") -> ListPage:
    """One page of studies, with all columns of `study_results`; `after`: the `next` of the page before, anything else is the first."""
    blocks = (_SUREST, _REVIEW) if order is StudyOrder.FIRST else (_NEWEST,)
    return _page(connection, blocks, narrowed, "',' || modalities || ',' LIKE '%,' || :modality || ',%'", after)


def list_scans(connection: Connection, narrowed: ListFilter, after: str = "") -> ListPage:
    """One page of scans that have a verdict, those that came last first, with all columns of `scan_results`."""
    return _page(connection, (_SCANS,), narrowed, "modality = :modality", after)


def _page(connection: Connection, blocks: Sequence[_Block], narrowed: ListFilter, of_modality: str, after: str) -> ListPage:
    """Rows of the block that the page begins in, filled up with those of the blocks behind it."""
    at, start = _read_cursor(after, blocks)
    found: list[tuple[int, Mapping[Any, Any]]] = []
    for number in range(at, len(blocks)):
        room = PAGE_ROWS + 1 - len(found)
        rows = _rows(connection, blocks[number], narrowed, of_modality, start if number == at else [], room) if room else []
        found += [(number, row) for row in rows]
    shown: list[ViewRow] = [{name: row[name] for name in row if not name.startswith("after_")} for _, row in found[:PAGE_ROWS]]
    following = None
    if len(found) > PAGE_ROWS:
        number, row = found[PAGE_ROWS - 1]
        following = "~".join([str(number), *(_said(row[f"after_{place}"]) for place in range(len(blocks[number].keys)))])
    return ListPage(shown, following)


def _rows(
    connection: Connection, block: _Block, narrowed: ListFilter, of_modality: str, start: Sequence[Any], most: int
) -> Sequence[Mapping[Any, Any]]:
    conditions, values = _conditions(narrowed, of_modality)
    if block.condition:
        conditions.append(block.condition)
    if start:
        conditions += _behind(block.keys)
        values |= {f"start_{place}": value for place, value in enumerate(start)}
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    sorted_by = ", ".join(f"{key.expression} DESC" if key.is_descending else key.expression for key in block.keys)
    cursor = ", ".join(f"{key.expression} AS after_{place}" for place, key in enumerate(block.keys))
    query = text(f"SELECT v.*, {cursor} FROM {block.view} v {where} ORDER BY {sorted_by} LIMIT :most")
    times = (bindparam(name, type_=UtcTime) for name, value in values.items() if isinstance(value, datetime))
    return connection.execute(query.bindparams(*times), values | {"most": most}).mappings().all()


def _behind(keys: Sequence[_Key]) -> list[str]:
    """That a row stands behind the one at `:start_0`, `:start_1` …; the first condition, which follows from the second, is for an index."""
    steps = []
    for place, key in enumerate(keys):
        same = [f"{keys[earlier].expression} = :start_{earlier}" for earlier in range(place)]
        steps.append(" AND ".join([*same, f"{key.expression} {'<' if key.is_descending else '>'} :start_{place}"]))
    first = f"{keys[0].expression} {'<=' if keys[0].is_descending else '>='} :start_0"
    return [first, f"({' OR '.join(f'({step})' for step in steps)})"]


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


def _said(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else str(value)


def _read_cursor(after: str, blocks: Sequence[_Block]) -> tuple[int, list[Any]]:
    """The block that a page begins in, and the keys of the row before it; the first block and none, if `after` is nothing of ours."""
    number, *said = after.split("~")
    if not (number.isdecimal() and len(number) == 1 and int(number) < len(blocks)):
        return 0, []
    keys = blocks[int(number)].keys
    if len(said) != len(keys):
        return 0, []
    try:
        return int(number), [_value(part, key.kind) for part, key in zip(said, keys, strict=True)]
    except ValueError:
        return 0, []


def _value(said: str, kind: type) -> float | datetime | str:
    if kind is datetime:
        return datetime.fromisoformat(said).astimezone(UTC)
    return float(said) if kind is float else said
