"""`lungline models export`: what is written, and that nothing is where something is wrong."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.models import app
from lungline import RESEARCH_USE
from lungline.errors import ModelError
from lungline.settings import load
from models.files import MEMBER, WEIGHTS, Member, read_member
from models.interchange.export import ENDINGS, export
from models.preprocess import PREPROCESSES, in_words
from models.registry import SHIPPED


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["export", *arguments])


@pytest.fixture
def member(tmp_path: Path) -> Member:
    """A copy of a shipped one."""
    return read_member(Path(shutil.copytree(SHIPPED / "xray-cnn", tmp_path / "xray-cnn")))


def _retold(member: Member, **changes: object) -> Member:
    (member.folder / MEMBER).write_text(json.dumps({**member.record.as_json(), **changes}))
    return read_member(member.folder)


def test_a_file_and_beside_it_all_that_one_must_know(tmp_path: Path) -> None:
    """By the command as it is run, by a member's name; with its libraries' chatter, if there were any."""
    out = tmp_path / "for the ward"
    out.mkdir()
    command = [sys.executable, "-m", "cli", "models", "export", "xray-cnn", "--format", "litert", "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=280, check=False)
    assert (done.returncode, len(done.stdout.splitlines()), len(done.stderr.splitlines())) == (0, 1, 1), done.stderr
    member = read_member(SHIPPED / "xray-cnn")
    path = out / f"{member.version}.tflite"
    facts = json.loads((out / f"{member.version}.tflite.json").read_text())
    assert sorted(out.iterdir()) == [path, out / f"{path.name}.json"]
    assert facts["version"] == member.version
    assert facts["weights_sha256"] == member.sha256
    assert facts["sha256"] == {path.name: hashlib.sha256(path.read_bytes()).hexdigest()}
    assert facts["input"] == {
        "shape": [1, 128, 128, 1],
        "type": "float32",
        "range": [0, 1],
        "preprocess": "gray-128",
        "in_words": in_words("gray-128"),
    }
    assert facts["output"]["findings"] == list(member.outputs)
    assert facts["temperature"] == member.record.temperature
    assert facts["compared_with_keras"]["probability_moves_at_most"] <= facts["compared_with_keras"]["allowed"]
    assert "LICENSE-weights.md" in facts["licence"]
    assert facts["use"] == RESEARCH_USE


def test_what_disagrees_is_not_written(member: Member, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    cold = _retold(member, temperature=1e-7)  # by which the last bit of a logit decides
    with pytest.raises(ModelError, match="does not answer as in Keras"):
        export(cold, "onnx", out)
    assert not list(out.iterdir())


def test_a_damaged_member_is_not_written(member: Member, tmp_path: Path) -> None:
    (member.folder / WEIGHTS).write_bytes(b"")
    with pytest.raises(ModelError, match="damaged"):
        export(member, "onnx", tmp_path / "network.onnx")
    assert not (tmp_path / "network.onnx").exists()


@pytest.mark.slow
def test_failed_conversion_is_reported_in_our_words(member: Member, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=rf"`{member.version}` cannot be written as onnx \(ModelError\)"):
        export(_retold(member, architecture="small_cnn"), "onnx", tmp_path / "network.onnx")


def test_names_of_members_versions_and_ensembles() -> None:
    assert "no such member" in str(run("nobody", "--format", "onnx").exception)
    assert "ensemble" in str(run("xray", "--format", "onnx").exception)
    assert run("xray-cnn", "--format", "gif").exit_code == 2


def test_where_it_is_written_is_looked_at_first(member: Member, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"end with \.xml"):
        export(member, "openvino", tmp_path / "network.bin")
    (tmp_path / "out" / f"{member.version}.savedmodel").mkdir(parents=True)
    with pytest.raises(ModelError, match="folder of that name"):
        export(member, "savedmodel", tmp_path / "out")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for a process's children")
def test_killed_on_its_way_it_leaves_nothing(tmp_path: Path) -> None:
    out, scratch = tmp_path / "out", tmp_path / "scratch"
    out.mkdir()
    scratch.mkdir()
    command = [sys.executable, "-m", "cli", "models", "export", "xray-cnn", "--format", "litert", "--out", str(out)]
    process = subprocess.Popen(command, env={**os.environ, "TMPDIR": str(scratch)}, stderr=subprocess.DEVNULL)
    children: list[int] = []
    while not children and process.poll() is None:
        children = [int(pid) for pid in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert children
    deadline = time.monotonic() + 60
    while any(_runs(pid) for pid in children) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(_runs(pid) for pid in children)  # what wrote for it has ended, too
    assert not list(out.iterdir())


def _runs(pid: int) -> bool:
    try:
        return "models.interchange.write" in Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return False


@pytest.mark.parametrize("name", PREPROCESSES)
def test_every_preprocessing_is_told_in_words(name: str) -> None:
    assert f"{PREPROCESSES[name]}x{PREPROCESSES[name]}" in in_words(name)
    assert not name.startswith("lung") or "lungs" in in_words(name)


@pytest.mark.slow
@pytest.mark.parametrize("form", ENDINGS)
@pytest.mark.parametrize("name", ["xray-mobilenetv2", "ct-mobilenetv2", "ct-resnet50-mid", "admission-mobilenetv2"])
def test_every_shipped_member_can_be_had_in_every_format(name: str, form: str, tmp_path: Path) -> None:
    done = run(name, "--format", form, "--out", str(tmp_path))
    assert done.exit_code == 0, done.exception
    written = [path for path in tmp_path.iterdir() if path != load().home]
    member = read_member(SHIPPED / name)
    facts = json.loads((tmp_path / f"{member.version}{ENDINGS[form]}.json").read_text())
    assert {Path(name).parts[0] for name in facts["sha256"]} | {f"{member.version}{ENDINGS[form]}.json"} == {path.name for path in written}
