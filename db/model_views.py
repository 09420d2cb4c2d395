"""What the views tell of models: ensembles, rulings of the gate, promotions and training runs, the newest first."""

from typing import Final

from sqlalchemy import Connection

from db.rows import ViewRow, select_rows

_ENSEMBLES: Final = "SELECT * FROM model_versions WHERE kind = 'ensemble' ORDER BY name, created_at DESC"
_RULINGS: Final = "SELECT * FROM gate_rulings ORDER BY judged_at DESC LIMIT :most"
_PROMOTIONS: Final = "SELECT * FROM model_promotions ORDER BY promoted_at DESC LIMIT :most"
_RUNS: Final = "SELECT * FROM training_runs ORDER BY entered_at DESC LIMIT :most"


def list_ensembles(connection: Connection) -> list[ViewRow]:
    """All ensembles, with the columns of `model_versions`."""
    return select_rows(connection, _ENSEMBLES)


def latest_rulings(connection: Connection, most: int) -> list[ViewRow]:
    """What the gate said of challengers, with the columns of `gate_rulings`."""
    return select_rows(connection, _RULINGS, most=most)


def latest_promotions(connection: Connection, most: int) -> list[ViewRow]:
    """Changes of champions, with the columns of `model_promotions`."""
    return select_rows(connection, _PROMOTIONS, most=most)


def latest_runs(connection: Connection, most: int) -> list[ViewRow]:
    """Training runs, with the columns of `training_runs`."""
    return select_rows(connection, _RUNS, most=most)
