"""`lungline doctor`: what it prints, and its exit status."""

import pytest
from typer.testing import CliRunner

from cli.main import app


def test_what_is_wrong_is_marked_and_the_exit_status_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BATCHMAX", "16")

    result = CliRunner().invoke(app, ["doctor"])

    assert result.exit_code == 1
    assert "WRONG  LUNGLINE_BATCHMAX: there is no such setting" in result.stdout
    assert "ok     last training run: none yet" in result.stdout  # the last check


def test_all_is_right_on_a_new_home() -> None:
    result = CliRunner().invoke(app, ["doctor"])

    assert result.exit_code == 0
    assert {line[:7] for line in result.stdout.splitlines()} == {"ok     "}
