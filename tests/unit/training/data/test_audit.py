"""The audit names each kind of leak that is planted, lets a sound data set pass, and names nobody."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from imaging.phantoms import picture
from lungline.errors import TrainingError
from tests.unit.training import drawn
from tests.unit.training.drawn import Picture, cloudy, save, sound
from training.data import audit
from training.data.audit import Audit, likeness, require_sound
from training.data.audit.checks import Finding, Severity
from training.data.audit.image_statistics import measure


def found(manifest: Path) -> Audit:
    return audit.audit(manifest)


def details(manifest: Path, check: str) -> list[str]:
    return [finding.detail for finding in found(manifest).findings if finding.check == check]


def replant(manifest: Path, change: Callable[[drawn.Rows], None]) -> Path:
    rows = drawn.read(manifest)
    change(rows)
    return drawn.write(manifest, rows)


def test_a_sound_data_set_passes(tmp_path: Path) -> None:
    assert found(sound(tmp_path)).findings == ()


def test_so_does_one_whose_pictures_all_look_alike(tmp_path: Path) -> None:
    manifest = sound(tmp_path, lambda seed: picture("xray", seed))
    assert found(manifest).errors == []


def test_a_patient_on_two_sides_is_a_split_leak(tmp_path: Path) -> None:
    def plant(rows: drawn.Rows) -> None:
        rows[0]["patient"] = rows[15]["patient"]  # train and val

    (finding_text,) = details(replant(sound(tmp_path), plant), "split_leak")
    assert finding_text == "rows 2, 16, 17: one patient in train and val"  # 17: the same patient's other picture
    assert "DOE" not in finding_text


def test_a_group_on_two_sides_is_a_split_leak(tmp_path: Path) -> None:
    def plant(rows: drawn.Rows) -> None:
        rows[0]["group"] = rows[20]["group"]

    (finding_text,) = details(replant(sound(tmp_path), plant), "split_leak")
    assert finding_text == "rows 2, 22, 23: one group in test and train"


def test_an_original_of_a_test_picture_may_be_shown(tmp_path: Path) -> None:
    def plant(rows: drawn.Rows) -> None:
        rows[20]["split"] = "demo"  # its patient's other picture is in test

    assert found(replant(sound(tmp_path), plant)).errors == []


_COPIES: dict[str, Callable[[Picture], tuple[Picture, str]]] = {
    "same bytes": lambda drawn: (drawn, ".jpg"),
    "as a PNG": lambda drawn: (drawn, ".png"),
    "halved": lambda drawn: (np.asarray(cv2.resize(drawn, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8), ".png"),
    "enlarged": lambda drawn: (np.asarray(cv2.resize(drawn, (150, 130)), np.uint8), ".jpg"),
    "brightened": lambda drawn: (np.asarray(cv2.convertScaleAbs(drawn, alpha=1.1, beta=8), np.uint8), ".jpg"),
    "mirrored": lambda drawn: (np.ascontiguousarray(drawn[:, ::-1]), ".jpg"),
    "noisy": lambda drawn: (
        np.clip(drawn + np.random.default_rng(1).normal(0, 6, drawn.shape), 0, 255).astype(np.uint8),
        ".png",
    ),
}


@pytest.mark.parametrize("way", _COPIES)
def test_a_copy_on_two_sides_is_a_near_duplicate(way: str, tmp_path: Path) -> None:
    manifest = sound(tmp_path)

    def plant(rows: drawn.Rows) -> None:
        copy, end = _COPIES[way](cloudy(3))
        rows[14]["path"] = save(tmp_path / f"copy{end}", copy).name  # row 3 is in train, row 14 in val, both covid19

    assert details(replant(manifest, plant), "near_duplicate") == ["rows 5, 16: one picture in train and val"]


def test_a_copy_among_pictures_that_all_look_alike_is_found(tmp_path: Path) -> None:
    manifest = sound(tmp_path, lambda seed: picture("xray", seed))

    def plant(rows: drawn.Rows) -> None:
        rows[14]["path"] = save(tmp_path / "copy.jpg", picture("xray", 3), quality=80).name

    assert details(replant(manifest, plant), "near_duplicate") == ["rows 5, 16: one picture in train and val"]


def test_one_picture_with_two_labels_is_a_label_clash(tmp_path: Path) -> None:
    manifest = sound(tmp_path)

    def plant(rows: drawn.Rows) -> None:
        rows[24]["path"] = save(tmp_path / "copy.png", cloudy(0)).name  # the file differs; the picture nearly not

    (finding_text,) = details(replant(manifest, plant), "label_clash")
    assert finding_text == "rows 2, 26: one picture as xray covid19 and xray pneumonia"


def test_one_picture_as_xray_and_as_ct_is_a_label_clash(tmp_path: Path) -> None:
    manifest = sound(tmp_path)

    def plant(rows: drawn.Rows) -> None:
        rows.append({**rows[0], "modality": "ct"})

    assert details(replant(manifest, plant), "label_clash") == ["rows 2, 74: one picture as xray covid19 and ct covid19"]


def test_rows_are_numbered_as_spreadsheets_show_them(tmp_path: Path) -> None:
    manifest = sound(tmp_path)
    head, *lines = manifest.read_text().splitlines()
    manifest.write_text("\n".join([head, "", '"a ""cell""\nof two lines.jpg",xray,normal,p,p,clinic 1,train', *lines]))
    (finding_text,) = details(manifest, "unreadable")
    assert finding_text.startswith("row 3: ")


def test_what_cannot_be_read_is_told(tmp_path: Path) -> None:
    manifest = sound(tmp_path)
    (tmp_path / "covid19-train-0.jpg").unlink()
    (tmp_path / "covid19-train-1.jpg").write_bytes(b"\xff\xd8\xff no picture")
    (finding_text,) = details(manifest, "unreadable")
    assert finding_text.startswith("rows 2, 3: missing")


def test_a_class_from_one_source_is_a_warning(tmp_path: Path) -> None:
    def plant(rows: drawn.Rows) -> None:
        for row in rows:
            row["source"] = "clinic 0 (a copy)" if row["label"] == "covid19" else row["source"]

    all_found = found(replant(sound(tmp_path), plant))
    assert Finding("single_source", Severity.WARNING, "xray: covid19 comes from one source alone (clinic 0)") in all_found.findings
    assert all_found.errors == []


def test_a_rare_finding_and_a_missing_one_are_warnings(tmp_path: Path) -> None:
    def plant(rows: drawn.Rows) -> None:
        rows[:] = [row for row in rows if row["label"] != "covid19" or row["path"].endswith(("train-0.jpg", "test-0.jpg"))]

    assert details(replant(sound(tmp_path), plant), "imbalance") == [
        "xray: 12 pictures of pneumonia, 1 of covid19",
        "xray: no covid19 in val",
    ]


def _framed(path: Path) -> None:
    drawing = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert drawing is not None
    save(path, np.asarray(cv2.rectangle(drawing, (0, 0), (95, 95), 255, 4), np.uint8))


def _stretched(path: Path) -> None:
    drawing = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert drawing is not None
    save(path, np.asarray(cv2.resize(drawing, (96, 120)), np.uint8))


def _squeezed(path: Path) -> None:
    drawing = cv2.imread(str(path), cv2.IMREAD_GRAYSCALE)
    assert drawing is not None
    save(path, np.asarray(drawing, np.uint8), quality=60)


@pytest.mark.parametrize(("spoil", "by"), [(_framed, "border"), (_stretched, "size"), (_squeezed, "format")])
def test_what_marks_one_class_is_a_shortcut(spoil: Callable[[Path], None], by: str, tmp_path: Path) -> None:
    manifest = sound(tmp_path)
    for path in tmp_path.glob("covid19-*.jpg"):
        spoil(path)
    errors = found(manifest).errors
    assert {finding.check for finding in errors} == {"shortcut"}
    assert any(f"covid19 can be recognised by {by} alone, AUROC 1.00" in finding.detail for finding in errors)


def test_a_source_that_gives_the_class_away_is_a_shortcut(tmp_path: Path) -> None:
    def plant(rows: drawn.Rows) -> None:
        for row in rows:
            row["source"] = f"{row['source']} {row['label']}"

    errors = found(replant(sound(tmp_path), plant)).errors
    assert [finding.check for finding in errors] == ["shortcut"] * 3
    assert all("by source alone" in finding.detail for finding in errors)


def test_a_mark_on_some_of_a_class_is_a_warning(tmp_path: Path) -> None:
    manifest = sound(tmp_path)
    for path in tmp_path.glob("covid19-*[01234].jpg"):
        _framed(path)
    shortcuts = [finding for finding in found(manifest).findings if finding.check == "shortcut"]
    assert {finding.severity for finding in shortcuts} == {Severity.WARNING}
    assert any("covid19 can be recognised by border alone" in finding.detail for finding in shortcuts)


def test_source_whose_label_no_ensemble_knows_is_a_warning(tmp_path: Path) -> None:
    def plant(rows: drawn.Rows) -> None:
        for row in rows:
            row["modality"] = "ct"
            row["label"] = {"pneumonia": "cap", "normal": "non_covid"}.get(row["label"], row["label"])
            row["source"] = "clinic 2" if row["label"] == "cap" else row["source"]

    all_found = found(replant(sound(tmp_path), plant))
    assert all_found.errors == []
    assert any("cap can be recognised by source alone, AUROC 1.00" in finding.detail for finding in all_found.findings)


def test_many_leaks_are_told_in_few_lines(tmp_path: Path) -> None:
    def plant(rows: drawn.Rows) -> None:
        for row in rows:
            row["group"] = row["patient"] = f"DOE-{row['path'].split('-')[2]}-{row['label']}"
        rows += [
            {**row, "group": f"{row['group']}{n}", "patient": "", "split": split}
            for n in range(3)
            for row in rows[:12]
            for split in ("train", "val")
        ]

    finding_text = details(replant(sound(tmp_path), plant), "split_leak")
    assert len(finding_text) == 21
    assert finding_text[-1].endswith("more such")


def test_flat_pictures_are_copies_only_if_identical() -> None:
    def blank(value: int) -> bytes:
        return bytes(cv2.imencode(".png", np.full((40, 40), value, np.uint8))[1])

    statistics = [measure(blank(0)), measure(blank(200)), None, measure(blank(0))]
    assert likeness.copies(statistics) == [(0, 3, float("inf"))]


def test_a_data_set_with_errors_is_refused(tmp_path: Path) -> None:
    manifest = sound(tmp_path / "data")
    require_sound(manifest, tmp_path)
    (tmp_path / "data" / "normal-val-0.jpg").write_bytes(b"no picture")
    with pytest.raises(TrainingError, match=r"unreadable.*lungline data check"):
        require_sound(manifest, tmp_path)


def test_what_was_audited_is_not_audited_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    manifest = sound(tmp_path / "data")
    require_sound(manifest, tmp_path)
    asked: list[Path] = []

    def made(manifest: Path) -> Audit:
        asked.append(manifest)
        return Audit((), ())

    monkeypatch.setattr(audit, "audit", made)
    require_sound(manifest, tmp_path)
    assert asked == []
    replant(manifest, lambda rows: rows[0].update(source="elsewhere"))
    require_sound(manifest, tmp_path)
    assert asked == [manifest]


def test_a_cache_that_cannot_be_written_is_done_without(tmp_path: Path) -> None:
    manifest = sound(tmp_path / "data")
    (tmp_path / "file").write_text("")
    require_sound(manifest, tmp_path / "file")


@pytest.mark.parametrize("text", ["", "path,label\n", "path,modality,label,group,source\na,xray,normal,g,s\n", "path\n\xff", "\0\n\0"])
def test_a_manifest_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    manifest = tmp_path / "manifest.csv"
    manifest.write_bytes(text.encode("latin-1"))
    with pytest.raises(TrainingError, match=r"lungline data|no row"):
        audit.audit(manifest)


@pytest.mark.slow
def test_the_labelled_scans_have_warnings_alone(training_data: Path) -> None:
    all_found = found(training_data / "manifest.csv")
    assert all_found.errors == []
    assert {finding.check for finding in all_found.findings} == {"shortcut"}


def test_copies_of_copies_hang_together() -> None:
    pairs = [(1, 4, 3.0), (2, 3, 3.0), (4, 6, 3.0), (1, 6, 3.0)]
    assert likeness.joined(pairs, 7) == [0, 1, 2, 2, 1, 5, 1]
    assert likeness.joined([], 2) == [0, 1]
    assert likeness.joined([], 0) == []
