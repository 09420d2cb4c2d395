"""A challenger's files and runtimes, tried as a worker would run them."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from lungline.findings import Modality
from models.files import WEIGHTS, read_ensemble
from models.registry import SHIPPED, shipped
from models.runtimes.choice import RuntimeChoice
from tests.drawn_data_set import draw_data_set
from training.gate import serving_check
from training.predictions.predict import Predictions


@pytest.mark.slow
def test_agreeing_networks_are_timed_and_others_reported(tmp_path: Path) -> None:
    champion = shipped()[Modality.XRAY]
    predictions = Predictions(draw_data_set(tmp_path / "data", counts={"gate": 4}))
    predicted = predictions.judge(champion, "gate")
    keras = RuntimeChoice("keras", tmp_path / "networks")
    sound = serving_check.check_serving(champion, champion, predicted, predictions, keras)
    assert sound.fault is None
    assert len(sound.speeds) == 5

    elsewhere = dataclasses.replace(predicted, votes=predicted.votes[:, ::-1])
    disagreeing = serving_check.check_serving(champion, champion, elsewhere, predictions, keras)
    assert "disagree" in str(disagreeing.fault)

    copy = Path(shutil.copytree(SHIPPED, tmp_path / "copy"))
    with (copy / "xray-cnn" / WEIGHTS).open("ab") as weights:
        weights.write(b"more")
    damaged = serving_check.check_serving(read_ensemble(copy, "xray"), champion, predicted, predictions, keras)
    assert "damaged" in str(damaged.fault)
    assert damaged.speeds == ()
