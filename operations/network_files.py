"""Networks as files for, and from, elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from db import versions
from db.migrate import open_database
from db.rows import storable
from lungline.errors import ModelError
from lungline.layout import Store
from lungline.settings import Settings
from models.files import Member
from models.interchange import export
from models.registry import find_member
from workers import catalogue

if TYPE_CHECKING:
    from training.members.take_in import ImportedMember

FORMS: Final = tuple(export.ENDINGS)
"""As which networks can be written: litert, onnx, openvino, savedmodel."""


def find_exportable(settings: Settings, asked: str) -> Member:
    """A member by its version; or by its name: the one that judges, else the latest.

    Raises:
        ModelError: there is none, it is an ensemble, or its files are not at hand.
    """
    models = Store(settings.store).models
    with open_database(settings).begin() as connection:
        catalogue.enter(connection, models)
        found = versions.find(connection, storable(asked))
    if found is None:
        raise ModelError("There is no such member; see `lungline models list`.")
    version, kind = found
    if kind != "member":
        raise ModelError("This is an ensemble: export its members one by one; `lungline models show` lists them.")
    return find_member(version, models)


def export_network(member: Member, form: str, out: Path) -> Path:
    """Writes a member's network for another library, once it was run and answered as Keras does; takes up to two minutes.

    Args:
        member: as `find_exportable` finds it.
        form: one of `FORMS`.
        out: a file, which is replaced, or a folder.

    Returns:
        What was written; beside it lies a JSON file of what goes in and comes out.

    Raises:
        ModelError: it cannot be written in this form, or answers otherwise than Keras.
    """
    return export.export(member, form, out)


def import_network(settings: Settings, file: Path, recipe: str, outputs: Sequence[str] | None) -> "ImportedMember":
    """Takes in a network that was trained elsewhere: checked layer by layer, judged on labelled scans, a challenger in the store.

    Args:
        settings: of this home; without LUNGLINE_TRAINING_DATA it has no figures.
        file: `.h5` or `.keras`.
        recipe: that it was trained by.
        outputs: what the file's outputs stand for, in its order; None: what the recipe says.

    Raises:
        ModelError, TrainingError: a layer does not fit, or the file is none; nothing was entered.
    """
    from training.members.take_in import bring_in  # TensorFlow: seconds

    models = Store(settings.store).models
    made = bring_in(file, recipe, outputs, settings.training_data, models)
    with open_database(settings).begin() as connection:
        catalogue.enter(connection, models)
    return made
