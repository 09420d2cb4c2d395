"""`lungline doctor`: every check is made, whatever another finds."""

import pytest
from typer.testing import CliRunner

from cli import doctor
from cli.main import app
from lungline.presence import Presence
from lungline.settings import load


def test_one_check_that_breaks_does_not_end_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> list[str]:
        raise RuntimeError("planted-secret")

    monkeypatch.setattr(doctor, "_broker", broken)
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 1
    assert "WRONG  the check of broken failed unexpectedly (RuntimeError)" in said.stdout
    assert "inbox: inotify" in said.stdout  # the last check
    assert "planted-secret" not in said.stdout


def test_a_slip_of_the_pen_in_the_environment_is_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BATCHMAX", "16")
    said = CliRunner().invoke(app, ["doctor"])
    assert said.exit_code == 1
    assert "WRONG  LUNGLINE_BATCHMAX: no such setting" in said.stdout


@pytest.mark.parametrize(
    ("names", "lame"),
    [
        (["up", "flower"], "redis, watch, inference-0"),
        (["watch", "flower"], "watch"),  # on a host whose service manager starts these two
    ],
)
def test_a_process_that_does_not_get_ready_is_wrong(names: list[str], lame: str) -> None:
    settings = load()
    held = [Presence.take(settings.run, name) for name in names]
    held[1].tell(ready=True)
    said = CliRunner().invoke(app, ["doctor"])
    for presence in held:
        presence.leave()
    assert said.exit_code == 1
    assert f"not ready: {lame}" in said.stdout
