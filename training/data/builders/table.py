"""A data set that is a table already: a CSV file of pictures."""

from collections.abc import Iterator

from lungline.errors import TrainingError
from lungline.findings import Modality
from training.data.builders.found import SPLIT_NAMES, Found, Order
from training.data.manifests import table_of


def manifest(order: Order) -> Iterator[Found]:
    """A CSV file with path (relative to it, or absolute) and label; modality, patient, group, source and split where they are known.

    Raises:
        TrainingError: it cannot be read, a column is missing, or a class, modality or split is not known.
    """
    path = order.path / "manifest.csv" if order.path.is_dir() else order.path
    rows = table_of(path, order.left_out)
    if missing := {"path", "label"} - set(rows[0]):
        raise TrainingError(f"The table lacks the column {' and '.join(sorted(missing))}.")
    for row in rows:
        if not row["label"]:
            order.left_out["without a label"] += 1
            continue
        modality = _modality(order, row.get("modality", ""))
        split = row.get("split", "")
        if split and split.casefold() not in SPLIT_NAMES:
            raise TrainingError(f"No split is known as `{split}`. There are {', '.join(sorted(set(SPLIT_NAMES.values())))}.")
        if label := order.label(modality, row["label"]):
            source = order.source or row.get("source") or path.resolve().parent.name
            split = SPLIT_NAMES.get(split.casefold(), "")
            yield Found(path.parent / row["path"], modality, label, source, row.get("patient", ""), row.get("group", ""), split)


def _modality(order: Order, said: str) -> Modality:
    if order.modality:
        return order.modality
    try:
        return Modality(said.casefold().replace("-", "").replace(" ", ""))
    except ValueError:
        raise TrainingError(f"`{said}` is no modality; a row says xray or ct, or `--modality` says it for all.") from None
