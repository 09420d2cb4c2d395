"""What stands beside the members that a retraining makes: the champion's others, whoever was champion when it first began."""

import dataclasses
import hashlib
import shutil
from pathlib import Path

from lungline.findings import Modality
from models.files import MEMBER, WEIGHTS, EnsembleFiles, read_member
from models.registry import shipped
from training.retraining.run import keep_others


def with_another_cnn(champion: EnsembleFiles, folder: Path) -> EnsembleFiles:
    """The champion with other weights in the place of its compact network."""
    there = {place.member.name: place for place in champion.places}["xray-cnn"]
    other = Path(shutil.copytree(there.member.folder, folder))
    (other / WEIGHTS).write_bytes(b"others")
    record = there.member.record.model_copy(update={"sha256": hashlib.sha256(b"others").hexdigest()})
    (other / MEMBER).write_text(record.text())
    return dataclasses.replace(champion, places=(dataclasses.replace(there, member=read_member(other)),))


def test_after_a_promotion_only_the_new_champion_remains(tmp_path: Path) -> None:
    champion, out = shipped()[Modality.XRAY], tmp_path / "run"
    ct = {place.member.name for place in shipped()[Modality.CT].places}
    out.mkdir()
    keep_others(shipped()[Modality.CT], (), out)
    keep_others(champion, (), out)
    assert {path.name for path in out.iterdir()} == {*ct, "xray-cnn", "xray-mobilenetv2"}
    since = with_another_cnn(champion, tmp_path / "other")
    keep_others(since, (), out)
    assert {path.name for path in out.iterdir()} == {*ct, "xray-cnn"}
    assert read_member(out / "xray-cnn").sha256 == since.places[0].member.sha256


def test_what_the_run_trains_itself_is_left_to_it(tmp_path: Path) -> None:
    out = tmp_path / "run"
    (out / "xray-cnn").mkdir(parents=True)
    (out / "xray-cnn" / MEMBER).write_text("{")
    keep_others(shipped()[Modality.XRAY], ("xray-cnn",), out)
    assert (out / "xray-cnn" / MEMBER).read_text() == "{"
    assert (out / "xray-mobilenetv2" / WEIGHTS).is_file()
