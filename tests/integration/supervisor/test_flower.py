"""The real Flower process on a real broker: closed to strangers, telling of queues and tasks, and surviving what may happen to it."""

import json
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import pytest

from jobs.app import make_app
from jobs.kinds import READ
from jobs.queues import ring
from lungline.presence import live
from lungline.settings import load
from tests.servers import Broker, free_port
from tests.waiting import wait_for

_COMMAND = """
from lungline.presence import Presence
from lungline.settings import load
from supervisor.flower_server import serve
settings = load()
serve(settings, Presence.take(settings.layout.run, "flower"), save_seconds=1.0)
"""
_WORKER = """
from lungline.settings import load
from jobs.app import make_app
app = make_app(load())
@app.task(name="lungline.read_scan")
def read_scan(scan):
    return "covid19 0.97 accepted"
app.worker_main(["worker", "--pool=threads", "--concurrency=8", "--hostname=inference-0@test", "--without-mingle", "--without-gossip"])
"""


class Flower:
    """`lungline flower`, which only saves its history more often here."""

    def __init__(self, home: Path, *, ready: bool = True) -> None:
        (home / "run" / "flower.url").unlink(missing_ok=True)
        self.process = subprocess.Popen([sys.executable, "-c", _COMMAND], stderr=subprocess.DEVNULL)
        wait_for((home / "run" / "flower.url").exists)
        self._run = home / "run"
        wait_for(lambda: "flower" in live(self._run) and self.hears() == ready)
        self.url = (home / "run" / "flower.url").read_text().strip()
        self.password = (home / "secrets" / "flower.password").read_text().strip()

    def hears(self) -> bool:
        """Whether it says so of itself."""
        return live(self._run).get("flower") == (self.process.pid, True)

    def get(self, path: str) -> tuple[int, str]:
        return self.ask("GET", path, f"Basic {_base64(f'admin:{self.password}')}")

    def ask(self, method: str, path: str, authorization: str | None) -> tuple[int, str]:
        request = Request(self.url + path, method=method, data=b"" if method in ("POST", "PUT") else None)
        if authorization is not None:
            request.add_header("Authorization", authorization)
        try:
            with urlopen(request, timeout=20) as response:
                return response.status, response.read().decode()
        except HTTPError as error:
            return error.code, error.read().decode()

    def tasks(self) -> dict[str, dict[str, Any]]:
        """By scan id."""
        tasks = json.loads(self.get("/api/tasks")[1]).values()
        return {task["args"]: task for task in tasks}

    def end(self, how: signal.Signals) -> int:
        self.process.send_signal(how)
        return self.process.wait(10)


@pytest.fixture
def broker(fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Broker:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", fresh_broker.url)
    monkeypatch.setenv("LUNGLINE_FLOWER_PORT", str(free_port()))
    return fresh_broker


@pytest.fixture
def start(broker: Broker, home: Path) -> Iterator[Callable[..., Flower]]:
    started = []

    def start_flower(*, ready: bool = True) -> Flower:
        started.append(Flower(home, ready=ready))
        return started[-1]

    yield start_flower
    for flower in started:
        flower.process.kill()
        flower.process.wait(10)


@pytest.fixture
def worker(broker: Broker) -> "Iterator[subprocess.Popen[bytes]]":
    process = subprocess.Popen([sys.executable, "-c", _WORKER], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    yield process
    process.kill()
    process.wait(10)


def test_no_path_answers_without_credentials(start: Callable[..., Flower]) -> None:
    flower = start()
    from flower.urls import handlers

    patterns = [handler.regex.pattern if hasattr(handler, "regex") else handler[0] for handler in handlers]
    paths = {re.sub(r"\(.*?\)", "x", pattern).rstrip("$").replace("/?", "") for pattern in patterns}
    assert {"/", "/metrics", "/healthcheck", "/api/tasks", "/broker", "/login"} <= paths
    paths = {path for path in paths if path.startswith("/")} | {"/no-such-page", "/static/js/flower.js", "/static/favicon.ico", "//"}
    wrong = (None, "", "Basic", "Basic !", "Bearer x", f"Basic {_base64('admin:')}", f"Basic {_base64('admin:wrong')}", "Basic \xfc")
    answers = {
        (method, path): flower.ask(method, path, None)[0]
        for path in paths
        for method in ("GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE")
    }
    answers |= {("GET", f"/metrics as {given!r}"): flower.ask("GET", "/metrics", given)[0] for given in wrong}
    assert {asked: status for asked, status in answers.items() if status != 401} == {}


def test_shows_queues_to_users_and_never_the_broker_password(start: Callable[..., Flower], broker: Broker) -> None:
    flower = start()
    app = make_app(load())
    for number in range(5):
        ring(app, READ.task, f"scan-{number}", "scans")
    for number in range(3):
        ring(app, READ.task, f"urgent-{number}", "stat")

    pages = {path: flower.get(path) for path in ("/", "/workers", "/tasks", "/broker", "/metrics", "/healthcheck", "/static/js/flower.js")}

    assert {path: status for path, (status, _) in pages.items() if status != 200} == {}
    assert re.search(r'<tr id="scans">\s*<td>scans</td>\s*<td[^>]*>5</td>', pages["/broker"][1])
    assert re.search(r'<tr id="stat">\s*<td>stat</td>\s*<td[^>]*>3</td>', pages["/broker"][1])
    password = urlsplit(broker.url).password
    assert password
    assert [path for path, (_, page) in pages.items() if password in page] == []
    columns = re.findall(r'<th data-column="(\w+)"', pages["/tasks"][1])
    assert columns == ["name", "args", "result", "state", "received", "started", "runtime", "worker", "uuid"]


@pytest.mark.usefixtures("worker")
def test_scans_are_tasks_and_history_survives_kills(start: Callable[..., Flower], broker: Broker) -> None:
    flower = start()
    app = make_app(load())

    def read(name: str) -> set[str]:
        scans = {f"{name}-{number}" for number in range(60)}
        for scan in scans:
            ring(app, READ.task, scan, "scans")
        wait_for(lambda: scans <= {scan for scan, task in flower.tasks().items() if task["state"] == "SUCCESS"})
        return scans

    seen = read("first")
    task = flower.tasks()["first-0"]
    assert task["name"] == "lungline.read_scan"
    assert task["worker"] == "inference-0@test"
    assert task["result"] == "'covid19 0.97 accepted'"
    assert task["sent"] <= task["received"] <= task["started"] <= task["succeeded"]
    password = urlsplit(broker.url).password
    assert password
    status, page = flower.get("/worker/inference-0@test")
    assert status == 200
    assert password not in page

    broker.client.flushall()
    seen |= read("after-flushall")
    broker.kill()
    wait_for(lambda: not flower.hears(), "that Flower tells of its deafness")
    broker.start()
    wait_for(flower.hears, "that Flower hears again")
    seen |= read("after-outage")

    time.sleep(2)  # until it is saved
    flower.end(signal.SIGKILL)
    flower = start()
    assert seen <= set(flower.tasks())

    seen |= read("after-kill")
    began = time.monotonic()
    assert flower.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 5
    flower = start()
    assert seen <= set(flower.tasks())


def test_it_answers_and_stops_without_a_broker(start: Callable[..., Flower], broker: Broker) -> None:
    broker.kill()
    flower = start(ready=False)
    assert flower.get("/tasks")[0] == 200
    assert flower.get("/broker")[0] == 200
    began = time.monotonic()
    assert flower.end(signal.SIGTERM) == 0
    assert time.monotonic() - began < 5


def test_it_takes_the_next_free_port_and_loopback_alone(start: Callable[..., Flower], monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setenv("LUNGLINE_FLOWER_PORT", str(port))
        flower = start()
    assert (urlsplit(flower.url).hostname, urlsplit(flower.url).port) != ("127.0.0.1", port)
    assert urlsplit(flower.url).hostname == "127.0.0.1"
    listening = [line.split()[1] for line in Path("/proc/net/tcp").read_text().splitlines()[1:] if line.split()[3] == "0A"]
    assert f"0100007F:{urlsplit(flower.url).port:04X}" in listening


def test_its_secrets_are_closed_and_made_once(start: Callable[..., Flower], home: Path) -> None:
    flower = start()
    password = flower.password
    assert len(password) >= 24
    assert stat.S_IMODE((home / "secrets" / "flower.password").stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "flower").stat().st_mode) == 0o700
    assert list((home / "flower").glob("flower.db*"))
    assert password.encode() not in Path(f"/proc/{flower.process.pid}/cmdline").read_bytes()
    flower.end(signal.SIGTERM)
    assert start().password == password


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()


def test_it_listens_on_loopback_alone_unless_told_otherwise(start: Callable[..., Flower], monkeypatch: pytest.MonkeyPatch) -> None:
    elsewhere = urlsplit(start().url)._replace(netloc=f"127.0.0.2:{load().flower_port}").geturl()
    with pytest.raises(URLError):
        urlopen(elsewhere, timeout=20)
    monkeypatch.setenv("LUNGLINE_FLOWER_ADDRESS", "0.0.0.0")
    monkeypatch.setenv("LUNGLINE_FLOWER_PORT", str(free_port()))
    monkeypatch.setenv("LUNGLINE_HOME", str(load().home / "another"))
    flower = Flower(load().home, ready=True)
    try:
        assert flower.url == f"http://127.0.0.1:{load().flower_port}"
        flower.url = flower.url.replace("127.0.0.1", "127.0.0.2")
        assert flower.ask("GET", "/", None)[0] == 401
    finally:
        flower.process.kill()
        flower.process.wait(10)
