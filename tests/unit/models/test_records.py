"""What the JSON files beside weights hold, and that files of older versions are read and written again as they were."""

import json
from pathlib import Path

import pytest
from pydantic import ValidationError

from models.files import ENSEMBLES, MEMBER
from models.records import EnsembleRecord, Evaluation, Figure, MemberRecord, Metrics
from models.registry import SHIPPED

FILES = [*sorted(SHIPPED.glob(f"*/{MEMBER}")), *sorted((SHIPPED / ENSEMBLES).glob("*.json"))]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_what_ships_is_written_again_as_it_was(path: Path) -> None:
    record = (MemberRecord if path.name == MEMBER else EnsembleRecord).model_validate_json(path.read_bytes())
    assert json.loads(record.text()) == json.loads(path.read_text())


def test_unknown_contents_of_another_version_are_kept() -> None:
    contents = json.loads((SHIPPED / "xray-cnn" / MEMBER).read_text()) | {"baselines": {"blind": {"accuracy": 0.6}}}
    contents["figures"] |= {"kappa": 0.5}  # a plain number, as some versions wrote it
    record = MemberRecord.model_validate(contents)
    assert record.as_json() == contents
    assert record.figures
    assert record.figures.get("kappa") is None


def test_figures_are_found_by_their_names() -> None:
    evaluation = Evaluation.of(
        {"accuracy": Figure(value=0.75, low=0.5, high=1.0)}, images=4, within_source={"clinic": Metrics.of({}, images=2)}
    )
    assert "accuracy" in evaluation
    assert "images" not in evaluation
    assert evaluation["accuracy"].text() == "0.750 [0.500, 1.000]"
    with pytest.raises(KeyError):
        evaluation["brier"]
    assert evaluation.as_json() == {
        "images": 4,
        "within_source": {"clinic": {"images": 2}},
        "accuracy": {"value": 0.75, "low": 0.5, "high": 1.0},
    }


def test_a_record_of_the_wrong_shape_is_refused() -> None:
    for wrong in ({"outputs": "covid19"}, {"temperature": "warm"}, {"figures": {"confusion": 3}}, {"curve": [{"loss": 1}]}):
        contents = json.loads((SHIPPED / "xray-cnn" / MEMBER).read_text()) | wrong
        with pytest.raises(ValidationError):
            MemberRecord.model_validate(contents)
