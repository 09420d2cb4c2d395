"""Ways to run an ensemble's networks, for `lungline bench` to time in turn: as a published application does, kept, and by each runtime."""

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt

from imaging.phantoms import picture
from lungline.findings import FINDINGS, Modality
from models import registry
from models.architectures import build
from models.architectures.flask_detector import FLASK_DETECTOR
from models.backend import keras
from models.files import MEMBER, WEIGHTS, EnsembleFiles, Member, read_ensemble, read_member, write_ensemble
from models.preprocess import prepare
from models.runtimes.choice import RuntimeChoice
from models.runtimes.keras import load_network
from models.weights import save_half

Pixels = npt.NDArray[np.uint8]
Inputs = Mapping[str, npt.NDArray[np.float32]]

SYSTEM_1: Final = "system 1"
_SEED: Final = 0


@dataclass(frozen=True)
class Way:
    """One way to run all networks of an ensemble."""

    name: str
    pictures: int  # in a round: enough to be timed, and few enough for the slow ones
    run: Callable[[Inputs], object]


def admitted(modality: Modality, count: int) -> list[Pixels]:
    """Drawn pictures that the shipped admission network keeps, so that all are judged; the same ones each time.

    Returns:
        `count` of uint8 (256, 256), or fewer if it keeps few.
    """
    admission = registry.load_admission(registry.shipped_admission())
    drawn = [picture(modality.value, seed) for seed in range(4 * count)]
    prepared = np.stack([prepare(admission.preprocess, (pixels / 255).astype(np.float32)) for pixels in drawn])
    answers = admission.judge(prepared)
    return [pixels for pixels, said in zip(drawn, answers, strict=True) if admission.decide(said, modality)][:count]


def inputs(files: EnsembleFiles, drawn: Sequence[Pixels]) -> Inputs:
    """Pictures prepared for every member: float32 (n, height, width, channels) a preprocessing."""
    names = dict.fromkeys(place.member.preprocess for place in files.places)
    return {name: np.stack([prepare(name, (pixels / 255).astype(np.float32)) for pixels in drawn]) for name in names}


def ways(files: EnsembleFiles, home_cache: Path, folder: Path) -> Iterator[Way]:
    """Every way to run an ensemble here, ready to be timed.

    Args:
        files: the ensemble.
        home_cache: where converted networks are kept.
        folder: an empty one, for the files that the published way loads.
    """
    members = [place.member for place in files.places]
    saved = [(member.preprocess, _saved(member, folder)) for member in members]
    yield Way("load the .h5 files and predict, image by image", 1, lambda given: _as_published(saved, given))
    kept = [(member.preprocess, load_network(member)) for member in members]
    yield Way("kept models, predict, image by image", 4, lambda given: _predict(kept, given, 1))
    yield Way("kept models, predict, batches of 16", 32, lambda given: _predict(kept, given, 16))
    for choice in ("keras", "openvino"):
        ensemble = registry.load_ensemble(files, RuntimeChoice(choice, home_cache))
        yield Way(f"runtime {choice}", 64, ensemble.judge)


def system_1(root: Path) -> EnsembleFiles:
    """The published Flask detector's four networks as an ensemble for X-rays, with random weights: right for speed alone.

    Args:
        root: an empty folder, where its members are written.
    """
    keras.utils.set_random_seed(_SEED)
    findings = list(FINDINGS[Modality.XRAY])
    places = [(_member(root, architecture, findings), 1.0, 1.0) for architecture in FLASK_DETECTOR]
    write_ensemble(root, "xray", number=1, places=places, thresholds={"margin": 0.0, "disagreement": 1.0})
    return read_ensemble(root, "xray")


def _member(root: Path, architecture: str, findings: Sequence[str]) -> Member:
    name = architecture.replace("_", "-")
    folder = root / name
    folder.mkdir(parents=True)
    save_half(build(architecture, len(findings)), folder / WEIGHTS)
    description = {
        "name": name,
        "modality": Modality.XRAY,
        "architecture": architecture,
        "preprocess": "gray-224",
        "outputs": list(findings),
        "sha256": hashlib.sha256((folder / WEIGHTS).read_bytes()).hexdigest(),
    }
    (folder / MEMBER).write_text(json.dumps(description))
    return read_member(folder)


def _saved(member: Member, folder: Path) -> Path:
    path = folder / f"{member.name}.h5"
    load_network(member).save(path)
    return path


def _as_published(saved: Sequence[tuple[str, Path]], given: Inputs) -> None:
    for row in range(len(next(iter(given.values())))):
        for preprocess, path in saved:
            keras.models.load_model(path, compile=False).predict(given[preprocess][row : row + 1], verbose=0)


def _predict(kept: Sequence[tuple[str, keras.Model]], given: Inputs, batch: int) -> None:
    for preprocess, network in kept:
        for start in range(0, len(given[preprocess]), batch):
            network.predict(given[preprocess][start : start + batch], verbose=0)
