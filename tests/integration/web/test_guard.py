"""The real page: closed to whoever is not logged in, to forged forms, and to readers where only admins may act."""

import re
from collections.abc import Iterator

import pytest
from sqlalchemy import text, update
from starlette.routing import BaseRoute, Mount, Route

from db.clock import now
from db.tables import Role, logins, users
from db.users import FAILURES_MAX, IDLE_SECONDS, LOGIN_SECONDS
from lungline.settings import load
from operations.users import remove_user
from tests.pages import PASSWORD, PageServer, serving
from web.app import make_page

OPEN = {"/healthz", "/readyz", "/login", "/static"}


def routes(found: list[BaseRoute], above: str = "") -> Iterator[tuple[str, str]]:
    """Each route's path and methods."""
    for route in found:
        if isinstance(route, Mount):
            yield from routes(route.routes, above + route.path) if route.routes else [("GET", above + route.path)]
        elif isinstance(route, Route):
            for method in sorted(route.methods or ()):
                yield method, above + route.path


def test_every_route_is_closed_without_a_login(page: PageServer) -> None:
    walked = 0
    for method, path in routes(make_page(page.site).routes):
        if path in OPEN:
            continue
        walked += 1
        answer = page.client().send(method, re.sub(r"\{[^}]*\}", "1", path), b"" if method == "POST" else None, {})
        assert answer.status in (303, 401), (method, path)
        assert "location" not in answer.headers or answer.headers["location"].startswith("/login")
    assert walked >= 4


def test_machines_may_ask_for_health(page: PageServer) -> None:
    assert page.client().get("/healthz").status == 200
    assert page.client().get("/readyz").status == 200


def test_no_page_allows_foreign_or_inline_code(page: PageServer) -> None:
    client = page.user("ada")
    for path in ("/login", "/", "/nothing", "/static/page.js"):
        answer = client.get(path)
        policy = dict(part.split(" ", 1) for part in answer.headers["content-security-policy"].split("; "))
        assert policy["default-src"] == policy["frame-ancestors"] == "'none'"
        assert policy["script-src"] == policy["style-src"] == "'self'"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert not re.search(r"\sstyle=|\son\w+=|<script>|<style", answer.text) or path.startswith("/static")


def test_a_cookie_is_kept_from_scripts_and_other_sites(page: PageServer) -> None:
    page.user("ada")
    client = page.client()
    cookie = client.log_in("ada").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "secure" not in cookie  # plain HTTP on loopback


@pytest.mark.parametrize("how", ["no token", "another's token", "another site"])
def test_a_forged_form_does_nothing(page: PageServer, how: str) -> None:
    victim, other = page.user("ada"), page.user("mallory")
    token = {"no token": "", "another's token": other.token, "another site": victim.token}[how]
    headers = {"Origin": "http://evil.example"} if how == "another site" else {}
    assert victim.post("/logout", {"form_token": token}, **headers).status == 403
    assert victim.get("/").status == 200


def test_a_login_form_of_another_site_does_nothing(page: PageServer) -> None:
    page.user("ada")
    client = page.client()
    assert client.post("/login", {"name": "ada", "password": PASSWORD, "form_token": "0" * 64}).status == 403
    assert client.get("/").status == 303


@pytest.mark.parametrize("column", ["created_at", "seen_at"])
def test_a_login_of_yesterday_has_ended(page: PageServer, column: str) -> None:
    client = page.user("ada")
    seconds = LOGIN_SECONDS if column == "created_at" else IDLE_SECONDS
    with page.site.database.writing() as connection:
        connection.execute(update(logins).values({column: now(-seconds - 60)}))
    answer = client.get("/?finding=covid19")
    assert answer.status == 303
    assert answer.headers["location"] == "/login?next=/%3Ffinding%3Dcovid19"
    assert client.get("/", HX_Request="true").headers["hx-redirect"] == "/login"


def test_logging_out_ends_the_login_on_the_server(page: PageServer) -> None:
    client = page.user("ada")
    stolen = dict(client.cookies)
    assert client.post("/logout").status == 303
    client.cookies = stolen
    assert client.get("/").status == 303


def test_a_removed_user_is_out_at_once(page: PageServer) -> None:
    page.user("root", Role.ADMIN)
    client = page.user("ada")
    remove_user(load(), "ada")
    assert client.get("/").status == 303


def test_five_wrong_passwords_lock_a_user_for_a_while(page: PageServer) -> None:
    page.user("ada")
    client = page.client()
    for _ in range(FAILURES_MAX):
        assert client.log_in("ada", "wrong password").status == 401
    assert client.log_in("ada").status == 401
    with page.site.database.writing() as connection:
        connection.execute(update(users).values(locked_until=now(-1)))
    assert client.log_in("ada").status == 303
    with page.site.database.reading() as connection:
        noted = connection.execute(text("SELECT who, subject, detail FROM audit_log WHERE action = 'user'")).all()
    assert ("lungline", "ada", "locked for 5 minutes after 5 attempts") in [tuple(row) for row in noted]


@pytest.mark.parametrize("name", ["nobody", "", "<script>alert(1)</script>", "a" * 500, "ada' OR '1'='1"])
def test_an_unknown_name_gets_the_answer_of_a_wrong_password(page: PageServer, name: str) -> None:
    page.user("ada")
    client = page.client()
    known, unknown = client.log_in("ada", "wrong password"), client.log_in(name, "wrong password")
    assert (known.status, unknown.status) == (401, 401)
    assert "The name or password is wrong" in unknown.text
    assert "<script>alert" not in unknown.text


@pytest.mark.parametrize("place", ["//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:alert(1)"])
def test_a_login_leads_to_no_other_site(page: PageServer, place: str) -> None:
    page.user("ada")
    client = page.client()
    client.get("/login")
    assert client.post("/login", {"name": "ada", "password": PASSWORD, "next": place}).headers["location"] == "/"


def test_the_first_password_is_for_one_login(page: PageServer) -> None:
    page.site.database.engine()
    file = load().layout.web_password
    assert file.stat().st_mode & 0o777 == 0o600
    client = page.client()
    first = file.read_text().strip()
    assert client.follow(client.log_in("admin", first)).headers["location"] == "/password"
    client.get("/password")
    short = client.post("/password", {"former": first, "password": "short", "repeated": "short"})
    assert "12 to 256 characters" in short.text
    assert client.post("/password", {"former": first, "password": PASSWORD, "repeated": PASSWORD}).status == 303
    assert client.get("/").status == 200
    assert not file.exists()
    assert page.client().log_in("admin", first).status == 401


def test_a_form_of_a_megabyte_is_refused(page: PageServer) -> None:
    client = page.user("ada")
    assert client.post("/password", {"former": "x" * (1 << 20)}).status == 413


def test_a_database_that_is_away_is_said_plainly(page: PageServer) -> None:
    client = page.user("ada")
    database = load().layout.database
    for name in (database.name, f"{database.name}-wal", f"{database.name}-shm"):
        file = database.with_name(name)
        if file.exists():
            file.write_bytes(b"no database " * 4096)
    page.site.database.engine().dispose()
    answer = client.get("/")
    assert answer.status == 503
    assert "The database cannot be used now" in answer.text
    assert str(database) not in answer.text
    assert page.client().get("/readyz").status == 503
    assert page.client().get("/healthz").status == 200
    assert page.client().log_in("ada").status == 503


def test_below_a_prefix_all_links_lead_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LUNGLINE_WEB_PREFIX", "/lungline/page/")
    with serving(load()) as server:
        client = server.client()
        prefix = "/lungline/page"
        server.site.database.engine()
        answer = client.log_in("admin", load().layout.web_password.read_text().strip(), prefix)
        assert answer.headers["location"] == f"{prefix}/"
        assert f"path={prefix};" in answer.headers["set-cookie"].lower()
        shown = client.get(f"{prefix}/password").text
        assert all(link.startswith(prefix) for link in re.findall(r'(?:href|src|action)="(/[^"]*)"', shown))
        assert client.get(f"{prefix}/static/style.css").status == 200
        assert client.get("/healthz").status == 200
        assert client.get("/").status == 404


def test_a_login_is_noted_under_the_users_name(page: PageServer) -> None:
    page.user("ada")
    with page.site.database.reading() as connection:
        noted = connection.execute(text("SELECT who, detail FROM audit_log WHERE action = 'login'")).one()
    assert tuple(noted) == ("ada", "logged in")
