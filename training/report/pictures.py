"""Ten pictures of the split that was evaluated, some of them answered wrong, with what the network looked at."""

import base64
import hashlib
from collections.abc import Sequence
from typing import Final

import cv2
import numpy as np

from models import explain
from models.explain import Explainer
from training.evaluation.judge import EvaluatedVersion
from training.predictions.measure import SplitPredictions
from training.predictions.predict import Predictions
from training.report.contents import ShownPicture

_SHOWN: Final = 10
_WRONG: Final = 4  # of these, if there are so many
_SIDE: Final = 192  # pixels, as they are shown
_QUALITY: Final = 80  # of the JPEG: nothing is measured on it


def pictures(found: EvaluatedVersion, predicted: SplitPredictions, predictions: Predictions) -> tuple[ShownPicture, ...]:
    """Each as the network saw it, and under the Grad-CAM of its answer.

    The network is the member with the greatest weight in the vote. Nothing tells whose picture it is.
    """
    place = max(found.files.places, key=lambda value: value.weight)
    rows = chosen(predicted)
    seen = predictions.read([predicted.examples[row] for row in rows], place.member.preprocess, "pictures to show")
    said = predicted.votes.argmax(axis=1)
    network = predictions.network(place.member)
    logits = predictions.answer(place.member, seen)
    answers = [predicted.findings[said[row]] for row in rows]
    asked = np.array([explain.output_for(place.member, answer, first) for answer, first in zip(answers, logits, strict=True)], np.intp)
    maps = Explainer(network).maps(seen, asked)
    return tuple(
        ShownPicture(
            label=predicted.findings[predicted.wanted[row]],
            answer=answer,
            probability=round(float(predicted.votes[row].max()), 4),
            probabilities={finding: round(float(vote), 4) for finding, vote in zip(predicted.findings, predicted.votes[row], strict=True)},
            accepted=bool(predicted.accepted[row]),
            member=place.member.version,
            picture=_jpeg(explain.shown(picture)),
            explained=_jpeg(explain.overlay(picture, heat)),
        )
        for row, answer, picture, heat in zip(rows, answers, seen, maps, strict=True)
    )


def chosen(predicted: SplitPredictions) -> list[int]:
    """Ten rows, in an order that the pictures' bytes give: the same ten for every network but for which of them are wrong.

    Wrong ones first, up to four; then right ones, each label in turn.
    """
    order = sorted(range(len(predicted.examples)), key=lambda row: hashlib.sha256(predicted.examples[row].path.read_bytes()).digest())
    right = predicted.votes.argmax(axis=1) == predicted.wanted
    wrong = [row for row in order if not right[row]][:_WRONG]
    by_label = [[row for row in order if right[row] and predicted.wanted[row] == label] for label in range(len(predicted.findings))]
    return [*wrong, *_in_turn(by_label, _SHOWN - len(wrong))]


def _in_turn(queues: Sequence[list[int]], most: int) -> list[int]:
    ranked = sorted((place, number, row) for number, queue in enumerate(queues) for place, row in enumerate(queue))
    return [row for _, _, row in ranked[:most]]


def _jpeg(picture: explain.Picture) -> str:
    small = cv2.resize(picture, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA)
    data = bytes(cv2.imencode(".jpg", small, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1])
    return "data:image/jpeg;base64," + base64.b64encode(data).decode()
