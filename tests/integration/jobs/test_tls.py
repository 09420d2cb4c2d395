"""Redis behind TLS: every process refuses a server whose certificate does not verify, before it sends a password."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from jobs.app import make_app
from jobs.kinds import READ
from jobs.queues import queue_lengths, require, ring, server_run
from lungline import broker
from lungline.errors import BrokerError, LunglineError, SettingsError
from lungline.settings import load
from operations.doctor.installation import check_broker
from tests.integration.supervisor.test_flower import Flower
from tests.servers import Broker, free_port
from tests.tls import Authority, Door
from tests.waiting import wait_for

WORKER = """
from lungline.settings import load
from jobs.app import make_app
app = make_app(load())
@app.task(name="lungline.read_scan")
def read_scan(scan):
    return "normal " + scan
app.worker_main(["worker", "--pool=threads", "--concurrency=2", "--without-mingle", "--without-gossip", "--loglevel=ERROR"])
"""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "ours")


@pytest.fixture
def door(fresh_broker: Broker, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Door]:
    """A Redis with TLS whose certificate says `localhost`; LUNGLINE_BROKER_URL leads there, and nothing says whom to trust."""
    door = Door(urlsplit(fresh_broker.url).port or 0, authority.sign("DNS:localhost"))
    monkeypatch.setenv("LUNGLINE_BROKER_URL", _behind(door, fresh_broker))
    yield door
    door.close()


def _behind(door: Door, server: Broker, host: str = "localhost", options: str = "") -> str:
    return f"rediss://:{urlsplit(server.url).password}@{host}:{door.port}/0{options}"


def test_a_stranger_in_the_middle_hears_nothing(door: Door) -> None:
    app = make_app(load())
    for ask in (
        lambda: require(app),
        lambda: queue_lengths(app, READ.queues),
        lambda: server_run(app),
        lambda: ring(app, READ.task, "scan", "scans"),
    ):
        with pytest.raises(BrokerError, match="LUNGLINE_BROKER_CA"):
            ask()
    assert not broker.answers(load())
    assert door.knocks >= 5
    assert door.heard == b""


@pytest.mark.parametrize(
    "command", [("work", "training"), ("work", "inference"), ("watch",), ("flower",), ("up",), ("doctor",)], ids=lambda command: command[-1]
)
def test_no_process_sends_the_password_to_a_stranger(command: tuple[str, ...], door: Door) -> None:
    with started(*command) as said:
        wait_for(lambda: "set LUNGLINE_BROKER_CA to the file of the CA" in said(), "that it says what to set")
        wait_for(lambda: door.knocks > 0, "a connection")
        time.sleep(1)
    assert door.heard == b""
    assert "Traceback" not in said()


def test_celery_worker_sends_no_password_to_a_false_server(door: Door) -> None:
    worker = subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: door.knocks >= 2, "two tries")
    finally:
        worker.kill()
        worker.wait(10)
    assert door.heard == b""


def test_with_the_right_ca_scans_are_read_and_flower_sees_it(
    door: Door, authority: Authority, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LUNGLINE_BROKER_CA", str(authority.file))
    monkeypatch.setenv("LUNGLINE_FLOWER_PORT", str(free_port()))
    flower = Flower(home)
    app = make_app(load())
    require(app)
    assert broker.answers(load())
    assert server_run(app)
    ring(app, READ.task, "scan-1", "scans")
    assert queue_lengths(app, READ.queues) == {"stat": 0, "scans": 1}
    assert re.search(r'<tr id="scans">\s*<td>scans</td>\s*<td[^>]*>1</td>', flower.get("/broker")[1])
    worker = subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: flower.tasks().get("scan-1", {}).get("state") == "SUCCESS", "that Flower hears of the scan")
    finally:
        for process in (worker, flower.process):
            process.kill()
            process.wait(10)


def test_the_ca_may_stand_in_the_address(door: Door, authority: Authority, fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", _behind(door, fresh_broker, options=f"?ssl_ca_certs={authority.file}"))
    app = make_app(load())
    require(app)
    ring(app, READ.task, "scan-1", "scans")
    assert broker.answers(load())
    assert queue_lengths(app, READ.queues) == {"stat": 0, "scans": 1}


def test_the_host_must_be_the_certificates(door: Door, authority: Authority, fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BROKER_CA", str(authority.file))
    monkeypatch.setenv("LUNGLINE_BROKER_URL", _behind(door, fresh_broker, host="127.0.0.1"))
    with pytest.raises(BrokerError, match="does not name this IP address"):
        require(make_app(load()))
    assert door.heard == b""
    monkeypatch.setenv("LUNGLINE_BROKER_URL", _behind(door, fresh_broker, host="127.0.0.1", options="?ssl_check_hostname=false"))
    assert broker.answers(load())


def test_a_certificate_of_another_ca_is_refused(door: Door, fresh_broker: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BROKER_CA", str(Authority(tmp_path / "theirs").file))
    with pytest.raises(BrokerError, match="LUNGLINE_BROKER_CA"):
        require(make_app(load()))
    assert door.heard == b""


def test_who_asks_for_no_check_gets_none_and_doctor_says_so(door: Door, fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", _behind(door, fresh_broker, options="?ssl_cert_reqs=none"))
    app = make_app(load())
    ring(app, READ.task, "scan-1", "scans")
    assert queue_lengths(app, READ.queues) == {"stat": 0, "scans": 1}
    assert "broker: TLS without a check" in "\n".join(check_broker(load()))


@pytest.mark.parametrize("content", [None, "no certificate\n"])
def test_a_ca_file_that_is_none_is_said(content: str | None, door: Door, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "ca.pem"
    if content:
        file.write_text(content)
    monkeypatch.setenv("LUNGLINE_BROKER_CA", str(file))
    with pytest.raises(SettingsError, match="LUNGLINE_BROKER_CA"):
        make_app(load())


def test_tls_to_a_port_without_it_is_said(fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", fresh_broker.url.replace("redis://", "rediss://"))
    with pytest.raises(LunglineError, match="LUNGLINE_BROKER_URL"):
        queue_lengths(make_app(load()), READ.queues)


@contextmanager
def started(*arguments: str) -> Iterator[Callable[[], str]]:
    """A command of Lungline, ended after the block; what it says."""
    log = Path(os.environ["LUNGLINE_HOME"]) / f"said-{arguments[-1]}"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "cli", *arguments], stdout=output, stderr=output)
    try:
        yield log.read_text
    finally:
        process.terminate()
        try:
            process.wait(30)
        finally:
            process.kill()
