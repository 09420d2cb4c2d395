"""`lungline retrain`: a training run by hand, beside those of the schedule."""

import time
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Engine

    from lungline.settings import Settings

_ASK_SECONDS: Final = 2.0
_NOBODY: Final = "no training worker runs on this home: start `lungline up`, or only `lungline work training`"


def retrain(
    recipe: Annotated[
        list[str] | None,
        typer.Option(help="Train this recipe; may be given more than once. Default: LUNGLINE_RETRAIN_RECIPES, else the champions'."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Train even if there are no new labels or data since the last run.")] = False,
    now: Annotated[
        bool, typer.Option("--now", help="Wait until the run has ended, and show its progress; Ctrl-C leaves it running.")
    ] = False,
) -> None:
    """Enter a training run; the training worker starts it as soon as no other runs, at the lowest priority."""
    from db import runs
    from db.migrate import open_database
    from lungline.presence import live
    from lungline.progress import say
    from lungline.settings import load
    from training.retraining import recipe_choice

    named = recipe_choice.names_in(",".join(recipe or ()))
    names = recipe_choice.chosen(named, {}) if named else ()  # what cannot be retrained is told before anything waits for it
    settings = load()
    engine = open_database(settings)
    with engine.begin() as connection:
        run_id = runs.enter(connection, "hand", names, forced=force)
    assert run_id is not None
    print(run_id, flush=True)
    if now:
        raise typer.Exit(0 if _stay(settings, engine, run_id)["state"] == "done" else 1)
    if "training" not in live(settings.layout.run):
        say(f"waiting: {_NOBODY}")


def _stay(settings: "Settings", engine: "Engine", run_id: str) -> "Mapping[str, Any]":
    """Says each new step of a run, until it has ended; its row then. However long that takes: Ctrl-C ends the watching alone."""
    from lungline.presence import live
    from lungline.progress import say

    said = None
    while True:
        row = _row(engine, run_id)
        ended = row["state"] not in ("waiting", "running")
        line = row["decision"] or row["state"]
        line += f": {row['reason']}" if ended else f": {row['step']}" if row["step"] else ""
        if line == "waiting" and "training" not in live(settings.layout.run):
            line = f"waiting: {_NOBODY}"
        if line != said:
            said = line
            say(line)
        if ended:
            return row
        time.sleep(_ASK_SECONDS)


def _row(engine: "Engine", run_id: str) -> "Mapping[str, Any]":
    from sqlalchemy import text

    from db.connect import read_only

    with read_only(engine).connect() as connection:
        return dict(connection.execute(text("SELECT * FROM training_runs WHERE run_id = :id"), {"id": run_id}).mappings().one())
