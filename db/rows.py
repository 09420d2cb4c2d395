"""Rows of the views, whose columns docs/contract.md lists."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, text

Value = str | int | float | datetime | None
ViewRow = Mapping[str, Value]


def select_rows(connection: Connection, query: str, **parameters: Value) -> list[ViewRow]:
    """The rows that a query over the views finds, each as column -> value; SQLite gives times as text, as its views hold them."""
    return [dict(row) for row in connection.execute(text(query), parameters).mappings()]


def storable(argument: str) -> str:
    """What a person typed, as a database takes it: bytes that are no text become question marks, so that nothing is found by them."""
    return argument.encode("utf-8", "replace").decode()
