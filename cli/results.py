"""`lungline results` and `lungline show`: verdicts, from the views that analysts query."""

from pathlib import Path
from typing import Any, Literal

import typer

_COLUMNS = ("scan_id", "modality", "finding", "probability", "status", "reason", "ensemble", "finished_at")


def results(
    limit: int = typer.Option(20, min=1, help="How many to show."),
    as_json: bool = typer.Option(False, "--json", help="One JSON object a line, with all columns of scan_results."),
) -> None:
    """Show the newest verdicts."""
    from sqlalchemy import text

    from cli.output import notice, print_rows
    from db.connect import read_only
    from db.migrate import open_database
    from lungline.settings import load

    query = text("SELECT * FROM scan_results ORDER BY finished_at DESC, scan_id DESC LIMIT :most")
    with read_only(open_database(load())).connect() as connection:
        print_rows(connection.execute(query, {"most": limit}).mappings(), as_json=as_json, columns=_COLUMNS)
    notice()


def show(
    scan: str = typer.Argument(help="A scan's id, a file with the same bytes, or the pseudonym of a study.", metavar="SCAN|FILE|STUDY"),
    as_json: bool = typer.Option(False, "--json", help="One JSON object."),
    explain: bool = typer.Option(False, "--explain", help="Draw where a network looked for the finding (Grad-CAM)."),
    member: str | None = typer.Option(None, help="The member to explain, by name or version. Default: the one with the largest weight."),
    out: Path | None = typer.Option(None, help="The PNG file of `--explain`, or a folder for it. Default: HOME/explained."),
) -> None:
    """Show all that is known of a scan, with the names of its files; or of a study, with its series."""
    import hashlib

    from sqlalchemy import text

    from cli.output import as_text, notice, print_one, printable
    from cli.studies import print_study
    from db.connect import read_only
    from db.migrate import open_database
    from db.scans import find_scans
    from lungline.errors import LedgerError
    from lungline.layout import Store
    from lungline.settings import load
    from operations.studies import find_studies

    settings = load()
    key: Literal["id", "sha256"] = "id"
    value = scan.encode("utf-8", "replace").decode()  # no database takes bytes that are no text
    if Path(scan).is_file():
        with Path(scan).open("rb") as file:
            key, value = "sha256", hashlib.file_digest(file, "sha256").hexdigest()
    with read_only(open_database(settings)).connect() as connection:

        def rows(statement: str, **parameters: str) -> list[dict[str, Any]]:
            return [dict(row) for row in connection.execute(text(statement), parameters).mappings()]

        if studies := find_studies(connection, value):
            for study in studies:
                print_study(study, as_json=as_json)
            notice()
            return
        found = [dict(row) for row in connection.execute(find_scans(key, value)).mappings()]
        if not found:
            raise LedgerError(
                "There is no such scan; `lungline results` lists scans that are done, `lungline quarantine list` those that could "
                "not be read."
            )
        if explain and len(found) > 1:
            raise LedgerError("This file has several frames, and each is a scan of its own: give the id of one scan to explain it.")
        names = Store(settings.store).names(str(found[0]["sha256"]))
        for one in found:
            scan_id = str(one["scan_id"])
            latest = "SELECT * FROM scan_history WHERE scan_id = :id ORDER BY coalesce(reinstated_at, finished_at) DESC LIMIT 1"
            for result in rows("SELECT * FROM scan_results WHERE scan_id = :id", id=scan_id) or rows(latest, id=scan_id):
                one |= result  # of one that a correction took the place of, what was said of it, and since when that is superseded
            for row in rows(
                "SELECT finding, probability FROM scan_probabilities WHERE scan_id = :id ORDER BY probability DESC", id=scan_id
            ):
                one.setdefault("probabilities", {})[row["finding"]] = row["probability"]
            for row in rows("SELECT member, member_version, finding, probability FROM model_predictions WHERE scan_id = :id", id=scan_id):
                one.setdefault("predictions", {}).setdefault(row["member"], {})[row["finding"]] = row["probability"]
            for row in rows("SELECT * FROM quarantined_files WHERE scan_id = :id AND released_at IS NULL", id=scan_id):
                one |= {name: row[name] for name in ("quarantine_id", "reason", "detail")}
            if explain:
                from cli.explain import explain as draw

                one |= draw(settings, one, member, out)
            print_one(one | {"names": list(map(as_text, names)) if as_json else ", ".join(map(printable, names))}, as_json=as_json)
    notice()
