"""A clone of ieee8023/covid-chestxray-dataset, as of 2020 or of today: metadata.csv and images/.

Cohen et al., "COVID-19 Image Data Collection: Prospective Predictions Are the Future" (MELBA 2020). Its columns: SCHEMA.md there.
"""

from collections.abc import Iterator
from typing import Final

from lungline.errors import TrainingError
from lungline.findings import Modality
from training.data.builders.labelled_picture import PICTURES, BuildRequest, LabelledPicture
from training.data.manifests import table_of

_SOURCE: Final = "ieee8023/covid-chestxray-dataset"
_NEEDED: Final = frozenset({"patientid", "finding", "view", "filename"})

# Findings of 2020 that stand below Pneumonia/ today.
_PNEUMONIAS: Final = frozenset({"sars", "mers", "streptococcus", "pneumocystis", "klebsiella", "chlamydophila", "legionella", "e.coli"})


def clone(request: BuildRequest) -> Iterator[LabelledPicture]:
    """Frontal X-rays: views PA and AP, standing or lying. The patient is the group.

    `COVID-19` with or without something else, and `Pneumonia/Viral/COVID-19`, are covid19; other pneumonias are pneumonia; `No Finding` is
    normal. Other findings (tuberculosis, unknown) are left out and counted, unless `--label` maps them.

    Raises:
        TrainingError: metadata.csv is missing or not what it was, or nothing in it can be used.
    """
    folder = request.folder()
    table = folder / "metadata.csv"
    if not table.is_file():
        raise TrainingError("The folder has no `metadata.csv`: give a clone of ieee8023/covid-chestxray-dataset; see docs/data.md.")
    rows = table_of(table, request.skipped)
    if _NEEDED - set(rows[0]):
        raise TrainingError("metadata.csv lacks patientid, finding, view or filename: is this a clone of ieee8023/covid-chestxray-dataset?")
    used = 0
    for row in rows:
        if not _is_frontal_xray(row):
            request.skipped["that are no frontal X-ray"] += 1
            continue
        label = _label(request, row["finding"])
        if not label:
            continue
        path = folder / (row.get("folder") or "images") / row["filename"]
        if path.suffix.lower() not in PICTURES or not path.is_file():
            request.skipped["whose file is not in the clone, or no picture"] += 1
            continue
        used += 1
        patient = f"ieee8023-{row['patientid']}" if row["patientid"] else ""
        yield LabelledPicture(path, Modality.XRAY, label, request.source or _SOURCE, patient)
    if not used:
        raise TrainingError("metadata.csv names no frontal X-ray that exists; is images/ beside it?")


def _is_frontal_xray(row: dict[str, str]) -> bool:
    """Without the column `modality`, as in early 2020, a view PA or AP is an X-ray's: slices were `Axial`, `Coronal` or `CT`."""
    view = row["view"].upper().split()
    return bool(view) and view[0] in ("PA", "AP", "APS") and row.get("modality", "X-ray").casefold() in ("x-ray", "")


def _label(request: BuildRequest, finding: str) -> str:
    if request.names.has(Modality.XRAY, finding):
        return request.label(Modality.XRAY, finding)
    parts = [part.strip().casefold() for part in finding.replace("/", ",").split(",")]
    if "covid-19" in parts:
        return "covid19"
    if parts[0] == "pneumonia" or any(part in _PNEUMONIAS for part in parts):
        return "pneumonia"
    request.skipped[f"with finding `{finding}`, which Lungline does not tell (`--label '{finding}=pneumonia'` would take them)"] += 1
    return ""
