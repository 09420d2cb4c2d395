"""Which versions of members and ensembles there are, and which ensemble is each modality's champion."""

from dataclasses import dataclass

from sqlalchemy import Connection, func, select, update

from db.clock import now
from db.ledger import insert_new
from db.tables import versions
from lungline.findings import Modality


@dataclass(frozen=True)
class Version:
    """A member or ensemble whose files are at hand; `sha256` is over those files."""

    version: str
    kind: str  # member or ensemble
    name: str
    modality: Modality | None
    sha256: str


def enter(connection: Connection, found: list[Version]) -> None:
    """Enters versions that the table does not know.

    An ensemble becomes champion where its modality has none, or only one whose files are gone (an older release shipped it); else it
    is a challenger.
    """
    at_hand = [one.version for one in found]
    gone = (versions.c.state == "champion") & versions.c.version.not_in(at_hand)
    connection.execute(update(versions).where(gone).values(state="retired", why="its files are no longer at hand"))
    for one in found:
        insert_new(connection, versions, **vars(one), state="challenger", created_at=now())
        same = (versions.c.kind == one.kind) & (versions.c.name == one.name) & (versions.c.state == "champion")
        if connection.scalar(select(func.count()).where(same)) == 0:
            first = {"state": "champion", "promoted_at": now(), "promoted_by": "lungline", "why": "shipped"}
            connection.execute(update(versions).where(versions.c.version == one.version).values(first))


def champions(connection: Connection) -> dict[Modality, str]:
    """The ensemble version that reads each modality's scans."""
    query = select(versions.c.modality, versions.c.version).where(versions.c.kind == "ensemble", versions.c.state == "champion")
    return {Modality(modality): version for modality, version in connection.execute(query).tuples() if modality}
