"""The real process `lungline web`: its address, its port, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from lungline.presence import live
from tests.servers import free_port
from tests.waiting import wait_for


def test_it_takes_the_next_free_port_and_says_which(home: Path) -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        process = _start(port)
        try:
            wait_for(lambda: live(home / "run").get("web") == (process.pid, True))
            address = (home / "run" / "web.url").read_text().strip()
            assert address != f"http://127.0.0.1:{port}"
            assert urlopen(f"{address}/readyz", timeout=20).read() == b"ready\n"
            said = subprocess.run([sys.executable, "-m", "cli", "status", "web"], capture_output=True, text=True, timeout=60)
            assert json.loads(said.stdout)["web"] == address
            assert len((home / "secrets" / "web.password").read_text().strip()) >= 16
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=60)
            assert process.returncode in (0, -signal.SIGTERM)
            assert "Traceback" not in log
        finally:
            process.kill()
            process.wait()


@pytest.mark.parametrize(("proxies", "is_secure"), [("127.0.0.1", True), ("", False)])
def test_only_a_proxy_that_is_named_is_believed(home: Path, proxies: str, is_secure: bool) -> None:
    process = _start(free_port(), LUNGLINE_WEB_PROXIES=proxies)
    try:
        wait_for(lambda: live(home / "run").get("web") == (process.pid, True))
        address = (home / "run" / "web.url").read_text().strip()
        request = Request(f"{address}/login", headers={"X-Forwarded-Proto": "https", "X-Forwarded-For": "192.0.2.1"})
        with urlopen(request, timeout=20) as answer:
            assert ("; Secure" in answer.headers["set-cookie"]) == is_secure
    finally:
        process.kill()
        process.communicate()


def _start(port: int, **more: str) -> "subprocess.Popen[str]":
    variables = os.environ | {"LUNGLINE_WEB_PORT": str(port)} | more
    return subprocess.Popen([sys.executable, "-m", "cli", "web"], env=variables, stderr=subprocess.PIPE, text=True)
