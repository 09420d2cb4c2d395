"""From readings to verdicts, with the shipped networks."""

from dataclasses import replace

import numpy as np
import pytest

from imaging.header import Facts
from imaging.phantoms import picture
from lungline.findings import Modality, Status
from lungline.reasons import Reason
from models import registry
from models.engines.choose import Engines
from models.files import ADMISSION
from models.preprocess import prepare
from workers.judge import Judge
from workers.reading import Reading


@pytest.fixture
def judge(engines: Engines) -> Judge:
    parts = {name.value: registry.load_ensemble(files, engines) for name, files in registry.shipped().items()}
    return Judge({**parts, ADMISSION: registry.load_admission(registry.shipped_admission(), engines)})


def read_film(judge: Judge) -> Reading:
    pixels = picture("xray").astype(np.float32) / np.float32(255)
    names = [*judge.always, *judge.by_modality[Modality.XRAY]]
    return Reading(Facts(modality=Modality.XRAY), 1, pixels.shape[0], pixels.shape[1], {name: prepare(name, pixels) for name in names})


def test_a_reason_for_review_stands_beside_the_finding(judge: Judge) -> None:
    plain = read_film(judge)
    doubted = replace(plain, facts=replace(plain.facts, review=Reason.POLARITY_IN_DOUBT))

    (_, before), (_, after) = judge.judge([(plain, None), (doubted, None)])

    assert before.reason is None
    assert (after.status, after.reason) == (Status.REVIEW, Reason.POLARITY_IN_DOUBT)
    assert after.finding == before.finding is not None
