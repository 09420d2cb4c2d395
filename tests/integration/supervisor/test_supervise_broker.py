"""Lungline's own Redis or Valkey server, as the supervisor runs it."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

import pytest
from redis import AuthenticationError, Redis

from lungline.broker import answers
from lungline.settings import Settings, load
from supervisor import own_broker
from tests.waiting import wait_for

_Serve = Callable[[Settings], "subprocess.Popen[bytes]"]


@pytest.fixture
def serve() -> Iterator[_Serve]:
    started = []

    def start(settings: Settings) -> "subprocess.Popen[bytes]":
        process = subprocess.Popen(own_broker.command(settings), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started.append(process)
        wait_for(lambda: answers(settings), "the server's answer")
        return process

    yield start
    for process in started:
        process.kill()
        process.wait(10)


def test_it_listens_on_loopback_and_asks_for_the_password(serve: _Serve) -> None:
    settings = load()
    server = serve(settings)
    address = _address(settings)
    assert address.hostname == "127.0.0.1"
    with pytest.raises(AuthenticationError), Redis(port=address.port or 0) as stranger:
        stranger.ping()
    assert address.password
    assert address.password.encode() not in Path(f"/proc/{server.pid}/cmdline").read_bytes()


def test_it_keeps_nothing_on_disk(serve: _Serve) -> None:
    settings = load()
    server = serve(settings)
    with Redis.from_url(settings.broker) as client:
        client.set("key", "value")
        assert client.config_get("save", "appendonly", "maxmemory-policy") == {
            "save": "",
            "appendonly": "no",
            "maxmemory-policy": "noeviction",
        }
        assert client.config_get("dir") == {"dir": str(settings.layout.run)}
    server.send_signal(signal.SIGTERM)
    assert server.wait(10) == 0
    assert list(settings.layout.run.iterdir()) == []


def test_it_comes_back_at_the_same_address_unless_that_is_taken(serve: _Serve) -> None:
    settings = load()
    server = serve(settings)
    first = _address(settings)
    with Redis.from_url(settings.broker) as client:
        client.ping()  # a connection that the server's death leaves half open
        server.kill()
        server.wait(10)
        server = serve(settings)
    assert _address(settings) == first

    server.kill()
    server.wait(10)
    with socket.socket() as stranger:
        stranger.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        stranger.bind(("127.0.0.1", first.port or 0))
        stranger.listen()
        assert not answers(settings)
        serve(settings)
    assert _address(settings).port != first.port
    assert _address(settings).password == first.password


def test_two_homes_have_a_server_each(serve: _Serve, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    homes = []
    for name in ("one", "two"):
        monkeypatch.setenv("LUNGLINE_HOME", str(tmp_path / name))
        homes.append(load())
        serve(homes[-1])
    first, second = map(_address, homes)
    assert first.port != second.port
    assert first.password != second.password
    assert all(map(answers, homes))


def test_a_server_that_hangs_does_not_answer(serve: _Serve) -> None:
    settings = load()
    server = serve(settings)
    os.kill(server.pid, signal.SIGSTOP)
    began = time.monotonic()
    assert not answers(settings)
    assert time.monotonic() - began < 3


def _address(settings: Settings) -> SplitResult:
    return urlsplit(settings.broker)
