"""Data sets that are folders: one a class, or train, validation and test with one a class in each."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lungline.errors import TrainingError
from lungline.findings import Modality, labels
from training.data.builders.found import SPLIT_NAMES, Found, Order, pictures, subfolders

_MODALITY_NAMES: Final = {"xray": Modality.XRAY, "xrays": Modality.XRAY, "cxr": Modality.XRAY, "ct": Modality.CT, "cts": Modality.CT}

# Folders in a class's folder that name no patient.
_NOBODY: Final = frozenset({"images", "image", "img", "imgs", "pictures"})
_MASKS: Final = frozenset({"masks", "mask"})


def classes(order: Order) -> Iterator[Found]:
    """A folder for each class. What lies in a folder within a class's is one patient's, whom that folder names.

    Raises:
        TrainingError: there are no pictures, a class is not known, or nothing tells the modality.
    """
    folder = order.folder()
    found = list(_classes(order, folder, _modality(order, [each.name for each in subfolders(folder)]), ""))
    if not found:
        raise TrainingError("There is no PNG, JPEG or DICOM file in folders named for classes; is it `--from tree` rather?")
    yield from found


def tree(order: Order) -> Iterator[Found]:
    """Folders `train`, `validation` (or `val`, `valid`) and `test`, each with a folder for each class. The split is kept.

    Raises:
        TrainingError: as for `classes`, or there is no folder of a split.
    """
    folder = order.folder()
    splits = [(each, SPLIT_NAMES[each.name.casefold()]) for each in subfolders(folder) if each.name.casefold() in SPLIT_NAMES]
    if not splits:
        raise TrainingError("There is no folder `train`, `validation` or `test`; a folder a class is `--from folders`.")
    modality = _modality(order, [inner.name for each, _ in splits for inner in subfolders(each)])
    for each, split in splits:
        yield from _classes(order, each, modality, split)


def _classes(order: Order, folder: Path, modality: Modality, split: str) -> Iterator[Found]:
    source = order.source or order.path.resolve().name
    for inner in subfolders(folder):
        for path in pictures(inner):
            below = [part for part in path.relative_to(inner).parts[:-1] if part.casefold() not in _NOBODY]
            if any(part.casefold() in _MASKS for part in below):
                order.left_out["that are masks"] += 1
            elif label := order.label(modality, inner.name):
                yield Found(path, modality, label, source, patient=below[0] if below else "", split=split)


def _modality(order: Order, names: list[str]) -> Modality:
    """What was said, or what a folder's name in the path says, or what only one modality has a class for.

    Raises:
        TrainingError: none of these tells it.
    """
    if order.modality:
        return order.modality
    for part in reversed(order.path.resolve().parts):
        for word in re.split(r"[\s_.-]+", part.casefold().replace("x-ray", "xray")):
            if word in _MODALITY_NAMES:
                return _MODALITY_NAMES[word]
    able = [modality for modality in Modality if all(order.names.has(modality, name) for name in names)]
    if len(able) == 1:
        return able[0]
    raise TrainingError(
        "Say `--modality xray` or `--modality ct`: no folder's name tells it. "
        + " ".join(f"Classes of {modality}: {', '.join(labels(modality))}." for modality in Modality)
    )
