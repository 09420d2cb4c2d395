"""What models are at hand, as the database enters them: versions, and the figures on their cards."""

from pathlib import Path

from sqlalchemy import Connection

from db import quality, versions
from db.migrate import open_database
from db.versions import Version
from lungline.findings import Modality
from lungline.layout import Store
from lungline.settings import Settings
from models import registry
from models.files import EnsembleFiles


def champions(settings: Settings) -> dict[Modality, EnsembleFiles]:
    """The ensemble that judges, for each modality.

    Raises:
        ModelError: its files are not at hand, or a description is damaged.
    """
    models = Store(settings.store).models
    with open_database(settings).begin() as connection:
        enter(connection, models)
        found = versions.champions(connection)
    return {modality: registry.find(found[modality.value], models) for modality in Modality}


def enter(connection: Connection, models: Path) -> None:
    """Enters every version that ships or lies in the store, with the figures that it came with.

    Raises:
        ModelError: a shipped description is missing or damaged.
    """
    found = registry.list_descriptions(models)
    versions.enter(
        connection,
        [
            Version(
                described.version,
                described.kind,
                described.name,
                described.modality,
                described.sha256,
                described.shipped,
                described.members,
            )
            for described in found
        ],
    )
    known = quality.known(connection)
    for described in found:
        for data, evaluation in described.evaluations.items():
            if (described.version, data) not in known:
                quality.enter(connection, quality.rows(described.version, data, evaluation.as_json()))
