"""All addresses of the page: each is closed without a log-in but the log-in itself, the style sheet, and what machines ask."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from db.tables import Role
from operations.upload import discard_leftovers
from web import health, labels, login, models, quarantine, scans, studies, system, upload
from web.guard import ClosedPage, Page, SafeHeaders
from web.login import LoginPage
from web.site import STATIC, Site


def make_page(site: Site, on_start: Callable[[], None] = lambda: None) -> Starlette:
    """The page as an ASGI application; `on_start` is called when it begins to answer."""

    @asynccontextmanager
    async def live(_app: Starlette) -> AsyncIterator[None]:
        discard_leftovers(site.settings.inbox)
        on_start()
        yield
        site.painter.close()

    async def missing(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        heading = "There is no such page" if status == 404 else "That did not work"
        return site.draw(request, "message.html", status=status, heading=heading, sentence="Go back, or to the start.")

    top = _routes(site)
    machines = [Route("/healthz", health.healthz), Route("/readyz", health.Readiness(site).answer)]
    routes: list[BaseRoute] = [*machines, Mount(site.prefix, routes=top)] if site.prefix else [*machines, *top]
    return Starlette(routes=routes, middleware=[Middleware(SafeHeaders)], lifespan=live, exception_handlers={HTTPException: missing})


def _routes(site: Site) -> list[BaseRoute]:
    def get(path: str, name: str, page: Page, role: Role = Role.READER, **kinds: bool) -> Route:
        return Route(path, ClosedPage(site, page, role, **kinds).answer, methods=["GET"], name=name)

    def post(path: str, name: str, page: Page, role: Role = Role.READER, **kinds: bool) -> Route:
        return Route(path, ClosedPage(site, page, role, **kinds).answer, methods=["POST"], name=name)

    return [
        Mount("/static", StaticFiles(directory=STATIC), name="static"),
        Route("/login", LoginPage(site).answer, methods=["GET", "POST"], name="login"),
        post("/logout", "logout", login.log_out, for_password=True),
        get("/password", "password", login.password, for_password=True),
        post("/password", "set_password", login.set_password, for_password=True),
        get("/", "worklist", studies.worklist),
        get("/studies/{study_key}", "study", studies.study),
        get("/scans", "scans", scans.scan_list),
        get("/scans/{scan_id}", "scan", scans.scan),
        get("/scans/{scan_id}/picture", "picture", scans.picture),
        post("/scans/{scan_id}/label", "label", labels.label_scan),
        get("/upload", "upload", upload.form),
        Route("/upload", ClosedPage(site, upload.take, is_stream=True).answer, methods=["POST"], name="take"),
        get("/upload/{sha256}", "outcome", upload.outcome),
        get("/quarantine", "quarantine", quarantine.quarantine_list),
        post("/quarantine", "release", quarantine.release_row, Role.ADMIN),
        get("/queues", "queues", system.queues),
        post("/queues/pause", "pause", system.pause, Role.ADMIN),
        post("/queues/resume", "resume", system.resume, Role.ADMIN),
        get("/models", "models", models.models),
        post("/models/promote", "promote", models.promote, Role.ADMIN),
        post("/models/rollback", "roll_back", models.roll_back, Role.ADMIN),
        get("/system", "system", system.system, Role.ADMIN),
        get("/system/checks", "checks", system.checks, Role.ADMIN),
    ]
