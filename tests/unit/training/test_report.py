"""The report: a page that needs nothing beside it, shows what it must, and names nobody."""

import base64
import dataclasses
import json
import re
import shutil
import stat
import subprocess
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import yaml  # type: ignore[import-untyped]

from lungline.findings import Modality
from models.files import ENSEMBLES
from tests.unit.training import drawn
from training import recipes
from training.evaluation.card import render_card
from training.evaluation.judge import EvaluatedVersion, Evaluator
from training.evaluation.test_split_log import SplitLog
from training.members.compose import compose
from training.members.train import Start, make
from training.predictions.predict import Predictions
from training.recipes import Recipe
from training.report.contents import Report
from training.report.page import render_page
from training.report.pictures import chosen
from training.report.writing import write_report
from training.rulings import ChallengerRuling, Clause, ClauseOutcome, Decision

CURVE = "Loss, validation AUROC and accuracy, epoch by epoch"
XHTML = "{http://www.w3.org/1999/xhtml}"


def small() -> Recipe:
    """A recipe that takes seconds."""
    book = recipes.load("xray-cnn")
    return dataclasses.replace(book, name="xray-small", architecture="small_cnn", preprocess="gray-96", batch=12, epochs=2)


@dataclasses.dataclass
class ReportedRun:
    """A report with what it is about."""

    found: list[EvaluatedVersion]
    predictions: Predictions
    folder: Path
    report: dict[str, Any]
    page: ET.Element


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> ReportedRun:
    """One member and its ensemble, judged on val and test."""
    home = tmp_path_factory.mktemp("home")
    drawn.sound(home / "data")
    predictions = Predictions(home / "data")
    recipe = small()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.recipes.load", {"xray-small": recipe}.__getitem__)
        patch.setattr("training.metrics.figures.RESAMPLES", 50)
        patch.setattr("training.evaluation.controls.SHUFFLES", 1)
        member = make(recipe, Start(home / "data", 5, "none", None, None), home / "models", predictions)
        files = compose(home / "models", Modality.XRAY, predictions)
        judge = Evaluator(predictions, None, SplitLog(home / "models"), leave_one_out=True)
        splits = ["val", "test"]
        found = [judge.member(member, splits), judge.ensemble(files, home / "models" / ENSEMBLES / "xray.json", splits)]
    folder = home / "reports" / "0197-a-run"
    clauses = (
        Clause("macro_auroc", ClauseOutcome.PASSED, None, 0.9, 0.912, 0.012, -0.004, 0.03, 60, 41),
        Clause("newer_labels", ClauseOutcome.NOT_GIVEN),
    )
    ruling = ChallengerRuling(Decision.HELD, "no reason to change", clauses, 3, "xray", "xray-1-a", "xray-1-b")
    path = write_report(folder, found, predictions, [ruling])
    assert path == folder / "index.html"
    return ReportedRun(found, predictions, folder, json.loads((folder / "report.json").read_text()), ET.parse(path).getroot())


def text(element: ET.Element) -> str:
    return " ".join(" ".join(element.itertext()).split())


def section(run: ReportedRun, name: str, number: int = 0) -> str:
    (found,) = run.page.findall(f".//{XHTML}article[{number + 1}]/{XHTML}section[@class='{name}']")
    return text(found)


def test_the_page_is_well_formed_and_holds_everything_itself(run: ReportedRun) -> None:
    raw = (run.folder / "index.html").read_text()
    assert raw.startswith("<!DOCTYPE html>")
    assert {element.tag for element in run.page.iter()}.isdisjoint({f"{XHTML}script", f"{XHTML}link", f"{XHTML}iframe"})
    images = run.page.findall(f".//{XHTML}img")
    assert images
    for image in images:
        assert re.match(r"data:image/(jpeg|svg\+xml);base64,", image.attrib["src"])
        assert image.attrib["alt"]
    for element in run.page.iter():
        assert all(not element.attrib.get(name, "#").startswith(("http", "//", "file")) for name in ("href", "src", "srcset"))
    assert "url(" not in raw
    assert "@import" not in raw


def test_nobody_else_may_read_it(run: ReportedRun) -> None:
    assert stat.S_IMODE(run.folder.stat().st_mode) == 0o700
    for path in run.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert {path.name for path in run.folder.iterdir()} == {"index.html", "report.json"}


def test_no_patient_group_or_file_is_named(run: ReportedRun) -> None:
    for path in run.folder.iterdir():
        said = path.read_text()
        assert "DOE" not in said
        assert ".jpg" not in said
        assert str(run.folder.parent.parent) not in said


def test_figures_have_intervals_counts_baselines_and_sources(run: ReportedRun) -> None:
    whole = section(run, "figures")
    assert run.found[0].record.figures
    figure = run.found[0].record.figures["balanced_accuracy"]
    assert f"{figure.value:.3f} [{figure.low:.3f}, {figure.high:.3f}]" in whole
    assert "18 (9)" in whole
    for rival in ("majority class", "source rule", "blind", "thumbnails"):
        assert f"baseline: {rival}" in whole
        assert f"baseline: {rival}" in section(run, "sources")
    assert "test, clinic 0 12 (6)" in section(run, "sources")
    assert "clinic 1" not in section(run, "sources")  # two pictures of a finding tell nothing
    apart = run.found[0].record.figures.left_out
    assert apart
    assert apart.within_source
    assert f"clinic 0, left out 12 (6) {apart.within_source['clinic 0']['macro_auroc'].value:.3f}" in section(run, "left_out")
    assert "sensitivity (recall) specificity precision F1" in section(run, "findings")
    assert "label \\ answer" in section(run, "findings")


def test_controls_calibration_coverage_and_looks_are_told(run: ReportedRun) -> None:
    assert "Lungs blacked out: macro AUROC" in section(run, "controls")
    assert "Trained on shuffled labels" in section(run, "controls")
    assert "ECE" in section(run, "calibration")
    assert "perfect calibration would show" in section(run, "calibration")
    assert "are accepted" in section(run, "coverage", 1)
    assert "Mean disagreement" in section(run, "coverage", 1)
    assert "was used for 1 versions so far" in section(run, "uses")
    assert "was used for 2 versions so far" in section(run, "uses", 1)
    assert "TRIPOD+AI" in section(run, "items")
    (gate,) = run.page.findall(f".//{XHTML}header/{XHTML}section[@class='gate']")
    for said in (
        "no reason to change",
        "use 3 of these",
        "xray-1-b",
        "0.900",
        "0.912",
        "+0.012 [-0.004, +0.030]",
        "60 (41)",
        "not given",
    ):
        assert said in text(gate)


def test_each_section_has_its_drawing(run: ReportedRun) -> None:
    drawings = {
        image.attrib["alt"]: base64.b64decode(image.attrib["src"].partition(",")[2])
        for image in run.page.findall(f".//{XHTML}article[1]//{XHTML}img")
    }
    for what in (CURVE, "ROC of each finding against the rest, on test", "Reliability on test"):
        assert any(element.tag.endswith("path") for element in ET.fromstring(drawings[what]).iter())
    assert "Risk against coverage on test" in drawings
    for colour in ("#0072b2", "#d55e00"):  # loss and AUROC, a point an epoch
        lines = [element for element in ET.fromstring(drawings[CURVE]).iter() if colour in element.attrib.get("style", "")]
        assert any(len(re.findall(r"[ML] ", line.attrib.get("d", ""))) == 2 for line in lines)


def test_ten_pictures_with_label_answer_and_map(run: ReportedRun) -> None:
    shown = run.report["versions"][0]["pictures"]["shown"]
    assert len(shown) == 10
    predicted = run.found[0].predicted["test"]
    wrong = int((predicted.votes.argmax(axis=1) != predicted.wanted).sum())
    assert sum(value["label"] != value["answer"] for value in shown) == min(wrong, 4)
    assert text(run.page).count(", wrong") >= min(wrong, 4)
    for value in shown:
        assert value["probability"] == pytest.approx(max(value["probabilities"].values()), abs=1e-4)
        for name in ("picture", "explained"):
            data = np.frombuffer(base64.b64decode(value[name].partition(",")[2]), np.uint8)
            picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
            assert picture is not None
            assert picture.shape == (192, 192, 3)


def test_which_pictures_is_fixed_by_their_bytes(run: ReportedRun) -> None:
    predicted = run.found[0].predicted["test"]
    turned = dataclasses.replace(
        predicted,
        examples=predicted.examples[::-1],
        wanted=predicted.wanted[::-1],
        votes=predicted.votes[::-1],
        accepted=predicted.accepted[::-1],
    )
    assert [predicted.examples[row].path for row in chosen(predicted)] == [turned.examples[row].path for row in chosen(turned)]


def test_the_page_shows_what_the_json_holds_and_no_more(run: ReportedRun) -> None:
    assert render_page(Report.model_validate(run.report)) == (run.folder / "index.html").read_text()


def test_undefined_figures_leave_gaps_and_a_note(run: ReportedRun) -> None:
    facts = json.loads(json.dumps(run.report | {"versions": run.report["versions"][:1]}))
    first = facts["versions"][0]["told"]
    first["limit"] = 32
    first.pop("figures")
    first["validation"].pop("macro_auroc")
    first["curve"] = [{"epoch": 1, "loss": None, "validation_auroc": None, "seconds": 1.0}]
    root = ET.fromstring(render_page(Report.model_validate(facts)))
    (caveats,) = root.findall(f".//{XHTML}article[1]/{XHTML}section[@class='caveats']")
    assert "Trained on 32 pictures at the most" in text(caveats)
    assert "macro AUROC is not defined" in text(caveats)
    assert "Not evaluated on test" in text(caveats)
    assert "On so few its figures mean nothing".lower() in text(caveats).lower()


def test_published_figure_is_beside_the_honest_figure(run: ReportedRun) -> None:
    facts = json.loads(json.dumps(run.report | {"versions": run.report["versions"][:1]}))
    figure = {"value": 0.9, "low": 0.8, "high": 1.0}
    facts["versions"][0]["told"]["as_published"] = {
        "system": "A system (a page, 2020)",
        "protocol": "Picture by picture.",
        "figure": {"metric": "accuracy", **figure},
        "published": {"metric": "accuracy", "value": 0.98, "on": "ten pictures"},
        "wrong": ["Patients on both sides."],
        "unstated": ["the learning rate"],
        "otherwise": ["Its base sees two views."],
        "figures": {
            "images": 20,
            "groups": 10,
            "accuracy": figure,
            "covid19_precision": figure | {"value": 0.75},
            "confusion": {"covid19": {"covid19": 9, "normal": 1}, "normal": {"covid19": 3, "normal": 7}},
        },
    }
    (own,) = ET.fromstring(render_page(Report.model_validate(facts))).findall(f".//{XHTML}article[1]/{XHTML}section[@class='published']")
    assert run.found[0].record.figures
    honest = run.found[0].record.figures["accuracy"].value
    for said in ("covid19 10 0.750 [0.800, 1.000]", "normal 3 7", "Its base sees two views."):
        assert said in text(own)
    for said in ("0.980", "0.900 [0.800, 1.000]", f"{honest:.3f}", "Patients on both sides.", "the learning rate"):
        assert said in text(own)


def test_what_could_be_markup_is_shown_as_text(run: ReportedRun) -> None:
    answer = dict(run.report)
    answer |= {"versions": [], "gate": [run.report["gate"][0] | {"reason": "<script>alert(1)</script> & more"}]}
    assert "<script>alert(1)</script> & more" in text(ET.fromstring(render_page(Report.model_validate(answer))))


def test_a_card_has_front_matter_that_hugging_face_reads(run: ReportedRun) -> None:
    said = render_card(run.found[0].record, run.found[0].version)
    assert said == run.found[0].card
    front = yaml.safe_load(said.split("---\n")[1])
    assert front["license"] == "other"
    assert {"small_cnn", "xray", "covid19"} <= set(front["tags"])
    (entry,) = front["model-index"]
    assert entry["name"] == run.found[0].version
    result = next(value for value in entry["results"] if value["dataset"]["split"] == "test")
    values = {metric["type"]: metric["value"] for metric in result["metrics"]}
    assert run.found[0].record.figures
    assert values["accuracy"] == run.found[0].record.figures["accuracy"].value


@pytest.mark.skipif(not shutil.which("chromium"), reason="needs chromium (Debian: apt install chromium)")
def test_a_browser_shows_it_and_asks_nobody_for_anything(run: ReportedRun, tmp_path: Path) -> None:
    shot = tmp_path / "shot.png"
    options = [
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
        "--window-size=390,2400",
        f"--user-data-dir={tmp_path}",
    ]
    said = subprocess.run(
        ["chromium", *options, "--enable-logging=stderr", f"--screenshot={shot}", (run.folder / "index.html").as_uri()],
        capture_output=True,
        text=True,
        timeout=300,
        check=True,
    )
    assert "Content Security Policy" not in said.stderr
    drawn_page = cv2.imread(str(shot))
    assert drawn_page is not None
    assert drawn_page.std() > 10
