"""Which models there are, what is known of them, and which ensemble is champion: listed, described, promoted, rolled back."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from db import versions
from db.migrate import open_database
from db.rows import ViewRow, storable
from lungline.errors import ModelError
from lungline.layout import Store
from lungline.settings import Settings
from models import registry
from models.files import EnsembleFiles
from models.registry import Description
from models.runtimes.choice import RuntimeChoice
from training import recipes
from workers import catalogue


@dataclass(frozen=True)
class ChampionChange:
    """An ensemble that judges from now on, and the one that did until then."""

    files: EnsembleFiles
    former: str | None

    @property
    def limited_member(self) -> tuple[str, int] | None:
        """A member that was trained on a few pictures only, and on how many; None: there is none."""
        for place in self.files.places:
            if place.member.record.limit:
                return place.member.version, place.member.record.limit
        return None


def list_versions(settings: Settings) -> list[ViewRow]:
    """What `model_versions` holds, after all that is at hand was entered."""
    with _open_with_versions(settings).connect() as connection:
        return versions.list_rows(connection)


def describe(settings: Settings, name: str) -> Description | Mapping[str, Any]:
    """All that is known of a version; or of a recipe what it says, with its network's size, for which TensorFlow is loaded.

    Raises:
        ModelError: there is no such version, and no such recipe.
    """
    for found in registry.list_descriptions(Store(settings.store).models):
        if found.version == name:
            return found
    if name in recipes.names():
        from training.members.blueprint import blueprint  # TensorFlow: seconds

        return blueprint(name)
    raise ModelError(
        f"There is no such version (see `lungline models list`) and no such recipe; the recipes are {', '.join(recipes.names())}."
    )


def promote(settings: Settings, version: str, by: str, why: str, *, although_refused: bool = False) -> ChampionChange:
    """Lets an ensemble judge from now on, after its files were tried; workers take it up between batches.

    Args:
        settings: of this home.
        version: an ensemble's.
        by: who decides it.
        why: on what grounds.
        although_refused: whether it may be one that the gate refused.

    Raises:
        ModelError: there is no such ensemble, it judges already, the gate refused it, its files are missing or damaged or do not run here,
            or `by` or `why` is empty or too long.
    """
    version, by, why = map(storable, (version, by, why))
    versions.check_grounds(by, why)  # before anything that takes time
    engine = _open_with_versions(settings)
    with engine.begin() as connection:
        versions.check_promotable(connection, version, although_refused=although_refused)
    files = _try_out(settings, version)
    with engine.begin() as connection:
        return ChampionChange(files, versions.promote(connection, version, _members(files), by, why, although_refused=although_refused))


def rollback(settings: Settings, name: str | None, by: str, why: str) -> ChampionChange:
    """Lets the ensemble judge again that the present one was promoted over; asked again, it goes back one further.

    Args:
        settings: of this home.
        name: xray, ct or admission; None: whichever was promoted last.
        by: who decides it.
        why: on what grounds.

    Raises:
        ModelError: there is none to go back to, its files are missing or damaged or do not run here, or `by` or `why` is empty or too long.
    """
    by, why = map(storable, (by, why))
    versions.check_grounds(by, why)  # before anything that takes time
    engine = open_database(settings)
    with engine.connect() as connection:
        champion, former = versions.before(connection, name)
    files = _try_out(settings, former)
    with engine.begin() as connection:
        versions.rollback(connection, champion, former, _members(files), by, why)
    return ChampionChange(files, champion)


def _open_with_versions(settings: Settings) -> Engine:
    """The database, which knows every version that is at hand."""
    engine = open_database(settings)
    with engine.begin() as connection:
        catalogue.enter(connection, Store(settings.store).models)
    return engine


def _try_out(settings: Settings, version: str) -> EnsembleFiles:
    """The files of a version, after all of it was loaded and compared with the reference, as a worker on this machine will do.

    Raises:
        ModelError: they are missing or damaged, or do not run here.
    """
    files = registry.find(version, Store(settings.store).models)
    load = registry.load_admission if files.modality is None else registry.load_ensemble
    registry.try_out(load(files, RuntimeChoice.of(settings)))
    return files


def _members(files: EnsembleFiles) -> list[str]:
    return [place.member.version for place in files.places]
