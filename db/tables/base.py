"""What all tables stand on, and those of the home itself."""

from sqlalchemy import Column, MetaData, String, Table

from db.clock import UtcTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def id_column(name: str = "id") -> Column[str]:
    return Column(name, String(36), primary_key=True)


audit = Table(  # what people and the system did; the database refuses to change or delete a row
    "audit",
    metadata,
    id_column(),
    Column("at", UtcTime, nullable=False),
    Column("action", String(16), nullable=False),  # db/audit.py
    Column("who", String(64), nullable=False),
    Column("subject", String(120)),
    Column("detail", String(600), nullable=False),
)

facts = Table(  # of this home: the fingerprint of its key, and since when it is
    "facts",
    metadata,
    Column("name", String(32), primary_key=True),
    Column("value", String(120), nullable=False),
)
