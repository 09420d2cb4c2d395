"""Which ensembles judge and which could, what the gate said, and changing the champion."""

import threading
from typing import Any, Final

from starlette.responses import Response

from db import model_views
from lungline.child_process import ask
from lungline.errors import ChildError
from operations.page_orders import CHANGE, ChampionChanged, ChampionOrder
from web.site import Visit

_MOST: Final = 20
_SECONDS: Final = 600.0
_NAMES: Final = ("xray", "ct", "admission")
_changing: Final = threading.Lock()


def models(visit: Visit) -> Response:
    """Ensembles, rulings, promotions and training runs."""
    with visit.site.database.reading() as connection:
        found: dict[str, Any] = {
            "ensembles": model_views.list_ensembles(connection),
            "rulings": model_views.latest_rulings(connection, _MOST),
            "promotions": model_views.latest_promotions(connection, _MOST),
            "runs": model_views.latest_runs(connection, _MOST),
        }
    return visit.draw("models.html", **found, changed=visit.query("changed"))


def promote(visit: Visit) -> Response:
    """Makes an ensemble the champion."""
    form = visit.form
    refused = form.get("although_refused") == "1"
    order = ChampionOrder(
        action="promote", version=form.get("version", ""), by=visit.user, why=form.get("why", ""), although_refused=refused
    )
    return _change(visit, order)


def roll_back(visit: Visit) -> Response:
    """Makes the former champion the champion again."""
    name = visit.form.get("name", "")
    if name not in _NAMES:
        return visit.say(422, "Nothing was rolled back", f"Say which: {', '.join(_NAMES)}.")
    return _change(visit, ChampionOrder(action="rollback", name=name, by=visit.user, why=visit.form.get("why", "")))


def _change(visit: Visit, order: ChampionOrder) -> Response:
    if not _changing.acquire(blocking=False):
        return visit.say(409, "The champion was not changed", "Another change is being tried now; wait until it has ended.")
    try:
        done = ask(CHANGE, order, ChampionChanged, seconds=_SECONDS)
    except ChildError as error:
        sentence = error.sentence or f"The attempt failed unexpectedly ({error.kind}); `lungline doctor` may say more."
        return visit.say(422, "The champion was not changed", sentence)
    finally:
        _changing.release()
    return visit.redirect("models", query=f"changed={done.version}")
