"""The real process `lungline web`: its address, its port, and how it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.request import urlopen

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


def _start(port: int) -> "subprocess.Popen[str]":

    variables = os.environ | {"LUNGLINE_WEB_PORT": str(port)}
    return subprocess.Popen([sys.executable, "-m", "cli", "web"], env=variables, stderr=subprocess.PIPE, text=True)
