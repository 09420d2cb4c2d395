"""`lungline studies` and `lungline study`: the assessments of whole studies."""

from typing import TYPE_CHECKING, Annotated

import typer

from cli.output import notice, print_row, print_rows

if TYPE_CHECKING:
    from db.study_views import Study

app = typer.Typer(no_args_is_help=True)

_COLUMNS = ("study_key", "modalities", "finding", "probability", "status", "stage", "reason", "series", "scans", "finished_at")

_SERIES = ("modality", "finding", "probability", "status", "stage", "reason", "slices", "slices_used", "gaps", "set_aside")


@app.callback()
def study() -> None:
    """Say that a study is complete."""


def studies(
    limit: Annotated[int, typer.Option(min=1, help="How many to show.")] = 20,
    worklist: Annotated[
        bool, typer.Option("--worklist", help="Only studies to look at, in that order: covid19, and everything for review.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with all columns of study_results.")] = False,
) -> None:
    """Show the studies that were assessed last."""
    from lungline.settings import load
    from operations.studies import list_studies

    print_rows(list_studies(load(), limit, worklist=worklist), as_json=as_json, columns=_COLUMNS)
    notice()


@app.command()
def finish(study: Annotated[str, typer.Argument(metavar="STUDY", help="Its pseudonym, as `lungline studies` prints it.")]) -> None:
    """Say that a study is complete: its series are assessed at once, as final, without waiting for more slices."""
    from lungline.settings import load
    from operations.studies import finish_study

    closed = finish_study(load(), study)
    print(f"{closed} series will be assessed now; `lungline show {study}` prints the answer.")


def print_study(study: "Study", *, as_json: bool) -> None:
    """One JSON object, or the study, its series and the patient's earlier studies, a table each."""
    pairs = list(zip(study.series, study.set_aside, strict=True))
    if as_json:
        in_study = [dict[str, object](row) | {"set_aside": reasons} for row, reasons in pairs]
        print_row(dict[str, object](study.columns) | {"series": in_study, "priors": study.priors}, as_json=True)
        return
    print_row(dict[str, object](study.columns), as_json=False)
    print_rows([dict[str, object](row) | {"set_aside": _in_words(reasons)} for row, reasons in pairs], as_json=False, columns=_SERIES)
    if study.priors:
        print_rows(study.priors, as_json=False, columns=("study_key", "finding", "probability", "status", "finished_at"))


def _in_words(set_aside: "dict[str, int]") -> str:
    return ", ".join(f"{count} {why.replace('_', ' ')}" for why, count in set_aside.items())
