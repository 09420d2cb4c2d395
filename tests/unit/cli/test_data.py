"""`lungline data`: what it prints, how it exits, and that it names nobody."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.data import Kind, app
from lungline.errors import TrainingError
from tests.unit.training import drawn
from tests.unit.training.drawn import cloudy, save, sound
from training.data.audit import require_sound
from training.data.builders import KINDS


def test_a_sound_data_set_exits_0_and_is_not_audited_again(tmp_path: Path, home: Path) -> None:
    manifest = sound(tmp_path / "data")
    done = CliRunner().invoke(app, ["check", str(manifest.parent)])
    assert done.exit_code == 0, done.exception
    assert "0 errors, 0 warnings." in done.stdout
    assert "covid19 can be recognised by border alone, AUROC" in done.stderr
    (kept,) = (home / "cache" / "audits").iterdir()
    written = kept.stat().st_mtime_ns
    require_sound(manifest, home)
    assert kept.stat().st_mtime_ns == written


def test_errors_exit_1_and_name_nobody(tmp_path: Path) -> None:
    manifest = sound(tmp_path / "data")
    rows = drawn.read(manifest)
    rows[0]["patient"] = rows[0]["group"] = rows[15]["patient"]
    rows[4]["path"] = "DOE^JOHN.dcm"
    drawn.write(manifest, rows)
    done = CliRunner().invoke(app, ["check", str(manifest), "--json"])
    assert done.exit_code == 1
    printed = [json.loads(line) for line in done.stdout.splitlines()]
    assert [set(finding) for finding in printed] == [{"check", "severity", "detail"}] * len(printed)
    assert {finding["check"] for finding in printed if finding["severity"] == "error"} == {"split_leak", "unreadable"}
    assert "DOE" not in done.output


def test_a_folder_is_built_and_then_checked(tmp_path: Path) -> None:
    for seed, label in enumerate(("covid", "healthy lung")):
        for number in range(4):
            save(tmp_path / "pictures" / label / f"{number}.png", cloudy(10 * seed + number))
    arguments = ["build", "--from", "folders", str(tmp_path / "pictures"), "--out", str(tmp_path / "set")]
    done = CliRunner().invoke(app, [*arguments, "--modality", "ct", "--label", "healthy lung=normal", "--source", "clinic"])
    assert done.exit_code == 0, done.exception
    assert "covid19" in done.stdout
    assert {row["source"] for row in drawn.read(tmp_path / "set" / "manifest.csv")} == {"clinic"}
    assert CliRunner().invoke(app, ["check", str(tmp_path / "set")]).exit_code == 0


def test_what_was_left_out_and_what_is_torn_is_said(tmp_path: Path) -> None:
    for seed, name in enumerate(("train/covid", "train/normal", "test/covid", "test/normal")):
        save(tmp_path / "xray" / name / "1.png", cloudy(seed))
    save(tmp_path / "xray" / "test" / "normal" / "2.jpg", cloudy(1))  # a copy of train's
    (tmp_path / "xray" / "train" / "covid" / "3.png").write_bytes(b"no picture")
    arguments = ["build", "--from", "tree", str(tmp_path / "xray"), "--out", str(tmp_path / "manifest.csv")]
    said = CliRunner().invoke(app, arguments).stdout
    assert "1 pictures cannot be read" in said
    assert "1 groups are in two splits" in said
    assert CliRunner().invoke(app, ["check", str(tmp_path)]).exit_code == 1
    said = CliRunner().invoke(app, [*arguments, "--only-sound"]).stdout
    assert "Left out: 1 that cannot be read." in said
    assert "Left out: 1 of a group that is on a more protected side too." in said


def test_a_manifest_that_is_missing_is_said(tmp_path: Path) -> None:
    assert isinstance(CliRunner().invoke(app, ["check", str(tmp_path)]).exception, TrainingError)


@pytest.mark.parametrize("arguments", [["--from", "zip"], ["--from", "tree"], []])
def test_wrong_usage_exits_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(app, ["build", ".", *arguments]).exit_code == 2


def test_kinds_are_those_that_there_are() -> None:
    assert [kind.value for kind in Kind] == [*KINDS, "store"]
