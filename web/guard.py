"""Who may ask for what: every page is closed without a log-in, and nothing is done without a form of our own."""

import hmac
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast
from urllib.parse import parse_qsl, quote, urlsplit

import structlog
from sqlalchemy.exc import SQLAlchemyError
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from db import errors, users
from db.tables import Role
from db.users import Login
from lungline.errors import LedgerError, LunglineError
from web.site import Site, Visit

COOKIE: Final = "lungline"
FORM_TOKEN: Final = "form_token"
TOKEN_HEADER: Final = "X-Form-Token"
FORM_BYTES_MAX: Final = 64 << 10
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

Page = Callable[[Visit], Response]
"""Answers a user who is logged in; runs in a thread."""
Stream = Callable[[Visit], Awaitable[Response]]
"""The same on the event loop, for what reads the request's body itself."""

log = structlog.get_logger()


class FormTooLarge(Exception):
    """A form has more bytes than any form of ours."""


@dataclass(frozen=True)
class ClosedPage:
    """A page for users who are logged in; `answer` is its endpoint."""

    site: Site
    page: Page | Stream
    role: Role = Role.READER
    is_stream: bool = False
    for_password: bool = False
    """Also for a user who must choose another password first."""

    async def answer(self, request: Request) -> Response:
        try:
            return await self._answer(request)
        except ClientDisconnect:
            return Response(status_code=400)
        except FormTooLarge:
            return _message(self.site, request, 413, "The form is too large", "Go back and shorten what you wrote.")
        except LedgerError as error:
            return _message(self.site, request, 503, "The database cannot be used now", f"{error} This page works again once it answers.")
        except SQLAlchemyError as error:
            return _message(self.site, request, 503, "The database cannot be used now", str(errors.translate(error)))
        except LunglineError as error:
            return _message(self.site, request, 500, "That did not work", str(error))
        except Exception as error:  # its words may quote what a file or a form holds
            trace = error.__traceback__
            while trace is not None and trace.tb_next is not None:
                trace = trace.tb_next
            at = f"{Path(trace.tb_frame.f_code.co_filename).stem}:{trace.tb_lineno}" if trace else ""
            log.error("a page failed", page=self.page.__name__, error=type(error).__name__, at=at)
            return _message(self.site, request, 500, "That did not work", "This is a fault of Lungline. Its log says where.")

    async def _answer(self, request: Request) -> Response:
        login = await run_in_threadpool(find_login, self.site, request)
        if login is None:
            return _to_login(self.site, request)
        visit = Visit(self.site, request, login)
        if request.method == "POST":
            form = {} if self.is_stream else await read_form(request)
            sent = request.headers.get(TOKEN_HEADER, "") if self.is_stream else form.get(FORM_TOKEN, "")
            if not is_same_origin(request) or not hmac.compare_digest(sent.encode(), login.form_token.encode()):
                return visit.say(403, "This form has expired", "Open the page again and repeat what you did: nothing was changed.")
            visit = Visit(self.site, request, login, form)
        if login.user.must_change and not self.for_password:
            return visit.redirect("password")
        if self.role is Role.ADMIN and login.user.role is not Role.ADMIN:
            return visit.say(403, "Only for admins", "Ask an admin of this Lungline to do it, or to give you the role.")
        if self.is_stream:
            return await cast(Stream, self.page)(visit)
        return await run_in_threadpool(cast(Page, self.page), visit)


def find_login(site: Site, request: Request) -> Login | None:
    """The log-in that a request's cookie names; notes now and then that it is in use.

    Raises:
        LedgerError: the database cannot be used now.
    """
    token = request.cookies.get(COOKIE)
    if not token:
        return None
    with site.database.reading() as connection:
        login = users.find_login(connection, token)
        # what a page fetches by itself does not keep a browser logged in that nobody sits at
        is_due = login is not None and "HX-Request" not in request.headers and users.is_due(connection, login)
    if login is not None and is_due:
        with site.database.writing() as connection:
            users.note_seen(connection, login)
    return login


async def read_form(request: Request) -> dict[str, str]:
    """The fields of an `application/x-www-form-urlencoded` body.

    Raises:
        FormTooLarge: it has more than `FORM_BYTES_MAX` bytes.
    """
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            raise FormTooLarge
    pairs = parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=100)
    return {name: value.replace("\0", "") for name, value in pairs}


def is_same_origin(request: Request) -> bool:
    """Whether a browser sent this from a page of ours; what is no browser may leave the header out."""
    origin = request.headers.get("origin")
    return origin is None or urlsplit(origin).netloc == request.headers.get("host")


def local_path(site: Site, path: str) -> str | None:
    """A path of this page that someone wanted before logging in; None if it leads elsewhere."""
    parts = urlsplit(path)
    is_ours = path.startswith(f"{site.prefix}/") and not path.startswith("//") and "\\" not in path and not parts.netloc
    return path if is_ours and path.isprintable() else None


def _to_login(site: Site, request: Request) -> Response:
    path = site.link(request.scope["app"], "login")
    if "HX-Request" in request.headers:
        return Response(status_code=401, headers={"HX-Redirect": path})
    if request.method != "GET":
        return _message(site, request, 401, "You are not logged in", "Log in and repeat what you did: nothing was changed.")
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"{path}?next={quote(wanted)}", 303)


def _message(site: Site, request: Request, status: int, heading: str, sentence: str) -> Response:
    return site.draw(request, "message.html", status=status, heading=heading, sentence=sentence)


class SafeHeaders:
    """Adds to every answer what keeps a browser from running, framing or sending what is not the page's own (ASGI middleware)."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._headers = [(name.lower().encode(), value.encode()) for name, value in _HEADERS.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *self._headers]
            await send(message)

        await self._app(scope, receive, send_with_headers if scope["type"] == "http" else send)
