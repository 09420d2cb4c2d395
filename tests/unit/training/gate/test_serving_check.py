"""A challenger's files and runtimes, tried as a worker would run them."""

import dataclasses
import shutil
from pathlib import Path

import pytest

from lungline.findings import Modality
from models.files import WEIGHTS, read_ensemble
from models.registry import SHIPPED, shipped
from models.runtimes.choice import RuntimeChoice
from tests.lessons import lessons
from training.gate import serving_check
from training.predictions.predict import Readings


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_agreeing_networks_are_timed_and_others_reported(tmp_path: Path) -> None:
    champion = shipped()[Modality.XRAY]
    readings = Readings(lessons(tmp_path / "data", counts={"gate": 4}))
    judged = readings.judge(champion, "gate")
    keras = RuntimeChoice("keras", tmp_path / "networks")
    sound = serving_check.try_out(champion, champion, judged, readings, keras)
    assert sound.fault is None
    assert len(sound.speeds) == 5

    elsewhere = dataclasses.replace(judged, votes=judged.votes[:, ::-1])
    disagreeing = serving_check.try_out(champion, champion, elsewhere, readings, keras)
    assert "disagree" in str(disagreeing.fault)

    copy = Path(shutil.copytree(SHIPPED, tmp_path / "copy"))
    with (copy / "xray-cnn" / WEIGHTS).open("ab") as weights:
        weights.write(b"more")
    damaged = serving_check.try_out(read_ensemble(copy, "xray"), champion, judged, readings, keras)
    assert "damaged" in str(damaged.fault)
    assert damaged.speeds == ()
