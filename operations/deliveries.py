"""Results that are sent to others, as an admin asks for them: what became of each, and another try of those that failed."""

from collections.abc import Sequence

from db import deliveries
from db.connect import read_only
from db.migrate import open_database
from db.rows import ViewRow, storable
from lungline.errors import LedgerError
from lungline.settings import Settings


def list_deliveries(settings: Settings, most: int, *, failed: bool = False) -> list[ViewRow]:
    """The newest deliveries, or the newest that failed, with all columns of the view `deliveries`."""
    with read_only(open_database(settings)).connect() as connection:
        return deliveries.newest(connection, most, failed=failed)


def retry_deliveries(settings: Settings, delivery_ids: Sequence[str]) -> int:
    """Has failed deliveries tried anew, these or all; how many.

    Raises:
        LedgerError: none of these failed.
    """
    engine = open_database(settings)
    with engine.begin() as connection:
        entered = deliveries.retry(connection, [storable(delivery_id) for delivery_id in delivery_ids])
    engine.dispose()
    if delivery_ids and not entered:
        raise LedgerError("None of these is a failed delivery of a current assessment; `lungline deliver list --failed` shows those.")
    return entered
