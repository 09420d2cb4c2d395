"""The page on a real server and a free port, and a browser without a screen: cookies, forms and their tokens."""

import re
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPConnection
from http.cookies import SimpleCookie
from urllib.parse import urlencode, urlsplit

import uvicorn

from db.tables import Role
from lungline.settings import Settings
from operations.users import add_user
from web.app import make_page
from web.site import Site

PASSWORD = "correct horse battery"


@dataclass
class Answer:
    """What the server sent."""

    status: int
    headers: dict[str, str]
    """By name in lower case."""
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Client:
    """One browser; follows no redirect by itself."""

    port: int
    cookies: dict[str, str] = field(default_factory=dict)
    token: str = ""
    """Of the last form that was seen."""

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, None, headers)

    def post(self, path: str, form: dict[str, str] | None = None, **headers: str) -> Answer:
        """Sends a form with the token of the last page, unless the form names one."""
        body = urlencode({"form_token": self.token} | (form or {})).encode()
        return self.send("POST", path, body, {"Content-Type": "application/x-www-form-urlencoded"} | headers)

    def send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Answer:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=60)
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            named["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request(method, path, body, named)
        response = connection.getresponse()
        answer = Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, response.read())
        for line in response.headers.get_all("set-cookie") or ():
            for name, morsel in SimpleCookie(line).items():
                if morsel.value and morsel["max-age"] != "0":
                    self.cookies[name] = morsel.value
                else:
                    self.cookies.pop(name, None)
        connection.close()
        if found := re.search(rb'name="form_token" value="([0-9a-f]+)"', answer.body):
            self.token = found[1].decode()
        return answer

    def follow(self, answer: Answer) -> Answer:
        """Where a redirect leads to."""
        return self.get(urlsplit(answer.headers["location"])._replace(scheme="", netloc="").geturl())

    def log_in(self, name: str, password: str = PASSWORD, prefix: str = "") -> Answer:
        self.get(f"{prefix}/login")
        return self.post(f"{prefix}/login", {"name": name, "password": password})


@dataclass
class PageServer:
    """A page that runs."""

    site: Site
    port: int

    def client(self) -> Client:
        return Client(self.port)

    def user(self, name: str, role: Role = Role.READER) -> Client:
        """A browser in which a new user is logged in."""
        add_user(self.site.settings, name, role, PASSWORD)
        client = self.client()
        assert client.log_in(name).status == 303
        client.get("/password")  # for the token of its form
        return client


@contextmanager
def serving(settings: Settings) -> Iterator[PageServer]:
    """The page of a home while the block runs."""
    site, listening = Site(settings), socket.create_server(("127.0.0.1", 0))
    started = threading.Event()
    config = uvicorn.Config(make_page(site, started.set), log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listening],), daemon=True)
    thread.start()
    try:
        assert started.wait(60)
        yield PageServer(site, listening.getsockname()[1])
    finally:
        server.should_exit = True
        thread.join(30)
