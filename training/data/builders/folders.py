"""Data sets that are folders: one a class, or train, validation and test with one a class in each."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from lungline.errors import TrainingError
from lungline.findings import Modality, labels
from training.data.builders.labelled_picture import SPLIT_NAMES, BuildRequest, LabelledPicture, pictures, subfolders

_MODALITY_NAMES: Final = {"xray": Modality.XRAY, "xrays": Modality.XRAY, "cxr": Modality.XRAY, "ct": Modality.CT, "cts": Modality.CT}

# Folders in a class's folder that name no patient.
_NOBODY: Final = frozenset({"images", "image", "img", "imgs", "pictures"})
_MASKS: Final = frozenset({"masks", "mask"})


def classes(request: BuildRequest) -> Iterator[LabelledPicture]:
    """A folder for each class. What lies in a folder within a class's is one patient's, whom that folder names.

    Raises:
        TrainingError: there are no pictures, a class is not known, or nothing tells the modality.
    """
    folder = request.folder()
    found = list(_classes(request, folder, _modality(request, [each.name for each in subfolders(folder)]), ""))
    if not found:
        raise TrainingError("There is no PNG, JPEG or DICOM file in folders that are named like classes; did you mean `--from tree`?")
    yield from found


def tree(request: BuildRequest) -> Iterator[LabelledPicture]:
    """Folders `train`, `validation` (or `val`, `valid`) and `test`, each with a folder for each class. The split is kept.

    Raises:
        TrainingError: as for `classes`, or there is no folder of a split.
    """
    folder = request.folder()
    splits = [(each, SPLIT_NAMES[each.name.casefold()]) for each in subfolders(folder) if each.name.casefold() in SPLIT_NAMES]
    if not splits:
        raise TrainingError("There is no folder `train`, `validation` or `test`; if each class has a folder, use `--from folders`.")
    modality = _modality(request, [inner.name for each, _ in splits for inner in subfolders(each)])
    for each, split in splits:
        yield from _classes(request, each, modality, split)


def _classes(request: BuildRequest, folder: Path, modality: Modality, split: str) -> Iterator[LabelledPicture]:
    source = request.source or request.path.resolve().name
    for inner in subfolders(folder):
        for path in pictures(inner):
            below = [part for part in path.relative_to(inner).parts[:-1] if part.casefold() not in _NOBODY]
            if any(part.casefold() in _MASKS for part in below):
                request.skipped["that are masks"] += 1
            elif label := request.label(modality, inner.name):
                yield LabelledPicture(path, modality, label, source, patient=below[0] if below else "", split=split)


def _modality(request: BuildRequest, names: list[str]) -> Modality:
    """What was said, or what a folder's name in the path says, or what only one modality has a class for.

    Raises:
        TrainingError: none of these tells it.
    """
    if request.modality:
        return request.modality
    for part in reversed(request.path.resolve().parts):
        for word in re.split(r"[\s_.-]+", part.casefold().replace("x-ray", "xray")):
            if word in _MODALITY_NAMES:
                return _MODALITY_NAMES[word]
    able = [modality for modality in Modality if all(request.names.has(modality, name) for name in names)]
    if len(able) == 1:
        return able[0]
    raise TrainingError(
        "Add `--modality xray` or `--modality ct`, as no folder's name says it. "
        + " ".join(f"Classes of {modality}: {', '.join(labels(modality))}." for modality in Modality)
    )
