"""Sets the pose network's threshold on validation, and measures how well it knows poses, with intervals over groups."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression

from imaging.read import read as read_image
from lungline.durable import replace_text
from lungline.errors import TrainingError
from lungline.findings import Modality
from lungline.progress import say
from models import pose
from models.admission import NEITHER
from models.pose import CT, CT_NEGATIVE, DESCRIPTION, FILMS, KINDS, LATERAL, PREPROCESS, Network
from models.preprocess import Pixels, prepare
from models.records import Figure, LeftOutHalf, NegativeFigures, PoseEvaluation, PoseFigures, PoseRecord, ShuffledPose
from training.data.datasets import Example
from training.evaluation.test_split_log import SplitLog
from training.metrics.figures import with_intervals
from training.pose.card import render_pose_card
from training.pose.examples import gather
from training.pose.fit import fit
from training.pose.make import find_splits_of_patients, load_examples, read_volumes, short_name
from training.pose.projections import Volume, project_films, read_series

# The share of validation pictures that may be doubted though they lie right, and of those that lie wrong that may pass.
_ALARMED_SHARE: Final = 0.002
_PASSED_SHARE: Final = 0.002
_BATCH: Final = 32

# The poses of `FILMS` that are judged; of a slice polarity alone.
_POSES: Final = {Modality.XRAY: tuple(range(len(FILMS))), Modality.CT: (0, 4)}

Probabilities = npt.NDArray[np.float32]


def judge(folder: Path, roots: Sequence[Path], series: Sequence[Path]) -> None:
    """Writes threshold, figures and card.

    Args:
        folder: of the network.
        roots: folders of labelled scans.
        series: folders of CT series of patients that it did not learn from.

    Raises:
        TrainingError: a series is of a patient of the split `train`, or uses of the test split cannot be counted.
    """
    splits = find_splits_of_patients(roots)
    if any("train" in splits.get(short_name(folder.name), ()) for folder in series):
        raise TrainingError(
            "A CT series belongs to a patient of the split `train`, so the network may have learned from it: leave it out of --series."
        )
    network = pose.read(folder)
    network.threshold = choose_threshold(network, load_examples(roots, "val"))
    versions = SplitLog(folder.parent).record("pose", network.version)
    measured = {}
    for split in ("val", "test"):
        say(f"pose: evaluated on {split}")
        measured[split] = measure(network, load_examples(roots, split))
    _update(
        folder,
        threshold=network.threshold,
        test_uses=versions,
        val=measured["val"],
        test=measured["test"],
        beside=measure_baselines(roots),
        projections={films.name: measure_projections(network, films) for films in series},
    )


def add_left_out(folder: Path, roots: Sequence[Path], series: Sequence[Path], rendered: Sequence[Path], epochs: int) -> None:
    """Adds `measure_left_out` to a network that was judged, and to its card."""
    seed = pose.read_record(folder).seed
    _update(folder, left_out=measure_left_out(roots, read_volumes(roots, series, rendered), seed, epochs))


def add_control(folder: Path, roots: Sequence[Path], series: Sequence[Path], rendered: Sequence[Path], epochs: int) -> None:
    """Adds a negative control to a network that was judged, and to its card: trained on shuffled kinds, on validation."""
    record = pose.read_record(folder)
    pose_examples = gather(load_examples(roots, "train"), read_volumes(roots, series, rendered), record.seed)
    network = Network(fit(replace(pose_examples, shuffled=True), record.seed, epochs), record.threshold)
    measured = measure(network, load_examples(roots, "val"))
    films_known = [measured[kind].known.value for kind in FILMS if kind in measured]
    _update(folder, shuffled=ShuffledPose(epochs=epochs, known=round(float(np.mean(films_known)), 4)))


def _update(folder: Path, **measured: object) -> None:
    """Writes the record with these fields, and the card; the record is read only now, as measuring took long."""
    record = PoseRecord.model_validate(dict(pose.read_record(folder)) | measured)
    replace_text(folder / DESCRIPTION, record.text())
    replace_text(folder / "card.md", render_pose_card(record))


def choose_threshold(network: Network, examples: Sequence[Example]) -> float:
    """Midway, in logits, between nearly all chests that lie right and nearly all that lie wrong; where these overlap, few are doubted."""
    right, wrong = [], []
    for modality, poses in _POSES.items():
        pictures = _pictures([example for example in examples if example.label == modality])
        right.append(_wrong(network, pictures))
        wrong += [_wrong(network, turn_pictures(pictures, number)) for number in poses[1:]]
    low = float(np.quantile(np.concatenate(right), 1 - _ALARMED_SHARE))
    high = max(low, float(np.quantile(np.concatenate(wrong), _PASSED_SHARE)))
    return round(1 / (1 + float(np.exp(-(_logit(low) + _logit(high)) / 2))), 4)


def measure(network: Network, examples: Sequence[Example]) -> PoseEvaluation:
    """Measures how well a network knows labelled pictures, in every pose; shares have intervals over groups."""
    by_kind: dict[str, PoseFigures] = {}
    for modality, poses in _POSES.items():
        here = [example for example in examples if example.label == modality]
        pictures, groups = _pictures(here), np.array([example.group for example in here])
        sources = np.array([example.origin for example in here])
        for number in poses:
            kind = FILMS[number] if modality is Modality.XRAY else CT_NEGATIVE if number else CT
            probabilities = _judge(network, turn_pictures(pictures, number))
            doubted = add_wrong_shares(probabilities) > network.threshold
            right = probabilities.argmax(axis=1) == KINDS.index(kind)
            shares = _measure_shares(groups, {"doubted": doubted, "known": right})
            by_source = {
                str(source): (int(doubted[sources == source].sum()), int((sources == source).sum())) for source in np.unique(sources)
            }
            by_kind[kind] = PoseFigures(**shares, images=len(here), groups=len(np.unique(groups)), by_source=by_source)
    negatives = [example for example in examples if example.label == NEITHER]
    if not negatives:
        return PoseEvaluation.model_validate(by_kind)
    doubted_negatives = int((_wrong(network, _pictures(negatives)) > network.threshold).sum())
    return PoseEvaluation.model_validate(by_kind | {NEITHER: NegativeFigures(doubted=doubted_negatives, images=len(negatives))})


def measure_baselines(roots: Sequence[Path]) -> dict[str, float]:
    """How often simpler features name a test film's pose exactly, one of eight: brightness at the edges and in the middle; thumbnails."""
    changes: dict[str, Callable[[Pixels], Pixels]] = {"edges": _edges, "thumbnails": _thumbnails}
    learnt, asked = (
        _pictures([example for example in load_examples(roots, split) if example.label == Modality.XRAY]) for split in ("train", "test")
    )
    poses = range(len(FILMS))
    scores = {}
    for name, look in changes.items():
        rows, others = (np.concatenate([look(turn_pictures(pictures, pose)) for pose in poses]) for pictures in (learnt, asked))
        guess = LogisticRegression(C=0.1, max_iter=300).fit(rows, np.repeat(poses, len(learnt)))
        scores[name] = round(float(guess.score(others, np.repeat(poses, len(asked)))), 4)
    return scores


def _edges(pictures: Pixels) -> Pixels:
    side = pictures.shape[1]
    edge = side // 8
    strips = (pictures[:, :edge], pictures[:, -edge:], pictures[:, :, :edge], pictures[:, :, -edge:], pictures[:, side // 4 : -side // 4])
    return np.stack([strip.mean(axis=(1, 2, 3)) for strip in strips], axis=1)


def _thumbnails(pictures: Pixels) -> Pixels:
    count, side = pictures.shape[:2]
    means: Pixels = pictures.reshape(count, 16, side // 16, 16, side // 16).mean(axis=(2, 4)).reshape(count, -1)
    return means


def measure_left_out(roots: Sequence[Path], volumes: Sequence[Volume], seed: int, epochs: int) -> tuple[LeftOutHalf, ...]:
    """How well the recipe knows sources that it never saw: trained on every other source, asked about all pictures of the others but
    those of test, and the other way round. The threshold is of the validation pictures of the sources that it learnt from."""
    splits = {split: load_examples(roots, split) for split in ("train", "val", "gate")}
    negatives = [example for example in splits["train"] if example.label == NEITHER]
    scans = [example for examples in splits.values() for example in examples if example.label != NEITHER]
    names = [sorted({example.origin for example in scans if example.label == modality}) for modality in Modality]
    halves = []
    for half in (0, 1):
        held_out = {name for sources in names for name in sources[half::2]}
        learnt = [example for example in splits["train"] if example.label != NEITHER and example.origin not in held_out]
        weights = fit(gather([*learnt, *negatives], volumes, seed), seed, epochs)
        network = Network(weights, 0.5)
        network.threshold = choose_threshold(network, [example for example in splits["val"] if example.origin not in held_out])
        asked = [example for example in scans if example.origin in held_out]
        measured = measure(network, asked)
        halves.append(LeftOutHalf.model_validate(dict(measured) | {"epochs": epochs, "threshold": network.threshold}))
    return tuple(halves)


def measure_projections(network: Network, folder: Path) -> dict[str, tuple[int, int]]:
    """How many of a volume's projections are doubted: from the side and from the front."""
    volume = read_series(folder)
    found = {}
    for name, lateral in ((LATERAL, True), ("frontal", False)):
        pictures = np.stack([prepare(PREPROCESS, film) for film in project_films(volume, lateral=lateral)])
        doubted = add_wrong_shares(_judge(network, pictures)) > network.threshold
        found[name] = (int(doubted.sum()), len(pictures))
    return found


def turn_pictures(pictures: Pixels, number: int) -> Pixels:
    """A batch (n, side, side, 1) in the pose `FILMS[number]`."""
    turned = np.rot90(pictures, number % 4, axes=(1, 2))
    return np.ascontiguousarray(1 - turned if number >= 4 else turned)


def add_wrong_shares(probabilities: Probabilities) -> npt.NDArray[np.float32]:
    """How probably each of them lies wrong, header and folder telling nothing."""
    rows: npt.NDArray[np.float32] = probabilities[:, [number for number, kind in enumerate(KINDS) if kind not in pose.RIGHT]].sum(axis=1)
    return rows


def _wrong(network: Network, pictures: Pixels) -> npt.NDArray[np.float32]:
    return add_wrong_shares(_judge(network, pictures))


def _judge(network: Network, pictures: Pixels) -> Probabilities:
    return np.concatenate([network.judge_prepared(pictures[start : start + _BATCH]) for start in range(0, len(pictures), _BATCH)])


def _pictures(examples: Sequence[Example]) -> Pixels:
    return np.stack([prepare(PREPROCESS, read_image(example.path.read_bytes()).pixels) for example in examples])


def _measure_shares(groups: npt.NDArray[np.str_], which: dict[str, npt.NDArray[np.bool_]]) -> dict[str, Figure]:
    return with_intervals(groups, lambda drawn: {name: float(chosen[drawn].mean()) for name, chosen in which.items()})


def _logit(probability: float) -> float:
    probability = min(max(probability, 1e-6), 1 - 1e-6)
    return float(np.log(probability / (1 - probability)))
