"""Whether the page lives, and whether it can be used: for machines, without a log-in, and without a word about what is wrong."""

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from lungline.errors import LunglineError
from web.site import Site


async def healthz(_request: Request) -> Response:
    """200: the process answers."""
    return PlainTextResponse("ok\n")


class Readiness:
    """200: the database answers, too; 503: it does not."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def answer(self, _request: Request) -> Response:
        try:
            await run_in_threadpool(self._ask)
        except LunglineError:
            return PlainTextResponse("not ready\n", 503)
        return PlainTextResponse("ready\n")

    def _ask(self) -> None:
        with self._site.database.reading() as connection:
            connection.exec_driver_sql("SELECT 1")
