"""How good a version was found to be: figures as the cards and reports tell them, a row each."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from db.clock import now
from db.insert import insert_into
from db.tables import quality

_BY_SOURCE = "within_source"  # figures of each source by its name
_COUNTS = ("images", "groups")
_INTERVAL = ("value", "low", "high")


@dataclass(frozen=True)
class Quality:
    """One figure of one version."""

    version: str
    data: str  # test, val, gate …
    metric: str
    source: str | None  # None: all of the data
    value: float
    low: float | None = None  # of its 95 % interval
    high: float | None = None
    images: int | None = None
    groups: int | None = None


def rows(version: str, data: str, figures: Mapping[str, Any]) -> list[Quality]:
    """The figures of a card, as JSON tells them, as rows.

    A figure is a number, or an object with `value`, `low` and `high`; objects in objects give names such as `covid19.recall`;
    `within_source` holds the same once more for each source; `images` and `groups` count for all beside and below them.
    """
    return list(_rows(version, data, figures, None, "", {}))


def _rows(
    version: str, data: str, figures: Mapping[str, Any], source: str | None, above: str, counts: Mapping[str, int]
) -> Iterator[Quality]:
    counts = {**counts, **{name: figures[name] for name in _COUNTS if isinstance(figures.get(name), int)}}
    for name, figure in figures.items():
        if name in _COUNTS:
            continue
        if name == _BY_SOURCE and isinstance(figure, Mapping):
            for source_name, its_figures in figure.items():
                yield from _rows(version, data, its_figures, source_name, above, counts)
        elif isinstance(figure, Mapping) and "value" in figure:
            own = {part: figure[part] for part in _COUNTS if part in figure}
            if _is_number(figure["value"]):
                yield Quality(
                    version, data, f"{above}{name}", source, figure["value"], figure.get("low"), figure.get("high"), **{**counts, **own}
                )
        elif isinstance(figure, Mapping):
            yield from _rows(version, data, figure, source, f"{above}{name}.", counts)
        elif _is_number(figure):
            yield Quality(version, data, f"{above}{name}", source, figure, **counts)


def _is_number(figure: object) -> bool:
    return isinstance(figure, int | float) and not isinstance(figure, bool) and math.isfinite(figure)


def enter(connection: Connection, found: Iterable[Quality]) -> None:
    """Enters figures; one measured anew takes the place of the one before."""
    values = [{**vars(row), "source": row.source or ""} for row in found]
    if not values:
        return
    new = insert_into(connection, quality).values(measured_at=now())
    changed = {name: new.excluded[name] for name in (*_INTERVAL, *_COUNTS, "measured_at")}
    connection.execute(new.on_conflict_do_update(index_elements=list(quality.primary_key), set_=changed), values)


def known(connection: Connection) -> set[tuple[str, str]]:
    """Of which (version, data) there are figures."""
    query = select(quality.c.version, quality.c.data).distinct()
    return {(row.version, row.data) for row in connection.execute(query)}
