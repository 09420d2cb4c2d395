"""How Lungline starts its own processes, and which it finds not ready."""

import subprocess
from pathlib import Path

import pytest

from lungline.presence import Presence
from lungline.processes import is_ready, not_ready, own_command, own_processes
from lungline.settings import load


@pytest.mark.parametrize(
    ("devices", "names"),
    [
        ("auto", ["watch", "inference-0", "training", "flower", "web"]),
        ("cpu", ["watch", "inference-0", "training", "flower", "web"]),
        ("0,3", ["watch", "inference-0", "inference-1", "training", "flower", "web"]),
    ],
)
def test_a_worker_for_each_device(devices: str, names: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_DEVICES", devices)
    assert list(own_processes(load())) == names


def test_each_is_a_command_of_ours() -> None:
    for arguments in own_processes(load()).values():
        said = subprocess.run([*own_command(*arguments), "--help"], capture_output=True, text=True, timeout=300, check=False)
        assert said.returncode == 0, said.stderr


def test_folders_named_like_our_packages_do_not_shadow_them(tmp_path: Path) -> None:
    for name in ("cli", "lungline", "db"):  # as in the folder that holds a clone, or a home of the default name
        (tmp_path / name).mkdir()
    said = subprocess.run(own_command("watch", "--help"), cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert said.returncode == 0, said.stderr


def test_ready_is_who_lives_and_says_so(broker_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not_ready(load()) == ["redis", "watch", "inference-0", "training", "flower", "web"]
    monkeypatch.setenv("LUNGLINE_BROKER_URL", broker_url)
    settings = load()
    assert not_ready(settings) == ["watch", "inference-0", "training", "flower", "web"]
    held = {name: Presence.take(settings.layout.run, name) for name in ("watch", "inference-0", "inference-1", "training", "flower", "web")}
    for name in ("watch", "inference-0", "training", "flower", "web"):
        held[name].tell(ready=True)
    assert not_ready(settings, ["watch", "flower"]) == []
    assert is_ready(settings, ["watch"])
    assert not_ready(settings) == ["inference-1"]  # lives, though no setting asks for it
    assert not is_ready(settings)
    held["inference-1"].tell(ready=True)
    assert is_ready(settings)
    held["flower"].leave()
    assert not_ready(settings) == ["flower"]


def test_nobody_is_ready_without_a_broker(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", "redis://127.0.0.1:1/0")
    settings = load()
    held = {name: Presence.take(settings.layout.run, name) for name in own_processes(settings)}
    for presence in held.values():
        presence.tell(ready=True)
    assert not_ready(settings) == []
    assert not is_ready(settings)
