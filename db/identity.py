"""Which pseudonym key a database belongs to: with another key the same patient would get a second name."""

from sqlalchemy import Engine, select

from db.connect import read_only
from db.insert import insert_new
from db.tables import facts
from lungline.errors import KeyMismatchError

_NAME = "key_fingerprint"


def check_key(engine: Engine, fingerprint: str) -> None:
    """Notes the key's fingerprint at first, and compares it ever after.

    Raises:
        KeyMismatchError: the database was written with another key.
    """
    query = select(facts.c.value).where(facts.c.name == _NAME)
    with read_only(engine).connect() as connection:
        known = connection.scalar(query)
    if known is None:
        with engine.begin() as connection:
            insert_new(connection, facts, name=_NAME, value=fingerprint)
            known = connection.scalar(query)
    if known != fingerprint:
        raise KeyMismatchError(
            "LUNGLINE_KEY_FILE is not the key that this database was written with: restore the right key file from its backup."
        )
