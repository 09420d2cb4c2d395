"""The `lungline` command. Modules named here import what is heavy within their functions, so that `--help` answers at once."""

import sys
import threading
import traceback
from types import TracebackType
from typing import Annotated

import typer

from cli import (
    bench,
    data,
    database,
    deliver,
    demo,
    doctor,
    drop,
    evaluate,
    flower,
    key,
    labels,
    models,
    quarantine,
    queue,
    receive,
    reconcile,
    reprocess,
    results,
    retrain,
    settings,
    status,
    studies,
    train,
    up,
    user,
    web,
    work,
)
from cli.output import plain_output
from lungline import RESEARCH_USE, __version__
from lungline.errors import LunglineError

app = typer.Typer(
    help=f"Reads chest X-rays and CT slices unattended, from a watched folder into a SQL database. {RESEARCH_USE}",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


@app.callback()
def lungline(
    version: Annotated[
        bool,
        typer.Option(
            "--version", help="Show the version and exit.", is_eager=True, callback=lambda asked: _print_version() if asked else None
        ),
    ] = False,
) -> None:
    """Only carries the option."""


def _print_version() -> None:
    print(f"Lungline {__version__}")
    raise typer.Exit


app.command()(up.up)
app.command()(work.watch)
app.add_typer(work.work, name="work")
app.command()(receive.receive)
app.command()(flower.flower)
app.command()(web.web)
app.add_typer(user.app, name="user")
app.command()(status.status)
app.command()(drop.drop)
app.command()(results.results)
app.command()(results.show)
app.command()(studies.studies)
app.add_typer(studies.app, name="study")
app.add_typer(deliver.app, name="deliver")
app.command()(key.key)
app.add_typer(quarantine.app, name="quarantine")
app.add_typer(queue.app, name="queue")
app.command()(reconcile.reconcile)
app.command()(reprocess.reprocess)
app.add_typer(labels.app, name="labels")
app.command()(doctor.doctor)
app.command()(demo.demo)
app.command()(settings.settings)
app.add_typer(models.app, name="models")
app.add_typer(data.app, name="data")
app.command()(train.train)
app.command()(retrain.retrain)
app.command()(evaluate.evaluate)
app.command()(bench.bench)
app.add_typer(database.app, name="db")


def main() -> None:
    """Runs the command line: exit 0 fine, 1 something is wrong and said, 2 wrong usage."""
    threading.excepthook = lambda thread: _tell(thread.exc_type, thread.exc_traceback)
    with plain_output():
        try:
            app()
        except LunglineError as error:
            print(f"lungline: {error}", file=sys.stderr)
            sys.exit(1)
        except BrokenPipeError:
            raise
        except Exception as error:
            _tell_unexpected(error)
            sys.exit(1)


def _tell_unexpected(error: Exception) -> None:
    if type(error).__module__.startswith("sqlalchemy."):  # not imported for `--help`
        from db import errors

        if errors.is_outage(error):
            print(f"lungline: {errors.translate(error)}", file=sys.stderr)
            return
    _tell(type(error), error.__traceback__)


def _tell(kind: type[BaseException], trace: TracebackType | None) -> None:
    """Where it happened, without the error's own words: they may quote a file's name, and services write to logs."""
    print("".join(traceback.format_tb(trace)), f"lungline: unexpected {kind.__name__}; run `lungline doctor`.", sep="", file=sys.stderr)
