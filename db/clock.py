"""The database's clock: hosts disagree about the time, the one database does not, so leases and stamps are told by it alone."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Double, String, literal, or_, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator, TypeEngine


class UtcTime(TypeDecorator[datetime]):
    """An aware UTC datetime: `timestamptz` on PostgreSQL, ISO 8601 text with offset and milliseconds on SQLite."""

    impl = String(29)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return postgresql.TIMESTAMP(timezone=True) if dialect.name == "postgresql" else dialect.type_descriptor(String(29))

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return value.astimezone(UTC).isoformat(timespec="milliseconds")

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return datetime.fromisoformat(value) if isinstance(value, str) else value.astimezone(UTC)


class now(FunctionElement[datetime]):  # a SQL function, written small like `func.now`
    """The database's present instant, `seconds` later (or earlier, when negative)."""

    type = UtcTime()
    inherit_cache = True  # `seconds` is a parameter: a statement is compiled once, whenever it speaks of

    def __init__(self, seconds: float = 0.0) -> None:
        super().__init__(literal(float(seconds), Double))


@compiles(now, "sqlite")
def _sqlite(element: now, compiler: SQLCompiler, **how: Any) -> str:
    seconds = compiler.process(element.clauses, **how)
    return f"strftime('%Y-%m-%dT%H:%M:%f+00:00', 'now', printf('%+.3f seconds', {seconds}))"


@compiles(now, "postgresql")
def _postgresql(element: now, compiler: SQLCompiler, **how: Any) -> str:
    # clock_timestamp, not now(): a transaction that waited must not write the time at which it began to wait
    return f"(clock_timestamp() + make_interval(secs => {compiler.process(element.clauses, **how)}))"


def read_clock(connection: Connection) -> datetime:
    """The database's present instant, as a value."""
    instant: datetime = connection.execute(select(now())).scalar_one()
    return instant


def older(stamp: ColumnElement[datetime], seconds: float) -> ColumnElement[bool]:
    """Whether `stamp` was written more than `seconds` ago. One that lies ahead is taken for older: the clock was set back since."""
    return or_(stamp < now(-seconds), stamp > now())
