"""An account that Redis limits (ACL): what docs/deploy.md asks for is enough, and what is missing is said by name."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from redis import Redis
from redis.exceptions import NoPermissionError

from jobs.app import make_app
from jobs.kinds import READ
from jobs.queues import may_ask_for_run, queue_lengths, require, ring, server_run
from lungline.errors import BrokerError
from lungline.settings import load
from tests.integration.jobs.test_tls import WORKER, started
from tests.integration.supervisor.test_flower import Flower
from tests.servers import Broker, free_port
from tests.waiting import wait_for

_DEPLOY = Path(__file__).resolve().parents[3] / "docs" / "deploy.md"


@pytest.fixture
def allow(fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Makes the account that docs/deploy.md writes, changed by some rules, and puts it into LUNGLINE_BROKER_URL."""

    def make(*changes: str) -> None:
        line = re.search(r"^user lungline (.*)$", _DEPLOY.read_text(encoding="utf-8"), re.MULTILINE)
        assert line
        client: Any = fresh_broker.client
        client.execute_command("ACL", "SETUSER", "lungline", "reset", *line[1].split(), *changes)
        monkeypatch.setenv("LUNGLINE_BROKER_URL", f"redis://lungline:PASSWORD@127.0.0.1:{urlsplit(fresh_broker.url).port}/0")

    return make


def test_documented_account_has_exactly_the_needed_rights(
    allow: Callable[..., None], fresh_broker: Broker, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    allow()
    monkeypatch.setenv("LUNGLINE_FLOWER_PORT", str(free_port()))
    app = make_app(load())
    require(app)
    assert may_ask_for_run(app)
    assert server_run(app)
    flower = Flower(home)
    worker = subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for number in range(20):
            ring(app, READ.task, f"scan-{number}", "stat" if number % 2 else "scans")
        wait_for(lambda: sum(task["state"] == "SUCCESS" for task in flower.tasks().values()) == 20, "that Flower hears of all")
        assert flower.get("/broker")[0] == flower.get("/workers?refresh=1")[0] == 200
        worker.terminate()
        worker.wait(20)
    finally:
        for process in (worker, flower.process):
            process.kill()
            process.wait(10)
    assert queue_lengths(app, READ.queues) == {"stat": 0, "scans": 0}
    assert fresh_broker.client.acl_log() == []  # nothing was denied
    with Redis.from_url(load().broker) as client, pytest.raises(NoPermissionError):
        client.flushall()


_DENIED = [
    (("-brpop",), "commands BRPOP"),
    (("-publish",), "commands PUBLISH"),
    (("-psubscribe",), "commands PSUBSCRIBE"),
    (("-sadd", "-evalsha"), "commands SADD, EVALSHA"),
    (("-multi",), "commands MULTI"),
    (("-exec",), "commands EXEC"),
    (("-ping",), "commands PING"),
    (("resetkeys", "~stat*", "~scans*", "~assess*", "~archives*", "~deliver*", "~unacked*", "~_kombu.*", "~*celery*"), "keys training"),
    (("resetkeys", "~lungline:*"), "keys stat, "),
    (("resetchannels",), "channels /0.celeryev/worker.heartbeat, /0.celery.pidbox"),
    (("resetchannels", "&/0.celeryev/*"), "channels /0.celery.pidbox"),
]


@pytest.mark.parametrize(("changes", "said"), _DENIED)
def test_what_is_missing_is_named_and_nothing_is_left_in_redis(
    changes: tuple[str, ...], said: str, allow: Callable[..., None], fresh_broker: Broker
) -> None:
    allow(*changes)
    with pytest.raises(BrokerError, match=re.escape(said)) as refused:
        require(make_app(load()))
    assert "docs/deploy.md" in str(refused.value)
    assert fresh_broker.client.keys("*") == []


def test_account_without_discard_and_info_is_served(allow: Callable[..., None], fresh_broker: Broker) -> None:
    allow("-discard", "-info")
    app = make_app(load())
    require(app)
    assert not may_ask_for_run(app)
    assert server_run(app) == ""
    assert fresh_broker.client.keys("*") == []


def test_a_ring_that_redis_denies_names_all_that_is_missing(allow: Callable[..., None]) -> None:
    allow("-lpush", "-brpop")
    with pytest.raises(BrokerError, match="commands LPUSH, BRPOP"):
        ring(make_app(load()), READ.task, "scan", "scans")


def test_a_wrong_password_is_said_as_one(fresh_broker: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_BROKER_URL", f"redis://:planted-secret@127.0.0.1:{urlsplit(fresh_broker.url).port}/0")
    with pytest.raises(BrokerError, match="refuses the user or password of LUNGLINE_BROKER_URL") as refused:
        require(make_app(load()))
    assert "planted-secret" not in str(refused.value)


@pytest.mark.parametrize("command", ["training", "watch", "flower", "up", "doctor"])
def test_every_process_says_it_at_its_start(command: str, allow: Callable[..., None]) -> None:
    allow("-psubscribe", "resetkeys", "~stat*")
    with started(*(("work", command) if command == "training" else (command,))) as said:
        wait_for(lambda: "commands PSUBSCRIBE; keys scans, " in said(), "that it says what is missing")
    assert "Traceback" not in said()
