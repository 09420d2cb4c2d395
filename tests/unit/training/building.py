"""Manifests built out of small data sets."""

from pathlib import Path

from lungline.findings import Modality
from tests.unit.training import drawn
from training.data.builders import Built, build
from training.data.builders.labelled_picture import BuildRequest
from training.data.builders.labels import Names


def made(kind: str, path: Path, out: Path, *labels: str, only_sound: bool = False, modality: Modality | None = None) -> Built:
    return build(kind, BuildRequest(path, Names(labels), modality), out / "manifest.csv", only_sound=only_sound)


def by_file(out: Path) -> dict[str, dict[str, str]]:
    return {row["path"].split("/")[-1]: row for row in drawn.read(out / "manifest.csv")}
