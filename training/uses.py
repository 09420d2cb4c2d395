"""How often a test split was looked at: with each look and choice after it, its figures become a little too good."""

import json
from pathlib import Path
from typing import Final

from lungline.errors import TrainingError
from lungline.findings import Modality
from models.files import ADMISSION

USES: Final = "test-uses.json"  # beside the models: modality or admission -> versions that were judged on its test split, in order


def use(root: Path, modality: Modality | None, version: str, *, writes: bool) -> list[str]:
    """Notes that `version` is judged on the test split now; one that was before counts once. Gives the whole list.

    Args:
        root: the folder of models.
        modality: whose test split; None for that of admission.
        version: a member or an ensemble.
        writes: whether the list is kept.

    Raises:
        TrainingError: the list cannot be read or written.
    """
    told = _read(root)
    versions = told.setdefault(_key(modality), [])
    if version not in versions:
        versions.append(version)
        if not writes:
            return versions
        part = root / f".{USES}.part"
        try:
            part.write_text(json.dumps(told, indent=2) + "\n")
            part.replace(root / USES)
        except OSError:
            raise TrainingError(f"{USES} beside the models cannot be written; check its folder's permissions.") from None
    return versions


def _read(root: Path) -> dict[str, list[str]]:
    try:
        told: dict[str, list[str]] = json.loads((root / USES).read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError):
        raise TrainingError(f"{USES} beside the models is damaged; restore it, as it counts the looks at the test split.") from None
    return told


def _key(modality: Modality | None) -> str:
    return modality.value if modality else ADMISSION
