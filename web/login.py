"""Logging in and out, and choosing another password."""

import hmac
import secrets
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from db import users
from lungline.errors import LedgerError
from lungline.passwords import LENGTH_MIN
from operations.users import change_password, log_in
from web.guard import COOKIE, FORM_TOKEN, is_same_origin, local_path, read_form
from web.site import Site, Visit

_BEFORE: Final = "lungline_form"  # the cookie that a log-in form is compared with, as there is no log-in yet
_WRONG: Final = "The name or password is wrong, or there were too many attempts: then wait five minutes."
_STALE: Final = "This form has expired: log in once more."


class LoginPage:
    """The one page with a form that is open to everyone."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def answer(self, request: Request) -> Response:
        if request.method != "POST":
            return self._form(request, request.query_params.get("next", ""))
        form = await read_form(request)
        before = request.cookies.get(_BEFORE, "")
        wanted = form.get("next", "")
        if not before or not is_same_origin(request) or not hmac.compare_digest(form.get(FORM_TOKEN, "").encode(), before.encode()):
            return self._form(request, wanted, status=403, fault=_STALE)
        try:
            engine = await run_in_threadpool(self._site.database.engine)
            token = await run_in_threadpool(log_in, engine, form.get("name", ""), form.get("password", ""))
        except LedgerError as error:
            return self._form(request, wanted, status=503, fault=str(error))
        if token is None:
            return self._form(request, wanted, status=401, fault=_WRONG)
        answer = RedirectResponse(local_path(self._site, wanted) or self._site.link(request.scope["app"], "worklist"), 303)
        answer.delete_cookie(_BEFORE, path=self._path)
        self._set_cookie(answer, request, COOKIE, token)
        return answer

    def _form(self, request: Request, wanted: str, *, status: int = 200, fault: str = "") -> Response:
        token = secrets.token_hex(32)
        wanted = local_path(self._site, wanted) or ""
        answer = self._site.draw(request, "login.html", status=status, before=token, wanted=wanted, fault=fault)
        self._set_cookie(answer, request, _BEFORE, token)
        return answer

    @property
    def _path(self) -> str:
        return self._site.prefix or "/"

    def _set_cookie(self, answer: Response, request: Request, name: str, value: str) -> None:
        answer.set_cookie(name, value, path=self._path, secure=request.url.scheme == "https", httponly=True, samesite="strict")


def log_out(visit: Visit) -> Response:
    """Ends this browser's log-in."""
    with visit.site.database.writing() as connection:
        users.log_out(connection, visit.login)
    answer = visit.redirect("login")
    answer.delete_cookie(COOKIE, path=visit.site.prefix or "/")
    return answer


def password(visit: Visit) -> Response:
    """Shows the form for another password."""
    return visit.draw("password.html", fault="", length=LENGTH_MIN)


def set_password(visit: Visit) -> Response:
    """Changes the password."""
    if visit.form.get("password", "") != visit.form.get("repeated", ""):
        fault: str | None = "The two new passwords differ."
    else:
        former, fresh = visit.form.get("former", ""), visit.form.get("password", "")
        fault = change_password(visit.site.settings, visit.site.database.engine(), visit.login, former, fresh)
    return visit.draw("password.html", status=400, fault=fault, length=LENGTH_MIN) if fault else visit.redirect("worklist")
