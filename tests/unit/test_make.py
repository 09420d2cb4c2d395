"""`make setup` with an interpreter whose pip only notes what it was asked for: which lock, when anew, and what it says when it cannot."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

_REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="this machine has no make")

_PYTHON = """#!/bin/sh
if [ "$1 $2" = "-m venv" ]; then
  mkdir -p .venv/bin
  ln -s {real} .venv/bin/python
  printf '#!/bin/sh\\necho "$@" >> pip.log\\ntest ! -e broken\\n' > .venv/bin/pip
  chmod +x .venv/bin/pip
else
  exec {real} "$@"
fi
"""


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    folder = tmp_path / "a clone"
    folder.mkdir()
    for name in ("Makefile", "pyproject.toml", "requirements.lock", "requirements-gpu.lock"):
        shutil.copy(_REPOSITORY / name, folder)
    interpreter(folder, _PYTHON.format(real=sys.executable))
    return folder


def interpreter(clone: Path, script: str) -> None:
    (clone / "python").write_text(script)
    (clone / "python").chmod(0o755)


def setup(clone: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {"PATH": os.environ["PATH"], "HOME": str(clone)}
    command = ["make", "setup", "PYTHON=./python", *arguments]
    return subprocess.run(command, cwd=clone, env=environment, capture_output=True, text=True, timeout=300)


def asked_of_pip(clone: Path) -> list[str]:
    """What pip was asked for since the last look."""
    log = clone / "pip.log"
    asked = log.read_text().splitlines() if log.exists() else []
    log.unlink(missing_ok=True)
    return asked


def test_installs_the_lock_then_the_project_then_nothing(clone: Path) -> None:
    assert setup(clone).returncode == 0
    locked, project = asked_of_pip(clone)
    assert "--require-hashes --requirement requirements.lock" in locked
    assert "--no-index --no-deps --no-build-isolation --editable ." in project
    assert setup(clone).stdout == ""
    assert asked_of_pip(clone) == []


def test_what_was_interrupted_is_done_again(clone: Path) -> None:
    (clone / "broken").touch()
    assert setup(clone).returncode != 0
    (clone / "broken").unlink()
    asked_of_pip(clone)
    assert setup(clone).returncode == 0
    assert len(asked_of_pip(clone)) == 2


def test_another_lock_makes_the_environment_afresh(clone: Path) -> None:
    setup(clone)
    asked_of_pip(clone)
    (clone / ".venv" / "stale").touch()
    with (clone / "requirements.lock").open("a") as lock:
        lock.write("# changed\n")
    setup(clone)
    assert len(asked_of_pip(clone)) == 2
    assert not (clone / ".venv" / "stale").exists()


def test_another_pyproject_only_installs_the_project_again(clone: Path) -> None:
    setup(clone)
    asked_of_pip(clone)
    with (clone / "pyproject.toml").open("a") as project:
        project.write("# changed\n")
    setup(clone)
    (asked,) = asked_of_pip(clone)
    assert "--editable" in asked


def test_gpu_lock_replaces_the_other_and_stays(clone: Path) -> None:
    setup(clone)
    asked_of_pip(clone)
    (clone / ".venv" / "stale").touch()
    setup(clone, "GPU=1")
    assert "requirements-gpu.lock" in asked_of_pip(clone)[0]
    assert not (clone / ".venv" / "stale").exists()
    setup(clone)
    assert asked_of_pip(clone) == []
    setup(clone, "GPU=0")
    assert "requirements.lock" in asked_of_pip(clone)[0]


def test_environment_without_its_interpreter_is_remade(clone: Path) -> None:
    setup(clone)
    asked_of_pip(clone)
    (clone / ".venv" / "bin" / "python").unlink()
    assert setup(clone).returncode == 0
    assert len(asked_of_pip(clone)) == 2


def test_an_interpreter_that_does_not_run_is_not_taken(clone: Path) -> None:
    interpreter(clone, "#!/bin/sh\necho 'no such version is installed' >&2\nexit 127\n")
    refused = setup(clone)
    assert refused.returncode != 0
    assert "Lungline needs Python 3.11 or 3.12" in refused.stderr
    assert not (clone / ".venv").exists()


def test_an_interpreter_without_ensurepip_tells_what_to_install(clone: Path) -> None:
    interpreter(clone, f'#!/bin/sh\ncase "$*" in *ensurepip*) exit 1;; esac\nexec {sys.executable} "$@"\n')
    refused = setup(clone)
    assert refused.returncode != 0
    assert "apt install python3-venv" in refused.stderr
    assert not (clone / ".venv").exists()


@pytest.mark.parametrize("lock", ["requirements.lock", "requirements-gpu.lock"])
def test_a_lock_names_no_address_and_pins_all_by_hash(lock: str) -> None:
    lines = (_REPOSITORY / lock).read_text().splitlines()
    assert not [line for line in lines if "://" in line or line.startswith("-")]
    pins = [line for line in lines if line[:1].isalnum()]
    assert len(pins) > 80
    assert all("==" in pin and pin.endswith("\\") for pin in pins)


def test_no_lock_has_two_tensorflows_for_one_platform() -> None:
    assert "\ntensorflow-cpu==" not in (_REPOSITORY / "requirements-gpu.lock").read_text()
    assert "nvidia-" not in (_REPOSITORY / "requirements.lock").read_text()
    assert not (_REPOSITORY / "uv.lock").exists()
