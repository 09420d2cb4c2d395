"""Flower behind a reverse proxy that passes a path on: every page, file and answer lies below LUNGLINE_FLOWER_PREFIX."""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import pytest
from typer.testing import CliRunner

from cli.main import app as lungline
from jobs.app import make_app
from jobs.kinds import READ
from jobs.queues import ring
from lungline.errors import SettingsError
from lungline.settings import load
from tests.integration.supervisor.test_flower import Flower
from tests.servers import Broker, free_port

_PASSED = ("Authorization", "Cookie", "Content-Type", "Location", "Set-Cookie", "WWW-Authenticate")


@pytest.fixture(scope="module")
def flower(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flower]:
    """Flower below /pacs/flower, as the reverse proxy shows it; its `url` is the proxy's, `own` its own."""
    home = tmp_path_factory.mktemp("prefix")
    with pytest.MonkeyPatch.context() as environment, ExitStack() as ending:
        broker = Broker()
        broker.start()
        ending.callback(broker.kill)
        for name, value in (("HOME", str(home)), ("BROKER_URL", broker.url), ("FLOWER_PORT", str(free_port()))):
            environment.setenv(f"LUNGLINE_{name}", value)
        environment.setenv("LUNGLINE_FLOWER_PREFIX", "/pacs/flower/")
        ring(make_app(load()), READ.task, "scan-1", "scans")
        flower = Flower(home)
        ending.callback(flower.process.wait, 10)
        ending.callback(flower.process.kill)
        flower.own = flower.url  # type: ignore[attr-defined]
        proxy = _proxy(urlsplit(flower.url).port or 0)
        ending.callback(proxy.shutdown)
        flower.url = f"http://127.0.0.1:{proxy.server_port}"
        yield flower


def _proxy(port: int) -> ThreadingHTTPServer:
    """Shows what lies below /pacs/flower of that port, and nothing else."""

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if not re.match(r"/pacs/flower($|[/?])", self.path):
                self.send_error(502, "not below the prefix")
                return
            upstream = HTTPConnection("127.0.0.1", port, timeout=20)
            upstream.request(self.command, self.path, headers={name: self.headers[name] for name in _PASSED if name in self.headers})
            answer = upstream.getresponse()
            body = answer.read()
            self.send_response(answer.status)
            for name, value in answer.getheaders():
                if name in _PASSED:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


_PAGES = ("", "/", "/workers", "/tasks", "/broker", "/metrics", "/healthcheck", "/api/workers", "/api/tasks", "/api/queues/length")


def test_pages_answer_below_the_prefix_with_password_only(flower: Flower) -> None:
    shown = [f"/pacs/flower{path}" for path in (*_PAGES, "/static/js/flower.js", "/static/css/flower.css")]
    closed = [*shown, "/pacs/flower/static/favicon.ico", "/pacs/flower/login", "/pacs/flower/no-such-page"]
    assert [path for path in closed if flower.ask("GET", path, None)[0] != 401] == []
    assert [path for path in shown if flower.get(path)[0] != 200] == []
    assert json.loads(flower.get("/pacs/flower/api/queues/length")[1])
    assert flower.get("/pacs/flower/no-such-page")[0] == 404


def test_links_of_pages_stay_below_the_prefix_and_answer(flower: Flower) -> None:
    for page in ("/", "/tasks", "/broker"):
        text = flower.get(f"/pacs/flower{page}")[1]
        links = {link for link in re.findall(r'(?:href|src)="([^"]+)"', text) if not link.startswith(("http", "#"))}
        paths = {urlsplit(urljoin(f"http://host/pacs/flower{page}", link)).path for link in links}
        assert len(paths) >= 8
        assert [path for path in paths if not path.startswith("/pacs/flower/")] == []
        assert 'id="url_prefix"' in text  # from which its scripts make their addresses
        assert re.search(r'value="pacs/flower" id="url_prefix"', text)
        assert [path for path in paths if not path.endswith(".ico") and flower.get(path)[0] != 200] == []


def test_nothing_answers_outside_the_prefix(flower: Flower) -> None:
    flower.url, shown = flower.own.removesuffix("/pacs/flower"), flower.url  # type: ignore[attr-defined]
    try:
        assert flower.ask("GET", "/", None)[0] == 401
        assert flower.get("/")[0] == flower.get("/metrics")[0] == 404
    finally:
        flower.url = shown


def test_the_address_has_the_prefix(flower: Flower, monkeypatch: pytest.MonkeyPatch) -> None:
    own: str = flower.own  # type: ignore[attr-defined]
    assert own.endswith("/pacs/flower")
    monkeypatch.setenv("LUNGLINE_HOME", str(flower._run.parent))
    assert json.loads(CliRunner().invoke(lungline, ["status"]).stdout)["flower"] == own


@pytest.mark.parametrize(("given", "understood"), [("", ""), ("/", ""), ("flower", "flower"), ("/a/b-c_d/", "a/b-c_d"), ("a//b", None)])
def test_a_prefix_is_a_path_of_plain_names(given: str, understood: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_FLOWER_PREFIX", given)
    if understood is None:
        with pytest.raises(SettingsError, match=r"^LUNGLINE_FLOWER_PREFIX: "):
            load()
    else:
        assert load().flower_prefix == understood


@pytest.mark.parametrize("given", ["http://host/flower", "a b", "(.*)", "../flower", "a?b", "é"])
def test_what_is_no_path_is_refused(given: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_FLOWER_PREFIX", given)
    with pytest.raises(SettingsError, match=r"^LUNGLINE_FLOWER_PREFIX: "):
        load()
