"""A data set that is a table already: a CSV file of pictures."""

from collections.abc import Iterator

from lungline.errors import TrainingError
from lungline.findings import Modality
from training.data.builders.labelled_picture import SPLIT_NAMES, BuildRequest, LabelledPicture
from training.data.manifests import table_of


def manifest(request: BuildRequest) -> Iterator[LabelledPicture]:
    """A CSV file with path (relative to it, or absolute) and label; modality, patient, group, source and split where they are known.

    Raises:
        TrainingError: it cannot be read, a column is missing, or a class, modality or split is not known.
    """
    path = request.path / "manifest.csv" if request.path.is_dir() else request.path
    rows = table_of(path, request.skipped)
    if missing := {"path", "label"} - set(rows[0]):
        raise TrainingError(f"The table has no column {' and '.join(sorted(missing))}.")
    for row in rows:
        if not row["label"]:
            request.skipped["without a label"] += 1
            continue
        modality = _modality(request, row.get("modality", ""))
        split = row.get("split", "")
        if split and split.casefold() not in SPLIT_NAMES:
            raise TrainingError(f"No split is called `{split}`. Known splits are {', '.join(sorted(set(SPLIT_NAMES.values())))}.")
        if label := request.label(modality, row["label"]):
            source = request.source or row.get("source") or path.resolve().parent.name
            split = SPLIT_NAMES.get(split.casefold(), "")
            yield LabelledPicture(path.parent / row["path"], modality, label, source, row.get("patient", ""), row.get("group", ""), split)


def _modality(request: BuildRequest, said: str) -> Modality:
    if request.modality:
        return request.modality
    try:
        return Modality(said.casefold().replace("-", "").replace(" ", ""))
    except ValueError:
        raise TrainingError(f"`{said}` is not a modality: a row must say xray or ct, or `--modality` says it for all.") from None
