"""How a picture lies is known, what lies wrong is turned right, and both are told: on drawn chests, and on real ones where they are."""

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from imaging.phantoms import picture
from imaging.read import read as read_image
from lungline.errors import ModelError
from lungline.findings import Modality
from lungline.reasons import Reason
from models import pose
from models.pose import KINDS, SHIPPED, set_right, turn_right
from models.preprocess import Pixels

if TYPE_CHECKING:
    from training.data.datasets import Example


def chest(kind: str, seed: int) -> Pixels:
    assert kind in ("xray", "ct")
    return picture("xray" if kind == "xray" else "ct", seed).astype(np.float32) / np.float32(255)


def answer_with(**values: float) -> dict[str, float]:
    return dict.fromkeys(KINDS, 0.0) | values


@pytest.mark.parametrize("said", [None, Modality.XRAY])
@pytest.mark.parametrize("seed", range(6))
def test_an_upright_film_stays_as_it_is(seed: int, said: Modality | None) -> None:
    film = chest("xray", seed)
    found = set_right(film, said)
    assert found.doubt is None
    assert found.pixels is film


@pytest.mark.parametrize("turns", range(4))
@pytest.mark.parametrize("seed", range(3))
def test_a_negative_is_inverted_and_doubted_however_it_lies(seed: int, turns: int) -> None:
    film = chest("xray", seed)
    found = set_right(np.ascontiguousarray(1 - np.rot90(film, turns)), None)
    assert found.doubt is Reason.POLARITY_IN_DOUBT
    np.testing.assert_allclose(found.pixels, film, atol=1e-6)


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_a_turned_film_is_put_upright_and_doubted(turns: int) -> None:
    film = chest("xray", 1)[:, 20:]  # no square
    found = set_right(np.ascontiguousarray(np.rot90(film, turns)), Modality.XRAY)
    assert found.doubt is Reason.NOT_UPRIGHT
    np.testing.assert_array_equal(found.pixels, film)


@pytest.mark.parametrize("said", [None, Modality.CT])
@pytest.mark.parametrize("seed", range(4))
def test_a_slice_may_lie_as_it_likes_but_not_be_a_negative(seed: int, said: Modality | None) -> None:
    image = chest("ct", seed)
    for turns in range(4):
        assert set_right(np.ascontiguousarray(np.rot90(image, turns)), said).doubt is None
    found = set_right(1 - image, said)
    assert found.doubt is Reason.POLARITY_IN_DOUBT
    np.testing.assert_allclose(found.pixels, image, atol=1e-6)


def test_what_header_or_folder_say_rules_the_rest_out() -> None:
    film = chest("xray", 0)
    doubtful = answer_with(film_0=0.3, ct_negative=0.6, other=0.1)
    assert turn_right(film, doubtful, None, 0.5).doubt is Reason.POLARITY_IN_DOUBT
    assert turn_right(film, doubtful, Modality.XRAY, 0.5).doubt is None
    assert turn_right(film, answer_with(film_0_negative=0.6, ct=0.3, other=0.1), Modality.CT, 0.5).doubt is None


def test_what_is_doubted_and_more_probably_right_stays_as_it_is() -> None:
    film = chest("xray", 0)
    found = turn_right(film, answer_with(film_0=0.4, film_0_negative=0.35, film_90=0.25), Modality.XRAY, 0.5)
    assert (found.doubt, found.pixels is film) == (Reason.POLARITY_IN_DOUBT, True)


def test_a_lateral_is_doubted_and_stays_as_it_is() -> None:
    film = chest("xray", 0)
    found = turn_right(film, answer_with(film_0=0.2, lateral=0.8), None, 0.5)
    assert found.doubt is Reason.NOT_FRONTAL
    np.testing.assert_array_equal(found.pixels, film)


def test_network_answers_alike_for_every_pose_of_a_picture() -> None:
    network = pose.shipped()
    film = chest("xray", 3)
    upright = network.judge(film)
    for turns in range(4):
        for sign in ("", "_negative"):
            turned = np.rot90(1 - film if sign else film, turns)
            assert network.judge(np.ascontiguousarray(turned))[f"film_{turns * 90}{sign}"] == pytest.approx(upright["film_0"], abs=1e-3)


@pytest.mark.parametrize("pixels", [np.zeros((3, 5), np.float32), np.full((64, 64), 0.5, np.float32), np.ones((1, 1), np.float32)])
def test_a_picture_of_nothing_does_no_harm(pixels: Pixels) -> None:
    assert set_right(pixels, None).pixels.size == pixels.size


@pytest.mark.parametrize("fault", ["missing", "cut", "other kinds"])
def test_a_damaged_network_is_refused(tmp_path: Path, fault: str) -> None:
    folder = tmp_path / "pose"
    shutil.copytree(SHIPPED, folder)
    match fault:
        case "missing":
            (folder / pose.WEIGHTS).unlink()
        case "cut":
            (folder / pose.WEIGHTS).write_bytes((folder / pose.WEIGHTS).read_bytes()[:-10])
        case _:
            facts = json.loads((folder / pose.DESCRIPTION).read_text())
            (folder / pose.DESCRIPTION).write_text(json.dumps(facts | {"kinds": ["film", "other"]}))
    with pytest.raises(ModelError, match="git checkout"):
        pose.read(folder)


@pytest.fixture(scope="module")
def validation(training_data: Path) -> "list[tuple[Example, Pixels]]":
    from training.data.datasets import load

    examples = [example for example in load(training_data, None).examples if example.split == "val"]
    return [(example, read_image(example.path.read_bytes()).pixels) for example in examples]


def test_real_films_are_known_in_every_pose(validation: "list[tuple[Example, Pixels]]") -> None:
    films = [pixels for example, pixels in validation if example.label == "xray"]
    assert np.mean([set_right(film, None).doubt is not None for film in films]) <= 0.003
    for wrong, reason in (
        ([1 - film for film in films[::2]], Reason.POLARITY_IN_DOUBT),
        ([np.rot90(film, 1 + number % 3) for number, film in enumerate(films[1::2])], Reason.NOT_UPRIGHT),
    ):
        assert np.mean([set_right(np.ascontiguousarray(film), None).doubt is reason for film in wrong]) >= 0.98


def test_real_slices_are_known_from_their_negatives(validation: "list[tuple[Example, Pixels]]") -> None:
    slices = [pixels for example, pixels in validation if example.label == "ct"]
    assert np.mean([set_right(slice_, None).doubt is not None for slice_ in slices]) <= 0.01
    assert np.mean([set_right(1 - slice_, None).doubt is Reason.POLARITY_IN_DOUBT for slice_ in slices]) >= 0.95


def test_laterals_of_an_unseen_patient_are_recognised(training_data: Path) -> None:
    from training.pose.projections import project_films, read_series

    folder = training_data / "series" / "covid_ct_md_P001"
    if not folder.is_dir():
        pytest.skip("no CT series in the labelled scans")
    volume = read_series(folder)
    assert {set_right(film, Modality.XRAY).doubt for film in project_films(volume, lateral=True)} == {Reason.NOT_FRONTAL}
    assert {set_right(film, Modality.XRAY).doubt for film in project_films(volume, lateral=False)} == {None}
