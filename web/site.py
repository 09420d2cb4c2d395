"""What every page needs: settings, database, templates, links; and one visit of one user to it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from db.tables import Role
from db.users import Login
from lungline import RESEARCH_USE, __version__
from lungline.settings import Settings
from web import formats
from web.database import PageDatabase
from web.pictures import Painter

_HERE: Final = Path(__file__).parent
STATIC: Final = _HERE / "static"
_MENU: Final = (
    ("worklist", "Studies"),
    ("scans", "Scans"),
    ("upload", "Upload"),
    ("quarantine", "Quarantine"),
    ("queues", "Queues"),
    ("models", "Models"),
)
_MENU_OF_ADMINS: Final = (*_MENU, ("system", "System"))


class Site:
    """One home's page."""

    def __init__(self, settings: Settings) -> None:
        """Opens nothing yet."""
        self.settings = settings
        self.database = PageDatabase(settings)
        self.painter = Painter()
        self.prefix = f"/{settings.web_prefix}" if settings.web_prefix else ""
        self._templates = Environment(
            loader=FileSystemLoader(_HERE / "templates"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        self._templates.filters.update(formats.FILTERS)

    def link(self, app: Starlette, name: str, **parameters: Any) -> str:
        """The path of a page, as browsers ask for it."""
        return str(app.url_path_for(name, **parameters))

    def draw(self, request: Request, template: str, *, status: int = 200, login: Login | None = None, **values: Any) -> HTMLResponse:
        """A page out of a template, which no cache keeps."""
        app = request.scope["app"]
        is_admin = login is not None and login.user.role is Role.ADMIN
        common = {
            "link": lambda name, **parameters: self.link(app, name, **parameters),
            "login": login,
            "is_admin": is_admin,
            "form_token": login.form_token if login else "",
            "research_use": RESEARCH_USE,
            "version": __version__,
            "path": request.scope["path"],
            "here": request.url.path + (f"?{request.url.query}" if request.url.query else ""),
            "after": request.query_params.get("after", ""),
            "menu": _MENU_OF_ADMINS if is_admin else _MENU,
        }
        page = self._templates.get_template(template).render(common | values)
        return HTMLResponse(page, status, headers={"Cache-Control": "no-store"})


@dataclass(frozen=True)
class Visit:
    """One request of a user who is logged in."""

    site: Site
    request: Request
    login: Login
    form: Mapping[str, str] = field(default_factory=dict)
    """What was sent with a POST."""

    @property
    def user(self) -> str:
        """The user's name."""
        return self.login.user.name

    def query(self, name: str) -> str:
        """A parameter of the address; empty where it is missing."""
        return self.request.query_params.get(name, "").replace("\0", "")

    def link(self, name: str, **parameters: Any) -> str:
        """The path of a page."""
        return self.site.link(self.request.scope["app"], name, **parameters)

    def draw(self, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A page out of a template."""
        return self.site.draw(self.request, template, status=status, login=self.login, **values)

    def redirect(self, name: str, *, query: str = "", **parameters: Any) -> Response:
        """To another page, after a POST."""
        return RedirectResponse(self.link(name, **parameters) + (f"?{query}" if query else ""), 303)

    def say(self, status: int, heading: str, sentence: str) -> HTMLResponse:
        """A page that only says something."""
        return self.draw("message.html", status=status, heading=heading, sentence=sentence)
