"""What a reader says of a scan: agreement with the verdict, or another finding."""

from starlette.responses import Response

from db import labels
from web.site import Visit


def label_scan(visit: Visit) -> Response:
    """Enters the user's label of a scan; those of others stay beside it."""
    scan_id = visit.request.path_params["scan_id"]
    with visit.site.database.writing() as connection:
        fault = labels.add(connection, scan_id, visit.form.get("label", ""), reader=visit.user)
    if fault is not None:
        return visit.say(422, "The label was not taken", f"{fault.sentence[0].upper()}{fault.sentence[1:]}.")
    return visit.redirect("scan", scan_id=scan_id)
