"""`lungline queue`: what waits in each queue; a queue paused and resumed."""

from typing import Annotated

import typer

from cli.output import print_rows

app = typer.Typer(help="Queues of work: show, pause and resume them.", no_args_is_help=True)

_COLUMNS = ("queue", "kind", "waiting", "running", "oldest_waiting_seconds", "paused")
_Name = Annotated[str, typer.Argument(metavar="NAME", help="As `lungline queue list` shows it.")]
_By = Annotated[str, typer.Option("--by", help="Who asks for it; kept in the audit.")]


@app.command("list")
def list_(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line, with all columns of backlog.")] = False) -> None:
    """Show how many jobs wait and run in each queue."""
    from lungline.settings import load
    from operations.queues import list_queues

    print_rows(list_queues(load()), as_json=as_json, columns=_COLUMNS)


@app.command()
def pause(name: _Name, by: _By = "command line") -> None:
    """Begin no job of a queue until it is resumed; jobs under way are finished, and nothing is lost."""
    from lungline.settings import load
    from operations.queues import pause_queue

    print(f"{name} is paused." if pause_queue(load(), name, by) else f"{name} was paused already.")


@app.command()
def resume(name: _Name, by: _By = "command line") -> None:
    """Begin the jobs of a queue again."""
    from lungline.settings import load
    from operations.queues import resume_queue

    print(f"{name} is resumed." if resume_queue(load(), name, by) else f"{name} was not paused.")
