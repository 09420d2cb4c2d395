"""`lungline results` and `lungline show`: verdicts, from the views that analysts query."""

from pathlib import Path
from typing import Annotated

import typer

from cli.output import as_text, notice, print_row, print_rows, printable
from cli.studies import print_study
from lungline.errors import LedgerError

_COLUMNS = ("scan_id", "modality", "finding", "probability", "status", "reason", "ensemble", "finished_at")


def results(
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with all columns of scan_results.")] = False,
) -> None:
    """Show the newest verdicts."""
    from lungline.settings import load
    from operations.results import newest_results

    print_rows(newest_results(load(), limit), as_json=as_json, columns=_COLUMNS)
    notice()


def show(
    scan: Annotated[
        str, typer.Argument(help="A scan's id, a file with the same bytes, or the pseudonym of a study.", metavar="SCAN|FILE|STUDY")
    ],
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    explain: Annotated[bool, typer.Option("--explain", help="Draw where a network looked for the finding (Grad-CAM).")] = False,
    member: Annotated[
        str | None, typer.Option(help="The member to explain, by name or version. Default: the one with the largest weight.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The PNG file of `--explain`, or a folder for it. Default: HOME/explained.")] = None,
) -> None:
    """Show all that is known of a scan, with the names of its files; or of a study, with its series."""
    from lungline.settings import load
    from operations.results import find_scans
    from operations.studies import find_studies

    settings = load()
    if studies := find_studies(settings, scan):
        if explain:
            raise typer.BadParameter("--explain takes a scan, and this is a study: `lungline results` lists scans.")
        for study in studies:
            print_study(study, as_json=as_json)
        notice()
        return
    found = find_scans(settings, scan)
    if explain and len(found) > 1:
        raise LedgerError("This file has several frames, and each is a scan of its own: give the id of one scan to explain it.")
    for known in found:
        row = dict[str, object](known.record.columns)
        if known.record.probabilities:
            row["probabilities"] = known.record.probabilities
        if known.record.predictions:
            row["predictions"] = known.record.predictions
        if explain:
            from operations.explain import explain_scan  # TensorFlow: seconds

            drawn = explain_scan(settings, known.record, member, out)
            row |= {"explained": str(drawn.picture), "explained_member": drawn.member, "explained_finding": drawn.finding}
        row["names"] = list(map(as_text, known.names)) if as_json else ", ".join(map(printable, known.names))
        print_row(row, as_json=as_json)
    notice()
