"""Reads one scan's bytes and prepares it for the networks: the whole of what runs in a reader's child process."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from imaging.header import Facts
from imaging.original import read_original
from imaging.read import read, read_facts
from lungline.findings import Modality
from models.lungs import find_lungs
from models.pose import set_right
from models.preprocess import prepare

FUNCTION: Final = "workers.reading:read_scan"


@dataclass(frozen=True)
class Reading:
    """A scan as the batcher takes it.

    `inputs`: preprocess name -> float32 (height, width, channels); `lung_share`: of the body's box in a CT slice, 0 to 1.
    """

    facts: Facts
    frames: int
    rows: int
    columns: int
    inputs: dict[str, np.ndarray]
    lung_share: float | None = None


def read_scan(
    path: str, sha256: str, frame: int, always: Sequence[str], by_modality: dict[Modality, Sequence[str]] | None, hint: str | None
) -> Reading:
    """Reads frame `frame` (from 1) of the file at `path`, whose bytes must have the hash `sha256`.

    What lies wrong is turned right, and is for review. It is prepared by the preprocesses `always`, and by those of its modality, or of
    each modality where neither header nor `hint` tells. Where `by_modality` is None, the header alone is read, and no size is known.

    Raises:
        UnreadableScan: with the reason; never another error.
    """
    data = read_original(path, sha256)
    if by_modality is None:
        return Reading(read_facts(data, frame), frames=0, rows=0, columns=0, inputs={})
    image = read(data, frame)
    facts = image.facts
    inputs: dict[str, np.ndarray] = {}
    share = None
    if facts.rejection is None:
        known = facts.modality or facts.captured or hint
        modalities = [Modality(known)] if known else list(by_modality)
        names = [*always, *(name for modality in modalities for name in by_modality[modality])]
        pose = set_right(image.pixels, Modality(known) if known else None)
        facts = replace(facts, review=facts.review or pose.doubt)
        lungs = find_lungs(pose.pixels) if known == Modality.CT else None
        inputs = {name: prepare(name, pose.pixels, lungs) for name in dict.fromkeys(names)}
        share = lungs.share if lungs else None
    return Reading(facts, image.frames, image.rows, image.columns, inputs, share)
