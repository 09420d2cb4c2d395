"""What was refused or could not be read, why, what to do about it, and letting it try again."""

from typing import Final

from starlette.responses import Response

from db import quarantine
from operations.quarantine import release
from web.site import Visit

_MOST: Final = 100


def quarantine_list(visit: Visit) -> Response:
    """What was not released, the newest first."""
    with visit.site.database.reading() as connection:
        rows = quarantine.newest_rows(connection, _MOST + 1, visit.query("after"))
    following = str(rows[_MOST - 1]["quarantine_id"]) if len(rows) > _MOST else None
    return visit.draw("quarantine.html", rows=rows[:_MOST], following=following, released=visit.query("released"))


def release_row(visit: Visit) -> Response:
    """Lets one scan be read again, or puts one refused file back into the inbox."""
    quarantine_id = visit.form.get("quarantine_id", "")
    done = release(visit.site.settings, [quarantine_id], who=visit.user)
    if not done.released:
        return visit.say(
            409, "Nothing was released", "It was released before, or the store does not hold the file; see `lungline reconcile`."
        )
    return visit.redirect("quarantine", query="released=1")
